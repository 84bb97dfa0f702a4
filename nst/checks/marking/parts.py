"""The parts of an exercise that are graded, and what a part demands of an answer."""

import contextlib
import functools
import io
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor, nn

from nst.checks.common import Mistake, by_hand, lending, raised
from nst.checks.marking.answers import kind, near, no_loop, numbers, verdict
from nst.checks.marking.oracles import cosine, random


class File(str):
    """The path of a file that goes wherever the function runs that is given it."""


def attempts(
    notebook: str, section: str = "", **lent: Any
) -> Iterator[contextlib.AbstractContextManager["Part"]]:
    """A graded part that is tried with the notebook's own helpers, then with right ones instead.

        for attempt in attempts("04_style_loss", gram_matrix=gram_tensor):
            with attempt as part:
                …

    So a mistake in one exercise costs no points in the next one, and helpers that do more than was
    asked, or in another way, serve those who wrote them.

    Args:
        notebook: see `part`.
        section: see `part`.
        lent: right helpers, by the names that the notebook's functions call them.
    """
    passed = False

    @contextlib.contextmanager
    def first() -> Iterator[Part]:
        nonlocal passed
        with contextlib.suppress(Exception), part(notebook, section) as own:
            yield own
            passed = True

    yield first()
    if not passed:
        yield part(notebook, section, lent)


@contextlib.contextmanager
def part(
    notebook: str, section: str = "", lent: Mapping[str, Any] | None = None
) -> Iterator["Part"]:
    """One graded part of an exercise; whatever fails in it says where the course explains it.

    Args:
        notebook: the course's, where this is explained.
        section: of it.
        lent: what stands for helpers of these names, until the part ends.

    Raises:
        Mistake: the part is not right.
        NotImplementedError: it is not written yet.
    """
    place = f"{notebook}.ipynb" + (f", “{section}”" if section else "")
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            torch.random.fork_rng(devices=[]),
            torch.enable_grad(),
            contextlib.ExitStack() as stack,
        ):
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            yield Part(stack, lent or {})
    except NotImplementedError:
        raise
    except Mistake as mistake:
        raise Mistake(f"{mistake} Explained in {place}.") from None
    except (Exception, SystemExit) as error:
        raise Mistake(f"{type(error).__name__}: {error}. Explained in {place}.") from error
    finally:
        torch.set_default_dtype(dtype)


class Part:
    """What a part demands of an answer; every method raises a `Mistake` if it is not so."""

    def __init__(self, stack: contextlib.ExitStack, lent: Mapping[str, Any]) -> None:
        self.stack, self.lent = stack, lent
        self.rights: dict[str, Callable[..., Any]] = {}  # that the notebook's test has accepted

    def function(self, space: Mapping[str, Any], name: str) -> Callable[..., Any]:
        """The notebook's function of that name, whose errors become Mistakes."""
        found = self.value(space, name)
        if not callable(found):
            raise Mistake(f"{name} is {kind(found)}, not a function.")
        if str(getattr(found, "__module__", "")).split(".")[0] == "nst":
            raise Mistake(f"{name} is the package's own function; write yours.")
        self.stack.enter_context(lending(found, self.lent))

        @functools.wraps(found, (), ())
        def call(*arguments: Any) -> Any:
            try:
                return found(*arguments)
            except (NotImplementedError, Mistake):
                raise
            except (Exception, SystemExit) as error:
                raise Mistake(f"{name} raises {raised(error)}.") from error

        return call

    def value(self, space: Mapping[str, Any], name: str) -> Any:
        """What the notebook holds under that name."""
        if name not in space:
            raise Mistake(
                f"there is no {name} here: keep the name that the exercise gives, and see that "
                "its cell runs without an error."
            )
        return space[name]

    def true(self, condition: Any, remark: str) -> None:
        """The condition is True itself, and not merely something that says so."""
        if condition is not True:
            raise Mistake(remark)

    def tensor(self, answer: Any, shape: Sequence[int]) -> None:
        """The answer is a tensor of that shape, and its values are finite."""
        self.true(
            type(answer) in (Tensor, nn.Parameter),
            f"it returns {kind(answer)}, not a tensor. Does every branch end in return?",
        )
        self.true(
            tuple(answer.shape) == tuple(shape),
            f"its shape is {tuple(answer.shape)}, and should be {tuple(shape)}.",
        )
        numbers(answer)

    def shapes(
        self, function: Callable[..., Any], cases: Mapping[tuple[int, ...], tuple[int, ...]]
    ) -> None:
        """Given tensors of the first shapes, the function returns tensors of the second ones.

        They depend on what is given, and on nothing else.
        """
        for number, (given, wanted) in enumerate(cases.items()):
            first, second = random(*given, seed=number), random(*given, seed=number + 100)
            answer, again, other = function(first), function(first.clone()), function(second)
            for one in (answer, again, other):
                self.tensor(one, wanted)
            self.true(near(answer, again), "it gives two answers to the same question.")
            self.true(not near(answer, other), "it returns the same, whatever it is given.")

    def equal(
        self, answer: Any, wanted: ArrayLike | Tensor, remark: str, tolerance: float = 1e-4
    ) -> None:
        """The answer has the wanted shape and values; a number will do for a scalar."""
        wanted = np.asarray(
            wanted.detach().double() if isinstance(wanted, Tensor) else wanted, dtype=np.float64
        )
        if wanted.ndim or isinstance(answer, Tensor):
            self.tensor(answer, wanted.shape)
        values, targets = numbers(answer), wanted.ravel().tolist()
        scale = max(map(abs, targets), default=0.0)
        for value, target in zip(values, targets, strict=True):
            if not abs(value - target) <= tolerance * scale + 1e-12:
                raise Mistake(f"{remark} One value is {value:.5g}, and should be {target:.5g}.")

    def gradient(
        self, function: Callable[[Tensor], Any], x: Tensor, wanted: ArrayLike | None = None
    ) -> None:
        """A gradient flows from the answer's sum back to `x`: the wanted one, or any but zeros."""
        x = x.detach().clone().requires_grad_()
        answer = function(x)
        self.true(isinstance(answer, Tensor), f"it returns {kind(answer)}, not a tensor.")
        flows = answer.requires_grad
        (found,) = (
            torch.autograd.grad(answer.square().sum() if wanted is None else answer.sum(), x)
            if flows
            else (None,)
        )
        self.true(
            flows and found is not None,
            "no gradient flows back: .item(), .detach(), .numpy() or no_grad() cut it off.",
        )
        self.true(any(numbers(found)), "the gradient is zero everywhere.")
        if wanted is None:
            self.true(
                follows(function, x.detach(), found),
                "the gradient is not that of the values that it returns.",
            )
        else:
            self.equal(found, wanted, "the gradient is wrong.")

    def file(self, pixels: NDArray[np.uint8]) -> str:
        """The path of a PNG with these pixels, (H, W) or (H, W, C), which goes with the part."""
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "picture.png"
        Image.fromarray(pixels).save(path)
        return File(path)

    def no_loop(
        self,
        function: Callable[..., Any],
        small: Sequence[Any],
        large: Sequence[Any],
        growth: float = 2,
    ) -> None:
        """The function takes hardly more lines of Python for a large input than for a small one."""
        no_loop(function, small, large, growth)

    def by_hand(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, where autograd does nothing."""
        return by_hand(function)

    def accepts(self, test: Callable[..., Any], rights: Mapping[str, Callable[..., Any]]) -> None:
        """The notebook's test says True to each of these functions."""
        for name, right in rights.items():
            self.true(verdict(test, right), f"your test rejects a right function: {name}.")
            self.rights[name] = right

    def rejects(self, test: Callable[..., Any], wrongs: Mapping[str, Callable[..., Any]]) -> None:
        """The notebook's test says False to each of these functions, whatever it said before.

        Functions that it has accepted are asked about again in between, by chance, so that no list
        of answers will do.
        """
        chance = SystemRandom()
        for name, wrong in wrongs.items():
            for _ in range(chance.randrange(8) if self.rights else 0):
                again, right = chance.choice(list(self.rights.items()))
                self.true(verdict(test, right), f"your test rejects a right function: {again}.")
            self.true(not verdict(test, wrong), f"your test accepts a wrong function: {name}.")


def follows(function: Callable[[Tensor], Any], x: Tensor, gradient: Any, tries: int = 8) -> bool:
    """Whether the square sum of what a function returns changes as the gradient says.

    By central differences, in seeded directions whose mean is zero; the gradient's length, and
    some of its direction, is left to the tests of values.
    """
    found, wanted = [], []
    for seed in range(tries):
        move = random(*x.shape, seed=500 + seed) - 0.5
        move = 0.02 * (move - move.mean()) * (x.abs().max() + 0.1)
        up, down = (function(x + sign * move).detach().double() for sign in (1, -1))
        wanted.append(float(up.square().sum() - down.square().sum()) / 2)
        found.append(float((gradient.double() * move).sum()))
    return cosine(found, wanted) > 0.5
