"""Reading what an answer is, without trusting it: plain numbers, kinds of values, lines run."""

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from nst.checks.common import Mistake

Array = NDArray[np.float64]


def verdict(test: Callable[..., Any], function: Callable[..., Any]) -> bool:
    """What a test says of a function; a failed assertion in it means False."""
    answer = test(function)
    if isinstance(answer, Tensor | np.bool_) and answer.ndim == 0:
        answer = answer.item()
    if type(answer) is not bool:
        raise Mistake(f"your test returns {kind(answer)}, not True or False.")
    return answer


class _Loop(BaseException):
    """Ends a function that has run too many lines."""


def lines_run(function: Callable[..., Any], arguments: Sequence[Any], limit: int) -> int:
    """How many lines of Python a call runs, calls and returns included; it ends at the limit."""
    count, before = 0, sys.gettrace()

    def trace(*_: Any) -> Any:
        nonlocal count
        count += 1
        if count > limit:
            raise _Loop
        return trace

    sys.settrace(trace)
    try:
        function(*arguments)
    except _Loop:
        pass
    finally:
        sys.settrace(before)
    return count


def numbers(answer: Any) -> list[float]:
    """The values of a tensor or a number, as plain floats, all finite."""
    if type(answer) in (Tensor, nn.Parameter):
        values = answer.detach().double().reshape(-1).tolist()
    elif isinstance(answer, int | float | np.number) and not isinstance(answer, bool):
        values = [float(answer)]
    else:
        raise Mistake(f"it returns {kind(answer)}, not a number or a tensor.")
    if not all(map(math.isfinite, values)):
        raise Mistake("it has values that are not finite (NaN or infinity).")
    return values


def near(first: Any, second: Any, tolerance: float = 1e-5) -> bool:
    """Whether two tensors or numbers hold the same values, one after the other."""
    a, b = numbers(first), numbers(second)
    scale = max(map(abs, a + b), default=0.0)
    return len(a) == len(b) and all(
        abs(x - y) <= tolerance * scale for x, y in zip(a, b, strict=True)
    )


def kind(value: Any) -> str:
    """A value in a few words."""
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a value of type {type(value).__name__}"


def matrix(answer: Any, channels: int) -> Array:
    """The C × C values of an answer of any shape, as a matrix."""
    values = numbers(answer)
    if len(values) != channels**2:
        raise Mistake(f"it has {len(values)} values, and should have {channels} × {channels}.")
    return np.array(values).reshape(channels, channels)


def single(value: Any) -> float | None:
    """A number, or the only one of a list; None if it is something else."""
    if isinstance(value, list | tuple) and len(value) == 1:
        (value,) = value
    return value if isinstance(value, int | float) else None
