"""Optimisers of a picture's pixels."""

import torch
from torch import Tensor

from nst.settings import Settings


def make_optimizer(image: Tensor, settings: Settings) -> torch.optim.Optimizer:
    """Adam or L-BFGS for `image`, a contiguous leaf tensor; one `step` is one update.

    L-BFGS runs with its tolerances off: with torch's defaults it stops at the first evaluation when
    the loss is small, as normalised losses are. It takes one step an evaluation, without a line
    search, as the published implementations do.
    """
    if settings.optimizer == "adam":
        return torch.optim.Adam([image], lr=settings.learning_rate)
    return torch.optim.LBFGS(
        [image],
        lr=settings.learning_rate,
        max_iter=1,
        history_size=settings.history,
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )
