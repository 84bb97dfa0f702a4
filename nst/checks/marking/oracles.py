"""Right answers, in NumPy and float64; those that are lent to the notebook are tensors."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nst.checks.marking.answers import Array


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """A seeded tensor in [0, 1)."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64).to(dtype)


def array(x: Tensor) -> Array:
    """As NumPy's float64."""
    return x.detach().double().numpy()


def pixels(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A seeded picture of random colours, (H, W, 3)."""
    return (255 * random(height, width, 3, seed=seed)).byte().numpy()


def normalise(x: Tensor) -> Array:
    """By ImageNet's means and standard deviations."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return (array(x) - mean[:, None, None]) / std[:, None, None]


def gram(x: Tensor) -> Array:
    """(B, C, H, W) → (B, C, C), divided by C·H·W."""
    rows = array(x).reshape(x.shape[0], x.shape[1], -1)
    return rows @ rows.transpose(0, 2, 1) / rows[0].size


def gram_tensor(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, C), divided by C·H·W; a tensor, to lend."""
    return torch.einsum("bchw,bdhw->bcd", x, x) / x[0].numel()


def products_tensor(x: Tensor) -> Tensor:
    """(C, H, W) → (C, C), undivided; a tensor, to lend."""
    return torch.einsum("chw,dhw->cd", x, x)


def style_tensor(
    first: Mapping[str, Tensor], second: Mapping[str, Tensor], layers: Sequence[str]
) -> Tensor:
    """The style loss of the course, to lend."""
    terms = [(gram_tensor(first[n]) - gram_tensor(second[n])).square().mean() for n in layers]
    return torch.stack(terms).sum()


def outputs(model: Any, names: Sequence[str], image: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What each layer of a chain gives, by name; the chain may be one of the notebook's."""
    for name, layer in zip(names, model.children(), strict=True):
        image = layer(image)
        yield name, image


def recorder(
    model: Any, names: Sequence[str], wanted: Sequence[str], image: Tensor
) -> dict[str, Tensor]:
    """The outputs of the wanted layers, as later ones have left them; to lend."""
    seen = dict(outputs(model, names, image))
    return {name: seen[name] for name in wanted}


def safe_recorder(
    model: Any, names: Sequence[str], wanted: Sequence[str], image: Tensor
) -> dict[str, Tensor]:
    """The outputs of the wanted layers, as they were when they were computed; to lend."""
    seen = {name: output.clone() for name, output in outputs(model, names, image)}
    return {name: seen[name] for name in wanted}


def variation(x: Tensor) -> float:
    """The course's total variation, of (B, 3, H, W)."""
    values = array(x)
    down, right = np.diff(values, axis=2), np.diff(values, axis=3)
    return float((down**2).mean() + (right**2).mean())


def style_gradient(features: Tensor, target: Tensor) -> Array:
    """Of the mean squared difference of a Gram matrix from the target: (1, C, H, W)."""
    rows = array(features).reshape(features.shape[1], -1)
    outer = 2 * (gram(features)[0] - array(target)[0]) / len(rows) ** 2
    return ((outer + outer.T) @ rows / rows.size).reshape(features.shape)


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    """Of the angle between two vectors; 0 if one is zero."""
    length = math.hypot(*first) * math.hypot(*second)
    return sum(a * b for a, b in zip(first, second, strict=True)) / length if length else 0.0


def numerical_gradient(loss: Callable[[Tensor], Any], x: Tensor, step: float = 1e-4) -> Tensor:
    """Central differences, to lend."""
    x, result = x.detach(), torch.zeros_like(x)
    for index in range(x.numel()):
        move = torch.zeros_like(x)
        move.view(-1)[index] = step
        result.view(-1)[index] = (float(loss(x + move)) - float(loss(x - move))) / (2 * step)
    return result


def wrong_gradient(factor: float) -> Callable[[Tensor], Tensor]:
    """A loss, the sum of squares, whose gradient is so many times the right one."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.square().sum()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return factor * 2 * ctx.saved_tensors[0] * gradient

    return Wrong.apply


def adam(
    objective: Callable[[Tensor], Tensor],
    start: Tensor,
    steps: int,
    learning_rate: float,
    clamped: bool = False,
) -> Tensor:
    """Where Adam goes (Kingma and Ba 2015, algorithm 1), clamped to [0, 1] at the end.

    Or, if `clamped`, after each step.
    """
    x = start.detach().double()
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    for step in range(1, steps + 1):
        image = x.float().requires_grad_()
        gradient = torch.autograd.grad(objective(image), image)[0].double()
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        root = (square / (1 - 0.999**step)).sqrt() + 1e-8
        x = x - learning_rate * mean / (1 - 0.9**step) / root
        x = x.clamp(0, 1) if clamped else x
    return x.float().clamp(0, 1)


def slope(objective: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """The objective's gradient."""
    x = image.detach().clone().requires_grad_()
    return torch.autograd.grad(objective(x), x)[0]


def painter(steps: int) -> Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]:
    """A loop of so many steps of Adam, as a function of an objective and a start."""
    return lambda objective, start: adam(objective, start, steps, 0.05)
