"""Poolings and borders in plain PyTorch that keep less than its own, or take less time."""

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


def average_pool_backward(gradient: Tensor, height: int, width: int) -> Tensor:
    """A quarter of each gradient to its four, channels last; on GPUs faster than PyTorch's."""
    out = empty(gradient, height, width)
    if height % 2 or width % 2:
        out.zero_()
    quarters = (gradient / 4).permute(0, 2, 3, 1)[:, :, None, :, None]
    pooled = out[..., : height // 2 * 2, : width // 2 * 2].permute(0, 2, 3, 1)
    pooled.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).copy_(quarters)
    return out


def pad(x: Tensor, edge: int) -> Tensor:
    """(B, C, H, W) → (B, C, H + 2, W + 2), channels last; replicated or, with edge 1, reflected."""
    height, width = x.shape[-2:]
    y = empty(x, height + 2, width + 2)
    y[..., 1:-1, 1:-1] = x
    y[..., 0, 1:-1], y[..., -1, 1:-1] = x[..., edge, :], x[..., -1 - edge, :]
    y[..., 0], y[..., -1] = y[..., 1 + edge], y[..., -2 - edge]  # the corners too
    return y


def pad_backward(gradient: Tensor, edge: int) -> Tensor:
    """The sum over all copies of an activation."""
    rows = gradient[..., 1:-1, :].clone()
    rows[..., edge, :] += gradient[..., 0, :]
    rows[..., -1 - edge, :] += gradient[..., -1, :]
    out = rows[..., 1:-1].clone()
    out[..., edge] += rows[..., 0]
    out[..., -1 - edge] += rows[..., -1]
    return out


def empty(like: Tensor, height: int, width: int) -> Tensor:
    """A new tensor of that height and width, channels last."""
    shape, layout = (*like.shape[:2], height, width), torch.channels_last
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=layout)
