"""Figures of content: gradients checked, losses falling, pictures made again from activations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from nst.images import postprocess_image
from nst.plots.common import DPI, LINES, OUTLINE, QUIET, WIDTH, Shown

Window = tuple[float, float, float, float]  # top, left, height, width as shares of the picture


def agreement(
    expected: Tensor, found: Tensor, labels: tuple[str, str], title: str = "", alt: str = ""
) -> Figure:
    """Pairs of numbers that should be the same, around the diagonal.

    Args:
        expected, found: as many numbers each.
        labels: what they are; along the horizontal axis, along the vertical one.
        title: what there is to see.
        alt: the same for those who cannot see it.
    """
    figure = Shown(figsize=(0.45 * WIDTH, 0.42 * WIDTH), dpi=DPI, layout="constrained")
    figure.alt = alt or f"Points on the diagonal: {labels[0]} against {labels[1]}"
    axes = figure.subplots()
    pair = [values.detach().cpu().flatten().double().numpy() for values in (expected, found)]
    limit = 1.1 * max(np.abs(values).max() for values in pair) or 1.0
    axes.plot([-limit, limit], [-limit, limit], color="#BBBBBB", linewidth=1, zorder=0)
    axes.plot(*pair, "o", color=LINES[0], markersize=5, alpha=0.8)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_title(title, fontsize="medium")
    axes.ticklabel_format(style="sci", scilimits=(-2, 3))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def curves(
    lines: Mapping[str, Sequence[float]],
    ylabel: str,
    xlabel: str = "evaluations",
    title: str = "",
    alt: str = "",
) -> Figure:
    """Losses along runs, on a logarithmic axis.

    Args:
        lines: by the run's name, its losses from the start on.
        ylabel, xlabel: of the axes.
        title: what there is to see.
        alt: the same for those who cannot see it.
    """
    figure = Shown(figsize=(0.8 * WIDTH, 0.34 * WIDTH), dpi=DPI, layout="constrained")
    figure.alt = alt or f"Falling lines of {ylabel}: " + "; ".join(lines)
    axes = figure.subplots()
    for index, (name, line) in enumerate(lines.items()):
        dashes = ("-", "--", "-.", ":")[index % 4]
        axes.plot(line, label=name, color=LINES[index % 4], linestyle=dashes, linewidth=2)
    axes.set(yscale="log", xlabel=xlabel, ylabel=f"{ylabel} (logarithmic scale)")
    axes.set_title(title, fontsize="medium")
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    return figure


def reconstructions(
    original: Tensor,
    pictures: Mapping[str, Tensor],
    window: Window = (0.35, 0.35, 0.25, 0.25),
    remarks: Mapping[str, str] | None = None,
    alt: str = "",
) -> Figure:
    """A picture and what was made again from each layer; below, a part of each enlarged.

    Gatys et al. (2016), figure 1, its content row.

    Args:
        original: (1, 3, H, W) in [0, 1].
        pictures: by layer, of the same shape.
        window: the part to enlarge: top, left, height and width as shares of the picture.
        remarks: by layer, a short line under the enlarged part, such as a number.
        alt: what there is to see.
    """
    shown = {"the picture": original, **pictures}
    height, width = original.shape[-2:]
    top, left, tall, wide = (
        round(share * side)
        for share, side in zip(window, (height, width, height, width), strict=True)
    )
    tall, wide = max(tall, 1), max(wide, 1)
    across = WIDTH / len(shown)
    shapes = height / width, tall / wide
    size = WIDTH, across * sum(shapes) + (0.65 if remarks else 0.4)
    figure = Shown(figsize=size, dpi=DPI, layout="compressed")
    figure.alt = alt or (
        f"A picture, and the pictures made again from {', '.join(pictures)}: the deeper the layer, "
        "the less of colours and details is left"
    )
    places = figure.subplots(2, len(shown), squeeze=False, height_ratios=shapes)
    for (above, below), (name, tensor) in zip(places.T, shown.items(), strict=True):
        picture = np.asarray(postprocess_image(tensor))
        above.imshow(picture, interpolation="lanczos")
        below.imshow(picture[top : top + tall, left : left + wide], interpolation="nearest")
        above.set_title(name, fontsize="medium")
        below.set_xlabel((remarks or {}).get(name, ""), fontsize=9, color=QUIET)
        for axes in (above, below):
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
    frame: dict[str, Any] = {"fill": False, "edgecolor": OUTLINE, "linewidth": 1.5}
    places[0, 0].add_patch(Rectangle((left - 0.5, top - 0.5), wide, tall, **frame))
    return figure
