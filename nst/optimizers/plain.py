"""The optimisers as the textbooks have them, within bounds: L-BFGS and Adam."""

from collections.abc import Callable

import torch
from torch import Tensor

from nst.optimizers.base import Optimizer
from nst.optimizers.bounds import (
    BLACK_TO_WHITE,
    FIRST_STEP,
    LEAST_COSINE,
    LONGEST_STEP,
    can_move,
    move,
)


class PlainLBFGS(Optimizer):
    """L-BFGS (Nocedal 1980) for one image: one step an evaluation, without a line search.

    From the last `history` steps and the changes of the gradient along them it learns how the loss
    curves, and from that how far to go. Differs from `torch.optim.LBFGS`, with which the published
    implementations run: it never stops by itself (torch's default tolerances end a run at the first
    evaluation when the loss is small, as normalised losses are); its first step moves a pixel by
    0.01 (torch's is often too small for float32 to show); it learns nothing from a step that is
    nearly at right angles to the gradient's change; and no pixel moves by more than 0.3 a step,
    which spares the explosions that a first, wrong idea of the curvature can cause.
    """

    def __init__(
        self,
        image: Tensor,
        learning_rate: float = 1.0,
        history: int = 100,
        limits: tuple[float, float] = BLACK_TO_WHITE,
    ):
        super().__init__([image], {"lr": learning_rate, "history": history})
        self.limits = limits

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (group,) = self.param_groups
        (image,) = group["params"]
        state, gradient = self.state[image], image.grad.flatten().clone()
        free = can_move(image, self.limits)
        if state:
            step, change = state["move"], (gradient - state["gradient"]) * free
            curvature = step @ change
            # Else the loss curves downwards along the step, which no parabola fits, or hardly.
            if curvature > LEAST_COSINE * step.norm() * change.norm():
                state["pairs"] = [*state["pairs"], [step, change, curvature]][-group["history"] :]
        pairs = state.get("pairs", [])
        direction = -apply_inverse_hessian(gradient * free, pairs) * free
        blind = 0 if pairs else state.get("blind", 0) + 1
        if blind:
            # Nothing is known of the curvature: a short step, then ever longer ones.
            longer = 10.0 ** min(blind - 1, 20)
            direction *= longer * (FIRST_STEP / direction.abs().max()).clamp(max=1)
        step = group["lr"] * direction
        step *= (LONGEST_STEP / step.abs().max()).clamp(max=1)
        move(image, step, self.limits, step)
        state.update(pairs=pairs, kept=len(pairs), blind=blind, move=step, gradient=gradient)


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


class Adam(Optimizer, torch.optim.Adam):
    """Torch's Adam (Kingma and Ba 2015), with each pixel kept within the limits."""

    def __init__(
        self,
        image: Tensor,
        learning_rate: float = 0.05,
        limits: tuple[float, float] = BLACK_TO_WHITE,
    ):
        super().__init__([image], lr=learning_rate, capturable=image.is_cuda)
        self.limits = limits

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (image,) = self.param_groups[0]["params"]
        image.grad.mul_(can_move(image, self.limits).view_as(image))
        super().step()
        image.clamp_(*self.limits)
