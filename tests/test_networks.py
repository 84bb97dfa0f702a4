"""Networks against torchvision's own, and where their weights come from."""

import argparse
import hashlib
import http.server
import os
import threading
import zipfile
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torchvision.models.vgg import cfgs, make_layers

import nst
from nst.errors import ImageError, SettingsError, WeightsError
from nst.files import checkpoints
from nst.files import weights as weights_files
from nst.networks import ARCHITECTURES, VGG, Architecture, Pool, load_network

# Positions of the convolutions in torchvision's `features`.
VGG19 = dict(
    zip(
        [f"conv{b}_{i}" for b, n in enumerate((2, 2, 4, 4, 4), 1) for i in range(1, n + 1)],
        (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
        strict=True,
    )
)
VGG16 = dict(
    zip(
        [f"conv{b}_{i}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)],
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        strict=True,
    )
)


@pytest.fixture(scope="session")
def vgg19_features():
    torch.manual_seed(0)
    return make_layers(cfgs["E"]).eval()


@pytest.fixture(scope="session")
def vgg19_file(vgg19_features, tmp_path_factory):
    """A state dict as torchvision's whole VGG-19 has it, with a stub of a classifier."""
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    state = {f"features.{k}": v for k, v in vgg19_features.state_dict().items()}
    torch.save(state | {"classifier.0.weight": torch.zeros(2, 2)}, path)
    return path


@torch.no_grad()
def test_vgg19_is_torchvisions(vgg19_features, vgg19_file):
    network = load_network("vgg19", weights=vgg19_file)
    image = torch.rand(1, 3, 32, 48)
    ours = network(image, network.layer_names)
    x = torchvision.transforms.functional.normalize(
        image, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    names, name = {number: name for name, number in VGG19.items()}, ""
    for number, layer in enumerate(vgg19_features):
        if isinstance(layer, torch.nn.MaxPool2d):
            name = "pool" + name[4]
        else:
            name = names.get(number) or name.replace("conv", "relu")
        x = torch.relu(x) if isinstance(layer, nst.networks.ReLU) else layer(x)
        torch.testing.assert_close(ours[name], x, msg=name)


@torch.no_grad()
def test_vgg16_with_the_caffe_weights_has_their_normalisation(monkeypatch, tmp_path):
    torch.manual_seed(0)
    features = make_layers(cfgs["D"]).eval()
    state = {f"features.{k}": v for k, v in features.state_dict().items()}
    file = tmp_path / "features.pth"
    torch.save(state, file)
    monkeypatch.setattr("nst.files.checkpoints.pretrained_weights", lambda entry: file)
    network = load_network("vgg16", weights="IMAGENET1K_FEATURES")
    image = torch.rand(1, 3, 16, 16)
    mean = torch.tensor([0.48235, 0.45882, 0.40784]).view(1, 3, 1, 1)
    expected = features[:22]((image - mean) * 255)
    actual = network(image, ["conv4_3"])["conv4_3"]
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-3)
    assert list(VGG16.values())[9] == 21


@torch.no_grad()
def test_the_built_in_network_is_small_offline_and_frozen(quarter):
    assert sum(p.numel() for p in quarter.parameters()) == 810_128
    assert (checkpoints.PACKAGED / "vgg19_quarter.safetensors").stat().st_size < 2.5e6
    assert not any(p.requires_grad for p in quarter.parameters())
    assert quarter.layer_names[-1] == "relu5_1"
    features = quarter(torch.rand(2, 3, 33, 47), ["relu1_1", "relu2_2", "relu5_1"])
    assert [tuple(f.shape) for f in features.values()] == [
        (2, 16, 33, 47),
        (2, 32, 16, 23),
        (2, 128, 2, 2),
    ]


@torch.no_grad()
def test_conv_and_relu_are_kept_apart(quarter, picture):
    """An in-place ReLU would make the two the same."""
    features = quarter(picture, ["conv4_2", "relu4_2"])
    assert features["conv4_2"].min() < 0
    torch.testing.assert_close(features["relu4_2"], features["conv4_2"].relu())


def test_only_activations_that_are_asked_for_are_kept(picture):
    """A ReLU overwrites its input, unless somebody reads that too."""
    network, kept = load_network("vgg19_quarter"), {}
    for name, module in network.layers.items():
        module.register_forward_hook(lambda _, __, x, name=name: kept.update({name: x.data_ptr()}))
    network(picture, ["conv1_1", "relu2_1"])
    assert kept["conv1_1"] != kept["relu1_1"]
    assert kept["conv1_2"] == kept["relu1_2"]
    assert kept["conv2_1"] == kept["relu2_1"]


def test_a_network_in_bfloat16_gives_float32(quarter, picture):
    rough = nst.networks.fit_out(quarter, torch.device("cpu"), "bfloat16")
    layers = ["conv1_1", "relu5_1"]
    exact, seen = quarter(picture, layers), rough(picture, layers)
    for layer in layers:
        assert seen[layer].dtype == torch.float32
        error = (seen[layer] - exact[layer]).norm() / exact[layer].norm()
        assert 1e-4 < error < 0.02
    assert quarter.precision == "float32"


@pytest.mark.parametrize("name", ["vgg19_quarter", "squeezenet1_1"])
@pytest.mark.parametrize("precision", nst.devices.PRECISIONS)
def test_a_network_and_its_exact_twin(name, precision, picture):
    given = load_network(name, weights=None if name == "vgg19_quarter" else "random")
    fitted, exact = nst.networks.fit_both(given, torch.device("cpu"), precision)
    layers = given.layer_names[1:5:3]
    assert fitted.precision == precision
    if precision == "float32":
        assert exact is None
        return
    assert exact.precision == "float32"
    seen, rounded = exact(picture, layers), fitted(picture, layers)
    for layer, expected in given(picture, layers).items():
        torch.testing.assert_close(seen[layer], expected, rtol=1e-5, atol=1e-5)
        if precision == "bfloat16":
            assert not torch.allclose(rounded[layer], expected, rtol=1e-4, atol=1e-4)
    weights = [next(iter(network.parameters())) for network in (fitted, exact)]
    assert (weights[0] is weights[1]) == (precision == "tf32")  # which need not be there twice


@pytest.mark.parametrize("precision", nst.devices.PRECISIONS)
def test_a_network_that_was_fitted_can_be_fitted_anew(quarter, picture, precision):
    rough = nst.networks.fit_out(quarter, torch.device("cpu"), "bfloat16")
    for again in nst.networks.fit_both(rough, torch.device("cpu"), precision):
        if again is not None:
            found = again(picture, ["relu3_1"])["relu3_1"]
            assert (found - quarter(picture, ["relu3_1"])["relu3_1"]).norm() < 0.02 * found.norm()


def test_batch_normalisation_is_seen_without_its_statistics(tmp_path):
    """As in a dict of parameters alone."""
    model = torchvision.models.vgg16_bn(weights=None).features
    torch.save(dict(model.named_parameters()), tmp_path / "vgg16.pt")
    with pytest.raises(nst.errors.WeightsError, match="with batch normalisation"):
        load_network("vgg16", weights=tmp_path / "vgg16.pt")


def test_nothing_deeper_than_asked_for_is_computed(picture):
    network = load_network("vgg19_quarter")
    seen = []
    for name, module in network.layers.items():
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
    network(picture, ["relu2_1", "conv1_1"])
    assert seen[-1] == "relu2_1"


def test_gradients_reach_the_image_and_not_the_weights(quarter, picture):
    image = picture.clone().requires_grad_()
    quarter(image, ["relu3_1"])["relu3_1"].sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(p.grad is None for p in quarter.parameters())


@torch.no_grad()
def test_average_pooling_with_and_without_rescaling(picture):
    names = ["relu1_2", "pool1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    size = {
        pooling: {
            n: f.mean().item() for n, f in load_network(pooling=pooling)(picture, names).items()
        }
        for pooling in ("max", "average", "average-rescaled")
    }
    plain = load_network(pooling="average")(picture, names)
    torch.testing.assert_close(plain["pool1"], torch.nn.functional.avg_pool2d(plain["relu1_2"], 2))
    deepest = {
        pooling: abs(s["relu5_1"] / size["max"]["relu5_1"] - 1) for pooling, s in size.items()
    }
    assert deepest["average-rescaled"] < deepest["average"] / 2
    gains = [
        m.gain
        for m in load_network(pooling="average-rescaled").layers.values()
        if isinstance(m, Pool)
    ]
    assert all(gain > 1 for gain in gains)


@torch.no_grad()
@pytest.mark.parametrize("padding", ["zeros", "replicate", "reflect"])
def test_padding(picture, padding):
    network = load_network(padding=padding)
    first = network.layers["conv1_1"]
    mode = {"zeros": "constant"}.get(padding, padding)
    padded = torch.nn.functional.pad(network.normalise(picture), (1, 1, 1, 1), mode=mode)
    expected = torch.nn.functional.conv2d(padded, first.weight, first.bias)
    torch.testing.assert_close(network(picture, ["conv1_1"])["conv1_1"], expected)


@pytest.mark.parametrize("padding", ["zeros", "replicate", "reflect"])
@pytest.mark.parametrize("layer", ["relu1_1", "relu2_2", "pool2", "relu4_1", "relu5_1"])
def test_the_smallest_picture_that_a_layer_can_see(padding, layer):
    network = load_network(padding=padding)
    side = network.smallest_input(layer)
    assert min(network(torch.rand(1, 3, side, side + 3), [layer])[layer].shape) >= 1
    if side > 1:
        with pytest.raises(ImageError, match=f"too small for {layer}"):
            network(torch.rand(1, 3, side + 3, side - 1), [layer])


def test_another_torchvision_network_by_its_nodes(picture):
    network = load_network("squeezenet1_1", weights="random")
    features = network(picture, ["features.0", "features.3.cat"])
    x = network.model.features[0](network.normalise(picture))
    torch.testing.assert_close(features["features.0"], x)
    assert features["features.3.cat"].shape[1] == 128
    with pytest.raises(SettingsError, match="no layer 'relu4_2'"):
        network(picture, ["relu4_2"])


def test_random_weights_are_seeded():
    for name in ("vgg16", "squeezenet1_1"):
        a, b = (load_network(name, weights="random").state_dict() for _ in range(2))
        assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("arguments", [{"name": "vgg20"}, {"pooling": "mean"}, {"padding": "wrap"}])
def test_unknown_names_are_refused(arguments):
    with pytest.raises(SettingsError):
        load_network(**arguments)
    with pytest.raises(SettingsError, match="has no layer 'relu9_9'"):
        load_network()(torch.rand(1, 3, 16, 16), ["relu9_9"])
    with pytest.raises(SettingsError, match="at least one layer"):
        load_network()(torch.rand(1, 3, 16, 16), [])
    with pytest.raises(SettingsError, match="no device 'cuda:99'"):
        load_network(device="cuda:99")
    with pytest.raises(ImageError, match="cannot take a picture of 8×8"):
        load_network("squeezenet1_1", weights="random")(torch.rand(1, 3, 8, 8), ["features.12.cat"])


@torch.no_grad()
def test_functions_that_work_in_place_do_not_overwrite_activations():
    """DenseNet ends with relu(…, inplace=True) on what it has just computed."""
    network = load_network("densenet121", weights="random")
    image = torch.rand(1, 3, 64, 64)
    alone = network(image, ["features.norm5"])["features.norm5"]
    both = network(image, ["features.norm5", "relu"])
    assert alone.min() < 0
    torch.testing.assert_close(both["features.norm5"], alone)
    torch.testing.assert_close(both["relu"], alone.relu())


# Where weights come from


def small_state(channels=(2, 2, 2, 2, 2)):
    network = VGG(Architecture(ARCHITECTURES["vgg19"].convolutions, channels))
    return network, {k.removeprefix("layers."): v for k, v in network.state_dict().items()}


@pytest.mark.parametrize("style", ["named", "whole", "features"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_are_found_under_every_usual_name(tmp_path, style, suffix):
    network, state = small_state()
    if style != "named":
        prefix = "features." if style == "whole" else ""
        state = {
            f"{prefix}{VGG19[key.split('.')[0]]}.{key.split('.')[1]}": value
            for key, value in state.items()
        }
    path = tmp_path / f"w{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    fresh, _ = small_state()
    checkpoints.fit_weights(fresh.layers, weights_files.read_weights(path), str(path))
    for key, value in network.state_dict().items():
        assert torch.equal(fresh.state_dict()[key], value)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_files_that_are_no_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1_1.weight": Bomb()}, tmp_path / "bomb.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "noise.pth").write_bytes(b"no weights")
    (tmp_path / "noise.safetensors").write_bytes(b"no weights at all")
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "stop.pth").write_bytes(b".")
    for name in (
        "stop.pth",
        "bomb.pth",
        "list.pth",
        "noise.pth",
        "noise.safetensors",
        "empty.pth",
        "none.pth",
    ):
        with pytest.raises(WeightsError, match=name):
            load_network("vgg19", weights=tmp_path / name)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["vgg19_quarter", "vgg19", "squeezenet1_1"])
def test_weights_without_a_name_are_not_the_pretrained_ones(name):
    with pytest.raises(WeightsError, match="empty name"):
        load_network(name, weights="")


def wrapped(state, style):
    """A state dict as programs save it."""
    if style == "lightning":
        state = {f"model.{key}": value for key, value in state.items()}
        return {"epoch": 3, "state_dict": state, "optimizer_states": [{}]}
    if style == "parallel features":
        return {f"features.module.{key.removeprefix('features.')}": v for key, v in state.items()}
    prefix = {"parallel": "module.", "compiled": "_orig_mod.", "both": "_orig_mod.module.",
              "kit": "layers."}  # fmt: skip
    return {f"{prefix[style]}{key}": value for key, value in state.items()}


@pytest.mark.parametrize(
    "style", ["parallel", "compiled", "both", "kit", "lightning", "parallel features"]
)
@pytest.mark.parametrize("numbered", [False, True])
def test_wrapped_weights_are_found(tmp_path, style, numbered):
    network, state = small_state()
    if numbered:
        state = {
            f"features.{VGG19[key.split('.')[0]]}.{key.split('.')[1]}": value
            for key, value in state.items()
        }
    torch.save(wrapped(state, style), tmp_path / "w.PTH")
    fresh, _ = small_state()
    checkpoints.fit_weights(fresh.layers, weights_files.read_weights(tmp_path / "w.PTH"), "it")
    for key, value in network.state_dict().items():
        assert torch.equal(fresh.state_dict()[key], value)


@pytest.mark.parametrize("style", ["parallel", "compiled", "lightning", "kit"])
def test_wrapped_weights_of_other_networks(tmp_path, style):
    ours = load_network("squeezenet1_1", weights="random")
    state = ours.state_dict() if style == "kit" else ours.model.state_dict()
    torch.save(state if style == "kit" else wrapped(state, style), tmp_path / "w.pt")
    again = load_network("squeezenet1_1", weights=tmp_path / "w.pt")
    image = torch.rand(1, 3, 64, 64)
    layer = ours.layer_names[4]
    assert torch.equal(ours(image, [layer])[layer], again(image, [layer])[layer])


@pytest.mark.parametrize(
    "around",
    [
        lambda state: {"generator": state, "optimizer": {"state": {0: {"step": torch.ones(1)}}}},
        lambda state: {"ema_state_dict": state, "epoch": 3},
        lambda state: {"checkpoint": {"my_net": {"state_dict": state}}},
        lambda state: state | {"epoch": 3, "name": None, "metric.loss": torch.ones(1)},
        lambda state: {f"student.net.{key}": value for key, value in state.items()},
        lambda state: {f"_fsdp_wrapped_module.{key}": value for key, value in state.items()},
        lambda state: {
            f"slice{1 + int(key.split('.')[0]) // 7}.{key}": value for key, value in state.items()
        },
        lambda state: {key: value.double() for key, value in state.items()},
    ],
)
def test_weights_are_found_whatever_is_around_them(tmp_path, around):
    network, state = small_state()
    state = {
        f"{VGG19[key.split('.')[0]]}.{key.split('.')[1]}": value for key, value in state.items()
    }
    torch.save(around(state), tmp_path / "w.safetensors")  # a suffix says nothing
    fresh, _ = small_state()
    found = weights_files.read_weights(tmp_path / "w.safetensors")
    checkpoints.fit_weights(fresh.layers, found, "it")
    for key, value in network.state_dict().items():
        assert torch.equal(fresh.state_dict()[key], value)


def test_weights_that_could_be_one_or_another_are_refused(tmp_path):
    _, state = small_state()
    torch.save({"student": state, "teacher": state}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"several networks \(student, teacher\)"):
        load_network("vgg19", weights=tmp_path / "w.pt")
    both = {f"{name}.{key}": value for name in "ab" for key, value in state.items()}
    torch.save(both, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"or of several: it has a\.conv1_1 and b\.conv1_1"):
        load_network("vgg19", weights=tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value.to(torch.complex64), "no plain numbers"),
        (lambda value: value.to_sparse(), "no plain numbers"),
        (lambda value: value.to("meta"), "no plain numbers"),
        (lambda value: value.double() + 1e300, "NaN or infinity"),
        (lambda value: (value * 100).to(torch.int8), r"torch\.int8 where"),
        (lambda value: value[:1].clone(), r"has shape \(1, .* is needed"),
    ],
)
def test_numbers_that_are_no_weights(tmp_path, change, words):
    model = load_network("squeezenet1_1", weights="random").model
    state = {key: change(value) for key, value in model.state_dict().items()}
    torch.save({"net": state}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=words):
        load_network("squeezenet1_1", weights=tmp_path / "w.pt")


def test_other_files_are_named_for_what_they_are(tmp_path):
    torch.save({"model": {}, "args": argparse.Namespace(rate=1)}, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match=r"other objects \(argparse\.Namespace\)"):
        load_network("vgg19", weights=tmp_path / "w.pt")
    for content in (b"Not found", b"%PDF-1.4", b"GGUF" + bytes(40), b"\x80"):
        (tmp_path / "w.pt").write_bytes(content)
        with pytest.raises(WeightsError, match="damaged, or holds something else"):
            load_network("vgg19", weights=tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("w.pt", b"weights")
    with pytest.raises(WeightsError, match="archive"):
        load_network("vgg19", weights=tmp_path / "w.zip")
    with pytest.raises(WeightsError, match="download it"):
        load_network("vgg19", weights="https://example.org/w.pt")
    batch = load_network("resnet18", weights="random").model.state_dict()
    torch.save(batch, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="another network, with batch normalisation"):
        load_network("vgg19", weights=tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.SafeTensors", "w.pth", "w", "w.bin"])
def test_a_file_is_known_by_its_content(tmp_path, name, monkeypatch):
    _, state = small_state()
    monkeypatch.setenv("HOME", str(tmp_path))
    save_file(state, tmp_path / name)
    assert weights_files.read_weights(f"~/{name}").keys() == state.keys()
    torch.save(state, tmp_path / name)
    assert weights_files.read_weights(tmp_path / name).keys() == state.keys()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"\n\n<html>", "web page"),
        (b"\x89HDF\r\n\x1a\n" + bytes(30), "Keras"),
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer"),
        (b'{"conv1_1.weight": 3}', "JSON"),
        (b"", "damaged"),
    ],
)
def test_other_files_are_named(tmp_path, content, words):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=words) as caught:
        load_network("vgg19", weights=tmp_path / "w.pth")
    assert str(tmp_path / "w.pth") in str(caught.value)


def test_programs_are_named_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1_1.weight": Bomb()}, "bomb.pth")
    torch.save(make_layers(cfgs["A"]), "model.pth")
    torch.jit.script(torch.nn.Linear(2, 2)).save("script.pt")
    for name, words in {"bomb": "code, which is not run", "model": "whole model"}.items():
        with pytest.raises(WeightsError, match=words):
            load_network("vgg19", weights=f"{name}.pth")
    with pytest.raises(WeightsError, match="TorchScript program, which is not run"):
        load_network("vgg19", weights="script.pt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_numbers_are_refused(tmp_path, value):
    _, state = small_state()
    state["conv3_1.weight"][1, 0, 2, 2] = value
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"NaN or infinity in conv3_1\.weight"):
        weights_files.read_weights(tmp_path / "w.safetensors")


def test_a_small_file_of_huge_or_sparse_weights(tmp_path, recwarn):
    """One number may be repeated; nothing of that size is made, and no library warns of it."""
    for value in (torch.zeros(1).expand(10**6, 10**6), torch.zeros(2, 2).to_sparse()):
        torch.save({"conv1_1.weight": value}, tmp_path / "w.pt")
        with pytest.raises(WeightsError, match="no plain numbers in conv1_1"):
            weights_files.read_weights(tmp_path / "w.pt")
    assert not [warning for warning in recwarn if "parse" in str(warning.message)]


@pytest.mark.parametrize(
    "weights", [{"a": 1}, 3, torch.zeros(2), "a\0b.pth", "~no-such-user-here/w.pth", "."]
)
def test_weights_that_are_no_path(weights):
    with pytest.raises(WeightsError) as caught:
        load_network("vgg19", weights=weights)
    assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError):
        load_network("squeezenet1_1", weights=weights)


def test_one_bit_of_a_weights_file(tmp_path):
    """The zip that torch writes has a sum for each part, which torch does not look at."""
    _, state = small_state()
    path = tmp_path / "w.pth"
    torch.save(state, path)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 60):
        data = bytearray(whole)
        data[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        try:
            found = weights_files.read_weights(path)
        except WeightsError:
            continue
        assert found.keys() == state.keys()  # a bit of no weight: a date, a padding
        assert all(torch.equal(found[key], state[key]) for key in state)


def caffe_state(scale=1.0):
    """VGG-19's weights as caffe would have them, the first filters as strong as the published."""
    _, state = small_state((64, 2, 2, 2, 2))
    state["conv1_1.weight"] *= 0.0035 * scale / state["conv1_1.weight"].square().mean().sqrt()
    return state


@torch.no_grad()
def test_weights_for_bgr_up_to_255_are_refused_or_converted(tmp_path, monkeypatch):
    architecture = Architecture(ARCHITECTURES["vgg19"].convolutions, (64, 2, 2, 2, 2))
    monkeypatch.setitem(nst.networks.ARCHITECTURES, "vgg19", architecture)
    state = caffe_state()
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"blue, green, red from 0 to 255.* as 'caffe:/"):
        load_network("vgg19", weights=tmp_path / "w.safetensors")
    network = load_network("vgg19", weights=f"caffe:{tmp_path / 'w.safetensors'}")
    assert network.settings["weights"] == f"caffe:{tmp_path / 'w.safetensors'}"
    image = torch.rand(1, 3, 24, 32)
    mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = torch.nn.functional.conv2d(
        image.flip(1) * 255 - mean, state["conv1_1.weight"], state["conv1_1.bias"]
    )
    found = network(image, ["conv1_1"])["conv1_1"][..., 1:-1, 1:-1]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_filters_for_255_are_recognised():
    """By their strength, or as those of the published VGG-19 up to the order of colours."""
    generator = torch.Generator().manual_seed(0)
    filters = torch.randn(64, 3, 3, 3, generator=generator)
    for strength in (0.05, 0.2, 1, 10):
        assert not checkpoints.takes_255(filters * strength)
    assert checkpoints.takes_255(filters * 0.005)
    norms = filters.flatten(1).norm(dim=1)
    wanted = norms.clone()
    wanted[: len(checkpoints.PUBLISHED)] = torch.tensor(checkpoints.PUBLISHED)
    wanted[len(checkpoints.PUBLISHED) :] *= (
        (64 - wanted[: len(checkpoints.PUBLISHED)].square().sum()) / wanted[8:].square().sum()
    ).sqrt()
    published = filters * (wanted / norms).view(-1, 1, 1, 1) * 0.191 * 27**0.5
    assert checkpoints.takes_255(published)
    assert checkpoints.takes_255(published.flip(1))
    assert not checkpoints.takes_255(published * 57)  # as the teacher has it, for normalised RGB


def test_weights_of_another_network_are_refused(tmp_path, vgg19_file):
    with pytest.raises(WeightsError, match="of another network"):
        load_network("vgg16", weights=vgg19_file)
    with pytest.raises(WeightsError, match="of another network"):
        load_network("vgg19_quarter", weights=vgg19_file)
    _, state = small_state()
    fresh, _ = small_state((3, 3, 3, 3, 3))
    with pytest.raises(WeightsError, match=r"conv1_1.weight has shape \(2, 3, 3, 3\)"):
        checkpoints.fit_weights(fresh.layers, state, "it")
    del state["conv5_4.bias"]
    fresh, _ = small_state()
    with pytest.raises(WeightsError, match=r"conv5_4.bias is missing"):
        checkpoints.fit_weights(fresh.layers, state, "it")
    with pytest.raises(WeightsError, match="batch normalisation"):
        checkpoints.fit_weights(fresh.layers, {"features.1.running_mean": torch.ones(1)}, "it")
    with pytest.raises(WeightsError, match="of another network than SqueezeNet"):
        load_network("squeezenet1_1", weights=vgg19_file)


def test_the_cache_comes_before_the_download(monkeypatch, vgg19_file):
    folder = checkpoints.cache_folder()
    folder.mkdir(parents=True)
    (folder / "vgg19-dcbb9e9d.pth").symlink_to(vgg19_file)
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("fetched"))
    assert nst.load_network("vgg19").settings["weights"] is None


def test_without_a_network_the_error_says_what_to_do(monkeypatch):
    def fail(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(WeightsError) as caught:
        load_network("vgg19")
    for part in ("vgg19-dcbb9e9d.pth", str(checkpoints.cache_folder()), "vgg19_quarter"):
        assert part in str(caught.value)


def test_a_download_is_checked_and_whole(tmp_path, monkeypatch, download):
    """A real download, from a server on this machine."""
    content = b"pretend weights"
    good = hashlib.sha256(content).hexdigest()[:8]
    for digest in (good, "00000000"):
        (tmp_path / f"net-{digest}.pth").write_bytes(content)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *_):
            pass

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(WeightsError, match="could not be downloaded"):
            checkpoints.pretrained_weights(SimpleNamespace(url=f"{base}/net-00000000.pth"))
        assert list(checkpoints.cache_folder().iterdir()) == []
        path = checkpoints.pretrained_weights(SimpleNamespace(url=f"{base}/net-{good}.pth"))
        assert path.read_bytes() == content
        server.shutdown()
