"""Self-checks of problem set 4: an objective, loops, a trade-off."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nst.checks import marking
from nst.checks.common import (
    LATE,
    Function,
    Mistake,
    call,
    close,
    describe,
    difference,
    right,
    self_check,
)
from nst.checks.losses import pictures


@self_check
def make_objective(function: Function, content_layer: str, style_layers: Sequence[str]) -> None:
    """Check `make_objective(network, content, style, content_weight, style_weight)`.

    Raises:
        Mistake: says what is wrong.
    """
    if content_layer != "relu3_1" or list(style_layers) != ["relu1_1", "relu2_1", "relu3_1"]:
        raise Mistake("CONTENT and STYLE have changed; this check needs them as they were.")
    image, content, style = pictures(0, (1, 3, 8, 6), (1, 3, 8, 6), (1, 3, 7, 9))
    network = marking.Tiny()
    objective = call(function, (network, content, style, 2.0, 30.0))
    if not callable(objective):
        raise Mistake(f"it returns {describe(objective)}, and should return a function.")
    before, image = network.calls, image.requires_grad_()
    answer = call(objective, (image,))
    if not isinstance(answer, Tensor) or answer.shape != ():
        raise Mistake(f"the objective returns {describe(answer)}, not a scalar tensor.")

    def wanted(weights: tuple[float, float]) -> Tensor:
        return torch.tensor(marking.objective(image.detach(), content, style, weights))

    if not close(answer, wanted((2, 30)), 1e-3):
        remark = difference(answer, wanted((2, 30)))
        for said, weights in {
            "the style weight is not in it.": (2, 1),
            "the content weight is not in it.": (1, 30),
            "neither weight is in it.": (1, 1),
            "the weights have changed places.": (30, 2),
            "the style loss is the mean over the layers; take the sum.": (2, 10),
        }.items():
            if close(answer, wanted(weights), 1e-3):
                remark = said
        raise Mistake(remark)
    if network.calls - before > 1:
        raise Mistake(
            f"right, but each call asks the network {network.calls - before} times. Compute the "
            "targets once, before the inner function, and ask for all layers together."
        )
    if network.weight.requires_grad:
        raise Mistake("right, but the network is not frozen: network.requires_grad_(False).")
    if not answer.requires_grad:
        raise Mistake("right, but no gradient flows back to the picture.")
    right("make_objective")


@self_check
def paint_adam(function: Function) -> None:
    """Check `paint_adam(objective, start, steps, learning_rate)`: a picture, and losses.

    Raises:
        Mistake: says what is wrong.
    """
    bowl, start = marking.Bowl(), marking.random(1, 3, 4, 4, seed=8)
    image, losses = _pair(call(function, (bowl, start, 6, 0.03)))
    _unmoved(start, 8)
    _picture(image)
    if len(losses) != 6:
        raise Mistake(f"of 6 steps there are {len(losses)} losses, and should be 6.")
    wanted = marking.adam(bowl, start, 6, 0.03)
    if close(image, start, 1e-6):
        raise Mistake(
            "the picture has not moved. Does the optimiser hold the tensor that you return?"
        )
    if not close(image, wanted, 1e-3):
        raise Mistake(
            "the picture goes another way than Adam's. Is the gradient cleared before each "
            "backward(), the learning rate the given one, and nothing clamped on the way?"
        )
    if abs(float(losses[0]) - float(bowl(start))) > 1e-3 * float(bowl(start)):
        raise Mistake("the first loss should be that of the start: evaluate before the step.")
    if not all(isinstance(loss, float) for loss in losses):
        raise Mistake("right, but the losses are tensors, which keep their graphs: use .item().")
    outside = marking.Bowl(high=2.0)
    image, _ = _pair(call(function, (outside, start, 10, 0.3)))
    _picture(image)
    if outside.highest <= 1.1:
        raise Mistake("it is clamped on the way. Clamp at the end only.")
    right("paint_adam")


@self_check
def paint_lbfgs(function: Function) -> None:
    """Check `paint_lbfgs(objective, start, steps)`: a picture, and losses; the three traps.

    Raises:
        Mistake: says what is wrong.
    """
    start = marking.random(1, 3, 4, 4, seed=8)
    bowl = marking.Bowl()
    image, losses = _pair(call(function, (bowl, start, 40)))
    _unmoved(start, 8)
    _picture(image)
    if len(losses) < bowl.calls - 1:
        raise Mistake(
            f"of {bowl.calls} evaluations there are {len(losses)} losses: append one in each call "
            "of the closure."
        )
    if not all(isinstance(loss, float) for loss in losses):
        raise Mistake("the losses are tensors, which keep their graphs: use .item().")
    if float(bowl(image)) > 0.01 * float(bowl(start)):
        raise Mistake(
            "after 40 iterations the loss is not near its minimum. Does the closure clear the "
            "gradient, call backward() and return the loss? Is max_iter given?"
        )
    steep = marking.Bowl(stretch=100)
    call(function, (steep, start, 5))
    if steep.calls > 24:
        raise Mistake(
            f"for 5 iterations it asks for the loss {steep.calls} times. One step() of LBFGS makes "
            "up to max_iter iterations, 20 if nothing is said: there is no loop of yours to write."
        )
    small = marking.Bowl(scale=3e-4)
    moved = (_pair(call(function, (small, start, 1)))[0] - start).norm()
    if moved < 0.9 * marking.slope(small, start).norm():
        raise Mistake("its first step is shorter than the gradient: the learning rate is not 1.")
    image, _ = _pair(call(function, (small, start, 60)))
    if float(small(image)) > 1e-10 * float(small(start)):
        raise Mistake(
            "with a small loss it ends early: set tolerance_grad and tolerance_change to 0."
        )
    askew = marking.random(1, 4, 4, 3, seed=8).permute(0, 3, 1, 2)
    call(function, (marking.Bowl(), askew, 3))
    outside = marking.Bowl(high=1.6)
    image, _ = _pair(call(function, (outside, start, 40)))
    _picture(image)
    if outside.highest <= 1:
        raise Mistake("it is clamped on the way. Clamp at the end only: L-BFGS must know.")
    right("paint_lbfgs")


def _pair(answer: Any) -> tuple[Any, Any]:
    """The picture and the losses that a loop returns."""
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Mistake(f"it returns {describe(answer)}, not a pair (image, losses).")
    if not isinstance(answer[1], list):
        raise Mistake(f"the losses are {describe(answer[1])}, not a list.")
    return answer[0], answer[1]


def _unmoved(start: Tensor, seed: int) -> None:
    """The start is as it was."""
    if not torch.equal(start, marking.random(*start.shape, seed=seed)):
        raise Mistake("the start has changed: move a copy of it, start.clone().")


def _picture(image: Any) -> None:
    """A picture in [0, 1] that asks for no gradient."""
    if not isinstance(image, Tensor):
        raise Mistake(f"the picture is {describe(image)}, not a tensor.")
    if image.requires_grad:
        raise Mistake("the picture still asks for a gradient: return image.detach().")
    if image.min() < 0 or image.max() > 1:
        raise Mistake("the picture leaves [0, 1]: clamp it at the end.")


@self_check
def trade_off(function: Function) -> None:
    """Check `trade_off(content_loss, style_loss, paint, start, weights)`: a row for each weight.

    Raises:
        Mistake: says what is wrong.
    """
    content, style, starts = marking.Bowl(seed=1), marking.Bowl(seed=2), []

    def paint(objective: Function, start: Tensor) -> Tensor:
        starts.append(start.detach().clone())
        return marking.adam(objective, start, 8, 0.05)

    start = marking.random(1, 3, 4, 4, seed=8)
    rows = call(function, (content, style, paint, start, [10.0, 0.1]))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Mistake(f"it returns {describe(rows)}, not a list of dicts.")
    if len(rows) != 2:
        raise Mistake(f"for two weights there are {len(rows)} rows.")
    last = marking.adam(lambda x: content(x) + 0.1 * style(x), start, 8, 0.05)
    for row, weight in zip(rows, [10.0, 0.1], strict=True):
        if not {"weight", "content", "style"} <= set(row):
            raise Mistake(f"a row has the keys {list(row)}; weight, content and style are wanted.")

        def both(x: Tensor, weight: float = weight) -> Tensor:
            return content(x) + weight * style(x)

        image = marking.adam(both, start, 8, 0.05)
        for name, loss in (("content", content), ("style", style)):
            if not isinstance(row[name], float):
                raise Mistake(f"the {name} loss is {describe(row[name])}, not a float.")
            found, wanted = row[name], float(loss(image))
            if abs(found - weight * wanted) < 1e-3 * abs(found):
                raise Mistake(f"the {name} loss has the weight in it: give it without.")
            if weight == 10 and abs(found - float(loss(last))) < 1e-3 * abs(found):
                raise Mistake(f"every run has the last weight. {LATE}.")
            if abs(found - wanted) > 1e-3 * wanted:
                raise Mistake(
                    f"at weight {weight} the {name} loss is {found:.4g}, and should be "
                    f"{wanted:.4g}. Does every run begin at the start, with its own weight?"
                )
    if not all(torch.equal(one, start) for one in starts):
        raise Mistake("a run begins where another has ended, not at the start.")
    right("trade_off")


@self_check
def diagnosis(function: Function) -> None:
    """Check the form of `diagnosis()`: a letter for each loop. Whether they are right, it keeps.

    Raises:
        Mistake: says what is wrong.
    """
    found = marking.letters(call(function, ()))
    if len(set(found.values())) < 3:
        raise Mistake("no two loops have the same fault.")
    right("diagnosis, as far as its form goes")


@self_check
def fixed(fixed_1: Function, fixed_2: Function, fixed_3: Function) -> None:
    """Check the mended loops `fixed(objective, start, steps)`.

    Raises:
        Mistake: says what is wrong.
    """
    start = marking.random(1, 3, 4, 4, seed=8)
    image = call(fixed_1, (marking.Bowl(), start.clone(), 12))
    if not close(image, marking.adam(marking.Bowl(), start, 12, 0.05), 1e-3):
        raise Mistake("fixed_1 goes another way than Adam's: what is in .grad at each step?")
    right("fixed_1")
    bowl = marking.Bowl(high=1.6)
    image = call(fixed_2, (bowl, start.clone(), 20))
    if not isinstance(image, Tensor) or close(image, start, 1e-3):
        raise Mistake("fixed_2 does not move the picture: which tensor does Adam hold?")
    if bowl.highest > 1:
        raise Mistake("in fixed_2 the picture leaves [0, 1] on the way: put it back each time.")
    if not close(image, marking.adam(bowl, start, 20, 0.05, clamped=True), 1e-3):
        raise Mistake(
            "fixed_2 goes another way than Adam's: one Adam for all steps, as it remembers, and "
            "its gradient cleared?"
        )
    right("fixed_2")
    bowl = marking.Bowl(high=1.6)
    image = call(fixed_3, (bowl, start.clone(), 60))
    if bowl.highest <= 1:
        raise Mistake("in fixed_3 something still keeps the picture in [0, 1] on the way.")
    if not close(image, bowl.target.clamp(0, 1), 0.02):
        raise Mistake("fixed_3 does not reach the minimum in 60 iterations.")
    steep = marking.Bowl(stretch=100)
    call(fixed_3, (steep, start.clone(), 5))
    if steep.calls > 24:
        raise Mistake(f"for 5 iterations fixed_3 asks for the loss {steep.calls} times.")
    right("fixed_3")
