"""The line between the judge and a student's process; both ends speak it alike.

A frame is a head in JSON and raw buffers of numbers. A head is a request (`do`, with an `id`), or
the reply to one (`to`, with the same id); while one end waits for a reply it answers the other's
requests, so calls may be nested. Numbers, texts, lists, tuples, dicts, sets, arrays and tensors go
by value; functions and all other things stay where they are and go as references, which hold for
one test. A gradient flows through a call: each end keeps the graph of its own half, and hands
cotangents and gradients over as values. Nothing is ever unpickled, imported by name, or run.
"""

from __future__ import annotations

import builtins
import itertools
import json
import math
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nst_grading.judging.values import MOST_BYTES, Closed, Head, Packed, Remote, Taken


class Across(torch.autograd.Function):
    """Makes what another process has computed a part of this one's graph."""

    @staticmethod
    def forward(wire: Wire, tape: str, outs: list[Tensor], *inputs: Tensor) -> Any:
        """The tensors that have come from there, `outs`, as functions of the inputs."""
        return tuple(outs)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep whom to ask; apart from `forward`, as torch.func wants it."""
        ctx.wire, ctx.tape, ctx.count = *inputs[:2], len(inputs) - 3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        """The inputs' gradients, asked for at the other end."""
        found = ctx.wire.ask({"do": "vjp", "tape": ctx.tape}, list(slopes))
        return None, None, None, *found, *[None] * (ctx.count - len(found))


class Wire:
    """One end. A subclass says what else it can send, take and do."""

    judging = False  # whether it is the judge's end

    def __init__(self, line: socket.socket) -> None:
        self.line, self.deadline, self.count, self.garbled = line, math.inf, 0, False
        self.tests = 0
        # How many questions and calls are open. Odd: a function of this end runs, and whichever of
        # its threads comes first may ask; even: one thread waits for what comes over the line.
        self.depth, self.turns = int(self.judging), threading.Condition()
        self.begin("")

    def begin(self, secret: str) -> None:
        """Forget all references, graphs and open questions: a new test begins."""
        self.secret, self.tests = secret, self.tests + 1
        self.refs: dict[str, Any] = {}
        self.numbers = itertools.count()
        self.tapes: dict[str, tuple[list[Tensor], list[Tensor]]] = {}

    # What an end adds.
    def other(self, value: Any, packed: Packed) -> Head | None:
        """What else it can send by value, as JSON."""
        return None

    def made(self, said: Head, taken: Taken) -> Any:
        """What else it can take by value."""
        raise Closed

    def do(self, said: Head, values: list[Any]) -> Any:
        """What else it can do."""
        raise PermissionError(said["do"])

    def run(self, function: Callable[..., Any], arguments: Any, keywords: Any) -> Any:
        """Call one of this end's functions for the other."""
        return function(*arguments, **keywords)

    def before(self, taken: Taken) -> Any:
        """What to compare with after a call."""

    def after(self, taken: Taken, before: Any) -> Head:
        """What a call has done beside its answer."""
        return {}

    def words(self, error: BaseException) -> str:
        """What the other end may read of an error."""
        try:
            only = error.args[0] if len(error.args) == 1 else None  # a KeyError's: not quoted twice
            return only if isinstance(only, str) else str(error)
        except BaseException:
            return ""

    def globals_of(self, function: Remote) -> Any:
        """The names that a function at the other end sees."""
        raise AttributeError("__globals__")

    def lines_run(self, function: Remote, arguments: Sequence[Any], limit: int) -> int:
        """How many lines of Python a call at the other end runs."""
        raise Closed

    def noted(self, said: Head, packed: Packed, buffers: list[memoryview]) -> None:
        """Take what a call has done beside its answer."""

    def going_on(self) -> bool:
        """Whether to wait on."""
        return True

    # Questions and answers.
    def ask(self, head: Head, values: Sequence[Any]) -> Any:
        """Send a request; returns the answer, or raises the other end's error."""
        with self.turns:
            self.turns.wait_for(lambda: self.depth % 2)
            before = self.depth
            self.now(before + 1)
        try:
            return self.asked(head, values)
        finally:
            self.now(before)

    def now(self, depth: int) -> None:
        """So many questions and calls are open now."""
        with self.turns:
            self.depth = depth
            self.turns.notify_all()

    def asked(self, head: Head, values: Sequence[Any]) -> Any:
        """Send a request, and do what the other end asks until it answers."""
        packed = Packed(self)
        head["v"] = [packed.pack(value) for value in values]
        self.count += 1
        head["id"] = f"{self.secret}{self.count}"
        head["modes"] = [torch.is_grad_enabled(), torch.is_inference_mode_enabled()]
        self.send(head, packed.buffers)
        while True:
            said, buffers = self.receive()
            if said.get("to") == head["id"]:
                break
            if "do" in said:
                self.reply(said, buffers)
        if isinstance(said.get("error"), dict):
            raise error_of(said["error"])
        self.noted(said, packed, buffers)
        taken = Taken(self, buffers)
        outs = [taken.take(out) for out in said.get("out") or []]
        if outs:
            wanted = [t for t in packed.tensors if t.requires_grad and torch.is_grad_enabled()]
            spare = torch.zeros((), requires_grad=True)  # what asks for a gradient here, does there
            taken.outs = list(Across.apply(self, head["id"], outs, *wanted, spare))
        return taken.take(said.get("v"))

    def reply(self, said: Head, buffers: list[memoryview]) -> None:
        """Do what is asked, and send what came of it."""
        number, packed, taken = said.get("id"), Packed(self), Taken(self, buffers)
        self.now(mine := self.depth + 1)
        try:
            answer, also = self.answer(said, taken, packed)
            frame = framed({"to": number, "v": answer, "out": packed.outs, **also}, packed.buffers)
        except Closed:
            raise
        except BaseException as error:  # SystemExit and KeyboardInterrupt too
            frame = framed({"to": number, "error": told(error, self.words(error))}, ())
        with self.turns:
            self.turns.wait_for(lambda: self.depth == mine)  # the questions of other threads end
            self.depth -= 1
        self.write(frame)

    def answer(self, said: Head, taken: Taken, packed: Packed) -> tuple[Any, Head]:
        """The answer to a request, and what else its reply says."""
        values = [taken.take(value) for value in said["v"]]
        if said["do"] == "vjp":
            inputs, outs = self.tapes[said["tape"]]
            for tensor in inputs:
                tensor.grad = None
            torch.autograd.backward(outs, values, retain_graph=True)
            return packed.pack([tensor.grad for tensor in inputs]), self.after(taken, None)
        if said["do"] != "call":
            return packed.pack(self.do(said, values)), {}
        function, before = self.refs[said["ref"]], self.before(taken)
        inputs = [tensor for tensor in taken.tensors if tensor.requires_grad]
        grad, inference = map(bool, said["modes"])
        with torch.inference_mode(inference), torch.set_grad_enabled(grad):
            packed.answering = True
            answer = packed.pack(self.run(function, *values))
        if packed.flowing:
            self.tapes[said["id"]] = inputs, packed.flowing
        return answer, self.after(taken, before)

    # Frames.
    def send(self, head: Head, buffers: Sequence[bytes]) -> None:
        """Send a frame."""
        self.write(framed(head, buffers))

    def write(self, frame: bytes) -> None:
        """Send what `framed` has made."""
        try:
            self.line.sendall(frame)
        except OSError as error:
            raise Closed from error

    def receive(self) -> tuple[Head, list[memoryview]]:
        """The next frame."""
        length, rest = struct.unpack(">IQ", self.read(12))
        if length + rest > MOST_BYTES:
            self.garbled = True
            raise Closed
        text, data = self.read(length), memoryview(self.read(rest))
        try:
            head = json.loads(bytes(text))
            ends = [0, *itertools.accumulate(map(int, head["sizes"]))]
            if ends != sorted(ends) or ends[-1] != rest:
                raise ValueError
            return head, [data[a:b] for a, b in itertools.pairwise(ends)]
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            self.garbled = True
            raise Closed from error

    def read(self, count: int) -> bytearray:
        """So many bytes; waits for them until the deadline."""
        found = bytearray()
        while len(found) < count:
            if time.monotonic() > self.deadline or not self.going_on():
                raise Closed
            try:
                if not select.select([self.line], [], [], 0.1)[0]:
                    continue
                part = self.line.recv(min(count - len(found), 2**20))
            except OSError as error:
                raise Closed from error
            if not part:
                raise Closed
            found += part
        return found


def framed(head: Head, buffers: Sequence[bytes]) -> bytes:
    """A frame; raises ValueError if the other end would not take it."""
    head["sizes"] = [len(buffer) for buffer in buffers]
    text, rest = json.dumps(head).encode(), sum(head["sizes"])
    if len(text) + rest > MOST_BYTES:
        raise ValueError("that much is too large to hand over")
    return struct.pack(">IQ", len(text), rest) + text + b"".join(buffers)


def told(error: BaseException, text: str) -> Head:
    """An error in words, with the one of Python's own that its kind is made of."""
    base = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
    where = getattr(error, "where", "")
    return {"name": type(error).__name__, "base": base, "text": text[:2000], "where": where}


def error_of(said: Head) -> BaseException:
    """An error of the other end: Python's own by its name, or a new one of that name."""
    name, base, text = (str(said.get(key, ""))[:2000] for key in ("name", "base", "text"))
    kind: Any = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)):
        parent: Any = getattr(builtins, base, None)
        if not (isinstance(parent, type) and issubclass(parent, Exception)):
            parent = Exception
        kind = type(name if name.isidentifier() else "Error", (parent,), {})
    try:
        error: Any = kind(text)
    except TypeError:  # one that wants more than a text
        error = type(name, (UnicodeError if "Unicode" in name else Exception,), {})(text)
    error.where = str(said.get("where", ""))[:300]
    return error
