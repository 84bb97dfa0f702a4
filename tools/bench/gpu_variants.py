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


def chunked_gram(features: Tensor, chunks: int = 64) -> Tensor:
    """A Gram matrix as the sum of those of parts of the picture, all in one call."""
    rows = features.permute(0, 2, 3, 1).flatten(1, 2)[0]
    n = features[0].numel()
    if len(rows) % chunks or len(rows) < 64 * chunks:
        return gram_matrix(features)
    return Chunked.apply(rows.view(chunks, -1, rows.shape[1]), n)


class Chunked(torch.autograd.Function):
    """XᵀX / n by chunks."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, n: int) -> Tensor:
        """(chunks, M, C) → (1, C, C)."""
        ctx.save_for_backward(x)
        ctx.n = n
        if x.dtype == torch.bfloat16:
            return torch.bmm(x.mT, x, out_dtype=torch.float32).sum(0, keepdim=True) / n
        return torch.bmm(x.mT, x).sum(0, keepdim=True) / n

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """X(G + Gᵀ) / n."""
        (x,) = ctx.saved_tensors
        return x @ ((gradient + gradient.mT) / ctx.n).to(x.dtype), None


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


WAYS: dict[str, list[tuple[str, Any]]] = {
    "as it is": [],
    "convolution and ReLU apart": [("nst.networks.vgg.convolution_relu", plain_convolution)],
    "pooling apart": [("nst.kernels.layers.ConvolutionReLUPool", PoolingApart)],
    "PyTorch's max pooling": [
        ("nst.kernels.layers.ConvolutionReLUPool", PoolingApart),
        ("nst.kernels.layers.max_pool", own_max_pool),
    ],
    "Gram matrices of float32": [("nst.objective.gram_matrix", plain_gram)],
    "Gram matrices by chunks": [("nst.objective.gram_matrix", chunked_gram)],
    "squared distances by autograd": [
        ("nst.objective.squared_distance", lambda x, y: (x - y).square().sum())
    ],
    "none of them": [
        ("nst.networks.vgg.convolution_relu", plain_convolution),
        ("nst.kernels.layers.max_pool", own_max_pool),
        ("nst.objective.gram_matrix", plain_gram),
        ("nst.objective.squared_distance", lambda x, y: (x - y).square().sum()),
    ],
}


@contextmanager
def way(name: str) -> Iterator[None]:
    """Within it the kit evaluates so."""
    with ExitStack() as stack:
        for target, other in WAYS[name]:
            stack.enter_context(patch(target, other))
        yield


def evaluations(precision: str, turns: int = 20) -> Figures:
    """Milliseconds of each way, taken in turn; and of the parts forward and backward."""
    measures = {}
    with arithmetic(precision):
        objective, start, _ = ready(precision)
        kept = []
        for name in WAYS:
            with way(name):
                recorded = Recorded(partial(objective.loss_and_gradient, start))
                recorded()
                recorded()
            if recorded.graph is None:
                measures[f"{name} (not recorded)"] = device_seconds(recorded)
            else:
                measures[name] = device_seconds(recorded)
            kept.append(recorded)
        forward = Recorded(torch.no_grad()(partial(objective, start.clone())))
        forward(), forward()
        measures["forward alone"] = device_seconds(forward)
        figures = in_turn(measures, turns)
    return {name: 1000 * statistics.median(found) for name, found in figures.items()}


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
    for event in profile.events():
        if event.device_type == torch.autograd.DeviceType.CUDA:
            spent[event.name[:90]] += event.device_time / repeats
            count[event.name[:90]] += 1
    total = sum(count.values()) / repeats
    top = [
        f"{microseconds:8.1f} µs  {count[name] / repeats:5.1f} ×  {name}"
        for name, microseconds in spent.most_common(40)
    ]
    return {"kernels": total, "microseconds": sum(spent.values()), "top": top}


def profiles() -> Figures:
    """Of an evaluation by precision, and of a step."""
    found = {}
    for precision in ("tf32", "bfloat16"):
        with arithmetic(precision):
            objective, start, _ = ready(precision)
            recorded = Recorded(partial(objective.loss_and_gradient, start))
            recorded(), recorded()
            found[precision] = kernels(recorded)
    image = pictures(SIDE, SIDE)[0].cuda().requires_grad_()
    image.grad = 1e-3 * torch.randn(image.shape, device="cuda")
    step = Recorded(make_optimizer(image, nst.make_settings()).step)
    for _ in range(3):
        step()
    found["a step of L-BFGS"] = kernels(step)
    return found


def products(turns: int = 20) -> Figures:
    """Microseconds of the products of a step of L-BFGS, in ways that give the same numbers."""
    rows, n = 30, 3 * SIDE * SIDE
    steps, vector = torch.randn(rows, n, device="cuda"), torch.randn(n, device="cuda")
    weights, parts = torch.randn(rows, device="cuda"), 128
    works: dict[str, Callable[[], Tensor]] = {
        "S g": lambda: steps @ vector,
        "S g, multiplied and summed": lambda: (steps * vector).sum(1),
        "S g in 128 parts": lambda: torch.bmm(
            steps.view(rows, parts, -1).transpose(0, 1), vector.view(parts, -1, 1)
        ).sum(0),
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
            "replicated borders, Triton": lambda x: layers.Pad.apply(x, 0),
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
        "µs of products": products,
        "µs of poolings": poolings,
        "profiles": profiles,
    }
    found: dict[str, Any] = {}
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
