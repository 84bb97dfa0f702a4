"""Figures on speed and size: where time goes, how cost grows, and what conditioning means."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from torch import Tensor

from nst.plots.common import LOGARITHMIC, QUIET, WIDTH, Shown, finish
from nst.plots.layers import COLOURS, DOTS, MARKS


def bars(
    parts: Mapping[str, float] | Mapping[str, Mapping[str, float]],
    title: str,
    unit: str = "",
    digits: int = 3,
) -> Figure:
    """Horizontal bars from 0, each with its number; several series side by side.

    Args:
        parts: a number for each name, or for each series such numbers with the same names.
        title: what to see.
        unit: of the numbers; "%" shows shares of 1.
        digits: how many are shown.
    """
    series: dict[str, Any] = dict(parts)
    if not isinstance(next(iter(series.values())), Mapping):
        series = {"": series}
    names = list(next(iter(series.values())))
    thick = 0.8 / len(series)
    height = 0.8 + len(names) * max(0.32, 0.2 * len(series))
    figure = Shown(figsize=(0.75 * WIDTH, height), dpi=DOTS, layout="constrained")
    axes = figure.subplots()
    scale = 100 if unit == "%" else 1
    for index, (name, values) in enumerate(series.items()):
        places = [row + (index - (len(series) - 1) / 2) * thick for row in range(len(names))]
        numbers = [scale * values[part] for part in names]
        drawn = axes.barh(places, numbers, thick * 0.92, color=COLOURS[index], label=name)
        labels = [f"{number:.{digits}g} {unit}".strip() for number in numbers]
        axes.bar_label(drawn, labels, padding=3, fontsize=8, color=QUIET)
    axes.set_yticks(range(len(names)), names)
    axes.set(ylim=(len(names) - 0.5, -0.5), xticks=[])
    axes.margins(x=0.12)
    axes.set_title(title, fontsize="medium")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    if len(series) > 1:
        figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    figure.alt = f"Bars for {', '.join(names)}. {title}."
    return figure


def growth(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    names: tuple[str, str],
    title: str,
    fits: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Measured points on logarithmic scales, where a power law is a straight line.

    Args:
        curves: for each name, the points' x and y, all above 0.
        names: of x and y.
        title: what to see.
        fits: for a curve of that name, slope and factor of the line y = factor · x^slope through
            it; others get no line.
    """
    figure = Shown(figsize=(0.75 * WIDTH, 0.45 * WIDTH), dpi=DOTS, layout="constrained")
    axes = figure.subplots()
    for index, (name, (xs, ys)) in enumerate(curves.items()):
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(xs, ys, MARKS[index % len(MARKS)], color=colour, label=name)
        if fits and name in fits:
            slope, factor = fits[name]
            ends = np.array([min(xs), max(xs)])
            line: dict[str, Any] = {
                "color": colour,
                "linewidth": 1.3,
                "label": f"slope {slope:.2f}",
            }
            axes.plot(ends, factor * ends**slope, **line)
    axes.set(xscale="log", yscale="log")
    axes.set(xlabel=f"{names[0]} ({LOGARITHMIC})", ylabel=f"{names[1]} ({LOGARITHMIC})")
    for side in (axes.xaxis, axes.yaxis):
        side.set_major_locator(LogLocator(subs=(1, 2, 5)))
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        side.set_minor_locator(NullLocator())
    finish(figure, axes, title)
    figure.alt = f"{names[1]} against {names[0]}: {', '.join(curves)}. {title}."
    return figure


def bowls(
    sides: Mapping[str, tuple[Callable[[Any, Any], Any], Sequence[tuple[float, float]]]],
) -> Figure:
    """Functions of two numbers as contours, each with the path of an optimiser; on equal scales.

    `sides` holds for each title a function of x and y and the points of a path.
    """
    figure = Shown(figsize=(WIDTH, 0.45 * WIDTH), dpi=DOTS, layout="constrained")
    places = figure.subplots(1, len(sides), squeeze=False, sharex=True, sharey=True)[0]
    reach = 1.15 * max(abs(x) for _, path in sides.values() for point in path for x in point)
    x, y = np.meshgrid(*[np.linspace(-reach, reach, 200)] * 2)
    for axes, (title, (function, path)) in zip(places, sides.items(), strict=True):
        heights = function(x, y)
        levels = heights.max() * np.geomspace(1e-3, 1, 12)
        axes.contour(x, y, heights, levels, colors="#9A9A9A", linewidths=0.7)
        xs, ys = zip(*path, strict=True)
        axes.plot(xs, ys, "o-", color=COLOURS[0], markersize=3, linewidth=1)
        axes.plot(0, 0, "*", color=COLOURS[1], markersize=11)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="x")
        axes.set_title(title, fontsize="medium")
    places[0].set_ylabel("y")
    figure.alt = f"Contours with an optimiser's path to the lowest point: {'; '.join(sides)}."
    return figure


def descents(
    totals: Mapping[str, Sequence[float]], title: str, goal: float | None = None
) -> Figure:
    """Losses against evaluations, the loss on a logarithmic scale.

    Args:
        totals: for each name, the loss at each evaluation.
        title: what to see.
        goal: a loss that is marked, with the first evaluation at which each run is there.
    """
    figure = Shown(figsize=(0.75 * WIDTH, 0.42 * WIDTH), dpi=DOTS, layout="constrained")
    axes = figure.subplots()
    for index, (name, losses) in enumerate(totals.items()):
        colour = COLOURS[index % len(COLOURS)]
        axes.plot(range(1, len(losses) + 1), losses, color=colour, label=name, linewidth=1.5)
        there = next((n for n, loss in enumerate(losses, 1) if goal and loss <= goal), None)
        if goal and there:
            axes.plot(there, goal, MARKS[index % len(MARKS)], color=colour)
            beside: dict[str, Any] = {"xytext": (4, 6), "textcoords": "offset points"}
            axes.annotate(str(there), (there, goal), color=colour, fontsize=9, **beside)
    if goal:
        axes.axhline(goal, color=QUIET, linewidth=0.8, linestyle=":")
    axes.set(yscale="log", xlabel="evaluations", ylabel=f"loss ({LOGARITHMIC})")
    axes.margins(y=0.12)
    finish(figure, axes, title, grid="y")
    figure.alt = f"Loss against evaluations for {', '.join(totals)}. {title}."
    return figure


def error_maps(errors: Mapping[str, Tensor], title: str, floor: float = 1e-8) -> Figure:
    """Sizes of errors at each pixel, side by side on one logarithmic scale.

    Args:
        errors: for each title, a map (H, W) of numbers of 0 or more.
        title: of the scale: what the numbers are.
        floor: what is smaller is drawn as this.
    """
    figure = Shown(figsize=(WIDTH, 0.9 + WIDTH / len(errors) * 0.9), dpi=DOTS, layout="compressed")
    places = figure.subplots(1, len(errors), squeeze=False)[0]
    top = max(float(error.max()) for error in errors.values())
    scale = LogNorm(floor, max(top, 10 * floor))
    for axes, (name, error) in zip(places, errors.items(), strict=True):
        drawn = axes.imshow(error.clamp(min=floor).numpy(), cmap="magma", norm=scale)
        axes.set(xticks=[], yticks=[])
        axes.set_title(name, fontsize="medium")
    figure.colorbar(drawn, ax=list(places), label=title, shrink=0.8)
    figure.alt = f"Maps of {title}: {'; '.join(errors)}."
    return figure
