"""What all views share: the work behind them, their errors, their rows of controls."""

import asyncio
import atexit
import io
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as ipw
import numpy as np
from PIL import Image
from torch import Tensor

from nst.errors import NstError
from nst.images import postprocess_image
from nst.widgets.markup import safe

Job = Callable[[threading.Event], Any]  # is given the event that asks it to stop


def png(picture: Tensor | Image.Image | np.ndarray) -> bytes:
    """A PNG file: of an image tensor (1, 3, H, W) in [0, 1], a PIL image, or uint8 (H, W[, 3])."""
    if isinstance(picture, Tensor):
        picture = postprocess_image(picture)
    elif isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)  # several times faster, and a tenth larger
    return file.getvalue()


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


def sentence(error: BaseException) -> str:
    """An exception as one sentence for the reader of a view."""
    if isinstance(error, NstError):
        text = str(error)
        return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
    first = (str(error).splitlines() or [""])[0]
    return f"This should not have happened: {type(error).__name__}{': ' if first else ''}{first}."


class View(ipw.VBox):
    """A column of controls and pictures; under them a line for errors.

    Subclasses put their parts in with `fill`, connect controls with `on`, and start jobs with
    `self.work.start(job)`. What a control's callback or a job raises appears in the error line;
    if the view is `synchronous` it is also raised, so that an automatic run fails.
    """

    def __init__(self, name: str, synchronous: bool | None = None):
        """`name` is what the view is called in the page's styles: "nst-" and the name."""
        self.work = Work(synchronous, self._work_done)
        self.error_line = ipw.HTML()
        self.error_line.add_class("nst-error")
        self._error, self._depth, self._muted = "", 0, False
        super().__init__(layout=ipw.Layout(width="100%", align_items="stretch"))
        self.add_class("nst-view")
        self.add_class(f"nst-{name}")
        self._view_count = 0  # not None: the page tells how often it shows the view
        self.observe(self._seen, "_view_count")

    def fill(self, *parts: ipw.Widget) -> None:
        """Show these parts, from top to bottom, and the error line."""
        self.children = (*parts, self.error_line)

    @property
    def error(self) -> str:
        """The sentence that the error line shows; empty if all is well."""
        return self._error

    @error.setter
    def error(self, text: str) -> None:
        self._error = text
        # The role makes screen readers say it as it appears.
        self.error_line.value = (
            f'<p role="alert" style="margin:4px 0;padding:6px 10px;color:#8a1c10;line-height:1.4;'
            f'background:#fdecea;border-left:4px solid #c0392b">{safe(text)}</p>'
            if text
            else ""
        )

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Whatever goes wrong in here appears in the error line; the last error goes from it."""
        if self._depth == 0:
            self.error = ""
        self._depth += 1
        try:
            yield
        except Exception as error:
            self.error = sentence(error)
            if self.work.synchronous or self._depth > 1:
                raise
        finally:
            self._depth -= 1

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Controls can be set in here without their callbacks (those connected by `on`)."""
        before, self._muted = self._muted, True
        try:
            yield
        finally:
            self._muted = before

    def on(self, control: ipw.Widget, react: Callable[[], None], name: str = "value") -> None:
        """Call `react` when that trait of the control changes, or when a button is clicked."""

        def callback(_: Any) -> None:
            if not self._muted:
                with self.reporting():
                    react()

        if isinstance(control, ipw.Button):
            control.on_click(callback)
        else:
            control.observe(callback, name)

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the work; what it raised is raised again. See `Work.result`."""
        return self.work.result(timeout)

    def work_done(self) -> None:
        """For subclasses: called after every job, by the thread that ran it."""

    def _work_done(self) -> None:
        if self.work.error is not None:
            self.error = sentence(self.work.error)
        self.work_done()

    def _seen(self, change: Any) -> None:
        if change["old"] and not change["new"]:
            self.work.stop()

    def close(self) -> None:
        """Stop the work and take the view, with all its parts, from the page."""
        if "work" in vars(self):  # else the constructor failed, and Python tidies up
            self.work.stop()
        for part in _parts(self):
            part.close()
        super().close()

    def still(self) -> Image.Image | None:
        """For subclasses: what the view shows, as one picture, where widgets cannot be shown."""
        return None

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """What notebooks ask for: the widget, and for pages without a kernel its still picture."""
        bundle = super()._repr_mimebundle_(**options)
        still = self.still()
        if still is None or not bundle:
            return bundle
        return bundle | {"image/png": png(still)}, {"image/png": {"alt": self.still_alt()}}

    def still_alt(self) -> str:
        """For subclasses: what the still picture shows; by default what the view is for."""
        return (type(self).__doc__ or "").splitlines()[0]


def _parts(box: ipw.Box) -> Iterator[ipw.Widget]:
    for part in box.children:
        if isinstance(part, ipw.Box):
            yield from _parts(part)
        yield part


def row(*parts: ipw.Widget, gap: str = "6px 16px") -> ipw.Box:
    """Parts side by side, broken like text where the page is narrow."""
    flow = ipw.Layout(
        display="flex", flex_flow="row wrap", align_items="center", grid_gap=gap, width="100%"
    )
    return ipw.Box(list(parts), layout=flow)


def labelled(text: str, *parts: ipw.Widget) -> ipw.Box:
    """A row that begins with a word on what it is about."""
    word = ipw.HTML(f"<b>{safe(text)}</b>")
    return row(word, *parts)


def words(markup: str) -> str:
    """Markup for an `HTML` widget, whose lines would else stand as far apart as controls."""
    return f'<div style="line-height:1.4;padding:2px 0">{markup}</div>'


def described(control: ipw.Widget, width: str = "320px") -> ipw.Widget:
    """The control, its description in full, at most as wide as the page."""
    control.style.description_width = "initial"
    control.layout.width, control.layout.max_width = width, "100%"
    control.layout.margin = "0"
    return control


def column(width: str) -> ipw.Layout:
    """A column that is narrower on narrow pages."""
    return ipw.Layout(width=width, max_width="100%", align_items="stretch")


def choices(names: Sequence[str], own: Sequence[str] = ()) -> list[str]:
    """Names for a dropdown: those of the user's own pictures first, each once."""
    return list(dict.fromkeys([*own, *names]))
