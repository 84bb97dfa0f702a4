"""Shuts a student's code in: no network, no files but its own, no more than its share.

On Linux, `enter` puts the process into namespaces of its own, as containers do: no network, no
other processes, every file read-only but those of one folder, and empty folders where the sources
and the other submissions are. Where the system forbids that (macOS has none; some servers and
containers refuse it to users), Python's own functions are watched instead, which stops accidents,
not intent; `enter` returns what is missing. Limits of size hold everywhere; time and memory are
also watched from outside, by `nst_grading.kernels`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nst_grading.limits import Limits

# From Linux's headers.
NEW_MOUNTS, NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x10000000, 0x20000000, 0x40000000
BIND, RECURSIVE, PRIVATE = 0x1000, 0x4000, 0x40000
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1
DIE_WITH_PARENT = 1

NAMESPACES_MISSING = (
    "No namespaces here: a submission's Python is kept from the network and from others' files, "
    "programs that it starts are not. Grade submissions that you do not trust on Linux, or in a "
    "container without a network."
)


def enter(folder: Path, hidden: Sequence[Path], limits: Limits) -> list[str]:
    """Shut this process in for good; call it in a process with one thread.

    Args:
        folder: the one that may be written.
        hidden: folders to hide, as far as neither `folder` nor the installed packages are in them.
        limits: sizes in megabytes.

    Returns:
        What protection is missing here, as sentences.
    """
    os.setsid()
    missing = []
    try:
        isolate(folder.resolve(), [path.resolve() for path in hidden if path.exists()])
    except OSError:
        missing.append(NAMESPACES_MISSING)
    limit(limits)
    watch(folder.resolve(), [path.resolve() for path in hidden])
    return missing


def limit(limits: Limits) -> None:
    """Bound files and memory by the system's own means."""
    restrict(resource.RLIMIT_FSIZE, limits.file_mb * 10**6)
    restrict(resource.RLIMIT_CORE, 0)
    # Data counts what is allocated; the address space (RLIMIT_AS) also counts torch's libraries,
    # 3.5 GB. macOS enforces neither, so memory is also watched from outside.
    restrict(resource.RLIMIT_DATA, limits.memory_mb * 10**6)


def restrict(kind: int, most: int) -> None:
    """Lower a limit; never raise it."""
    _, hard = resource.getrlimit(kind)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, value))


def isolate(folder: Path, hidden: Sequence[Path]) -> None:
    """Namespaces of users, mounts, processes and networks.

    Raises:
        OSError: this system has none, or refuses them.
    """
    if sys.platform != "linux":
        raise OSError("namespaces are Linux's")
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    call(libc.unshare, NEW_USERS | NEW_MOUNTS | NEW_PROCESSES | NEW_NETWORK)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    call(libc.mount, None, b"/", None, RECURSIVE | PRIVATE, None)
    hide(libc, folder, hidden)
    shared = Path("/dev/shm")
    if shared.is_dir():
        call(libc.mount, b"tmpfs", bytes(shared), b"tmpfs", 0, b"size=64m")
    writable(libc, Path("/"), False)
    for path in (folder, shared):
        if path.is_dir():
            writable(libc, path, True)
    become_first(libc)
    with contextlib.suppress(OSError):  # refused where parts of /proc are masked
        call(libc.mount, b"proc", b"/proc", b"proc", 0, None)
    os.chdir(folder)


def hide(libc: Any, folder: Path, hidden: Sequence[Path]) -> None:
    """Cover folders by empty ones, in which those that are needed appear again."""
    needed = used(folder)
    call(libc.mount, bytes(folder), bytes(folder), None, BIND, None)
    # The outer ones first: what reappears in them may hold others that are to be hidden.
    for path in sorted(set(hidden), key=lambda path: len(path.parts)):
        if path in needed or not path.is_dir():
            continue
        inside = [needs for needs in needed if path in needs.parents]
        opened = [os.open(n, os.O_PATH) for n in inside]
        call(libc.mount, b"tmpfs", bytes(path), b"tmpfs", 0, b"size=1m")
        for target, number in zip(inside, opened, strict=True):
            target.mkdir(parents=True, exist_ok=True)
            source = f"/proc/self/fd/{number}".encode()
            call(libc.mount, source, bytes(target), None, BIND | RECURSIVE, None)
            os.close(number)


def used(folder: Path) -> list[Path]:
    """The submission's folder, and those of Python and its packages."""
    places = [folder, *map(Path, (sys.prefix, sys.base_prefix, *filter(None, sys.path)))]
    return list(dict.fromkeys(path.resolve() for path in places if path.is_dir()))


def writable(libc: Any, path: Path, yes: bool) -> None:
    """Make one mount writable, or it and all below it read-only."""
    change = (ctypes.c_uint64 * 4)(0 if yes else READ_ONLY, READ_ONLY if yes else 0, 0, 0)
    recursive = 0 if yes else AT_RECURSIVE
    size = ctypes.c_size_t(32)
    arguments = AT_FDCWD, bytes(path), recursive, ctypes.byref(change), size
    call(libc.syscall, MOUNT_SETATTR, *arguments)


def become_first(libc: Any) -> None:
    """Go on as the first process of the new namespace; with it, all others in there end."""
    child = os.fork()
    if child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is meant for the child
        libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os._exit(status & 0xFF or status >> 8)
    libc.prctl(DIE_WITH_PARENT, signal.SIGKILL)


def call(function: Any, *arguments: Any) -> None:
    """A function of the C library, whose errors become exceptions."""
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo")
CHANGES = ("os.remove", "os.rmdir", "os.rename", "os.mkdir", "os.truncate", "shutil.rmtree")


def watch(folder: Path, hidden: Sequence[Path]) -> None:
    """Refuse what Python's own functions are asked to do outside; cannot be taken back."""
    own, covered = str(folder), list(map(str, hidden))
    again = [str(path) for path in used(folder) if any(h in path.parents for h in hidden)]

    def depth(path: Any, roots: Sequence[str]) -> int:
        return max((len(root) for root in roots if inside(path, root)), default=0)

    def inside(path: Any, *roots: str) -> bool:
        full = os.path.abspath(os.fsdecode(path))  # noqa: PTH100, faster
        return any(full == root or full.startswith(root + os.sep) for root in roots)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in NETWORK:
            address = arguments[0] if event == "socket.getaddrinfo" else arguments[1]
            if event == "socket.getaddrinfo" or isinstance(address, tuple):
                raise PermissionError("There is no network while a submission is graded.")
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path, mode, flags = arguments
            writes = any(c in (mode or "") for c in "wax+") or (flags or 0) & 3
            if writes and not inside(path, own, "/dev"):
                raise PermissionError("A submission may write into its own folder only.")
            if depth(path, covered) > depth(path, [own, *again]):
                raise PermissionError("That folder is hidden while a submission is graded.")
        elif event in CHANGES and isinstance(arguments[0], str | bytes | os.PathLike):
            if not inside(arguments[0], own, "/dev/shm"):
                raise PermissionError("A submission may change its own folder only.")
        elif event == "os.kill" and arguments[0] not in (0, os.getpid()):
            raise PermissionError("A submission may not end other processes.")

    sys.addaudithook(hook)
