"""Optimisers of a picture's pixels: the textbooks' L-BFGS and Adam, and a faster L-BFGS.

`plain` holds the textbooks' two; `lbfgs` the default, which starts from a `guess` of how the loss
curves; `bounds` what keeps every picture in [0, 1].
"""

import math

import torch
from torch import Tensor

from nst.optimizers.bounds import BLACK_TO_WHITE
from nst.optimizers.guess import Guess
from nst.optimizers.lbfgs import LBFGS
from nst.optimizers.plain import Adam, PlainLBFGS, apply_inverse_hessian
from nst.settings import Settings

__all__ = ["LBFGS", "Adam", "Guess", "PlainLBFGS", "apply_inverse_hessian", "make_optimizer"]


def make_optimizer(image: Tensor, settings: Settings) -> torch.optim.Optimizer:
    """The optimiser that the settings name, for a contiguous leaf; a `step` is one update."""
    limits = BLACK_TO_WHITE if settings.bounds == "projected" else (-math.inf, math.inf)
    if settings.optimizer == "adam":
        return Adam(image, settings.step_length(0), limits)
    kind = {"lbfgs": LBFGS, "lbfgs-plain": PlainLBFGS}[settings.optimizer]
    return kind(image, settings.step_length(0), settings.history, limits)
