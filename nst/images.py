"""Picture files and PIL images to tensors and back; the sample pictures.

An image is a float32 tensor of shape (1, 3, H, W), red-green-blue in [0, 1]: what the networks take
and what the optimisers change. `open_image` takes what people have, so that the rest of the package
sees plain sRGB pixels. Every refusal is an `ImageError` of one sentence.
"""

import io
import json
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor
from torch.nn.functional import interpolate

from nst.errors import ImageError, SettingsError
from nst.files import check_place, refusing, write_atomically, write_json
from nst.files.decoding import decode, plain
from nst.files.downloads import fetch

Source = str | Path | Image.Image | np.ndarray

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

# 4:4:4 (subsampling 0) keeps the colour of single brush strokes, which JPEG's default halves.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
}


def load_image(
    source: Source, size: int | None = None, device: str | torch.device | None = None
) -> Tensor:
    """Load a picture as a tensor: `open_image`, then `preprocess_image`.

    Returns float32 RGB of shape (1, 3, H, W) in [0, 1], contiguous, on `device`. `size` bounds the
    long side in pixels; the aspect ratio is kept and a smaller picture is not enlarged. Raises
    `ImageError` as those two do.
    """
    return preprocess_image(open_image(source), size, device)


def open_image(source: Source) -> Image.Image:
    """Open a picture as an upright 8-bit sRGB PIL image of mode RGB.

    `source` is a path, the name of a sample picture (see `sample_names`; a file of that name comes
    first), an http(s) URL, a PIL image, or a NumPy array of shape (H, W), (H, W, 1), (H, W, 3) or
    (H, W, 4) holding uint8, uint16, bool, or floats in [0, 1]. Transparency is laid over white; of
    an animation the first frame is taken. Raises `ImageError` for what cannot be found, read,
    fetched (at most 100 MB) or understood, and for more pixels than Pillow holds to be safe.
    """
    if isinstance(source, np.ndarray):
        return plain(source, "the array")
    if isinstance(source, Image.Image):
        return plain(source, "the image")
    if isinstance(source, str | Path):
        with _open_file(source) as file:
            return plain(file, f"'{source}'")
    raise ImageError(
        f"a picture is a path, a sample's name, a URL, a PIL image or a NumPy array, "
        f"not a {type(source).__name__}"
    )


def preprocess_image(
    image: Image.Image, size: int | None = None, device: str | torch.device | None = None
) -> Tensor:
    """Turn a PIL image of any mode into float32 RGB of shape (1, 3, H, W) in [0, 1], contiguous.

    `size` bounds the long side in pixels: larger pictures shrink (Lanczos, antialiased), smaller
    ones stay. Raises `ImageError` if `size` is below 1 or the image cannot be used.
    """
    if size is not None and size < 1:
        raise ImageError(f"size is the long side in pixels and must be at least 1, not {size}")
    image = open_image(image)
    if size is not None and size < max(image.size):
        scale = size / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    return (pixels.contiguous().float() / 255).to(device)


def postprocess_image(tensor: Tensor) -> Image.Image:
    """Turn an image tensor, (1, 3, H, W) or (3, H, W) on any device, into an RGB PIL image.

    Values are clamped to [0, 1] and rounded to the nearest of 256 levels. Raises `ImageError` for
    another shape, for integers, and for values that are not numbers.
    """
    batched = tensor if tensor.ndim == 4 else tensor[None]
    if batched.ndim != 4 or batched.shape[:2] != (1, 3) or batched.numel() == 0:
        raise ImageError(
            f"an image has shape (1, 3, H, W) or (3, H, W), not {tuple(tensor.shape)}; "
            "pass the pictures of a batch one by one"
        )
    if not tensor.is_floating_point():
        raise ImageError(f"an image holds floats in [0, 1], not {tensor.dtype}; divide it by 255")
    pixels = batched[0].detach().cpu().float().permute(1, 2, 0)
    if pixels.isnan().any():
        raise ImageError("the image holds NaN; the run that made it diverged, so slow it down")
    return Image.fromarray((pixels.clamp(0, 1) * 255).round().byte().contiguous().numpy())


def save_image(
    image: Tensor, path: str | Path, settings: dict | None = None, sidecar: bool = False
) -> Path:
    """Save an image tensor, (1, 3, H, W) or (3, H, W), as PNG, JPEG or WebP by `path`'s extension.

    `settings` (anything JSON can hold) go into a PNG's text chunk "nst" and, with `sidecar`, into
    a .json file beside a picture of any format. Missing folders are made; the file appears whole
    or not at all. Returns the path. Raises `ImageError` if the image or the path cannot be used
    and `SettingsError` if the settings do not fit into JSON.
    """
    path = Path(path)
    check_output(path)
    options = SAVE_OPTIONS[path.suffix.lower()]
    try:
        text = None if settings is None else json.dumps(settings, indent=2)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"the settings do not fit into JSON ({error})") from error
    if sidecar and text is None:
        raise SettingsError("a sidecar holds the settings; give settings or leave out sidecar")
    if text is not None and options["format"] == "PNG":
        chunks = PngInfo()
        chunks.add_text("nst", text)
        options = {**options, "pnginfo": chunks}
    picture, encoded = postprocess_image(image), io.BytesIO()
    try:
        picture.save(encoded, **options)
    except (OSError, ValueError) as error:
        raise ImageError(
            f"{options['format']} cannot hold {picture.width} × {picture.height} pixels ({error}); "
            "save as PNG"
        ) from error
    saved = write_atomically(path, lambda file: file.write(encoded.getbuffer()))
    if sidecar:
        write_json(path.with_suffix(".json"), settings)
    return saved


def read_settings(path: str | Path) -> dict:
    """Read back the settings in a PNG that `save_image` wrote, or in a .json file.

    The losses that a run writes beside them, "delivered", are left out. Raises `ImageError` if the
    picture cannot be read and `SettingsError` if it holds no settings, if the .json file cannot be
    read, or if what is there is not a JSON object.
    """
    path = Path(path).expanduser()
    try:
        if path.suffix.lower() == ".json":
            text = path.read_bytes()
        else:
            with _open_file(path) as file:
                text = decode(file, f"'{path}'").info["nst"]
        settings = json.loads(text)
    except ImageError:
        raise
    except OSError as error:
        raise SettingsError(f"'{path}' cannot be read ({error.strerror}); check it") from error
    except KeyError as error:
        raise SettingsError(
            f"'{path}' holds no settings; give a PNG saved with them or their .json file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"the settings in '{path}' are not JSON ({error})") from error
    if not isinstance(settings, dict):
        raise SettingsError(f"the settings in '{path}' are not a JSON object with names and values")
    settings.pop("delivered", None)
    return settings


def check_output(path: str | Path) -> None:
    """Raise now the `ImageError` that `save_image` would raise after the work is done."""
    path = Path(path).expanduser()
    if path.suffix.lower() not in SAVE_OPTIONS:
        known = ", ".join(SAVE_OPTIONS)
        raise ImageError(f"'{path}' has no extension of a format to save in; use one of {known}")
    with refusing(path, ImageError):
        check_place(path)


def resize(image: Tensor, shape: Sequence[int]) -> Tensor:
    """An image (1, 3, H, W) at another (height, width): bicubic, antialiased, in [0, 1]."""
    if image.shape[-2:] == tuple(shape):
        return image.clone()
    size = (int(shape[0]), int(shape[1]))
    # On the CPU: older versions of torch cannot do this on Apple's GPUs.
    resized = interpolate(image.cpu(), size, mode="bicubic", antialias=True)
    return resized.clamp(0, 1).to(image.device)


def fit(image: Tensor, size: int) -> Tensor:
    """An image (1, 3, H, W) with its long side brought to `size`; a smaller one stays as it is."""
    return resize(image, fitted(image.shape[-2:], size))


def fitted(shape: Sequence[int], size: int) -> tuple[int, int]:
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
    if isinstance(source, str) and source.lower().startswith(("http://", "https://")):
        return io.BytesIO(fetch(source))
    try:
        path = Path(source).expanduser()
        if isinstance(source, str) and not path.is_file():
            path = _sample_path(source) or path
        if path.is_dir():
            raise ImageError(f"'{source}' is a folder; name a picture in it")
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        names = [name for names in sample_names().values() for name in names]
        close = get_close_matches(Path(source).name, names)
        hint = f"did you mean {' or '.join(close)}?" if close else f"samples: {', '.join(names)}"
        raise ImageError(f"there is no file or sample picture '{source}'; {hint}") from error
    except (OSError, RuntimeError) as error:
        raise ImageError(f"'{source}' cannot be read ({error}); check the path") from error


def _sample_path(name: str) -> Path | None:
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
