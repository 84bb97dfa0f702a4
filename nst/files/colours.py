"""Pixels of any mode to 8-bit sRGB on white."""

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms

from nst.errors import ImageError

STRIP = 2**22  # pixels of a picture that are converted at a time

# EXIF's orientation: what turns the stored picture upright.
UPRIGHT = dict(enumerate(map(Image.Transpose, (0, 3, 1, 5, 4, 6, 2)), start=2))

# What Pillow notes of colours, and as what; a text of the same name may stand in its place.
NOTED: dict[str, tuple[type, ...]] = {
    "transparency": (int, bytes, tuple),
    "gamma": (int, float),
    "chromaticity": (tuple,),
    "srgb": (int,),
    "icc_profile": (bytes,),
}

Chromaticities = tuple[tuple[float, float], ...]  # x, y of white, red, green, blue

SRGB: Chromaticities = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


class Calibration(NamedTuple):
    """What a PNG's gAMA and cHRM chunks say (PNG specification, third edition, 11.3.2).

    `power` turns a value into light, None by sRGB's own curve; `matrix` turns light into sRGB's.
    """

    power: float | None
    matrix: np.ndarray

    @classmethod
    def of(cls, info: Mapping[Any, Any]) -> "Calibration | None":
        """That of Pillow's notes on a picture; None where its values are sRGB as they are.

        A colour profile and the sRGB chunk come before these chunks, and primaries without a curve
        say too little. A gamma within 5 % of 1/2.2 means sRGB, as for libpng.
        """
        info = noted(info)
        gamma = info.get("gamma", 0)
        if not gamma > 1e-9 or "icc_profile" in info or "srgb" in info:
            return None
        power, matrix = None if abs(gamma * 2.2 - 1) <= 0.05 else 1 / gamma, np.eye(3)
        if len(points := info.get("chromaticity", ())) == 8 and min(points[1::2]) > 0:
            pairs = tuple(zip(points[::2], points[1::2], strict=True))
            if np.abs(np.subtract(pairs, SRGB)).max() > 0.005:
                with suppress(np.linalg.LinAlgError):  # primaries on one line
                    matrix = to_srgb(pairs)
        return None if power is None and np.array_equal(matrix, np.eye(3)) else cls(power, matrix)

    def srgb(self, colours: np.ndarray) -> np.ndarray:
        """Colours (…, 3) in [0, 1], float32, as sRGB."""
        if self.power is None:
            light = np.where(
                colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4
            )
        else:
            light = colours**self.power
        light = np.clip(light @ self.matrix.T.astype(np.float32), 0, 1)
        return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def to_xyz(points: Chromaticities) -> np.ndarray:
    """From linear RGB of these chromaticities to XYZ (SMPTE RP 177)."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in points]).T
    return columns[:, 1:] * np.linalg.solve(columns[:, 1:], columns[:, 0])


def to_srgb(points: Chromaticities) -> np.ndarray:
    """From linear RGB of these chromaticities to linear sRGB; the white is adapted (Bradford)."""
    source, target = to_xyz(points), to_xyz(SRGB)
    ratio = BRADFORD @ target.sum(1) / (BRADFORD @ source.sum(1))
    adapted = np.linalg.inv(BRADFORD) @ np.diag(ratio) @ BRADFORD
    return np.linalg.inv(target) @ adapted @ source


def from_array(array: np.ndarray, name: str) -> Image.Image:
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


def plain(image: Image.Image, shape: tuple[int, int], name: str) -> Image.Image:
    """An image of any mode, brought to (height, width), in sRGB on white, and turned upright.

    By strips, so that a large picture is in memory once, and in full size at most as it was read.
    Pillow too shrinks along the rows first, so the result is the same.
    """
    return by_strips(image, shape, "RGB", lambda strip: flatten(strip, name))


def outline(image: Image.Image) -> Image.Image | None:
    """Where an image of any mode is opaque, as mode L, upright; None if it is everywhere."""
    if alpha_of(part_of(image, (0, 0, 1, 1))) is None:
        return None
    shape = image.height, image.width
    found = by_strips(image, shape, "L", lambda strip: alpha_of(strip) or strip.convert("L"))
    return None if found.getextrema() == (255, 255) else found


def noted(info: Mapping[Any, Any]) -> dict[str, Any]:
    """What Pillow's notes on a picture say of its colours."""
    return {name: value for name, value in info.items() if isinstance(value, NOTED.get(name, ()))}


def part_of(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """A part of an image, with the notes on its colours."""
    part = image.crop(box)
    part.info = noted(image.info)  # type: ignore[assignment]
    if image.mode.endswith(("A", "a")):
        part.info.pop("transparency", None)
    return part


def by_strips(
    image: Image.Image,
    shape: tuple[int, int],
    mode: str,
    convert: Callable[[Image.Image], Image.Image],
) -> Image.Image:
    """The image as `convert` makes its parts, brought to (height, width), upright."""
    height, width = shape
    rows, lanczos = max(1, STRIP // image.width), Image.Resampling.LANCZOS
    narrow = Image.new(mode, (width, image.height))
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(top + rows, image.height))
        strip = convert(part_of(image, box))
        narrow.paste(strip.resize((width, strip.height), lanczos), (0, top))
    turn = None
    with suppress(Exception):  # broken EXIF data are no reason to lose the picture
        turn = UPRIGHT.get(image.getexif().get(0x0112, 1))
    small = narrow.resize((width, height), lanczos)
    return small if turn is None else small.transpose(turn)


def alpha_of(image: Image.Image) -> Image.Image | None:
    """How opaque an image of any mode is, as mode L; None if it says nothing of it."""
    clear, deep = image.info.get("transparency"), is_deep(image)
    if clear is None if deep else not image.has_transparency_data:
        return None
    try:
        if deep:
            return Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8))
        return image.convert("LA" if is_grey(image) else "RGBA").getchannel("A")
    except (TypeError, ValueError, OverflowError) as error:
        raise ImageError(
            f"the image has a transparent colour that is none of its mode, {image.mode}; save it "
            "with an alpha channel"
        ) from error


def is_deep(image: Image.Image) -> bool:
    """Whether it has one number a pixel, of more than eight bits."""
    return image.mode == "F" or image.mode.startswith("I")


def is_grey(image: Image.Image) -> bool:
    """Whether its colours are greys, of eight bits."""
    return image.mode in ("1", "L", "LA", "La")


def flatten(image: Image.Image, name: str) -> Image.Image:
    """Convert to sRGB, and lay transparency over white: mode RGB, no metadata."""
    profile, calibration = image.info.get("icc_profile"), Calibration.of(image.info)
    deep, alpha = is_deep(image), alpha_of(image)
    try:
        if not deep and alpha is not None:
            image = image.convert("LA" if is_grey(image) else "RGBA")
        if not deep and image.mode != "CMYK":
            image = image.convert("L" if is_grey(image) else "RGB")
    except ValueError as error:
        raise ImageError(f"{name} has colours of mode {image.mode}; save it as RGB") from error
    if deep:  # Pillow would clip these at 255
        with np.errstate(invalid="ignore"):  # NaN is refused below
            values = np.asarray(image) / np.float32(1 if image.mode == "F" else 65535)
        from_array(values, name)  # refuses what is beyond black and white
        if calibration:
            values = calibration.srgb(np.clip(values, 0, 1)[..., None].repeat(3, axis=2))
        image, calibration = from_array(values, name), None
    if calibration:
        colours = np.asarray(image.convert("RGB")) / np.float32(255)
        image = from_array(calibration.srgb(colours), name)
    else:
        image = by_profile(image, profile)
    if alpha is not None:
        # After the conversion, since the white behind is sRGB's white.
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=alpha)
        image = white
    image.info = {}  # else a second pass would apply the profile again
    return image


def by_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert mode L, RGB or CMYK to RGB, by the colour profile where there is a good one."""
    if profile:
        with suppress(Exception):  # a broken profile, or one for another kind of picture
            converted = ImageCms.applyTransform(image, transform_of(profile, image.mode))
            if converted is not None:
                return converted
    return image.convert("RGB")


@lru_cache(maxsize=8)
def transform_of(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """From a profile's colours to sRGB, made once for all strips of a picture, and for the next."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    fine = ImageCms.Flags.HIGHRESPRECALC  # the default is off by several levels in shadows
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=fine)
