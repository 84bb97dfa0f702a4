"""What Pillow gets wrong of a PNG: a transparent colour of few bits, the last bits of sixteen, and
texts that it takes for what the file says of its colours.
"""

import io
import struct
from collections.abc import Iterator
from typing import IO

import numpy as np
from PIL import Image

from nst.files.colours import Calibration, noted

# Keywords of texts that are read; and those of the PNG specification (third edition, 11.3.3.2),
# which Pillow may read as long as they are short and not compressed.
READ = {b"nst", b"Raw profile type exif", b"XML:com.adobe.xmp"}
PLAIN = {b"Title", b"Author", b"Description", b"Copyright", b"Creation Time", b"Software",
         b"Disclaimer", b"Warning", b"Source", b"Comment", b"Collection"}  # fmt: skip
LONG = 2**20  # bytes

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
        image.info["transparency"] = levels[:3] if image.mode == "RGB" else levels[0]


def chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the body and its length, of every chunk of a PNG as far as it can be read."""
    place = 8
    file.seek(place)
    while len(head := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", head)
        yield name, place + 8, length
        if name == b"IEND":
            break
        place += length + 12
        file.seek(place)


def without_texts(file: IO[bytes]) -> IO[bytes]:
    """The PNG without texts by which Pillow would be misled; the file itself if it has none.

    Pillow keeps a text under its keyword among its own notes, so that one called "gamma" or
    "transparency" counts as what the chunks of these names say; and of long texts it says that the
    file is broken.
    """
    cuts = [0]
    for name, place, length in chunks(file):
        if name in (b"tEXt", b"zTXt", b"iTXt"):
            file.seek(place)
            keyword = file.read(min(length, 80)).partition(b"\0")[0]
            plain = name == b"tEXt" and keyword in PLAIN and length <= LONG
            if keyword not in READ and not plain:
                cuts += [place - 8, place + length + 4]
    if len(cuts) == 1:
        return file
    parts, ends = [], [*cuts[1::2], None]
    for begin, end in zip(cuts[::2], ends, strict=True):
        file.seek(begin)
        parts.append(file.read() if end is None else file.read(end - begin))
    return io.BytesIO(b"".join(parts))


def transparent(file: IO[bytes]) -> tuple[int, ...]:
    """The numbers in a PNG's tRNS chunk; empty if there is none."""
    before = file.tell()
    try:
        for name, place, length in chunks(file):
            if name == b"tRNS":
                file.seek(place)
                return struct.unpack(f">{length // 2}H", file.read(length // 2 * 2))
            if name == b"IDAT":
                break
        return ()
    finally:
        file.seek(before)


def low_bytes(image: Image.Image, file: IO[bytes] | None) -> np.ndarray | None:
    """Of a PNG of 16-bit colours, the last eight bits, which Pillow drops; None if none matter.

    They do where one colour is transparent, and where the values are far from sRGB's.
    """
    raw = raw_mode(image)
    matter = Calibration.of(image.info) or "transparency" in noted(image.info)
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
        clear = np.array(noted(image.info).get("transparency", (-1, -1, -1)))
        alpha = np.where((values == clear).all(2, keepdims=True), 0, 255)
    colours = values[..., :3] / np.float32(65535)
    colours = calibration.srgb(colours) if calibration else colours
    pixels = np.concatenate([np.rint(colours * 255), np.rint(alpha)], axis=2).astype(np.uint8)
    result = Image.fromarray(pixels)
    kept = ("icc_profile", "exif")
    result.info = {key: image.info[key] for key in kept if key in image.info}
    return result
