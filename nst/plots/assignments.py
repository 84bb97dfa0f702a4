"""Figures of the assignments."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from nst.plots.common import DPI, WIDTH, Shown


def table(values: Tensor, names: Sequence[str], title: str = "") -> Figure:
    """A square table of numbers, shaded: what has the same name as what.

    Args:
        values: (n, n), such as distances of n pictures.
        names: of the rows, which are those of the columns.
        title: over it.
    """
    side = 1.0 + 0.9 * len(names)
    figure = Shown(figsize=(side + 0.8, side), dpi=DPI, layout="compressed")
    figure.alt = f"A table of {len(names)} times {len(names)} numbers: " + ", ".join(names)
    axes = figure.subplots()
    numbers = values.detach().tolist()
    most = max(max(row) for row in numbers) or 1.0
    axes.imshow(numbers, cmap="cividis", vmin=0, vmax=most)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    for row, line in enumerate(numbers):
        for column, number in enumerate(line):
            colour = "black" if number > 0.55 * most else "white"
            axes.text(column, row, f"{number:.2f}", ha="center", va="center", color=colour)
    axes.set_title(title, fontsize="medium")
    return figure


def falls(losses: Mapping[str, Sequence[float]]) -> Figure:
    """How losses fall, from evaluation to evaluation, one line for each name.

    Args:
        losses: by the name of what made them fall; positive.
    """
    figure = Shown(figsize=(0.7 * WIDTH, 3.2), dpi=DPI, layout="compressed")
    figure.alt = "How the loss falls with each evaluation: " + ", ".join(losses)
    axes = figure.subplots()
    for (name, values), dashes in zip(losses.items(), ["-", "--", "-.", ":"] * 9, strict=False):
        axes.plot(range(1, len(values) + 1), values, dashes, label=name)
    axes.set_yscale("log")
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("evaluation")
    axes.set_ylabel("loss")
    axes.legend(frameon=False)
    return figure
