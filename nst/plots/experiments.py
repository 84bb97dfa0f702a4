"""Figures of many runs: their pictures and their losses."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nst.errors import SettingsError
from nst.grids.cells import Cell
from nst.grids.experiments import Experiment
from nst.plots.common import DPI, QUIET, WIDTH, Shown

CHARACTER, LINE = 0.085, 0.17  # inches, of the text
FAILED, EMPTY = "#A33B00", "#F4F4F4"
# Light to dark with the layer's depth; hues that colour-blind readers tell apart.
SHADES = {"content": "Oranges", "style": "Blues", "tv": "Greys"}
FLOOR = 1e-6  # losses below this share of the largest are not drawn
Names = str | Sequence[str] | None
History = Sequence[dict[str, Any]]


def contact_sheet(experiment: Experiment, rows: Names = None, columns: Names = None) -> Figure:
    """The pictures of an experiment, with the axes' labels; failed cells show their message.

    Args:
        experiment: along any axes; `Experiment.select` takes a part of it.
        rows, columns: names of axes, or lists of them. By default the last axis goes along the
            columns and the others down the rows; a single axis is broken as text is. More than
            six columns make the figure wider than a notebook.

    Raises:
        SettingsError: not every axis is named once.
    """
    sheet = arrange(experiment, rows, columns)
    shapes = [cell.picture.size for cell in experiment.cells if cell.picture]
    tallest = max((height / width for width, height in shapes), default=0.75)
    figure, places = lay_out(sheet, tallest)
    for axes, cell in places:
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
        if cell.picture:
            axes.imshow(np.asarray(cell.picture))
        else:
            axes.set(xlim=(0, 1), ylim=(0, tallest))
            _say_why(axes, cell, sheet.width, tallest * sheet.width)
    figure.alt = f"Results {_of(experiment)}"
    return figure


def loss_curves(experiment: Experiment, rows: Names = None, columns: Names = None) -> Figure:
    """A chart of the losses for every cell, arranged as in `contact_sheet`, on the same scales.

    Losses are weighted, as in their total. Those below 10⁻⁶ of the largest are left out, and thin
    lines mark where a further size begins.
    """
    sheet = arrange(experiment, rows, columns)
    histories = [cell.history for cell in experiment.cells if cell.history]
    colours = _colours(histories)
    figure, places = lay_out(sheet, 0.7, share=True)
    for axes, cell in places:
        if cell.history:
            _draw(axes, cell.history, colours)
        else:
            _say_why(axes, cell, sheet.width, 0.7 * sheet.width)
    _set_scales(places[0][0], histories)
    rows_of_legend = math.ceil(len(colours) / 7)
    _explain(figure, colours, "outside lower center", math.ceil(len(colours) / rows_of_legend))
    figure.alt = f"Losses against evaluations {_of(experiment)}"
    return figure


def loss_curve(history: History) -> Figure:
    """The losses of one run: `result.history`, or a cell's; otherwise as `loss_curves`."""
    figure = Shown(figsize=(0.8 * WIDTH, 0.4 * WIDTH), dpi=DPI, layout="constrained")
    axes, colours = figure.subplots(), _colours([history])
    _draw(axes, history, colours)
    _set_scales(axes, [history])
    axes.set(xlabel="evaluations", ylabel="weighted loss")
    _explain(figure, colours, "outside right upper", columns=1)
    first, last = history[0]["total"], history[-1]["total"]
    figure.alt = f"Losses against evaluations; their total goes from {first:.3g} to {last:.3g}"
    return figure


def _of(experiment: Experiment) -> str:
    """For alt texts: what is varied, and how."""
    axes = [f"{name} {', '.join(labels)}" for name, labels in experiment.axes.items()]
    return "of one run" if not axes else "for " + "; ".join(axes)


@dataclass
class Sheet:
    """Rows of cells (None: no cell) and what stands beside them.

    `titles` stand over the cells: one for each, or those of the first row only.
    """

    table: list[list[Cell | None]]
    titles: list[str]
    row_labels: list[str]
    row_name: str = ""
    column_name: str = ""

    @property
    def width(self) -> float:
        """Of a cell, in inches."""
        return min(max(WIDTH / len(self.table[0]), 1.5), WIDTH / 2)


def arrange(experiment: Experiment, rows: Names = None, columns: Names = None) -> Sheet:
    """Which cell stands where; see `contact_sheet`."""
    names, cells = list(experiment.axes), experiment.cells
    if rows is None and columns is None and len(names) < 2:
        wide = len(cells) if len(cells) < 4 else min(4, math.ceil(math.sqrt(len(cells))))
        padded = [*cells, *[None] * (-len(cells) % wide)]
        table = [padded[i : i + wide] for i in range(0, len(padded), wide)]
        labels = experiment.axes[names[0]] if names else []
        return Sheet(table, labels, [], "", ", ".join(names))
    if rows is None and columns is None:
        columns = names[-1:]
    across = (
        _listed(columns) if columns is not None else [n for n in names if n not in _listed(rows)]
    )
    down = _listed(rows) if rows is not None else [n for n in names if n not in across]
    if sorted(down + across) != sorted(names):
        raise SettingsError(f"rows and columns share out the axes {', '.join(names) or '(none)'}")
    found = {tuple(cell.labels[name] for name in down + across): cell for cell in cells}
    heads, sides = (list(product(*(experiment.axes[n] for n in part))) for part in (across, down))
    return Sheet(
        [[found[side + head] for head in heads] for side in sides],
        [", ".join(head) for head in heads],
        [", ".join(side) for side in sides],
        ", ".join(down),
        ", ".join(across),
    )


def _listed(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names or [])


def lay_out(
    sheet: Sheet, shape: float, share: bool = False
) -> tuple[Shown, list[tuple[Axes, Cell]]]:
    """A figure with axes for every cell, of height `shape` times width, and all its labels."""
    rows, columns = len(sheet.table), len(sheet.table[0])
    width = sheet.width
    size = (columns * width + 0.4, rows * (shape * width + 0.3) + 0.4)
    gaps: dict[str, Any] = {"w_pad": 0.03, "h_pad": 0.03, "wspace": 0.01, "hspace": 0.01}
    # Pictures keep their shape, and are moved together where that leaves room.
    layout = ConstrainedLayoutEngine(**gaps, compress=not share)
    figure = Shown(figsize=size, dpi=DPI, layout=layout)
    subplots = figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share)
    places = []
    for index, (axes, cell) in enumerate(zip(subplots.flat, chain(*sheet.table), strict=True)):
        if cell is None:
            axes.remove()
            continue
        places.append((axes, cell))
        if index < len(sheet.titles):
            axes.set_title(_wrap(sheet.titles[index], width), fontsize="medium")
        if index % columns == 0 and sheet.row_labels:
            axes.set_ylabel(_wrap(sheet.row_labels[index // columns], shape * width))
        # Where a row is broken off, the cells above it show the scale.
        below = index + columns
        last = below >= rows * columns or sheet.table[below // columns][below % columns] is None
        axes.tick_params(labelsize="small", labelbottom=share and last)
        if share and last:
            axes.set_xlabel("evaluations", fontsize="small", color=QUIET)
    figure.suptitle(sheet.column_name, fontsize="medium", color=QUIET)
    figure.supylabel(sheet.row_name, fontsize="medium", color=QUIET)
    return figure, places


def _wrap(label: str, inches: float) -> str:
    """The label in lines of that length, three at most."""
    lines = textwrap.wrap(label, max(6, int(inches / CHARACTER)))
    return "\n".join(lines if len(lines) <= 3 else [*lines[:2], f"{lines[2][:-1]}…"])


def _say_why(axes: Axes, cell: Cell, width: float, height: float) -> None:
    """Mark a cell without a picture, with as much of its message as fits."""
    lines = textwrap.wrap(cell.error or "", max(10, int(width / CHARACTER)))
    room = max(1, int(height / LINE) - 3)
    message = "\n".join([cell.reason, "", *lines[:room], *(["…"] if lines[room:] else [])])
    style: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": "small"}
    style["color"] = FAILED if cell.error else QUIET
    axes.set_facecolor(EMPTY)
    axes.text(0.5, 0.5, message.strip(), transform=axes.transAxes, clip_on=True, **style)


def _curves(history: History) -> dict[str, list[float]]:
    """Each term's values along the run, and the total's."""
    terms = {term: [step["terms"][term] for step in history] for term in history[0]["terms"]}
    return terms | {"total": [step["total"] for step in history]}


def _colours(histories: Sequence[History]) -> dict[str, Any]:
    """A colour for every term, content first, layers in alphabetical order, the total black."""
    terms = {term for history in histories for term in history[0]["terms"]}
    colours: dict[str, Any] = {}
    for kind, shades in SHADES.items():
        these = sorted(term for term in terms if term.split()[0] == kind)
        depths = np.linspace(0.45, 0.95, len(these)) if len(these) > 1 else [0.65][: len(these)]
        colours |= dict(zip(these, matplotlib.colormaps[shades](depths), strict=True))
    return colours | {"total": "black"}


def _draw(axes: Axes, history: History, colours: dict[str, Any]) -> None:
    """The curves of one run."""
    for term, values in _curves(history).items():
        # A loss of 0 has no place on a logarithmic scale: content, when it is the start.
        shown = [value or np.nan for value in values]
        axes.plot(shown, color=colours[term], linewidth=2 if term == "total" else 1.3, label=term)
    for index in range(1, len(history)):
        if history[index]["size"] != history[index - 1]["size"]:
            axes.axvline(index, color=QUIET, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.6)


def _set_scales(axes: Axes, histories: Sequence[History]) -> None:
    """Scales on which all runs can be seen."""
    if not histories:
        return
    values = [v for history in histories for curve in _curves(history).values() for v in curve]
    top = max(value for value in values if math.isfinite(value))
    least = min(value for value in values if value > FLOOR * top)
    axes.set_yscale("log")
    axes.set_ylim(least / 1.5, top * 1.5)
    axes.set_xlim(0, max(1, max(map(len, histories)) - 1))


def _explain(figure: Figure, colours: dict[str, Any], place: Any, columns: int) -> None:
    """A legend beside the charts."""
    lines = [Line2D([], [], color=colour, linewidth=2) for colour in colours.values()]
    figure.legend(lines, list(colours), loc=place, ncols=columns, frameon=False, fontsize="small")
