"""Tensors as pictures: what keeps one from being a picture, and its pixels in 8 bits."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nst.errors import ImageError


def tensor_fault(image: Tensor) -> str | None:
    """What keeps a tensor from being a picture (1, 3, H, W) in [0, 1], in words; None for one."""
    if not is_dense(image):
        return "has no pixels of its own, being sparse, nested or on the device meta"
    if image.ndim != 4 or image.shape[:2] != (1, 3) or not image.numel():
        return f"is {'' if image.numel() else 'empty, '}of shape {tuple(image.shape)}"
    if not image.is_floating_point():
        return f"is of {image.dtype}; divide it by 255"
    values = image.detach().float()
    if values.isnan().any():
        return "holds NaN; where it comes from, something diverged"
    low, high = (value.item() for value in values.aminmax())
    if low > -1e-3 and high < 1 + 1e-3:  # a little beyond is the rounding of a computation
        return None
    advice = "undo its normalisation" if low < -1e-3 else "divide it by 255"
    return f"goes from {low:.4g} to {high:.4g}; {advice if high < 256 else 'scale it'}"


def is_dense(tensor: Tensor) -> bool:
    """Whether its numbers lie in memory, each by itself."""
    return tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_meta


def to_bytes(tensor: Any) -> np.ndarray:
    """The pixels of a tensor (1, 3, H, W) or (3, H, W) as uint8 (H, W, 3), for values in [0, 1].

    Raises `ImageError` for what is no such tensor.
    """
    if not isinstance(tensor, Tensor) or not is_dense(tensor):
        raise ImageError(
            f"an image is a dense tensor of shape (1, 3, H, W) or (3, H, W), not this "
            f"{type(tensor).__name__}"
        )
    batched = tensor if tensor.ndim == 4 else tensor[None]
    if batched.ndim != 4 or batched.shape[:2] != (1, 3) or batched.numel() == 0:
        raise ImageError(
            f"an image has shape (1, 3, H, W) or (3, H, W), not {tuple(tensor.shape)}; "
            "pass the pictures of a batch one by one"
        )
    if not tensor.is_floating_point():
        raise ImageError(f"an image holds floats in [0, 1], not {tensor.dtype}; divide it by 255")
    pixels = batched[0].detach().cpu().float().permute(1, 2, 0)
    if pixels.isnan().any():
        raise ImageError("the image holds NaN; the run that made it diverged, so slow it down")
    return (pixels.clamp(0, 1) * 255).round().byte().contiguous().numpy()
