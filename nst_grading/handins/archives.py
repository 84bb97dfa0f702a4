"""Unpacks what is handed in: zip, tar (also compressed), 7z, gzip, told apart by their content.

Only plain files are unpacked, each into the folder meant for it: no links, no devices, no names
that lead out of it. A bomb ends at the limit, whatever sizes the archive claims.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import tarfile
import time
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from nst.errors import NstError

MOST = 200 * 10**6  # bytes that an archive may unpack to
MOST_FILES = 5000
PIECE = 1 << 20
Member = tuple[str, float, Any]  # its name, its time in seconds, its content


def kind(path: Path) -> str:
    """Which archive a file is: zip, 7z, rar, gzip, tar; empty if none."""
    with path.open("rb") as file:
        start = file.read(8)
    for name, magic in MAGIC.items():
        if start.startswith(magic):
            return "tar" if name == "gzip" and is_tar(path) else name
    return "tar" if is_tar(path) else ""


MAGIC: dict[str, bytes | tuple[bytes, ...]] = {
    "zip": (b"PK\x03\x04", b"PK\x05\x06"),
    "7z": b"7z\xbc\xaf\x27\x1c",
    "rar": b"Rar!",
    "gzip": b"\x1f\x8b",
}


def is_tar(path: Path) -> bool:
    """Whether it is a tar, compressed or not; a damaged file is none."""
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError):
        return False


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an archive into a folder, which is made; returns the folder.

    Raises:
        NstError: it is encrypted, damaged, too large, or of a kind that cannot be read.
    """
    read = READERS.get(kind(archive))
    if read is None:
        raise NstError(f"{archive.name} is {kind(archive) or 'no archive'}: ask for a zip.")
    folder.mkdir(parents=True, exist_ok=True)
    left, number = MOST, 0
    try:
        for name, when, content in read(archive):
            number += 1
            left -= write(content, folder.joinpath(*clean(name)), left)
            if left < 0 or number > MOST_FILES:
                what = f"{MOST // 10**6} MB" if left < 0 else f"{MOST_FILES} files"
                raise NstError(f"{archive.name} unpacks to more than {what}.")
            with contextlib.suppress(OSError, OverflowError):
                os.utime(folder.joinpath(*clean(name)), (when, when))
    except NstError:
        raise
    except Exception as error:  # these libraries raise all sorts of things at damaged files
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise NstError(f"{archive.name} cannot be unpacked ({said}).") from error
    return folder


def write(content: Any, path: Path, most: int) -> int:
    """Write at most so many bytes and one piece more; returns how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("wb") as file:
        while written <= most and (piece := content.read(PIECE)):
            written += file.write(piece)
    return written


def clean(name: str) -> list[str]:
    """The parts of a member's name, none of which leads elsewhere."""
    parts = name.replace("\\", "/").replace("\0", "").split("/")
    kept = [part[-150:] for part in parts if part not in ("", ".", "..") and part[1:] != ":"]
    return kept[-20:] or ["unnamed"]


def from_zip(path: Path) -> Iterator[Member]:
    """The files of a zip."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.flag_bits & 1:
                raise NstError(f"{path.name} is encrypted: ask for it without a password.")
            if not info.is_dir() and (info.external_attr >> 28) in (0, 8):  # 8: a plain file
                when = 0.0
                with contextlib.suppress(ValueError, OverflowError):
                    when = time.mktime((*info.date_time, 0, 0, -1))
                with archive.open(info) as content:
                    yield info.filename, when, content


def from_tar(path: Path) -> Iterator[Member]:
    """The plain files of a tar, however it is compressed."""
    with tarfile.open(path) as archive:
        for info in archive:
            content = archive.extractfile(info) if info.isfile() else None
            if content:
                yield info.name, float(info.mtime), content


def from_7z(path: Path) -> Iterator[Member]:
    """The plain files of a 7z archive."""
    from py7zr import SevenZipFile
    from py7zr.exceptions import DecompressionBombError, PasswordRequired
    from py7zr.io import BytesIOFactory

    try:
        with SevenZipFile(path, max_extract_size=MOST) as archive:
            if archive.needs_password():
                raise PasswordRequired(None, None)
            times = {i.filename: i.creationtime for i in archive.list() if i.is_file}
            contents = BytesIOFactory(MOST)
            archive.extract(targets=list(times), factory=contents)
    except PasswordRequired as error:
        raise NstError(f"{path.name} is encrypted: ask for it without a password.") from error
    except DecompressionBombError as error:
        raise NstError(f"{path.name} unpacks to more than {MOST // 10**6} MB.") from error
    for name, when in times.items():
        yield name, (when or datetime.fromtimestamp(0)).timestamp(), contents.get(name)


def from_gzip(path: Path) -> Iterator[Member]:
    """The one file of a gzip, named as the gzip without its suffix."""
    with gzip.open(path) as content:
        yield path.stem, path.stat().st_mtime, content


READERS = {"zip": from_zip, "tar": from_tar, "7z": from_7z, "gzip": from_gzip}
