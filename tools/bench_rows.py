"""The benchmark's rows on a step: each function measures some and yields them."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

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
from bench_references import PUBLISHED, STANDARD, bare, pytorch_tutorial, torch_lbfgs
from torch import Tensor

import nst
from nst.devices import PRECISIONS, arithmetic
from nst.hardware.graphs import Graph
from nst.networks import fit_out

SIZES = ((320, 240), (512, 384), (1024, 768))
LIMIT = 1.05  # the bar of a step: so many times the bare network's
AHEAD = 1.0  # the bar of everything against a published loop


def one_evaluation(
    name: str, size: tuple[int, int], published: Sequence[str] = (), turns: int = TURNS
) -> list[Row]:
    """Loss and gradient of the default objective, against the bare network and published loops."""
    start, content, style = pictures(*size)
    network = network_of(name)
    ours = nst.Objective(
        fit_out(network, start.device, "float32"), content, [style], nst.make_settings()
    )
    references = {"bare network": bare(network)}
    for loop in published:
        # d2l.ai's own layers, of the same depth: its convolutions are overwritten by their ReLUs.
        layers = [] if loop == "d2l.ai" else ["relu4_2", STANDARD]
        references[loop] = PUBLISHED[loop](network, content, style, *layers)
    # Each has a picture of its own, since some of them write to theirs.
    measures = {"ours": seconds(partial(ours.loss_and_gradient, start))}
    measures |= {n: seconds(partial(run, start.clone())) for n, run in references.items()}
    bars = dict.fromkeys(published, AHEAD) | {"bare network": LIMIT}
    figures = in_turn(measures, turns, patience=turns)
    label = f"{name}, {size[0]}×{size[1]}"
    return compare("One evaluation", label, "s", figures, bars)


def evaluations() -> Iterator[Row]:
    """The built-in network at three sizes, VGG-19 at two; published loops where that is quick."""
    for size in SIZES:
        yield from one_evaluation("vgg19_quarter", size, list(PUBLISHED))
    yield from one_evaluation("vgg19", SIZES[0])
    yield from one_evaluation("vgg19", SIZES[1], list(PUBLISHED))


def more_evaluations() -> Iterator[Row]:
    """VGG-19 against the published loops at the other sizes too."""
    for size in (SIZES[0], SIZES[2]):
        yield from one_evaluation("vgg19", size, list(PUBLISHED))


def whole_run(size: int = 192, evaluations: int = 60, turns: int = TURNS) -> Iterator[Row]:
    """Seconds to the loss that the tutorial's loop has at its end, with its own loss."""
    network = network_of("vgg19_quarter")
    content, style = nst.load_image("astronaut", size), nst.load_image("starry", size)
    tutorial = pytorch_tutorial(network, content, style)
    goal = min(torch_lbfgs(tutorial, content, evaluations))
    options = {"preset": "pytorch-tutorial", "num_steps": 5 * evaluations}

    def ours() -> float:
        return time_to(goal, "astronaut", "starry", [size], **options)[1]

    theirs = seconds(lambda: torch_lbfgs(tutorial, content, evaluations))
    figures = in_turn({"ours": ours, "PyTorch tutorial": theirs}, turns, warm=False)
    label = f"to its loss after {evaluations} evaluations, {size} px"
    yield from compare("A whole run", label, "s", figures, {"PyTorch tutorial": AHEAD})


MEMORY = """
import torch, bench_measure, bench_references, nst
from nst.networks import fit_out
torch.set_num_threads({threads})
start, content, style = bench_measure.pictures({width}, {height})
network = bench_measure.network_of("{network}")
before = bench_measure.peak_memory()
{setup}
run(start)
print((bench_measure.peak_memory() - before) / 1e9 / ({width} * {height} / 1e6))
"""
SETUPS = {
    "ours": "ready = fit_out(network, start.device, 'float32')\n"
    "run = nst.Objective(ready, content, [style], nst.make_settings()).loss_and_gradient",
    "bare network": "run = bench_references.bare(network)",
    "PyTorch tutorial": "run = bench_references.pytorch_tutorial("
    "network, content, style, 'relu4_2', bench_references.STANDARD)",
}


def memory_measures(name: str, size: tuple[int, int]) -> dict[str, Callable[[], float]]:
    """Gigabytes a megapixel that one evaluation takes beyond the network."""
    fields = {"width": size[0], "height": size[1], "network": name}
    fields["threads"] = torch.get_num_threads()
    return {
        other: partial(in_a_process_of_its_own, MEMORY.format(setup=setup, **fields))
        for other, setup in SETUPS.items()
    }


def memory(name: str = "vgg19_quarter", size: tuple[int, int] = SIZES[2]) -> Iterator[Row]:
    """By the most that a process of its own ever held, after one evaluation."""
    figures = in_turn(memory_measures(name, size), TURNS, warm=False)
    label, bars = f"{name}, {size[0]}×{size[1]}", {"PyTorch tutorial": AHEAD}
    yield from compare("Peak memory a megapixel", label, "GB", figures, bars)


def more_memory() -> Iterator[Row]:
    """The same with VGG-19."""
    yield from memory("vgg19", SIZES[1])


FIRST_STEPS = {
    "ours": """
import nst
step = lambda step: True
nst.style_transfer("astronaut", "starry", sizes=256, callback=step, progress=False)
""",
    "torchvision's VGG-19": """
import torch, torchvision
network = torchvision.models.vgg19(weights=None, init_weights=False).features[:30]
image = torch.rand(1, 3, 256, 256, requires_grad=True)
network.requires_grad_(False)(image).sum().backward()
""",
    "import torch": "import torch",
}


def start_up(turns: int = TURNS) -> Iterator[Row]:
    """From nothing to the first step: import, network, pictures, targets, one evaluation."""
    clock = "import time; began = time.perf_counter()\n{}\nprint(time.perf_counter() - began)"
    measures: dict[str, Callable[[], float]] = {
        name: partial(in_a_process_of_its_own, clock.format(code))
        for name, code in FIRST_STEPS.items()
    }
    figures = in_turn(measures, turns)  # the first turn fills the disk's cache
    bars = {"torchvision's VGG-19": AHEAD}
    yield from compare("Start-up", "to the first step, 256 px", "s", figures, bars)


def gpu(size: int = 512, turns: int = 20) -> Iterator[Row]:
    """On a GPU: recorded evaluations against the tutorial's loop, by precision; agreement."""
    if not torch.cuda.is_available():
        return
    place = torch.device("cuda")
    start, content, style = (picture.to(place) for picture in pictures(size, size))
    network = network_of("vgg19").to(place)
    tutorial = pytorch_tutorial(network, content, style, "relu4_2", STANDARD)
    for precision in PRECISIONS:
        with arithmetic(precision):
            ready = fit_out(network, place, precision)
            fast = Graph(nst.Objective(ready, content, [style], nst.make_settings()))
            ours = seconds(partial(fast.loss_and_gradient, start))
            theirs = seconds(partial(tutorial, start.clone()))
            figures = in_turn({"ours": ours, "PyTorch tutorial": theirs}, turns)
        figures["1.5 ms"] = [0.0015] * len(figures["ours"])
        bars = {"PyTorch tutorial": 1 / 4, "1.5 ms": 1.0}
        label = f"vgg19, {size}×{size}, {precision}"
        yield from compare("One evaluation on a GPU", label, "s", figures, bars)
    yield from agreement("cuda")


def agreement(device: str = "cpu", size: int = 512, steps: int = 50) -> Iterator[Row]:
    """How far the picture and the loss of other precisions are from float32's after some steps.

    L-BFGS amplifies the last digit, so a start that differs by a millionth is measured too.
    """
    content = nst.load_image("astronaut", size)
    nudge = 1e-6 * torch.randn(content.shape, generator=torch.Generator().manual_seed(0))

    def run(precision: str, start: Tensor) -> nst.Result:
        return nst.style_transfer(
            content,
            "starry",
            init=start,
            sizes=size,
            num_steps=steps,
            device=device,
            precision=precision,
            progress=False,
        )

    exact = run("float32", content)
    others = {name: run(name, content) for name in PRECISIONS[1:]}
    others["float32, nudged"] = run("float32", (content + nudge).clamp(0, 1))
    for name, other in others.items():
        error = (other.image - exact.image).square().mean().sqrt().item()
        losses = [min(step["total"] for step in result.history) for result in (other, exact)]
        change = abs(losses[0] / losses[1] - 1)
        label, bar = f"{name}, {size} px, {steps} steps", None if "nudged" in name else 1.0
        for what, figure, most in (("30 dB", error, 10 ** (-30 / 20)), ("2 %", change, 0.02)):
            yield Row("Agreement with float32", label, what, "", figure, most, figure / most, bar)
