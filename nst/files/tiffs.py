"""Which TIFFs Pillow reads right, which can be mended, and what the others are."""

from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

import numpy as np
from PIL import Image, TiffImagePlugin

from nst.errors import ImageError

WIDTH, HEIGHT, SUBFILE, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 254, 258, 259, 262
SAMPLES, PLANAR, EXTRAS, FORMAT, SUBSAMPLING, DEPTH, RAW = 277, 284, 338, 339, 530, 32997, 50706
SUBFILES, STRIPS, ROWS, TILE_WIDTH, TILE_HEIGHT, TILES = 330, 273, 278, 322, 323, 324

COLOURS = {0: "grey, white as 0", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "CMYK",
           6: "YCbCr", 8: "L*a*b*", 9: "L*a*b*", 10: "L*a*b*", 32803: "raw"}  # fmt: skip
KINDS = {1: "", 2: "signed", 3: "floating-point", 4: "", 5: "complex", 6: "complex"}
COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32771, 32773, 32946, 34925, 50000}  # that libtiff reads
COMPRESSION_NAMES = {6: "old JPEG", 34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000",
                     34887: "LERC", 34933: "PNG", 34934: "JPEG XR", 22610: "JPEG XR",
                     50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}  # fmt: skip


def refuse_tiff(image: Image.Image, name: str) -> None:
    """Raise `ImageError` for a TIFF whose pixels Pillow would misread."""
    tags = getattr(image, "tag_v2", {})
    if not trusted(tags):
        raise ImageError(f"{name} {description(tags)}")
    places = as_tuple(tags.get(STRIPS, tags.get(TILES, ())))
    if len(places) < parts(tags) or any(place < 8 for place in places):  # there stands the header
        raise ImageError(f"{name} is damaged (parts are missing); get it again from where it came")


def parts(tags: Mapping[int, Any]) -> int:
    """In how many strips or tiles the picture lies in the file."""
    width, height = tags.get(WIDTH, 0), tags.get(HEIGHT, 0)
    if STRIPS in tags:
        count = -(-height // max(1, min(height, tags.get(ROWS, height))))
    else:
        across, down = max(1, tags.get(TILE_WIDTH, 1)), max(1, tags.get(TILE_HEIGHT, 1))
        count = -(-width // across) * -(-height // down)
    return count * (tags.get(SAMPLES, 1) if tags.get(PLANAR, 1) == 2 else 1)


def is_thumbnail(image: Image.Image) -> bool:
    """Whether the page is a smaller version of another one."""
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(SUBFILE, 0) & 1) and getattr(image, "n_frames", 1) > 1


def trusted(tags: Mapping[int, Any]) -> bool:
    """Whether Pillow's reading of these tags, after `corrected_tiff`, is the file's meaning."""
    bits, samples = depths(tags), tags.get(SAMPLES, 1)
    kinds = set(as_tuple(tags.get(FORMAT, 1))) - {4}
    colour, separate = tags.get(PHOTOMETRIC), tags.get(PLANAR, 1) == 2 and samples > 1
    packed = tags.get(COMPRESSION, 1)
    if RAW in tags or tags.get(DEPTH, 1) != 1 or packed not in COMPRESSIONS or len(bits) != 1:
        return False
    if tags.get(PLANAR, 1) not in (1, 2):
        return False
    depth = bits.pop()
    if colour in (0, 1) and samples == 1:
        if kinds == {3}:
            return depth == 32
        return kinds <= {1} and depth in (
            (1, 2, 4, 8, 16) if colour == 0 else (1, 2, 4, 8, 12, 16, 32)
        )
    if kinds - {1}:
        return False
    if separate and (colour not in (2, 5) or samples > 4):
        return False
    if separate and packed == 1 and (depth != 8 or tuple(tags.get(EXTRAS, ())) not in ((), (2,))):
        return False
    if colour == 6:
        return packed == 7 or tuple(tags.get(SUBSAMPLING, (2, 2))) == (1, 1)
    allowed = {0: (8,), 1: (8,), 2: (8, 16), 3: (1, 2, 4, 8), 5: (8, 16), 8: (8,)}
    return depth in allowed.get(colour, ()) if colour is not None else False


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Some tags hold one number for all samples, some one for each."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def depths(tags: Mapping[int, Any]) -> set[int]:
    """How many bits the samples have."""
    return set(as_tuple(tags.get(BITS, 1)))


def description(tags: Mapping[int, Any]) -> str:
    """What the TIFF is, and what to do."""
    if RAW in tags or (tags.get(SUBFILE, 0) & 1 and SUBFILES in tags):
        return "is a camera's raw file; develop it, and save it as JPEG or PNG"
    kind = "".join({KINDS.get(k, "unknown") + " " for k in as_tuple(tags.get(FORMAT, 1))})
    words = f"{' and '.join(map(str, sorted(depths(tags))))}-bit {kind.lstrip()}numbers"
    colour = COLOURS.get(tags.get(PHOTOMETRIC, -1), "colours that are not named in it")
    words = f"is a TIFF of {words}, {tags.get(SAMPLES, 1)} a pixel ({colour})"
    if tags.get(PLANAR, 1) == 2:
        words += ", plane by plane"
    if (packed := tags.get(COMPRESSION, 1)) not in COMPRESSIONS:
        words += f", compressed as {COMPRESSION_NAMES.get(packed, f'number {packed}')}"
    if tags.get(DEPTH, 1) != 1:
        words += ", of a volume"
    return f"{words}, which is not read; save it as a PNG or TIFF of 8 or 16 bits"


def tiff_kind(file: IO[bytes]) -> str:
    """What a TIFF is that Pillow does not open, and what to do."""
    with suppress(Exception):  # whatever broken tags lead to
        file.seek(0)
        header = file.read(8)
        big = 43 in header[2:4]
        header += file.read(8) if big else b""
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
        if WIDTH in tags and HEIGHT in tags:
            return description(tags)
    return "is damaged or cut short; get it again from where it came"


def corrected_tiff(image: Image.Image) -> Image.Image:
    """The TIFF with 0 as black, and 12 and 32 bits as 16."""
    tags = getattr(image, "tag_v2", {})
    depth, inverted = max(depths(tags)), tags.get(PHOTOMETRIC) == 0
    if not (image.mode.startswith("I") or image.mode == "F"):
        return image
    values = np.asarray(image)
    if image.mode == "F":
        values = 1 - values if inverted else values
    else:
        if depth == 32:
            values = values.view(np.uint32) >> 16
        elif depth == 12:
            values = values * np.float32(65535 / 4095) + np.float32(0.5)
        values = values.astype(np.uint16)
        values = 65535 - values if inverted else values
    result = Image.fromarray(values)
    result.info = image.info
    return result
