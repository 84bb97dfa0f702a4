"""Pictures as they come to plain ones: upright, 8 bits, sRGB, opaque.

A file says much more than its pixels: which way is up, what its numbers mean as colours, what
shines through it. All of it is settled here, once. Every refusal is an `ImageError`.
"""

import io
import warnings
from contextlib import suppress
from typing import IO

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from nst.errors import ImageError

# Formats that are read, by Pillow's names, as far as it has been built with them. Not among them:
# EPS, which Pillow has Ghostscript run as the program that it is, and those that need a handler.
FORMATS = (
    "AVIF", "BLP", "BMP", "CUR", "DCX", "DDS", "DIB", "FITS", "FLI", "FTEX", "GBR", "GIF", "HEIF",
    "ICNS", "ICO", "IM", "IMT", "JPEG", "JPEG2000", "MPO", "MSP", "PCD", "PCX", "PIXAR", "PNG",
    "PPM", "PSD", "QOI", "SGI", "SPIDER", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM", "XVTHUMB",
)  # fmt: skip


def decode(source: IO[bytes] | Image.Image, name: str) -> Image.Image:
    """Decode the pixels of (the first frame of) a picture; every way to fail is an ImageError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = source if isinstance(source, Image.Image) else _identify(source)
            image.load()
        return image
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(
            f"{name} has more pixels than is safe to decode; shrink it, or raise "
            "PIL.Image.MAX_IMAGE_PIXELS if you trust it"
        ) from error
    except UnidentifiedImageError as error:
        empty = not isinstance(source, Image.Image) and source.seekable() and not source.seek(0, 2)
        fault = "is empty" if empty else "is not a picture in a format that can be read"
        raise ImageError(f"{name} {fault}; give a PNG, JPEG or WebP file") from error
    except Exception as error:  # Pillow's decoders raise whatever the broken bytes lead them to
        raise ImageError(
            f"{name} is damaged or cut short ({error}); get it again from where it came"
        ) from error


def _identify(source: IO[bytes]) -> Image.Image:
    """Read a picture's header."""
    Image.init()  # else formats that come late in Pillow's order may not be there yet
    return Image.open(source, formats=[name for name in Image.ID if name in FORMATS])


def plain(source: IO[bytes] | Image.Image | np.ndarray, name: str) -> Image.Image:
    """A picture file, PIL image or array as an upright, opaque 8-bit sRGB image of mode RGB.

    Raises:
        ImageError: it cannot be understood; the message calls it `name`.
    """
    if isinstance(source, np.ndarray):
        return _flatten(_from_array(source, name), name)
    return _flatten(decode(source, name), name)


def _from_array(array: np.ndarray, name: str) -> Image.Image:
    """Quantise an array to 8 bits: mode L, RGB or RGBA."""
    white = {"b": 1, "u1": 255, "u2": 65535, "f": 1}
    kind = array.dtype.kind if array.dtype.kind in "bf" else f"{array.dtype.kind}{array.itemsize}"
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or not array.size or kind not in white:
        raise ImageError(
            f"{name} of shape {array.shape} and {array.dtype} is no picture; give (H, W), (H, W, 1)"
            ", (H, W, 3) or (H, W, 4) of uint8, uint16, bool or floats"
        )
    # Written so that NaN fails it too; a little beyond [0, 1] is the rounding of a computation.
    if kind == "f" and not (array.min() > -1e-3 and array.max() < 1 + 1e-3):
        raise ImageError(
            f"{name} has values from {array.min():g} to {array.max():g}; scale them to [0, 1]"
        )
    pixels = np.rint(array * np.float32(255 / white[kind])).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if array.ndim == 3 and channels == 1 else pixels)


def _flatten(image: Image.Image, name: str) -> Image.Image:
    """Turn upright, convert to sRGB, and lay transparency over white: mode RGB, no metadata."""
    with suppress(Exception):  # broken EXIF data are no reason to lose the picture
        image = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile")
    if image.mode == "F" or image.mode.startswith("I"):  # Pillow would clip these at 255
        image = _from_array(np.asarray(image) / (1 if image.mode == "F" else 65535), name)
    alpha, grey = None, image.mode in ("1", "L", "LA", "La")
    try:
        if image.has_transparency_data:
            image = image.convert("LA" if grey else "RGBA")
            alpha = image.getchannel("A")
        if image.mode != "CMYK":
            image = image.convert("L" if grey else "RGB")
    except ValueError as error:
        raise ImageError(f"{name} has colours of mode {image.mode}; save it as RGB") from error
    image = _to_srgb(image, profile)
    if alpha is not None:
        # After the conversion, since the white behind is sRGB's white.
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    image.info = {}  # else a second pass would apply the profile again
    return image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert mode L, RGB or CMYK to RGB, by the colour profile where there is a good one."""
    if profile:
        with suppress(Exception):  # a broken profile, or one for another kind of picture
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            fine = ImageCms.Flags.HIGHRESPRECALC  # the default is off by several levels in shadows
            converted = ImageCms.profileToProfile(
                image, source, target, outputMode="RGB", flags=fine
            )
            if converted is not None:
                return converted
    return image.convert("RGB")
