"""Optimisers of a picture's pixels: L-BFGS as the textbooks have it, and a faster one."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.settings import Settings

LONGEST_STEP = 0.3  # the most that L-BFGS moves a pixel in one step; pixels are in [0, 1]
BLACK_TO_WHITE = 0.0, 1.0
STRETCH = 2.5  # where no step was made yet, `LBFGS` goes so many times further than measured
STEADY = 0.8  # weight of the past in how far that is
SHORTER, LONGER = 0.7, 1.1  # after a step that went too far, and after any other
FIRST_STEP = 0.01  # the most that `LBFGS` moves a pixel before it knows anything
# Of `Guess`:
FALL = 0.3  # exponent of the frequency
TRUST = 0.6  # exponent of the ratio of steps to changes
FADE = 0.9  # weight of the past, from step to step
LONGEST_IN_RING = tuple(2 ** (octave / 2) for octave in range(13, 1, -1))  # pixels a wave
COLOUR_AXES = (1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0)  # grey, and two without


class PlainLBFGS(torch.optim.Optimizer):
    """L-BFGS (Nocedal 1980) for one image: one step an evaluation, without a line search.

    From the last `history` steps and the changes of the gradient along them it learns how the loss
    curves, and from that how far to go. Differs from `torch.optim.LBFGS`, with which the published
    implementations run: it never stops by itself (torch's default tolerances end a run at the first
    evaluation when the loss is small, as normalised losses are), and no pixel moves by more than
    0.3 a step, which spares the explosions that a first, wrong idea of the curvature can cause.
    """

    def __init__(
        self,
        image: Tensor,
        learning_rate: float = 1.0,
        history: int = 100,
        limits: tuple[float, float] = BLACK_TO_WHITE,
    ):
        super().__init__([image], {"lr": learning_rate, "history": history})
        self.limits = limits

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (group,) = self.param_groups
        (image,) = group["params"]
        state, gradient = self.state[image], image.grad.flatten().clone()
        free = can_move(image, self.limits)
        if state:
            step, change = state["move"], (gradient - state["gradient"]) * free
            curvature = step @ change
            # Else the loss curves downwards along the step, which no parabola fits.
            if curvature > 1e-6 * step.norm() * change.norm():
                state["pairs"] = [*state["pairs"], [step, change, curvature]][-group["history"] :]
        pairs = state.get("pairs", [])
        direction = -apply_inverse_hessian(gradient * free, pairs) * free
        blind = 0 if pairs else state.get("blind", 0) + 1
        if blind:
            # Nothing is known of the curvature: as tiny a step as torch's, then ever longer ones.
            direction *= 10 ** (blind - 1) / gradient.abs().sum().clamp(min=1)
        step = group["lr"] * direction
        step *= (LONGEST_STEP / step.abs().max()).clamp(max=1)
        move(image, step, self.limits, step)
        state.update(pairs=pairs, blind=blind, move=step, gradient=gradient)


def apply_inverse_hessian(gradient: Tensor, pairs: list[list[Tensor]]) -> Tensor:
    """The two-loop recursion (Nocedal and Wright 2006, algorithm 7.4).

    `pairs` holds, oldest first, a step, the gradient's change along it, and their product.
    """
    result, shares = gradient.clone(), []
    for step, change, curvature in reversed(pairs):
        shares.append(step @ result / curvature)
        result -= shares[-1] * change
    if pairs:
        _, change, curvature = pairs[-1]
        result *= curvature / (change @ change)
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        result += (share - change @ result / curvature) * step
    return result


class LBFGS(torch.optim.Optimizer):
    """`PlainLBFGS` with a better first guess: as good a picture in about six tenths of the steps.

    Where it remembers nothing, plain L-BFGS takes the loss to be equally curved in all directions,
    and as much as along the last step. This one knows pictures (`Guess`), and goes `STRETCH` times
    as far as measured, on average over the last steps. Where a step led uphill, by the gradients at
    its two ends, the next ones are shorter: at a corner of the loss, as absolute values have it,
    what was measured is no guide. The two loops are matrix products with all remembered steps at
    once. All that it knows lies in tensors that are changed in place, and Python decides nothing by
    their values: on a GPU a step never waits, and can be recorded.
    """

    def __init__(
        self,
        image: Tensor,
        learning_rate: float = 1.0,
        history: int = 30,
        limits: tuple[float, float] = BLACK_TO_WHITE,
    ):
        super().__init__([image], {"lr": learning_rate, "history": history})
        self.guess, self.limits = Guess(image), limits

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (group,) = self.param_groups
        (image,) = group["params"]
        gradient, state = image.grad.flatten(), self.state[image]
        if not state:
            state.update(nothing_known(gradient, group["history"]) | self.guess.nothing_known())
        free = can_move(image, self.limits)
        known = learn(state, gradient, free, self.guess)
        gradient = gradient * free
        # Nothing is known of the curvature: a short step, then ever longer ones.
        longer = 10 ** state["blind"].clamp(max=20)
        short = (FIRST_STEP / gradient.abs().max()).clamp(max=1) * longer
        direction = torch.where(state["scale"] == 0, short * gradient, known * free)
        length = (LONGEST_STEP / direction.abs().max()).clamp(max=group["lr"]) * state["trust"]
        state["blind"] += 1
        move(image, -length * direction, self.limits, state["move"])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As the base class, which however makes all numbers of the image's type."""
        super().load_state_dict(state_dict)
        (image,) = self.param_groups[0]["params"]
        for name, value in state_dict["state"].get(0, {}).items():
            if value.dtype != image.dtype:
                self.state[image][name] = value.to(image.device, copy=True)


class Guess:
    """Guesses how far to go along a gradient, up to one factor for all of it.

    Further at low frequencies f, by 1/f^`FALL`. And further where the gradient changed little along
    the steps that were made: by place, and by colour and frequency, in square rings half an octave
    wide (by the larger of the frequencies down and across).

    At each place a step is divided by the root mean square of the changes, as Dauphin et al. (2015,
    "Equilibrated adaptive learning rates", section 4) divide by that of the Hessian's rows. It is
    that of 3×3 pixels in all colours: each pixel's own would paint grain. Among colours and
    frequencies the steps differ as much as the changes; there it is a power, `TRUST`, of their
    ratio: 1 would be right if the loss curved by colour and frequency alone.
    """

    def __init__(self, image: Tensor):
        self.size = image.shape[-2:]
        height, width = self.size
        down, across = torch.fft.fftfreq(height).abs(), torch.fft.rfftfreq(width)
        frequency = (down[:, None] ** 2 + across**2).sqrt().clamp(min=1 / max(height, width))
        self.fall = (frequency**-FALL).to(image)
        rings = torch.arange(len(LONGEST_IN_RING))
        bands = [torch.bucketize(f, 1 / torch.tensor(LONGEST_IN_RING)) for f in (down, across)]
        self.ring = torch.maximum(bands[0][:, None], bands[1]).to(image.device)
        self.down, self.across = ((b[:, None] == rings).to(image) for b in bands)
        # Which ring a band down and a band across meet in, as a matrix that takes the mean there.
        meets = torch.maximum(rings[:, None], rings).flatten()[:, None] == rings
        count = torch.outer(self.down.sum(0), self.across.sum(0)).flatten() @ meets.to(image)
        self.meets = meets.to(image) / count.clamp(min=1)
        self.axes = F.normalize(torch.tensor(COLOUR_AXES)).to(image)

    def nothing_known(self) -> dict[str, Tensor]:
        """Mean squares of changes by pixel (1, H, W); of steps and of changes by ring (2, 3, n).

        They are zeros where nothing was measured.
        """
        zeros = self.fall.new_zeros
        return {"pixels": zeros(1, *self.size), "rings": zeros(2, 3, len(LONGEST_IN_RING))}

    def learn(
        self, state: dict[str, Any], step: Tensor, change: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take in a step and the change along it, if it fits; the past fades by `FADE`.

        Returns the factors by place and by colour and frequency.
        """
        pixels = change.view(3, *self.size).square().mean(0, keepdim=True)
        state["pixels"].mul_(FADE).add_(weight * pixels)
        rings = torch.stack([self.by_ring(step), self.by_ring(change)])
        state["rings"].mul_(FADE).add_(weight * rings)
        return self.factors(state)

    def factors(self, state: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """By place (1, H, W), and by colour and frequency (3, H, W // 2 + 1)."""
        around = F.avg_pool2d(state["pixels"], 3, stride=1, padding=1, count_include_pad=False)
        steps, changes = state["rings"].log() / 2
        spectrum = self.fall * about_one(TRUST * (steps - changes), most=3)[:, self.ring]
        # Half of each place's factor before and half after, so that the product stays symmetric.
        return about_one(around.log() / -4, most=1), spectrum

    def by_ring(self, values: Tensor) -> Tensor:
        """Mean squares of a flat picture's coefficients, by colour axis and ring: (3, n)."""
        power = torch.fft.rfft2(self.turned(values), norm="ortho").abs().square()
        return (self.down.T @ power @ self.across).flatten(1) @ self.meets

    def turned(self, values: Tensor) -> Tensor:
        """A flat picture's colours on the colour axes: (3, H, W)."""
        return (self.axes @ values.view(3, -1)).view(3, *self.size)

    def __call__(self, factors: tuple[Tensor, Tensor], vector: Tensor) -> Tensor:
        """How far to go along a flat gradient; symmetric and positive definite."""
        local, spectrum = factors
        coefficients = spectrum * torch.fft.rfft2(local * self.turned(vector))
        further = local * torch.fft.irfft2(coefficients, s=self.size)
        return (self.axes.T @ further.flatten(1)).flatten()


def about_one(logarithms: Tensor, most: float) -> Tensor:
    """Factors about 1, at most e^`most` from it either way; 1 where nothing was measured."""
    known = logarithms.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    return (known - known.mean()).clamp(-most, most).exp()


def nothing_known(gradient: Tensor, history: int) -> dict[str, Any]:
    """The state of `LBFGS` before its first step.

    `steps` S and `changes` Y (history, n) hold steps, and how the gradient changed along each, in a
    ring; rows of zeros where there is none. `inverse` is that of the triangle R of S Yᵀ in which no
    step is older than the change, and `curvatures` its diagonal.
    """
    zeros = gradient.new_zeros
    # In float64, where there is one: the products of long and of short steps differ by far.
    exact = torch.float32 if gradient.device.type == "mps" else torch.float64
    return {
        "count": torch.zeros((), dtype=torch.int64, device=gradient.device),
        "blind": zeros(()),
        "scale": zeros(()),
        "trust": torch.ones_like(zeros(())),
        "move": zeros(len(gradient)),
        "gradient": zeros(len(gradient)),
        "steps": zeros(history, len(gradient)),
        "changes": zeros(history, len(gradient)),
        "inverse": zeros(history, history, dtype=exact),
        "curvatures": zeros(history, dtype=exact),
    }


def learn(state: dict[str, Any], gradient: Tensor, free: Tensor, guess: Guess) -> Tensor:
    """Take in the last step; returns how far to go along the gradient, by all that is known.

    Returns what `apply_inverse_hessian` computes, but that it starts from another guess M. With
    R α = S g, u = γ M (g - Yᵀ α), and D the curvatures on a diagonal, it is u + Sᵀ δ, where
    Rᵀ δ = D α - Y u (Byrd, Nocedal and Schnabel 1994, section 2). Pixels that are not `free` to
    move count neither in the gradient nor in its change.
    """
    step, before, trust = state["move"], state["gradient"], state["trust"]
    uphill = step @ (gradient + before) > 0
    trust.copy_(torch.where(uphill, trust * SHORTER, (trust * LONGER).clamp(max=1)))
    change = (gradient - before) * free
    before.copy_(gradient)
    gradient = gradient * free
    square, curvature = change @ change, step @ change
    # Else the loss curves downwards along the step, which no parabola fits.
    fits = curvature > 1e-6 * (step.norm() * square.sqrt())
    factors = guess.learn(state, step, change, fits / square.clamp(min=1e-30))
    past = state["scale"]
    scale = STRETCH * curvature / (change @ guess(factors, change))
    # From step to step it varies by far more than the loss's curvature does.
    steady = torch.where(past == 0, scale, past**STEADY * scale ** (1 - STEADY))
    past.copy_(torch.where(fits, steady, past))

    steps, changes, inverse = remember(state, step, change, fits)
    alpha = inverse @ (steps @ gradient).to(inverse)
    rest = torch.addmv(gradient, changes.T, alpha.to(gradient), alpha=-1)
    result = state["scale"] * guess(factors, rest)
    beta = state["curvatures"][: len(steps)] * alpha - (changes @ result).to(inverse)
    return torch.addmv(result, steps.T, (inverse.T @ beta).to(gradient))


def remember(
    state: dict[str, Any], step: Tensor, change: Tensor, fits: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Put a step, and the gradient's change along it, in the place of the oldest ones, if it fits.

    Returns S, Y and the inverse of R, as far as they are filled where that is known for free.
    """
    history, count = len(state["steps"]), state["count"]
    row = (count % history)[None]
    # A GPU would have to be waited for to know how many rows are filled; the others are zeros.
    used = history if change.is_cuda else min(history, int(count) + 1)
    count += fits
    steps, changes = state["steps"][:used], state["changes"][:used]
    inverse = state["inverse"][:used, :used]
    steps.index_copy_(0, row, (step * fits)[None])
    changes.index_copy_(0, row, (change * fits)[None])
    # Without the oldest row and column it is the inverse of what is left of R.
    inverse.index_fill_(0, row, 0).index_fill_(1, row, 0)
    products = (steps @ change).to(inverse)
    curvature = products[row]
    column = -(inverse @ products).index_fill(0, row, -1) / curvature
    inverse.index_copy_(1, row, torch.where(fits, column, 0)[:, None])
    state["curvatures"].index_copy_(0, row, curvature * fits)
    return steps, changes, inverse


def can_move(image: Tensor, limits: tuple[float, float]) -> Tensor:
    """Which pixels the gradient does not press against the limit that they are at; flat."""
    low, high = limits
    gradient = image.grad
    assert gradient is not None
    return torch.where(gradient > 0, image > low, image < high).flatten()


def move(image: Tensor, step: Tensor, limits: tuple[float, float], moved: Tensor) -> None:
    """Add a flat step, as far as the limits let each pixel go; `moved` gets the true move."""
    before = image.flatten().clone()
    image.add_(step.view_as(image)).clamp_(*limits)
    torch.sub(image.flatten(), before, out=moved)


class Adam(torch.optim.Adam):
    """Torch's Adam (Kingma and Ba 2015), with each pixel kept within the limits."""

    def __init__(
        self,
        image: Tensor,
        learning_rate: float = 0.02,
        limits: tuple[float, float] = BLACK_TO_WHITE,
    ):
        super().__init__([image], lr=learning_rate)
        self.limits = limits

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (image,) = self.param_groups[0]["params"]
        image.grad = image.grad * can_move(image, self.limits).view_as(image)
        super().step()
        image.clamp_(*self.limits)


def make_optimizer(image: Tensor, settings: Settings) -> torch.optim.Optimizer:
    """The optimiser that the settings name, for a contiguous leaf; a `step` is one update."""
    limits = BLACK_TO_WHITE if settings.bounds == "projected" else (-math.inf, math.inf)
    if settings.optimizer == "adam":
        return Adam(image, settings.step_length(0), limits)
    kind = {"lbfgs": LBFGS, "lbfgs-plain": PlainLBFGS}[settings.optimizer]
    return kind(image, settings.step_length(0), settings.history, limits)
