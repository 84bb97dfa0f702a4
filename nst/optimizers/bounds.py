"""Steps that keep every pixel within limits, by projection (Bertsekas 1982)."""

import torch
from torch import Tensor

# The most that L-BFGS moves a pixel in one step, and in its first; pixels are in [0, 1].
LONGEST_STEP, FIRST_STEP = 0.3, 0.01
# Of the angle between a step and the gradient's change along it. Of less than this nothing is
# learned: a limit or rounding turned the change, and directions would be wrong by its inverse.
LEAST_COSINE = 0.03
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
