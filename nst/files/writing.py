"""Files that appear whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nst.errors import ImageError, NstError
from nst.files.temporary import sweep, temporary


def write_atomically(
    path: str | Path,
    write: Callable[[IO[bytes]], object],
    error: type[NstError] = ImageError,
) -> Path:
    """Have `write` fill a binary file that takes `path`'s place once it is whole and on the disk.

    Whatever goes wrong, an existing file stays as it was and no temporary file is left, but where
    the process is killed, and then until the next one writes there. Missing folders are made. A
    symbolic link stays, and what it points to is written. A new file's permissions follow the
    umask, a replaced one's stay. Returns the path. Raises `error` if the file cannot be written;
    what `write` itself raises passes through, except an OSError.
    """
    path = expand(path, error)
    with refusing(path, error):
        check_place(path)
        target = target_of(path)
        # In the same folder, since a file can be renamed in one step only within a file system.
        part = temporary(target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        try:
            with part.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                shutil.copymode(target, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return path


def expand(path: str | os.PathLike, error: type[NstError] = ImageError) -> Path:
    """The path with `~` put in full. Raises `error` for what is none, or none of a file."""
    if not isinstance(path, str | os.PathLike):
        raise error(f"files and folders are named by paths, not by a {type(path).__name__}")
    try:
        expanded = Path(os.fsdecode(path)).expanduser()
        if "\0" in str(expanded):
            raise ValueError("it holds a zero byte")
    except (RuntimeError, ValueError) as problem:  # the first: there is no such user
        reason = str(problem).rstrip(".").lower()
        raise error(
            f"{str(path)!r} cannot be read and cannot be written ({reason}); choose another place"
        ) from problem
    return expanded


@contextmanager
def refusing(path: Path, error: type[NstError]) -> Iterator[None]:
    """Turn an OSError into an `error` that says why `path` cannot be written."""
    try:
        yield
    except OSError as problem:
        reason = problem.strerror or problem
        raise error(f"'{path}' cannot be written ({reason}); choose another place") from problem


def write_json(path: str | Path, value: Any) -> Path:
    """Write plain data as JSON, atomically."""
    text = json.dumps(value, indent=2).encode()
    return write_atomically(path, lambda file: file.write(text))


def check_place(path: Path) -> None:
    """Raise the OSError that writing there would end in, as far as that can be told before."""
    path = target_of(path)
    # Renaming would replace what opening for writing refuses to, even /dev/null.
    if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
        raise PermissionError("it exists and is not a writable file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} is not a writable folder")


def target_of(path: Path) -> Path:
    """What a symbolic link points to, there or not; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path
