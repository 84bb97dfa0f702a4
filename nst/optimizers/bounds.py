"""Steps that keep every pixel within limits, by projection (Bertsekas 1982)."""

import torch
from torch import Tensor

LONGEST_STEP = 0.3  # the most that L-BFGS moves a pixel in one step; pixels are in [0, 1]
BLACK_TO_WHITE = 0.0, 1.0


def can_move(image: Tensor, limits: tuple[float, float]) -> Tensor:
    """Which pixels the gradient does not press against the limit that they are at; flat."""
    low, high = limits
    gradient = image.grad
    assert gradient is not None
    return torch.where(gradient > 0, image > low, image < high).flatten()


def move(image: Tensor, step: Tensor, limits: tuple[float, float], moved: Tensor) -> None:
    """Add a flat step, as far as the limits let each pixel go; `moved` gets the true move."""
    before = image.flatten().clone()
    image.add_(step.view_as(image)).clamp_(*limits)
    torch.sub(image.flatten(), before, out=moved)
