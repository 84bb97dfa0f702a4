"""Figures of what a network computes: kernels, activations, numbers by layer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from nst.plots.common import (
    DPI,
    LINES,
    MARKERS,
    POSITIVE,
    QUIET,
    SIGNED,
    WIDTH,
    Box,
    Shown,
    outline,
)


def numbers(
    matrices: Sequence[Tensor],
    titles: Sequence[str],
    marks: Sequence[Box | None] = (),
    alt: str = "",
) -> Figure:
    """Small matrices side by side, each number written into its cell; all cells are equally large.

    Args:
        matrices: tensors (H, W); orange is above 0, purple below, both scaled matrix by matrix.
        titles: one for each.
        marks: a box (top, left, height, width) to outline in each, or None.
        alt: what there is to see; by default the titles.
    """
    arrays = [matrix.detach().cpu().numpy() for matrix in matrices]
    gap, head = 0.45, 0.35  # inches between matrices, and over them
    cell = min(0.5, (WIDTH - gap * len(arrays)) / sum(array.shape[1] for array in arrays))
    wide = cell * sum(array.shape[1] for array in arrays) + gap * len(arrays)
    tall = cell * max(array.shape[0] for array in arrays) + head + 0.1
    figure = Shown(figsize=(wide, tall), dpi=DPI)
    figure.alt = alt or "Matrices of numbers: " + "; ".join(titles)
    left = gap / 2
    for index, array in enumerate(arrays):
        rows, columns = array.shape
        low = (tall - head - rows * cell) / 2
        place = left / wide, low / tall, columns * cell / wide, rows * cell / tall
        axes = figure.add_axes(place)
        left += columns * cell + gap
        _write_numbers(axes, array)
        axes.set_title(titles[index], fontsize=10)
        mark = marks[index] if index < len(marks) else None
        if mark:
            outline(axes, mark, linewidth=2.5)
    return figure


def _write_numbers(axes: Axes, array: np.ndarray) -> None:
    """One matrix, cell by cell."""
    limit = 2.2 * (np.abs(array).max() or 1)  # pale enough for black figures on it
    axes.imshow(array, cmap=SIGNED, vmin=-limit, vmax=limit)
    for (row, column), value in np.ndenumerate(array):
        axes.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=9)
    for line in range(1, max(array.shape)):
        axes.axvline(line - 0.5, color="white", linewidth=1.5)
        axes.axhline(line - 0.5, color="white", linewidth=1.5)
    axes.set(xlim=(-0.5, array.shape[1] - 0.5), ylim=(array.shape[0] - 0.5, -0.5))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def maps(
    values: Sequence[Tensor],
    titles: Sequence[str],
    columns: int | None = None,
    width: float = WIDTH,
    alt: str = "",
) -> Figure:
    """Maps of numbers side by side, all on one scale: with its bar, and 0 in its middle if signed.

    Args:
        values: tensors (H, W), or with leading axes of length 1.
        titles: one for each.
        columns: of the grid; by default all in one row, up to four.
        width: of the figure, in inches.
        alt: what there is to see; by default the titles.
    """
    arrays = [value.detach().cpu().squeeze().numpy() for value in values]
    columns = columns or min(len(arrays), 4)
    rows = -(-len(arrays) // columns)
    tallest = max(array.shape[0] / array.shape[1] for array in arrays)
    size = width, rows * (tallest * (width - 0.9) / columns + 0.35)
    figure = Shown(figsize=size, dpi=DPI, layout="compressed")
    figure.alt = alt or "Maps of numbers: " + "; ".join(titles)
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    scale = _scale(arrays)
    for axes in places:
        axes.set_axis_off()
    for axes, array, title in zip(places, arrays, titles, strict=False):
        shown = axes.imshow(array, **scale)
        axes.set_title(title, fontsize="medium")
    figure.colorbar(shown, ax=places, shrink=0.9, pad=0.01, aspect=30)
    return figure


def _scale(arrays: Sequence[np.ndarray], share: float = 1.0) -> dict[str, Any]:
    """Colours for maps that are compared: their range, from 0 if nothing is below it.

    `share` of the values lie within the range.
    """
    largest = float(np.quantile(np.abs(np.concatenate([a.ravel() for a in arrays])), share)) or 1.0
    signed = any(array.min() < 0 for array in arrays)
    return {
        "cmap": SIGNED if signed else POSITIVE,
        "vmin": -largest if signed else 0,
        "vmax": largest,
    }


def activations(features: Mapping[str, Tensor], channels: int = 5, alt: str = "") -> Figure:
    """Each layer's liveliest channels in a row: those that vary most over the picture.

    Args:
        features: activations (1, C, H, W) by layer, as `extract_features` returns them.
        channels: how many of each layer.
        alt: what there is to see.

    A row has one scale, on its bar; its brightest 0.5 % of values look alike, so that one hot spot
    does not darken the rest.
    """
    shapes = [feature.shape[-2:] for feature in features.values()]
    tallest = max(height / width for height, width in shapes)
    width = (WIDTH - 0.5) / channels
    size = WIDTH, len(features) * (tallest * width + 0.25)
    figure = Shown(figsize=size, dpi=DPI, layout="compressed")
    figure.alt = alt or (
        f"The liveliest channels of {', '.join(features)}, layer by layer: bright where they answer"
    )
    places = figure.subplots(len(features), channels, squeeze=False)
    for row, (name, feature) in zip(places, features.items(), strict=True):
        maps_of_layer = feature[0].detach().cpu()
        chosen = maps_of_layer.flatten(1).var(1).argsort(descending=True)[:channels].tolist()
        scale = _scale([maps_of_layer[chosen].numpy()], share=0.995)
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, channel in zip(row, chosen, strict=False):
            shown = axes.imshow(maps_of_layer[channel].numpy(), **scale, aspect="auto")
            axes.set_box_aspect(feature.shape[-2] / feature.shape[-1])
            axes.set_title(f"channel {channel}", fontsize=8, color=QUIET, pad=2)
        row[0].set_ylabel(f"{name}\n{feature.shape[-1]} × {feature.shape[-2]}", fontsize=10)
        bar = figure.colorbar(shown, ax=row.tolist(), shrink=0.85, aspect=12, pad=0.01)
        bar.ax.tick_params(labelsize=7)
    return figure


def rectification(before: Tensor, after: Tensor, channel: int, alt: str = "") -> Figure:
    """A channel before and after the ReLU, and the histograms of all activations of the layer.

    Args:
        before, after: activations (1, C, H, W) of a convolution and of the ReLU behind it.
        channel: whose maps are shown.
        alt: what there is to see.
    """
    height, width = before.shape[-2:]
    tall = WIDTH / 3.6 * height / width
    figure = Shown(figsize=(WIDTH, max(tall, 2.2) + 0.4), dpi=DPI, layout="constrained")
    figure.alt = alt or (
        "A channel before the ReLU, with values on both sides of 0, and after it, with nothing "
        "below 0; histograms of both"
    )
    first, second, chart = figure.subplots(1, 3, width_ratios=[1, 1, 1.15])
    pair = [feature[0, channel].detach().cpu().numpy() for feature in (before, after)]
    scale = _scale(pair, share=0.998)
    for axes, array, title in zip((first, second), pair, ("before", "after"), strict=True):
        shown = axes.imshow(array, **scale)
        axes.set_axis_off()
        axes.set_title(f"channel {channel} {title} the ReLU", fontsize="medium")
    figure.colorbar(shown, ax=[first, second], shrink=0.75, aspect=25, pad=0.02)
    values = before.detach().cpu().flatten().numpy()
    low, high = np.quantile(values, [0.002, 0.998])
    bins = np.linspace(low, high, 61)
    bins -= bins[np.abs(bins).argmin()]  # an edge at 0
    counts = [np.histogram(side, bins)[0] for side in (values, values[values > 0])]
    chart.stairs(counts[0], bins, fill=True, color="#C9C9C9", label="becomes 0")
    chart.stairs(counts[1], bins, fill=True, color=LINES[0], label="stays")
    chart.axvline(0, color="black", linewidth=0.8)
    chart.set(xlabel="activation before the ReLU", yticks=[], ylim=(0, 1.25 * counts[0].max()))
    chart.set_title("all channels and positions", fontsize="medium")
    chart.legend(frameon=False, fontsize="small", loc="upper left")
    chart.spines[["top", "right", "left"]].set_visible(False)
    return figure


def by_layer(
    series: Mapping[str, Mapping[str, float]],
    ylabel: str,
    title: str = "",
    baseline: tuple[str, float] | None = None,
    log: bool = False,
    alt: str = "",
) -> Figure:
    """Lines of one number a layer.

    Args:
        series: by the line's name, a number for each layer; the layers in their order.
        ylabel: what the number is.
        title: what there is to see.
        baseline: name and value of a level to compare with, drawn dashed.
        log: whether the numbers' axis is logarithmic; otherwise it includes 0.
        alt: the same for those who cannot see it.
    """
    figure = Shown(figsize=(0.8 * WIDTH, 0.36 * WIDTH), dpi=DPI, layout="constrained")
    figure.alt = alt or f"Lines of {ylabel} by layer: " + "; ".join(series)
    axes = figure.subplots()
    layers = list(dict.fromkeys(layer for line in series.values() for layer in line))
    for index, (name, line) in enumerate(series.items()):
        places = [layers.index(layer) for layer in line]
        style: dict[str, Any] = {
            "color": LINES[index % 4],
            "marker": MARKERS[index % 4],
            "linewidth": 2,
        }
        axes.plot(places, list(line.values()), label=name, **style)
    if baseline:
        axes.axhline(baseline[1], color=QUIET, linestyle="--", linewidth=1)
        axes.annotate(
            baseline[0], (0, baseline[1]), (0, 3), textcoords="offset points", color=QUIET
        )
    axes.set_xticks(range(len(layers)), layers)
    axes.set(ylabel=ylabel)
    axes.set_title(title, fontsize="medium")
    if log:
        axes.set(yscale="log", ylabel=f"{ylabel} (logarithmic scale)")
    else:
        lowest, highest = axes.get_ylim()
        axes.set_ylim(min(0, lowest), max(0, highest))
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return figure
