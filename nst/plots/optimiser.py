"""Figures of how a picture is optimised: paths downhill, races, trade-offs and movements."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter
from torch import Tensor

from nst.images import postprocess_image
from nst.plots.common import DPI, LOGARITHMIC, QUIET, WIDTH, Shown

# Okabe and Ito's colours, which colour-blind readers tell apart; dashes help on grey paper.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), "-")
GRID = "#E4E4E4"

Curve = Sequence[float]
Race = Sequence[tuple[float, float]]  # seconds and loss at each evaluation


def paths(loss: Callable[[Tensor], Tensor], walks: Mapping[str, Tensor]) -> Figure:
    """Walks downhill on a landscape of two coordinates, each in a panel of its own.

    Args:
        loss: maps points (N, 2) to their N losses; its minimum is marked by the lowest contours.
        walks: for each name its points, (steps + 1, 2); all start together.
    """
    figure = Shown(figsize=(WIDTH, WIDTH / len(walks) + 0.1), dpi=DPI, layout="constrained")
    figure.alt = "Contours of a stretched bowl, with the paths of " + ", ".join(walks) + "."
    panels = figure.subplots(1, len(walks), sharex=True, sharey=True, squeeze=False)[0]
    reach = 1.15 * max(walk.abs().max().item() for walk in walks.values())
    side = torch.linspace(-reach, reach, 121)
    ground = torch.cartesian_prod(side, side)
    heights = loss(ground).view(121, 121).T.numpy()
    levels = heights.max() * 2.0 ** np.arange(-12, 1)
    for axes, (name, walk), colour in zip(panels, walks.items(), cycle(COLOURS), strict=False):
        axes.contour(side, side, heights, levels=levels, colors="#B5B5B5", linewidths=0.7)
        x, y = walk.double().numpy().T
        axes.plot(x, y, "-o", color=colour, markersize=3, linewidth=1.2)
        axes.plot(x[0], y[0], "o", color="black", markersize=6)
        axes.set(title=name, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
        axes.tick_params(labelsize="small")
    return figure


def losses(curves: Mapping[str, Curve], title: str = "", ylabel: str = "loss") -> Figure:
    """Named losses over the evaluations, on a logarithmic scale.

    A curve that explodes or turns into NaN leaves the figure at its top.
    """
    figure = Shown(figsize=(0.8 * WIDTH, 0.36 * WIDTH), dpi=DPI, layout="constrained")
    figure.alt = "Losses over the evaluations: " + ", ".join(curves) + "."
    axes = figure.subplots()
    for (name, values), style in zip(curves.items(), _styles(), strict=False):
        axes.plot(_drawable(values), label=name, **style)
    _scale(axes, list(curves.values()))
    axes.set(xlabel="evaluations", ylabel=f"{ylabel} ({LOGARITHMIC})", title=title)
    figure.legend(loc="outside right upper", frameon=False, fontsize="medium")
    return figure


def race(runs: Mapping[str, Race], title: str = "") -> Figure:
    """The same losses twice: over the evaluations, and over the seconds they took.

    Args:
        runs: for each name the seconds since its start and the loss, at each evaluation.
        title: what to see.
    """
    figure = Shown(figsize=(WIDTH, 0.42 * WIDTH), dpi=DPI, layout="constrained")
    figure.alt = "The losses of " + ", ".join(runs) + " over evaluations and over seconds."
    left, right = figure.subplots(1, 2, sharey=True)
    for (name, run), style in zip(runs.items(), _styles(), strict=False):
        seconds, values = zip(*run, strict=True) if run else ((), ())
        left.plot(_drawable(values), label=name, **style)
        right.plot(seconds, _drawable(values), **style)
    _scale(left, [[loss for _, loss in run] for run in runs.values()])
    for axes in (left, right):
        axes.set_xlim(left=0)
        _tidy(axes)
    left.set(xlabel="evaluations of loss and gradient", ylabel=f"total loss ({LOGARITHMIC})")
    right.set(xlabel="seconds on this machine")
    figure.suptitle(title, fontsize="medium")
    figure.legend(loc="outside lower center", ncols=len(runs), frameon=False, fontsize="medium")
    return figure


def trade_off(
    images: Sequence[Tensor], weights: Sequence[float], content: Curve, style: Curve
) -> Figure:
    """A strip of pictures over the style weight, and both losses below it, on one scale.

    Args:
        images: tensors (1, 3, H, W) in [0, 1], in the order of `weights`.
        weights: β/α of each.
        content, style: losses of each, without their weights.
    """
    height, width = images[0].shape[-2:]
    strip = WIDTH / len(images) * height / width
    figure = Shown(figsize=(WIDTH, strip + 3.2), dpi=DPI, layout="constrained")
    figure.alt = (
        f"Pictures for {len(images)} ratios of style to content, from the photograph to the style; "
        "below, the content loss rises while the style loss falls."
    )
    grid = figure.add_gridspec(2, len(images), height_ratios=(strip + 0.25, 2.6), wspace=0.02)
    for column, (image, weight) in enumerate(zip(images, weights, strict=True)):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(np.asarray(postprocess_image(image)), interpolation="lanczos")
        axes.set_title(f"β/α = {weight:,g}".replace(",", " "), fontsize="medium")
        axes.set_axis_off()
    axes = figure.add_subplot(grid[1, :])
    marks = range(len(images))  # each below its picture
    for values, name, colour, mark in (
        (content, "content loss", COLOURS[1], "o-"),
        (style, "style loss", COLOURS[0], "s--"),
    ):
        axes.plot(marks, _drawable(values), mark, color=colour, label=name, linewidth=1.8)
    axes.set_xticks(marks, [f"{weight:,g}".replace(",", " ") for weight in weights])
    axes.set(yscale="log", xlim=(-0.5, len(images) - 0.5), xlabel="style weight β for α = 1")
    axes.set_ylabel(f"loss, relative to its target\n({LOGARITHMIC})")
    axes.legend(frameon=False, fontsize="medium")
    _tidy(axes)
    return figure


def movements(pictures: Mapping[str, Tensor], start: Tensor, bounds: Mapping[str, float]) -> Figure:
    """How far the values of pictures have moved from a start: a histogram for each, same scales.

    Args:
        pictures: by name, tensors of the start's shape.
        start: values in [0, 1].
        bounds: by name, the furthest that this picture's values could move; drawn as a line.
    """
    figure = Shown(figsize=(WIDTH, 0.3 * WIDTH), dpi=DPI, layout="constrained")
    figure.alt = "Histograms of how far pixel values have moved: " + ", ".join(pictures) + "."
    panels = figure.subplots(1, len(pictures), sharex=True, sharey=True, squeeze=False)[0]
    edges = np.linspace(0, 1, 51)
    for axes, (name, picture) in zip(panels, pictures.items(), strict=True):
        moved = (picture - start).abs().flatten().numpy()
        share = np.full(moved.size, 100 / moved.size)
        axes.hist(moved, bins=edges, weights=share, color=COLOURS[0])
        if name in bounds and bounds[name] < 1:
            axes.axvline(bounds[name], color=COLOURS[1], linestyle="--", linewidth=1.5)
            axes.annotate(
                f"steps × rate = {bounds[name]:.2g}",
                (bounds[name], 0.92),
                (5, 0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                color=COLOURS[1],
                fontsize="medium",
            )
        axes.set(title=name, yscale="log", xlim=(0, 1), xlabel="moved from the photograph by")
        _tidy(axes)
    panels[0].set_ylabel(f"% of all values ({LOGARITHMIC})")
    return figure


def _styles() -> "cycle[dict]":
    """A colour and a dash for each curve in turn."""
    return cycle(
        [
            {"color": colour, "linestyle": dash, "linewidth": 1.8}
            for colour, dash in zip(COLOURS, DASHES, strict=True)
        ]
    )


def _drawable(values: Curve) -> list[float]:
    """NaN for what has no place on a logarithmic scale."""
    return [value if 0 < value < math.inf else math.nan for value in values]


def _scale(axes: Axes, curves: Sequence[Curve]) -> None:
    """A logarithmic scale from the lowest loss up to twice the highest start."""
    axes.set_yscale("log")
    known = [value for curve in curves for value in _drawable(curve) if value == value]
    starts = [value for curve in curves for value in _drawable(curve)[:1] if value == value]
    if known and starts:
        axes.set_ylim(min(known) / 1.4, 2 * max(starts))
    axes.set_xlim(0, max([2, *map(len, curves)]) - 1)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    """A quiet frame, and lines to read values off."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    if axes.get_yscale() == "log":
        low, high = axes.get_ylim()
        few = high < 30 * low  # a decade has room for labels of its own
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=8))
        if few:
            axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(NullFormatter())
