"""The scale of a VGG's activations, and what a network is loaded with if nobody says."""

import numpy as np
import pytest
import torch

import nst
from nst.errors import SettingsError
from nst.networks import load_network, loading
from nst.networks.scaling import convolutions, mean_activations, multiply_scale, scale_factors

POOLS = [("max", "zeros"), ("average", "replicate"), ("average-rescaled", "reflect")]


def small(pooling="average", padding="replicate"):
    """The built-in network with random weights and biases, in float64."""
    network = load_network(weights="random", pooling=pooling, padding=padding).double()
    generator = torch.Generator().manual_seed(1)
    for convolution in convolutions(network).values():
        convolution.bias.copy_(torch.randn(convolution.bias.shape, generator=generator) / 10)
    return network


@pytest.fixture
def image():
    return torch.rand(1, 3, 48, 40, generator=torch.Generator().manual_seed(2)).double()


@torch.no_grad()
@pytest.mark.parametrize(("pooling", "padding"), POOLS)
@pytest.mark.parametrize("by", ["layer", "filter"])
def test_a_factor_changes_its_own_layer_and_nothing_but_its_size(image, pooling, padding, by):
    network = small(pooling, padding)
    layers = [f"relu{n}" for n in convolutions(network)]
    before = network(image, layers)
    generator = torch.Generator().manual_seed(3)
    factors = {
        n: torch.rand(c.out_channels if by == "filter" else (), generator=generator) + 0.1
        for n, c in convolutions(network).items()
    }
    multiply_scale(network, factors)
    after = network(image, layers)
    for n, factor in factors.items():
        expected = before[f"relu{n}"] * factor.double().view(1, -1, 1, 1)
        torch.testing.assert_close(after[f"relu{n}"], expected, rtol=1e-9, atol=1e-12)


@torch.no_grad()
def test_factors_make_the_means_over_pictures_and_positions_one(image):
    network = small()
    convolutions(network)["3_2"].bias[5] = -1e6  # a filter that never fires
    images = [image, torch.rand(2, 3, 32, 64).double()]
    for by in ("layer", "filter"):
        factors = scale_factors(network, images, by)
        for n in ("1_1", "3_2", "5_1"):
            seen = [network(x, [f"relu{n}"])[f"relu{n}"].numpy() for x in images]
            by_filter = [np.moveaxis(f, 1, 0).reshape(f.shape[1], -1) for f in seen]
            values = np.concatenate(by_filter, axis=1)
            if by == "layer":
                assert factors[n].item() == pytest.approx(1 / values.mean(), rel=1e-9)
            else:
                means = values.mean(1)
                expected = np.divide(1, means, where=means > 0, out=np.ones_like(means))
                np.testing.assert_allclose(factors[n], expected, rtol=1e-9)
    assert scale_factors(network, images, "filter")["3_2"][5] == 1


@pytest.fixture
def two_pictures(monkeypatch):
    monkeypatch.setattr(loading, "sample_names", lambda: {"content": ["coffee", "rocket"]})
    monkeypatch.setattr(loading, "_measured", {})


@pytest.mark.parametrize("by", ["layer", "filter"])
def test_a_network_is_loaded_at_a_scale_that_is_measured_once(two_pictures, monkeypatch, by):
    measured = []
    monkeypatch.setattr(
        loading, "scale_factors", lambda *given: measured.append(1) or scale_factors(*given)
    )
    network = load_network("vgg16", weights="random", scale=by)
    assert load_network("vgg16", weights="random", scale=by).settings["scale"] == by
    assert len(measured) == 1
    images = [nst.load_image(name, loading.SAMPLE_SIZE) for name in ("coffee", "rocket")]
    before = mean_activations(load_network("vgg16", weights="random"), images)
    for n, means in mean_activations(network, images).items():
        # What a filter has that fires in one place of many thousand is partly rounding: not asked.
        found = means.mean() if by == "layer" else means[before[n] > 1e-3]
        torch.testing.assert_close(found, torch.ones_like(found), rtol=1e-3, atol=0, msg=n)


def test_a_run_is_known_on_a_machine_that_measures_other_last_digits(
    two_pictures, monkeypatch, picture, other
):
    options = {"sizes": 40, "num_steps": 2, "progress": False}
    run = nst.style_transfer(picture, other, scale="filter", **options)

    def measured(*given):
        return {n: factor * (1 + 1e-6) for n, factor in scale_factors(*given).items()}

    monkeypatch.setattr(loading, "_measured", {})
    monkeypatch.setattr(loading, "scale_factors", measured)
    network = load_network(scale="filter")
    assert nst.resume(run, 3, network=network, progress=False).reason == "finished"
    assert nst.resume(run, 3, progress=False).reason == "finished"
    with torch.no_grad():
        network.layers["conv1_1"].bias += 1e-3
    with pytest.raises(nst.errors.WeightsError):
        nst.resume(run, 3, network=network, progress=False)


def test_samples_are_the_packages_own(two_pictures, monkeypatch, tmp_path):
    expected = load_network(scale="layer").layers["conv3_1"].weight
    monkeypatch.setattr(loading, "_measured", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "coffee").write_text("to be bought")
    assert torch.equal(load_network(scale="layer").layers["conv3_1"].weight, expected)


def test_weights_that_only_sum_up_alike_are_measured_anew(two_pictures, tmp_path):
    """Such as the same filters in another order."""
    load_network(scale="filter")
    state = load_network().state_dict()
    state = {name.removeprefix("layers."): value for name, value in state.items()}
    order = torch.arange(len(state["conv1_1.weight"])).flip(0)
    for name in ("conv1_1.weight", "conv1_1.bias"):
        state[name] = state[name][order]
    state["conv1_2.weight"] = state["conv1_2.weight"][:, order]
    torch.save(state, tmp_path / "turned.pt")
    turned = load_network(weights=tmp_path / "turned.pt", scale="filter")
    images = [nst.load_image(name, loading.SAMPLE_SIZE) for name in ("coffee", "rocket")]
    found = mean_activations(turned, images)["1_1"]
    torch.testing.assert_close(found, torch.ones_like(found), rtol=1e-3, atol=0)


def test_scale_is_for_vggs_and_of_two_kinds():
    with pytest.raises(SettingsError, match="scale one of layer, filter; not 'channel'"):
        load_network(scale="channel")
    with pytest.raises(SettingsError, match="for VGGs only"):
        load_network("squeezenet1_1", weights="random", scale="layer")


@torch.no_grad()
def test_the_built_in_filters_all_fire_and_no_layer_is_louder_than_the_others(quarter):
    images = [nst.load_image(name, 160) for group in nst.sample_names().values() for name in group]
    fired = {}
    for image in images:
        for name, feature in quarter.walk(image, [f"relu{n}" for n in convolutions(quarter)]):
            fired.setdefault(name, []).append((feature > 0).double().mean((0, 2, 3)))
    for name, shares in fired.items():
        assert torch.stack(shares).mean(0).min() >= 0.001, name
    means = {n: m.mean().item() for n, m in mean_activations(quarter, images).items()}
    assert max(means.values()) < 1.5 * min(means.values())
    assert all(0.5 < mean < 2 for mean in means.values())


@pytest.mark.parametrize(
    ("name", "weights", "expected"),
    [
        ("vgg19_quarter", None, ("average", "replicate", 2)),
        ("vgg19_quarter", "random", ("average", "replicate", None)),
        ("vgg16", "random", ("max", "zeros", None)),
        ("squeezenet1_1", "random", ("max", "zeros", None)),
    ],
)
def test_left_open_pooling_and_padding_are_what_the_network_was_made_for(name, weights, expected):
    network = load_network(name, weights)
    keys = ("pooling", "padding", "edition")
    assert tuple(network.settings[key] for key in keys) == expected
    if name != "squeezenet1_1":
        assert (network.pooling, network.padding) == expected[:2]
        chosen = load_network(name, weights, pooling="max", padding="reflect")
        assert (chosen.pooling, chosen.padding) == ("max", "reflect")
        assert chosen.settings["edition"] == expected[2]
