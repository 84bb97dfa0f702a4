"""The kernel of one submission: a process that is shut in before the student's code runs.

It is forked where that is safe (Linux), so that it need not import torch anew; elsewhere it is
started fresh. It talks to the grader through sockets that are files, since it has no network, and
to the judge through one that has no name. It is forked before anything of `nst` or of the tests is
loaded: what is not in a process cannot be found in it. So this module imports neither.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import math
import multiprocessing
import os
import pickle
import shutil
import socket
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

from nst_grading.judging import student
from nst_grading.limits import Limits
from nst_grading.sandbox import enter, restrict_memory, size

METHOD = "fork" if sys.platform == "linux" else "spawn"


@dataclass(frozen=True)
class Room:
    """What a submission's process sees."""

    seen: Mapping[Path, Path]  # by the path where it is seen
    kit: Path  # the package's copy
    reader: Path  # the file that reads figures


def work(
    pipe: Any, folder: Path, limits: Limits, files: Sequence[Path], room: Room, job: bytes
) -> None:
    """In a submission's process: shut in a kernel, then load the grader, grade, and report.

    Args:
        pipe: for the report.
        folder: an empty one.
        limits: of the submission.
        files: what it is given.
        room: what it sees.
        job: a pickled `nst_grading.grade.Job`.
    """
    kernel = prepare(folder, limits, files, room)
    restrict_memory(limits)
    from nst_grading.grade import attempt

    pipe.send(attempt(pickle.loads(job), kernel))
    kernel.kill()


@contextlib.contextmanager
def no_main() -> Iterator[None]:
    """Processes that are started within do not import the caller's script again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class Kernel:
    """A shut-in process that waits to become a notebook's kernel, and what watches over it."""

    def __init__(self, folder: Path, limits: Limits, room: Room) -> None:
        self.folder, self.limits = folder, limits
        self.killed = ""  # why the watch has killed it
        self.deadline = math.inf  # by time.monotonic(); set before the first cell
        context = multiprocessing.get_context(METHOD)
        self.pipe, theirs = context.Pipe()
        self.line, their_end = socket.socketpair()  # between the judge and the notebook
        arguments = theirs, their_end, folder, limits, room
        self.process = context.Process(target=become_kernel, args=arguments)  # type: ignore[attr-defined]
        with no_main():
            self.process.start()
        theirs.close()
        their_end.close()
        self.missing: list[str] = self.pipe.recv() if self.pipe.poll(60) else []
        threading.Thread(target=self.watch, daemon=True).start()

    # What LocalProvisioner asks of a process.
    stdin = stdout = stderr = None

    def last_words(self) -> str:
        """The last line of what it has written outside of cells."""
        with contextlib.suppress(OSError):
            text = (self.folder / LOG).read_text(errors="replace")
            return next((line for line in reversed(text.splitlines()) if line.strip()), "")
        return ""

    def poll(self) -> int | None:
        """Its exit status; None while it runs."""
        return self.process.exitcode

    def wait(self) -> int | None:
        """Wait for its end."""
        self.process.join()
        return self.process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to it alone."""
        if self.process.pid and self.process.is_alive():
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it and whatever it has started."""
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                process.kill()

    terminate = kill

    def family(self) -> list[psutil.Process]:
        """It and all that it has started, by now."""
        with contextlib.suppress(psutil.Error):
            first = psutil.Process(self.process.pid)
            return [*first.children(recursive=True), first]
        return []

    def watch(self) -> None:
        """Kill it when it takes too much time, memory or space."""
        while self.process.exitcode is None:
            if time.monotonic() > self.deadline:
                self.killed = f"it takes more than {self.limits.seconds} seconds"
            elif self.memory() > self.limits.memory_mb * 10**6:
                self.killed = f"it takes more than {self.limits.memory_mb} MB of memory"
            elif size(self.folder) > 2 * self.limits.files_mb * 10**6:  # where the disk has room
                self.killed = f"it writes more than {2 * self.limits.files_mb} MB"
            if self.killed:
                return self.kill()
            time.sleep(0.5)
        return None

    def memory(self) -> float:
        """Bytes in memory: those that are its own, if all together are more than the limit.

        What it shares with the grader came from there; telling it apart takes the system long.
        """
        found = self.total(lambda process: process.memory_info().rss)
        if found > self.limits.memory_mb * 10**6:
            found = self.total(lambda process: process.memory_full_info().uss)
        return found

    def used(self) -> float:
        """Seconds of the processor that it has used by now, with all that it has started."""
        return self.total(lambda process: sum(process.cpu_times()))

    def total(self, figure: Callable[[psutil.Process], float]) -> float:
        """A figure's sum over it and all that it has started."""
        found = 0.0
        for process in self.family():
            with contextlib.suppress(psutil.Error):
                found += figure(process)
        return found


def become_kernel(pipe: Any, line: socket.socket, folder: Path, limits: Limits, room: Room) -> None:
    """In the new process: shut in, wait for the connection file, then be a kernel until killed."""
    close_others({pipe.fileno(), line.fileno()}, folder / LOG)
    student.prepare(line, load(room.reader).read)
    missing = enter(folder, [folder / name for name in SHARED], limits, room.seen)
    if missing:  # the kit's own folder is there, too
        sys.path.insert(0, str(room.kit.parent))
    forget()
    environment(folder)
    pipe.send(missing)
    connection_file = pipe.recv()
    pipe.close()
    import torch
    from ipykernel.kernelapp import IPKernelApp

    torch.set_num_threads(1)
    os.chdir(folder / "work")
    app = IPKernelApp.instance()
    history = "--HistoryManager.hist_file=:memory:"
    app.initialize(["-f", connection_file, history])
    app.start()


LOG = "kernel.log"
SHARED = GIVEN, SOCKET = "given", "socket"  # its first files, and its lines to the grader


def load(path: Path) -> types.ModuleType:
    """A module by its file, without the package that it is in."""
    spec = importlib.util.spec_from_file_location("nst_grading.judging.reading", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def forget() -> None:
    """Leave of the kit's packages only what answers the judge."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("nst", "nst_grading") and name not in ANSWERING:
            del sys.modules[name]
    importlib.invalidate_caches()


PART = "nst_grading.judging"
ANSWERING = ("nst_grading", PART, *(f"{PART}.{name}" for name in ("values", "wire", "student")))


def close_others(kept: set[int], log: Path) -> None:
    """Close the files that came from the grader, among them its line to the one who asked."""
    for first, last in pairwise([2, *sorted(kept), 4096]):
        os.closerange(first + 1, last)
    for number, path in ((0, os.devnull), (1, log), (2, log)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)


def environment(folder: Path) -> None:
    """No names of the teacher's, and a home in the submission's folder."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, HOME=str(folder), TMPDIR=str(folder / "tmp"))
    os.environ.update(IPYTHONDIR=str(folder / "ipython"), MPLBACKEND=INLINE)
    os.environ.update(CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1", NBGRADER_EXECUTION="autograde")
    sys.dont_write_bytecode = True
    for name in ("tmp", "ipython"):
        (folder / name).mkdir(exist_ok=True)
    shutil.copytree(folder / GIVEN, folder / "work")


INLINE = "module://matplotlib_inline.backend_inline"
KERNEL: Kernel | None = None  # of this process, for Provisioner, which Jupyter makes


class Provisioner(LocalProvisioner):
    """Gives Jupyter the kernel that waits, where it would start a program."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Tell the waiting process where to listen."""
        assert KERNEL and self.parent
        KERNEL.pipe.send(self.parent.connection_file)
        self.process = KERNEL  # type: ignore[assignment]
        self.pid = self.pgid = KERNEL.process.pid
        return self.connection_info


class Manager(AsyncKernelManager):
    """A kernel manager whose kernel is the one that waits."""

    def __init__(self, **options: Any) -> None:
        assert KERNEL
        factory = KernelProvisionerFactory.instance()
        group = KernelProvisionerFactory.GROUP_NAME
        factory.provisioners["nst"] = EntryPoint("nst", f"{__name__}:Provisioner", group)
        factory.default_provisioner_name = "nst"
        socket = KERNEL.folder / SOCKET
        options |= {"transport": "ipc", "ip": str(socket / "s")}
        super().__init__(connection_file=str(socket / "c.json"), **options)


def prepare(folder: Path, limits: Limits, files: Sequence[Path], room: Room) -> Kernel:
    """Make the kernel of this process; call it before there are threads."""
    global KERNEL
    for name in SHARED:
        (folder / name).mkdir(parents=True)
    for file in files:
        shutil.copy(file, folder / GIVEN / file.name)
    KERNEL = Kernel(folder, limits, room)
    return KERNEL
