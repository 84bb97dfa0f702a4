"""Kernels in Triton for activations that lie position by position (channels last).

Each has a grid of rows and blocks: a program takes one row of one picture of the batch, and there
`BLOCK` pairs of a column and a channel, which lie side by side in memory.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

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


@triton.jit
def pad_kernel(x, y, height, width, channels, EDGE: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: N803
    """One more on each side: the outermost (`EDGE` 0) or the one next to it (`EDGE` 1)."""
    row = tl.program_id(0).to(tl.int64)
    pair = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    here = pair < (width + 2) * channels
    i, j = row % (height + 2) - 1, pair // channels - 1
    i = tl.where(i < 0, EDGE, tl.where(i < height, i, height - 1 - EDGE))
    j = tl.where(j < 0, EDGE, tl.where(j < width, j, width - 1 - EDGE))
    above = row // (height + 2) * height + i
    value = tl.load(x + above * width * channels + j * channels + pair % channels, here)
    tl.store(y + row * (width + 2) * channels + pair, value, here)


@triton.jit
def pad_backward_kernel(g, out, height, width, channels, EDGE: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: N803
    """The sum of the gradients of all copies of an activation: itself, and up to 3×3 of them."""
    row = tl.program_id(0).to(tl.int64)
    pair = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    here = pair < width * channels
    i, j, channel = row % height, pair // channels, pair % channels
    first = row // height * (height + 2)
    total = tl.full([BLOCK], 0.0, tl.float32)
    for m in tl.static_range(3):
        above = tl.where(m == 0, i + 1, tl.where(m == 1, 0, height + 1))
        copied = (m == 0) | ((m == 1) & (i == EDGE)) | ((m == 2) & (i == height - 1 - EDGE))
        for n in tl.static_range(3):
            left = tl.where(n == 0, j + 1, tl.where(n == 1, 0, width + 1))
            also = (n == 0) | ((n == 1) & (j == EDGE)) | ((n == 2) & (j == width - 1 - EDGE))
            source = g + (first + above) * (width + 2) * channels + left * channels + channel
            total += tl.load(source, here & copied & also, 0.0).to(tl.float32)
    tl.store(out + row * width * channels + pair, total, here)


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


def pad(x: Tensor, edge: int) -> Tensor:
    """(B, C, H, W) → (B, C, H + 2, W + 2), channels last; replicated or, with edge 1, reflected."""
    x = channels_last(x)
    batch, channels, height, width = x.shape
    y = empty(x, height + 2, width + 2)
    rows, pairs = batch * (height + 2), (width + 2) * channels
    launch(pad_kernel, rows, pairs, x, y, height, width, channels, edge)
    return y


def pad_backward(gradient: Tensor, edge: int) -> Tensor:
    """The gradient with respect to what was padded, channels last."""
    gradient = channels_last(gradient)
    batch, channels, height, width = gradient.shape
    height, width = height - 2, width - 2
    out = empty(gradient, height, width)
    rows, pairs = batch * height, width * channels
    launch(pad_backward_kernel, rows, pairs, gradient, out, height, width, channels, edge)
    return out


def channels_last(x: Tensor) -> Tensor:
    """The same tensor, laid out position by position."""
    return x.contiguous(memory_format=torch.channels_last)


def empty(like: Tensor, height: int, width: int) -> Tensor:
    """A new tensor of that height and width, channels last."""
    shape, layout = (*like.shape[:2], height, width), torch.channels_last
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout)
