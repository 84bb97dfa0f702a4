"""The judge's end of the line: runs the tests of one notebook, in the grader's own process."""

from __future__ import annotations

import ast
import builtins
import contextlib
import linecache
import secrets
import socket
import symtable
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import nn

import nst
from nst import checks
from nst.checks.common import Mistake
from nst.checks.marking import figures, parts
from nst.networks import Network
from nst_grading.judging.student import quiet, reset
from nst_grading.judging.values import Closed, Head, NotPlain, Packed, Remote, Taken
from nst_grading.judging.wire import Wire
from nst_grading.report import BLANK

HIDDEN = "BEGIN HIDDEN TESTS"
OWN = {"torch": torch, "nst": nst, "checks": checks, "np": np, "nn": nn, "F": nn.functional}
LATE = "It does not come to an end in time: an endless loop, or a loop over pixels?"
NOT_TAKEN = "a function of the tests does not take what it was given"
TILES = 8  # so many times as high and wide a call may take …
SECONDS = 0.13e-6  # … of the processor for each value; a loop in Python takes more
Verdict = tuple[float | None, tuple[str, str] | None]  # a score, or an error's name and message


class Judge(Wire):
    """Runs test cells; what they ask of the notebook's functions goes over the line."""

    judging = True

    def __init__(self, line: socket.socket, seconds: float, used: Callable[[], float]) -> None:
        super().__init__(line)
        line.settimeout(seconds + 60)
        self.seconds, self.used = seconds, used  # of the student's processor, by now
        self.space: dict[str, Any] = dict(OWN)  # what locked cells and earlier tests have defined
        self.over = False
        self.remarks: set[str] = set()

    def begin(self, secret: str) -> None:
        """A new test begins."""
        super().begin(secret)
        self.handed: dict[str, nn.Module] = {}

    def going_on(self) -> bool:
        """Whether somebody is there to answer."""
        return not self.over

    def trust(self, source: str) -> None:
        """Import and define what a locked cell does."""
        try:
            tree = ast.parse(source)
        except SyntaxError:  # a cell with magics
            return
        kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
        tree.body = [node for node in tree.body if isinstance(node, kinds)]
        exec(compile(tree, "<locked>", "exec"), self.space)

    def start(self, source: str) -> Callable[[], Verdict]:
        """Begin a test in a thread; returns what ends it and gives the verdict."""
        found: list[Verdict] = []
        self.over, self.deadline = False, time.monotonic() + self.seconds + 30
        thread = threading.Thread(target=lambda: found.append(self.judge(source)), daemon=True)
        thread.start()

        def finish() -> Verdict:
            self.over = True
            thread.join()
            return found[0]

        return finish

    def judge(self, source: str) -> Verdict:
        """How a test goes."""
        self.begin(secrets.token_hex(8))
        verdict: Verdict
        try:
            reset()
            # Cells load the marking anew, for where it shares a process with a notebook: not here.
            with quiet(), patch("importlib.reload", lambda module: module):
                verdict = self.execute(source), None
        except Closed:
            verdict = None, ("NotRun", "The test did not run to its end.")
        except BaseException as error:  # SystemExit and KeyboardInterrupt too
            verdict = None, (type(error).__name__, explain(error, source))
        if self.garbled:
            self.remarks.add("It writes into the line to the tests: have a look.")
        with contextlib.suppress(Closed):
            self.send({"do": "end"}, ())
        return verdict

    def execute(self, source: str) -> float | None:
        """The number in the cell's last line, for part of the points; None if there is none."""
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        theirs = self.ask({"do": "begin"}, [sorted(mentioned(source) - set(self.space))])
        if not isinstance(theirs, dict):
            raise Closed
        own = {"__builtins__": builtins, "__name__": "test"}
        names: dict[str, Any] = {n: v for n, v in theirs.items() if not hasattr(builtins, n)}
        names |= self.space | own
        before = dict(names)
        linecache.cache["<test>"] = (len(source), None, source.splitlines(True), "<test>")
        exec(compile(tree, "<test>", "exec"), names)
        result = None
        if isinstance(last, ast.Expr):
            result = eval(compile(ast.Expression(last.value), "<test>", "eval"), names)
        self.space |= {n: v for n, v in names.items() if before.get(n, self) is not v}
        if isinstance(result, int | float) and not isinstance(result, bool):
            return float(result)
        return None

    # What goes over the line beside plain values.
    def other(self, value: Any, packed: Packed) -> Head | None:
        """Files, pictures, records and networks of the tests."""
        if isinstance(value, made_now(parts, "File")):
            packed.buffers.append(Path(value).read_bytes())
            return {"k": "file", "v": {"name": Path(value).name}, "b": len(packed.buffers) - 1}
        if isinstance(value, Image.Image):
            return {"k": "image", "v": {"pixels": packed.pack(np.asarray(value))}}
        if isinstance(value, SimpleNamespace):
            return {"k": "record", "v": {n: packed.pack(v) for n, v in vars(value).items()}}
        if isinstance(value, nn.Module):
            ref = f"m{id(value)}"
            self.handed[ref] = value
            if isinstance(value, Network):
                return {"k": "network", "ref": ref, "v": network(value, packed)}
            return {"k": "module", "ref": ref, "v": module(value, packed)}
        return None

    def made(self, said: Head, taken: Taken) -> Any:
        """Figures as records of what they show, pictures, paths."""
        if said["k"] == "figure":
            found = taken.value(said["v"])
            points = [float(point) for point in found["points"]]
            return made_now(figures, "Drawing")(bool(found["named"]), str(found["text"]), points)
        if said["k"] == "image":
            return Image.fromarray(taken.value(said["v"]))
        if said["k"] == "path":
            return Path(taken.value(said["v"]))
        return super().made(said, taken)

    def noted(self, said: Head, packed: Packed, buffers: list[memoryview]) -> None:
        """Do to the tests' tensors and modules what the call has done to its copies."""
        if "changed" not in said:
            return
        try:
            changed, asking, states = Taken(self, buffers).take(said["changed"])
            for index, values in changed:
                tensor = packed.tensors[index]
                tensor.detach().copy_(torch.tensor(values).view(tensor.shape))
            for index in asking:
                packed.tensors[index].requires_grad_()
            for ref, now in states.items():
                mirror(self.handed[ref], *now)
        except (ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
            self.garbled = True
            raise Closed from error

    def words(self, error: BaseException) -> str:
        """Of errors in the tests' own functions no more than what is written for students."""
        theirs = hasattr(error, "where")  # it has come from there
        return super().words(error) if theirs or isinstance(error, Mistake) else NOT_TAKEN

    def globals_of(self, function: Remote) -> Names:
        """The names that one of the notebook's functions sees."""
        return Names(self, function)

    def lines_run(self, function: Remote, arguments: Sequence[Any], limit: int) -> int:
        """How many lines of Python a call runs; as many as the time tells, if that says more."""
        ask = {"do": "lines", "ref": function._ref}
        count = self.ask(ask, [list(arguments), limit])
        large = [x.repeat(*[1] * (x.dim() - 2), TILES, TILES) for x in arguments]
        enough = SECONDS * max(sum(x.numel() for x in large), 500_000)
        # Once quick is quick: a busy machine makes anybody slow.
        hidden = all(self.spent(function, large) > enough for _ in range(3))
        return limit + 1 if hidden or not isinstance(count, int) else count

    def spent(self, function: Remote, arguments: Sequence[Any]) -> float:
        """Seconds of the processor that a call takes; few if it takes no such arguments."""
        before = self.used()
        with contextlib.suppress(Exception):  # what takes no other sizes
            function(*arguments)
        return self.used() - before


class Names(dict[str, Any]):
    """What a function of the notebook sees, as far as it is asked for."""

    def __init__(self, judge: Judge, function: Remote) -> None:
        super().__init__()
        self.judge, self.ref = judge, function._ref

    def see(self, name: str) -> dict[str, Any]:
        """The name with its value, if there is one."""
        return self.judge.ask({"do": "see", "ref": self.ref}, [[name]])

    def __contains__(self, name: object) -> bool:
        return name in self.see(str(name))

    def __getitem__(self, name: str) -> Any:
        return self.see(name)[name]

    def update(self, names: Any) -> None:  # type: ignore[override]
        """Put these in their place."""
        self.judge.ask({"do": "put", "ref": self.ref}, [dict(names)])

    def pop(self, name: str, *_: Any) -> None:
        """Take a name away."""
        self.judge.ask({"do": "drop", "ref": self.ref}, [name])


def made_now(module: Any, name: str) -> Any:
    """A class of the marking, which may have been loaded anew since this module was."""
    return getattr(sys.modules[module.__name__], name)


def mentioned(source: str) -> set[str]:
    """The names that a cell looks up outside of its own functions, or has in quotation marks."""
    tables = [symtable.symtable(source, "<test>", "exec")]
    for table in tables:
        tables += table.get_children()
    names = {s.get_name() for table in tables for s in table.get_symbols() if s.is_global()}
    texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    return names | {text for text in texts if isinstance(text, str) and text.isidentifier()}


def weights(one: nn.Module, packed: Packed) -> Head:
    """A module's own parameters."""
    own = one.named_parameters(recurse=False)
    said = [[n, {"k": "list", "v": [packed.raw(p.detach()), p.requires_grad]}] for n, p in own]
    return {"k": "dict", "v": said}


def module(one: nn.Module, packed: Packed) -> Head:
    """A module of torch's, as its type, options and parameters."""
    inner = list(one) if isinstance(one, nn.Sequential) else []
    options = {n: getattr(one, n) for n in getattr(type(one), "__constants__", ())}
    options = {n: v for n, v in options.items() if n not in ("output_padding",)}
    if isinstance(one, nn.Conv2d):
        options["bias"] = one.bias is not None
    layer = next(kind for kind in type(one).__mro__ if kind.__module__.startswith("torch.nn"))
    acts = None if layer is type(one) else overwrites(one)
    said = {"layer": layer.__name__, "options": options, "inner": inner, "acts": acts}
    return {n: packed.pack(v) for n, v in said.items()} | {"tensors": weights(one, packed)}


def overwrites(one: nn.Module) -> bool:
    """Whether a ReLU of the tests', whatever its settings say, works in place."""
    one(x := torch.tensor([-1.0]))
    return float(x) == 0


def network(one: Network, packed: Packed) -> Head:
    """A network of the tests, which computes here, with the parameters that it has there."""
    names = [name for name, _ in one.named_parameters()]

    def forward(image: Any, layers: Any, *parameters: Any) -> Any:
        values = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(one, values, (image, layers))

    return {"tensors": weights(one, packed), "forward": packed.pack(forward)}


def mirror(one: nn.Module, hooks: Any, places: Any, asks: Any) -> None:
    """Bring a module into the state that its copy is in."""
    for part, hooked, place in zip(one.modules(), hooks, places, strict=True):
        if hooked and not part._forward_hooks:
            part.register_forward_hook(lambda *_: None)
        elif not hooked:
            part._forward_hooks.clear()
        if isinstance(part, nn.ReLU):
            part.inplace = bool(place)
    for parameter, (asked, has) in zip(one.parameters(), asks, strict=True):
        parameter.requires_grad_(bool(asked))
        parameter.grad = torch.zeros_like(parameter) if has else None


def explain(error: BaseException, source: str) -> str:
    """What went wrong, as a sentence for the student."""
    if isinstance(error, NotImplementedError):
        return BLANK
    if isinstance(error, KeyboardInterrupt):
        return LATE
    if isinstance(error, AssertionError) and str(error):
        return str(error)
    if isinstance(error, NotPlain):
        return f"Where a plain value is wanted, {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, AssertionError):
        line = frames[-1].line if frames else ""
        lines = [i for i, text in enumerate(source.splitlines(), 1) if HIDDEN in text]
        secret = frames and lines and (frames[-1].lineno or 0) > lines[0]
        return "A hidden test does not hold." if secret else f"This does not hold: {line}"
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return said + getattr(error, "where", "")
