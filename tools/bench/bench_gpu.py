"""The benchmark's rows on an NVIDIA GPU: time by device events, memory by the allocator's peaks.

Where a copy of version 0.1 is at hand (see `bench_gpu_apart`), what is measured in milliseconds is
measured of that too, in a process beside.
"""

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from bench_gpu_apart import (
    BASELINE,
    PEAKS,
    ROOT,
    SIDE,
    baseline,
    device_seconds,
    measured,
    ready,
    run,
    wall_seconds,
)
from bench_measure import Row, compare, in_turn, network_of, pictures
from bench_published import torch_lbfgs
from bench_references import STANDARD, pytorch_tutorial
from torch import Tensor

import nst
from nst.devices import PRECISIONS, arithmetic
from nst.optimizers import make_optimizer

EARLIER = "version 0.1"
# Of an H200, in seconds; against version 0.1 the bar is their ratio to what that took there.
EVALUATION = {"tf32": (0.0022, 0.00299), "bfloat16": (0.0016, 0.00231)}
STEP, RUN, FIRST = (0.0006, 0.00246), 0.33, (1.2, 4.4)
NUDGED = 5  # runs from a start that differs by a millionth


def gpu_evaluations(turns: int = 30) -> Iterator[Row]:
    """Loss and gradient of VGG-19 at 512×512, played back, by precision.

    With Triton's kernels, which a run loads if it is long enough, against without them.
    """
    from nst.hardware.graphs import Recorded
    from nst.kernels.layers import triton_kernels

    triton_kernels()
    earlier = baseline("evaluations")
    for precision in PRECISIONS:
        with arithmetic(precision):
            objective, start, tutorial = ready(precision)
            ours = Recorded(partial(objective.loss_and_gradient, start))
            plain = Recorded(partial(objective.loss_and_gradient, start))
            with patch("nst.kernels.layers.triton_at_hand", lambda: None):
                plain(), plain()
            for _ in range(3):
                ours()
            measures: dict[str, Callable[[], object]]
            measures = {
                "ours": ours,
                "without Triton": plain,
                "PyTorch tutorial": partial(tutorial, start.clone()),
            }
            figures = in_turn({n: device_seconds(work) for n, work in measures.items()}, turns)
        bars = {}
        if precision in EVALUATION:
            most, before = EVALUATION[precision]
            figures[f"{1000 * most:g} ms"] = [most] * len(figures["ours"])
            bars = {f"{1000 * most:g} ms": 1.0, EARLIER: most / before}
        if precision in earlier:
            figures[EARLIER] = [earlier[precision]] * len(figures["ours"])
        label = f"vgg19, {SIDE}×{SIDE}, {precision}"
        yield from compare("One evaluation on a GPU", label, "s", figures, bars)


def gpu_steps(turns: int = 30) -> Iterator[Row]:
    """What a step of each optimiser adds to an evaluation in one graph, its history being full."""
    earlier = baseline("steps")
    for optimizer in ("lbfgs", "adam"):
        with arithmetic("tf32"):
            with_step, without = (evaluation_and_step(optimizer, made) for made in (True, False))
            for _ in range(40):
                with_step(), without()
            works = {"with": with_step, "without": without}
            times = in_turn({name: device_seconds(work) for name, work in works.items()}, turns)
        both = zip(times["with"], times["without"], strict=True)
        figures = {"ours": [one - other for one, other in both]}
        bars = {}
        if optimizer == "lbfgs":
            most, before = STEP
            figures[f"{1000 * most:g} ms"] = [most] * len(figures["ours"])
            bars = {f"{1000 * most:g} ms": 1.0, EARLIER: most / before}
        if optimizer in earlier:
            figures[EARLIER] = [earlier[optimizer]] * len(figures["ours"])
        label = f"{optimizer}, {SIDE}×{SIDE}"
        yield from compare("A step of the optimiser on a GPU", label, "s", figures, bars)


def evaluation_and_step(optimizer: str, made: bool) -> Callable[[], object]:
    """An evaluation, and if `made` the step that follows it, as a run records them."""
    from nst.hardware.graphs import Recorded

    objective, image, _ = ready("tf32")
    image.requires_grad_().grad = torch.zeros_like(image)
    step = make_optimizer(image, nst.make_settings(optimizer=optimizer)).step

    def work() -> None:
        assert image.grad is not None
        image.grad.copy_(objective.loss_and_gradient(image)[1])
        if made:
            step()

    recorded = Recorded(work)
    recorded(), recorded()
    assert recorded.graph is not None, f"{optimizer} could not be recorded"
    return recorded


def gpu_runs(turns: int = 3, steps: int = 300) -> Iterator[Row]:
    """A whole run against the tutorial's loop for as many evaluations."""
    network = network_of("vgg19").cuda()
    _, content, style = (picture.cuda() for picture in pictures(SIDE, SIDE))
    with arithmetic("tf32"):
        tutorial = pytorch_tutorial(network, content, style, "relu4_2", STANDARD)
        loop = partial(torch_lbfgs, tutorial, content, steps)
        measures: dict[str, Callable[[], object]]
        measures = {"ours": partial(run, network, steps), "PyTorch tutorial": loop}
        figures = in_turn({n: wall_seconds(work) for n, work in measures.items()}, turns)
    if earlier := baseline("runs"):
        figures[EARLIER] = [earlier["run"]] * len(figures["ours"])
    label = f"vgg19, {SIDE}×{SIDE}, {steps} steps, tf32"
    bars = {"PyTorch tutorial": RUN}
    yield from compare("A whole run on a GPU", label, "s", figures, bars)


def gpu_first_runs() -> Iterator[Row]:
    """The first run of a process, against its second; medians of three processes."""
    most, before = FIRST
    label, section = "vgg19_quarter, the demo's settings", "A process's first run on a GPU"
    _, *found = (measured("first_runs", ROOT) for _ in range(4))  # the first reads files from disk
    found = [run for run in found if run]
    then = measured("first_runs", BASELINE) if BASELINE.is_dir() else {}
    first, second = (
        statistics.median(run[name] for run in found) if found else None
        for name in ("first", "second")
    )
    for against, other, bar in (
        (f"{most:g} s", most, 1.0),
        (EARLIER, then.get("first"), most / before),
        ("its second run", second, None),
    ):
        ratio = first / other if first and other else None
        yield Row(section, label, against, "s", first, other, ratio, bar)


def gpu_memory() -> Iterator[Row]:
    """The allocator's peaks; those under a limit with what it holds in reserve.

    Each in a process of its own, so that one that fails or takes too long loses only itself.
    """
    for name, (most, _) in PEAKS.items():
        found = measured(f"peak_of({name!r})", ROOT)
        peak = found.get("reserved" if "limit" in name or "free" in name else "allocated")
        ratio = None if peak is None else peak / most
        yield Row("Memory on a GPU", name, f"{most:g} GB", "GB", peak, most, ratio, 1.0)
        whole = f"{name}: with what is held in reserve"
        yield Row("Memory on a GPU", whole, "", "GB", found.get("reserved"), None, None)


def gpu_agreement(size: int = SIDE, steps: int = 50) -> Iterator[Row]:
    """Other precisions against float32 after some steps, in units of what chance does.

    L-BFGS amplifies the last digit: runs from starts that differ by a millionth end apart too.
    """
    content = nst.load_image("astronaut", size)
    generator = torch.Generator().manual_seed(0)

    def run(precision: str, start: Tensor) -> nst.Result:
        options: dict[str, Any] = {"sizes": size, "num_steps": steps, "progress": False}
        return nst.style_transfer(
            content, "starry", init=start, device="cuda", precision=precision, **options
        )

    def nudge(by: float = 1e-6) -> Tensor:
        return (content + by * torch.randn(content.shape, generator=generator)).clamp(0, 1)

    def distance(one: nst.Result, other: nst.Result) -> float:
        return (one.image - other.image).square().mean().sqrt().item()

    def lowest(result: nst.Result) -> float:
        return min(step["total"] for step in result.history)

    exact = run("float32", content)
    nudged = statistics.median(distance(run("float32", nudge()), exact) for _ in range(NUDGED))
    further = distance(run("float32", nudge(1e-4)), exact)  # about what TF32 rounds by
    for precision, most in (("tf32", 1.25), ("bfloat16", 2.0)):
        other = run(precision, content)
        error, change = distance(other, exact), abs(lowest(other) / lowest(exact) - 1)
        label, section = f"{precision}, {size} px, {steps} steps", "Agreement with float32 on a GPU"
        for other_start, reference, bar in (("", nudged, most), (" by 1e-4", further, None)):
            row = ("", error, reference, error / reference, bar)
            yield Row(section, f"{label}: picture", f"float32, nudged{other_start}", *row)
        yield Row(section, f"{label}: loss", "2 %", "", change, 0.02, change / 0.02, 1.0)


GPU = (gpu_evaluations, gpu_steps, gpu_runs, gpu_first_runs, gpu_memory, gpu_agreement)
