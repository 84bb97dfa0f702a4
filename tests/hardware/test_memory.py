"""The memory limit: what it reads, what it chooses, and what it leaves as it is."""

import pytest
import torch

import nst
from nst import SettingsError, load_network, make_settings, style_transfer
from nst.cli import main
from nst.hardware.memory import (
    GPU_PASSING,
    PASSING,
    bytes_per_pixel,
    gpu_bytes_per_pixel,
    gpu_room,
    parse_bytes,
    plan,
    plan_for_gpu,
)
from nst.networks import ARCHITECTURES, VGG

STANDARD = [f"relu{b}_1" for b in range(1, 6)]
LARGE = {"shape": (3072, 4096), "styles": [3072 * 4096], "stored": 2 * 3072 * 4096}


@pytest.fixture(scope="module")
def vgg19():
    """Its shapes are enough."""
    with torch.device("meta"):
        return VGG(ARCHITECTURES["vgg19"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [(123, 123), ("123", 123), ("8GB", 8e9), ("8 gb", 8e9), ("1.5MiB", 1.5 * 2**20), (None, None)],
)
def test_limits_are_read(text, expected):
    assert parse_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "8 bananas", "-1", -1, "1e9", 0.5, True, "nan"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(SettingsError, match="a memory limit is bytes"):
        parse_bytes(text)


@pytest.mark.parametrize("padding", ["zeros", "replicate", "reflect"])
@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("layers", [STANDARD, ["conv1_1", "relu1_2", "conv2_2"], ["pool3"]])
def test_the_estimate_is_what_autograd_keeps(padding, pooling, layers):
    """Every storage that is saved for the way back, counted once."""
    network = load_network("vgg19_quarter", pooling=pooling, padding=padding)
    side, kept = 256, {}

    def pack(tensor):
        if not isinstance(tensor, torch.nn.Parameter) and tensor.numel() > 1000:
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    image = torch.rand(1, 3, side, side, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        features = network(image, layers)
        for feature in features.values():
            pack(feature)
    parameters = {parameter.data_ptr() for parameter in network.parameters()}
    total = sum(size for pointer, size in kept.items() if pointer not in parameters) / side**2
    passing = 4 * PASSING * 16  # at most: the first block's activations
    assert total <= 1.02 * bytes_per_pixel(network, layers) < 1.02 * (total + passing)


class Places(torch.autograd.Function):
    """Max pooling as a GPU keeps it: a byte for each result."""

    @staticmethod
    def forward(ctx, x):
        y = torch.nn.functional.max_pool2d(x, 2)
        ctx.save_for_backward(torch.zeros_like(y, dtype=torch.uint8))
        return y


@pytest.mark.parametrize("layers", [STANDARD, ["conv1_1", "relu1_2", "conv2_2"], ["pool3"]])
def test_the_estimate_for_a_gpu_is_what_its_ways_keep(layers, monkeypatch):
    network, side, kept = load_network("vgg19_quarter"), 256, {}

    def pack(tensor):
        if not isinstance(tensor, torch.nn.Parameter) and tensor.numel() > 1000:
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    def fused(x, weight, bias, stride, padding, dilation, groups):
        return torch.nn.functional.conv2d(x, weight, bias, padding=padding).relu()

    monkeypatch.setattr(torch, "cudnn_convolution_relu", fused)
    monkeypatch.setattr("nst.kernels.layers.max_pool", Places.apply)
    image = torch.rand(1, 3, side, side, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda tensor: True))
        features = network(image, layers)
        for feature in features.values():
            pack(feature)
    parameters = {parameter.data_ptr() for parameter in network.parameters()}
    total = sum(size for pointer, size in kept.items() if pointer not in parameters) / side**2
    estimate = gpu_bytes_per_pixel(network, layers)
    assert total <= 1.02 * estimate < 1.02 * (total + 4 * GPU_PASSING * 16)
    network.precision = "bfloat16"
    assert gpu_bytes_per_pixel(network, layers) < 0.6 * estimate


def test_a_gpu_is_planned_for_by_what_is_free(vgg19, monkeypatch):
    """Weights and pictures lie there already, and are not paid for twice."""
    monkeypatch.setattr(torch.Tensor, "is_cuda", property(lambda tensor: True))
    settings, stored = make_settings(), LARGE["stored"] * 12
    there = stored + sum(parameter.nbytes for parameter in vgg19.parameters())

    def planned(room, limit=None):
        monkeypatch.setattr("nst.hardware.memory.gpu_room", lambda device, limit: room)
        return plan_for_gpu(limit, vgg19, settings, **LARGE)

    assert planned(70 * 10**9) == (None, settings.history)
    tight = planned(11 * 10**9)
    assert tight == plan(11 * 10**9 + there, vgg19, settings, **LARGE)
    assert tight.tile >= 500
    assert 3 <= tight.history <= settings.history
    assert planned(10**9) == (80, 3)
    with pytest.raises(SettingsError, match=r"do not fit into 2\.00 GB"):
        planned(10**9, limit=2 * 10**9)
    other = load_network("squeezenet1_1", weights="random")
    monkeypatch.setattr("nst.hardware.memory.gpu_room", lambda device, limit: 10**9)
    assert plan_for_gpu(None, other, settings, **LARGE) == (None, settings.history)


@pytest.mark.parametrize(
    ("limit", "share", "room"),
    [(None, 1.0, 0.9 * 12), (None, 0.95, 0.9 * 5), (135, 1.0, 0.9 * 7), (120, 1.0, -0.9 * 8)],
)
def test_what_a_process_holds_itself_is_not_what_a_gpu_has_left(limit, share, room, monkeypatch):
    """Of 140 GB 127 are its own tensors, 1 lies between them, 3 are reserved, and 9 are free."""
    gigabytes = {"memory_allocated": 127, "memory_reserved": 131}

    def empty():
        gigabytes["memory_reserved"] = 128

    def memory(device):
        return (140 - gigabytes["memory_reserved"]) * 10**9, 140 * 10**9

    for name in gigabytes:
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name: gigabytes[name] * 10**9)
    monkeypatch.setattr(torch.cuda, "empty_cache", empty)
    monkeypatch.setattr(torch.cuda, "mem_get_info", memory)
    monkeypatch.setattr("nst.hardware.memory.gpu_share", lambda device: share)
    found = gpu_room(torch.device("cuda", 0), limit and limit * 10**9)
    assert found == pytest.approx(room * 10**9)


def test_more_memory_gives_larger_tiles_and_more_history_until_all_fits(vgg19):
    settings = make_settings(history=30)
    plans = [plan(limit * 10**9, vgg19, settings, **LARGE) for limit in (6, 8, 12, 16, 24, 32, 64)]
    tiles = [found.tile or 10**9 for found in plans]
    assert tiles == sorted(tiles)
    assert [found.history for found in plans] == sorted(found.history for found in plans)
    assert 3 <= plans[0].history < plans[-1].history == 30
    assert plans[1].tile >= 1000
    assert plans[-1].tile is None


def test_a_small_picture_is_left_as_it_is(vgg19):
    small = {"shape": (512, 384), "styles": [512 * 384], "stored": 2 * 512 * 384}
    assert plan(4 * 10**9, vgg19, make_settings(), **small) == (None, make_settings().history)
    assert plan(4 * 10**9, vgg19, make_settings(optimizer="adam"), **small)[0] is None


def test_a_limit_too_small_says_what_would_do(vgg19):
    with pytest.raises(SettingsError, match="4096×3072 pixels need a memory limit of") as caught:
        plan(3 * 10**9, vgg19, make_settings(), **LARGE)
    needed = str(caught.value).split("limit of ")[1].split(",")[0]
    plan(parse_bytes(needed), vgg19, make_settings(), **LARGE)
    with pytest.raises(SettingsError):
        plan(parse_bytes(needed) - 2 * 10**7, vgg19, make_settings(), **LARGE)


@pytest.fixture
def no_overhead(monkeypatch):
    """Without what Python takes, limits for small pictures can be written down."""
    monkeypatch.setattr("nst.hardware.memory.PROCESS", 0)


def enlarged(image):
    return nst.images.resize(image, (256, 320))


def test_a_limit_changes_nothing_but_the_memory(picture, other, no_overhead, monkeypatch, capsys):
    sizes = []
    walk = VGG.walk
    monkeypatch.setattr(
        VGG, "walk", lambda self, x, layers: sizes.append(x.shape) or walk(self, x, layers)
    )
    pictures = enlarged(picture), enlarged(other)
    options = {"sizes": 320, "num_steps": 2, "progress": False, "history": 3}
    options |= {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu3_1"]}
    options |= {"optimizer": "lbfgs-plain"}  # the other blows up the last digit sooner
    whole = style_transfer(*pictures, **options)
    assert max(shape.numel() for shape in sizes) == whole.image.numel()
    sizes.clear()
    limited = style_transfer(*pictures, memory_limit="45MB", **options)
    assert max(shape.numel() for shape in sizes) < whole.image.numel() / 1.5
    torch.testing.assert_close(limited.image, whole.image, rtol=0, atol=1e-3)
    assert limited.settings == whole.settings
    assert capsys.readouterr().err == ""


def test_a_shorter_history_is_said(picture, other, no_overhead, capsys):
    options = {"sizes": 320, "num_steps": 40, "progress": False, "memory_limit": "65MB"}
    options |= {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"]}
    options |= {"callback": lambda step: step.number == 1}  # stops there
    result = style_transfer(enlarged(picture), enlarged(other), **options)
    assert "at 320 pixels, L-BFGS has memory for its last" in capsys.readouterr().err
    assert result.settings.history == make_settings().history
    (group,) = result.checkpoint["state"]["optimizer"]["param_groups"]
    assert 3 <= group["history"] < make_settings().history
    style_transfer(enlarged(picture), enlarged(other), **options | {"optimizer": "adam"})
    assert capsys.readouterr().err == ""


def test_no_more_steps_are_remembered_than_are_made(picture, other, no_overhead, capsys):
    """Which leaves their memory to the tiles; a run that goes on has room for more."""
    options = {"sizes": 40, "progress": False}
    short = style_transfer(picture, other, num_steps=2, **options)
    (group,) = short.checkpoint["state"]["optimizer"]["param_groups"]
    assert group["history"] == 2
    whole = style_transfer(picture, other, num_steps=7, **options)
    torch.testing.assert_close(nst.resume(short, 7, progress=False).image, whole.image)
    options = {"sizes": 320, "num_steps": 2, "progress": False, "memory_limit": "80MB"}
    options |= {"content_layers": ["relu2_1"], "style_layers": ["relu1_1", "relu2_1"]}
    style_transfer(enlarged(picture), enlarged(other), **options)
    assert capsys.readouterr().err == ""  # nothing was given up


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"memory_limit": "1KB"}, "need a memory limit of"),
        ({"memory_limit": "8 bananas"}, "a memory limit is bytes"),
        ({"memory_limit": "8GB", "network": "squeezenet1_1", "weights": "random"}, "only VGGs"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused_before_the_run(picture, other, options, words):
    with pytest.raises(SettingsError, match=words):
        style_transfer(picture, other, sizes=56, num_steps=1, progress=False, **options)


def test_all_calls_and_the_command_line_take_a_limit(quarter, picture, other, tmp_path, capsys):
    options = {"num_steps": 1, "progress": False, "memory_limit": "4GB"}
    result = nst.reconstruct_content(quarter, picture, "relu1_1", **options)
    nst.synthesize_texture(quarter, other, ["relu1_1"], **options)
    result.save(tmp_path / "run")
    assert nst.resume(tmp_path / "run", **options).reason == "finished"
    with pytest.raises(SettingsError, match="need a memory limit"):
        nst.resume(tmp_path / "run", memory_limit=10**6)
    nst.save_image(picture, tmp_path / "a.png")
    arguments = [str(tmp_path / "a.png")] * 2 + ["-o", str(tmp_path / "b.png"), "--steps", "1"]
    assert main([*arguments, "--memory-limit", "4GB"]) == 0
    assert main([*arguments, "--memory-limit", "much"]) == 2
    assert "a memory limit is bytes" in capsys.readouterr().err
