"""The losses, as functions of activations and pictures; nothing else.

Activations are (B, C, H, W) tensors in dicts by layer name, as `extract_features` returns them.
Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, is
cited as (Gatys et al. 2016).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nst.errors import SettingsError

TV_NORMS = ("l2", "l1", "l1-sum")
Features = Mapping[str, Tensor]


def content_loss(generated_features: Features, content_features: Features, layer: str) -> Tensor:
    """Mean squared difference of one layer's activations, a scalar.

    Differs from Gatys et al. (2016, equation 1), half the sum of squares: a mean does not grow with
    the picture.
    """
    return (generated_features[layer] - content_features[layer]).square().mean()


def gram_matrix(features: Tensor) -> Tensor:
    """Products of every two channels, summed over the positions: (B, C, H, W) → (B, C, C).

    Symmetric and positive semidefinite; one matrix for each image of the batch. Divided by C·H·W.
    Differs from Gatys et al. (2016, equation 3), who divide by nothing here, and by 4·C²·(H·W)² in
    the loss (equation 4).
    """
    positions = features.permute(0, 2, 3, 1).flatten(1, 2)  # one row for each position
    return Products.apply(positions, features[0].numel())


class Products(torch.autograd.Function):
    """XᵀX / n, whose gradient takes one matrix product here; autograd by itself would take two."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, n: int) -> Tensor:
        """(B, M, C) → (B, C, C), in float32 at least, since the sums are long."""
        ctx.save_for_backward(x)
        ctx.n = n
        if x.dtype == torch.bfloat16 and x.is_cuda and hasattr(torch.ops.aten.bmm, "dtype"):
            return torch.bmm(x.mT, x, out_dtype=torch.float32) / n
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        return x.mT @ x / n

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient X(G + Gᵀ) / n, where G is that with respect to the product."""
        (x,) = ctx.saved_tensors
        slope = (gradient + gradient.mT) / ctx.n
        slope = slope.to(x.dtype) if x.dtype == torch.bfloat16 else slope
        return (x.to(slope.dtype) @ slope).to(x.dtype), None


def squared_distance(x: Tensor, target: Tensor) -> Tensor:
    """Sum of squared differences, a scalar."""
    return SquaredDistance.apply(x, target)


class SquaredDistance(torch.autograd.Function):
    """Σ(X - T)² in few passes, for which no differences wait in memory for the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Tensor) -> Tensor:
        """Of any one shape."""
        ctx.save_for_backward(x, target)
        return (x - target).square().sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        """The gradients 2(X - T) and 2(T - X)."""
        x, target = ctx.saved_tensors
        slope = (x - target) * (2 * gradient)
        back = -slope.to(target.dtype) if ctx.needs_input_grad[1] else None
        return slope.to(x.dtype), back


def style_loss(
    generated_features: Features, style_features: Features, layers: Sequence[str]
) -> Tensor:
    """Mean squared difference of the layers' Gram matrices, summed over the layers; a scalar.

    The style picture may have another size: a Gram matrix has none. Differs from Gatys et al.
    (2016, equations 4 and 5), where a layer's term is Σ(G - A)²/(4·C²·(H·W)²) with undivided Gram
    matrices: C²/4 times ours, so that here layers with more channels weigh less.
    """
    losses = [
        (gram_matrix(generated_features[n]) - gram_matrix(style_features[n])).square().mean()
        for n in layers
    ]
    return torch.stack(losses).sum()


def total_variation_loss(image: Tensor, norm: str = "l2") -> Tensor:
    """Differences of neighbouring pixels, vertical and horizontal ones alike; a scalar.

    `norm` is "l2" (the mean of their squares over the vertical pairs, plus that over the horizontal
    ones), "l1" (the same of their absolute values) or "l1-sum" (the sum of these, whose weight then
    depends on the picture's size). Not in Gatys et al. (2016); Mahendran and Vedaldi (2015)
    brought it to the inversion of networks.

    Raises:
        SettingsError: there is no such norm.
    """
    if norm not in TV_NORMS:
        raise SettingsError(f"norm is one of {', '.join(TV_NORMS)}; not {norm!r}")
    below, above = image[..., 1:, :], image[..., :-1, :]
    right, left = image[..., 1:], image[..., :-1]
    if norm == "l1-sum":
        return (below - above).abs().sum() + (right - left).abs().sum()
    if norm == "l1":
        return _mean((below - above).abs().sum(), above) + _mean((right - left).abs().sum(), left)
    return _mean(squared_distance(below, above), above) + _mean(squared_distance(right, left), left)


def _mean(total: Tensor, values: Tensor) -> Tensor:
    """Over as many values; 0 of none, as a picture one pixel high has no vertical neighbours."""
    return total / max(values.numel(), 1)
