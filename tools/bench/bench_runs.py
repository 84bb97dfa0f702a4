"""The benchmark's rows on whole runs: fewer steps, large pictures, many runs, several sizes."""

import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from bench_measure import (
    TURNS,
    Row,
    compare,
    in_a_process_of_its_own,
    in_turn,
    network_of,
    pictures,
    seconds,
    time_to,
)
from bench_references import STANDARD
from torch import Tensor
from torchvision.models import VGG19_Weights

import nst
from nst.files.checkpoints import cache_folder
from nst.grids.pools import process_pool
from nst.hardware.scales import TiledObjective
from nst.networks import fit_out

PHOTOGRAPHS = ("astronaut", "cat", "coffee", "rocket")
PAIRS = (
    ("astronaut", "starry"),
    ("cat", "mosaic"),
    ("coffee", "glass"),
    ("rocket", "waves"),
    ("astronaut", "ink"),
    ("coffee", "marble"),
)
COARSE_STEPS = 40  # at half the size, where a run from noise starts there


def fewer_steps(
    pairs: Sequence[tuple[str, str]] = PAIRS[:2],
    sizes: Sequence[int] = (128,),
    networks: Sequence[str] = ("vgg19_quarter",),
    evaluations: int = 300,
) -> Iterator[Row]:
    """Evaluations and seconds to the picture that plain L-BFGS with history 100 delivers.

    From noise also with some steps at half the size first, as the default sizes have it. Of the
    last rows, one is for the optimiser alone, and one has these steps in the runs from noise.
    """
    runs: list[tuple[str, bool, dict[str, float]]] = []  # start, coarse steps first?, ratios
    for network, size, (content, style), start in product(
        networks, sizes, pairs, ("content", "noise")
    ):
        options: dict[str, Any] = {"network": network, "init": start}
        plain = nst.style_transfer(
            content,
            style,
            **options,
            sizes=size,
            num_steps=evaluations - 1,
            optimizer="lbfgs-plain",
            history=100,
            progress=False,
        )
        best = min(plain.history, key=lambda step: step["total"])
        for coarse in [False, True] if start == "noise" else [False]:
            steps_at = [size // 2, size] if coarse else [size]
            steps = (COARSE_STEPS, 2 * evaluations)[-len(steps_at) :]
            cost, spent = time_to(
                plain.delivered["total"], content, style, steps_at, num_steps=steps, **options
            )
            label = f"{network}, {content} × {style}, from {start}, {size} px"
            label += ", half the size first" * coarse
            figures = {"evaluations": (cost, best["number"] + 1), "s": (spent, best["seconds"])}
            runs.append((start, coarse, {unit: a / b for unit, (a, b) in figures.items()}))
            for unit, (ours, theirs) in figures.items():
                row = (label, "lbfgs-plain", unit, ours, theirs, ours / theirs, 1.0)
                yield Row("Fewer steps", *row)
    alone = [ratios for _, coarse, ratios in runs if not coarse]
    first = [ratios for start, coarse, ratios in runs if coarse or start == "content"]
    for what, found in (
        ("at one size", alone),
        ("with half the size first from noise", first),
    ):
        for unit, bar in (("evaluations", 0.6), ("s", 0.65)):
            mean = statistics.geometric_mean([ratios[unit] for ratios in found])
            label = f"geometric mean of {len(found)} {what}, {unit}"
            yield Row("Fewer steps", label, "lbfgs-plain", "", mean, 1.0, mean, bar)


def fewer_steps_everywhere() -> Iterator[Row]:
    """All pairs at two sizes; with VGG-19 too, where its weights are at hand."""
    yield from fewer_steps(PAIRS, (256, 512), ("vgg19_quarter",))
    if (cache_folder() / Path(VGG19_Weights.DEFAULT.url).name).is_file():
        yield from fewer_steps(PAIRS, (256, 512), ("vgg19",))


def tiles(name: str = "vgg19_quarter", side: int = 1024, tile: int = 384) -> Iterator[Row]:
    """The gradient by tiles against the whole one: its error, and what it costs."""
    start, content, style = pictures(side, side * 3 // 4)
    network, settings = fit_out(network_of(name), start.device, "float32"), nst.make_settings()
    whole = nst.Objective(network, content, [style], settings)
    parts = TiledObjective(network, content, [style], settings, tile)
    expected = whole.loss_and_gradient(start)[1]
    error = ((parts.loss_and_gradient(start)[1] - expected).norm() / expected.norm()).item()
    label = f"{name}, {side}×{side * 3 // 4} in tiles of {tile}"
    yield Row("Tiles", f"{label}: gradient", "1e-4", "", error, 1e-4, error / 1e-4, 1.0)
    measures = {"ours": partial(parts.loss_and_gradient, start)}
    measures["whole"] = partial(whole.loss_and_gradient, start)
    figures = in_turn({name: seconds(work) for name, work in measures.items()}, TURNS)
    yield from compare("Tiles", f"{label}: one evaluation", "s", figures, {})


LARGE = """
import torch, bench_measure, nst
torch.set_num_threads({threads})
network = nst.load_network("vgg19", weights="random")
picture = torch.rand(1, 3, {height}, {width}, generator=torch.Generator().manual_seed(0))
seconds = []
nst.style_transfer(
    picture, "starry", network=network, sizes=max(picture.shape), num_steps=2, progress=False,
    callback=lambda step: seconds.append(step.seconds), {limit}
)
peak = bench_measure.peak_memory() / 1e9
print({figure})
"""


def large_picture(width: int = 4096, height: int = 3072) -> Iterator[Row]:
    """12 megapixels with VGG-19 under 8 GB: its peak, and a step's time against 1 megapixel's."""
    a_step = "(seconds[-1] - seconds[0]) / (len(seconds) - 1) / (picture[0, 0].numel() / 1e6)"
    fields: dict[str, Any] = {"threads": torch.get_num_threads()}
    large = {"width": width, "height": height, "limit": "memory_limit='8GB'"}
    both = f"[peak, {a_step}]"
    code = LARGE.format(**fields, **large, figure=both)
    peak, ours = in_a_process_of_its_own(code)
    code = LARGE.format(**fields, width=1152, height=864, limit="", figure=both)
    _, theirs = in_a_process_of_its_own(code)
    label = f"vgg19, {width}×{height}, memory_limit 8GB"
    yield Row("Tiles", f"{label}: peak", "8 GB", "GB", peak, 8.0, peak / 8, 1.0)
    row = ("1 megapixel, whole", "s", ours, theirs, ours / theirs, 2.0)
    yield Row("Tiles", f"{label}: a megapixel", *row)


def many_runs(steps: int = 60, size: int = 256) -> Iterator[Row]:
    """A grid of eight runs by two workers and by one; each has one thread.

    The time in which a worker starts, which loads torch, counts.
    """

    def spent(workers: int) -> float:
        began = time.perf_counter()
        with process_pool(workers, threads=1) as pool:
            experiment = nst.grid(
                content="astronaut",
                style=["starry", "waves"],
                content_weight=[0.5, 1.0, 2.0, 4.0],
                sizes=size,
                num_steps=steps,
                executor=pool,
                device="cpu",
            )
        assert all(cell.picture for cell in experiment.cells), experiment
        return time.perf_counter() - began

    measures = {"ours": partial(spent, 2), "one worker": partial(spent, 1)}
    figures = in_turn(measures, TURNS, warm=False)
    label = f"eight runs, {size} px, {steps} steps, two workers"
    yield from compare("Many runs", label, "s", figures, {"one worker": 1 / 1.6})


def coarse_to_fine(evaluations: int = 200, turns: int = TURNS) -> Iterator[Row]:
    """Seconds to as good a picture at 512 px, with 200 steps at 256 before, and without."""
    goal = nst.style_transfer(
        "astronaut", "starry", sizes=512, num_steps=evaluations, progress=False
    ).delivered["total"]

    def run(sizes: tuple[int, ...]) -> float:
        steps = (200, 5 * evaluations)[-len(sizes) :]
        return time_to(goal, "astronaut", "starry", sizes, num_steps=steps)[1]

    measures = {"ours": partial(run, (256, 512)), "512 px only": partial(run, (512,))}
    figures = in_turn(measures, turns, warm=False)
    label = f"to the latter's loss after {evaluations}"
    yield from compare("Coarse to fine", label, "s", figures, {})


def large_structures(styles: Sequence[str] = ("starry", "waves", "mosaic")) -> Iterator[Row]:
    """How much a texture lacks of what its style has beyond the network's receptive field.

    The logarithm of the share of the luminance's variance that lies there, less the style's: 0 when
    the texture has as much of it.
    """
    for style in styles:
        goal = slow_share(nst.load_image(style, 512))

        def lack(sizes: tuple[int, ...], style: str = style, goal: float = goal) -> float:
            made = nst.synthesize_texture(
                "vgg19_quarter", style, list(STANDARD), 100, sizes=sizes, progress=False
            )
            return abs(slow_share((made.image * 255).round() / 255) - goal)

        coarse, full = lack((128, 256, 512)), lack((512,))
        label = f"{style}: what is missing of large structures"
        section = "Coarse to fine"
        yield Row(section, label, "512 px only", "", coarse, full, coarse / full)


def slow_share(image: Tensor, longest: int | None = None) -> float:
    """Logarithm of the variance's share at wavelengths beyond `longest` pixels.

    By default that is the receptive field of the built-in network's deepest layer.
    """
    table = nst.layer_table(network_of("vgg19_quarter"))
    longest = longest or table[-1].receptive_field or 0
    power = torch.fft.fft2(image.mean(1)).abs().square()[0]
    rows, columns = (torch.fft.fftfreq(n) for n in power.shape)
    frequency = (rows[:, None].square() + columns.square()).sqrt()
    power[0, 0] = 0
    return (power[frequency < 1 / longest].sum() / power.sum()).log().item()
