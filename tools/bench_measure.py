"""How the benchmark measures: figures taken in turn, and rows of a table made of them."""

import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Row:
    """A figure and what it is compared with; a ratio above `bar` falls short."""

    section: str
    name: str
    against: str
    unit: str
    ours: float
    reference: float
    ratio: float
    bar: float | None = None

    @property
    def verdict(self) -> str:
        """Of the ratio against the bar, if there is one."""
        if self.bar is None:
            return ""
        return "pass" if self.ratio <= self.bar else "falls short"

    def cells(self) -> list[str]:
        """As the table shows it."""
        figures = [f"{number:.3g} {self.unit}" for number in (self.ours, self.reference)]
        bar = "" if self.bar is None else f"≤ {self.bar:g}"
        return [self.name, self.against, *figures, f"{self.ratio:.3f}", bar, self.verdict]


def compare(
    section: str,
    name: str,
    unit: str,
    figures: Mapping[str, list[float]],
    bars: Mapping[str, float],
) -> list[Row]:
    """Rows of the figures called "ours" against every other; `bars` by the others' names."""
    ours, rows = figures["ours"], []
    for other, theirs in figures.items():
        if other != "ours":
            medians = statistics.median(ours), statistics.median(theirs)
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            rows.append(Row(section, name, other, unit, *medians, ratio, bars.get(other)))
    return rows


def in_turn(
    measures: Mapping[str, Callable[[], float]],
    turns: int,
    warm: bool = True,
    patience: float = 0.0,
) -> dict[str, list[float]]:
    """Take every measure once a turn; one turn before the first is not counted.

    There are more than `turns` where these take less than `patience` seconds together.
    """
    figures: dict[str, list[float]] = {name: [] for name in measures}
    if warm:
        for measure in measures.values():
            measure()
    began = time.perf_counter()
    while min(map(len, figures.values())) < turns or time.perf_counter() - began < patience:
        for name, measure in measures.items():
            figures[name].append(measure())
    return figures


def seconds(work: Callable[[], object]) -> Callable[[], float]:
    """How long `work` takes, as a measure; a GPU is waited for."""

    def measure() -> float:
        began = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter() - began

    return measure


def peak_memory() -> int:
    """The most that this process ever held, in bytes."""
    table = Path("/proc/self/status")
    if table.is_file():
        # Linux starts a process's ru_maxrss at what its parent held.
        lines = table.read_text().splitlines()
        return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held * (1 if sys.platform == "darwin" else 1024)
