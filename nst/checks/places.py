"""Checks of where a style is painted: guided Gram matrices, and masks as layers see them."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.checks.common import Case, Function, compare, gradient_flows, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise
from nst.losses import gram_matrix
from nst.statistics import STATISTICS, Guide

CONVOLUTION, POOLING = "convolution", "pooling"


@exercise
def guided_gram(function: Function) -> None:
    """Check `guided_gram(features, weights)`: products of channels, where the weights say.

    Features are (1, C, H, W), the weights (1, 1, H, W), together 1; the answer is (1, C, C), the
    weighted mean over the positions of F·Fᵀ, divided by C.

    Raises:
        Mistake: says what is wrong.
    """

    def by(change: Callable[[Tensor, Tensor], Tensor]) -> Function:
        """Σ of products of changed features, divided by C."""

        def function(features: Tensor, weights: Tensor) -> Tensor:
            x = change(features, weights).flatten(2)
            return x @ x.mT / features.shape[1]

        return function

    def wanted(features: Tensor, weights: Tensor) -> Tensor:
        return STATISTICS["gram"].measure(features, Guide.of(weights))

    def count(x: Tensor) -> int:
        return x[0, 0].numel()

    cases: list[Case] = []
    for seed, channels in ((25, 3), (26, 4)):
        features, weights = pictures(seed, (1, channels, 4, 5), (1, 1, 4, 5))
        weights = torch.where(weights < 0.4, 0, weights)
        cases.append((features, weights / weights.sum()))
    mistakes: dict[str, Function] = {
        "the weights have no part in it.": lambda f, w: gram_matrix(f),
        "the weights are in it twice, once from each of the two factors: multiply one of them, or "
        "both by the weights' roots.": by(lambda f, w: f * w),
        "the weights are in it twice, and the sum is divided by the number of positions besides.": (
            by(lambda f, w: f * w / count(f) ** 0.5)
        ),
        "divided by the number of positions besides: the weights add up to 1, which makes a mean "
        "already.": lambda f, w: wanted(f, w) / count(f),
        "it is not divided by C, the number of channels.": lambda f, w: wanted(f, w) * f.shape[1],
        "that only asks whether a weight is above 0; a position counts by its weight.": (
            lambda f, w: wanted(f, (w > 0).float() / (w > 0).sum())
        ),
        "positions of weight 0 count, too: the sum is as large as without weights, and so is its "
        "divisor.": by(lambda f, w: f * (w > 0) / count(f) ** 0.5),
        "the answer has lost its first axis.": lambda f, w: wanted(f, w)[0],
    }
    compare(function, wanted, cases, mistakes)
    gradient_flows(function, cases[0], cases[0][0])
    right("guided_gram")


def mean_of_nine(mask: Tensor) -> Tensor:
    """Over 3×3, the border repeated."""
    return F.avg_pool2d(F.pad(mask, (1, 1, 1, 1), mode="replicate"), 3, stride=1)


@exercise
def mask_at_layer(function: Function) -> None:
    """Check `mask_at_layer(mask, steps)`: what a layer's positions see of a mask.

    The mask is (1, 1, H, W); the steps are "convolution" (a mean over 3×3, with the border
    repeated) and "pooling" (a mean over 2×2, and half as many positions), in any order.

    Raises:
        Mistake: says what is wrong.
    """

    def walk(
        convolve: Callable[[Tensor], Tensor], pool: Callable[[Tensor], Tensor] | None = None
    ) -> Function:
        pool = pool or (lambda mask: F.avg_pool2d(mask, 2))

        def function(mask: Tensor, steps: Sequence[str]) -> Tensor:
            for step in steps:
                mask = convolve(mask) if step == CONVOLUTION else pool(mask)
            return mask

        return function

    def all_at_once(mask: Tensor, steps: Sequence[str]) -> Tensor:
        side = 2 ** list(steps).count(POOLING)
        return F.adaptive_avg_pool2d(mask, (mask.shape[-2] // side, mask.shape[-1] // side))

    wanted = walk(mean_of_nine)
    masks = pictures(27, (1, 1, 8, 12), (1, 1, 12, 8), (1, 1, 8, 8))
    steps = [CONVOLUTION, POOLING, CONVOLUTION, CONVOLUTION, POOLING], [CONVOLUTION], [POOLING]
    cases: list[Case] = list(zip(masks, steps, strict=True))
    mistakes: dict[str, Function] = {
        "convolutions do nothing in it: each lets a position see its eight neighbours, too.": (
            all_at_once
        ),
        "at the picture's edge the mask becomes darker: zeros were put around it. Repeat its "
        "border, as the network does.": walk(lambda mask: F.avg_pool2d(mask, 3, 1, 1)),
        "at the picture's edge the mean is over fewer than nine values; repeat the border, as the "
        "network does.": walk(lambda m: F.avg_pool2d(m, 3, 1, 1, count_include_pad=False)),
        "pooling takes one value of four, as if the others were not seen; take their mean.": walk(
            mean_of_nine, lambda mask: mask[..., ::2, ::2]
        ),
        "pooling takes the largest of four; take their mean.": walk(
            mean_of_nine, lambda mask: F.max_pool2d(mask, 2)
        ),
        "that takes the largest value that is seen; take the mean.": walk(
            lambda mask: F.max_pool2d(F.pad(mask, (1, 1, 1, 1), mode="replicate"), 3, 1),
            lambda mask: F.max_pool2d(mask, 2),
        ),
        "only the last step counts: begin each with what the one before has left.": lambda m, s: (
            wanted(m, s[-1:])
        ),
        "only the first step counts: return after the loop, not within it.": lambda m, s: wanted(
            m, s[:1]
        ),
    }
    compare(function, wanted, cases, mistakes)
    right("mask_at_layer")
