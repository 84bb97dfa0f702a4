"""Figures on the choice of layers: how hard each pushes, and what comes of it by numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nst.plots.common import LOGARITHMIC, QUIET, WIDTH, Shown, finish

# Okabe and Ito's colours, which colour-blind readers tell apart; the marks do so without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKS = "osD^vPX"
DOTS = 90  # an inch: charts need fewer than pictures do, and notebooks stay small
Point = tuple[float, float]


def pushes(norms: Mapping[str, Mapping[str, float]], title: str) -> Figure:
    """Lengths of gradients by layer, on a logarithmic scale.

    Args:
        norms: a line each; a length above 0 for each layer, in the order in which they are drawn.
        title: what to see.
    """
    figure = Shown(figsize=(0.75 * WIDTH, 0.4 * WIDTH), dpi=DOTS, layout="constrained")
    axes = figure.subplots()
    for index, (name, by_layer) in enumerate(norms.items()):
        _line(axes, index, list(by_layer), list(by_layer.values()), name)
    axes.set(yscale="log", ylabel=f"length of the gradient ({LOGARITHMIC})")
    finish(figure, axes, title, grid="y")
    figure.alt = f"Length of the gradient by layer, one line each for {', '.join(norms)}. {title}."
    return figure


def judgements(
    curves: Mapping[str, Sequence[Point]],
    notes: Sequence[str] = (),
    names: tuple[str, str] = ("content changed", "style left"),
    title: str = "lower left is better in both",
) -> Figure:
    """Runs as points in a plane of two judgements, those that belong together joined by a line.

    Args:
        curves: for each name, points (x, y) in the order in which they are joined.
        notes: what the points of the first curve are called, in their order.
        names: of the two judgements, along x and y.
        title: what to see.
    """
    figure = Shown(figsize=(0.75 * WIDTH, 0.45 * WIDTH), dpi=DOTS, layout="constrained")
    axes = figure.subplots()
    for index, (name, points) in enumerate(curves.items()):
        xs, ys = zip(*points, strict=True)
        _line(axes, index, xs, ys, name)
    for note, point in zip(notes, next(iter(curves.values())), strict=False):
        axes.annotate(
            note, point, xytext=(5, 5), textcoords="offset points", fontsize=8, color=QUIET
        )
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.margins(0.1)
    finish(figure, axes, title)
    figure.alt = f"Runs by {names[0]} and {names[1]}: {', '.join(curves)}. {title}."
    return figure


def spread(groups: Mapping[str, Sequence[float]], name: str, title: str) -> Figure:
    """Repetitions as dots, a row for each group, with a stroke at their mean.

    Args:
        groups: the values of each.
        name: of what the values measure.
        title: what to see.
    """
    height = 0.7 + 0.35 * len(groups)
    figure = Shown(figsize=(0.75 * WIDTH, height + 0.4), dpi=DOTS, layout="constrained")
    axes = figure.subplots()
    for row, values in enumerate(groups.values()):
        colour = COLOURS[row % len(COLOURS)]
        axes.plot(values, [row] * len(values), "o", color=colour, alpha=0.7)
        mean = sum(values) / len(values)
        axes.plot([mean, mean], [row - 0.3, row + 0.3], color=colour, linewidth=2)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set(xlabel=name, ylim=(len(groups) - 0.5, -0.5))
    axes.set_title(title, fontsize="medium")
    axes.grid(axis="x", color="#E4E4E4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.alt = f"Dots along {name}, a row each for {', '.join(groups)}. {title}."
    return figure


def _line(axes: Axes, index: int, xs: Sequence[Any], ys: Sequence[float], name: str) -> None:
    """A line through marked points."""
    look: dict[str, Any] = {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKS[index % len(MARKS)],
    }
    axes.plot(xs, ys, label=name, linewidth=1.3, **look)
