"""What a notebook's process holds that the judge's line is tried with, and that process."""

import contextlib
import functools
import multiprocessing
import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import NamedTuple

import torch

from nst_grading.judging import student
from nst_grading.judging.judge import Judge


class Pair(NamedTuple):
    first: float
    second: float


class Sly(float):
    __eq__ = __le__ = lambda *_: True
    __hash__ = float.__hash__
    __sub__ = __rsub__ = lambda *_: 0.0


class Own:
    """Something that is no plain value."""

    size = 3


def factor(x):
    return 3 * x


class Scaled:
    """An object that is called, and calls another function."""

    def __call__(self, x):
        return factor(x)


def slopes(x):
    return (x**3).sum(-1), {"twice": 2 * x, "cut": x.detach()}


def descend(loss, start):
    x = start.clone().requires_grad_()
    for _ in range(3):
        (gradient,) = torch.autograd.grad(loss(x), x)
        x = (x - 0.1 * gradient).detach().requires_grad_()
    return x.detach()


class StrangeError(ValueError):
    """An error of a notebook's own."""


def refuse(name):
    raise StrangeError(f"no {name}")


def names_and_words(function):
    words = [function.__name__, function.__module__, type(function).__name__]
    try:
        function()
    except TypeError as error:
        words.append(str(error))
    return words


def switched_on(x):
    with torch.inference_mode(False), torch.enable_grad():
        y = x.clone().requires_grad_()
        return torch.autograd.grad(y.square().sum(), y)[0]


BY_HAND = {
    "switched_on": switched_on,
    "in_a_thread": lambda x: ThreadPoolExecutor(1).submit(switched_on, x).result(),
    "by_func": lambda x: torch.func.grad(lambda y: y.square().sum())(x),
    "by_jacfwd": lambda x: torch.func.jacfwd(lambda y: y.square().sum())(x),
}


def values_and_slopes(loss, x):
    gradient, value = torch.func.grad_and_value(loss)(x)
    return gradient, value, torch.func.grad(lambda y: 2 * loss(3 * y))(x)


def leave(model, x):
    model[0].register_forward_hook(lambda *_: None)
    model[1].inplace = False
    x += 1
    return model(x)


def ask(network, x):
    network.requires_grad_(False)
    return lambda scale: (scale * network(x, ["relu1_1"])["relu1_1"]).sum()


def in_threads(function, values):
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(function, values))


def nested_threads(paint, loss, values):
    def one(value):
        return paint(lambda x: sum(in_threads(loss, [value, x])), value)

    return in_threads(one, values)


def leave_thread(function, value):
    GIVEN["thread"] = ThreadPoolExecutor(1).submit(function, value)


GIVEN = {
    **BY_HAND,
    "twice": lambda x: 2 * x,
    "slopes": slopes,
    "descend": descend,
    "leave": leave,
    "ask": ask,
    "same": lambda *values: values,
    "pair": lambda: Pair(1.0, 2.0),
    "sly": lambda: Sly(3.0),
    "own": Own,
    "scaled": Scaled(),
    "plain": functools.wraps(factor)(lambda x: factor(x)),
    "stream": lambda: (n * n for n in range(3)),
    "fails": lambda: {}["conv1_1"],
    "again": lambda f, x: f(lambda y: y + x),
    "kept": [],
    "keep": lambda f: GIVEN["kept"].append(f),
    "use": lambda x: GIVEN["kept"][0](x),
    "in_threads": in_threads,
    "nested_threads": nested_threads,
    "leave_thread": leave_thread,
    "left": lambda: GIVEN["thread"].result(),
    "refuse": refuse,
    "encode": lambda text: text.encode("ascii"),
    "words": names_and_words,
    "transformed": values_and_slopes,
    "forward": lambda loss, x: torch.func.jvp(loss, (x,), (x,)),
    "mapped": lambda loss, x: torch.vmap(loss)(x),
    "mode": lambda: (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
}

# Values that are large, have no numbers, or would be used up: names that a test may mention, too.
HELD = {
    "large": torch.zeros(1).expand(2**24),
    "many": [torch.zeros(2**20) for _ in range(8)],
    "digits": 10**5000,
    "meta": torch.empty(3, device="meta"),
    "endless": (n for n in iter(int, 1)),
    "queue": (n for n in range(3)),
    "inner": [{1: zip("ab", "cd", strict=True)}],
    "long": range(10**9),
    "odd": SimpleNamespace,
    "sparse": torch.eye(2).to_sparse(),
    "small": {"row": torch.arange(3.0)},
}


def answer(line, names):
    end = student.Student(line)
    end.names = names
    while True:
        said, buffers = end.receive()
        end.reply(said, buffers)


@contextlib.contextmanager
def judging():
    """A judge with another process that answers it."""
    ours, theirs = socket.socketpair()
    context = multiprocessing.get_context("fork")
    process = context.Process(target=answer, args=(theirs, GIVEN | HELD), daemon=True)
    process.start()
    theirs.close()
    with ours:
        yield Judge(ours, 20, lambda: 0.0)
    process.kill()
    process.join()


def asked_of(judge):
    """The other process's functions, for one test."""
    judge.begin("t")
    names = [name for name in GIVEN if name != "kept"]
    return SimpleNamespace(**judge.ask({"do": "begin"}, [names]))
