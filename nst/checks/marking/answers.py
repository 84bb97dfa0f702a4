"""Reading what an answer is, without trusting it: plain numbers, kinds of values, lines run."""

import inspect
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
    if hasattr(elsewhere := inspect.unwrap(function), "lines_run"):  # it runs in another process
        return elsewhere.lines_run(arguments, limit)
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


def no_loop(
    function: Callable[..., Any], small: Sequence[Any], large: Sequence[Any], growth: float = 2
) -> None:
    """A function runs hardly more lines of Python for a large input than for a small one.

    Args:
        function: called with both.
        small: arguments.
        large: arguments.
        growth: how many times as many lines it may run; that of a picture's sides allows a loop
            over rows, which is far less than one over pixels.

    Raises:
        Mistake: it runs more.
    """
    few = lines_run(function, small, 100_000)
    most = int(growth * few + 50)
    if lines_run(function, large, most) > most:
        raise Mistake(
            "it loops in Python: the more values, the more lines it runs. Let one operation on "
            "whole tensors do the work."
        )


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


def letters(answer: Any) -> dict[int, str]:
    """The letters of a diagnosis by the loops' numbers, in small letters.

    Raises:
        Mistake: it has another form.
    """
    if not isinstance(answer, dict):
        raise Mistake(f"it returns {kind(answer)}, not a dict.")
    if any(key in answer for key in ("1", "2", "3")):
        raise Mistake('its keys are texts, such as "1", and should be numbers: {1: "x", …}.')
    if set(answer) != {1, 2, 3}:
        raise Mistake(f"its keys are {', '.join(map(repr, answer))}, and should be 1, 2 and 3.")
    found = {int(key): str(value).strip().lower() for key, value in answer.items()}
    if odd := [value for value in found.values() if value not in tuple("abcdefgh")]:
        raise Mistake(f"{odd[0]!r} is no letter of the table, a to h.")
    return found


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
    return float(value) if isinstance(value, int | float | np.number) else None
