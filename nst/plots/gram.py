"""Figures of Gram matrices: heatmaps, distances, numbers by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from nst.images import postprocess_image
from nst.plots.common import DPI, QUIET, WIDTH, Shown

MARK = "#E66100"  # of the nearest; stands out on cividis for every eye
DOTS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")  # Okabe and Ito's colours
MARKS = "osD^v"
LABELLED = 4  # matrices of so many channels at most have their numbers written on them


def gram_matrices(
    grams: Sequence[Tensor],
    titles: Sequence[str],
    order: Sequence[int] | None = None,
    names: Sequence[str] = (),
    equal: bool = True,
    root: bool = True,
    alt: str = "",
) -> Figure:
    """Heatmaps side by side; matrices of up to four channels have their numbers on them.

    Args:
        grams: (C, C) or (1, C, C) each; not negative, as after a ReLU.
        titles: one for each.
        order: of the channels, the same for all matrices, such as `channel_order` gives.
        names: of the channels, written beside each matrix.
        equal: one scale for all of them; else each has its own, from 0 to its largest entry.
        root: a scale of square roots, on which small entries can be told from 0.
        alt: what there is to see; by default the titles.
    """
    tables = [gram.detach().cpu().reshape(gram.shape[-2:]).numpy() for gram in grams]
    if order is not None:
        tables = [table[np.ix_(order, order)] for table in tables]
    columns = min(len(tables), 5)
    rows = math.ceil(len(tables) / columns)
    side = WIDTH / max(columns, 3)
    figure = Shown(figsize=(columns * side, rows * (side + 0.35)), dpi=DPI, layout="compressed")
    figure.alt = alt or "Heatmaps of Gram matrices: " + "; ".join(titles)
    places = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    top = max(float(table.max()) for table in tables)
    for axes, table, title in zip(places, tables, titles, strict=False):
        largest = max(top if equal else float(table.max()), 1e-30)
        scale = PowerNorm(0.5 if root else 1, 0, largest)
        image = axes.imshow(table, norm=scale, cmap="viridis")
        axes.set_title(title, fontsize="medium")
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        if len(table) <= LABELLED:
            _write(axes, table, scale, "{:.3f}")
        if not equal:
            bar = figure.colorbar(image, ax=axes, location="bottom", aspect=15, pad=0.03)
            bar.set_ticks([0, largest], labels=["0", f"{largest:.2g}"])
            bar.ax.minorticks_off()
            bar.set_label("square roots" if root else "", labelpad=-8, fontsize="small")
    for axes in places[len(tables) :]:
        axes.remove()
    if equal:
        bar = figure.colorbar(image, ax=places[: len(tables)], shrink=0.8, aspect=30)
        bar.set_label("scale of square roots" if root else "")
    return figure


def together(features: Tensor, pairs: Sequence[tuple[int, int]], titles: Sequence[str]) -> Figure:
    """Where two channels are active, and their product, whose mean is the Gram matrix's entry.

    Args:
        features: (1, C, H, W).
        pairs: of channels, one a row.
        titles: what to see in each row.
    """
    shape = features.shape[-2] / features.shape[-1]
    size = (WIDTH, len(pairs) * (shape * WIDTH / 3 + 0.35))
    figure = Shown(figsize=size, dpi=DPI, layout="compressed")
    figure.alt = "Two channels' activations and their product: " + "; ".join(titles)
    grid = figure.subplots(len(pairs), 3, squeeze=False)
    for axes, (i, j), title in zip(grid, pairs, titles, strict=True):
        # Each channel as a share of its own root mean square, so that the mean of the product is
        # how alike they are.
        first, second = (
            (features[0, n] / features[0, n].square().mean().sqrt().clamp(min=1e-12)).detach().cpu()
            for n in (i, j)
        )
        product = first * second
        names = [f"channel {i}", f"channel {j}", f"product: mean {product.mean():.2f}"]
        for place, values, name in zip(axes, (first, second, product), names, strict=True):
            image = place.imshow(values.numpy(), cmap="magma", norm=PowerNorm(0.5, 0, 4))
            place.set_title(name, fontsize="medium")
            place.set(xticks=[], yticks=[])
        axes[0].set_ylabel(title)
    bar = figure.colorbar(image, ax=grid.flatten().tolist(), shrink=0.9, aspect=30, pad=0.01)
    bar.set_label("shares of the channel's own strength (scale of square roots)", fontsize="small")
    return figure


def distance_matrix(distances: Tensor, labels: Sequence[str], title: str = "") -> Figure:
    """How far every picture is from every other; a ring marks the nearest other one of each row.

    Args:
        distances: (N, N), 0 on the diagonal.
        labels: one for each picture.
        title: what to see.
    """
    table = distances.detach().cpu().double().clone()
    table.fill_diagonal_(math.nan)
    number = len(labels)
    figure = Shown(figsize=(0.7 * WIDTH, 0.62 * WIDTH), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(table.numpy(), cmap="cividis")
    nearest = table.nan_to_num(math.inf).argmin(1).tolist()
    axes.scatter(nearest, range(number), s=90, facecolors="none", edgecolors=MARK, linewidths=2)
    axes.set_xticks(range(number), labels, rotation=90)
    axes.set_yticks(range(number), labels)
    axes.set_title(title, fontsize="medium")
    figure.colorbar(image, ax=axes, label="distance of the Gram matrices")
    figure.alt = f"A matrix of {number} by {number} distances between pictures. " + "; ".join(
        f"nearest to {labels[row]} is {labels[column]}" for row, column in enumerate(nearest)
    )
    return figure


def number_table(
    rows: Mapping[str, Mapping[str, float]],
    title: str = "",
    images: Sequence[Tensor] = (),
    form: str = "{:.2f}",
) -> Figure:
    """Numbers as a table whose colours say how large they are, on a logarithmic scale.

    Args:
        rows: for each row's label, a number for each column, 0 or more.
        title: what to see.
        images: a small picture to the left of each row, (1, 3, H, W) in [0, 1], or none.
        form: how a number is written.
    """
    names = list(next(iter(rows.values())))
    table = np.array([[row[name] for name in names] for row in rows.values()])
    side = 0.62 if images else 0.36
    size = (0.8 * WIDTH, side * len(rows) + 0.8)
    figure = Shown(figsize=size, dpi=DPI, layout="constrained")
    figure.alt = f"{title}. " + "; ".join(
        f"{label}: " + ", ".join(form.format(value) for value in row.values())
        for label, row in rows.items()
    )
    ratio = [0.9, len(names)] if images else [1e-3, 1]
    grid = figure.add_gridspec(len(rows), 2, width_ratios=ratio, wspace=0)
    axes = figure.add_subplot(grid[:, 1])
    positive = table[table > 0]
    least, top = (positive.min(), positive.max()) if len(positive) else (0.1, 1)
    floor = max(least, top / 100)
    scale = LogNorm(floor, max(top, floor * 1.01), clip=True)
    axes.imshow(table.clip(min=floor), norm=scale, cmap="cividis", aspect="auto")
    _write(axes, table, scale, form)
    axes.set_xlabel("colours on a logarithmic scale", fontsize="small", color=QUIET)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize="medium")
    for index, image in enumerate(images):
        place = figure.add_subplot(grid[index, 0])
        place.imshow(np.asarray(postprocess_image(image)), interpolation="lanczos")
        place.set_axis_off()
    return figure


def layer_dots(
    groups: Mapping[str, Mapping[str, float]], ylabel: str, title: str = "", log: bool = True
) -> Figure:
    """Numbers for every layer as dots, a mark for each group, on one scale.

    Dots and not bars, since on a logarithmic scale a bar's length says nothing.

    Args:
        groups: for each group's label, a number for each layer.
        ylabel: what the numbers are.
        title: what to see.
        log: a logarithmic scale.
    """
    layers = list(next(iter(groups.values())))
    figure = Shown(figsize=(0.9 * WIDTH, 0.38 * WIDTH), dpi=DPI, layout="constrained")
    figure.alt = f"{title or ylabel}. " + "; ".join(
        f"{label}: " + ", ".join(f"{layer} {value:.2g}" for layer, value in values.items())
        for label, values in groups.items()
    )
    axes = figure.subplots()
    for index, (label, values) in enumerate(groups.items()):
        places = np.arange(len(layers)) + 0.12 * (index - (len(groups) - 1) / 2)
        heights = [values[layer] for layer in layers]
        colour, marker = DOTS[index % len(DOTS)], MARKS[index % len(MARKS)]
        axes.plot(places, heights, marker, color=colour, label=label, markersize=8)
    axes.set_xticks(range(len(layers)), layers)
    scale = "logarithmic" if log else "linear"
    axes.set(ylabel=f"{ylabel} ({scale} scale)", yscale="log" if log else "linear")
    if log:
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title(title, fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.6)
    axes.set_axisbelow(True)
    if len(groups) > 1:
        figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    return figure


def _write(axes: Axes, table: np.ndarray, scale: Normalize, form: str) -> None:
    """Numbers into the cells of a heatmap, light on dark and dark on light."""
    for (row, column), value in np.ndenumerate(table):
        style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": "small"}
        style["color"] = "black" if scale(value) > 0.55 else "white"
        axes.text(column, row, form.format(value), **style)
