"""The one optimisation loop, and what it shows to those who watch."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from nst.devices import own_modes
from nst.errors import SettingsError
from nst.files.fields import bare
from nst.hardware.cores import shared_cores
from nst.hardware.graphs import Reading, Recorded
from nst.hardware.scales import FallBack
from nst.objective import total
from nst.optimizers import PlainLBFGS, make_optimizer, set_rate
from nst.settings import Settings

STALLED = 1e-7, 20  # the loss moved by less than this share of itself in so many steps
DIVERGED = 1e4  # the loss grew to so many times its start
# So many of a run's first pictures are evaluated exactly. From what the gradient changes between
# them the optimiser takes its first long step, and they are so near each other that rounding would
# have a large share in that: a run in TF32 would end nearly twice as far from one in float32.
EXACT = 2
LATE = 8  # a GPU may be so many steps ahead of the numbers that are read from it

Evaluate = Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]  # see Objective.loss_and_gradient


def minimise(
    evaluate: FallBack, state: State, settings: Settings, num_steps: int, watcher: Watcher
) -> str:
    """The loop: move `state.image` downhill for `num_steps` steps; returns why it ended.

    What is shown or handed back lies in [0, 1]. By default the optimiser keeps the picture there,
    so that its losses are those of what one gets; see `Settings.bounds`.
    """
    image = state.image.requires_grad_()
    optimizer = make_optimizer(image, settings, state.optimizer)
    weight = image.new_ones(())  # of the next picture in the running average
    exact = EXACT if evaluate.exact else 0
    first: Callable[[], Seen] = partial(see, evaluate.exactly, state, settings)
    look: Callable[[], Seen] = partial(see, evaluate, state, settings)
    plain = isinstance(optimizer, PlainLBFGS)
    if image.is_cuda and plain:
        look = Recorded(look)  # its steps cannot be: they decide by what they measure

    def advance(look: Callable[[], Seen]) -> Seen:
        optimizer.step()
        state.follow(settings.average, weight)
        return look()

    again: Callable[[], Seen] = partial(advance, look)
    if image.is_cuda and not plain:
        again = Recorded(again)
    with shared_cores() as take_share:
        seen = first() if state.number < exact else look()
        while True:
            reason = watcher(state, seen)
            if reason or state.number >= num_steps:
                image.grad, state.optimizer = None, optimizer.state_dict()
                return reason or "finished"

            set_rate(optimizer, settings.step_length(state.number))
            weight.fill_(weight_of_next(settings.average, state.number))
            take_share()
            seen = advance(first) if state.number + 1 < exact else again()
            state.number += 1


class Seen(NamedTuple):
    """The names of the terms; as one tensor these, the loss, and the share of values at a bound."""

    names: list[str]
    numbers: Tensor


def see(evaluate: Evaluate, state: State, settings: Settings) -> Seen:
    """Evaluate the picture, which gets its gradient, and keep it if it is the best."""
    image = state.image
    if settings.bounds == "closure":
        with torch.no_grad():
            image.clamp_(0, 1)
    terms, gradient = evaluate(image)
    if image.grad is not None and image.is_cuda:
        image.grad.copy_(gradient)  # where a recorded step looks for it
    else:
        image.grad = gradient
    loss, values = total(terms), image.detach()
    state.keep_best(loss)
    at_bounds = ((values <= 0) | (values >= 1)).float().mean()
    return Seen(list(terms), torch.stack([*terms.values(), loss, at_bounds]))


@dataclass(frozen=True)
class Step:
    """What a callback sees: the picture after `number` of `of` steps at this `size`.

    Ask for `image` within the callback: later it would be a later picture.

    `terms` are the weighted terms of the loss, `total` their sum, `seconds` the time since the run
    began, `size` the long side in pixels, `at_bounds` the share of the picture's numbers that are 0
    or 1 (or beyond, where `Settings.bounds` lets them).
    """

    number: int
    of: int
    size: int
    total: float
    terms: dict[str, float]
    seconds: float
    at_bounds: float
    _picture: Tensor = field(repr=False, compare=False)
    _deliver: Callable[[Tensor], Tensor] = field(repr=False, compare=False)

    @property
    def image(self) -> Tensor:
        """A copy of the picture as one would get it, (1, 3, H, W) in [0, 1]."""
        return self._deliver(self._picture.detach().clamp(0, 1))

    def record(self) -> dict[str, Any]:
        """All but the picture, as plain data for JSON."""
        names = ("number", "of", "size", "total", "seconds", "at_bounds")
        # A dict of its own: what a callback does to the step's stays out of the history.
        return {name: getattr(self, name) for name in names} | {"terms": dict(self.terms)}


Callback = Callable[[Step], bool | None]


@dataclass
class State:
    """Where a run stands: all that it needs to go on as if it had never stopped."""

    image: Tensor
    size_index: int = 0
    number: int = 0
    optimizer: dict[str, Any] | None = None
    best: Tensor | None = None
    best_total: Tensor | None = None
    average: Tensor | None = None
    totals: list[float] = field(default_factory=list)

    def keep_best(self, total: Tensor) -> None:
        """Keep the current picture, of that loss, if it is the best; does not wait for a GPU."""
        image = self.image.detach()
        if self.best is None or self.best_total is None:
            self.best, self.best_total = image.clone(), total.clone()
        else:
            better = total < self.best_total  # never for NaN
            self.best.copy_(torch.where(better, image, self.best))
            self.best_total.copy_(torch.where(better, total, self.best_total))

    def note(self, total: float) -> str | None:
        """Take in the loss of the next picture; returns "diverged", "stalled" or None."""
        self.totals.append(total)
        if not total <= DIVERGED * self.totals[0]:
            self.average = None  # it has swallowed the explosion
            return "diverged"
        share, steps = STALLED
        last = self.totals[-steps - 1 :]
        still = len(last) > steps and max(last) - min(last) <= share * total
        return "stalled" if still else None

    def follow(self, decay: float, weight: Tensor) -> None:
        """Take the current picture into the running average, if there is one, with this weight."""
        if decay:
            image = self.image.detach()
            if self.average is None:
                self.average = image.clone()
            self.average.lerp_(image, weight)

    @torch.no_grad()
    def back_to_best(self) -> None:
        """Stand at the best picture so far, as one who knows no more than that."""
        if self.best is not None:
            self.image.copy_(self.best)
        self.image.grad, self.optimizer = None, None

    def picture(self) -> Tensor:
        """The running average, if there is one, else the best picture so far; in [0, 1]."""
        best = self.image if self.best is None else self.best
        return (best if self.average is None else self.average).clamp(0, 1)


def weight_of_next(decay: float, number: int) -> float:
    """So that after `number` + 1 steps the weights of all pictures so far add up to 1."""
    return (1 - decay) / (1 - decay ** (number + 1)) if decay else 1.0


class Watcher:
    """Shows every step to the history, the progress bar and the callback.

    On a GPU without a callback the numbers are read up to `LATE` steps late, so that it never waits
    for Python: a stall is then noticed so much later.
    """

    def __init__(
        self,
        sizes: list[tuple[int, int]],
        history: list[dict[str, Any]],
        seconds: float,
        callback: Callback | None,
        bar: tqdm[Any],
        interrupted: threading.Event,
        deliver: Callable[[Tensor], Tensor],
    ):
        """`deliver` makes of the picture in the loop what one gets; the rest is as it says."""
        self.sizes, self.history, self.callback = sizes, history, callback
        self.bar, self.interrupted, self.deliver = bar, interrupted, deliver
        self.began = time.perf_counter() - seconds
        self.underway: deque[tuple[int, list[str], Reading]] = deque()

    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self.began

    def __call__(self, state: State, seen: Seen) -> str | None:
        """Show the step; returns why the run is to end, if it is.

        "stopped", "interrupted", "diverged" or "stalled"; then, and after the last step, all steps
        have been shown.
        """
        reading = Reading(seen.numbers)
        self.underway.append((state.number, seen.names, reading))
        last = state.number >= self.sizes[state.size_index][1] or self.interrupted.is_set()
        ahead = LATE if reading.late and not self.callback and not last else 0
        reason = None
        while len(self.underway) > (0 if reason else ahead):
            # The first reason counts: what comes after it was under way already.
            found = self.show(state)
            reason = reason or found
        return reason

    def rewind(self, state: State) -> None:
        """Show all that is under way, and forget the last: it will be seen once more."""
        while self.underway:
            self.show(state)
        if state.totals:
            del state.totals[-1], self.history[-1]

    def show(self, state: State) -> str | None:
        """Show the oldest step that is under way; returns a reason to end the run."""
        number, names, reading = self.underway.popleft()
        *values, loss, at_bounds = reading.read()
        trouble = state.note(loss)
        size, num_steps = self.sizes[state.size_index]
        terms = dict(zip(names, values, strict=True))
        picture = state.image, self.deliver
        step = Step(number, num_steps, size, loss, terms, self.seconds(), at_bounds, *picture)
        self.history.append(step.record())
        self.bar.set_postfix_str(f"{size} px, loss {loss:.4g}", refresh=False)
        self.bar.update(number > 0)
        if self.callback:
            with own_modes():  # whatever it sets
                answer = self.callback(step)
            if bare(answer) is True:  # not what a lambda happens to give
                return "stopped"
        return "interrupted" if self.interrupted.is_set() else trouble


def check_callback(callback: object) -> None:
    """Raise SettingsError, before there is anything to lose, for what cannot be called."""
    if callback is not None and not callable(callback):
        raise SettingsError(
            f"callback is a function of a step, as lambda step: print(step.total), not a "
            f"{type(callback).__name__}"
        )


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event, so that a step is never cut in half.

    A second one interrupts at once. Outside the main thread, where no Ctrl-C arrives, it does
    nothing.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handler(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


def progress_bar(steps: int, shown: bool | None) -> tqdm[Any]:
    """A tqdm bar; by default shown in terminals and notebooks."""
    # Imported here, since in a notebook it loads ipywidgets.
    from tqdm.auto import tqdm as automatic

    if shown is None:
        shown = in_notebook() or (sys.stderr is not None and sys.stderr.isatty())
    return automatic(total=steps, disable=not shown, leave=False)


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this; that ipykernel has been imported says too little."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
