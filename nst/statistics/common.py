"""What all statistics of style have in common, and where in a picture they are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Guide(NamedTuple):
    """How much each of a layer's positions counts; all of them together count as 1.

    `map` is (1, 1, H, W); `places` (N,) are the positions that count at all, row by row, and
    `weights` (N,) what these count.
    """

    map: Tensor
    places: Tensor
    weights: Tensor

    @classmethod
    def of(cls, weights: Tensor) -> Guide:
        """The guide with these weights (1, 1, H, W), of which none is negative."""
        flat = weights.flatten()
        places = flat.nonzero()[:, 0]
        return cls(weights, places, flat[places])

    def of_rows(self, x: Tensor) -> Tensor:
        """Of a row for each position, those that count: (M, C) → (N, C)."""
        return x if len(self.places) == len(x) else x.index_select(0, self.places)


class Part(NamedTuple):
    """What a statistic has measured in a style picture: there, and its share in the target."""

    measured: Tensor
    guide: Guide | None = None
    share: float = 1.0


class Statistic:
    """A statistic of activations (1, C, H, W) as a style: what is measured, and a distance.

    Attributes:
        weight: a factor with which the style looks as strong as with Gram matrices: chosen by
            looking, with the default settings, at two photographs in two styles each.
        additive: whether `measure` gives a weighted sum over the positions. Where it does not, it
            gives the activations themselves, and needs all of them at once.
    """

    weight = 1.0
    additive = True

    def measure(self, features: Tensor, guide: Guide | None = None) -> Tensor:
        """The statistic of one layer's activations, where the guide says; by default everywhere."""
        return features

    def target(self, parts: Sequence[Part]) -> Any:
        """What is aimed at: that of all the parts' positions together, mixed by their shares."""
        mixed = torch.zeros(())
        for part in parts:
            mixed = part.measured * part.share + mixed.to(part.measured.device)
        return mixed

    def distance(self, measured: Tensor, target: Any, guide: Guide | None = None) -> Tensor:
        """How far it is from the target, a scalar; a gradient flows to `measured` alone."""
        raise NotImplementedError

    def size(self, target: Any) -> Tensor:
        """The distance of activations that are all 0: what relative distances are divided by."""
        raise NotImplementedError


def rows(features: Tensor, guide: Guide | None = None) -> Tensor:
    """(1, C, H, W) → (N, C): a row for each position that counts, of float32 at least."""
    x = features.permute(0, 2, 3, 1).flatten(0, 2)
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    return x if guide is None else guide.of_rows(x)
