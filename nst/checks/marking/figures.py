"""What a matplotlib figure shows: its words, and the numbers that are drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from nst.checks.common import Mistake
from nst.checks.marking.answers import kind


class Drawn:
    """What a matplotlib figure shows: its words, the numbers drawn, whether its axes have names.

    Raises:
        Mistake: it is no figure.
    """

    def __init__(self, figure: Any) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
        from matplotlib.text import Text

        if not isinstance(figure, Figure):
            raise Mistake(f"it returns {kind(figure)}, not a matplotlib Figure.")
        FigureCanvasAgg(figure).draw()  # writes the labels of ticks, too
        visible = [axes for axes in figure.axes if axes.get_visible() and axes.axison]
        self.named = bool(visible) and all(map(_named, visible))
        self.text = "\n".join(text.get_text() for text in figure.findobj(Text))
        self.points: list[float] = []
        for axes in figure.axes:
            for line in axes.lines:
                self.points += np.asarray(line.get_xydata(), float).ravel().tolist()
            for collection in axes.collections:
                self.points += np.asarray(collection.get_offsets(), float).ravel().tolist()
            for patch in axes.patches:
                if isinstance(patch, Rectangle):
                    self.points += [patch.get_height(), patch.get_width()]

    def has(self, number: float) -> bool:
        """Whether the number is drawn."""
        return any(abs(point - number) < 1e-6 for point in self.points)


def _named(axes: Any) -> bool:
    """Whether both axes have a name, or words at their ticks: their own, a panel's that shares it
    with them, or one for the whole figure.
    """
    figure = axes.figure
    x = [one.get_xlabel() for one in axes.get_shared_x_axes().get_siblings(axes)]
    y = [one.get_ylabel() for one in axes.get_shared_y_axes().get_siblings(axes)]
    x += [figure.get_supxlabel(), _words(axes.get_xticklabels())]
    return any(x) and any([*y, figure.get_supylabel()])


def _words(labels: Sequence[Any]) -> bool:
    """Whether an axis is labelled with words, such as names of bars, and not with numbers."""
    return any(any(map(str.isalpha, label.get_text())) for label in labels)
