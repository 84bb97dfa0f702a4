"""What all views share: a line for errors, controls that report, a still picture."""

import io
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
from nst.widgets.work import Work


def png(picture: Tensor | Image.Image | np.ndarray) -> bytes:
    """A PNG file: of an image tensor (1, 3, H, W) in [0, 1], a PIL image, or uint8 (H, W[, 3])."""
    if isinstance(picture, Tensor):
        picture = postprocess_image(picture)
    elif isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)  # several times faster, and a tenth larger
    return file.getvalue()


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
