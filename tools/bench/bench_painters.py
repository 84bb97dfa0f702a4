"""The benchmark's rows on painting in one pass: its time, and what the optimiser makes of it."""

import math
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch
from bench_measure import TURNS, Row, in_turn, seconds
from bench_runs import PHOTOGRAPHS
from torch import Tensor

import nst
from nst.judges import Eye, content_changed, eyes, look, style_left
from nst.objective import total

Pairs = Sequence[tuple[Any, str]]
EVERY: Pairs = list(product(PHOTOGRAPHS, nst.sample_names()["style"]))
SECTION = "One pass"


def one_pass(size: int = 512, turns: int = TURNS) -> Iterator[Row]:
    """Seconds for a square picture, by the painter of the sample styles and that of any style."""
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    for name, style in (("styles", "starry"), ("any", nst.load_image("starry", size))):
        painter = nst.load_painter(name)
        condition = painter.condition(style)
        run = seconds(partial(unrecorded, painter, image, condition))
        ours = statistics.median(in_turn({"ours": run}, turns)["ours"])
        label = f"painter of {name}, {size}×{size}, threads: {torch.get_num_threads()}"
        yield Row(SECTION, label, "", "s", ours, 0.25, ours / 0.25, 1)


@torch.no_grad()
def unrecorded(painter: Any, image: Tensor, condition: Tensor) -> Tensor:
    """A pass of which nothing is kept for a gradient."""
    return painter(image, condition)


def worth(pairs: Pairs = EVERY, size: int = 384, most: int = 60) -> Iterator[Row]:
    """How many steps of the default optimiser, from the photograph, a painting is worth.

    By the default objective of the picture in 256 levels. And the content by a judge, against that
    of the optimiser's picture at the same loss.
    """
    by = eyes()["held-out layers"]
    steps, moved = [], []
    for content, style in pairs:
        photograph = nst.load_image(content, size)
        painting = rounded(nst.paint(photograph, style))
        number, picture = optimised_to(
            loss_of(painting, photograph, style), photograph, style, most
        )
        steps.append(number)
        seen = look(by, photograph)
        ours, theirs = (content_changed(look(by, p), seen) for p in (painting, picture))
        moved.append(ours / theirs if theirs else math.inf)  # worth no step at all
    label = f"{len(pairs)} pairs, {size} px, median: "
    median = float(statistics.median(steps))
    bar = 14.0
    yield Row(
        SECTION, label + "steps that it is worth", "", "", median, bar, bar / max(median, 1), 1
    )
    ratio = statistics.median(moved)
    yield Row(SECTION, label + "content changed", "optimiser", "", ratio, 1.0, ratio, 1.2)


def optimised_to(
    goal: float, photograph: Tensor, style: str, most: int, **options: Any
) -> tuple[int, Tensor]:
    """Steps until the loss is no more than `goal`, at most so many, and the picture then."""
    at: dict[int, float] = {}

    def watch(step: nst.Step) -> bool:
        at[step.number] = step.total
        return step.total <= goal

    size = max(photograph.shape)
    options |= {"sizes": size, "num_steps": most, "progress": False, "callback": watch}
    result = nst.style_transfer(photograph, style, **options)
    return max(at), result.image


def loss_of(picture: Tensor, photograph: Tensor, style: str) -> float:
    """The default objective of a picture."""
    artwork = nst.load_image(style, max(photograph.shape))
    objective = nst.Objective(nst.load_network(), photograph, [artwork], nst.make_settings())
    return total(objective.loss_and_gradient(picture)[0]).item()


def rounded(picture: Tensor) -> Tensor:
    """The picture in 256 levels."""
    return (picture * 255).round() / 255


def painted_start(pairs: Pairs = EVERY[::5], size: int = 256, most: int = 60) -> Iterator[Row]:
    """Evaluations from one pass to the loss that a run from the photograph has after `most`."""
    ratios = []
    for content, style in pairs:
        photograph = nst.load_image(content, size)
        plain = nst.style_transfer(photograph, style, sizes=size, num_steps=most, progress=False)
        goal = plain.delivered["total"]
        number, _ = optimised_to(goal, photograph, style, 2 * most, init="painter")
        ratios.append(number / most)
    label = f"{len(pairs)} pairs, {size} px, from one pass: evaluations to the loss after {most}"
    ratio = statistics.mean(ratios)
    yield Row(SECTION, label, "from the photograph", "", most * ratio, most, ratio, 0.8)


def any_style(
    photographs: Sequence[Any] = ("astronaut", "cat"),
    artworks: Sequence[Any] = ("marble", "waves"),
    size: int = 384,
) -> Iterator[Row]:
    """What is left of the distance to the style, by a judge, when it was seen for the first time.

    The package's artworks are among those that the painter learned from; give others.
    """
    by: Eye = eyes()["held-out layers"]
    left = []
    for content, style in product(photographs, artworks):
        photograph, artwork = nst.load_image(content, size), nst.load_image(style, size)
        painting = rounded(nst.paint(photograph, artwork, painter="any"))
        left.append(style_left(look(by, painting), look(by, photograph), look(by, artwork)))
    ratio = statistics.median(left)
    label = f"any style, {len(left)} pairs, {size} px, median: style left"
    yield Row(SECTION, label, "photograph", "", ratio, 1.0, ratio, 0.25)


def flicker(pairs: Pairs = EVERY[::5], size: int = 512, shift: int = 3) -> Iterator[Row]:
    """Mean change, of 255, where a painted picture and a painting of the moved one should agree."""
    found = []
    for content, style in pairs:
        photograph = nst.load_image(content, size)
        one, two = photograph[..., shift:, shift:], photograph[..., :-shift, :-shift]
        one, two = (nst.paint(picture.contiguous(), style) for picture in (one, two))
        apart = (one[..., :-shift, :-shift] - two[..., shift:, shift:]).abs()
        found.append(255 * apart.mean().item())
    label = f"{len(pairs)} pairs, {size} px, moved by {shift} pixels: mean change, of 255"
    yield Row(SECTION, label, "", "", statistics.median(found), None, None)
