"""Linux's namespaces: a process in a room of its own, as containers are made.

The room is a file system in memory, of a bounded size, that ends with the process. What the code
needs is mounted into it, read-only; all else, the other files of the machine among it, is not
covered but absent. Manual pages: user_namespaces(7), mount_namespaces(7), pivot_root(2).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# From Linux's headers.
NEW_MOUNTS, NEW_USERS, NEW_PROCESSES, NEW_NETWORK = 0x20000, 0x10000000, 0x20000000, 0x40000000
BIND, RECURSIVE, PRIVATE, DETACH = 0x1000, 0x4000, 0x40000, 2
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, READ_ONLY = 442, -100, 0x8000, 1
DIE_WITH_PARENT, NO_NEW_PRIVILEGES = 1, 38
CONTROLS = ("bus", "fs", "irq", "sys", "sysrq-trigger")
DEVICES = ("null", "zero", "full", "random", "urandom")


def isolate(own: Path, seen: Mapping[Path, Path], shared: Sequence[Path], megabytes: int) -> None:
    """Move this process, which has one thread, into a room of its own.

    Args:
        own: the folder for its files, which will be empty, at the same path.
        seen: what it may read, by the path where it sees it, the outer ones first.
        shared: folders, mostly within `own`, through which it talks to those outside.
        megabytes: how much it may write, 10⁶ bytes each.

    Raises:
        OSError: this system has no namespaces, or refuses them.
    """
    if sys.platform != "linux":
        raise OSError("namespaces are Linux's")
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    call(libc.unshare, NEW_USERS | NEW_MOUNTS | NEW_PROCESSES | NEW_NETWORK)
    become(0, 0, user, group)
    call(libc.mount, None, b"/", None, RECURSIVE | PRIVATE, None)
    become_first(libc)
    room = own / "room"
    room.mkdir()
    size = f"size={megabytes * 10**6},nr_inodes=100000,mode=755".encode()
    call(libc.mount, b"tmpfs", bytes(room), b"tmpfs", 0, size)
    furnish(libc, room, seen)
    for path in shared:
        bind(libc, path, room, path, writable=True)
    within(room, own).mkdir(parents=True, exist_ok=True)
    (room / "etc" / "passwd").write_text(f"student:x:{user}:{group}::{own}:/bin/sh\n")
    os.chdir(room)
    call(libc.pivot_root, b".", b".")
    call(libc.umount2, b".", DETACH)
    os.chdir(own)
    # In a second user namespace the mounts are locked: no rights in it take them away.
    call(libc.unshare, NEW_USERS | NEW_MOUNTS)
    become(user, group, 0, 0)
    call(libc.prctl, NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def become(user: int, group: int, outer_user: int, outer_group: int) -> None:
    """Who this process is in its new user namespace."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {outer_user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {outer_group} 1")


def furnish(libc: Any, room: Path, seen: Mapping[Path, Path]) -> None:
    """Mount what may be read, and what every program expects."""
    for target, path in seen.items():
        if path.is_symlink() and len(path.parts) == 2:  # /lib, mostly a link to /usr/lib
            within(room, path).symlink_to(path.readlink())
        else:
            bind(libc, path, room, target)
    for name in DEVICES:
        bind(libc, Path("/dev") / name, room, Path("/dev") / name)
    for name, number in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        (room / "dev" / name).symlink_to(f"/proc/self/fd{number}")
    for name in ("dev/shm", "tmp", "etc", "proc"):
        (room / name).mkdir(exist_ok=True)
    try:
        call(libc.mount, b"proc", bytes(room / "proc"), b"proc", 0, None)
    except OSError:  # refused where parts of /proc are masked
        bind(libc, Path("/proc"), room, Path("/proc"))
    for name in CONTROLS:  # to the system's root, as which some run all they do, these are open
        if (path := Path("/proc") / name).exists():
            bind(libc, path, room, path)


def within(room: Path, path: Path) -> Path:
    """Where a path of this system is in the room."""
    return room / path.relative_to("/")


def bind(libc: Any, path: Path, room: Path, where: Path, writable: bool = False) -> None:
    """Show a file or folder in the room, where it is wanted."""
    target = within(room, where)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        target.mkdir(exist_ok=True)
    elif not target.exists():
        target.touch()
    call(libc.mount, bytes(path), bytes(target), None, BIND | RECURSIVE, None)
    if not writable:
        change = (ctypes.c_uint64 * 4)(READ_ONLY, 0, 0, 0)
        arguments = AT_FDCWD, bytes(target), AT_RECURSIVE, ctypes.byref(change)
        call(libc.syscall, MOUNT_SETATTR, *arguments, ctypes.c_size_t(32))


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
