"""The trade-off strip: a row of small results that differ in one weight or one choice of layers."""

import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import ipywidgets as ipw
import torch
from PIL import Image

from nst.errors import NstError, SettingsError
from nst.files import expand
from nst.grids.axes import LAYERS, Planner, combinations, split, text
from nst.grids.cells import Cell, load_cell
from nst.grids.workers import Task, run_cell, unpack
from nst.loop import Step
from nst.networks import Network
from nst.runs.job import Picture as Source
from nst.widgets import draw
from nst.widgets.common import View, png
from nst.widgets.layout import choices, described, row, words
from nst.widgets.markup import safe
from nst.widgets.parts import Progress
from nst.widgets.picture import Picture
from nst.widgets.seen import sample_list
from nst.widgets.values import DEFAULTS, TOGETHER, parse

EVERY = 4  # steps between pictures of a run that is under way
KEPT = 300  # results that this process remembers

_results: dict[str, Cell] = {}


class Figure(NamedTuple):
    """A result's place in the row: its task and its label, its picture and what is said of it."""

    task: Task
    label: str
    picture: Picture
    caption: ipw.HTML


class TradeOffStrip(View):
    """A row of small results that differ in one setting only.

    A button starts and stops the painting; what this process or `folder` has is shown at once.

    Args:
        content, style: samples' names, files, or image tensors.
        axis: the setting that differs: "content_weight", "style_weight", "tv_weight",
            "content_layers" or "style_layers".
        values: what it takes, a list as for `nst.grid`; by default from too little to too much.
        size: long side of the results in pixels.
        steps: of each run.
        network: a name that `load_network` takes.
        rebalance: for layers, as for `nst.grid`.
        folder: where results are kept, in the way of `nst.grid`; None: only in memory.
        synchronous: as for every `View`.
        settings: any others of `nst.Settings`, the same for all. With "content_layers" the content
            has a weight of 30 if none is given.

    Raises:
        SettingsError, ImageError: a setting that makes no sense, a picture that cannot be had.
    """

    def __init__(
        self,
        content: Source = "cat",
        style: Source = "waves",
        axis: str = "content_weight",
        values: Sequence[Any] | Mapping[str, Any] | None = None,
        size: int = 192,
        steps: int = 60,
        network: str | Network = "vgg19_quarter",
        rebalance: bool = True,
        folder: str | os.PathLike | None = None,
        synchronous: bool | None = None,
        **settings: Any,
    ):
        super().__init__("strip", synchronous)
        if axis not in DEFAULTS:
            raise SettingsError(f"axis is one of {', '.join(DEFAULTS)}; not {axis!r}")
        same = {"sizes": size, "num_steps": steps, "network": network, "rebalance": rebalance}
        self.settings = same | settings
        self.folder = None if folder is None else expand(folder, SettingsError) / "cells"
        self.own = {
            name: picture
            for name, picture in (("your content", content), ("your style", style))
            if not isinstance(picture, str)
        }
        self.figures: list[Figure] = []
        self._make_controls(
            content if isinstance(content, str) else "your content",
            style if isinstance(style, str) else "your style",
            axis,
        )
        self._fill_values(values)
        self._plan()
        for control in (self.content, self.style, self.values):
            self.on(control, self._plan)
        self.on(self.axis, self._change_axis)
        self.on(self.button, self._press)

    def _make_controls(self, content: str, style: str, axis: str) -> None:
        self.content, self.style = (
            described(
                ipw.Dropdown(
                    options=choices(sample_list(), [name]), value=name, description=description
                ),
                "220px",
            )
            for name, description in ((content, "Content"), (style, "Style"))
        )
        self.axis = described(
            ipw.Dropdown(options=list(DEFAULTS), value=axis, description="What differs"), "240px"
        )
        self.values = described(
            ipw.Text(description="Values, with commas", continuous_update=False), "520px"
        )
        self.button = ipw.Button(description="Paint", icon="paint-brush", button_style="primary")
        self.progress = Progress(
            "progress of the row", layout=ipw.Layout(width="260px", max_width="100%")
        )
        self.note = ipw.HTML()
        self.row = row(gap="12px 12px")
        self.row.layout.align_items = "flex-start"
        named = {
            "content": self.content,
            "style": self.style,
            "axis": self.axis,
            "values": self.values,
            "paint": self.button,
            "progress": self.progress,
            "note": self.note,
            "results": self.row,
        }
        for name, part in named.items():
            part.add_class(f"nst-{name}")
        self.fill(
            row(self.content, self.style, self.axis),
            row(self.values, self.button, self.progress),
            self.error_line,
            self.note,
            self.row,
        )

    def _fill_values(self, values: Sequence[Any] | Mapping[str, Any] | None) -> None:
        """Write the axis's values into their field."""
        self._given = DEFAULTS[self.axis.value] if values is None else values
        _, alternatives = self._axis(self._given)
        self._text = ", ".join(alternatives)
        with self.muted():
            self.values.value = self._text

    def _axis(self, values: Any) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
        """The axis as `nst.grids.axes` has it, and its alternatives by label."""
        name = self.axis.value
        listed = values if isinstance(values, Mapping) else list(values)
        axes, _ = split({name: listed})
        if name not in axes:
            raise SettingsError(f"{name} takes several values here; give a list of them")
        return axes, axes[name]

    def _change_axis(self) -> None:
        self._fill_values(None)
        self._plan()

    def _plan(self) -> None:
        """Make room for the results; show those that are known."""
        self.work.stop(wait=True)
        written, name = self.values.value, self.axis.value
        axes, _ = self._axis(self._given if written == self._text else parse(name, written))
        fixed = {
            "content": self.own.get(self.content.value, self.content.value),
            "style": self.own.get(self.style.value, self.style.value),
            **(TOGETHER.get(name, {}) | self.settings),
        }
        if name in fixed:
            raise SettingsError(f"{name} is what differs here; give its values, not one of them")
        planner = Planner(axes, None)
        planned = [
            (labels[name], planner.task(values)) for labels, values in combinations(axes, fixed)
        ]
        for old in self.figures:
            old.picture.close()
            old.caption.close()
        self.figures = [self._figure(label, task) for label, task in planned]
        boxes = []
        for figure in self.figures:
            box = ipw.VBox(
                [figure.picture, figure.caption], layout=ipw.Layout(width="210px", max_width="46%")
            )
            box.add_class("nst-result")
            boxes.append(box)
        self.row.children = boxes
        self.note.value = words(self._same(fixed))
        self._show_progress(0)

    def _same(self, fixed: Mapping[str, Any]) -> str:
        """What all results have in common, in words."""
        listed = {n: v for n, v in fixed.items() if n not in ("content", "style", "rebalance")}
        size, steps = listed.pop("sizes"), listed.pop("num_steps")
        others = "".join(f", {n} {text(v)}" for n, v in listed.items())
        balanced = " Their weights are such that they push equally hard." * bool(
            self.axis.value in LAYERS and fixed["rebalance"]
        )
        unweighted = "" if self.axis.value in LAYERS else " Losses are given without their weights."
        return safe(f"All with {size} pixels, {steps} steps{others}.{balanced}{unweighted}")

    def _figure(self, label: str, task: Task) -> Figure:
        figure = Figure(task, label, Picture("100%"), ipw.HTML())
        known = self._known(task)
        if known is not None:
            self._show(figure, known)
        else:
            content = unpack(task.content, torch.device("cpu"))
            figure.picture.data = png(0.3 * content + 0.7)  # pale
            self._say(figure, "not painted yet")
        return figure

    def _say(self, figure: Figure, remark: str) -> None:
        lines = safe(remark).replace(", style", "<br>style")
        figure.caption.value = words(f"<b>{safe(figure.label)}</b><br>{lines}")
        figure.picture.alt = f"{self.axis.value} {figure.label}: {remark}"

    def _show(self, figure: Figure, cell: Cell) -> None:
        if cell.picture is not None:
            figure.picture.data = png(cell.picture)
        self._say(figure, self._losses(cell) if cell.error is None else cell.error)

    def _losses(self, cell: Cell) -> str:
        """Those of other layers cannot be compared."""
        return "painted" if self.axis.value in LAYERS else losses(cell)

    def _known(self, task: Task) -> Cell | None:
        """The result, if it was painted before."""
        key = task.key()
        if key not in _results and self.folder is not None:
            saved = load_cell(self.folder, key, task.settings)
            if saved is not None and saved.picture is not None:
                _results[key] = saved
        return _results.get(key)

    def _keep(self, task: Task, cell: Cell) -> None:
        _results[task.key()] = cell
        while len(_results) > KEPT:
            del _results[next(iter(_results))]
        if self.folder is not None:
            cell.save(self.folder, task.key())

    def _press(self) -> None:
        if self.work.running:
            self.work.stop()
        else:
            self.start()

    def start(self) -> None:
        """Paint what is missing; `result()` waits for it. Does nothing while it is running."""
        if not self.work.running:
            self.button.description, self.button.icon = "Stop", "stop"
            self.work.start(self._paint)

    def _paint(self, stop: threading.Event) -> list[Cell]:
        """Run one task after the other; returns the cells that are finished."""
        cells: list[Cell] = []
        for index, figure in enumerate(self.figures):
            cell = self._known(figure.task)
            if cell is None and not stop.is_set():
                cell = run_cell(figure.task, partial(self._watch, stop, index))
                if stop.is_set() or cell.reason in ("interrupted", "not run"):
                    self._say(figure, "stopped")
                    break
                cell.labels = {self.axis.value: figure.label}
                if cell.error is None:
                    self._keep(figure.task, cell)
            if cell is not None:
                self._show(figure, cell)
                self._show_progress(index + 1)
                cells.append(cell)
        failed = next((cell for cell in cells if cell.error is not None), None)
        if failed is not None:
            raise NstError(f"{' '.join(failed.labels.values())} failed: {failed.error}")
        return cells

    def _watch(self, stop: threading.Event, index: int, step: Step) -> bool:
        figure = self.figures[index]
        if step.number % EVERY == 0 and not stop.is_set():
            figure.picture.data = png(step.image)
            self._say(figure, f"step {step.number} of {step.of}")
            self._show_progress(index + step.number / max(step.of, 1))
        return stop.is_set()

    def _show_progress(self, done: float) -> None:
        """`done` counts results; the bar counts hundredths of them."""
        self.progress.max = max(1, 100 * len(self.figures))
        self.progress.value = round(100 * done)

    def work_done(self) -> None:
        """Makes the button a start button again."""
        self.button.description, self.button.icon = "Paint", "paint-brush"

    def still(self) -> Image.Image | None:
        """The results side by side, each under what is different in it."""
        axis = self.axis.value.replace("_", " ")
        scaled = {f"{axis} {f.label}": f.picture.image() for f in self.figures}
        parts = [draw.titled(draw.beside([i], 218), text) for text, i in scaled.items()]
        return draw.beside(parts, 240)


def losses(cell: Cell) -> str:
    """The losses of the result without their weights, so that results can be compared."""
    texts = []
    for name in ("content", "style"):
        weight = getattr(cell.settings, f"{name}_weight")
        terms = [value for term, value in cell.delivered.items() if term.startswith(name)]
        if terms and weight:
            texts.append(f"{name} loss {sum(terms) / weight:.3g}")
    return ", ".join(texts)
