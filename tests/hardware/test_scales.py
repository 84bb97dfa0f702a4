"""Tiles against the whole picture at once, which test_objective.py holds against the papers."""

import random
from itertools import product

import pytest
import torch
from torch.nn.functional import interpolate

import nst
from nst import (
    Objective,
    SettingsError,
    load_mask,
    load_network,
    make_settings,
    resume,
    style_transfer,
)
from nst.hardware.scales import TiledObjective
from nst.hardware.tiles import View, view
from nst.networks import VGG, Architecture, randomise, rescale_pools

STANDARD = [f"relu{b}_1" for b in range(1, 6)]
SHALLOW = {"content_layers": ["relu2_1"], "style_layers": ["conv1_1", "relu1_2", "pool1"]}


def narrow(pooling="max", padding="zeros"):
    """VGG-19 with all its layers and few channels; random biases, so that zeros are not special."""
    network = VGG(Architecture((2, 2, 4, 4, 4), (4, 4, 6, 6, 6)), pooling, padding)
    randomise(network)
    generator = torch.Generator().manual_seed(3)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 5)
    if pooling == "average-rescaled":
        rescale_pools(network)
    return network.eval()


def painting(height, width, seed):
    """A picture with structure from single pixels to its own size."""
    generator = torch.Generator().manual_seed(seed)
    grids = [torch.rand(1, 3, n, n, generator=generator) for n in (3, 20)]
    octaves = [interpolate(grid, (height, width), mode="bilinear") for grid in grids]
    return (sum(octaves) + torch.rand(1, 3, height, width, generator=generator)) / 3


def compare(network, shape, tile, style_shapes=((110, 97),), **options):
    """Terms and gradient by tiles are those of the whole picture, as exactly as numbers allow.

    A network in float64 leaves nothing for rounding to excuse; in float32 its order matters.
    """
    exact = network.mean.dtype == torch.float64
    content, image = (painting(*shape, seed).to(network.mean) for seed in (0, 1))
    styles = [painting(*style, 2 + i).to(network.mean) for i, style in enumerate(style_shapes)]
    pairs = zip(options.get("style_masks", ()), styles, strict=False)
    seen = (
        [load_mask(mask, content) for mask in options.get("masks", ())],
        [load_mask(mask, style) for mask, style in pairs],
    )
    settings = make_settings(**options)
    terms, gradient = Objective(network, content, styles, settings, *seen).loss_and_gradient(image)
    tiled = TiledObjective(network, content, styles, settings, *seen, tile)
    their_terms, their_gradient = tiled.loss_and_gradient(image)
    assert list(their_terms) == list(terms)
    for name, term in terms.items():
        rtol, atol = (1e-11, 1e-15) if exact else (1e-4, 1e-8)
        torch.testing.assert_close(their_terms[name], term, rtol=rtol, atol=atol, msg=name)
    error = (their_gradient - gradient).norm() / gradient.norm()
    assert error < (1e-12 if exact else 1e-5), (error.item(), shape, tile, options)


@pytest.mark.parametrize("padding", ["zeros", "replicate", "reflect"])
@pytest.mark.parametrize("block", [1, 2, 3, 4, 5])
def test_every_layer_by_itself(padding, block):
    network = narrow(padding=padding).double()
    width = 109 if block < 4 else 173  # of some tiles with neighbours on all sides
    for name in network.layer_names:
        if name[4] == str(block):
            compare(
                network,
                (75, width),
                16 * block,
                ((80, 67),),
                style_layers=[name],
                content_layers=[name],
            )


@pytest.mark.parametrize(
    ("pooling", "padding"),
    [("max", "zeros"), ("max", "reflect"), ("average-rescaled", "replicate")],
)
def test_mixed_layers(pooling, padding):
    network = narrow(pooling, padding).double()
    compare(network, (213, 251), 64)
    compare(network, (131, 251), 64, content_layers=["conv1_1", "pool3"])
    layers = {"conv1_2": 1.0, "relu1_2": 3.0, "pool2": 0.5, "conv4_2": 0.0, "relu4_2": 2.0}
    compare(network, (131, 251), 64, style_layers=layers, content_layers=["relu4_2"])


def test_the_built_in_network(quarter):
    compare(quarter, (101, 267), 96, init="noise")


def test_any_size_and_any_tile():
    """Tiles of one pixel, larger than the picture, with all kinds of remainders."""
    chance, network = random.Random(0), narrow(padding="reflect").double()
    for _ in range(12):
        shape = chance.randint(16, 60), chance.randint(16, 60)
        compare(network, shape, chance.randint(4, 70), ((35, 44),), **SHALLOW)
        shape = chance.randint(64, 250), chance.randint(64, 120)
        compare(network, shape, chance.randint(48, 300), ((150, 64),))
    one = {"content_layers": ["relu1_2"], "style_layers": ["relu1_1"]}
    compare(network, (9, 7), 1, ((8, 9),), **one)


@pytest.mark.parametrize("preset", nst.PRESETS)
def test_every_preset(preset):
    """All normalisations and smoothness terms."""
    compare(narrow().double(), (80, 201), 64, preset=preset)


@pytest.mark.parametrize(
    "options",
    [
        {"style_blend": (3.0, 1.0)},
        {"content_weight": 0.0},
        {"style_weight": 0.0},
        {"content_weight": 0.0, "tv_weight": 0.0},
    ],
)
def test_several_styles_and_terms_left_out(options):
    compare(narrow().double(), (80, 201), 64, ((90, 57), (77, 201)), **options | {"init": "noise"})


@pytest.mark.parametrize("statistic", nst.statistics.STATISTICS)
@pytest.mark.parametrize(
    "control",
    [
        {"colour": "content"},
        {"masks": ("left", "dark"), "style_masks": ("all", "light"), "mask_weights": (1.0, 0.4)},
    ],
)
def test_every_statistic_and_control(statistic, control):
    layers = ["relu1_1", "conv2_1", "relu3_1"]
    compare(
        narrow("average", "replicate").double(), (80, 121), 32, ((60, 57), (47, 81)),
        statistic=statistic, style_layers=layers, content_layers=["relu2_2"], **control,
    )  # fmt: skip


def test_every_position_is_one_tiles_own():
    chance = random.Random(1)
    for _ in range(300):
        stride, margin = chance.choice([1, 2, 4, 8, 16, 32]), chance.randint(0, 9)
        here = View({"": stride}, margin * stride)
        length, size = chance.randint(stride, 999), chance.randint(1, 500)
        spans = here.spans(length, size)
        assert [s.start for s in spans] == [0] + [s.stop for s in spans[:-1]]
        for span in spans:
            assert span.start % stride == span.first % stride == 0
            assert span.first == max(0, span.start - margin * stride)
            assert span.last == min(length, span.stop + margin * stride)
            units = (span.stop - span.start) // stride
            assert 1 <= units <= max(1, size // stride)
        assert spans[-1].stop == length


def test_the_margin_is_what_the_deepest_layer_sees():
    """Vary a pixel: the activation moves within the margin and not beyond it."""
    network = narrow("average-rescaled").double()
    for layer in ("conv1_1", "pool2", "relu3_2", "conv4_1", "relu5_1"):
        here = view(network, [layer])
        stride = here.strides[layer]
        image = torch.rand(1, 3, 8, 480, dtype=torch.float64).repeat(1, 1, 20, 1).requires_grad_()
        feature = network(image, [layer])[layer]
        middle = feature.shape[-1] // 2
        (seen,) = torch.autograd.grad(feature[..., middle].square().sum(), image)
        columns = seen.abs().sum((0, 1, 2)).nonzero().flatten()
        reach = middle * stride - columns.min().item()
        assert here.margin - stride < reach <= here.margin or here.margin == reach == 0
        assert columns.max().item() - (middle * stride + stride - 1) == reach


class Counting(VGG):
    """Notes how many pixels it sees at a time, and is out of memory above `most` of them."""

    def walk(self, image, layers):
        pixels = image[0, 0].numel()
        self.seen = [*getattr(self, "seen", []), pixels]
        if pixels > getattr(self, "most", 1e9) and len(self.seen) >= getattr(self, "since", 0):
            raise torch.cuda.OutOfMemoryError("no memory")
        return super().walk(image, layers)


def counting(**limits):
    network = narrow()
    network.__class__ = Counting
    for name, value in limits.items():
        setattr(network, name, value)
    return network


def test_memory_grows_with_the_tile_and_not_with_the_picture():
    margin = view(narrow(), ["relu2_1"]).margin
    assert margin == 4  # relu2_1 sees 10 pixels: 4 on either side of its own 2
    for side, tile in product((120, 160, 240), (20, 40)):
        network = counting()
        image = painting(side, side, 0)
        objective = TiledObjective(network, image, [image], make_settings(**SHALLOW), tile)
        objective.loss_and_gradient(image)
        assert max(network.seen) == (tile + 2 * margin) ** 2


def test_the_network_has_to_be_a_vgg(picture):
    network = load_network("squeezenet1_1", weights="random")
    settings = make_settings(content_layers=["features.3.cat"], style_layers=["features.1"])
    with pytest.raises(SettingsError, match="only VGGs"):
        TiledObjective(network, picture, [picture], settings, 64)
    with pytest.raises(SettingsError, match="no layer 'relu9_1'"):
        view(narrow(), ["relu9_1"])


SMALL = SHALLOW | {"num_steps": 8, "progress": False}


def totals(result):
    return torch.tensor([record["total"] for record in result.history], dtype=torch.float64)


@pytest.mark.parametrize("since", [0, 1, 5])
@pytest.mark.parametrize(("most", "tiles"), [(5000, [56]), (2000, [56, 28])])
def test_a_full_gpu_goes_on_in_tiles_and_loses_nothing(capsys, since, most, tiles):
    """80 × 112 pixels do not fit: already at the targets, or at a later evaluation."""
    pictures = painting(80, 112, 0), painting(44, 36, 1)
    options = SMALL | {"optimizer": "lbfgs-plain"}  # the other blows up the last digit sooner
    result = style_transfer(*pictures, network=counting(most=most, since=since), **options)
    whole = style_transfer(*pictures, network=narrow(), **options)
    assert result.reason == whole.reason == "finished"
    torch.testing.assert_close(totals(result), totals(whole), rtol=1e-3, atol=0)
    torch.testing.assert_close(result.image, whole.image, rtol=0, atol=3e-3)
    said = capsys.readouterr().err.splitlines()
    assert said == [f"nst: out of memory: the run goes on in tiles of {n} pixels" for n in tiles]


def test_a_gpu_too_small_for_any_tile_ends_the_run_with_the_best_picture(picture, other):
    result = style_transfer(
        picture, other, network=counting(most=100, since=6), **SMALL | {"optimizer": "adam"}
    )
    assert result.reason == "out of memory"
    assert 1 < len(result.history) < 8
    assert not torch.equal(result.image, picture)


def test_a_full_gpu_and_a_network_that_cannot_be_tiled(picture, other, monkeypatch):
    network = load_network("squeezenet1_1", weights="random")

    def full(*_args):
        raise torch.cuda.OutOfMemoryError("no memory")

    monkeypatch.setattr(network, "forward", full)
    layers = {"content_layers": ["features.3.cat"], "style_layers": ["features.1"]}
    result = style_transfer(picture, other, network=network, **SMALL | layers)
    assert result.reason == "out of memory"
    torch.testing.assert_close(result.image, picture)


def test_a_run_by_tiles_can_be_resumed_without_them(picture, other, tmp_path):
    half = style_transfer(
        picture,
        other,
        network=counting(most=1500),
        callback=lambda step: step.number == 4,
        **SMALL,
    )
    half.save(tmp_path)
    result = resume(tmp_path, network=narrow(), progress=False)
    whole = style_transfer(picture, other, network=narrow(), **SMALL)
    torch.testing.assert_close(totals(result), totals(whole), rtol=1e-3, atol=0)
