"""From a picture file's bytes to pixels that mean what the file says.

Pillow reads the pixels. Some of what it reads it misunderstands (twelve bits as sixteen, white as
black, values beyond eight bits), and some it can only say that it does not know. So what is read
is settled here: a file is read right, or refused by a sentence that says what it is.
"""

import io
import logging
import math
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import IO, Any

from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, UnidentifiedImageError

from nst.errors import ImageError
from nst.files.fields import bare, is_number, shown
from nst.files.kinds import kind_of
from nst.files.pngs import correct_clear, deep, low_bytes, without_texts
from nst.files.tiffs import corrected_tiff, is_thumbnail, refuse_tiff

# No others: some have several readings, some run another program (EPS), some take minutes.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "AVIF", "TIFF", "JPEG2000", "PCX", "SGI",
           "ICO", "TGA")  # fmt: skip

LARGE = 2**25  # pixels, from which on a JPEG is decoded no larger than it is needed
HUGE = 2**29  # pixels of a JPEG that is decoded smaller: no phone takes as many
SLOW = {"bmp_rle": "run-length coding", "ppm_plain": "plain text"}  # decoded in Python
SLOW_LIMIT = 2**23  # pixels
MOST = 2**31  # pixels of a side
GAP = 3  # a JPEG that was decoded smaller is still so many times larger than what is made of it


def decode(file: IO[bytes], name: str, size: float | None = None) -> Image.Image:
    """The (first) picture in a file, of any of Pillow's modes, decoded.

    With `size`, a large JPEG comes smaller than it is, but not below `GAP` times a long side of
    `size` pixels. Raises `ImageError`, whatever the bytes are; `name` begins its sentence.
    """
    file = in_reach(file, name)
    file.seek(0)
    if file.read(8) == b"\x89PNG\r\n\x1a\n":
        file = without_texts(file)
    with quiet() as notes:
        image = identify(file, name, huge=size is not None)
        if image.format == "TIFF" and (lost := [n for n in notes if "Metadata" not in n]):
            raise failure(ValueError(lost[0]), name)  # tags that Pillow goes on without
        with suppress(EOFError):
            while is_thumbnail(image):
                image.seek(image.tell() + 1)
        refuse(image, file, name)
        if image.format in ("JPEG", "MPO") and size and image.width * image.height > LARGE:
            share = GAP * size / max(image.size)
            wanted = [max(1, int(side * share)) for side in image.size]
            image.draft("", (wanted[0], wanted[1]))
            if image.width * image.height > most():
                raise failure(Image.DecompressionBombError(), name)
        return load(image, file, name)


def in_reach(file: Any, name: str) -> IO[bytes]:
    """The file, if it can be read in any order; else what it holds, in memory.

    Raises `ImageError` for one that is closed, open as text or for writing, or breaks off.
    """
    try:
        if seekable := hasattr(file, "seekable") and file.seekable():
            file.seek(0, 2)
        data = file.read(0) if seekable else file.read()
    except Exception as error:  # whatever a stream or an archive raises
        reason = str(error).rstrip(".") or type(error).__name__
        raise ImageError(f"{name} cannot be read ({reason}); open it anew, in mode 'rb'") from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ImageError(f"{name} is open as text; open it as binary, with mode 'rb'")
    return file if seekable else io.BytesIO(data)


def long_side(size: Any) -> float | None:
    """A long side in pixels as a plain number, no larger than there are pictures; None for none."""
    size = bare(size)
    if size is None:
        return None
    if not is_number(size, 1, math.inf):
        raise ImageError(
            f"size is the long side in pixels, one number that must be at least 1, not "
            f"{shown(size)}"
        )
    return float(min(size, MOST))


class Notes(list[str]):
    """What Pillow warned of."""

    def __call__(self, message: Warning | str, *_: object, **__: object) -> None:
        """As `warnings.showwarning`."""
        self.append(str(message))


@contextmanager
def quiet() -> Iterator[Notes]:
    """Keep to ourselves what Pillow warns of: it is in the exception, or was no matter."""
    notes, handler, logger = Notes(), logging.NullHandler(), logging.getLogger("PIL")
    logger.addHandler(handler)  # without any, Python prints what is logged
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = notes
            yield notes
    finally:
        logger.removeHandler(handler)


def most() -> int:
    """How many pixels a picture may be decoded to."""
    return 2 * (Image.MAX_IMAGE_PIXELS or 2**62)  # None for those who switch the limit off


def identify(file: IO[bytes], name: str, huge: bool = False) -> ImageFile.ImageFile:
    """Open the file with the one of `FORMATS` that it is.

    `huge`: JPEGs up to `HUGE` pixels too, which `decode` will bring down.
    """
    Image.init()
    known = [kind for kind in FORMATS if kind in Image.OPEN]
    file.seek(0)
    if not is_targa(file):
        known.remove("TGA")
    file.seek(0)
    try:
        return Image.open(file, formats=known)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} {kind_of(file)}") from error
    except Exception as error:
        if huge and isinstance(error, Image.DecompressionBombError):
            with suppress(Exception):  # another format
                file.seek(0)
                image = JpegImagePlugin.JpegImageFile(file)
                if image.width * image.height <= HUGE:
                    return image
        raise failure(error, name) from error


def is_targa(file: IO[bytes]) -> bool:
    """Whether the file ends as a TGA may; at the beginning any file could be one."""
    file.seek(max(0, file.seek(0, 2) - 26))
    return b"TRUEVISION-XFILE." in file.read()


def failure(error: Exception, name: str) -> ImageError:
    """What to say when a decoder fails; Pillow's raise whatever the broken bytes lead them to."""
    if isinstance(error, Image.DecompressionBombError):
        return ImageError(
            f"{name} is larger than the {most() // 10**6} megapixels "
            "that are read; shrink it in another program first"
        )
    if isinstance(error, MemoryError):
        return ImageError(f"{name} does not fit into memory; shrink it in another program first")
    reason = " ".join(str(error).split()) or type(error).__name__
    if "too large for PngImagePlugin" in reason:
        return ImageError(
            f"{name} has a colour profile or a text of more than a megabyte, which is not read; "
            "save it again without them"
        )
    return ImageError(f"{name} is damaged or cut short ({reason}); get it again from where it came")


def refuse(image: Image.Image, file: IO[bytes] | None, name: str) -> None:
    """Raise `ImageError` for what Pillow reads wrong, or takes minutes to read."""
    if image.format == "TIFF":
        refuse_tiff(image, name)
    if image.format == "JPEG2000" and file:
        file.seek(0)
        place = (data := file.read()).find(b"\xff\x4f\xff\x51")
        depth = data[place + 42] + 1 if 0 <= place < len(data) - 42 else 0  # above 128: signed
        if depth != 8 and not (image.mode == "I;16" and 8 < depth <= 16):
            raise ImageError(
                f"{name} is a JPEG 2000 of {depth % 128}-bit "
                f"{'signed ' * (depth > 128)}numbers, which is not read; save it as PNG"
            )
    for coding in codings(image) & SLOW.keys():
        if image.width * image.height > SLOW_LIMIT:
            raise ImageError(
                f"{name} has {image.width} × {image.height} pixels in {SLOW[coding]}, which takes "
                "very long to read; save it as PNG"
            )


def codings(image: Image.Image) -> set[str]:
    """The decoders that the pixels still need."""
    return {str(tile[0]) for tile in getattr(image, "tile", ())}


@contextmanager
def muted() -> Iterator[None]:
    """Nothing reaches the process's standard error, to which libtiff writes by itself."""
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # there is none, or there are too many open files
        yield
        return
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load(image: Image.Image, file: IO[bytes] | None, name: str) -> Image.Image:
    """Decode the pixels, and mend what they mean."""
    try:
        correct_clear(image, file)
        low, box = low_bytes(image, file), frame_of(image)
        with muted() if "libtiff" in codings(image) else nullcontext():
            image.load()
        image = on_background(image, box) if box else image
        return corrected(image) if low is None else deep(image, low)
    except OSError as error:
        whole = endless_jpeg(file) if file and image.format in ("JPEG", "MPO") else None
        if whole is None:
            raise failure(error, name) from error
        return corrected(whole)
    except Exception as error:
        raise failure(error, name) from error


def corrected(image: Image.Image) -> Image.Image:
    """The decoded picture with the values that its file meant."""
    if getattr(image, "tag_v2", None):
        return corrected_tiff(image)
    if image.format in ("JPEG", "MPO") and image.mode == "CMYK" and "adobe" not in image.info:
        inverted = ImageChops.invert(image)  # Pillow takes all inks to be Adobe's, from 255 to 0
        inverted.info = image.info
        return inverted
    return image


def frame_of(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Where an opaque GIF's image lies, if it does not fill the screen."""
    places = [tile[1] for tile in getattr(image, "tile", ()) if image.format == "GIF"]
    whole = not places or places[0] == (0, 0, *image.size)
    return None if whole or "transparency" in image.info else places[0]


def on_background(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """A GIF's image on the background's colour (GIF89a, 18), where Pillow takes colour 0."""
    place, table = image.info.get("background", 0), getattr(image, "global_palette", None)
    colour = tuple(table.palette[3 * place : 3 * place + 3]) if table else (place,) * 3
    screen = Image.new("RGB", image.size, colour)
    screen.paste(image.convert("RGB").crop(box), box)
    return screen


def endless_jpeg(file: IO[bytes]) -> Image.Image | None:
    """The picture of a JPEG that lacks nothing but the marker at its end; None if it lacks more.

    Then what follows it makes no difference. A progressive one must also have sent every
    coefficient to its last bit.
    """
    file.seek(0)
    data, pictures = file.read(), []
    for filler in (b"", b"\x55" * 4096):
        with suppress(Exception):
            image = Image.open(io.BytesIO(data + filler + b"\xff\xd9"), formats=["JPEG"])
            image.load()
            pictures.append(image)
    same = len(pictures) == 2 and pictures[0].tobytes() == pictures[1].tobytes()
    return pictures[0] if same and all_scans(data) else None


def all_scans(data: bytes) -> bool:
    """Whether a JPEG's scans (ITU-T T.81, B.2.3 and G.1) send all that belongs to its picture."""
    if not (frame := re.search(rb"\xff\xc2..\x08....(.)", data, re.DOTALL)):
        return True  # sequential: a missing scan is missing pixels
    ids = [data[frame.end() + 3 * i] for i in range(frame[1][0])]
    sent = {component: set[int]() for component in ids}
    for scan in re.finditer(rb"\xff\xda..([\x01-\x04])", data, re.DOTALL):
        count, place = scan[1][0], scan.end()
        first, last, bits = data[place + 2 * count : place + 2 * count + 3]
        for component in data[place : place + 2 * count : 2]:
            if component in sent and bits & 15 == 0:
                sent[component] |= set(range(first, last + 1))
    return all(len(coefficients) == 64 for coefficients in sent.values())
