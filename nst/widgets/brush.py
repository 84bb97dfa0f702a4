"""A brush over a picture, with which a part of it is chosen."""

from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets

HERE = Path(__file__).parent
SIDE = 512  # pixels of the picture that is painted over, and so of the mask


class Brush(anywidget.AnyWidget):
    """A picture over which a part of it can be painted.

    The strokes are drawn by the page alone; the kernel hears of them when they end.

    Traits: `picture`, the bytes of a file; `alt`, what it is; `region`, a PNG of the picture's
    size, white where it is painted and black elsewhere, or no bytes where nothing is; `tint`, the
    colour in which it is shown, as "#rrggbb".
    """

    _esm = (HERE / "brush.js").read_text(encoding="utf-8")
    _css = (HERE / "brush.css").read_text(encoding="utf-8")

    picture = traitlets.Bytes(b"").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    # What comes from a page is a view of a message's memory.
    region = traitlets.Bytes(b"").tag(sync=True, from_json=lambda sent, _: bytes(sent))
    tint = traitlets.Unicode("#e0226e").tag(sync=True)

    def __init__(self, **traits: Any):
        super().__init__(layout=ipw.Layout(margin="0"), **traits)
        self.add_class("nst-brush")
