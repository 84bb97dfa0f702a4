"""Max pooling that remembers a byte for each maximum, in plain PyTorch: for CPUs."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor


def max_pool(x: Tensor, relu: bool = False) -> tuple[Tensor, Tensor]:
    """(B, C, H, W) → maxima of 2×2 (B, C, ⌊H/2⌋, ⌊W/2⌋), and the place of each among its four.

    0 and 1 are above, 2 and 3 below; of equals it is the first. With `relu`, x comes from one,
    whose gradient is meant: where all four are 0 there is none, which is the place 4.
    """
    y = F.max_pool2d(x, 2)
    first, second, third, _ = (quarter != y for quarter in quarters(x))
    place = third.byte().add_(1).mul_(second).add_(1).mul_(first)
    return y, place.masked_fill_(y <= 0, 4) if relu else place


def max_pool_backward(gradient: Tensor, place: Tensor, height: int, width: int) -> Tensor:
    """The gradient with respect to a picture of that height and width."""
    last = gradient.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    every = gradient[..., :1, :1].expand(-1, -1, height, width)
    x = torch.zeros_like(every, memory_format=layout)  # an odd last row or column gets none
    for n, quarter in enumerate(quarters(x)):
        quarter.copy_(gradient * (place == n))
    return x


def quarters(x: Tensor) -> Iterator[Tensor]:
    """Views (B, C, ⌊H/2⌋, ⌊W/2⌋) of every other row and column, in order of places."""
    height, width = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
    return (x[..., n // 2 : height : 2, n % 2 : width : 2] for n in range(4))
