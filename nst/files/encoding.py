"""From a finished picture to a file's bytes, with the settings that made it."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from nst.errors import ImageError, SettingsError
from nst.files.fields import bare
from nst.files.writing import check_place, expand, refusing

# 4:4:4 (subsampling 0) keeps the colour of single brush strokes, which JPEG's default halves.
SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
}


def check_output(path: str | Path, quality: int | None = None, outline: bool = False) -> None:
    """Raise now the `ImageError` that `save_image` would raise after the work is done."""
    path = expand(path)
    save_options(path, quality, outline)
    with refusing(path, ImageError):
        check_place(path)


def save_options(path: Path, quality: int | None, outline: bool) -> dict[str, Any]:
    """What Pillow is told for a file of that name; `outline`: whether there is one to keep."""
    options = SAVE_OPTIONS.get(path.suffix.lower())
    if options is None:
        known = ", ".join(SAVE_OPTIONS)
        raise ImageError(f"'{path}' has no extension of a format to save in; use one of {known}")
    if outline and options["format"] == "JPEG":
        raise ImageError(f"'{path}' would be a JPEG, which keeps no outline; save as PNG or WebP")
    if quality is None:
        return options
    if options["format"] == "PNG":
        raise ImageError(f"'{path}' would be a PNG, which loses nothing; save as JPEG or WebP")
    if isinstance(quality, bool) or not (isinstance(quality, int) and 1 <= quality <= 100):
        raise ImageError(f"quality is a whole number from 1 to 100, not {quality!r}")
    return {**options, "quality": quality}


def encode(picture: Image.Image, options: dict[str, Any], text: str | None) -> bytes:
    """The file of a picture; in a PNG with a text chunk "nst". Raises `ImageError`."""
    if text is not None and options["format"] == "PNG":
        chunks = PngInfo()
        chunks.add_text("nst", text)
        options = {**options, "pnginfo": chunks}
    file = io.BytesIO()
    try:
        picture.save(file, **options)
    except (OSError, ValueError) as error:
        raise ImageError(
            f"{options['format']} cannot hold {picture.width} × {picture.height} pixels ({error}); "
            "save as PNG"
        ) from error
    return file.getvalue()


def as_json(settings: Any) -> str | None:
    """Settings, or plain data, as text. Raises `SettingsError` if they do not fit."""
    try:
        return None if settings is None else json.dumps(settings, indent=2, default=plainer)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"the settings do not fit into JSON ({error})") from error


def plainer(value: Any) -> Any:
    """As JSON has it: a dataclass as a dict, a path as text, NumPy's numbers as Python's."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if (plain := bare(value)) is value:
        raise TypeError(f"a {type(value).__name__} is no plain data")
    return plain
