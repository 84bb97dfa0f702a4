"""Grids of runs: what a layer, a weight or a style does, by trying each with each."""

import csv
import io
import json
import os
import re
import warnings
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nst.errors import ImageError, SettingsError
from nst.files import expand, write_atomically, write_json
from nst.grids.axes import Planner, combinations, split, text
from nst.grids.cells import Cell, load_cell
from nst.grids.pools import work_off
from nst.grids.workers import Task, failure, run_cell
from nst.loop import progress_bar
from nst.settings import make_settings


@dataclass(repr=False)
class Experiment:
    """A labelled table of runs.

    Attributes:
        axes: the labels along each axis.
        cells: one for each combination of labels; the last axis varies fastest.
        keys: what the cells are called in a folder.
    """

    axes: dict[str, list[str]]
    cells: list[Cell]
    keys: list[str]

    def __getitem__(self, labels: Any) -> Cell:
        """The cell with these labels, in the order of the axes: `experiment["starry", 0.5]`."""
        labels = labels if isinstance(labels, tuple) else (labels,)
        if len(labels) != len(self.axes):
            raise SettingsError(f"name one label for each axis: {', '.join(self.axes) or 'none'}")
        return self.select(**dict(zip(self.axes, labels, strict=True))).cells[0]

    def select(self, **labels: Any) -> "Experiment":
        """The cells with these labels, as an experiment along the other axes."""
        wanted = {axis: text(label) for axis, label in labels.items()}
        for axis, label in wanted.items():
            if label not in self.axes.get(axis, []):
                what = f"label {label!r} on {axis}" if axis in self.axes else f"axis {axis!r}"
                known = ", ".join(self.axes.get(axis, self.axes)) or "none"
                raise SettingsError(f"there is no {what}; there are {known}")
        chosen = [
            (cell, key)
            for cell, key in zip(self.cells, self.keys, strict=True)
            if wanted.items() <= cell.labels.items()
        ]
        axes = {axis: names for axis, names in self.axes.items() if axis not in wanted}
        return Experiment(axes, *map(list, zip(*chosen, strict=True)))

    def table(self) -> list[dict[str, Any]]:
        """One row a cell, all with the same columns, as for `pandas.DataFrame(…)`.

        Labels, reason, error, seconds, evaluations; the weights that were used; the weighted
        losses of the picture, None where the cell has no such loss.
        """
        rows = [cell.row() for cell in self.cells]
        columns = dict.fromkeys(column for row in rows for column in row)
        return [columns | row for row in rows]

    def write_csv(self, path: str | os.PathLike) -> Path:
        """Write the table as CSV, in UTF-8."""
        rows, lines = self.table(), io.StringIO(newline="")
        writer = csv.DictWriter(lines, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        return write_atomically(Path(path), lambda file: file.write(lines.getvalue().encode()))

    def save(self, folder: str | os.PathLike) -> Path:
        """Write all cells and their order, for `load` and for `grid` to go on from.

        cells/ gets a PNG and a JSON for every cell that ran, experiment.json all that were asked
        for.
        """
        folder = expand(folder, SettingsError)
        self._save_index(folder)
        for cell, key in zip(self.cells, self.keys, strict=True):
            if cell.reason != "not run":
                cell.save(folder / "cells", key)
        return folder

    def _save_index(self, folder: Path) -> None:
        cells = [
            {"key": key, "labels": cell.labels, "settings": cell.settings.to_dict()}
            for cell, key in zip(self.cells, self.keys, strict=True)
        ]
        write_json(folder / "experiment.json", {"axes": self.axes, "cells": cells})

    @staticmethod
    def load(folder: str | os.PathLike) -> "Experiment":
        """The experiment that was last saved or run in the folder.

        Raises:
            SettingsError: there is none, or it cannot be read.
        """
        path = expand(folder, SettingsError) / "experiment.json"
        try:
            saved = json.loads(path.read_bytes())
            empty = [Cell(make_settings(**c["settings"]), c["labels"]) for c in saved["cells"]]
            experiment = Experiment(saved["axes"], empty, [cell["key"] for cell in saved["cells"]])
            experiment._check()
        except FileNotFoundError as error:
            raise SettingsError(
                f"{folder} holds no experiment; grid(folder=…) makes one"
            ) from error
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SettingsError(f"{path} cannot be read ({error}); run the grid again") from error
        experiment._read_cells(path.parent)
        return experiment

    def _check(self) -> None:
        """Raise a ValueError unless there are cells, with one label of each axis, and a key."""
        if not self.cells:
            raise ValueError("it has no cells")
        for cell, key in zip(self.cells, self.keys, strict=True):
            placed = cell.labels.keys() == self.axes.keys() and all(
                isinstance(label, str) and label in self.axes[axis]
                for axis, label in cell.labels.items()
            )
            if not (placed and isinstance(key, str) and re.fullmatch("[0-9a-f]{16}", key)):
                raise ValueError("its cells are not those of its axes")

    def _read_cells(self, folder: Path) -> None:
        """Put the cells that are saved in the folder in the place of those here."""
        for index, (cell, key) in enumerate(zip(self.cells, self.keys, strict=True)):
            if saved := load_cell(folder / "cells", key, cell.settings):
                saved.labels = cell.labels
                self.cells[index] = saved

    def summary(self) -> str:
        """How many cells ended how."""
        reasons = [cell.reason for cell in self.cells]
        counts = (f"{reasons.count(reason)} {reason}" for reason in dict.fromkeys(reasons))
        return f"{len(reasons)} cells, {', '.join(counts)}"

    def __repr__(self) -> str:
        return f"<Experiment {' × '.join(self.axes) or 'without axes'}: {self.summary()}>"


def grid(
    *,
    folder: str | os.PathLike | None = None,
    rebalance: bool | list[bool] | dict[str, bool] = True,
    executor: Executor | str | None = None,
    device: torch.device | str | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Experiment:
    """Run every combination of the alternatives that the settings list.

        grid(content="astronaut", style=["starry", "waves"], content_weight=[0.5, 1, 2])

    A list is an axis, and its items are the alternatives; a range or an array of numbers counts as
    a list. A dict is an axis too, {label: alternative}, except for a dict of layers' weights.
    Anything else, tuples included, is one value for all cells: `sizes=(256, 512)` is
    coarse-to-fine, `sizes=[256, 512]` compares. Alternatives themselves may be lists or tuples:
    `style_layers=["relu1_1", ["relu1_1", "relu2_1"]]`.

    Args:
        settings: `content`, `style` (a picture, or a tuple of several at once), `preset`, and all
            that `style_transfer` takes by name, but for `precision`, `memory_limit` and `callback`.
        folder: where cells are stored as they finish. Those that are there already, with the same
            settings and pictures, are not run again, unless they failed. None: nowhere.
        rebalance: whether cells of an axis of layers get weights with which the loss pushes as
            hard as with the preset's layers (see `nst.grids.workers.rebalance`), so that only the
            layer changes; otherwise the preset's weight is shared among the layers that are given.
            `[True, False]` shows both.
        executor: see `nst.grids.pools.work_off`; by default processes here, which share the cores.
        device: for the workers; by default a GPU where there is one.
        progress: show a bar over the cells; by default in terminals and notebooks.

    Ctrl-C ends it and keeps the cells that are finished.

    Raises:
        SettingsError, ImageError: before anything runs. A cell that goes wrong later only has an
            `error`.
    """
    axes, fixed = split(settings | {"rebalance": rebalance})
    planner = Planner(axes, device)
    labels, values = zip(*combinations(axes, fixed), strict=True)
    tasks = [planner.task(value) for value in values]
    cells = [Cell(task.settings, label) for task, label in zip(tasks, labels, strict=True)]
    experiment = Experiment(
        {name: list(alternatives) for name, alternatives in axes.items()},
        cells,
        [task.key() for task in tasks],
    )
    place = None if folder is None else expand(folder, SettingsError)
    if place:
        experiment._save_index(place)
        experiment._read_cells(place)
    _run(experiment, tasks, place, executor, progress)
    return experiment


def _run(
    experiment: Experiment,
    tasks: list[Task],
    place: Path | None,
    executor: Executor | str | None,
    progress: bool | None,
) -> None:
    """Run the cells that have no picture yet, and store each as it comes."""
    open_cells = [i for i, cell in enumerate(experiment.cells) if cell.picture is None]
    if not open_cells:
        return
    bar = progress_bar(len(open_cells), progress)
    outcomes = work_off(run_cell, [tasks[i] for i in open_cells], executor)
    try:
        with bar, closing(outcomes):
            for number, outcome in outcomes:
                index = open_cells[number]
                cell = outcome
                if isinstance(outcome, BaseException):
                    cell = failure(tasks[index].settings, outcome)
                cell.labels = experiment.cells[index].labels
                experiment.cells[index] = cell
                bar.update()
                place = _store(cell, experiment.keys[index], place)
    except KeyboardInterrupt:
        pass  # what is finished is there


def _store(cell: Cell, key: str, place: Path | None) -> Path | None:
    """Save the cell; returns the folder, or None once it cannot be written to."""
    if place is None or cell.reason == "not run":
        return place
    try:
        cell.save(place / "cells", key)
    except ImageError as error:
        warnings.warn(f"{error}; the grid goes on without its folder", stacklevel=4)
        return None
    return place
