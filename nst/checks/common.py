"""How a check compares a reader's function with the right one, and says what is wrong with it."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.autograd import forward_ad

Function = Callable[..., Any]
Case = tuple[Any, ...]  # the arguments of one call
SCALED = "right but for a factor: it is {:.4g} times what it should be."


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
        raise Mistake(scaled(function, right, cases) or difference(answer, wanted))


def scaled(function: Function, right: Function, cases: Sequence[Case]) -> str:
    """A sentence if the answers to all cases are the right ones times one number; else nothing.

    One scalar is always some number times another, so that it takes two.
    """
    try:
        pairs = [
            [torch.as_tensor(f(*case)).detach().double() for f in (function, right)]
            for case in cases
        ]
        if any(answer.shape != wanted.shape for answer, wanted in pairs):
            return ""
        answers, wanted = (
            torch.cat([x.flatten() for x in them]) for them in zip(*pairs, strict=True)
        )
        factor = (answers @ wanted / (wanted @ wanted)).item()
    except Exception:
        return ""
    known = len(answers) > 1 and factor and math.isfinite(factor)
    return SCALED.format(factor) if known and close(answers, factor * wanted, 1e-3) else ""


def call(function: Function, case: Case) -> Any:
    """The function's answer; if it raises, a Mistake that says so."""
    try:
        return function(*case)
    except (NotImplementedError, Mistake):
        raise
    except Exception as error:
        shapes = ", ".join(describe(argument) for argument in case)
        raise Mistake(f"given {shapes}, it raises {raised(error)}.") from error


def raised(error: BaseException) -> str:
    """What a function has raised, with a word on where one of its usual causes lies."""
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, KeyError) and LAYER.fullmatch(str(error.args[0])):
        said += f" (nothing was kept under that name. {LATE})"
    for torchs, meaning in MEANINGS.items():
        if torchs in said:
            said += f" ({meaning})"
    return said


MEANINGS = {  # what some of PyTorch's messages say, for those who read them for the first time
    ", size=[])": "a row or a table is put where there is room for one number only",
    "does not require grad": "PyTorch was not told to keep track: call .requires_grad_() on "
    "the tensor before the loss is computed from it, and again on every new tensor",
}
LAYER = re.compile(r"(conv|relu|pool)\d(_\d)?")
LATE = (
    "A function made in a loop looks its names up when it is called, and then the loop has ended: "
    "give it what it needs as a default, such as name=name"
)


@contextlib.contextmanager
def lending(function: Function, helpers: Mapping[str, Any]) -> Iterator[None]:
    """For a while, let a reader's function find these helpers in place of its own.

    A helper that is called in a way which the lent one does not know, with further arguments or
    with tensors of other shapes, is the reader's own all the same.
    """
    inner = inspect.unwrap(function)
    space = getattr(inner, "__globals__", None)
    if space is None:  # an object that is called
        space = getattr(type(inner).__call__, "__globals__", {})
    before = {name: space[name] for name in helpers if name in space}
    space.update({name: _either(right, before.get(name)) for name, right in helpers.items()})
    try:
        yield
    finally:
        for name in helpers:
            space.pop(name, None)
        space.update(before)


def _either(right: Any, own: Any) -> Any:
    """A right helper that leaves to the reader's own what it does not know."""
    if not (callable(right) and callable(own)):
        return right

    def helper(*arguments: Any, **named: Any) -> Any:
        try:
            return right(*arguments, **named)
        except Exception:
            return own(*arguments, **named)

    return helper


def helped(check: Callable[[], None], function: Function, name: str, **helpers: Function) -> None:
    """Run a check of a function which calls others; if it fails, again with these in their place.

    Raises:
        Mistake: what the first run has found, where the second one fails, too.
    """
    try:
        check()
    except (Mistake, NotImplementedError):
        with lending(function, helpers), contextlib.redirect_stdout(io.StringIO()):
            check()
        right(f"{name}, with a right function in place of the one that it calls: mend that one")


@contextlib.contextmanager
def without_autograd() -> Iterator[None]:
    """Inside, gradients are refused, backward and forward, in all threads."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("autograd does nothing in inference mode")

    # What autograd.grad, backward and torch.func come down to.
    ways = ((torch.autograd, "_engine_run_backward"), (forward_ad, "enter_dual_level"))
    with contextlib.ExitStack() as stack:
        for place, name in ways:
            stack.enter_context(patch.object(place, name, refuse))
        yield


def by_hand(function: Function) -> Function:
    """The function, called where PyTorch follows nothing, so that autograd cannot do its work."""

    def call(*arguments: Any) -> Any:
        try:
            with torch.inference_mode(), without_autograd():
                answer = function(*arguments)
        except Exception as error:
            if "require grad" in str(error) or "nference" in str(error):
                raise Mistake("it asks autograd: write this gradient by hand.") from error
            raise
        return answer.clone() if isinstance(answer, Tensor) else answer

    return call


def self_check(check: Callable[..., None]) -> Callable[..., None]:
    """A self-check of a problem set: with torch's switches as they are when it is graded.

    And like the grader, it takes no function of this package for an answer.
    """

    @functools.wraps(check)
    def checked(*arguments: Any) -> None:
        dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            with torch.enable_grad(), torch.random.fork_rng(devices=[]):
                for argument in filter(callable, arguments):
                    if str(getattr(argument, "__module__", "")).split(".")[0] == "nst":
                        raise Mistake("that is the package's own function; write yours.")
                check(*arguments)
        finally:
            torch.set_default_dtype(dtype)

    return checked


def same(function: Function, wrong: Function, case: Case, tolerance: float) -> bool:
    """Whether both give the same answer; never if one of them raises."""
    try:
        return close(function(*case), wrong(*case), tolerance)
    except Exception:
        return False


def close(answer: Any, wanted: Any, tolerance: float) -> bool:
    """Whether the answer is a tensor, or a number, of the wanted shape and values."""
    if not isinstance(answer, Tensor | Real):
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
    if not isinstance(answer, Tensor | Real):
        return f"it returns {describe(answer)}, not a tensor. Does every branch end in return?"
    answer, wanted = torch.as_tensor(answer).detach(), torch.as_tensor(wanted)
    if answer.shape != wanted.shape:
        return f"its shape is {tuple(answer.shape)}, and should be {tuple(wanted.shape)}."
    if not torch.isfinite(answer).all():
        return "it has values that are not finite (NaN or infinity)."
    ratio = answer.double() / wanted.double()
    ratio = ratio[torch.isfinite(ratio)]
    if len(ratio) > 1 and (ratio.max() - ratio.min()).abs() < 1e-3 * ratio.mean().abs():
        return SCALED.format(ratio.mean().item())
    if not answer.ndim:
        return f"it is {answer.item():.4g}, and should be {wanted.item():.4g}."
    first = (answer - wanted).abs().flatten().argmax()
    return (
        f"the shape is right, the values are not: one is {answer.flatten()[first].item():.4g}, "
        f"and should be {wanted.flatten()[first].item():.4g}."
    )


def describe(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {describe(v)}" for key, v in value.items()) + "}"
    if inspect.isfunction(value):
        return "a function"
    shown = " ".join(repr(value).split())  # in one line
    return "None" if value is None else f"{type(value).__name__} {shown:.40}"


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
