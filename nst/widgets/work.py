"""A view's work: one job at a time, beside the kernel, which an interrupt stops."""

import asyncio
import atexit
import os
import signal
import threading
import weakref
from collections.abc import Callable
from typing import Any

Job = Callable[[threading.Event], Any]  # is given the event that asks it to stop


def synchronous_by_default() -> bool:
    """Whether the environment asks views to work without threads: NST_SYNCHRONOUS=1."""
    return os.environ.get("NST_SYNCHRONOUS", "") not in ("", "0")


class Work:
    """At most one job at a time, in a thread of its own; or at once, if `synchronous`.

    A job is a function of the event that asks it to stop. It only sets traits of widgets: what it
    prints would be lost. `when_done` is called, by the same thread, after every job, whether it
    went well or not; the work then no longer counts as running. Interrupting the kernel stops it.
    """

    def __init__(
        self, synchronous: bool | None = None, when_done: Callable[[], None] | None = None
    ):
        self.synchronous = synchronous_by_default() if synchronous is None else synchronous
        self.when_done = when_done
        self.running = False
        self.error: BaseException | None = None
        self._value: Any = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        _replace_earlier(self)

    def start(self, job: Job) -> bool:
        """Begin the job; False, and nothing happens, if one is running already."""
        with self._lock:
            if self.running:
                return False
            self.running, self.error, self._value = True, None, None
            # A new event, so that whoever still holds the last one stays stopped.
            self._stop = threading.Event()
        _works.add(self)
        if self.synchronous:
            self._run(job, self._stop)
            self.result()
            return True
        _hear_interrupts()
        self._thread = threading.Thread(
            target=self._run, args=(job, self._stop), name="nst-work", daemon=True
        )
        self._thread.start()
        return True

    def _run(self, job: Job, stop: threading.Event) -> None:
        try:
            self._value = job(stop)
        except BaseException as error:  # result() raises it again, in a thread that is heard
            self.error = error
        self.running = False
        if self.when_done:
            self.when_done()

    def stop(self, wait: bool = False) -> None:
        """Ask the job to stop; with `wait`, return when it has."""
        self._stop.set()
        if wait:
            self.join()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the thread's end, at most `timeout` seconds; returns whether it has ended."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def result(self, timeout: float | None = None) -> Any:
        """What the job returned, when it has; what it raised is raised again.

        Raises:
            TimeoutError: it is still running after `timeout` seconds.
        """
        if not self.join(timeout):
            raise TimeoutError("the work is still running")
        if self.error is not None:
            raise self.error
        return self._value


_works: "weakref.WeakSet[Work]" = weakref.WeakSet()


def stop_all(wait: float = 0.0) -> None:
    """Ask all work in this process to stop; wait for each up to so many seconds."""
    works = list(_works)
    for work in works:
        work.stop()
    if wait:
        for work in works:
            work.join(wait)


# A thread within torch while the interpreter goes away would crash it.
atexit.register(stop_all, 5.0)


# By notebook cell: the request that ran it last, and the work of the views that it made.
_by_cell: dict[str, tuple[str, "weakref.WeakSet[Work]"]] = {}


def _replace_earlier(work: Work) -> None:
    """Stop what an earlier run of the same cell had begun: after a reload nobody sees it."""
    cell, request = _asked_by()
    if not cell:
        return
    before, works = _by_cell.get(cell, ("", weakref.WeakSet()))
    if before != request:
        for earlier in works:
            earlier.stop()
        works = weakref.WeakSet()
    works.add(work)
    _by_cell[cell] = request, works


def _asked_by() -> tuple[str, str]:
    """The notebook's cell that is being run and the request to run it; empty elsewhere."""
    kernel = _kernel()
    message = kernel.get_parent("shell") if kernel else {}
    cell = message.get("metadata", {}).get("cellId", "")
    return str(cell), str(message.get("header", {}).get("msg_id", ""))


def _hear_interrupts() -> None:
    """In a Jupyter kernel, let "Interrupt" stop the work.

    An idle kernel ignores the signal, and one that runs a cell interrupts that cell only. So the
    handler that ipykernel puts back after each message is replaced, and a cell that ends in a
    KeyboardInterrupt stops the work too.
    """
    kernel = _kernel()
    if kernel is None or getattr(kernel, "nst_hears", False):
        return
    kernel.nst_hears = True

    def heard(*_: Any) -> None:
        stop_all()

    def after_cell(result: Any) -> None:
        if isinstance(result.error_in_exec, KeyboardInterrupt | asyncio.CancelledError):
            stop_all()

    kernel.shell.events.register("post_run_cell", after_cell)
    kernel.saved_sigint_handler = heard
    if threading.current_thread() is not threading.main_thread():
        # JupyterLab sends the clicks to a thread beside the main one, which may be idle.
        kernel.io_loop.add_callback(signal.signal, signal.SIGINT, heard)


def _kernel() -> Any:
    """The Jupyter kernel that this process is, or None."""
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None)
