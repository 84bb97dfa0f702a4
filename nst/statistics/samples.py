"""Statistics that compare positions one by one: sliced transport, and nearest neighbours."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.statistics.common import Guide, Part, Statistic, rows

MOST = 4096  # patches of a layer that are compared
SIDE = 3  # of a patch, in positions; more where there are too many


class Sliced(Statistic):
    """The sliced Wasserstein-2 distance between the activations as clouds of points.

    The mean over directions of Σ(x - y)², with x and y the activations along the direction, each
    in order (Heitz et al. 2021, "A sliced Wasserstein loss for neural texture synthesis", equation
    3). There the directions are drawn anew at each step; here they stay, as many as channels, so
    that L-BFGS has one function to go down on.
    """

    weight, additive = 0.4, False

    def target(self, parts: Sequence[Part]) -> Tensor:
        """(P, N): along each of P directions the quantiles of all positions together."""
        found = [rows(part.measured, part.guide) for part in parts]
        weights = torch.cat(
            [
                part.share * (x.new_full((len(x),), 1 / len(x)) if g is None else g.weights)
                for part, x, g in zip(parts, found, (p.guide for p in parts), strict=True)
            ]
        )
        values, order = along(torch.cat(found)).sort()
        middles = middle(weights[order] / weights.sum())
        steps = (torch.arange(values.shape[1]) + 0.5).to(values) / values.shape[1]
        return between(values, middles, steps.expand_as(values).contiguous())

    def distance(self, measured: Tensor, target: Tensor, guide: Guide | None = None) -> Tensor:
        """The mean over directions, and over positions by their weights, of (x - y)²."""
        weights = None if guide is None else guide.weights
        return Transport.apply(along(rows(measured, guide)), target, weights)

    def size(self, target: Tensor) -> Tensor:
        """The mean of y²."""
        return target.square().mean()


class Transport(torch.autograd.Function):
    """The mean of (x - y)², x in order and y the quantiles as far up as x stands among its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, quantiles: Tensor, weights: Tensor | None) -> Tensor:
        """(P, M) and (P, N) along P directions; weights (M,), or None for all alike."""
        values, order = x.sort()
        if weights is None:
            wanted = resampled(quantiles, values.shape[1])
            slope = (values - wanted) * (2 / values.numel())
        else:
            parts = weights[order]
            wanted = stretched(quantiles, middle(parts) * quantiles.shape[1] - 0.5)
            slope = (values - wanted) * parts * (2 / len(x))
        ctx.save_for_backward(torch.empty_like(x).scatter_(1, order, slope))
        return ((values - wanted) * slope).sum() / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """2(x - y), back in the order of the positions."""
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None


class Nearest(Statistic):
    """How unlike each patch of activations is to the style's patch that is most like it.

    The mean over patches of 1 - cos(x, y), y the nearest (patches as Li and Wand 2016, "Combining
    Markov random fields and convolutional neural networks", equation 2; the cosine as Kolkin et al.
    2022, "Neural neighbor style transfer"). Patches are 3×3 activations; where a layer has more
    than 4096 of them, they are as large and as far apart as that number asks for.
    """

    weight, additive = 0.1, False

    def target(self, parts: Sequence[Part]) -> list[Part]:
        """The parts as they are: how large patches are is up to the picture."""
        return [part for part in parts if part.share]

    def distance(self, measured: Tensor, target: list[Part], guide: Guide | None = None) -> Tensor:
        """The patches' mean of 1 - cos(x, y), by their weights; styles mix whatever their share."""
        maps = [measured, *(part.measured for part in target)]
        side = min(max(SIDE, step_of(measured)), *(length for m in maps for length in m.shape[-2:]))
        x, weights = patches(measured, guide, side)
        with torch.no_grad():
            found = [patches(part.measured, part.guide, side) for part in target]
            y = torch.cat([at if w is None else at[w >= w.max() / 2] for at, w in found])
            nearest = y[(x @ y.mT).argmax(1)]
        unlike = 1 - (x * nearest).sum(1)
        return unlike.mean() if weights is None else unlike @ weights

    def size(self, target: list[Part]) -> Tensor:
        """1, for a cosine of 0."""
        return torch.ones_like(target[0].measured[0, 0, 0, 0])


def step_of(features: Tensor) -> int:
    """How far apart patches have to be for there to be no more than `MOST`."""
    (height, width), step = features.shape[-2:], 1
    while -(-height // step) * -(-width // step) > MOST:
        step += 1
    return step


def patches(features: Tensor, guide: Guide | None, side: int) -> tuple[Tensor, Tensor | None]:
    """(1, C, H, W) → (N, C·side²) of length 1, and how much each counts; None for all alike."""
    (height, width), step = features.shape[-2:], step_of(features)
    # Up to `side` - 1 activations beyond the last edges, so that all are in some patch.
    edges = (0, -(width - side) % step, 0, -(height - side) % step)

    def cut(x: Tensor) -> Tensor:
        return F.unfold(F.pad(x, edges, mode="replicate"), side, stride=step)[0].mT

    x = cut(features.to(torch.promote_types(features.dtype, torch.float32)))
    x = F.normalize(x, dim=1)
    if guide is None:
        return x, None
    weights = cut(guide.map).mean(1)
    return x, weights / weights.sum()


@lru_cache(maxsize=32)
def directions(channels: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(C, C): as many directions as channels, at right angles to each other, always the same.

    Kept, since a step that a GPU records may copy nothing to it.
    """
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    return torch.linalg.qr(drawn)[0].to(device, dtype)


def along(x: Tensor) -> Tensor:
    """(N, C) → (P, N): the points' places along each direction."""
    return directions(x.shape[1], x.dtype, x.device) @ x.mT


def middle(weights: Tensor) -> Tensor:
    """The share of all that lies below each, and half of itself, in their order."""
    return weights.cumsum(1) - weights / 2


def between(values: Tensor, places: Tensor, wanted: Tensor) -> Tensor:
    """Values at `wanted`, by straight lines through values at `places`; rows by themselves."""
    right = torch.searchsorted(places.contiguous(), wanted).clamp(1, max(places.shape[1] - 1, 1))
    right = right.clamp(max=places.shape[1] - 1)
    left = (right - 1).clamp(min=0)
    low, high = places.gather(1, left), places.gather(1, right)
    part = ((wanted - low) / (high - low).clamp(min=1e-30)).clamp(0, 1)
    return values.gather(1, left).lerp(values.gather(1, right), part)


def stretched(values: Tensor, places: Tensor) -> Tensor:
    """Values between their columns: at 0 the first's, at 1.5 the mean of the second and third."""
    last = values.shape[1] - 1
    places = places.clamp(0, last)
    left = places.floor().clamp(max=max(last - 1, 0))
    low, part = left.long(), places - left
    return values.gather(1, low).lerp(values.gather(1, (low + 1).clamp(max=last)), part)


def resampled(quantiles: Tensor, count: int) -> Tensor:
    """(P, N) → (P, count): the quantiles of as many points."""
    if quantiles.shape[1] == count:
        return quantiles
    return F.interpolate(quantiles[None], count, mode="linear")[0]
