"""A slider between two words, for those who would rather not see numbers."""

from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets

STYLE = """
.nst-slider label { display: block; font-weight: 600; line-height: 22px; }
.nst-slider input { width: 100%; height: 26px; margin: 0; accent-color: #1a73e8; cursor: pointer;
  touch-action: pan-y; }
.nst-slider-ends { display: flex; justify-content: space-between; gap: 12px; font-size: 0.92em;
  line-height: 1.3; opacity: 0.85; }
"""


class Slider(anywidget.AnyWidget):
    """A number from `min` to `max`, set by eye.

    Traits: `value`, `min`, `max`, `step`; `label`, what it sets; `low` and `high`, what its two
    ends mean, in a word or two.
    """

    _esm = Path(__file__).with_name("slider.js").read_text(encoding="utf-8")
    _css = STYLE

    value = traitlets.Float(0).tag(sync=True)
    min = traitlets.Float(0).tag(sync=True)
    max = traitlets.Float(1).tag(sync=True)
    step = traitlets.Float(0.01).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    low = traitlets.Unicode().tag(sync=True)
    high = traitlets.Unicode().tag(sync=True)

    def __init__(self, label: str, low: str, high: str, **traits: Any):
        super().__init__(
            label=label, low=low, high=high, layout=ipw.Layout(margin="2px 0"), **traits
        )
        self.add_class("nst-slider")

    def place(self, value: float) -> None:
        """Set the value, or the end that is nearest to it."""
        self.value = min(self.max, max(self.min, value))
