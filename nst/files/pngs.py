"""What Pillow loses of a PNG: a transparent colour of few bits, and the last bits of sixteen."""

import struct
from typing import IO

import numpy as np
from PIL import Image

from nst.files.colours import Calibration

DEPTHS = {"1": 1, "L;2": 2, "L;4": 4, "L": 8, "RGB": 8}  # bits a number, by Pillow's raw modes


def raw_mode(image: Image.Image) -> str:
    """How the numbers lie in a PNG that is not decoded yet; empty for anything else."""
    return "".join(str(tile[3]) for tile in getattr(image, "tile", ()) if image.format == "PNG")


def correct_clear(image: Image.Image, file: IO[bytes] | None) -> None:
    """Bring the transparent colour to the eight bits that the picture is decoded to.

    Only the lowest bits count, as many as the picture has (PNG specification, third edition,
    11.3.1.1).
    """
    depth = DEPTHS.get(raw_mode(image))
    if depth and file and "transparency" in image.info and (clear := transparent(file)):
        white = 2**depth - 1
        levels = tuple((value & white) * 255 // white for value in clear)
        image.info["transparency"] = levels if image.mode == "RGB" else levels[0]


def transparent(file: IO[bytes]) -> tuple[int, ...]:
    """The numbers in a PNG's tRNS chunk; empty if there is none."""
    place = file.tell()
    file.seek(8)
    try:
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name == b"tRNS":
                return struct.unpack(f">{length // 2}H", file.read(length // 2 * 2))
            if name in (b"IDAT", b"IEND"):
                break
            file.seek(length + 4, 1)
        return ()
    finally:
        file.seek(place)


def low_bytes(image: Image.Image, file: IO[bytes] | None) -> np.ndarray | None:
    """Of a PNG of 16-bit colours, the last eight bits, which Pillow drops; None if none matter.

    They do where one colour is transparent, and where the values are far from sRGB's.
    """
    raw = raw_mode(image)
    matter = Calibration.of(image.info) or "transparency" in image.info
    if raw not in ("RGB;16B", "RGBA;16B") or not file or not matter:
        return None
    with Image.open(file, formats=["PNG"]) as again:
        # In the other byte order the unpacker takes the other byte.
        again.tile = [(*again.tile[0][:3], f"{raw[:-1]}L")]
        again.load()
        return np.asarray(again)


def deep(image: Image.Image, low: np.ndarray) -> Image.Image:
    """The picture in 8 bits, from high and low bytes, calibrated, its one clear colour as alpha."""
    values = np.asarray(image).astype(np.uint16) << 8 | low
    calibration = Calibration.of(image.info)
    alpha = values[..., 3:] / 257
    if image.mode == "RGB":
        clear = np.array(image.info.get("transparency", (-1, -1, -1)))
        alpha = np.where((values == clear).all(2, keepdims=True), 0, 255)
    colours = values[..., :3] / np.float32(65535)
    colours = calibration.srgb(colours) if calibration else colours
    pixels = np.concatenate([np.rint(colours * 255), np.rint(alpha)], axis=2).astype(np.uint8)
    result = Image.fromarray(pixels)
    kept = ("icc_profile", "exif")
    result.info = {key: image.info[key] for key in kept if key in image.info}
    return result
