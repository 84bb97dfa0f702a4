"""Figures of what a network computes: kernels, activations, receptive fields, channels."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from torch import Tensor

from nst.images import postprocess_image
from nst.plots.common import DPI, QUIET, WIDTH, Shown

SIGNED, POSITIVE = "PuOr_r", "magma"  # maps of values around 0, and from 0 on
OUTLINE = "#D81B60"  # of windows: seen on grey, and apart from both ends of SIGNED
LINES = ("#1B4F91", "#C65A00", "#3A8F6B", "#7A4EA3")  # apart in lightness too
MARKERS = ("o", "s", "^", "D")
Box = tuple[int, int, int, int]  # top, left, height, width


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
            _outline(axes, mark, linewidth=2.5)
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

    A row has one scale; its brightest 0.5 % of values look alike, so that one hot spot does not
    darken the rest.
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
            axes.imshow(maps_of_layer[channel].numpy(), **scale, aspect="auto")
            axes.set_box_aspect(feature.shape[-2] / feature.shape[-1])
            axes.set_title(f"channel {channel}", fontsize=8, color=QUIET, pad=2)
        row[0].set_ylabel(f"{name}\n{feature.shape[-1]} × {feature.shape[-2]}", fontsize=10)
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


def receptive_fields(image: Tensor, boxes: Mapping[str, Box], alt: str = "") -> Figure:
    """What one activation of each layer sees: squares on the picture, and each cut out beside it.

    Args:
        image: (1, 3, H, W) in [0, 1].
        boxes: by layer, from small to large: top, left, height and width in pixels. What lies
            outside the picture is not drawn.
        alt: what there is to see.
    """
    picture = np.asarray(postprocess_image(image))
    height, width = picture.shape[:2]
    columns = -(-len(boxes) // 2)
    figure = Shown(figsize=(WIDTH, WIDTH * 0.42), dpi=DPI, layout="constrained")
    figure.alt = alt or "Nested squares on a picture, the receptive fields of " + ", ".join(boxes)
    parts = figure.subfigures(1, 2, squeeze=False, width_ratios=[1, 0.42 * columns + 0.1])
    left, right = parts[0]
    whole = left.subplots()
    whole.imshow(picture, interpolation="lanczos")
    whole.set_axis_off()
    whole.set_title("squares: what one activation sees", fontsize="medium")
    colours = _shades(len(boxes))
    places = list(right.subplots(2, columns, squeeze=False).flat)
    for axes in places:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for axes, (name, box), colour in zip(places, boxes.items(), colours, strict=False):
        _outline(whole, box, colour=colour, linewidth=2.2)
        top, start, tall, wide = box
        rows = slice(max(top, 0), min(top + tall, height))
        cut = picture[rows, max(start, 0) : min(start + wide, width)]
        axes.imshow(cut, interpolation="nearest")
        axes.set_title(f"{name}: {tall} × {wide}", fontsize="medium")
        axes.spines[:].set(visible=True, color=colour, linewidth=2.5)
    whole.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    return figure


def supports(gradients: Mapping[str, Tensor], boxes: Mapping[str, Box], alt: str = "") -> Figure:
    """Which pixels move one activation of each layer, and the receptive field around them.

    Args:
        gradients: by layer, how strongly each pixel (H, W) moves the activation, at least 0.
        boxes: by layer, the receptive field: top, left, height, width.
        alt: what there is to see.

    Brightness is the logarithm, each layer on its own scale: black is 0 or less than 10⁻⁶ of the
    largest.
    """
    height, width = next(iter(gradients.values())).shape
    side = WIDTH / len(gradients)
    figure = Shown(figsize=(WIDTH, side * height / width + 0.4), dpi=DPI, layout="compressed")
    figure.alt = alt or (
        "Bright spots, brightest in their middle, within squares: the pixels that move one "
        f"activation of {', '.join(gradients)}"
    )
    places = figure.subplots(1, len(gradients), squeeze=False)[0]
    for axes, (name, gradient) in zip(places, gradients.items(), strict=True):
        strength = gradient.detach().cpu().double()
        shares = (strength / strength.max().clamp(min=1e-300)).clamp(min=1e-6).log10()
        axes.imshow(shares.numpy(), cmap=POSITIVE, vmin=-6, vmax=0)
        _outline(axes, boxes[name], colour="white", linewidth=1.2)
        axes.set_axis_off()
        axes.set_title(name, fontsize="medium")
    return figure


def channel_portraits(
    portraits: Mapping[str, Sequence[tuple[str, Tensor, Sequence[Tensor]]]], alt: str = ""
) -> Figure:
    """What channels answer to: the picture that maximises each, and the crops that excite it most.

    Args:
        portraits: by row label (the layer), its channels, as many in each row: a name, a picture
            (1, 3, H, W) made to maximise it, and crops of pictures, as many for each.
        alt: what there is to see.
    """
    rows = list(portraits.items())
    across, crops = len(rows[0][1]), len(rows[0][1][0][2])
    ratios = [*[*[1.0] * (1 + crops), 0.15] * across][:-1]
    side = (WIDTH - 0.5) / sum(ratios)
    size = WIDTH, len(rows) * (side + 0.24) + 0.3
    layout = ConstrainedLayoutEngine(w_pad=0.015, h_pad=0.015, wspace=0, hspace=0)
    figure = Shown(figsize=size, dpi=DPI, layout=layout)
    figure.alt = alt or (
        f"For channels of {', '.join(portraits)}: a picture that maximises it, then the parts of "
        "photographs and paintings to which it answers most"
    )
    places = figure.subplots(len(rows), len(ratios), squeeze=False, width_ratios=ratios)
    for axes in places.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for line, (label, channels) in zip(places, rows, strict=True):
        line[0].set_ylabel(label, fontsize=10)
        for index, (name, maximised, found) in enumerate(channels):
            start = index * (crops + 2)
            for axes, shown in zip(line[start:], [maximised, *found], strict=False):
                # One pixel of a small crop stays one block.
                axes.imshow(np.asarray(postprocess_image(shown)), interpolation="nearest")
            line[start].set_title(name, fontsize=8, color=QUIET, pad=4)
            line[start].spines[:].set(visible=True, color=OUTLINE, linewidth=2)
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
        axes.set_yscale("log")
    else:
        lowest, highest = axes.get_ylim()
        axes.set_ylim(min(0, lowest), max(0, highest))
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def _shades(count: int) -> list[Any]:
    """Colours from dark to light, all seen on a photograph, apart for colour-blind readers."""
    return list(matplotlib.colormaps["plasma"](np.linspace(0.95, 0.25, count)))


def _outline(axes: Axes, box: Box, colour: Any = OUTLINE, linewidth: float = 2.0) -> None:
    """A rectangle around whole pixels, wherever the axes end."""
    top, left, height, width = box
    corner = left - 0.5, top - 0.5
    shape: dict[str, Any] = {"fill": False, "edgecolor": colour, "linewidth": linewidth}
    axes.add_patch(Rectangle(corner, width, height, **shape, clip_on=False, zorder=3))
