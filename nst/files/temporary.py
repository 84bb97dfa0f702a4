"""Names for what is being written, and the removal of what a killed process left of it."""

import hashlib
import os
import platform
import re
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

# A folder may be shared by machines, and a process's number means something on its own one only.
MACHINE = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
OURS = re.compile(rf"\.{MACHINE}-(\d{{1,10}})-[0-9a-f]{{32}}\.tmp")


def temporary(folder: Path) -> Path:
    """A name in the folder that nothing has, and that `sweep` knows."""
    return folder / f".{MACHINE}-{os.getpid()}-{uuid4().hex}.tmp"


def sweep(folder: Path) -> None:
    """Remove what processes that are no more have left in the folder, under such names."""
    with suppress(OSError):
        for path in folder.glob(".*.tmp"):
            found = OURS.fullmatch(path.name)
            if found and not is_running(int(found[1])):
                remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder and what is in it, as far as that is allowed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def is_running(process: int) -> bool:
    """Whether there is a process of that number on this machine."""
    if os.name == "nt":
        return False  # signal 0 would end it; and what is open there cannot be removed anyway
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's
    return True
