"""Pictures in and out, against oracles that share no code with nst.images."""

import http.server
import json
import os
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from nst import images
from nst.errors import ImageError, NstError, SettingsError, WeightsError
from nst.files import colours, decoding, downloads, write_atomically, write_json
from nst.images import (
    check_output,
    fit,
    load_image,
    open_image,
    postprocess_image,
    preprocess_image,
    read_settings,
    resize,
    sample_names,
    save_image,
)

HALF_STEP = 1 / 255 / 2 + 1e-6


def noise(height=12, width=20, channels=3, seed=0):
    shape = (height, width, channels) if channels else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height=48, width=32):
    """Bright red top left, blue bottom, soft enough to survive JPEG within a few levels."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * (1 - x / width) * (1 - y / height), 60 + 0 * x, 255 * y / height]
    return np.stack(channels, axis=2).astype(np.uint8)


def pixels(tensor):
    """(1, 3, H, W) in [0, 1] -> (H, W, 3) in 0..255, unrounded."""
    return tensor[0].numpy().transpose(1, 2, 0) * 255.0


def on_white(rgb, alpha):
    share = alpha[..., None] / 255
    return rgb * share + 255 * (1 - share)


def saved(image, path, **options):
    image.save(path, **options)
    return path


# Tensors and PIL images


def test_preprocess_gives_a_contiguous_float_tensor_in_rgb_order():
    array = noise(5, 7)
    tensor = preprocess_image(Image.fromarray(array))
    assert tensor.shape == (1, 3, 5, 7)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    np.testing.assert_allclose(tensor[0, 1].numpy(), array[..., 1] / 255, atol=1e-7)
    np.testing.assert_allclose(pixels(tensor), array, atol=1e-4)


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_preprocess_takes_every_mode(mode):
    image = Image.new("RGB", (3, 2), "white").convert(mode)
    assert torch.equal(preprocess_image(image), torch.ones(1, 3, 2, 3))


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (40, 80, 20, (10, 20)),
        (80, 40, 20, (20, 10)),
        (30, 20, 64, (30, 20)),
        (30, 20, 30, (30, 20)),
        (1, 90, 9, (1, 9)),
        (33, 100, 50, (16, 50)),
        (7, 9, 1, (1, 1)),
    ],
)
def test_size_bounds_the_long_side(height, width, size, expected):
    tensor = load_image(np.zeros((height, width), np.uint8), size)
    assert tensor.shape[2:] == expected
    assert tensor.is_contiguous()


def test_shrinking_is_antialiased():
    board = np.indices((128, 128)).sum(axis=0) % 2 == 0
    tensor = load_image(board, 32)
    assert (tensor[..., 2:-2, 2:-2] - 0.5).abs().max() < 0.01
    assert (tensor - 0.5).abs().max() < 0.1


def lanczos(n, m):
    """The (m, n) matrix that shrinks n samples to m: sinc(x) sinc(x / 3), stretched by n / m."""
    x = np.arange(n)[None] + 0.5 - (np.arange(m)[:, None] + 0.5) * n / m
    x *= m / n
    weights = np.where(abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)
    return weights / weights.sum(axis=1, keepdims=True)


def test_shrinking_is_lanczos():
    array = noise(40, 60) // 2 + 64  # far from black and white, where overshoots are cut off
    expected = np.einsum("yh,hwc,xw->yxc", lanczos(40, 16), array, lanczos(60, 24))
    np.testing.assert_allclose(pixels(load_image(array, 24)), expected, atol=1.5)


@pytest.mark.parametrize("size", [0, -3, 0.5])
def test_size_below_one_is_refused(size):
    with pytest.raises(ImageError, match=f"at least 1, not {size}"):
        load_image(noise(), size)


def test_device():
    assert load_image(noise(), device="meta").device.type == "meta"
    assert load_image(noise(), 8, torch.device("meta")).shape == (1, 3, 5, 8)


def test_postprocess_clamps_and_rounds_to_nearest():
    levels = torch.tensor([-0.5, 0.0, 1.4 / 255, 1.6 / 255, 254.6 / 255, 1.0, 2.0, float("inf")])
    image = postprocess_image(levels.expand(1, 3, 1, 8))
    assert image.mode == "RGB"
    assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 2, 255, 255, 255, 255]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_postprocess_takes_three_dimensions_gradients_and_other_floats(dtype):
    tensor = torch.rand(3, 4, 6).round().to(dtype).requires_grad_()
    array = np.asarray(postprocess_image(tensor))
    assert array.shape == (4, 6, 3)
    np.testing.assert_array_equal(array / 255, tensor.detach().float().permute(1, 2, 0).numpy())


def test_pil_images_survive_the_round_trip():
    array = noise()
    result = postprocess_image(preprocess_image(Image.fromarray(array)))
    np.testing.assert_array_equal(np.asarray(result), array)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.rand(2, 3, 4, 4), "one by one"),
        (torch.rand(1, 4, 4, 4), r"not \(1, 4, 4, 4\)"),
        (torch.rand(4, 4), "shape"),
        (torch.rand(4, 4, 3), "shape"),
        (torch.rand(1, 3, 0, 4), "shape"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), "divide it by 255"),
        (torch.full((1, 3, 4, 4), torch.nan), "NaN"),
    ],
)
def test_postprocess_refuses_what_is_no_image(tensor, message):
    with pytest.raises(ImageError, match=message):
        postprocess_image(tensor)


def cubic(n, m):
    """The (m, n) matrix that resizes n samples to m by Keys' cubic, stretched when shrinking."""
    x = (np.arange(n)[None] + 0.5 - (np.arange(m)[:, None] + 0.5) * n / m) / max(n / m, 1)
    x = abs(x)
    inner, outer = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x < 1, inner, np.where(x < 2, outer, 0))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("shape", [(16, 24), (80, 90), (20, 90), (40, 30)])
def test_resize_is_antialiased_bicubic(shape):
    image = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(0)) / 2 + 0.25
    result = resize(image, shape)
    assert result.is_contiguous()
    expected = cubic(40, shape[0]) @ image.numpy() @ cubic(60, shape[1]).T
    np.testing.assert_allclose(result.numpy(), expected.clip(0, 1), atol=1e-5)


def test_resize_stays_in_range_and_copies():
    steps = (torch.arange(24) // 12).float().repeat(1, 3, 24, 1)
    assert resize(steps, (48, 48)).aminmax() == (0, 1)  # a cubic overshoots
    same = resize(steps, torch.Size([24, 24]))
    assert torch.equal(same, steps)
    assert same.data_ptr() != steps.data_ptr()


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (40, 80, 20, (10, 20)),
        (80, 40, 20, (20, 10)),
        (30, 20, 64, (30, 20)),
        (1, 90, 9, (1, 9)),
        (33, 100, 50, (16, 50)),
    ],
)
def test_fit_agrees_with_the_size_of_loaded_pictures(height, width, size, expected):
    assert fit(torch.rand(1, 3, height, width), size).shape[2:] == expected
    assert load_image(np.zeros((height, width), np.uint8), size).shape[2:] == expected


# Sources


@pytest.mark.parametrize("kind", [str, Path])
def test_paths(tmp_path, kind):
    array = noise()
    path = saved(Image.fromarray(array), tmp_path / "a b ü.png")
    np.testing.assert_allclose(pixels(load_image(kind(path))), array, atol=1e-4)


def test_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save_image(torch.zeros(1, 3, 2, 2), "~/a.png", {"a": 1})
    assert (tmp_path / "a.png").is_file()
    assert load_image("~/a.png").shape == (1, 3, 2, 2)
    assert read_settings("~/a.png") == {"a": 1}


def test_pil_images_are_left_alone():
    image = Image.fromarray(noise(channels=4))
    image.info["icc_profile"] = b"broken"
    before = image.tobytes()
    assert open_image(image) is not image
    assert (image.mode, image.tobytes(), image.info) == ("RGBA", before, {"icc_profile": b"broken"})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_arrays(dtype, channels):
    shares = noise(channels=channels) / 255
    white = {np.uint8: 255, np.uint16: 65535}.get(dtype, 1)
    array = (shares.round() if dtype is bool else shares * white).astype(dtype)
    shares = array.astype(np.float64) / white
    if shares.ndim == 2:
        shares = shares[..., None]
    if channels == 4:
        shares = shares[..., :3] * shares[..., 3:] + 1 - shares[..., 3:]
    expected = np.broadcast_to(shares, (12, 20, 3))
    tensor = load_image(array)
    assert tensor.is_contiguous()
    tolerance = HALF_STEP * (3 if channels == 4 else 1)  # alpha and colour are both quantised
    np.testing.assert_allclose(pixels(tensor) / 255, expected, atol=tolerance)


def test_sixteen_bits_span_black_to_white():
    ramp = np.array([[0, 128, 257, 32768, 65407, 65535]], np.uint16)
    assert pixels(load_image(ramp))[0, :, 0].round().tolist() == [0, 0, 1, 128, 255, 255]
    big_endian = ramp.astype(">u2")
    assert torch.equal(load_image(big_endian), load_image(ramp))


def test_arrays_that_are_views():
    array = noise()[::-1, ::2].transpose(1, 0, 2)
    np.testing.assert_allclose(pixels(load_image(array)), array, atol=1e-4)


def test_floats_may_round_a_little_beyond_the_range():
    tensor = load_image(np.array([[-1e-7, 1 + 1e-7]]))
    assert tensor[0, 0].tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 8, 8), np.uint8), r"\(3, 8, 8\)"),
        (np.zeros((8, 8, 2), np.uint8), r"\(8, 8, 2\)"),
        (np.zeros(8, np.uint8), r"\(8,\)"),
        (np.zeros((1, 8, 8, 3), np.uint8), r"\(1, 8, 8, 3\)"),
        (np.zeros((0, 8, 3), np.uint8), r"\(0, 8, 3\)"),
        (np.zeros((8, 8), np.int64), "int64"),
        (np.zeros((8, 8), np.uint32), "uint32"),
        (np.zeros((8, 8), np.int8), "int8"),
        (np.zeros((8, 8), complex), "complex"),
        (np.zeros((8, 8), object), "object"),
        (np.full((8, 8), np.nan), r"scale them to \[0, 1\]"),
        (np.array([[0.5, np.nan]]), "nan"),
        (np.array([[0.5, np.inf]]), "inf"),
        (np.array([[0.5, 1.1]]), "from 0.5 to 1.1"),
        (np.array([[-0.1, 1.0]]), "from -0.1 to 1"),
    ],
)
def test_arrays_refused(array, message):
    with pytest.raises(ImageError, match=message) as caught:
        load_image(array)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", [None, 3, torch.rand(1, 3, 2, 2), [[0, 1]]])
def test_other_sources_refused(source):
    with pytest.raises(ImageError, match=f"not a {type(source).__name__}$"):
        load_image(source)


# Samples


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data folder with two styles."""
    folder = tmp_path / "data"
    (folder / "style").mkdir(parents=True)
    for name in ("waves", "dots"):
        Image.new("RGB", (6, 4), "red").save(folder / "style" / f"{name}.jpg")
    (folder / "style" / "README.md").touch()
    monkeypatch.setattr(images, "DATA", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_sample_names(data):
    names = sample_names()
    assert list(names) == ["content", "style"]
    assert names["style"] == ["dots", "waves"]
    assert {"astronaut", "cat", "coffee", "rocket", "hubble", "retina"} < set(names["content"])
    assert load_image("waves").shape == (1, 3, 4, 6)


@pytest.mark.parametrize("name", ["astronaut", "cat", "coffee", "rocket", "hubble", "retina"])
def test_photographs_open_in_colour(name, data):
    tensor = load_image(name, 64)
    assert max(tensor.shape) == 64
    assert (tensor[:, 0] - tensor[:, 2]).abs().max() > 0.1


@pytest.mark.parametrize("name", ["brick", "grass", "gravel"])
def test_textures_open_in_grey(name, data):
    tensor = load_image(name, 64)
    assert tensor.shape == (1, 3, 64, 64)
    assert torch.equal(tensor[:, 0], tensor[:, 2])
    assert tensor.std() > 0.05


def test_the_data_folder_of_the_checkout():
    assert images.DATA.name == "data"
    assert images.DATA.parent in (Path(images.__file__).parent, Path(images.__file__).parents[1])


def test_a_file_comes_before_a_sample(data):
    blue = Image.new("RGB", (2, 2), "blue")
    blue.save("astronaut", format="PNG")
    assert load_image("astronaut").shape == (1, 3, 2, 2)
    Path("cat").mkdir()
    assert load_image("cat", 32).shape == (1, 3, 21, 32)


def test_a_path_object_is_never_a_sample(data):
    with pytest.raises(ImageError, match="did you mean astronaut"):
        load_image(Path("astronaut"))


@pytest.mark.parametrize("name", ["astronaut", "waves", "no such name"])
def test_without_scikit_image(name, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert "astronaut" in sample_names()["content"]
    if name == "waves":
        assert load_image(name).shape == (1, 3, 4, 6)
    else:
        hint = "pip install scikit-image" if name == "astronaut" else "no file or sample"
        with pytest.raises(ImageError, match=hint):
            load_image(name)


def test_samples_are_found_without_importing_scikit_image(data, monkeypatch):
    for name in list(sys.modules):
        if name.partition(".")[0] == "skimage":
            monkeypatch.delitem(sys.modules, name)
    load_image("brick", 8)
    assert "skimage" not in sys.modules


def test_close_names_are_suggested(data):
    with pytest.raises(ImageError) as caught:
        load_image("astronuat")
    expected = "there is no file or sample picture 'astronuat'; did you mean astronaut?"
    assert str(caught.value) == expected
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(ImageError, match=r"did you mean waves\?"):
        load_image("wave.jpg")
    with pytest.raises(ImageError, match=r"samples: astronaut, cat, .*waves"):
        load_image("holiday/xyzzy.jpg")


# What files say about their pixels

TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
def test_exif_orientation(orientation, suffix, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(smooth()).save(path, exif=exif.tobytes(), **options.get(suffix, {}))
    np.testing.assert_allclose(pixels(load_image(path)), TURNED[orientation](smooth()), atol=6)
    with Image.open(path) as image:
        np.testing.assert_allclose(
            pixels(preprocess_image(image)), TURNED[orientation](smooth()), atol=6
        )


def test_broken_exif_is_ignored(tmp_path):
    path = saved(Image.fromarray(smooth()), tmp_path / "a.png", exif=b"Exif\0\0nonsense")
    assert load_image(path).shape == (1, 3, 48, 32)


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_rgba_lies_over_white(suffix, tmp_path):
    array = noise(16, 16, 4)
    array[:4, :, 3] = 0
    array[4:8, :, 3] = 255
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    path = saved(Image.fromarray(array), tmp_path / f"a.{suffix}", **options)
    result = pixels(load_image(path))
    np.testing.assert_allclose(result, on_white(array[..., :3], array[..., 3]), atol=0.6)
    assert (result[:4].round() == 255).all()
    np.testing.assert_array_equal(result[4:8].round(), array[4:8, :, :3])


def test_premultiplied_alpha():
    """RGBa holds colour x alpha: over white that is c + (1 - alpha), whatever the rounding."""
    array = noise(16, 16, 4)
    array[..., 3] |= 0x80
    image = Image.fromarray(array).convert("RGBa")
    stored = np.asarray(image).astype(float)
    expected = stored[..., :3] + 255 - stored[..., 3:]
    np.testing.assert_allclose(pixels(preprocess_image(image)), expected, atol=1.6)


def test_grey_with_alpha(tmp_path):
    array = noise(16, 16, 2)
    path = saved(Image.fromarray(array, "LA"), tmp_path / "a.png")
    expected = on_white(np.repeat(array[..., :1], 3, axis=2), array[..., 1])
    np.testing.assert_allclose(pixels(load_image(path)), expected, atol=0.6)


@pytest.mark.parametrize("suffix", ["png", "gif"])
@pytest.mark.parametrize("levels", [1, bytes([255, 128, 0])])
def test_palette_with_transparency(suffix, levels, tmp_path):
    colours = np.array([[200, 30, 0], [0, 100, 50], [9, 8, 7]], np.uint8)
    image = Image.new("P", (3, 1))
    image.putpalette(colours.tobytes())
    image.putdata([0, 1, 2])
    if suffix == "gif" and isinstance(levels, bytes):
        levels = 2  # a GIF has one transparent colour
    path = saved(image, tmp_path / f"a.{suffix}", transparency=levels)
    alpha = np.array([255, 255, 255])
    if isinstance(levels, bytes):
        alpha = np.array(list(levels))
    else:
        alpha[levels] = 0
    np.testing.assert_allclose(pixels(load_image(path))[0], on_white(colours, alpha), atol=0.6)


def test_palette_without_transparency(tmp_path):
    colours = np.array([[200, 30, 0], [0, 100, 50], [9, 8, 7]], np.uint8)
    image = Image.new("P", (3, 1))
    image.putpalette(colours.tobytes())
    image.putdata([2, 0, 1])
    path = saved(image, tmp_path / "a.png")
    np.testing.assert_allclose(pixels(load_image(path))[0], colours[[2, 0, 1]], atol=1e-4)


@pytest.mark.parametrize(("mode", "see_through"), [("RGB", (10, 20, 30)), ("L", 10)])
def test_one_transparent_colour(mode, see_through, tmp_path):
    image = Image.new(mode, (2, 1), see_through)
    image.putpixel((1, 0), (200, 0, 0) if mode == "RGB" else 200)
    path = saved(image, tmp_path / "a.png", transparency=see_through)
    second = [200, 0, 0] if mode == "RGB" else [200] * 3
    assert pixels(load_image(path))[0].round().tolist() == [[255] * 3, second]


def test_grey_and_black_and_white(tmp_path):
    grey = noise(channels=0)
    path = saved(Image.fromarray(grey), tmp_path / "grey.png")
    np.testing.assert_allclose(pixels(load_image(path)), np.stack([grey] * 3, 2), atol=1e-4)
    path = saved(Image.fromarray(grey > 127), tmp_path / "bits.png")
    np.testing.assert_array_equal(load_image(path)[0, 2].numpy(), grey > 127)


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
def test_cmyk(suffix, tmp_path):
    """Ink is the complement of light: cyan takes red away, black takes all."""
    inks = np.zeros((16, 64, 4), np.uint8)
    for block, ink in enumerate([(255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255)]):
        inks[:, 16 * block : 16 * block + 16] = ink
    options = {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    path = saved(Image.fromarray(inks, "CMYK"), tmp_path / f"a.{suffix}", **options)
    result = pixels(load_image(path))[8, 8::16]
    np.testing.assert_allclose(
        result, [[0, 255, 255], [255, 0, 255], [255, 255, 0], [0, 0, 0]], atol=3
    )


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bit_grey_files(suffix, tmp_path):
    array = np.linspace(0, 65535, 240).reshape(12, 20).astype(np.uint16)
    path = saved(Image.fromarray(array), tmp_path / f"a.{suffix}")
    with Image.open(path) as image:
        assert image.mode == "I;16"
    result = load_image(path)[0].numpy()
    np.testing.assert_allclose(result, np.stack([array / 65535] * 3), atol=HALF_STEP)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
def test_deep_grey_images(mode):
    array = np.linspace(0, 65535, 240).reshape(12, 20)
    dtype = {"I;16": "<u2", "I;16B": ">u2", "I": np.int32, "F": np.float32}[mode]
    image = Image.fromarray((array / (65535 if mode == "F" else 1)).astype(dtype))
    assert image.mode == mode
    result = preprocess_image(image)[0, 0].numpy()
    np.testing.assert_allclose(result, array / 65535, atol=HALF_STEP + 1e-5)


@pytest.mark.parametrize("value", [-70000, 70000])
def test_deep_grey_out_of_range_is_refused(value):
    with pytest.raises(ImageError, match="the image has values"):
        preprocess_image(Image.new("I", (2, 2), value))
    with pytest.raises(ImageError, match="the image has values"):
        preprocess_image(Image.new("F", (2, 2), value))


def test_lab_is_converted_or_refused():
    """Newer Pillows convert L*a*b*, older ones do not."""
    red = Image.new("LAB", (1, 1), (136, 208, 195))
    try:
        result = pixels(preprocess_image(red))[0, 0]
    except ImageError as error:
        assert "mode LAB; save it as RGB" in str(error)
    else:
        np.testing.assert_allclose(result, [255, 0, 0], atol=16)


def test_modes_without_a_conversion_are_refused(monkeypatch):
    def unsupported(*_):
        raise ValueError("conversion not supported")

    monkeypatch.setattr(Image.Image, "convert", unsupported)
    with pytest.raises(ImageError, match="the image has colours of mode HSV; save it as RGB"):
        preprocess_image(Image.new("HSV", (1, 1)))


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_first_frame_of_an_animation(suffix, tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    frames = [Image.new("RGB", (8, 6), colour) for colour in colours]
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    with Image.open(path) as image:
        assert image.n_frames == 3
    np.testing.assert_allclose(pixels(load_image(path)), np.full((6, 8, 3), colours[0]), atol=2)


# Colour profiles, made here byte by byte


def srgb_to_linear(v):
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(v):
    return np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


D50 = (0.9642, 1.0, 0.8249)
SRGB_PRIMARIES = {"r": (0.43607, 0.22249, 0.01392), "g": (0.38515, 0.71687, 0.09708)}
SRGB_PRIMARIES["b"] = (0.14307, 0.06061, 0.71410)


def icc_profile(space, tags, device=b"mntr", connection=b"XYZ "):
    """A version 2 profile: header, table of tags, tags."""
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"t\0" + bytes(78), **tags}
    tags = {**tags, b"wtpt": xyz(D50), b"cprt": b"text" + bytes(4) + b"none\0"}
    body, table = b"", struct.pack(">I", len(tags))
    for name, tag in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    header = struct.pack(">I", 132 + 12 * len(tags) + len(body))
    header += b"none" + bytes([2, 0x40, 0, 0]) + device + space + connection
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + xyz(D50)[8:]
    return header.ljust(128, b"\0") + table + body


def xyz(values):
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * v) for v in values))


def curve(function):
    samples = np.rint(function(np.linspace(0, 1, 1024)) * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", 1024) + samples.tobytes()


def rgb_profile(red, green, blue, function):
    tags = {}
    for name, primary in ((b"r", red), (b"g", green), (b"b", blue)):
        tags[name + b"XYZ"] = xyz(SRGB_PRIMARIES[primary])
        tags[name + b"TRC"] = curve(function)
    return icc_profile(b"RGB ", tags)


SWAPPED = rgb_profile("g", "r", "b", srgb_to_linear)
LINEAR = rgb_profile("r", "g", "b", lambda v: v)
LIGHT_GREY = icc_profile(b"GRAY", {b"kTRC": curve(lambda v: v**1.8)})


def cmyk_profile():
    """Only black counts, and in full: L* = 100 (1 - K), a* = b* = 0, at the 16 grid's corners."""
    corners = [(0 if corner & 1 else 255, 128, 128) for corner in range(16)]  # K varies fastest
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    table += struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table += bytes(range(256)) * 4 + bytes(np.array(corners, np.uint8)) + bytes(range(256)) * 3
    tags = dict.fromkeys((b"A2B0", b"A2B1", b"A2B2"), table)
    return icc_profile(b"CMYK", tags, b"prtr", b"Lab ")


def test_swapped_primaries_swap_the_channels(tmp_path):
    """A profile whose red is sRGB's green: red and green change places, blue stays."""
    array = noise(32, 32)
    path = saved(Image.fromarray(array), tmp_path / "a.png", icc_profile=SWAPPED)
    result = pixels(load_image(path))
    np.testing.assert_allclose(result, array[..., [1, 0, 2]], atol=2)
    with Image.open(path) as image:
        np.testing.assert_array_equal(pixels(preprocess_image(image)), result)


def test_linear_light_becomes_srgb(tmp_path):
    array = noise(32, 32)
    path = saved(Image.fromarray(array), tmp_path / "a.tiff", icc_profile=LINEAR)
    expected = linear_to_srgb(array / 255) * 255
    np.testing.assert_allclose(pixels(load_image(path)), expected, atol=2)


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_grey_profile(mode, tmp_path):
    array = np.arange(256, dtype=np.uint8).reshape(16, 16)
    deep = array if mode == "L" else array.astype(np.uint16) * 257
    path = saved(Image.fromarray(deep), tmp_path / "a.png", icc_profile=LIGHT_GREY)
    expected = linear_to_srgb((array / 255) ** 1.8)[..., None].repeat(3, axis=2) * 255
    np.testing.assert_allclose(pixels(load_image(path)), expected, atol=1.1)


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
def test_cmyk_profile(suffix, tmp_path):
    """Grey of lightness L* has luminance ((L* + 16) / 116)³, seen through sRGB's curve."""
    inks = np.zeros((16, 16 * 9, 4), np.uint8)
    black = np.linspace(0, 224, 9).astype(np.uint8)
    inks[..., 3] = black.repeat(16)
    options = {"quality": 100} if suffix == "jpg" else {}
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(inks, "CMYK").save(path, icc_profile=cmyk_profile(), **options)
    lightness = 100 * (1 - black / 255)
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / (24389 / 27))
    expected = linear_to_srgb(luminance)[:, None].repeat(3, axis=1) * 255
    np.testing.assert_allclose(pixels(load_image(path))[8, 8::16], expected, atol=3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_profile_applies_to_the_colour_and_white_stays_white(mode, tmp_path):
    profile, power = (LIGHT_GREY, 1.8) if mode == "LA" else (LINEAR, 1)
    image = Image.new("RGBA", (2, 1), (64, 64, 64, 128))
    image.putpixel((1, 0), (64, 64, 64, 0))
    options = {}
    if mode == "P":
        image = Image.new("P", (2, 1))
        image.putpalette(bytes([64] * 6))
        image.putdata([0, 1])
        options = {"transparency": bytes([128, 0])}
    path = tmp_path / "a.png"
    (image if mode == "P" else image.convert(mode)).save(path, icc_profile=profile, **options)
    share = 128 / 255
    expected = linear_to_srgb((64 / 255) ** power) * 255 * share + 255 * (1 - share)
    np.testing.assert_allclose(pixels(load_image(path))[0, :, 0], [expected, 255], atol=2)


@pytest.mark.parametrize("profile", [b"nonsense", SWAPPED[:200], LIGHT_GREY, cmyk_profile()])
def test_broken_and_foreign_profiles_are_ignored(profile, tmp_path):
    array = noise()
    path = saved(Image.fromarray(array), tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_allclose(pixels(load_image(path)), array, atol=1e-4)


def test_opened_images_carry_no_metadata(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path, exif=exif.tobytes(), icc_profile=SWAPPED)
    image = open_image(path)
    assert (image.mode, image.info, dict(image.getexif())) == ("RGB", {}, {})
    assert open_image(image).tobytes() == image.tobytes()


# Pictures refused


def refusal(source):
    with pytest.raises(ImageError) as caught:
        load_image(source)
    message = str(caught.value)
    assert str(source) in message
    assert "\n" not in message
    assert ";" in message  # what is wrong; what to do
    return message


def test_missing_files_and_folders(tmp_path):
    assert "no file or sample" in refusal(tmp_path / "a.png")
    (tmp_path / "file").touch()
    assert "no file or sample" in refusal(tmp_path / "file" / "a.png")
    assert "is a folder" in refusal(tmp_path)
    assert "is a folder" in refusal(str(tmp_path))
    assert "cannot be read" in refusal("x" * 5000)
    assert "cannot be read" in refusal("~no-such-user-here/a.png")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = saved(Image.fromarray(noise()), tmp_path / "a.png")

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert "Permission denied" in refusal(path)


def test_empty_and_foreign_files(tmp_path):
    (tmp_path / "a.png").touch()
    assert "is empty" in refusal(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("<html>no picture</html>")
    assert "is not a picture" in refusal(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    refusal(tmp_path / "c.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "tiff", "bmp"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files(suffix, share, tmp_path):
    path = saved(Image.fromarray(noise(64, 64)), tmp_path / f"a.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refusal(path)


def test_a_pil_image_with_a_truncated_file(tmp_path):
    data = saved(Image.fromarray(noise(64, 64)), tmp_path / "a.png").read_bytes()
    with (
        Image.open(BytesIO(data[: len(data) // 2])) as image,
        pytest.raises(ImageError, match="the image is damaged"),
    ):
        preprocess_image(image)


def png_of_claimed_size(side):
    def chunk(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(100)))


def test_decompression_bombs(tmp_path):
    limit, truncated = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    path = tmp_path / "a.png"
    path.write_bytes(png_of_claimed_size(30_000))
    assert "larger than the 178 megapixels" in refusal(path)
    assert limit == Image.MAX_IMAGE_PIXELS
    assert truncated == ImageFile.LOAD_TRUNCATED_IMAGES


def test_filters_of_warnings_stay(tmp_path):
    """A picture of 100 megapixels is ordinary, whatever Pillow would warn of."""
    path = tmp_path / "a.png"
    path.write_bytes(png_of_claimed_size(10_000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        filters = list(warnings.filters)
        assert "cut short" in refusal(path)
        assert warnings.filters == filters


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, BytesIO])
def test_bytes_and_open_files(wrap):
    array = noise()
    np.testing.assert_allclose(pixels(load_image(wrap(png_bytes(array)))), array, atol=1e-4)
    with pytest.raises(ImageError, match="the file is not a picture"):
        load_image(wrap(b"a.png"))


def test_an_open_file_is_read_from_its_beginning(tmp_path):
    path = saved(Image.fromarray(noise()), tmp_path / "a.png")
    with path.open("rb") as file:
        file.read(5)
        assert load_image(file).shape == (1, 3, 12, 20)
    with (
        path.open(encoding="latin-1") as file,
        pytest.raises(ImageError, match="open it as binary"),
    ):
        load_image(file)


@pytest.mark.parametrize("size", [(64, 64), "64", np.array([64, 64]), float("nan"), None])
def test_a_size_is_one_number(size):
    if size is None:
        assert load_image(noise(), np.int64(10)).shape == (1, 3, 6, 10)
        return
    with pytest.raises(ImageError, match="size is the long side in pixels, one number"):
        load_image(noise(), size)


def test_a_path_with_a_zero_byte():
    assert "cannot be read" in refusal("a\0b.png")
    for path in ("a\0b.png", "~no-such-user-here/b.png"):
        with pytest.raises(ImageError, match="cannot be written"):
            save_image(torch.zeros(1, 3, 2, 2), path)
        with pytest.raises(ImageError, match="cannot be written"):
            check_output(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings("a\0b.json")


def test_pil_images_and_arrays_are_saved(tmp_path):
    array = noise()
    for image in (Image.fromarray(array), array):
        np.testing.assert_array_equal(
            pixels(load_image(save_image(image, tmp_path / "a.png"))), array
        )


MEASURED = """
import resource, sys
from nst.images import load_image
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_image(sys.argv[1], size=8)
before = peak()
for path in sys.argv[2:]:
    assert load_image(path, size=64).shape == (1, 3, 64, 64)
    print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures in kilobytes")
def test_a_large_picture_is_in_memory_once_at_most(tmp_path):
    """Pillow needs four bytes for a pixel of three colours, and one for a grey one."""
    side, kinds = 5000, {"b.jpg": ("RGB", 0.6), "c.png": ("L", 1.2), "d.png": ("RGB", 4.2)}
    small = saved(Image.new("RGB", (20, 20)), tmp_path / "a.jpg")
    large = [
        saved(Image.new(mode, (side, side), 40), tmp_path / name, compress_level=1)
        for name, (mode, _) in kinds.items()
    ]
    command = [sys.executable, "-c", MEASURED, small, *large]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    peaks = [1024 * int(line) for line in result.stdout.split()]
    for peak, (_, share) in zip(peaks, kinds.values(), strict=True):
        assert peak < share * side**2 + 60e6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16", "CMYK"])
@pytest.mark.parametrize("size", [None, 50])
def test_strips_change_nothing(mode, size, monkeypatch, tmp_path):
    array = noise(97, 131, {"L": 0, "I;16": 0, "RGB": 3}.get(mode, 4))
    if mode == "I;16":
        image = Image.fromarray(array.astype(np.uint16) * 257)
    else:
        image = Image.frombytes(mode, (131, 97), array.tobytes())
    whole = load_image(image, size)
    monkeypatch.setattr(colours, "STRIP", 1000)
    assert torch.equal(load_image(image, size), whole)


def test_a_large_jpeg_decoded_smaller_looks_the_same(monkeypatch, tmp_path):
    path = saved(Image.fromarray(smooth(900, 1300)), tmp_path / "a.jpg", quality=95)
    whole = load_image(path, 64)
    monkeypatch.setattr(decoding, "LARGE", 1000)
    small = load_image(path, 64)
    assert small.shape == whole.shape
    assert 0 < (small - whole).abs().max() < 3 / 255


def test_a_huge_jpeg_opens_at_a_size(monkeypatch, tmp_path):
    """As phones of 200 megapixels take them; the limits are moved, not the picture."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(smooth(900, 1300))
    path = saved(image, tmp_path / "a.jpg", quality=95, exif=exif)
    expected = load_image(path, 64)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 300_000)
    monkeypatch.setattr(decoding, "LARGE", 1000)
    found = load_image(path, 64)
    assert found.shape == expected.shape == (1, 3, 64, 44)
    assert (found - expected).abs().max() < 3 / 255
    assert "larger than" in refusal(path)  # whole
    with pytest.raises(ImageError, match="larger than"):
        load_image(path, 1000)  # nor so large
    monkeypatch.setattr(decoding, "HUGE", 1_000_000)
    with pytest.raises(ImageError, match="larger than"):
        load_image(path, 64)
    with pytest.raises(ImageError, match="larger than"):
        load_image(saved(image, tmp_path / "a.png"), 64)


# URLs


class Handler(http.server.BaseHTTPRequestHandler):
    answers: ClassVar[dict] = {}
    redirects: ClassVar[dict] = {
        "/round": "/round",
        "/ping": "/pong",
        "/pong": "/ping",
        "/ftp": "ftp://127.0.0.1/a.png",
        "/file": "file:///etc/hostname",
        "/data": "data:image/png;base64,AAAA",
        "/nowhere": "http://127.0.0.1:evil.example/",
    }

    def drip(self, head):
        """A byte now and then, for ever; each of them well within any pause."""
        with suppress(OSError):
            self.wfile.write(head)
            for _ in range(200):
                self.wfile.write(b"x")
                time.sleep(0.02)

    def do_GET(self):
        if self.path == "/silent":
            time.sleep(0.5)
            return
        if self.path.startswith("/drip"):
            self.drip(
                b"HTTP/1.0 200 OK\r\nX: " if self.path == "/drip-head" else b"HTTP/1.0 200\r\n\r\n"
            )
            return
        if self.path in self.redirects:
            self.send_response(302, "Trust\x1b[2Jme")
            self.send_header("Location", self.redirects[self.path])
            self.end_headers()
            return
        if self.path == "/rude":
            self.wfile.write(b"HTTP/1.0 418 pay \x1b[31m at evil.example\r\n\r\n")
            return
        if self.path == "/babble":
            self.wfile.write(b"pay \x1b[31m at evil.example\r\n\r\n")
            return
        if self.path not in self.answers:
            self.send_error(404)
            return
        body, announced = self.answers[self.path]
        self.send_response(200)
        if announced is not None:
            self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.flush()
        if self.path == "/huge":
            time.sleep(0.3)
            return
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site():
    """(address, answers): what to serve at each path, as (bytes, announced length or None)."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", Handler.answers
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def png_bytes(array):
    buffer = BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def test_url(site):
    address, answers = site
    array = noise()
    data = png_bytes(array)
    answers["/a.png"] = (data, len(data))
    answers["/unannounced"] = (data, None)
    answers["/a%20%C3%BC.png?x=1&y=%20"] = (data, len(data))
    for path in ("/a.png", "/unannounced", "/a ü.png?x=1&y=%20"):
        np.testing.assert_allclose(pixels(load_image(address + path)), array, atol=1e-4)
    np.testing.assert_allclose(
        pixels(load_image(address.replace("http", "HTTP") + "/a.png")), array, atol=1e-4
    )


def test_url_refused(site):
    address, answers = site
    data = png_bytes(noise())
    answers["/page"] = (b"<html></html>", 13)
    answers["/nothing"] = (b"", 0)
    answers["/cut"] = (data[:-100], len(data))
    answers["/behind"] = (data, len(data) + 100)
    assert "404" in refusal(address + "/none.png")
    assert "is not a picture" in refusal(address + "/page")
    assert "is empty" in refusal(address + "/nothing")
    assert "the answer breaks off" in refusal(address + "/cut")
    assert "the answer breaks off" in refusal(address + "/behind")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "cannot be fetched" in refusal(f"http://127.0.0.1:{unused.getsockname()[1]}/a.png")
    for malformed in ("http://", "http://[", "http://127.0.0.1:port/", "http://\ud800/"):
        assert "cannot be fetched" in refusal(malformed)


def test_an_endless_address_is_not_repeated():
    with pytest.raises(ImageError, match="no path or address has 100019 characters") as caught:
        load_image("http://127.0.0.1:1/" + "x" * 100_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("announced", [True, False])
def test_url_too_large(announced, site, monkeypatch):
    address, answers = site
    data = png_bytes(noise())
    answers["/large"] = (data, len(data) if announced else None)
    monkeypatch.setattr(downloads, "LIMIT", len(data))
    assert load_image(address + "/large").shape == (1, 3, 12, 20)
    monkeypatch.setattr(downloads, "LIMIT", len(data) - 1)
    assert "is larger than" in refusal(address + "/large")


def test_url_announced_too_large_is_not_downloaded(site, monkeypatch):
    address, answers = site
    monkeypatch.setattr(downloads, "TIMEOUT", 0.1)  # reading on would run into it
    answers["/huge"] = (b"", 10**12)
    assert "is larger than 100 MB" in refusal(address + "/huge")


def test_url_silent(site, monkeypatch):
    assert downloads.TIMEOUT == 60
    monkeypatch.setattr(downloads, "TIMEOUT", 0.1)
    assert "timed out" in refusal(site[0] + "/silent")


@pytest.mark.parametrize("path", ["/drip-head", "/drip-body"])
def test_one_time_limit_for_the_whole_download(path, site, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    assert "timed out" in refusal(site[0] + path)


@pytest.mark.parametrize("path", ["/round", "/ping", "/ftp", "/file", "/data"])
def test_redirects_end_and_stay_on_the_web(path, site):
    assert "only leads on to other addresses" in refusal(site[0] + path)


def test_a_redirect_to_a_picture_is_followed(site):
    address, answers = site
    data = png_bytes(noise())
    answers["/there.png"] = (data, len(data))
    Handler.redirects["/here"] = f"{address}/there.png"
    assert load_image(address + "/here").shape == (1, 3, 12, 20)


@pytest.mark.parametrize("path", ["/rude", "/babble", "/round", "/nowhere"])
def test_a_servers_words_are_not_printed(path, site):
    said = refusal(site[0] + path)
    assert "\x1b" not in said
    assert "evil" not in said
    assert "me" not in said.replace(site[0] + path, "").split()


def test_postscript_is_not_handed_to_another_program(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *given, **_: started.append(given))
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(path, "EPS")
    assert "is not a picture" in refusal(path)
    assert not started


def test_pillow_reads_what_it_is_asked_for():
    others = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MCIDAS", "MPEG", "WMF"}
    assert not others & set(decoding.FORMATS)
    Image.init()
    assert set(decoding.FORMATS) - {"AVIF"} <= Image.OPEN.keys()


# Saving


@pytest.fixture
def picture():
    return torch.from_numpy(smooth().transpose(2, 0, 1)[None] / np.float32(255))


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_png_round_trip_is_lossless(tmp_path):
    image = torch.rand(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    path = save_image(image, tmp_path / "new" / "folder" / "a.png")
    assert path == tmp_path / "new" / "folder" / "a.png"
    assert (load_image(path) - image).abs().max() <= HALF_STEP
    assert files(path.parent) == ["a.png"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", "JPEG"),
        ("a.jpeg", "JPEG"),
        ("a.JPG", "JPEG"),
        ("a.webp", "WEBP"),
        ("a.PNG", "PNG"),
    ],
)
def test_formats(name, kind, tmp_path, picture):
    path = save_image(picture[0], str(tmp_path / name))
    with Image.open(path) as image:
        assert image.format == kind
    assert (load_image(path) - picture).abs().mean() < 0.01


def test_jpeg_quality_and_full_colour(tmp_path, picture):
    path = save_image(picture, tmp_path / "a.jpg")
    with Image.open(path) as image:
        assert {layer[1:3] for layer in image.layer} == {(1, 1)}  # 4:4:4
        tables = image.quantization
    reference = BytesIO()
    Image.new("RGB", (8, 8)).save(reference, "JPEG", quality=95)
    with Image.open(reference) as image:
        assert image.quantization == tables


@pytest.mark.parametrize("name", ["a", "a.bmp", "a.png.txt", ".png"])
def test_unknown_extensions(name, tmp_path, picture):
    with pytest.raises(ImageError, match=r"use one of \.png, \.jpg, \.jpeg, \.webp"):
        save_image(picture, tmp_path / name)
    assert files(tmp_path) == []


@pytest.mark.parametrize("mask", [0o022, 0o027])
def test_permissions_follow_the_umask_and_the_replaced_file(mask, tmp_path, picture):
    before = os.umask(mask)
    try:
        path = save_image(picture, tmp_path / "a.png")
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
        path.chmod(0o600)
        save_image(picture, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_refusals_leave_the_existing_picture(tmp_path, picture):
    path = save_image(picture, tmp_path / "a.png", {"kept": True})
    before = path.read_bytes()
    for image in (torch.rand(2, 3, 4, 4), torch.full((1, 3, 4, 4), torch.nan)):
        with pytest.raises(ImageError):
            save_image(image, path)
    for settings in ({"a": object()}, {"a": {1, 2}}):
        with pytest.raises(SettingsError, match="fit into JSON"):
            save_image(picture, path, settings)
    with pytest.raises(SettingsError, match="sidecar"):
        save_image(picture, path, sidecar=True)
    assert path.read_bytes() == before
    assert files(tmp_path) == ["a.png"]


def test_too_large_for_the_format(tmp_path):
    with pytest.raises(ImageError, match=r"WEBP cannot hold 20000 × 1 pixels .*save as PNG"):
        save_image(torch.zeros(1, 3, 1, 20000), tmp_path / "a.webp")
    assert files(tmp_path) == []


def test_unwritable_places(tmp_path, picture):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder.png").mkdir()
    for path in (
        tmp_path / "file" / "a.png",
        tmp_path / "file" / "deeper" / "a.png",
        tmp_path / "folder.png",
        tmp_path / ("x" * 300 + ".png"),
    ):
        with pytest.raises(
            ImageError, match=r"cannot be written .*; choose another place"
        ) as caught:
            save_image(picture, path)
        assert str(path) in str(caught.value)
        assert isinstance(caught.value.__cause__, OSError)
    assert (tmp_path / "file").read_text() == "kept"
    assert files(tmp_path) == ["file", "folder.png"]
    assert files(tmp_path / "folder.png") == []


def test_check_output_refuses_what_save_image_would(tmp_path, picture, monkeypatch):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder.png").mkdir()
    for name in ("a.bmp", "file/a.png", "file/deeper/a.png", "folder.png", "x" * 300 + ".png"):
        with pytest.raises(ImageError) as early:
            check_output(tmp_path / name)
        with pytest.raises(ImageError) as late:
            save_image(picture, tmp_path / name)
        assert str(early.value) == str(late.value)
    check_output(tmp_path / "new" / "folder" / "a.png")
    check_output(str(save_image(picture, tmp_path / "a.png")))
    assert files(tmp_path) == ["a.png", "file", "folder.png"]  # checking makes nothing
    monkeypatch.setattr(os, "access", lambda *_: False)
    for path in (tmp_path / "a.png", tmp_path / "b.png", tmp_path / "new" / "c.png"):
        with pytest.raises(ImageError, match="not a writable f"):
            check_output(path)


def test_check_output_takes_relative_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_output("a.png")
    check_output("new/a.jpg")
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    check_output("~/a.webp")
    assert files(tmp_path) == []


def test_a_read_only_file_is_not_replaced(tmp_path, picture, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"kept")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_: False)  # what everyone but root gets to hear
    with pytest.raises(ImageError, match="not a writable file"):
        save_image(picture, path)
    assert path.read_bytes() == b"kept"


@pytest.mark.parametrize(("owner", "function"), [(os, "fsync"), (Path, "replace")])
@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("existing", [True, False])
def test_a_failure_while_saving(owner, function, fault, existing, tmp_path, picture, monkeypatch):
    path = tmp_path / "a.png"
    if existing:
        path.write_bytes(b"kept")

    def fail(*_):
        raise fault

    monkeypatch.setattr(owner, function, fail)
    expected = ImageError if isinstance(fault, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save_image(picture, path)
    assert files(tmp_path) == (["a.png"] if existing else [])
    assert not existing or path.read_bytes() == b"kept"


@pytest.mark.parametrize("fault", [RuntimeError("crash"), OSError("full"), KeyboardInterrupt()])
def test_write_atomically_stopped_half_way(fault, tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b"kept")

    def write(file):
        file.write(b"half")
        file.flush()
        assert path.read_bytes() == b"kept"
        assert len(files(tmp_path)) == 2  # in the same folder
        raise fault

    expected = ImageError if isinstance(fault, OSError) else type(fault)
    with pytest.raises(expected):
        write_atomically(path, write)
    assert path.read_bytes() == b"kept"
    assert files(tmp_path) == ["a.json"]


def test_write_atomically(tmp_path):
    path = write_atomically(str(tmp_path / "x" / "a.bin"), lambda file: file.write(b"one"))
    assert path.read_bytes() == b"one"
    write_atomically(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"
    assert files(path.parent) == ["a.bin"]
    for error in (WeightsError, NstError):
        with pytest.raises(error, match="cannot be written"):
            write_atomically(path / "below a file", lambda file: None, error)


def test_the_data_are_on_the_disk_before_the_file_takes_its_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "a.bin", []

    def fsync(descriptor):
        synced.append((os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(path, lambda file: file.write(b"12345"))
    assert synced == [(5, False)]


def test_pipes_and_devices_are_not_replaced(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(ImageError, match="not a writable file"):
        write_atomically(path, lambda file: file.write(b"x"))
    assert path.is_fifo()


def test_write_json(tmp_path):
    path = write_json(tmp_path / "new" / "a.json", SETTINGS)
    assert json.loads(path.read_bytes()) == SETTINGS
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_bytes()) == SETTINGS


# Settings

SETTINGS = {"style": "Sternennacht, Öl", "weights": [1, 1000.5, None], "nested": {"on": True}}


def test_settings_in_a_png(tmp_path, picture):
    path = save_image(picture, tmp_path / "a.png", SETTINGS)
    assert read_settings(path) == SETTINGS
    with Image.open(path) as image:
        assert json.loads(image.text["nst"]) == SETTINGS
    assert files(tmp_path) == ["a.png"]
    assert (load_image(path) - picture).abs().max() <= HALF_STEP
    assert read_settings(save_image(picture, tmp_path / "b.png", {})) == {}


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_settings_in_a_sidecar(name, tmp_path, picture):
    save_image(picture, tmp_path / name, SETTINGS, sidecar=True)
    assert json.loads((tmp_path / "a.json").read_text()) == SETTINGS
    assert read_settings(str(tmp_path / "a.json")) == SETTINGS
    assert files(tmp_path) == sorted(["a.json", name])


def test_settings_with_a_byte_order_mark(tmp_path):
    (tmp_path / "a.json").write_text('{"ü": 1}', encoding="utf-8-sig")
    assert read_settings(tmp_path / "a.json") == {"ü": 1}


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_no_settings(name, tmp_path, picture):
    path = save_image(picture, tmp_path / name)
    with pytest.raises(SettingsError, match=f"{name}' holds no settings; give a PNG"):
        read_settings(path)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xff", b"[" * 100_000])
def test_settings_that_are_not_json(text, tmp_path):
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(SettingsError, match=r"a\.json' are not JSON"):
        read_settings(tmp_path / "a.json")


@pytest.mark.parametrize("text", ["[1]", "3", "null"])
def test_settings_that_are_no_object(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SettingsError, match="not a JSON object"):
        read_settings(tmp_path / "a.json")


def test_settings_of_a_foreign_png(tmp_path):
    chunks = PngInfo()
    chunks.add_text("nst", "not JSON")
    path = saved(Image.new("RGB", (2, 2)), tmp_path / "a.png", pnginfo=chunks)
    with pytest.raises(SettingsError, match="are not JSON"):
        read_settings(path)


def test_settings_that_cannot_be_read(tmp_path):
    with pytest.raises(ImageError, match="no file"):
        read_settings(tmp_path / "a.png")
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path / "a.json")
    (tmp_path / "b.json").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path / "b.json")
    (tmp_path / "c.png").write_text("no picture")
    with pytest.raises(ImageError, match="not a picture"):
        read_settings(tmp_path / "c.png")
