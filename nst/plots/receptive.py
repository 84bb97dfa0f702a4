"""Figures of what units of a network see: receptive fields, and what channels answer to."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

from nst.images import postprocess_image
from nst.plots.common import (
    DPI,
    OUTLINE,
    POSITIVE,
    QUIET,
    WIDTH,
    Box,
    Shown,
    outline,
)


def receptive_fields(image: Tensor, boxes: Mapping[str, Box], alt: str = "") -> Figure:
    """What one activation of each layer sees: squares on the picture, and each cut out beside it.

    Args:
        image: (1, 3, H, W) in [0, 1].
        boxes: by layer, from small to large: top, left, height and width in pixels. Outside the
            picture, where the network sees its padding, they enclose white.
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
        outline(whole, box, colour=colour, linewidth=2.2)
        top, start, tall, wide = box
        rows = slice(max(top, 0), min(top + tall, height))
        cut = picture[rows, max(start, 0) : min(start + wide, width)]
        axes.imshow(cut, interpolation="nearest")
        axes.set_title(f"{name}: {tall} × {wide}", fontsize="medium")
        axes.spines[:].set(visible=True, color=colour, linewidth=2.5)
    tops, lefts, heights, widths = np.transpose([*boxes.values(), (0, 0, height, width)])
    whole.set_xlim(lefts.min() - 0.5, (lefts + widths).max() - 0.5)
    whole.set_ylim((tops + heights).max() - 0.5, tops.min() - 0.5)
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
        shown = axes.imshow(shares.numpy(), cmap=POSITIVE, vmin=-6, vmax=0)
        outline(axes, boxes[name], colour="white", linewidth=1.2)
        axes.set_axis_off()
        axes.set_title(name, fontsize="medium")
    bar = figure.colorbar(shown, ax=places.tolist(), shrink=0.7, aspect=15, pad=0.01)
    bar.set_ticks([-6, -3, 0], labels=["10⁻⁶", "10⁻³", "1"])
    bar.set_label("share of the largest", fontsize="small")
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


def _shades(count: int) -> list[Any]:
    """Colours from dark to light, all seen on a photograph, apart for colour-blind readers."""
    return list(matplotlib.colormaps["plasma"](np.linspace(0.95, 0.25, count)))
