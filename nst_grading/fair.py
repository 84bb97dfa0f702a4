"""In the student's kernel: runs the tests so that they cannot be talked into passing.

A test is Python in the process that ran the student's code before, so that code could have replaced
what the test relies on. What is done about it:

- A test passes only if it came to its end and `Judge` says so, with a number that the grader drew
  for this one cell. No error is not enough: a skipped cell, a shell that hides errors, IPython
  hooks that drop assertions, `exit()` within a function, an output that looks like points give 0.
- Before each test, functions and classes of torch, NumPy, the standard library and `nst` that no
  longer are what they were before the student's first cell are put back, and named in a remark.
- A test runs in a namespace of its own: the student's names, but with Python's own builtins, with
  the imports and functions of locked cells as these made them (`torch`, `nst`, `checks`, `np` in
  any case), and with what earlier tests defined. Names that tests define stay among tests.
- Functions of the student's must return plain values: an answer that brings its own `==`, or a
  tensor with its own `__torch_function__`, is refused.
- Seeds, default dtype and device, gradient mode and tracing are reset, and whatever the student's
  code prints or warns is dropped, so that it costs nothing.

What is not done: code that means to attack the interpreter (frames, gc, ctypes) has the means, as
it shares the process. `nst_grading.suspects` names submissions that mention such things, and a
person looks at them.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import functools
import inspect
import io
import linecache
import math
import operator
import random
import sys
import time
import traceback
import types
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import nst
from nst import checks
from nst_grading.report import BLANK

MIME = "application/vnd.nst.grade+json"
HIDDEN = "BEGIN HIDDEN TESTS"
GUARDED: list[Any] = [builtins, copy, functools, inspect, math, operator, random, time]
GUARDED += [np, np.linalg, np.testing, torch, torch.autograd, torch.linalg, torch.testing]
GUARDED += [nn, nn.functional, torch.optim, torch.Tensor, nn.Module, torch.autograd.Function]
PACKAGES = ("nst", "nst_grading")
OWN = {"torch": torch, "nst": nst, "checks": checks, "np": np, "nn": nn, "F": nn.functional}


class Judge:
    """Runs the tests of one notebook; made before the student's first cell."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.before: Snapshot
        self.trusted: dict[str, Any] = dict(OWN)
        self.kept: dict[str, Any] = {}

    def trust(self, source: str) -> None:
        """Keep what a locked cell, which has just run, imported and defined."""
        for name in bound(source):
            if name in self.shell.user_ns:
                self.trusted[name] = self.shell.user_ns[name]

    def run(self, source: str, number: str) -> None:
        """Run a test cell; publish how it went, with the grader's number."""
        verdict: dict[str, Any] = {"number": number, "replaced": self.before.restore()}
        reset()
        stdout, stderr = sys.stdout, sys.stderr
        try:
            with quiet():
                verdict["score"] = self.execute(source)
        except BaseException as error:  # SystemExit and KeyboardInterrupt too
            verdict["error"] = {"name": type(error).__name__, "message": explain(error, source)}
        sys.stdout, sys.stderr = stdout, stderr
        self.before.restore()  # unnamed, as tests may reload modules of their own accord
        PUBLISH(self.shell.display_pub, {MIME: verdict}, metadata={})

    def execute(self, source: str) -> float | None:
        """The number in the cell's last line, for part of the points; None if there is none."""
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        names = self.namespace()
        before = dict(names)
        linecache.cache["<test>"] = (len(source), None, source.splitlines(True), "<test>")
        exec(compile(tree, "<test>", "exec"), names)
        result = None
        if isinstance(last, ast.Expr):
            result = eval(compile(ast.Expression(last.value), "<test>", "eval"), names)
        self.kept |= {n: v for n, v in names.items() if before.get(n, self) is not v}
        if isinstance(result, int | float) and not isinstance(result, bool):
            return float(result)
        return None

    def namespace(self) -> dict[str, Any]:
        """The student's names, and those that the student cannot change."""
        names = {}
        for name, value in self.shell.user_ns.items():
            if not name.startswith("__") and not hasattr(builtins, name):
                with contextlib.suppress(NotPlain):  # it then is as if the name were not there
                    names[name] = guard(value)
        return names | self.trusted | self.kept | {"__builtins__": builtins, "__name__": "test"}


def bound(source: str) -> Iterator[str]:
    """The names that a cell imports, or defines as functions or classes."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with magics
        return
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


# The shell sets these in builtins; torch.Storage changes with torch's default dtype.
CHANGING = ("_", "input", "__doc__", "Storage")


class Snapshot:
    """What modules and classes held, to be put back."""

    def __init__(self) -> None:
        ours = [m for name, m in sys.modules.items() if name.split(".")[0] in PACKAGES]
        classes = [v for m in ours for v in vars(m).values() if own(v, type)]
        # torch itself replaces an optimiser's `step` when the first one is made.
        classes = [v for v in classes if not issubclass(v, torch.optim.Optimizer)]
        functions = [v for m in ours for v in vars(m).values() if own(v, types.FunctionType)]
        self.modules = {n: m for n, m in sys.modules.items() if m in GUARDED or m in ours}
        self.holders = [(owner, dict(vars(owner))) for owner in (*GUARDED, *ours, *classes)]
        self.codes = [(f, f.__code__, f.__defaults__, f.__kwdefaults__) for f in functions]

    def restore(self) -> list[str]:
        """Put everything back; returns the names of what had been replaced."""
        replaced = []
        for name, module in self.modules.items():
            if sys.modules.get(name) is not module:
                sys.modules[name] = module
                replaced.append(name)
        for owner, held in self.holders:
            now = vars(owner)
            for name, value in held.items():
                if now.get(name, self) is not value and name not in CHANGING:
                    setattr(owner, name, value)
                    replaced.append(f"{owner.__name__}.{name}")
        for function, code, defaults, keywords in self.codes:
            if function.__code__ is not code:
                replaced.append(f"{function.__module__}.{function.__name__}")
            function.__code__, function.__defaults__ = code, defaults
            function.__kwdefaults__ = keywords
        return replaced


def own(value: Any, kind: type) -> bool:
    """Whether it is of this kind, and defined in one of our packages."""
    return isinstance(value, kind) and str(value.__module__).split(".")[0] in PACKAGES


def reset() -> None:
    """Undo what earlier cells may have set for the whole process."""
    sys.settrace(None)
    sys.setprofile(None)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    if torch.get_default_device().type != "cpu":
        torch.set_default_device(None)
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop whatever is printed or warned."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


class NotPlain(TypeError):  # noqa: N818, as students see it
    """An answer that decides itself what it equals."""


def guard(value: Any) -> Any:
    """A student's function, made to return plain values only; anything else as it is."""
    if not isinstance(value, types.FunctionType):
        return plain(value, "it")

    @functools.wraps(value)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        return plain(value(*args, **kwargs), f"{value.__name__} returns what")

    return guarded


TRICKS = ("__bool__", "__eq__", "__lt__", "__gt__", "__le__", "__ge__", "__sub__", "__array__")


def plain(value: Any, what: str, depth: int = 3) -> Any:
    """The value, if it and what is in it leave it to others what they equal.

    Raises:
        NotPlain: it does not.
    """
    if isinstance(value, tuple | list | set | dict) and depth:
        for inner in value.values() if isinstance(value, dict) else value:
            plain(inner, what, depth - 1)
    kind = type(value)
    tensor = isinstance(value, Tensor) and kind not in (Tensor, nn.Parameter)
    # Not what a subclass has from a plain type, as a NamedTuple from tuple.
    theirs = [base for base in kind.__mro__ if base.__module__ == "__main__"]
    if hasattr(kind, "__dataclass_fields__"):
        theirs = []
    if tensor or (hasattr(kind, "__torch_function__") and not isinstance(value, Tensor)):
        raise NotPlain(f"{what} is a {kind.__name__}, not a plain tensor.")
    if any(name in vars(base) for base in theirs for name in TRICKS):
        raise NotPlain(f"{what} is a {kind.__name__}, which defines by itself what it equals.")
    return value


def explain(error: BaseException, source: str) -> str:
    """What went wrong, as a sentence for the student."""
    if isinstance(error, NotImplementedError):
        return BLANK
    if isinstance(error, KeyboardInterrupt):
        return "It does not come to an end in time: an endless loop, or a loop over pixels?"
    if isinstance(error, AssertionError) and str(error):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, AssertionError):
        line = frames[-1].line if frames else ""
        lines = [i for i, text in enumerate(source.splitlines(), 1) if HIDDEN in text]
        secret = frames and lines and (frames[-1].lineno or 0) > lines[0]
        return "A hidden test does not hold." if secret else f"This does not hold: {line}"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    theirs = [frame for frame in frames if "ipykernel" in frame.filename]
    where = f" (in {theirs[-1].name}: {theirs[-1].line})" if theirs else ""
    return said + where


# Kept from before the student's first cell.
PUBLISH: Any = None
JUDGE: Any = None


def install() -> None:
    """Called in the kernel before the first cell."""
    global JUDGE, PUBLISH
    from IPython import get_ipython

    shell = get_ipython()
    PUBLISH = type(shell.display_pub).publish
    JUDGE = Judge(shell)
    JUDGE.before = Snapshot()
