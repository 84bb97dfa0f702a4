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
DEEP = 512  # channels from which cuDNN's way back takes a third longer than a convolution does


def convolution_relu(x: Tensor, convolution: nn.Conv2d, pooled: bool = False) -> Tensor:
    """max(convolution(x), 0): (B, C, H, W) → (B, C', H, W); for 3×3 convolutions.

    With `pooled`, its maxima of 2×2: (B, C', ⌊H/2⌋, ⌊W/2⌋).
    """
    padding, bias = convolution.padding, convolution.bias
    if convolution.padding_mode != "zeros":
        x, padding = pad(x, convolution.padding_mode), (0, 0)
    function = ConvolutionReLUPool if pooled else ConvolutionReLU
    return function.apply(x, convolution.weight, bias, padding, getattr(convolution, "back", None))


class ConvolutionReLU(torch.autograd.Function):
    """A convolution, its bias and its ReLU in one kernel; it keeps only its result."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: Any, back: Tensor | None = None
    ) -> Tensor:
        """As `convolution_relu`; the stride is 1. `back` is what `turned` makes of the weight."""
        ctx.padding, ctx.back = padding, back
        y = in_one(x, weight, bias, padding)
        ctx.save_for_backward(y, weight)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradient with respect to x, through the activations that are positive."""
        y, weight = ctx.saved_tensors
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        return way_back(gradient, weight, ctx.padding, ctx.back), None, None, None, None


class ConvolutionReLUPool(torch.autograd.Function):
    """A convolution, its ReLU and max pooling; it keeps where each maximum was, no activations.

    The gradient passes the ReLU with the pooling: a maximum of 0 hands none on.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, padding: Any, back: Tensor | None = None
    ) -> Tensor:
        """As `ConvolutionReLU`'s."""
        y = in_one(x, weight, bias, padding)
        ctx.padding, ctx.back, ctx.size = padding, back, y.shape[-2:]
        ctx.kernels = pooling_kernels(y)  # others may have come to hand by the way back
        maxima, place = ctx.kernels.max_pool(y, relu=True)
        ctx.save_for_backward(place, weight)
        return maxima

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """The gradient with respect to x, through the maxima that are positive."""
        place, weight = ctx.saved_tensors
        gradient = ctx.kernels.max_pool_backward(gradient, place, *ctx.size)
        return way_back(gradient, weight, ctx.padding, ctx.back), None, None, None, None


def way_back(gradient: Tensor, weight: Tensor, padding: Any, back: Tensor | None) -> Tensor:
    """The gradient with respect to what was convolved, in the way that takes least time on GPUs."""
    if back is not None:
        return F.conv2d(gradient, back, padding=[2 - n for n in padding])
    return F.conv_transpose2d(gradient, weight, padding=padding)


def turned(weight: Tensor) -> Tensor:
    """Weights with which a convolution is the way back of that with the given ones."""
    return weight.flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)


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
    return MaxPool.apply(x) if x.is_cuda and triton_at_hand() else F.max_pool2d(x, 2)


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


def average_pool(x: Tensor) -> Tensor:
    """Means of 2×2: (B, C, H, W) → (B, C, ⌊H/2⌋, ⌊W/2⌋)."""
    return AveragePool.apply(x) if x.is_cuda else F.avg_pool2d(x, 2)


class AveragePool(torch.autograd.Function):
    """Average pooling; on GPUs PyTorch's way back takes several times as long as the way there."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """As `average_pool`."""
        ctx.size = x.shape[-2:]
        return F.avg_pool2d(x, 2)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """To all four that a mean was taken of."""
        return in_pytorch.average_pool_backward(gradient, *ctx.size)


def pad(x: Tensor, mode: str) -> Tensor:
    """One more activation on each side, "replicate" or "reflect": (B, C, H + 2, W + 2)."""
    return Pad.apply(x, EDGES[mode]) if x.is_cuda else F.pad(x, (1, 1, 1, 1), mode)


class Pad(torch.autograd.Function):
    """Padding by copies; on GPUs PyTorch's lays activations out anew, which costs two more passes.

    And on the way back it adds in no fixed order, which this does.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, edge: int) -> Tensor:
        """As `pad`."""
        ctx.edge = edge
        return in_pytorch.pad(x, edge)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The sum over all copies of an activation."""
        return in_pytorch.pad_backward(gradient, ctx.edge), None


def pooling_kernels(x: Tensor) -> Any:
    """The module that pools x, and takes gradients back."""
    return (triton_at_hand() if x.is_cuda else None) or in_pytorch


def triton_at_hand() -> Any:
    """The module of kernels in Triton, once `triton_kernels` has loaded it."""
    return triton_kernels() if triton_kernels.cache_info().currsize else None


@cache
def triton_kernels() -> Any:
    """Load the module of kernels in Triton, if that is installed and finds its C compiler.

    Takes most of a second, which some runs never earn back; from then on evaluations use it.
    """
    try:
        from nst.kernels import in_triton

        in_triton.max_pool(torch.ones(1, 1, 2, 2, device="cuda"), relu=True)
    except Exception:  # whatever a broken installation raises: PyTorch's own kernels will do
        return None
    return in_triton
