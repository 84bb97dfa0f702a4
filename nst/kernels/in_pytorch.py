"""Max pooling that remembers four bytes for each maximum, in plain PyTorch: for CPUs."""

import torch
import torch.nn.functional as F
from torch import Tensor

NOWHERE = -1


def max_pool(x: Tensor, relu: bool = False) -> tuple[Tensor, Tensor]:
    """(B, C, H, W) → maxima of 2×2 (B, C, ⌊H/2⌋, ⌊W/2⌋), and where in its H·W each stood.

    With `relu`, x comes from one, whose gradient is meant: where all four are 0 there is none.
    """
    y, place = F.max_pool2d(x, 2, return_indices=True)
    place = place.int()
    return y, place.masked_fill_(y <= 0, NOWHERE) if relu else place


def max_pool_backward(gradient: Tensor, place: Tensor, height: int, width: int) -> Tensor:
    """The gradient with respect to a picture of that height and width."""
    last = gradient.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    # Of the picture PyTorch needs the shape and the layout.
    x = torch.empty_like(gradient[..., :1, :1].expand(-1, -1, height, width), memory_format=layout)
    gradient = gradient * (place != NOWHERE)
    window = [2, 2], [2, 2], [0, 0], [1, 1], False
    back = torch.ops.aten.max_pool2d_with_indices_backward
    return back(gradient, x, *window, place.clamp(min=0).long())
