"""Optimisers of a picture's pixels."""

from collections.abc import Callable

import torch
from torch import Tensor

from nst.settings import Settings

LONGEST_STEP = 0.3  # the most that L-BFGS moves a pixel in one step; pixels are in [0, 1]


class LBFGS(torch.optim.Optimizer):
    """L-BFGS (Nocedal 1980) for one image: one step an evaluation, without a line search.

    From the last `history` steps and the changes of the gradient along them it learns how the loss
    curves, and from that how far to go. Differs from `torch.optim.LBFGS`, with which the published
    implementations run: it never stops by itself (torch's default tolerances end a run at the first
    evaluation when the loss is small, as normalised losses are), and no pixel moves by more than
    0.3 a step, which spares the explosions that a first, wrong idea of the curvature can cause.
    """

    def __init__(self, image: Tensor, learning_rate: float = 1.0, history: int = 100):
        super().__init__([image], {"lr": learning_rate, "history": history})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (group,) = self.param_groups
        (image,) = group["params"]
        state, gradient = self.state[image], image.grad.flatten()
        if state:
            step, change = state["move"], gradient - state["gradient"]
            curvature = step @ change
            # Else the loss curves downwards along the step, which no parabola fits.
            if curvature > 1e-6 * step.norm() * change.norm():
                state["pairs"] = [*state["pairs"], [step, change, curvature]][-group["history"] :]
        pairs = state.get("pairs", [])
        direction = -apply_inverse_hessian(gradient, pairs)
        blind = 0 if pairs else state.get("blind", 0) + 1
        if blind:
            # Nothing is known of the curvature: as tiny a step as torch's, then ever longer ones.
            direction *= 10 ** (blind - 1) / gradient.abs().sum().clamp(min=1)
        step = group["lr"] * direction
        step *= (LONGEST_STEP / step.abs().max()).clamp(max=1)
        image += step.view_as(image)
        state.update(pairs=pairs, blind=blind, move=step, gradient=gradient.clone())


def apply_inverse_hessian(gradient: Tensor, pairs: list[list[Tensor]]) -> Tensor:
    """The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).

    `pairs` holds, oldest first, a step, the gradient's change along it, and their product.
    """
    result, shares = gradient.clone(), []
    for step, change, curvature in reversed(pairs):
        shares.append(step @ result / curvature)
        result -= shares[-1] * change
    if pairs:
        _, change, curvature = pairs[-1]
        result *= curvature / (change @ change)
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        result += (share - change @ result / curvature) * step
    return result


def make_optimizer(image: Tensor, settings: Settings) -> torch.optim.Optimizer:
    """Adam or L-BFGS for `image`, a contiguous leaf tensor; one `step` is one update."""
    if settings.optimizer == "adam":
        return torch.optim.Adam([image], lr=settings.step_length(0))
    return LBFGS(image, settings.step_length(0), settings.history)
