"""Right answers to painting in one pass, in NumPy and float64, and a painter of three numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nst.checks.common import Mistake
from nst.checks.marking.answers import Array
from nst.checks.marking.networks import LAYERS, Tiny
from nst.checks.marking.oracles import adam, array, gram

SMALLEST = 1e-5  # added to variances


def standard(x: Tensor) -> Array:
    """(B, C, H, W), each channel of each picture with mean 0 and deviation 1, or nearly."""
    values = array(x)
    mean, variance = values.mean((2, 3), keepdims=True), values.var((2, 3), keepdims=True)
    return (values - mean) / np.sqrt(variance + SMALLEST)


def instance_norm(x: Tensor, scale: Tensor, shift: Tensor) -> Array:
    """γ·(x - μ) / √(σ² + ε) + β; γ and β are (B, C)."""
    return standard(x) * array(scale)[..., None, None] + array(shift)[..., None, None]


def instance_norm_tensor(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The same as a tensor that a gradient flows through, to lend."""
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    factor = scale[..., None, None] / (variance + SMALLEST).sqrt()
    return (x - mean) * factor + shift[..., None, None]


def conditional_norm(x: Tensor, shares: Tensor, scales: Tensor, shifts: Tensor) -> Array:
    """The same with mixtures of the rows of two tables, (S, C), by shares (B, S)."""
    scale, shift = (array(shares) @ array(table) for table in (scales, shifts))
    return standard(x) * scale[..., None, None] + shift[..., None, None]


def adain(content: Tensor, style: Tensor, strength: float = 1.0) -> Array:
    """X + a·(AdaIN(x, y) - x)."""
    values, other = array(content), array(style)
    mean, deviation = other.mean((2, 3), keepdims=True), other.std((2, 3), keepdims=True)
    return values + strength * (standard(content) * deviation + mean - values)


def shares(amounts: Mapping[str, float], styles: Sequence[str]) -> Array:
    """(1, S), of sum 1."""
    row = np.array([[float(amounts.get(name, 0)) for name in styles]])
    return row / row.sum()


def share(x: Tensor, target: Tensor) -> float:
    """Σ(x - t)² / Σt² of each picture, the mean."""
    return mean_share(array(x), array(target))


def share_tensor(x: Tensor, target: Tensor) -> Tensor:
    """The same as a tensor, to lend."""
    off = (x - target).square().flatten(1).sum(1)
    return (off / target.square().flatten(1).sum(1)).mean()


def mean_share(values: Array, target: Array) -> float:
    """The same of arrays; a target of one serves all."""
    axes = tuple(range(1, values.ndim))
    return float((((values - target) ** 2).sum(axes) / (target**2).sum(axes)).mean())


def painting_loss(
    painting: Tensor, photograph: Tensor, grams: Mapping[str, Tensor], style_weight: float
) -> float:
    """The loss of problem set 6, at `LAYERS` of `Tiny`."""
    seen, wanted = (Tiny()(x, LAYERS["STYLE"]) for x in (painting, photograph))
    content = mean_share(array(seen["relu3_1"]), array(wanted["relu3_1"]))
    style = [mean_share(gram(seen[n]), array(grams[n])) for n in LAYERS["STYLE"]]
    return content + style_weight * float(np.mean(style))


def grams(seed: int = 0) -> dict[str, Tensor]:
    """The Gram matrices of a random style picture at `LAYERS` of `Tiny`, (1, C, C)."""
    seen = Tiny()(1.5 * torch.rand(1, 3, 7, 9, generator=generator(seed)), LAYERS["STYLE"])
    return {n: torch.from_numpy(gram(f)).float() for n, f in seen.items()}


def generator(seed: int) -> torch.Generator:
    """Seeded."""
    return torch.Generator().manual_seed(2000 + seed)


def photographs(count: int, seed: int = 0) -> list[Tensor]:
    """So many random ones, (1, 3, 4, 5)."""
    chance = generator(seed)
    return [torch.rand(1, 3, 4, 5, generator=chance) for _ in range(count)]


class Tint:
    """A painter whose weights are three numbers, one for each colour; it notes what it is given."""

    start = torch.tensor([0.5, 0.55, 0.45]).view(1, 3, 1, 1)

    def __init__(self) -> None:
        self.given: list[Tensor] = []

    def paint(self, photograph: Tensor, weights: Tensor) -> Tensor:
        """The painting of (1, 3, H, W) with weights (1, 3, 1, 1)."""
        self.given.append(photograph.detach().clone())
        return photograph * weights

    @staticmethod
    def loss(painting: Tensor, photograph: Tensor) -> Tensor:
        """A scalar, in which the two have different parts."""
        return (painting - 0.9 * photograph.flip(3)).square().sum() + 0.1 * painting.mean()

    def trained(self, pictures: Sequence[Tensor], rate: float) -> tuple[Tensor, list[float]]:
        """The weights after a step of Adam for each photograph, and the losses before each."""
        losses: list[float] = []
        queue = iter(pictures)

        def objective(weights: Tensor) -> Tensor:
            photograph = next(queue)
            value = self.loss(photograph * weights, photograph)
            losses.append(value.item())
            return value

        return adam(objective, self.start, len(pictures), rate), losses


def refused(function: Callable[..., Any], *arguments: Any) -> str:
    """What a function says that refuses these arguments by raising ValueError.

    Raises:
        Mistake: it takes them, or raises something else.
    """
    try:
        function(*arguments)
    except NotImplementedError:
        raise
    except Mistake as mistake:
        if isinstance(mistake.__cause__, ValueError):
            return str(mistake)
        raise
    raise Mistake(f"it takes {arguments[0]!r}, and should raise ValueError.")
