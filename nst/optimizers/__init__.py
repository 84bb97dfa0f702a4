"""Optimisers of a picture's pixels: the textbooks' L-BFGS and Adam, and a faster L-BFGS.

`plain` holds the textbooks' two; `lbfgs` the default, which starts from a `guess` of how the loss
curves; `bounds` what keeps every picture in [0, 1].
"""

import math
from typing import Any

import torch
from torch import Tensor

from nst.optimizers.bounds import BLACK_TO_WHITE
from nst.optimizers.guess import Guess
from nst.optimizers.lbfgs import LBFGS
from nst.optimizers.plain import Adam, PlainLBFGS, apply_inverse_hessian
from nst.settings import Settings

__all__ = [
    "LBFGS",
    "Adam",
    "Guess",
    "PlainLBFGS",
    "apply_inverse_hessian",
    "make_optimizer",
    "set_rate",
]


def make_optimizer(
    image: Tensor, settings: Settings, saved: dict[str, Any] | None = None
) -> torch.optim.Optimizer:
    """The optimiser that the settings name, for a contiguous leaf; a `step` is one update.

    `saved` is the `state_dict` of another one, of which this takes what it knows, not its options:
    it may go on elsewhere, or with another history.
    """
    limits = BLACK_TO_WHITE if settings.bounds == "projected" else (-math.inf, math.inf)
    rate: Any = settings.step_length(0)
    if image.is_cuda:
        rate = torch.tensor(rate, device=image.device)  # where a recorded step looks for it
    optimizer: torch.optim.Optimizer
    if settings.optimizer == "adam":
        optimizer = Adam(image, rate, limits)
    else:
        kind = {"lbfgs": LBFGS, "lbfgs-plain": PlainLBFGS}[settings.optimizer]
        optimizer = kind(image, rate, settings.history, limits)
    if saved:
        optimizer.load_state_dict(optimizer.state_dict() | {"state": saved["state"]})
    return optimizer


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Make it the optimiser's learning rate."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
