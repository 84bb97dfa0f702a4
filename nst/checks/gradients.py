"""Checks of a gradient by differences, and of the steps that follow one."""

from typing import Any

import torch
from torch import Tensor

from nst.checks.common import Function, Mistake, call, close, compare, difference, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise

STEPS, RATE = 5, 0.2


def nudged(start: Tensor, place: int, h: float) -> Tensor:
    """A copy of the picture with one of its numbers changed by `h`."""
    changed = start.clone()
    changed.view(-1)[place] += h
    return changed


@exercise
def finite_difference(function: Function) -> None:
    """Check `finite_difference(loss, start, place, h)`: (loss(x + h) - loss(x - h)) / 2h.

    `loss` takes a picture (1, 3, H, W) and gives a scalar; `place` counts the picture's numbers
    from 0, as `start.view(-1)` does; the answer is the derivative with respect to that one.

    Raises:
        Mistake: says what is wrong.
    """

    def cubes(x: Tensor) -> Tensor:
        return (x**3).sum() + x.prod()

    def central(loss: Function, x: Tensor, place: int, h: float) -> Any:
        return (loss(nudged(x, place, h)) - loss(nudged(x, place, -h))) / (2 * h)

    def everywhere(loss: Function, x: Tensor, place: int, h: float) -> Any:
        return (loss(x + h) - loss(x - h)) / (2 * h)

    def one_sided(loss: Function, x: Tensor, place: int, h: float) -> Any:
        return (loss(nudged(x, place, h)) - loss(x)) / h

    start = pictures(9, (1, 3, 2, 2))[0].double()
    before = start.clone()
    call(function, (cubes, start, 4, 0.1))
    if not torch.equal(start, before):
        raise Mistake("it changes the picture that it is given: work on a copy.")
    cases = [(cubes, start.clone(), place, 0.1) for place in (4, 11)]
    mistakes: dict[str, Function] = {
        "the two points are 2 h apart: divide by 2 h.": lambda *a: 2 * central(*a),
        "that is the difference; divide it by 2 h.": lambda *a: 2 * a[3] * central(*a),
        "... / 2 * h multiplies by h: put 2 * h in brackets.": lambda *a: a[3] ** 2 * central(*a),
        "the sign is wrong: take loss(x + h) - loss(x - h).": lambda *a: -central(*a),
        "h is added to every number of the picture: change the one at `place`.": everywhere,
        "that is a step to one side, whose error is larger: step to both sides.": one_sided,
    }
    compare(function, central, cases, mistakes, 1e-6)
    right("finite_difference")


@exercise
def descent(function: Function) -> None:
    """Check `descent(loss, start, steps, rate)`: the picture after steps of gradient descent.

    `loss` takes a picture and gives a scalar. Each step goes against the gradient of the loss where
    the picture is: x - rate · gradient.

    Raises:
        Mistake: says what is wrong.
    """
    start, goal, steepness = pictures(10, (1, 3, 3, 2), (1, 3, 3, 2), (1, 3, 3, 2))

    def loss(x: Tensor) -> Tensor:
        return (steepness * (x - goal).square()).sum()

    def follow(steps: int = STEPS, rate: float = RATE, anew: bool = True) -> Tensor:
        x = start
        for _ in range(steps):
            x = x - rate * 2 * steepness * ((x if anew else start) - goal)
        return x

    given = start.clone()
    answer = call(function, (loss, given, STEPS, RATE))
    if not torch.equal(given.detach(), start):
        raise Mistake("the start itself has been changed: begin with start.clone().")
    if not close(answer, follow(), 1e-4):
        usual = {
            "it climbs: go against the gradient, with a minus.": follow(rate=-RATE),
            "the picture has not moved.": start,
            f"it makes {STEPS - 1} steps, not {STEPS}.": follow(STEPS - 1),
            f"it makes {STEPS + 1} steps, not {STEPS}.": follow(STEPS + 1),
            "it makes a single step: begin before the loop, and return after it.": follow(1),
            "the gradient is that of the start in every step: take it anew where the picture "
            "is.": follow(anew=False),
            "the rate is missing: x - rate * gradient.": follow(rate=1.0),
        }
        remarks = [remark for remark, wrong in usual.items() if close(answer, wrong, 1e-4)]
        raise Mistake(remarks[0] if remarks else difference(answer, follow()))
    if answer.requires_grad:
        raise Mistake("right, but the picture still asks for gradients: return x.detach().")
    right("descent")
