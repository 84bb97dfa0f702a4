"""Figures of fine detail: high-pass pictures, spectra, profiles, and details enlarged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from nst.images import postprocess_image
from nst.plots.common import DPI, LOGARITHMIC, WIDTH, Shown, finish

# Okabe and Ito's colours, then dashed: told apart by every eye.
LINES = ("#000000", "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)  # a blur that removes wavelengths of two pixels entirely


def high_pass(image: Tensor) -> Tensor:
    """What a small blur takes away: (1, 3, H, W) → differences (3, H, W), around 0."""
    channels = image.detach().cpu()[0, :, None]
    row = torch.tensor(BINOMIAL) / sum(BINOMIAL)
    kernel = (row[:, None] * row)[None, None]
    return (channels - conv2d(pad(channels, (2, 2, 2, 2), mode="reflect"), kernel))[:, 0]


def spectrum(image: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Mean power of an image's waves by their frequency.

    Args:
        image: (1, C, H, W); the channels' powers are averaged.

    Returns:
        frequencies in cycles a pixel, from about 0.02 up to the checkerboard's, √½, and the mean
        power at each. Those above 0.5 run diagonally.
    """
    channels = image.detach().cpu().double()[0]
    # A window, so that the jump from one border to the other is not taken for detail.
    height, width = channels.shape[1:]
    down, right = (torch.hann_window(n, periodic=False).double() for n in (height, width))
    centred = channels - channels.mean((1, 2), keepdim=True)
    waves = torch.fft.fft2(centred * down[:, None] * right).abs().square().mean(0)
    down, right = (torch.fft.fftfreq(n).double() for n in (height, width))
    frequency = (down[:, None].square() + right.square()).sqrt()
    edges = np.append(np.geomspace(0.02, 0.5, 19), [0.594, 0.7072])
    index = np.digitize(frequency.numpy().ravel(), edges)
    power, bins = waves.numpy().ravel(), range(1, len(edges))
    means = [power[index == n].mean() if (index == n).any() else np.nan for n in bins]
    return np.sqrt(edges[1:] * edges[:-1]), np.array(means)


def high_passes(images: Sequence[Tensor], titles: Sequence[str], limit: float = 0.25) -> Figure:
    """Pictures, and beneath each what a small blur takes away from it, on one scale around grey.

    Args:
        images: (1, 3, H, W) in [0, 1].
        titles: one for each.
        limit: differences of so much and more are black or full colour.
    """
    number = len(images)
    shape = max(image.shape[-2] / image.shape[-1] for image in images)
    size = (WIDTH, 2 * shape * WIDTH / number + 0.5)
    figure = Shown(figsize=size, dpi=DPI, layout="compressed")
    figure.alt = "Pictures and their finest detail, enlarged in contrast: " + "; ".join(
        f"{title} has {high_pass(image).square().mean().sqrt():.3f} of it"
        for title, image in zip(titles, images, strict=True)
    )
    grid = figure.subplots(2, number, squeeze=False)
    for column, image, title in zip(grid.T, images, titles, strict=True):
        detail = high_pass(image)
        column[0].imshow(np.asarray(postprocess_image(image)), interpolation="lanczos")
        column[0].set_title(title, fontsize="medium")
        shown = (0.5 + 0.5 * detail / limit).clamp(0, 1).permute(1, 2, 0)
        column[1].imshow(shown.numpy(), interpolation="nearest")
        column[1].set_title(f"detail {detail.square().mean().sqrt():.3f}", fontsize="medium")
        for axes in column:
            axes.set(xticks=[], yticks=[])
    return figure


def spectra(images: Mapping[str, Tensor], title: str = "", unit: bool = False) -> Figure:
    """How strong waves of every length are in several pictures, on one logarithmic scale.

    Args:
        images: by label; (1, C, H, W) of any range, such as pictures or gradients.
        title: what to see.
        unit: scale every curve to a mean of 1, to compare shapes only.
    """
    figure = Shown(figsize=(0.8 * WIDTH, 0.42 * WIDTH), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for index, (label, image) in enumerate(images.items()):
        frequency, power = spectrum(image)
        power = power / np.nanmean(power) if unit else power
        axes.plot(1 / frequency, power, color=LINES[index % len(LINES)], label=label, linewidth=2)
    axes.set(xscale="log", yscale="log")
    axes.set(xlabel=f"wavelength in pixels ({LOGARITHMIC})", ylabel=f"mean power ({LOGARITHMIC})")
    axes.set_xticks([2**0.5, 2, 4, 8, 16, 32], ["√2", "2", "4", "8", "16", "32"])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.invert_xaxis()  # fine detail on the right
    finish(figure, axes, title)
    figure.alt = f"{title or 'Power by wavelength'}. Curves: {', '.join(images)}"
    return figure


def lines(
    x: Sequence[float],
    values: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    log: str = "",
) -> Figure:
    """Lines over a common axis.

    Args:
        x: places.
        values: by label, a number for each place.
        xlabel, ylabel, title: what they are, and what to see.
        log: "x", "y", "xy" or "": which scales are logarithmic.
    """
    figure = Shown(figsize=(0.8 * WIDTH, 0.42 * WIDTH), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for index, (label, heights) in enumerate(values.items()):
        colour, mark = LINES[index % len(LINES)], "o" if len(x) <= 20 else ""
        axes.plot(x, heights, color=colour, label=label, linewidth=2, marker=mark, markersize=5)
    said = {name: f" ({LOGARITHMIC})" if name in log else "" for name in "xy"}
    axes.set(xlabel=xlabel + said["x"], ylabel=ylabel + said["y"])
    axes.set(xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
    if "x" in log and len(x) <= 20:
        axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.xaxis.set_minor_formatter(NullFormatter())
    if "y" in log:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    finish(figure, axes, title)
    figure.alt = f"{title or ylabel}. Lines: {', '.join(values)}; over {xlabel}"
    return figure


def details(
    images: Sequence[Tensor],
    titles: Sequence[str],
    box: tuple[float, float, float, float] = (0.4, 0.3, 0.3, 0.3),
    columns: int = 3,
    alt: str = "",
) -> Figure:
    """Pictures, each with a part of it enlarged beneath, pixel by pixel.

    Args:
        images: (1, 3, H, W) in [0, 1].
        titles: one for each.
        box: the part: its left and upper edge, its width and height, as shares of the picture's.
        columns: pictures in a row.
        alt: what there is to see; by default the titles.
    """
    rows = -(-len(images) // columns)
    shape = max(image.shape[-2] / image.shape[-1] for image in images)
    below = shape * box[3] / box[2]
    side = WIDTH / columns
    tall = 1 + max(title.count("\n") for title in titles)
    size = (WIDTH, rows * ((shape + below) * side + 0.2 + 0.2 * tall))
    figure = Shown(figsize=size, dpi=DPI, layout="compressed")
    figure.alt = alt or "Pictures with a part enlarged: " + "; ".join(titles)
    ratios = [shape, below] * rows
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=ratios)
    for axes in grid.ravel():
        axes.set_axis_off()
    for index, (image, title) in enumerate(zip(images, titles, strict=True)):
        row, column = divmod(index, columns)
        upper, lower = grid[2 * row, column], grid[2 * row + 1, column]
        height, width = image.shape[-2:]
        left, top = round(box[0] * width), round(box[1] * height)
        across, down = round(box[2] * width), round(box[3] * height)
        part = image[..., top : top + down, left : left + across]
        upper.imshow(np.asarray(postprocess_image(image)), interpolation="lanczos")
        frame = ([left, left + across, left + across, left, left], [top, top, top + down])
        upper.plot(frame[0], [*frame[1], top + down, top], color="white", linewidth=1)
        upper.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
        upper.set_title(title, fontsize="medium")
        enlarged = interpolate(part, scale_factor=4, mode="nearest")
        lower.imshow(np.asarray(postprocess_image(enlarged)), interpolation="nearest")
    return figure
