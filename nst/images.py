"""Picture files and PIL images to tensors and back; the sample pictures.

An image is a float32 tensor of shape (1, 3, H, W), red-green-blue in [0, 1]: what the networks take
and what the optimisers change. A file says much more than that: which way is up, what its numbers
mean as colours, what shines through it. `open_image` settles all of it once, so that the rest of
the package sees plain sRGB pixels. Every refusal is an `ImageError` of one sentence.
"""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from os import PathLike, fsdecode
from pathlib import Path
from typing import IO, Any, TypeGuard

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from nst.devices import pick_device
from nst.errors import ImageError, SettingsError
from nst.files import expand, write_atomically
from nst.files.colours import from_array, outline, plain
from nst.files.decoding import decode, load, long_side, quiet, refuse
from nst.files.downloads import fetch
from nst.files.encoding import as_json, check_output, encode, save_options
from nst.files.fields import PATH, whole
from nst.files.tensors import tensor_fault, to_bytes

Source = str | PathLike | bytes | IO[bytes] | Image.Image | np.ndarray
Picture = Source | Tensor

# An installed wheel holds data/ inside the package; a checkout holds it beside the package.
DATA = Path(__file__).parent / "data"
if not DATA.is_dir():
    DATA = Path(__file__).parent.parent / "data"

PHOTOGRAPHS = {  # files in scikit-image's wheel
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "rocket": "rocket.jpg",
    "hubble": "hubble_deep_field.jpg",
    "retina": "retina.jpg",
    "brick": "brick.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
}


def load_image(
    source: Source, size: int | None = None, device: str | torch.device | None = None
) -> Tensor:
    """Load a picture as a tensor: `open_image`, then `preprocess_image`.

    Returns float32 RGB of shape (1, 3, H, W) in [0, 1], contiguous, on `device`. `size` bounds the
    long side in pixels; the aspect ratio is kept and a smaller picture is not enlarged. A JPEG may
    then have up to 536 megapixels. Raises `ImageError` as those two do.
    """
    return to_tensor(upright(source, size), device)


def open_image(source: Source) -> Image.Image:
    """Open a picture as an upright 8-bit sRGB PIL image of mode RGB.

    `source` is a path, the name of a sample picture (see `sample_names`; a file of that name comes
    first), an http(s) URL, the bytes of a file or an open binary file, a PIL image, or a NumPy
    array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) holding uint8, uint16, bool, or floats
    in [0, 1]. Transparency is laid over white; of an animation the first frame is taken. Raises
    `ImageError` for what cannot be found, read, fetched (at most 100 MB) or understood, and for
    more than 178 megapixels.
    """
    return upright(source)


def open_outline(source: Source) -> Image.Image | None:
    """Where a picture is opaque: upright, of mode L, from 0 to 255; None if it is everywhere.

    `source` and errors are those of `open_image`.
    """
    return outline(decoded(source, None)[0])


def preprocess_image(
    image: Image.Image, size: int | None = None, device: str | torch.device | None = None
) -> Tensor:
    """Turn a PIL image of any mode into float32 RGB of shape (1, 3, H, W) in [0, 1], contiguous.

    `size` bounds the long side in pixels: larger pictures shrink (Lanczos, antialiased), smaller
    ones stay. Raises `ImageError` if `size` is below 1 or the image cannot be used.
    """
    return to_tensor(upright(image, size), device)


def to_tensor(image: Image.Image, device: str | torch.device | None) -> Tensor:
    """An RGB PIL image as float32 of shape (1, 3, H, W) in [0, 1]."""
    place = pick_device("cpu" if device is None else device)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    return pixels.contiguous().float().div_(255).to(place)


def upright(source: Source, size: int | None = None) -> Image.Image:
    """The source as an upright 8-bit RGB image in sRGB on white, its long side at most `size`."""
    side = long_side(size)
    image, name = decoded(source, side)
    return plain(image, fitted((image.height, image.width), side or max(image.size)), name)


def decoded(source: Source, size: float | None) -> tuple[Image.Image, str]:
    """The source as a PIL image of any mode, and what to call it in a sentence."""
    if isinstance(source, np.ndarray):
        return from_array(source, "the array"), "the array"
    if isinstance(source, Image.Image):
        if 0 in source.size:
            raise ImageError(f"the image is empty, of {source.width}×{source.height} pixels")
        file = getattr(source, "fp", None)
        with quiet():
            refuse(source, file, "the image")
            return load(source, file, "the image"), "the image"
    if isinstance(source, str | PathLike):
        source = source if isinstance(source, str) else Path(fsdecode(source))
        with _open_file(source) as file:
            return decode(file, f"'{source}'", size), f"'{source}'"
    if isinstance(source, bytes | bytearray | memoryview):
        return decode(io.BytesIO(source), "the file", size), "the file"
    if hasattr(source, "read"):
        return decode(source, "the file", size), "the file"
    raise ImageError(
        f"a picture is a path, a sample's name, a URL, the bytes of a file, a PIL image or a NumPy "
        f"array, not a {type(source).__name__}"
    )


def is_several(pictures: Any) -> TypeGuard[Iterable[Any]]:
    """Whether these are pictures one after the other, as a glob gives them, rather than one."""
    return isinstance(pictures, list | tuple | Iterator) and not hasattr(pictures, "read")


def as_image(picture: Picture, size: int | None, device: str | torch.device | None) -> Tensor:
    """A picture as a tensor of its own on `device`, its long side at most `size`.

    Raises:
        ImageError: as `load_image`; or a tensor is not of shape (1, 3, H, W) and in [0, 1].
    """
    if not isinstance(picture, Tensor):
        return load_image(picture, size, device)
    if fault := tensor_fault(picture):
        raise ImageError(
            f"a picture is a tensor (1, 3, H, W) of floats in [0, 1]; this one {fault}"
        )
    image = picture.detach().as_subclass(Tensor).to(device, torch.float32).contiguous()
    image = image.clamp(0, 1)  # a tensor of our own, whatever mode the given one was made in
    side = long_side(size)
    return image if side is None else fit(image, side)


def postprocess_image(tensor: Tensor) -> Image.Image:
    """Turn an image tensor, (1, 3, H, W) or (3, H, W) on any device, into an RGB PIL image.

    Values are clamped to [0, 1] and rounded to the nearest of 256 levels. Raises `ImageError` for
    another shape, for integers, and for values that are not numbers.
    """
    return Image.fromarray(to_bytes(tensor))


def save_image(
    image: Tensor | Source,
    path: str | Path,
    settings: dict | Any = None,
    sidecar: bool = False,
    quality: int | None = None,
    outline: Image.Image | None = None,
) -> Path:
    """Save an image tensor, (1, 3, H, W) or (3, H, W), as PNG, JPEG or WebP by `path`'s extension.

    What `open_image` takes can be saved as well. `settings` (anything JSON can hold) go into a
    PNG's text chunk "nst" and, with `sidecar`, into a .json file beside a picture of any format.
    `quality`, from 1 to 100, is JPEG's or WebP's, by default 95; `outline`, of mode L (see
    `open_outline`), says where a PNG or WebP is opaque, and is brought to the picture's size.
    Missing folders are made; the file appears whole or not at all. Returns the path. Raises
    `ImageError` if the image or the path cannot be used and `SettingsError` if the settings do not
    fit into JSON.
    """
    path, quality = expand(path), whole(quality)
    check_output(path, quality, outline is not None)
    text = as_json(settings)
    if sidecar and text is None:
        raise SettingsError("a sidecar holds the settings; give settings or leave out sidecar")
    data = as_file(image, save_options(path, quality, outline is not None), text, outline)
    saved = write_atomically(path, lambda file: file.write(data))
    if sidecar and text:
        beside = text.encode()
        write_atomically(path.with_suffix(".json"), lambda file: file.write(beside))
    return saved


def as_file(
    image: Tensor | Source,
    options: dict[str, Any],
    text: str | None,
    outline: Image.Image | None = None,
) -> bytes:
    """The bytes of the file that `save_image` writes, with Pillow's `options` for its format."""
    picture = postprocess_image(image) if isinstance(image, Tensor) else open_image(image)
    if outline is not None:
        if not isinstance(outline, Image.Image):
            raise ImageError("an outline is a PIL image of mode L, as open_outline gives it")
        picture.putalpha(outline.convert("L").resize(picture.size, Image.Resampling.LANCZOS))
    return encode(picture, options, text)


def read_settings(path: str | Path) -> dict:
    """Read back the settings in a PNG that `save_image` wrote, or in a .json file.

    The losses that a run writes beside them, "delivered", are left out; what version 0.1 wrote is
    of edition 1. Raises `ImageError` if the picture cannot be read and `SettingsError` if it holds
    no settings, if the .json file cannot be read, or if what is there is not a JSON object.
    """
    text: Any
    path = expand(path, SettingsError)
    try:
        if path.suffix.lower() == ".json":
            text = path.read_bytes()
        else:
            with _open_file(path) as file:
                text = decode(file, f"'{path}'").info["nst"]
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, ImageError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"'{path}' cannot be read ({reason}); check it") from error
    except KeyError as error:
        raise SettingsError(
            f"'{path}' holds no settings; give a PNG saved with them or their .json file"
        ) from error
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the settings in '{path}' are not JSON ({error})") from error
    if not isinstance(settings, dict):
        raise SettingsError(f"the settings in '{path}' are not a JSON object with names and values")
    settings.pop("delivered", None)
    if "pooling" in settings:
        settings.setdefault("edition", 1)  # version 0.1 recorded all fields of its own, and no such
    return settings


def resize(image: Tensor, shape: Sequence[int]) -> Tensor:
    """An image (1, 3, H, W) at another (height, width): bicubic, antialiased, in [0, 1]."""
    if image.shape[-2:] == tuple(shape):
        return image.clone()
    size = (int(shape[0]), int(shape[1]))
    # On the CPU: older versions of torch cannot do this on Apple's GPUs.
    resized = interpolate(image.cpu(), size, mode="bicubic", antialias=True)
    return resized.clamp(0, 1).to(image.device)


def fit(image: Tensor, size: float) -> Tensor:
    """An image (1, 3, H, W) with its long side brought to `size`; a smaller one stays as it is."""
    return resize(image, fitted(image.shape[-2:], size))


def fitted(shape: Sequence[int], size: float) -> tuple[int, int]:
    """Height and width with the long side brought to `size`; a smaller one stays as it is."""
    height, width = shape
    scale = min(1.0, size / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def sample_names() -> dict[str, list[str]]:
    """Names that `load_image` takes: "content" (photographs) and "style" (pictures in data/style).

    The photographs come with scikit-image; the names are listed whether it is installed or not.
    """
    styles = sorted(path.stem for path in (DATA / "style").glob("*.jpg"))
    return {"content": list(PHOTOGRAPHS), "style": styles}


def _open_file(source: str | Path) -> IO[bytes]:
    """Open the file, sample picture or URL for reading."""
    if len(str(source)) > 2 * PATH:
        raise ImageError(
            f"'{str(source)[:30]}…' cannot be read: no path or address has {len(str(source))} "
            "characters"
        )
    if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        return io.BytesIO(fetch(source))
    try:
        path = Path(source).expanduser()
        if isinstance(source, str) and not path.is_file():
            path = sample_path(source) or path
        if path.is_dir():
            raise ImageError(f"'{source}' is a folder; name a picture in it")
        return path.open("rb")
    except ImageError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        names = [name for names in sample_names().values() for name in names]
        close = get_close_matches(Path(source).name, names)
        hint = f"did you mean {' or '.join(close)}?" if close else f"samples: {', '.join(names)}"
        raise ImageError(f"there is no file or sample picture '{source}'; {hint}") from error
    except (OSError, RuntimeError, ValueError) as error:  # no such user; a zero byte
        raise ImageError(f"'{source}' cannot be read ({error}); check the path") from error


def sample_path(name: str) -> Path | None:
    """Where the sample picture lies; None if there is none of that name."""
    if name in PHOTOGRAPHS:
        # Finding the package is enough: importing it would take a second.
        spec = find_spec("skimage")
        if spec is None or not spec.submodule_search_locations:
            raise ImageError(
                f"the sample picture '{name}' comes with scikit-image; pip install scikit-image"
            )
        return Path(spec.submodule_search_locations[0]) / "data" / PHOTOGRAPHS[name]
    return DATA / "style" / f"{name}.jpg" if name in sample_names()["style"] else None
