"""How a check compares a reader's function with the right one, and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Function = Callable[..., Any]
Case = tuple[Any, ...]  # the arguments of one call


class Mistake(AssertionError):  # noqa: N818, as readers see it
    """What is wrong with a reader's answer, as one or two sentences."""

    def _render_traceback_(self) -> list[str]:
        """What notebooks show: the sentences, without the lines of this package."""
        return [f"Not yet: {self}"]


def compare(
    function: Function,
    right: Function,
    cases: Sequence[Case],
    mistakes: Mapping[str, Function],
    tolerance: float = 1e-4,
) -> None:
    """Call `function` with every case and compare what it returns with what `right` does.

    A wrong answer is looked up among the `mistakes`: usual wrong functions by what there is to say
    of them. One that gives the same wrong answers in every case names what went wrong.

    Raises:
        Mistake: the first case whose answer is wrong.
        NotImplementedError: the reader has not written it yet.
    """
    for case in cases:
        answer = call(function, case)
        wanted = right(*case)
        if close(answer, wanted, tolerance):
            continue
        for remark, wrong in mistakes.items():
            if all(same(function, wrong, other, tolerance) for other in cases):
                raise Mistake(remark)
        raise Mistake(difference(answer, wanted))


def call(function: Function, case: Case) -> Any:
    """The function's answer; if it raises, a Mistake that says so."""
    try:
        return function(*case)
    except NotImplementedError:
        raise
    except Exception as error:
        shapes = ", ".join(describe(argument) for argument in case)
        raise Mistake(f"given {shapes}, it raises {type(error).__name__}: {error}.") from error


def same(function: Function, wrong: Function, case: Case, tolerance: float) -> bool:
    """Whether both give the same answer; never if one of them raises."""
    try:
        return close(function(*case), wrong(*case), tolerance)
    except Exception:
        return False


def close(answer: Any, wanted: Any, tolerance: float) -> bool:
    """Whether the answer is a tensor, or a number, of the wanted shape and values."""
    if not isinstance(answer, Tensor | float | int):
        return False
    answer, wanted = torch.as_tensor(answer), torch.as_tensor(wanted)
    if answer.shape != wanted.shape:
        return False
    scale = wanted.double().abs().max().item()
    return torch.allclose(
        answer.detach().double(), wanted.double(), rtol=tolerance, atol=tolerance * scale
    )


def difference(answer: Any, wanted: Any) -> str:
    """What an unknown wrong answer has and should have: its type, its shape, or its values."""
    if not isinstance(answer, Tensor | float | int):
        return f"it returns {describe(answer)}, not a tensor. Does every branch end in return?"
    answer, wanted = torch.as_tensor(answer).detach(), torch.as_tensor(wanted)
    if answer.shape != wanted.shape:
        return f"its shape is {tuple(answer.shape)}, and should be {tuple(wanted.shape)}."
    if not torch.isfinite(answer).all():
        return "it has values that are not finite (NaN or infinity)."
    ratio = answer.double() / wanted.double()
    ratio = ratio[torch.isfinite(ratio)]
    if len(ratio) and (ratio.max() - ratio.min()).abs() < 1e-3 * ratio.mean().abs():
        return f"right but for a factor: it is {ratio.mean():.4g} times what it should be."
    first = (answer - wanted).abs().flatten().argmax()
    return (
        f"the shape is right, the values are not: one is {answer.flatten()[first]:.4g}, "
        f"and should be {wanted.flatten()[first]:.4g}."
    )


def describe(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {describe(v)}" for key, v in value.items()) + "}"
    return "None" if value is None else f"{type(value).__name__} {value!r:.40}"


def gradient_flows(function: Function, case: Case, inside: Tensor) -> None:
    """The function's answer has a gradient with respect to `inside`, a tensor in the case.

    Raises:
        Mistake: it has none.
    """
    inside.requires_grad_()
    answer = call(function, case)
    if not (isinstance(answer, Tensor) and answer.requires_grad):
        raise Mistake(
            "the values are right, but no gradient flows back to its input: .item(), .detach(), "
            ".numpy() or torch.no_grad() cut it off, and the picture would never change."
        )


def right(name: str) -> None:
    """Tell the reader."""
    print(f"✓ {name}")
