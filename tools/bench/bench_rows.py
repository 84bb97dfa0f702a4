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
from bench_published import LOOPS
from bench_references import STANDARD, bare

import nst
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
        references[loop] = LOOPS[loop].evaluation(network, content, style, *layers)
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
        yield from one_evaluation("vgg19_quarter", size, list(LOOPS))
    yield from one_evaluation("vgg19", SIZES[0])
    yield from one_evaluation("vgg19", SIZES[1], list(LOOPS))


def more_evaluations() -> Iterator[Row]:
    """VGG-19 against the published loops at the other sizes too."""
    for size in (SIZES[0], SIZES[2]):
        yield from one_evaluation("vgg19", size, list(LOOPS))


def whole_run(size: int = 192, evaluations: int = 60, turns: int = TURNS) -> Iterator[Row]:
    """Seconds to a picture as good, by the tutorial's own loss, as that which its loop delivers."""
    content, style = nst.load_image("astronaut", size), nst.load_image("starry", size)
    loop = LOOPS["PyTorch tutorial"]
    network = loop.network()
    tutorial = loop.evaluation(network, content, style)
    run = partial(loop.run, network, tutorial, content, evaluations)
    loss = partial(loop.loss, network, tutorial)
    goal = loss(run())
    options = loop.ours | {"num_steps": 5 * evaluations}

    def ours() -> float:
        return time_to(goal, "astronaut", "starry", [size], loss, **options)[1]

    figures = in_turn({"ours": ours, "PyTorch tutorial": seconds(run)}, turns, warm=False)
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
