"""Shuts a student's code in: no network, no files but its own, no more than its share.

On Linux, `enter` puts the process into a room of its own (`sandbox.namespaces`), in which there is
nothing but what `sandbox.visible` lists. Where the system forbids that (macOS has no namespaces;
some servers and containers refuse them to users), Python's own functions are watched instead, which
stops accidents, not intent; `enter` returns what is missing. Limits of size hold everywhere; time
and memory are also watched from outside, by `nst_grading.kernels`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nst_grading.limits import Limits
from nst_grading.sandbox.namespaces import isolate

NAMESPACES_MISSING = (
    "No namespaces here: a submission's Python is kept from the network and from others' files, "
    "programs that it starts are not. Grade submissions that you do not trust on Linux, or in a "
    "container without a network."
)


def enter(
    folder: Path, shared: Sequence[Path], limits: Limits, seen: Mapping[Path, Path]
) -> list[str]:
    """Shut this process in for good; call it in a process with one thread.

    Args:
        folder: the one that may be written.
        shared: folders in it that those outside see too; all else in it is lost at the end.
        limits: sizes in megabytes.
        seen: what may be read, by the path where it is seen, the outer ones first.

    Returns:
        What protection is missing here, as sentences.
    """
    os.setsid()
    folder = folder.resolve()
    missing = []
    try:
        isolate(folder, seen, [path.resolve() for path in shared], limits.files_mb)
    except OSError:
        missing.append(NAMESPACES_MISSING)
    limit(limits)
    sys.addaudithook(refuse_network)
    if missing:
        watch(folder, list(seen.values()), limits.files_mb * 10**6)
    return missing


def limit(limits: Limits) -> None:
    """Bound files and memory by the system's own means."""
    restrict(resource.RLIMIT_FSIZE, limits.file_mb * 10**6)
    restrict(resource.RLIMIT_CORE, 0)
    restrict_memory(limits)


def restrict_memory(limits: Limits) -> None:
    """Bound memory by the system's own means."""
    # Data counts what is allocated; the address space (RLIMIT_AS) also counts torch's libraries,
    # 3.5 GB. macOS enforces neither, so memory is also watched from outside.
    restrict(resource.RLIMIT_DATA, limits.memory_mb * 10**6)


def restrict(kind: int, most: int) -> None:
    """Lower a limit; never raise it."""
    _, hard = resource.getrlimit(kind)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, value))


NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo")
CHANGES = ("os.remove", "os.rmdir", "os.rename", "os.mkdir", "os.truncate", "shutil.rmtree")
LISTS = ("os.listdir", "os.scandir")
# Read by Python and its packages on systems without namespaces.
ELSEWHERE = ("/usr", "/etc", "/proc", "/sys", "/System", "/Library", "/private/etc")


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Say what is the matter, where the system's own message would be a riddle."""
    if event in NETWORK:
        address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
        if event == "socket.getaddrinfo" or isinstance(address, tuple):
            raise PermissionError("There is no network while a submission is graded.")


def watch(folder: Path, seen: Sequence[Path], most: int) -> None:
    """Refuse what Python's own functions are asked to do outside; cannot be taken back."""
    own = str(folder), "/dev"
    readable = (*own, *ELSEWHERE, *map(str, seen))
    listed = (*readable, *(os.path.realpath(entry) for entry in sys.path))

    def inside(path: Any, roots: Sequence[str]) -> bool:
        full = os.path.realpath(os.fsdecode(path))
        return any(full == root or full.startswith(root + os.sep) for root in roots)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        named = bool(arguments) and isinstance(arguments[0], str | bytes | os.PathLike)
        if event == "open" and named:
            path, mode, flags = arguments
            writes = any(c in (mode or "") for c in "wax+") or (flags or 0) & 3
            if writes and not inside(path, own):
                raise PermissionError("A submission may write into its own folder only.")
            if writes and size(folder) > most:
                raise OSError(errno.ENOSPC, "No space left: too many or too large files", path)
            if not inside(path, readable):
                raise PermissionError("A submission sees its own folder only.")
        elif event in LISTS and named and not inside(arguments[0], listed):
            raise PermissionError("A submission sees its own folder only.")
        elif event in CHANGES and named and not inside(arguments[0], own):
            raise PermissionError("A submission may change its own folder only.")
        elif event == "os.kill" and arguments[0] not in (0, os.getpid()):
            raise PermissionError("A submission may not end other processes.")

    sys.addaudithook(hook)


def size(folder: Path) -> int:
    """Bytes on disk of all files in a folder; links count as links."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).lstat().st_blocks * 512
    return total
