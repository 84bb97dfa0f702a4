"""What a file is that is not read as a picture, in words for the person who gave it."""

import mimetypes
import re
from pathlib import Path
from typing import IO

from PIL import Image

from nst.files.tiffs import tiff_kind

EXPORT = "export it as PNG or JPEG"

# Pattern at the beginning, what the file is, what to do.
KINDS: tuple[tuple[bytes, str, str], ...] = (
    (rb"....ftyp(hei|hev|mif1|msf1)", "is an HEIC photograph, as iPhones take them",
     "export it as JPEG (for new ones: Settings, Camera, Formats, Most Compatible)"),
    (rb"....ftypavi[fs]", "is an AVIF picture, which needs Pillow 11.3",
     "pip install -U pillow, or save it as PNG"),
    (rb"....ftypcrx |FUJIFILMCCD-RAW|II(\*\0....CR|U\0|RO)|MMOR|\0MRM|FOVb",
     "is a camera's raw file", "develop it, and save it as JPEG or PNG"),
    (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI |FLV|\0\0\x01\xba", "is not a picture but a film",
     "save one picture of it as PNG"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "is a JPEG XL picture", EXPORT),
    (rb"II\xbc", "is a JPEG XR picture", EXPORT),
    (rb"#\?R", "is a Radiance picture, of unlimited brightness", EXPORT),
    (rb"v/1\x01", "is an OpenEXR picture, of unlimited brightness", EXPORT),
    (rb"8BPS", "is a Photoshop document", EXPORT),
    (rb"gimp xcf", "is a GIMP document", EXPORT),
    (rb"%PDF", "is not a picture but a PDF document", "save one page or picture of it as PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "is not a picture but a PostScript drawing", EXPORT),
    (rb"qoif", "is a QOI picture", EXPORT),
    (rb"DDS ", "is a DDS texture", EXPORT),
    (rb"SIMPLE  =", "is a FITS picture", EXPORT),
    (rb"icns", "is an ICNS icon", EXPORT),
    (rb"AT&TFORM", "is a DjVu document", EXPORT),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0....{36}EMF", "is a Windows metafile", EXPORT),
    (rb"PK\x03\x04", "is not a picture but a ZIP archive or a document", "name a picture from it"),
    (rb"\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ", "is not a picture but a compressed archive",
     "name a picture from it"),
    (rb"(?i)\s*(<\?xml[^>]*>\s*)?(<!--.*-->\s*)?(<!doctype svg[^>]*>\s*)?<svg",
     "is an SVG drawing", EXPORT),
    (rb"(?i)\s*(<\?xml[^>]*>\s*)?(<!doctype html|<html|<head|<body)",
     "is not a picture but a web page", "give the address of the picture itself"),
)  # fmt: skip


def is_picture_name(name: str) -> bool:
    """Whether a file's name ends as those of pictures do; not every system knows the newer ones."""
    kind = mimetypes.guess_type(name)[0] or ""
    newer = Path(name).suffix.lower() in (".webp", ".avif", ".heic", ".heif")
    return kind.startswith("image/") or newer


def known_kind(start: bytes) -> str | None:
    """What a file is that begins so, if it is surely none that is read, and what to do."""
    for pattern, what, advice in KINDS:
        if re.match(pattern, start, re.DOTALL):
            if what.startswith("is an AVIF") and "AVIF" in Image.OPEN:
                return None  # then it is broken
            return f"{what}; {advice}"
    return None


def kind_of(file: IO[bytes]) -> str:
    """What the file is and what to do: "is a PDF document; save one page …"."""
    file.seek(0)
    start = file.read(4096).removeprefix(b"\xef\xbb\xbf")
    if not start:
        return "is empty; give a PNG, JPEG or WebP file"
    if known := known_kind(start):
        return known
    if start.startswith(b"\xff\xd8"):
        return jpeg_kind(file)
    if start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return tiff_kind(file)
    if (
        start.startswith((b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF"))
        or b"ftypavi" in start[:12]
    ):
        return "is damaged or cut short; get it again from where it came"
    return "is not a picture in a format that can be read; give a PNG, JPEG or WebP file"


JPEG_CODINGS = {0xC3: "a lossless JPEG", 0xF7: "a JPEG-LS", 0xC9: "a JPEG in arithmetic coding"}


def jpeg_kind(file: IO[bytes]) -> str:
    """What a JPEG is that Pillow does not read: the coding and the depth in its frame's header."""
    file.seek(0)
    data, place = file.read(), 2
    while data[place : place + 1] == b"\xff" and place + 5 <= len(data):
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in JPEG_CODINGS or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            what = JPEG_CODINGS.get(marker, "a JPEG")
            if what != "a JPEG" or data[place + 4] != 8:
                return f"is {what} of {data[place + 4]} bits, which is not read; save it as PNG"
            break
        place += 2 + length
    return "is damaged or cut short; get it again from where it came"
