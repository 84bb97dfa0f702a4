"""The student's end of the line: calls what the judge asks for, in the process of the notebook.

Whatever the notebook has done to this process, it can change no more than the answers that the
judge gets: what a function returns, and what it does to what it was given.
"""

from __future__ import annotations

import contextlib
import io
import random
import socket
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.autograd import forward_ad

from nst_grading.judging.values import Closed, Head, Held, Packed, Taken, Thing
from nst_grading.judging.wire import Wire

END: Student | None = None  # of this process
read_figure: Any = None  # from nst.checks.marking, by `prepare`


def prepare(line: socket.socket, reader: Any) -> None:
    """Keep the line; called before the process is shut in."""
    global END, read_figure
    END, read_figure = Student(line), reader


def serve() -> None:
    """Answer the judge's questions until the test has ended; called in the kernel."""
    from IPython import get_ipython

    assert END
    END.names = get_ipython().user_ns
    END.now(0)
    reset()
    stdout, stderr = sys.stdout, sys.stderr
    try:
        with quiet(), contextlib.suppress(Closed):
            while True:
                said, buffers = END.receive()
                if said.get("do") == "end":
                    return
                END.reply(said, buffers)
    finally:
        sys.stdout, sys.stderr = stdout, stderr


def reset() -> None:
    """Undo what earlier cells may have set for the whole process, so that it costs no points."""
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


class Student(Wire):
    """The end in the notebook's process."""

    names: dict[str, Any]

    def begin(self, secret: str) -> None:
        """A new test begins."""
        super().begin(secret)
        self.given: dict[str, nn.Module] = {}  # the judge's modules as they are here

    def run(self, function: Any, arguments: Any, keywords: Any) -> Any:
        """Call one of the notebook's functions."""
        try:
            by_hand = torch.is_inference_mode_enabled()
            with without_autograd() if by_hand else contextlib.nullcontext():
                return function(*arguments, **keywords)
        except BaseException as error:
            error.where = where(error)  # type: ignore[attr-defined]
            raise

    def do(self, said: Head, values: list[Any]) -> Any:
        """Names of the notebook, attributes, the names that a function sees, lines run."""
        if said["do"] == "begin":
            self.begin("s")
            held = {n: v for n, v in self.names.items() if n in values[0]}
            return Held({n: v for n, v in held.items() if type(v) is not type(sys)})
        thing = self.refs.get(said["ref"])
        if said["do"] == "get":
            return getattr(thing, said["name"])
        if said["do"] == "lines":
            return lines(thing, *values)
        seen = names_of(thing)
        if said["do"] == "put":
            return seen.update(values[0])
        if said["do"] == "drop":
            return seen.pop(values[0], None) and None
        assert said["do"] == "see"
        return Held({name: seen[name] for name in values[0] if name in seen})

    def made(self, said: Head, taken: Taken) -> Any:
        """What the judge sends beside plain values: files, pictures, records, networks."""
        kind, inner = said["k"], {k: taken.value(v) for k, v in said.get("v", {}).items()}
        if kind == "file":
            path = Path(tempfile.mkdtemp()) / Path(inner["name"]).name
            path.write_bytes(bytes(taken.buffers[said["b"]]))
            return str(path)
        if kind == "image":
            return Image.fromarray(inner["pixels"])
        if kind == "record":
            return SimpleNamespace(**inner)
        if kind in ("module", "network"):
            if said["ref"] not in self.given:
                self.given[said["ref"]] = module(**inner) if kind == "module" else network(**inner)
            return self.given[said["ref"]]
        return super().made(said, taken)

    def other(self, value: Any, packed: Packed) -> Head | None:
        """What goes to the judge beside plain values: figures as records, pictures, paths."""
        if isinstance(value, Image.Image):
            return {"k": "image", "v": packed.pack(np.asarray(value))}
        if isinstance(value, Path):
            return {"k": "path", "v": str(value)}
        if type(value).__name__ == "Figure" and read_figure:
            return {"k": "figure", "v": packed.pack(read_figure(value))}
        return None

    def before(self, taken: Taken) -> list[Tensor]:
        """The tensors as they are before a call."""
        return [tensor.detach().clone() for tensor in taken.tensors]

    def after(self, taken: Taken, before: list[Tensor] | None) -> Head:
        """Which tensors a call has changed, and how the judge's modules are now."""
        changed, packed = [], Packed(self)
        for index, old in enumerate(before or []):
            new = taken.tensors[index]
            if not torch.equal(old.nan_to_num(), new.detach().nan_to_num()):
                changed.append([index, new.detach().double().flatten().tolist()])
        asking = [index for index, tensor in enumerate(taken.tensors) if tensor.requires_grad]
        states = {ref: state(one) for ref, one in self.given.items()}
        return {"changed": packed.pack([changed, asking, states])}


@contextlib.contextmanager
def without_autograd() -> Iterator[None]:
    """As `nst.checks.common.without_autograd`, which is not in this process."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise RuntimeError("autograd does nothing in inference mode")

    ways = ((torch.autograd, "_engine_run_backward"), (forward_ad, "enter_dual_level"))
    with contextlib.ExitStack() as stack:
        for place, name in ways:
            stack.enter_context(patch.object(place, name, refuse))
        yield


def where(error: BaseException) -> str:
    """The last line of the notebook in an error's traceback."""
    theirs = [f for f in traceback.extract_tb(error.__traceback__) if "ipykernel" in f.filename]
    return f" (in {theirs[-1].name}: {theirs[-1].line})" if theirs else ""


def names_of(function: Any) -> dict[str, Any]:
    """The names that a function sees, without its decorators; of an object, its `__call__`'s."""
    for _ in range(20):
        function = getattr(function, "__wrapped__", function)
    inner = function if hasattr(function, "__globals__") else type(function).__call__
    return getattr(inner, "__globals__", {})


class Enough(BaseException):
    """Ends a function that has run too many lines."""


def lines(function: Any, arguments: Any, limit: int) -> int:
    """How many lines of Python a call runs, calls and returns included; it ends at the limit."""
    count = 0

    def trace(*_: Any) -> Any:
        nonlocal count
        count += 1
        if count > limit:
            raise Enough
        return trace

    sys.settrace(trace)
    try:
        function(*arguments)
    except Enough:
        pass
    finally:
        sys.settrace(None)
    return count


def module(
    layer: str,
    options: dict[str, Any],
    inner: list[Any],
    tensors: dict[str, Any],
    acts: bool | None,
) -> Any:
    """A module of torch's, as the judge's is; a ReLU that may act otherwise than its setting."""
    made = getattr(nn, layer)(*inner, **options)
    if acts is not None:
        made.forward = torch.relu_ if acts else torch.relu
    for name, (tensor, asks) in tensors.items():
        setattr(made, name, nn.Parameter(tensor, requires_grad=asks))
    return made


def network(tensors: dict[str, Any], forward: Thing) -> Any:
    """A network of the package's, with the judge's parameters, which the judge computes."""
    from nst.networks import Network

    class Asked(Network):
        def forward(self, image: Tensor, layers: Any) -> Any:
            return forward(image, layers, *self.parameters())  # type: ignore[operator]

    made = Asked((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    for name, (tensor, asks) in tensors.items():
        made.register_parameter(name, nn.Parameter(tensor, requires_grad=asks))
    return made


def state(one: nn.Module) -> list[Any]:
    """What a call may have done to a module: hooks, in-place ReLUs, what asks for a gradient."""
    hooks = [bool(part._forward_hooks) for part in one.modules()]
    places = [getattr(part, "inplace", None) for part in one.modules()]
    asks = [[p.requires_grad, p.grad is not None] for p in one.parameters()]
    return [hooks, places, asks]
