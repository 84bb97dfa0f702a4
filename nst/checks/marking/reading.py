"""Reading a matplotlib figure: what a person would see of it, as plain values.

It needs nothing of this package, so it can run where a figure is, away from what judges it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def read(figure: Any) -> dict[str, Any]:
    """The words of a figure, the numbers drawn, and whether its axes have names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text

    FigureCanvasAgg(figure).draw()  # writes the labels of ticks, too
    visible = [axes for axes in figure.axes if axes.get_visible() and axes.axison]
    named = bool(visible) and all(map(_named, visible))
    texts = [" ".join(text.get_text().split()) for text in figure.findobj(Text)]  # lines broken
    points: list[float] = []
    for axes in figure.axes:
        for line in axes.lines:
            points += np.asarray(line.get_xydata(), float).ravel().tolist()
        for collection in axes.collections:
            points += np.asarray(collection.get_offsets(), float).ravel().tolist()
        for patch in axes.patches:
            if isinstance(patch, Rectangle):
                points += [patch.get_height(), patch.get_width()]
    return {"named": bool(named), "text": "\n".join(texts), "points": points}


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
