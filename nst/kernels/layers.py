"""The layers of a frozen VGG, with fewest passes over memory, and with least of it held.

Frozen: a gradient flows to a layer's input, never to its weights, so that what went into a
convolution need not be kept for the way back. Its ReLU's result is enough.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.kernels import in_pytorch

EDGES = {"replicate": 0, "reflect": 1}  # which activation, from the border inwards, is repeated


def convolution_relu(x: Tensor, convolution: nn.Conv2d, pooled: bool = False) -> Tensor:
    """max(convolution(x), 0): (B, C, H, W) → (B, C', H, W); for 3×3 convolutions.

    With `pooled`, its maxima of 2×2: (B, C', ⌊H/2⌋, ⌊W/2⌋).
    """
    padding, bias = convolution.padding, convolution.bias
    if convolution.padding_mode != "zeros":
        x, padding = pad(x, convolution.padding_mode), (0, 0)
    function = ConvolutionReLUPool if pooled else ConvolutionReLU
    return function.apply(x, convolution.weight, bias, padding)


class ConvolutionReLU(torch.autograd.Function):
    """A convolution, its bias and its ReLU in one kernel; it keeps only its result."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: Any) -> Tensor:
        """As `convolution_relu`; the stride is 1."""
        ctx.padding = padding
        y = in_one(x, weight, bias, padding)
        ctx.save_for_backward(y, weight)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradient with respect to x, through the activations that are positive."""
        y, weight = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        return F.conv_transpose2d(gradient, weight, padding=ctx.padding), None, None, None


class ConvolutionReLUPool(torch.autograd.Function):
    """A convolution, its ReLU and max pooling; it keeps where each maximum was, no activations.

    The gradient passes the ReLU with the pooling: a maximum of 0 hands none on.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: Any) -> Tensor:
        """As `convolution_relu`; the stride is 1."""
        y = in_one(x, weight, bias, padding)
        ctx.padding, ctx.size = padding, y.shape[-2:]
        maxima, place = pooling_kernels(y).max_pool(y, relu=True)
        ctx.save_for_backward(place, weight)
        return maxima

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradient with respect to x, through the maxima that are positive."""
        place, weight = ctx.saved_tensors
        gradient = pooling_kernels(gradient).max_pool_backward(gradient, place, *ctx.size)
        return F.conv_transpose2d(gradient, weight, padding=ctx.padding), None, None, None


def in_one(x: Tensor, weight: Tensor, bias: Tensor, padding: Any) -> Tensor:
    """A convolution and its ReLU, in one kernel where cuDNN has one for the precision."""
    if x.is_cuda:
        try:
            return torch.cudnn_convolution_relu(x, weight, bias, (1, 1), padding, (1, 1), 1)
        except torch.cuda.OutOfMemoryError:
            raise
        except RuntimeError:  # it has none
            pass
    return F.conv2d(x, weight, bias, padding=padding).relu_()


def max_pool(x: Tensor) -> Tensor:
    """Maxima of 2×2: (B, C, H, W) → (B, C, ⌊H/2⌋, ⌊W/2⌋)."""
    return MaxPool.apply(x) if x.is_cuda and triton_kernels() else F.max_pool2d(x, 2)


class MaxPool(torch.autograd.Function):
    """Max pooling that keeps a byte for each result, where PyTorch's keeps eight and its input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """As `max_pool`."""
        ctx.size = x.shape[-2:]
        y, place = triton_kernels().max_pool(x)
        ctx.save_for_backward(place)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """To where the maxima were."""
        (place,) = ctx.saved_tensors
        return triton_kernels().max_pool_backward(gradient, place, *ctx.size)


def pad(x: Tensor, mode: str) -> Tensor:
    """One more activation on each side, "replicate" or "reflect": (B, C, H + 2, W + 2)."""
    if x.is_cuda and triton_kernels():
        return Pad.apply(x, EDGES[mode])
    return F.pad(x, (1, 1, 1, 1), mode)


class Pad(torch.autograd.Function):
    """Padding by copies; PyTorch's lays activations out channel by channel, which costs two more.

    And on the way back it adds in no fixed order, which this does.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, edge: int) -> Tensor:
        """As `pad`."""
        ctx.edge = edge
        return triton_kernels().pad(x, edge)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The sum over all copies of an activation."""
        return triton_kernels().pad_backward(gradient, ctx.edge), None


def pooling_kernels(x: Tensor) -> Any:
    """The module that pools x, and takes gradients back."""
    return (triton_kernels() if x.is_cuda else None) or in_pytorch


@cache
def triton_kernels() -> Any:
    """The module of kernels in Triton, if it is installed and finds the C compiler it needs."""
    try:
        from nst.kernels import in_triton

        in_triton.max_pool(torch.ones(1, 1, 2, 2, device="cuda"), relu=True)
    except Exception:  # whatever a broken installation raises: PyTorch's own kernels will do
        return None
    return in_triton
