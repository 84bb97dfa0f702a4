"""How the benchmark measures: figures taken in turn, and rows of a table made of them."""

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import nst
from nst.networks import VGG

TURNS = 5  # the least that a median is taken of


@dataclass(frozen=True)
class Row:
    """A figure and what it is compared with; a ratio above `bar` falls short.

    Where no ratio would mean anything, there is none, and a note says why. Where `ours` is None,
    nothing of ours was measured.
    """

    section: str
    name: str
    against: str
    unit: str
    ours: float | None
    reference: float | None
    ratio: float | None
    bar: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Of the ratio against the bar, if there is one; else the note."""
        if self.ours is None:
            return self.note or "not measured"
        if self.bar is None or self.ratio is None:
            return self.note
        return "pass" if self.ratio <= self.bar else "falls short"

    def cells(self) -> list[str]:
        """As the table shows it."""
        figures = [
            "" if number is None else f"{number:.3g} {self.unit}"
            for number in (self.ours, self.reference)
        ]
        bar = "" if self.bar is None else f"≤ {self.bar:.3g}"
        ratio = "" if self.ratio is None else f"{self.ratio:.3f}"
        return [self.name, self.against, *figures, ratio, bar, self.verdict]


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


def network_of(name: str) -> VGG:
    """The network by its name; VGG-19 untrained."""
    network = nst.load_network(name, weights="random" if name == "vgg19" else None)
    assert isinstance(network, VGG)
    return network


def pictures(width: int, height: int) -> tuple[Tensor, Tensor, Tensor]:
    """A start, a content and a style picture, (1, 3, H, W): the time does not depend on them."""
    generator = torch.Generator().manual_seed(0)
    content, style = (torch.rand(1, 3, height, width, generator=generator) for _ in range(2))
    return (content + style) / 2, content, style


def own_loss(content: str, style: str, size: int, **options: Any) -> Callable[[Tensor], float]:
    """The loss, in a run with these options, of a picture as one gets it, with 256 levels.

    `size` is the one asked for, which the style picture has: the content's may be smaller.
    """

    def loss(picture: Tensor) -> float:
        nothing = {"init": picture, "sizes": size, "num_steps": 0, "progress": False}
        return nst.style_transfer(content, style, **options | nothing).delivered["total"]

    return loss


def time_to(
    goal: float,
    content: str,
    style: str,
    sizes: Sequence[int],
    loss: Callable[[Tensor], float] | None = None,
    **options: Any,
) -> tuple[float, float]:
    """Evaluations and seconds of a run until its picture, as one gets it, is as good as a goal.

    Infinite if it never is. `loss` is measured of pictures with 256 levels, by default the run's
    own, and takes no time that counts. An evaluation at a smaller size counts by its share of the
    last size's pixels. No size is larger than the content picture.
    """
    last = max(nst.load_image(content, sizes[-1]).shape)
    loss = loss or own_loss(content, style, sizes[-1], **options)
    spent = aside = 0.0

    def watch(step: nst.Step) -> bool:
        nonlocal spent, aside
        # With 256 levels it is rarely better than without, and never by a tenth.
        if step.size != last or step.total > 1.1 * goal:
            return False
        spent, began = step.seconds - aside, time.perf_counter()
        good = loss((step.image * 255).round() / 255) <= goal
        aside += time.perf_counter() - began
        return good

    options |= {"sizes": sizes, "callback": watch, "progress": False}
    result = nst.style_transfer(content, style, **options)
    if result.reason != "stopped":
        return math.inf, math.inf
    return sum((step["size"] / last) ** 2 for step in result.history), spent


def in_a_process_of_its_own(code: str) -> Any:
    """What `code` prints last, as JSON, run from its start."""
    here = Path(__file__).resolve().parent
    paths = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])
