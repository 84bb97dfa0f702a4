"""The benchmark's rows on what a person gets: pictures in [0, 1], with 256 levels."""

import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch
from bench_measure import Row, time_to
from bench_published import LOOPS
from bench_runs import COARSE_STEPS, PAIRS, PHOTOGRAPHS
from torch import Tensor

import nst
from nst.settings import LEARNING_RATES

OPTIMIZERS = tuple(LEARNING_RATES)
Run = tuple[str, str, str]  # content, style, start
FROM_CONTENT: list[Run] = [
    (content, style, "content") for content in PHOTOGRAPHS for style in nst.sample_names()["style"]
]
FROM_NOISE: list[Run] = [(*pair, "noise") for pair in PAIRS[:2]]


def delivered(
    runs: Sequence[Run] = (*FROM_CONTENT[:2], *FROM_NOISE[:1]),
    size: int = 128,
    early: int = 30,
    late: int = 120,
) -> Iterator[Row]:
    """The loss of the picture handed back over the best step's; the bound's price in loss.

    Of the latter, "free" are the pixels of a run that is clamped at its end; its best step's loss,
    that of a picture nobody gets, is compared after `early` and after `late` steps.
    """
    for optimizer in OPTIMIZERS:
        found: list[float] = []
        price: dict[int, list[float]] = {early: [], late: []}
        for content, style, init in runs:
            options: dict[str, Any] = {"sizes": size, "num_steps": late, "init": init}
            options |= {"optimizer": optimizer, "progress": False}
            bounded = nst.style_transfer(content, style, **options)
            free = nst.style_transfer(content, style, **options, bounds="end")
            found.append(bounded.delivered["total"] / best(bounded, late))
            for number, ratios in price.items():
                ratios.append(best(bounded, number) / best(free, number))
        section, label = "Delivered", f"{optimizer}, {len(runs)} runs of {late} steps, {size} px: "
        for what, ratio in (("mean", statistics.geometric_mean(found)), ("worst", max(found))):
            yield Row(section, label + what, "its best step", "", ratio, 1.0, ratio, 1.02)
        for number, bar in ((early, 1.0), (late, 1.03)):
            ratio = statistics.geometric_mean(price[number])
            what = f"{label}best of the first {number}, mean"
            yield Row(section, what, "free pixels", "", ratio, 1.0, ratio, bar)


def best(run: nst.Result, number: int) -> float:
    """The lowest loss of a run's first steps."""
    return min(step["total"] for step in run.history if step["number"] <= number)


def delivered_everywhere() -> Iterator[Row]:
    """Four photographs in seven styles, and two pairs from noise."""
    yield from delivered([*FROM_CONTENT, *FROM_NOISE], 256)


def published_runs(
    pairs: Sequence[tuple[str, str]] = PAIRS,
    sizes: Sequence[int] = (256, 512),
    evaluations: int = 300,
) -> Iterator[Row]:
    """Seconds until a picture as good, by its own loss, as each published loop hands back.

    Every pair starts from its photograph at one size and from noise at the other, there with some
    steps of ours at half the size first. A loop that hands back no better picture than its start
    has no ratio.
    """
    ratios: list[float] = []
    for name, loop in LOOPS.items():
        network = loop.network()
        for (i, (content, style)), (j, size) in product(enumerate(pairs), enumerate(sizes)):
            init = ("content", "noise")[(i + j) % 2]
            photo = nst.load_image(content, size)
            paint = nst.load_image(style, max(photo.shape))  # as ours: no larger
            start = photo if init == "content" else noise(photo)
            began = time.perf_counter()
            evaluate = loop.evaluation(network, photo, paint)
            picture = loop.run(network, evaluate, start, evaluations)
            theirs = time.perf_counter() - began
            goal = loop.loss(network, evaluate, picture)
            label = f"to its loss after {evaluations}, {content} × {style}, from {init}, {size} px"
            if not goal < loop.loss(network, evaluate, start):
                note = "theirs is no better than the start"
                yield Row("Published runs", label, name, "s", None, theirs, None, note=note)
                continue
            at = [size // 2, size] if init == "noise" else [size]
            steps = (COARSE_STEPS, evaluations)[-len(at) :]
            options = loop.ours | {"init": init, "num_steps": steps}
            _, ours = time_to(
                goal, content, style, at, partial(loop.loss, network, evaluate), **options
            )
            ratios.append(ours / theirs)
            yield Row("Published runs", label, name, "s", ours, theirs, ours / theirs, 0.5)
    mean = statistics.geometric_mean(ratios)
    label = f"geometric mean of {len(ratios)}"
    yield Row("Published runs", label, "all loops", "", mean, 1.0, mean, 0.15)


def noise(photo: Tensor) -> Tensor:
    """The start that our runs have, of the photograph's shape."""
    return torch.rand(photo.shape, generator=torch.Generator().manual_seed(nst.Settings().seed))
