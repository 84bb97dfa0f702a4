"""Files of one folder that change together or not at all, whenever the process is killed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from nst.errors import ImageError, NstError
from nst.files.temporary import remove, sweep, temporary
from nst.files.writing import check_place, expand, refusing

# Folders in the folder. What is READY is whole and on the disk, and older files of these names are
# on their way out; what is MOVING goes to its place, where nothing older is left. So files of two
# savings never stand side by side, and whoever comes next finishes what was begun.
READY, MOVING = ".nst-ready", ".nst-moving"


def write_together(
    folder: str | os.PathLike,
    write: Callable[[Path], object],
    error: type[NstError] = ImageError,
) -> Path:
    """Have `write` fill an empty folder, whose files then take the place of those in `folder`.

    Whatever goes wrong before all of them are on the disk, the folder stays as it was; its other
    files stay in any case. Missing folders are made. Returns the folder. Raises `error` if it
    cannot be written to; what else `write` raises passes through.
    """
    folder = expand(folder, error)
    stage = temporary(folder)
    with refusing(folder, error):
        if not folder.is_dir():
            check_place(folder)
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        settle(folder)
        try:
            stage.mkdir()
            try:
                write(stage)
            except NstError as problem:
                # Of a place that nobody knows; it is the folder that cannot be written to.
                if isinstance(problem.__cause__, OSError):
                    raise problem.__cause__ from None
                raise
            for path in stage.iterdir():
                check_place(folder / path.name)
                keep(path, folder / path.name)
            stage.rename(folder / READY)
        finally:
            remove(stage)
        settle(folder)
    return folder


def keep(path: Path, old: Path) -> None:
    """Bring what was written to the disk, with the permissions of the file that it replaces."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    if old.exists():
        shutil.copymode(old, path)


def settle(folder: Path) -> None:
    """Finish what a killed `write_together` had begun, if there is anything. May raise OSErrors."""
    ready, moving = folder / READY, folder / MOVING
    for path in (ready, moving):
        if path.is_symlink() or path.is_file():
            path.unlink()  # not ours: what a link leads to would be emptied
    if moving.is_dir():
        move_all(moving, folder)
    if ready.is_dir():
        for path in ready.iterdir():
            (folder / path.name).unlink(missing_ok=True)
        ready.rename(moving)
        move_all(moving, folder)


def move_all(source: Path, target: Path) -> None:
    """Move all files of a folder into another one, and remove it."""
    for path in source.iterdir():
        path.replace(target / path.name)
    source.rmdir()
