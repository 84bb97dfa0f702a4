"""How it is painted: by example, by a slider between photograph and style, or by numbers."""

import math
from collections.abc import Callable
from typing import Any

import ipywidgets as ipw

from nst.settings import Settings
from nst.widgets.common import View
from nst.widgets.parts import Fold, note, wide
from nst.widgets.slider import Slider
from nst.widgets.starts import FIELDS, examples, start, start_of
from nst.widgets.thumbnails import Thumbnails

USUAL = Settings()
RATIO = USUAL.style_weight / USUAL.content_weight  # of the weights, in the slider's middle
MIDDLE = 0.7  # strength of a painting in one pass in the slider's middle
STATISTICS = {
    "textures (Gram matrices)": "gram",
    "means and deviations": "mean-std",
    "covariances": "covariance",
    "distributions (sliced)": "sliced",
    "nearest patches (slow)": "nearest",
}


class Look(ipw.VBox):
    """The controls of style: `changes` reads them, `show` sets them; `numbers` is their fold.

    Strokes here have one size. `when_changed` is called when somebody has changed a control;
    `when_scaled` before that, if it was the strokes' size.
    """

    def __init__(self, view: View):
        self.view = view
        self.when_changed: Callable[[], None] = lambda: None
        self.when_scaled: Callable[[], None] = lambda: None
        self.base = USUAL
        self.examples = Thumbnails("How it is painted", examples())
        self.balance = Slider("Balance", "more photograph", "more style", min=-2, max=2, step=0.05)
        self.strokes = Slider("Strokes", "fine", "broad", min=-2, max=1, step=0.05)
        self.keep = ipw.Checkbox(False, description="Keep the photograph's colours", indent=False)
        self.keep.add_class("nst-keep")
        number = ipw.BoundedFloatText
        self.content_weight = number(min=0, max=1e18, step=0.1, description="Content")
        self.style_weight = number(min=0, max=1e18, step=100, description="Style")
        self.tv_weight = number(min=0, max=1e18, step=0.1, description="Smoothness")
        self.statistic = ipw.Dropdown(description="Statistic", options=list(STATISTICS.items()))
        for name in ("content_weight", "style_weight", "tv_weight", "statistic"):
            wide(getattr(self, name)).add_class(f"nst-set-{name.replace('_', '-')}")
        self.numbers = Fold(
            "Numbers",
            [
                self.content_weight,
                self.style_weight,
                self.tv_weight,
                note(
                    "The balance is the ratio of the first two, on a logarithmic scale. Larger "
                    "numbers count for more; 0 leaves a loss out."
                ),
                self.statistic,
                note("What of the style picture is to be the same in the painting."),
            ],
        )
        for control, react in (
            (self.examples, self._start),
            (self.balance, self._balance),
            (self.content_weight, self._place),
            (self.style_weight, self._place),
            (self.strokes, lambda: self.when_scaled()),
        ):
            view.on(control, react)
        for control in (self.balance, self.strokes, self.keep, self.content_weight,
                        self.style_weight, self.tv_weight, self.statistic):  # fmt: skip
            view.on(control, self._changed)
        super().__init__([self.examples, self.balance, self.strokes, self.keep])
        self.add_class("nst-look")

    @property
    def strength(self) -> float:
        """How far a painting in one pass goes from the photograph, 0, to the style, 1."""
        # The weights have three digits: an opened run's place is nearly, not quite, the slider's.
        place = round(self.balance.value, 2) / self.balance.max
        return MIDDLE + (1 - MIDDLE if place > 0 else MIDDLE) * place

    def show(self, settings: Settings) -> None:
        """Set the controls; what they cannot show stays as it is until they are moved."""
        self.base = settings
        scale = settings.style_scale
        first = scale[0] if isinstance(scale, tuple) else scale
        with self.view.muted():
            self.content_weight.value = settings.content_weight
            self.style_weight.value = settings.style_weight
            self.tv_weight.value = settings.tv_weight
            self.statistic.value = settings.statistic
            self.keep.value = settings.colour == "content"
            self.strokes.place(math.log2(first))
            self._place()
            self.scaled = self.strokes.value, first
            self.examples.value = start_of(self.changes())

    def changes(self) -> dict[str, Any]:
        """The fields of settings that they say."""
        other = self.base.colour if self.base.colour != "content" else "style"
        place, scale = self.scaled
        if self.strokes.value != place:
            scale = round(2**self.strokes.value, 3)
        values: dict[str, Any] = {
            "content_weight": self.content_weight.value,
            "style_weight": self.style_weight.value,
            "tv_weight": self.tv_weight.value,
            "style_scale": scale,
            "statistic": self.statistic.value,
            "colour": "content" if self.keep.value else other,
        }
        return {name: values[name] for name in FIELDS}

    def _start(self) -> None:
        """All controls as the chosen example was painted."""
        if name := self.examples.value:
            self.show(Settings(**start(name)))
            self.when_scaled()
            self.when_changed()

    def _balance(self) -> None:
        content = self.content_weight.value or USUAL.content_weight
        style = content * RATIO * 10**self.balance.value
        with self.view.muted():
            self.content_weight.value = content
            self.style_weight.value = float(f"{style:.3g}")

    def _place(self) -> None:
        """The slider where the numbers are."""
        content, style = self.content_weight.value, self.style_weight.value
        ratio = style / content / RATIO if content else math.inf
        with self.view.muted():
            self.balance.place(math.log10(ratio) if ratio > 0 else -math.inf)

    def _changed(self) -> None:
        with self.view.muted():
            self.examples.value = start_of(self.changes())
        self.when_changed()
