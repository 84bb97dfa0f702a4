"""Stubs: functions that are left to the reader, with `...` where something is to be written."""

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

UNWRITTEN = "○"


def unwritten(function: Callable[..., Any]) -> bool:
    """Whether a function's source still has a `...` that stands for something to be written.

    One within brackets is an index, as in `image[..., 1:]`. A function whose source cannot be read
    counts as written.
    """
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, ValueError, SyntaxError):
        return False
    if not isinstance(tree, ast.FunctionDef):
        return False
    indices = [node.slice for node in ast.walk(tree) if isinstance(node, ast.Subscript)]
    within = {node for index in indices for node in ast.walk(index)}
    return any(
        isinstance(node, ast.Constant) and node.value is ... and node not in within
        for node in ast.walk(tree)
    )


def exercise(check: Callable[..., None]) -> Callable[..., None]:
    """A check that, given a stub, says what to do next instead of checking it."""

    @functools.wraps(check)
    def checked(function: Callable[..., Any], *others: Any) -> None:
        if unwritten(function):
            print(
                f"{UNWRITTEN} {function.__name__}: write your code where ... stands, and run this "
                "cell again; a solution is folded away below, and the notebook goes on without it."
            )
        else:
            check(function, *others)

    return checked
