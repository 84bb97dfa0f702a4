"""What goes over the line, on its way out and in: plain values, and references to all else."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch._C import _functorch as functorch
from torch.autograd.forward_ad import unpack_dual

if TYPE_CHECKING:
    from nst_grading.judging.wire import Wire

MOST_VALUES, DEEPEST = 10**7, 20
MOST_BYTES, MOST_HELD = 2**28, 2**22  # of a frame, and of one name's value at a test's beginning
KINDS = (
    *("float64", "float32", "float16", "bfloat16", "complex64", "complex128"),
    *("int64", "int32", "int16", "int8", "uint8", "bool"),
)
TYPES = {name: getattr(torch, name) for name in KINDS}
NAMES = {kind: name for name, kind in TYPES.items()}
CONSUMED = (types.GeneratorType, map, filter, zip, enumerate, reversed)
VIEWS: Any = (range, type({}.keys()), type({}.values()), type({}.items()))
EXACTLY: dict[type, Any] = {int: int.__int__, float: float.__float__, str: str.__str__}
CONTAINERS: dict[str, Any] = {
    "list": (list, *CONSUMED, *VIEWS),
    "tuple": tuple,
    "set": (set, frozenset),
}
Head = dict[str, Any]


class Closed(BaseException):
    """No answer will come: the other end has gone, is late, or sends what is no frame."""


class NotPlain(TypeError):  # noqa: N818, as students see it
    """An answer that is no number, text, list, array or tensor, used as if it were one."""


class Held(dict[str, Any]):
    """Names of a notebook with their values, most of which no test has use for."""


class Thing:
    """Something that stays at the other end; its public attributes can be asked for."""

    def __init__(self, wire: Wire, said: Head) -> None:
        self._wire, self._ref, self._kind = wire, said["ref"], str(said["type"])[:80]
        self.__name__, self.__module__ = str(said["name"])[:80], str(said["module"])[:80]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not self._wire.judging:
            raise AttributeError(name)
        return self._wire.ask({"do": "get", "ref": self._ref, "name": name}, ())

    def _refuse(self, *_: object) -> Any:
        raise NotPlain(f"there is a {self._kind}, not a plain value: a number, a text, a tensor …")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __iter__ = _refuse
    __len__ = __float__ = __int__ = __add__ = __sub__ = __mul__ = __getitem__ = _refuse
    __hash__ = object.__hash__


class Remote(Thing):
    """A function at the other end."""

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The function's answer."""
        return self._wire.ask({"do": "call", "ref": self._ref}, (list(arguments), keywords))

    def __bool__(self) -> bool:  # type: ignore[override]
        return True

    @property
    def __globals__(self) -> Any:
        return self._wire.globals_of(self)

    def lines_run(self, arguments: Sequence[Any], limit: int) -> int:
        """How many lines of Python a call runs."""
        return self._wire.lines_run(self, arguments, limit)


class Packed:
    """Values on their way out."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.answering = wire, False
        self.room, self.consuming = MOST_BYTES, True  # bytes that may still come; see CONSUMED
        self.buffers: list[bytes] = []
        self.tensors: list[Tensor] = []  # as they are; the same one goes once
        self.outs: list[Head] = []
        self.flowing: list[Tensor] = []  # of an answer, what a gradient flows back from

    def pack(self, value: Any, depth: int = 0) -> Any:
        """A value as JSON, its numbers in buffers; a subclass goes as the type that it is of."""
        self.spend(24)
        if type(value) is Held:
            return self.held(value)
        if value is None or isinstance(value, bool):
            return value
        if (other := self.wire.other(value, self)) is not None:
            return other
        if isinstance(value, np.generic) and not isinstance(value, float | str):
            return {"k": "number", **self.array(np.asarray(value))}
        for kind, exactly in EXACTLY.items():
            if isinstance(value, kind):
                self.spend(6 * str.__len__(value) if isinstance(value, str) else 0)
                return exactly(value)
        if isinstance(value, Tensor):
            plain = inside(value)
            with torch._C._DisableFuncTorch():  # it would wrap what is made of the numbers, too
                return self.tensor(value, plain)
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            return {"k": "array", **self.array(np.ascontiguousarray(value).view(np.ndarray))}
        if depth < DEEPEST and (self.consuming or not isinstance(value, CONSUMED)):
            if isinstance(value, dict):
                pairs = [[self.pack(x, depth + 1) for x in pair] for pair in dict.items(value)]
                return {"k": "dict", "v": pairs}
            for name, kinds in CONTAINERS.items():
                if isinstance(value, kinds):
                    some = itertools.islice(value, MOST_VALUES)
                    return {"k": name, "v": [self.pack(x, depth + 1) for x in some]}
        if isinstance(value, Thing):
            return {"k": "yours", "ref": value._ref}
        if self.wire.judging and not callable(value):
            raise TypeError(f"the judge does not hand over a {type(value).__name__}")
        return self.reference(value)

    def reference(self, value: Any) -> Head:
        """What stands for a value that stays here."""
        ref = f"r{self.wire.tests}.{next(self.wire.numbers)}"  # never again that of another thing
        self.wire.refs[ref] = value
        said = {"type": "function", "name": "", "module": ""}
        if not self.wire.judging:  # what the tests call their functions, nobody is told
            said["type"] = type(value).__name__
            for key in ("name", "module"):
                with contextlib.suppress(Exception):  # an object may have any attributes
                    said[key] = str(getattr(value, f"__{key}__"))[:80]
        return {"k": "mine", "ref": ref, "call": callable(value), **said}

    def held(self, names: Held) -> Head:
        """Names, each by itself: a reference for what is large, or would be used up, or fails."""
        pairs = []
        for name, value in names.items():
            before = len(self.buffers), len(self.tensors)
            self.room, self.consuming = MOST_HELD, False
            try:
                said = self.pack(value)
                json.dumps(said)
            except Exception:
                del self.buffers[before[0] :], self.tensors[before[1] :]
                said = self.reference(value)
            pairs.append([name, said])
        return {"k": "dict", "v": pairs}

    def spend(self, size: int) -> None:
        """Take bytes of the room that is left; raises ValueError if there is none."""
        self.room -= size
        if self.room < 0:
            raise ValueError("that much is too large to hand over")

    def array(self, value: np.ndarray) -> Head:
        """An array's numbers."""
        self.spend(value.nbytes + 200)
        self.buffers.append(value.tobytes())
        return {"dtype": value.dtype.str, "shape": list(value.shape), "b": len(self.buffers) - 1}

    def tensor(self, value: Tensor, plain: Tensor) -> Head:
        """A tensor, as it lies in memory; one that a gradient flows back from, apart."""
        plain = plain.detach()
        if plain.is_meta:
            raise ValueError("a tensor on the device meta has no values to hand over")
        check_count(plain.numel())
        if plain.layout != torch.strided:
            plain = plain.to_dense()
        plain = plain.as_subclass(Tensor)
        if plain.dtype not in NAMES or plain.device.type != "cpu":
            plain = plain.cpu().double()
        flows = value.requires_grad and (self.answering or torch.is_grad_enabled())
        if self.answering and flows:
            self.flowing.append(value)
            self.outs.append(self.raw(plain))
            return {"k": "out", "i": len(self.outs) - 1}
        for index, known in enumerate(self.tensors):
            if known is value:
                return {"k": "same", "i": index}
        self.tensors.append(value)
        return {**self.raw(plain), "k": "tensor", "grad": flows}

    def raw(self, plain: Tensor) -> Head:
        """A tensor's numbers with all that lies between them, sizes and strides."""
        check_count(plain.numel())
        plain = plain.resolve_conj().resolve_neg()
        span = 1 + sum((n - 1) * s for n, s in zip(plain.shape, plain.stride(), strict=True))
        if plain.numel() == 0 or span > 4 * plain.numel() + 64:  # a small part of a large one
            plain, span = plain.contiguous(), plain.numel()
        self.spend(span * plain.element_size() + 200)
        flat = plain.as_strided((span,), (1,))
        self.buffers.append(bytes(flat.contiguous().view(torch.uint8).numpy()))
        size, stride = list(plain.shape), list(plain.stride())
        where = {"dtype": NAMES[plain.dtype], "size": size, "stride": stride}
        return {"k": "raw", **where, "b": len(self.buffers) - 1}


def inside(value: Tensor) -> Tensor:
    """The tensor that `torch.func.grad` has wrapped; raises TypeError for what holds more."""
    while True:
        if unpack_dual(value).tangent is not None or functorch.is_batchedtensor(value):
            raise TypeError(
                "what the tests hand over takes no tensors of torch.func.vmap, nor of derivatives "
                "forward: use torch.autograd.grad"
            )
        if not functorch.is_functorch_wrapped_tensor(value):
            return value
        value = functorch.get_unwrapped(value)


def check_count(values: int) -> None:
    """Raise ValueError for a tensor of so many values if they are too many."""
    if values > MOST_VALUES:
        raise ValueError(f"a tensor of {values} values is too large to hand over")


class Taken:
    """Values that have come in."""

    def __init__(self, wire: Wire, buffers: list[memoryview]) -> None:
        self.wire, self.buffers = wire, buffers
        self.tensors: list[Tensor] = []
        self.outs: list[Tensor] = []

    def take(self, said: Any) -> Any:
        """A value from JSON; raises `Closed` for what is none."""
        try:
            with torch._C._DisableFuncTorch():
                return self.value(said)
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            self.wire.garbled = True
            raise Closed from error

    def value(self, said: Any) -> Any:
        """A value from JSON."""
        if isinstance(said, str):
            return said.encode(errors="replace").decode()  # no half characters
        if not isinstance(said, dict):
            return said
        kind = said["k"]
        if kind in ("list", "tuple", "set"):
            values = [self.value(x) for x in said["v"]]
            return values if kind == "list" else tuple(values) if kind == "tuple" else set(values)
        if kind == "dict":
            return {self.value(key): self.value(x) for key, x in said["v"]}
        if kind in ("array", "number"):
            found = np.frombuffer(self.buffers[said["b"]], np.dtype(str(said["dtype"])))
            if found.dtype.kind not in "biuf":
                raise ValueError
            found = found.reshape(said["shape"]).copy()
            return found if kind == "array" else found[()]
        if kind in ("tensor", "raw"):
            tensor = self.tensor(said)
            if kind == "tensor":
                self.tensors.append(tensor.requires_grad_() if said["grad"] else tensor)
            return tensor
        if kind == "same":
            return self.tensors[said["i"]]
        if kind == "out":
            return self.outs[said["i"]]
        if kind == "yours":
            return self.wire.refs[said["ref"]]
        if kind == "mine":
            name = said["type"] if said["type"].isidentifier() else "Thing"
            return type(name, (Remote if said["call"] else Thing,), {})(self.wire, said)
        return self.wire.made(said, self)

    def tensor(self, said: Head) -> Tensor:
        """A tensor that lies in memory as the original does."""
        dtype, size, stride = TYPES[said["dtype"]], said["size"], said["stride"]
        if math.prod(size) > MOST_VALUES or min([*size, *stride], default=0) < 0:
            raise ValueError
        buffer = bytearray(self.buffers[said["b"]])
        if not buffer:
            return torch.empty(size, dtype=dtype)
        return torch.frombuffer(buffer, dtype=dtype).as_strided(size, stride)
