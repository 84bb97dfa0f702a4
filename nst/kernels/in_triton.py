"""Max pooling in Triton, for activations that lie position by position (channels last).

Both have a grid of rows and blocks: a program takes one row of one picture of the batch, and there
`BLOCK` pairs of a column and a channel, which lie side by side in memory.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from nst.kernels.in_pytorch import empty

BLOCK = 1024


@triton.jit
def max_pool_kernel(x, y, place, height, width, channels, RELU: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: N803
    """Maxima of 2×2 and the place of each among its four: 0 and 1 above, 2 and 3 below.

    With `RELU`, one that is not above 0 has the place 4, which is nowhere.
    """
    row = tl.program_id(0).to(tl.int64)
    pair = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    here = pair < width // 2 * channels
    above = row // (height // 2) * height + row % (height // 2) * 2
    corner = x + above * width * channels + pair // channels * 2 * channels + pair % channels
    most = tl.load(corner, here).to(tl.float32)
    found = pair * 0
    for n in tl.static_range(1, 4):
        value = tl.load(corner + (n // 2 * width + n % 2) * channels, here).to(tl.float32)
        # The first of equals, and a NaN wherever there is one, as PyTorch has it.
        better = (value > most) | (value != value)
        most, found = tl.where(better, value, most), tl.where(better, n, found)
    if RELU:
        found = tl.where(most <= 0, 4, found)
    target = row * (width // 2) * channels + pair
    tl.store(y + target, most, here)
    tl.store(place + target, found.to(tl.uint8), here)


@triton.jit
def max_pool_backward_kernel(g, place, out, height, width, channels, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: N803
    """Each gradient goes where the maximum was; all else, an odd last row too, is 0."""
    rows = (height + 1) // 2
    row = tl.program_id(0).to(tl.int64)
    pair = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    picture, i, j, channel = row // rows, row % rows, pair // channels, pair % channels
    pooled = (i < height // 2) & (j < width // 2)
    source = (picture * (height // 2) + i) * (width // 2) * channels + pair
    gradient = tl.load(g + source, pooled, 0.0).to(tl.float32)
    found = tl.load(place + source, pooled, 4)
    for n in tl.static_range(4):
        y, x = 2 * i + n // 2, 2 * j + n % 2
        target = out + (picture * height + y) * width * channels + x * channels + channel
        tl.store(target, tl.where(found == n, gradient, 0.0), (y < height) & (x < width))


def launch(kernel: Any, rows: int, pairs: int, *arguments: Any) -> None:
    """Start a kernel for so many rows of so many pairs of a column and a channel."""
    kernel[(rows, triton.cdiv(pairs, BLOCK))](*arguments, BLOCK=BLOCK)


def max_pool(x: Tensor, relu: bool = False) -> tuple[Tensor, Tensor]:
    """(B, C, H, W) → maxima (B, C, ⌊H/2⌋, ⌊W/2⌋), channels last, and their places, 0 to 3.

    With `relu`, x comes from one, whose gradient is meant: where all four are 0 there is none.
    """
    x = channels_last(x)
    batch, channels, height, width = x.shape
    y = empty(x, height // 2, width // 2)
    place = torch.empty_like(y, dtype=torch.uint8)
    rows, pairs = batch * (height // 2), width // 2 * channels
    launch(max_pool_kernel, rows, pairs, x, y, place, height, width, channels, relu)
    return y, place


def max_pool_backward(gradient: Tensor, place: Tensor, height: int, width: int) -> Tensor:
    """The gradient with respect to a picture of that height and width, channels last."""
    gradient = channels_last(gradient)
    batch, channels = gradient.shape[:2]
    out = empty(gradient, height, width)
    rows, pairs = batch * ((height + 1) // 2), (width + 1) // 2 * channels
    launch(max_pool_backward_kernel, rows, pairs, gradient, place, out, height, width, channels)
    return out


def channels_last(x: Tensor) -> Tensor:
    """The same tensor, laid out position by position."""
    return x.contiguous(memory_format=torch.channels_last)
