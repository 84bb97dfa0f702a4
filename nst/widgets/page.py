"""What a view has to do with the page around it: page.js says what, and this is its other end."""

import threading
import time
import weakref
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets

HERE = Path(__file__).parent
BEAT = 1.0  # seconds between two signs of life
# After so many seconds without a word from the page there are no more: a kernel that nobody looks
# at counts as idle, and may be ended. A page in the background speaks once a minute.
REST = 150.0
AGAIN = "Run its cell again"


class Page(anywidget.AnyWidget):
    """The page in which a view is shown; nothing to be seen itself, but a part of every view.

    Traits: `running`, whether leaving the page would lose a run; `advice`, what to do when the
    "kernel" or the "server" has ended, one sentence each; `browser`, a random name that the page's
    browser keeps for itself, empty until the page is there.
    """

    _esm = (HERE / "page.js").read_text(encoding="utf-8")
    _css = (HERE / "page.css").read_text(encoding="utf-8")

    running = traitlets.Bool(False).tag(sync=True)
    advice = traitlets.Dict().tag(sync=True)
    browser = traitlets.Unicode("").tag(sync=True)
    here = traitlets.Bool(False)  # whether it has ever been heard of

    def __init__(self) -> None:
        super().__init__(layout=ipw.Layout(display="none"))
        self.add_class("nst-page")
        self.advice = {"kernel": f"{AGAIN} to go on.", "server": f"Start it again. {AGAIN}."}
        self.heard, self.resting = time.monotonic(), False
        self.on_msg(self._hear)

    def _hear(self, *_: Any) -> None:
        """The page says that it is there."""
        self.heard = time.monotonic()
        self.here = True
        _pages.add(self)
        _start_beating()
        self.send({"alive": True})  # at once: a kernel may end before its first beat

    def beat(self) -> None:
        """Send a sign of life, or once that there will be no more until the page speaks."""
        resting = time.monotonic() - self.heard > REST
        if self.comm is None:
            _pages.discard(self)
        elif not (resting and self.resting):
            self.send({"alive": not resting})
        self.resting = resting


_pages: "weakref.WeakSet[Page]" = weakref.WeakSet()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def _start_beating() -> None:
    """A thread of its own: a kernel that runs a long cell is alive."""
    global _thread
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_beat, name="nst-alive", daemon=True)
            _thread.start()


def _beat() -> None:
    while True:
        time.sleep(BEAT)
        for page in list(_pages):
            page.beat()
