"""What all views share: messages beside controls, controls that report, a still picture."""

import io
import itertools
import logging
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets as ipw
import numpy as np
from PIL import Image
from torch import Tensor

from nst.errors import NstError
from nst.images import postprocess_image
from nst.widgets.markup import safe
from nst.widgets.page import Page
from nst.widgets.work import Work

LOG = logging.getLogger("nst")


def png(picture: Tensor | Image.Image | np.ndarray) -> bytes:
    """A PNG file: of an image tensor (1, 3, H, W) in [0, 1], a PIL image, or uint8 (H, W[, 3])."""
    if isinstance(picture, Tensor):
        picture = postprocess_image(picture)
    elif isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)  # several times faster, and a tenth larger
    return file.getvalue()


def reduced(picture: Image.Image, side: int) -> Image.Image:
    """The picture with a long side of at most `side` pixels, to be looked at."""
    scale = side / max(picture.size)
    if scale >= 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def sentence(error: BaseException) -> str:
    """An exception as one sentence for the reader of a view."""
    if isinstance(error, NstError):
        text = str(error)
        if re.match(r"[a-z]+(?=[ ,;:]|$)", text):  # a word of ours; names stay as they are written
            text = text[0].upper() + text[1:]
        return text + ("" if text.endswith((".", "?", "!")) else ".")
    LOG.error("This should not have happened", exc_info=error)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
    first = (str(error).splitlines() or [""])[0]
    return f"This should not have happened: {name}{': ' if first else ''}{first}."


class Message(ipw.HTML):
    """A line for what is said of the controls beside it; empty most of the time.

    The page brings what is said before the eye, gives it the focus, and has it read out.
    """

    _numbers = itertools.count()  # so that the same words again are said again

    def __init__(self, style: str = "") -> None:
        super().__init__()
        self.add_class("nst-said")
        if style:
            self.add_class(style)

    def say(self, text: str, role: str = "status", call: bool = True) -> None:
        """Show the text, as an "alert" or a "status"; without `call` it takes no focus."""
        called = f' tabindex="-1" data-nst-call="{next(self._numbers)}"' if call else ""
        kind = "nst-alert" if role == "alert" else "nst-told" if call else "nst-state"
        self.value = f'<p class="{kind}" role="{role}"{called}>{safe(text)}</p>' if text else ""


class View(ipw.VBox):
    """A column of controls and pictures, with a line for errors.

    Subclasses put their parts in with `fill`, connect controls with `on`, and start jobs with
    `self.work.start(job)`. What a control's callback raises appears beside the control, where the
    view has a `Message` there, and else in the error line, as does what a job raises; if the view
    is `synchronous` it is also raised, so that an automatic run fails.
    """

    def __init__(self, name: str, synchronous: bool | None = None):
        """`name` is what the view is called in the page's styles: "nst-" and the name."""
        self.work = Work(synchronous, self._work_done)
        self.page = Page()
        self.lines: weakref.WeakSet[Message] = weakref.WeakSet()
        self.error_line = self.line("nst-error")
        self._where = self.error_line
        self._error, self._depth, self._muted = "", 0, False
        super().__init__(layout=ipw.Layout(width="100%", align_items="stretch"))
        self.add_class("nst-view")
        self.add_class(f"nst-{name}")
        self._view_count = 0  # not None: the page tells how often it shows the view
        self.observe(self._seen, "_view_count")

    def fill(self, *parts: ipw.Widget) -> None:
        """Show these parts, from top to bottom; the error line at the end, if it is not in them."""
        last = [] if self.error_line in parts else [self.error_line]
        self.children = (*parts, *last, self.page)

    def line(self, style: str = "") -> Message:
        """A place for messages, to be put beside the controls that it is given to in `on`."""
        made = Message(style)
        self.lines.add(made)
        return made

    @property
    def error(self) -> str:
        """The sentence that is shown of what went wrong; empty if all is well."""
        return self._error

    @error.setter
    def error(self, text: str) -> None:
        self._error = text
        self._put(text, "alert")

    def tell(self, text: str) -> None:
        """Say beside the control that was used what came of it; an error goes."""
        self._error = ""
        self._put(text, "status")

    def fail(self, text: str) -> None:
        """Say in the error line what went wrong beside a control's callback."""
        self._where = self.error_line
        self.error = text

    def fail_by(self, error: BaseException) -> None:
        """Say in the error line what a thread's work ended by."""
        self.fail(sentence(error))

    @property
    def is_muted(self) -> bool:
        """Whether controls are being set, and not by a person."""
        return self._muted

    def _put(self, text: str, role: str) -> None:
        """One message at a time, so that no two contradict each other."""
        for line in self.lines:
            if line is not self._where and line.value:
                line.value = ""
        self._where.say(text, role)

    @contextmanager
    def reporting(self, beside: Message | None = None) -> Iterator[None]:
        """Whatever goes wrong in here is said there; the last message goes."""
        if self._depth == 0:
            self._where = beside or self.error_line
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

    def on(
        self,
        control: ipw.Widget,
        react: Callable[[], None],
        name: str = "value",
        beside: Message | None = None,
    ) -> None:
        """Call `react` when that trait of the control changes, or when a button is clicked.

        What is said of it is said in the line `beside` it, by default in the error line.
        """

        def callback(_: Any) -> None:
            if not self._muted:
                with self.reporting(beside):
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
            self.fail(sentence(self.work.error))
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
