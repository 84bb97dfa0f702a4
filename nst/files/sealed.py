"""Values in files that know whether they are still what was written."""

import hashlib
import os
import warnings
from pathlib import Path
from typing import IO, Any

import torch

DIGITS = 64  # of a SHA-256, at the end of the file: a zip file may end with a comment


class BrokenError(Exception):
    """A file that is not what was written, or that nothing here has written."""


def seal(value: Any, path: Path) -> None:
    """Write plain data and tensors as `torch.save` does, and behind it a hash of all of it."""
    with path.open("xb") as file:
        try:
            torch.save(value, file)
        except RuntimeError as error:  # says where in torch's own code the disk was full
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        file.seek(-2, os.SEEK_END)
        file.write(DIGITS.to_bytes(2, "little"))  # the comment's length
    digest = sha256(path)
    with path.open("ab") as file:
        file.write(digest.encode())
        file.flush()
        os.fsync(file.fileno())


def load_plain(file: IO[bytes]) -> Any:
    """What torch saved in the file, if it is plain data; nothing that is pickled there runs.

    May raise anything. Torch's warnings are kept back: what is no good is refused by who reads it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(file, map_location="cpu", weights_only=True)


def unseal(path: Path) -> Any:
    """What was sealed in the file, on the CPU; pickled code is never executed.

    Raises:
        BrokenError: it is not what was written. OSError: it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - DIGITS))
        seal_of_it = file.read()
        file.seek(0)
        if digest_of(file, size - DIGITS).encode() != seal_of_it:
            raise BrokenError(path)
        file.seek(0)
        try:
            return load_plain(file)
        except Exception as error:  # the unpickler raises whatever it is led to
            raise BrokenError(path) from error


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return digest_of(file, path.stat().st_size)


def digest_of(file: IO[bytes], size: int) -> str:
    """The hash of so many bytes from here on; of fewer where the file ends."""
    digest = hashlib.sha256()
    while size > 0 and (block := file.read(min(size, 2**20))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()
