"""What each of a GPU's own ways saves, side by side: python tools/bench/gpu_variants.py [FILE].

One evaluation of VGG-19 at 512×512, played back, with all of them and without each; the kernels
that take longest; and the parts of a step of L-BFGS. Decides what is worth its code.
"""

import json
import statistics
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from bench_gpu_apart import SIDE, device_seconds, ready
from bench_measure import in_turn, pictures
from torch import Tensor

import nst
from nst.devices import arithmetic
from nst.hardware.graphs import Recorded
from nst.kernels import layers
from nst.losses import gram_matrix
from nst.optimizers import make_optimizer

Figures = dict[str, Any]


def plain_gram(features: Tensor) -> Tensor:
    """A Gram matrix of float32 activations, its way back left to autograd's function."""
    return gram_matrix(features.float())


def plain_convolution(x: Tensor, convolution: torch.nn.Conv2d, pooled: bool) -> Tensor:
    """A convolution, its ReLU and the pooling, one after the other."""
    y = convolution(x).relu_()
    return layers.max_pool(y) if pooled else y


def own_max_pool(x: Tensor) -> Tensor:
    """PyTorch's."""
    return F.max_pool2d(x, 2)


class PoolingApart(layers.ConvolutionReLUPool):
    """As it was: the pooling after the convolution and its ReLU, each with its own way back."""

    @classmethod
    def apply(cls, *given: Any) -> Tensor:
        """Given what the function in one is."""
        return layers.max_pool(layers.ConvolutionReLU.apply(*given))


def plain_way_back(gradient: Tensor, weight: Tensor, padding: Any, back: Any) -> Tensor:
    """By cuDNN's gradient."""
    return F.conv_transpose2d(gradient, weight, padding=padding)


def plain_distance(x: Tensor, y: Tensor) -> Tensor:
    """By autograd."""
    return (x - y).square().sum()


LAYERS, VGG = "nst.kernels.layers", "nst.networks.vgg"
APART = [(f"{VGG}.convolution_relu", plain_convolution)]
OWN_POOL = [
    (f"{LAYERS}.ConvolutionReLUPool", PoolingApart),
    (f"{LAYERS}.max_pool", own_max_pool),
]
GRAM = [("nst.statistics.moments.gram_matrix", plain_gram)]
DISTANCES = [
    (f"nst.{place}.squared_distance", plain_distance)
    for place in ("objective", "statistics.moments")
]
AVERAGE = [(f"{VGG}.average_pool", lambda x: F.avg_pool2d(x, 2))]
BORDERS = [(f"{LAYERS}.pad", lambda x, mode: F.pad(x, (1, 1, 1, 1), mode))]
BACK = [(f"{LAYERS}.way_back", plain_way_back)]
WAYS: dict[str, list[tuple[str, Any]]] = {
    "as it is": [],
    "without Triton": [(f"{LAYERS}.triton_at_hand", lambda: None)],
    "convolution and ReLU apart": APART,
    "pooling apart": [(f"{LAYERS}.ConvolutionReLUPool", PoolingApart)],
    "PyTorch's max pooling": OWN_POOL,
    "cuDNN's way back": BACK,
    "all in turn": [("nst.devices.SMALL", 0)],
    "a convolution as way back from 256 channels": [(f"{VGG}.DEEP", 256)],
    "no convolution as way back": [(f"{VGG}.DEEP", 10**9)],
    "Gram matrices of float32": GRAM,
    "squared distances by autograd": DISTANCES,
    "PyTorch's average pooling": AVERAGE,
    "PyTorch's borders": BORDERS,
    "none of them": [*APART, *OWN_POOL, *GRAM, *DISTANCES, *AVERAGE, *BORDERS],
}
OF_MEANS = ["PyTorch's average pooling", "PyTorch's borders"]  # the built-in network's alone
MAXIMA = [name for name in WAYS if name not in OF_MEANS]
MEANS = ["as it is", "all in turn", "cuDNN's way back", *OF_MEANS, "none of them"]


@contextmanager
def way(name: str) -> Iterator[None]:
    """Within it the kit evaluates so."""
    with ExitStack() as stack:
        for target, other in WAYS[name]:
            stack.enter_context(patch(target, other))
        yield


def evaluations(
    precision: str, name: str = "vgg19", ways: list[str] = MAXIMA, turns: int = 20
) -> Figures:
    """Milliseconds of each way, taken in turn; and of the way there alone."""
    measures, kept = {}, []
    with arithmetic(precision):
        objective, start, _ = ready(precision, name)
        reference = objective.loss_and_gradient(start)[1]
        for each in ways:
            with way(each):
                # How deep is decided when the network is fitted out.
                other = f"{VGG}.DEEP" in dict(WAYS[each])
                evaluated = ready(precision, name)[0] if other else objective
                recorded = Recorded(partial(evaluated.loss_and_gradient, start))
                recorded()
                found = recorded()[1].clone()
            off = ((found - reference).norm() / reference.norm()).item()
            print(f"{each}: gradient {off:.1e} off", flush=True)
            where = "" if recorded.graph else " (not recorded)"
            measures[each + where] = device_seconds(recorded)
            kept.append(recorded)
        forward = Recorded(torch.no_grad()(partial(objective, start.clone())))
        forward(), forward()
        measures["forward alone"] = device_seconds(forward)
        figures = in_turn(measures, turns)
    return {each: 1000 * statistics.median(found) for each, found in figures.items()}


def kernels(work: Callable[[], object], repeats: int = 5) -> Figures:
    """The kernels of some work: how many there are, and microseconds by name."""
    work()
    torch.cuda.synchronize()
    kinds = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=kinds) as profile:
        for _ in range(repeats):
            work()
        torch.cuda.synchronize()
    spent, count = Counter[str](), Counter[str]()
    events = [e for e in profile.events() if e.device_type == torch.autograd.DeviceType.CUDA]
    events.sort(key=lambda event: event.time_range.start)
    for event in events:
        spent[event.name[:90]] += event.device_time / repeats
        count[event.name[:90]] += 1
    one = events[-len(events) // repeats :]
    sequence = [
        f"{e.time_range.start - one[0].time_range.start:8.1f} {e.device_time:8.1f} {e.name[:150]}"
        for e in one
    ]
    total = sum(count.values()) / repeats
    top = [
        f"{each:8.1f} µs  {count[name] / repeats:5.1f} ×  {name}"
        for name, each in spent.most_common(40)
    ]
    microseconds = sum(spent.values())
    return {"kernels": total, "microseconds": microseconds, "top": top, "sequence": sequence}


def profiles() -> Figures:
    """Of an evaluation by precision, and of a step."""
    found = {}
    for title, precision, name in (
        ("tf32", "tf32", "vgg19"),
        ("bfloat16", "bfloat16", "vgg19"),
        ("the built-in network, tf32", "tf32", "vgg19_quarter"),
    ):
        with arithmetic(precision):
            objective, start, _ = ready(precision, name)
            recorded = Recorded(partial(objective.loss_and_gradient, start))
            recorded(), recorded()
            found[title] = kernels(recorded)
    image = pictures(SIDE, SIDE)[0].cuda().requires_grad_()
    image.grad = 1e-3 * torch.randn(image.shape, device="cuda")
    optimizer = make_optimizer(image, nst.make_settings())
    optimizer.step()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    optimizer.step()
    peak = (torch.cuda.max_memory_allocated() - before) / image.nbytes
    step = Recorded(optimizer.step)
    with arithmetic("tf32"):
        for _ in range(3):
            step()
        found["a step of L-BFGS"] = kernels(step) | {"pictures at the peak": peak}
    return found


def products(turns: int = 20) -> Figures:
    """Microseconds of the products of a step of L-BFGS, in ways that give the same numbers."""
    rows, n = 30, 3 * SIDE * SIDE
    steps, vector = torch.randn(rows, n, device="cuda"), torch.randn(n, device="cuda")
    weights = torch.randn(rows, device="cuda")
    works: dict[str, Callable[[], Tensor]] = {
        "S g": lambda: steps @ vector,
        "S g, multiplied and summed": lambda: (steps * vector).sum(1),
        "S g as a matrix product": lambda: steps @ vector[:, None].expand(n, 8).contiguous(),
        "Sᵀ α": lambda: steps.T @ weights,
        "Sᵀ α, added": lambda: torch.addmv(vector, steps.T, weights),
        "Sᵀ α as a matrix product": lambda: weights[None] @ steps,
        "three Fourier transforms there and back": lambda: torch.fft.irfft2(
            torch.fft.rfft2(vector.view(3, SIDE, SIDE)), s=(SIDE, SIDE)
        ),
    }
    recorded = {name: Recorded(work) for name, work in works.items()}
    for work in recorded.values():
        work(), work()
    figures = in_turn({n: device_seconds(work) for n, work in recorded.items()}, turns)
    return {name: 1e6 * statistics.median(found) for name, found in figures.items()}


def poolings(turns: int = 20) -> Figures:
    """Microseconds of a pooling or a padding and its way back, on the first block's activations."""
    found: Figures = {}
    for kind in (torch.float32, torch.bfloat16):
        x = torch.randn(1, 64, SIDE, SIDE, device="cuda").to(kind)
        x = x.to(memory_format=torch.channels_last).relu().requires_grad_()
        works: dict[str, Callable[[Tensor], Tensor]] = {
            "max pooling, Triton": layers.MaxPool.apply,
            "max pooling, PyTorch": lambda x: F.max_pool2d(x, 2),
            "average pooling, PyTorch": lambda x: F.avg_pool2d(x, 2),
            "average pooling": layers.AveragePool.apply,
            "replicated borders": lambda x: layers.Pad.apply(x, 0),
            "replicated borders, PyTorch": lambda x: F.pad(x, (1, 1, 1, 1), "replicate"),
        }
        measures = {}
        for name, work in works.items():
            upstream = torch.randn_like(work(x))

            def both(
                work: Callable[[Tensor], Tensor] = work, upstream: Tensor = upstream, x: Tensor = x
            ) -> Any:
                return torch.autograd.grad(work(x), x, upstream)

            recorded = Recorded(both)
            recorded(), recorded()
            measures[f"{name}, {kind}"] = device_seconds(recorded)
        figures = in_turn(measures, turns)
        found |= {name: 1e6 * statistics.median(times) for name, times in figures.items()}
    return found


def main() -> None:
    """Print a table, write all."""
    parts: dict[str, Callable[[], Figures]] = {
        "ms of an evaluation, tf32": partial(evaluations, "tf32"),
        "ms of an evaluation, bfloat16": partial(evaluations, "bfloat16"),
        "ms, built-in network, tf32": partial(evaluations, "tf32", "vgg19_quarter", MEANS),
        "µs of products": products,
        "µs of poolings": poolings,
        "profiles": profiles,
    }
    found: dict[str, Any] = {}
    layers.triton_kernels()
    for title, part in parts.items():
        began = time.perf_counter()
        try:
            found[title] = part()
        except Exception:
            found[title] = traceback.format_exc()
        print(f"== {title} ({time.perf_counter() - began:.1f} s)")
        print_figures(found[title])
    if sys.argv[1:]:
        Path(sys.argv[1]).write_text(json.dumps(found, indent=1, ensure_ascii=False))


def print_figures(figures: Any) -> None:
    """A line for each."""
    if not isinstance(figures, dict):
        print(figures, flush=True)
        return
    for name, figure in figures.items():
        if isinstance(figure, dict):
            print(f"{name}: {figure['kernels']:.0f} kernels, {figure['microseconds']:.0f} µs")
            print("\n".join(figure["top"][:8]), flush=True)
        else:
            print(f"{figure:9.3f}  {name}", flush=True)


if __name__ == "__main__":
    main()
