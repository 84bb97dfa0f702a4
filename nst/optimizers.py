"""Optimisers of a picture's pixels: L-BFGS as the textbooks have it, and a faster one."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.settings import Settings

LONGEST_STEP = 0.3  # the most that L-BFGS moves a pixel in one step; pixels are in [0, 1]
STRETCH = 2.5  # where no step was made yet, `LBFGS` goes so many times further than measured
STEADY = 0.8  # weight of the past in how far that is
FIRST_STEP = 0.01  # the most that `LBFGS` moves a pixel before it knows anything
# Of `Guess`:
FALL = 0.3  # exponent of the frequency
TRUST = 0.6  # exponent of the ratio of steps to changes
FADE = 0.9  # weight of the past, from step to step
COLOUR_AXES = (1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0)  # grey, and two without


class PlainLBFGS(torch.optim.Optimizer):
    """L-BFGS (Nocedal 1980) for one image: one step an evaluation, without a line search.

    From the last `history` steps and the changes of the gradient along them it learns how the loss
    curves, and from that how far to go. Differs from `torch.optim.LBFGS`, with which the published
    implementations run: it never stops by itself (torch's default tolerances end a run at the first
    evaluation when the loss is small, as normalised losses are), and no pixel moves by more than
    0.3 a step, which spares the explosions that a first, wrong idea of the curvature can cause.
    """

    def __init__(self, image: Tensor, learning_rate: float = 1.0, history: int = 100):
        super().__init__([image], {"lr": learning_rate, "history": history})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (group,) = self.param_groups
        (image,) = group["params"]
        state, gradient = self.state[image], image.grad.flatten()
        if state:
            step, change = state["move"], gradient - state["gradient"]
            curvature = step @ change
            # Else the loss curves downwards along the step, which no parabola fits.
            if curvature > 1e-6 * step.norm() * change.norm():
                state["pairs"] = [*state["pairs"], [step, change, curvature]][-group["history"] :]
        pairs = state.get("pairs", [])
        direction = -apply_inverse_hessian(gradient, pairs)
        blind = 0 if pairs else state.get("blind", 0) + 1
        if blind:
            # Nothing is known of the curvature: as tiny a step as torch's, then ever longer ones.
            direction *= 10 ** (blind - 1) / gradient.abs().sum().clamp(min=1)
        step = group["lr"] * direction
        step *= (LONGEST_STEP / step.abs().max()).clamp(max=1)
        image += step.view_as(image)
        state.update(pairs=pairs, blind=blind, move=step, gradient=gradient.clone())


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
    as far as measured, on average over the last steps. The two loops are matrix products with all
    remembered steps at once, in which a GPU never waits for Python.
    """

    def __init__(self, image: Tensor, learning_rate: float = 1.0, history: int = 30):
        super().__init__([image], {"lr": learning_rate, "history": history})
        self.guess = Guess(image)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (group,) = self.param_groups
        (image,) = group["params"]
        gradient, state = image.grad.flatten(), self.state[image]
        if state:
            remember(state, gradient - state["gradient"], self.guess)
        else:
            state.update(nothing_known(gradient, group["history"]) | self.guess.nothing_known())
        # Nothing is known of the curvature: a short step, then ever longer ones.
        short = (FIRST_STEP / gradient.abs().max()).clamp(max=1) * 10 ** state["blind"]
        known = inverse_hessian_product(state, gradient, partial(self.guess, state))
        direction = torch.where(state["scale"] == 0, short * gradient, known)
        length = (LONGEST_STEP / direction.abs().max()).clamp(max=group["lr"])
        move = -length * direction
        image += move.view_as(image)
        state.update(blind=state["blind"] + 1, move=move, gradient=gradient.clone())


class Guess:
    """Guesses how far to go along a gradient, up to one factor for all of it.

    Further at low frequencies f, by 1/f^`FALL`. And further where the gradient changed little along
    the steps that were made: by place, and by colour and frequency, in rings half an octave wide.

    At each place a step is divided by the root mean square of the changes, as Dauphin et al. (2015,
    "Equilibrated adaptive learning rates", section 4) divide by that of the Hessian's rows. It is
    that of 3×3 pixels in all colours: each pixel's own would paint grain. Among colours and
    frequencies the steps differ as much as the changes; there it is a power, `TRUST`, of their
    ratio: 1 would be right if the loss curved by colour and frequency alone.
    """

    def __init__(self, image: Tensor):
        self.size = image.shape[-2:]
        height, width = self.size
        frequency = torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width) ** 2
        frequency = frequency.sqrt().clamp(min=1 / max(height, width))
        self.fall = (frequency**-FALL).to(image)
        octaves = torch.arange(6.5, 0.6, -0.5)
        ring = torch.bucketize(frequency, 2**-octaves)
        self.ring = ring.to(image.device)  # of every coefficient
        self.in_ring = ring.flatten().bincount(minlength=len(octaves) + 1).clamp(min=1).to(image)
        self.axes = F.normalize(torch.tensor(COLOUR_AXES)).to(image)

    def nothing_known(self) -> dict[str, Tensor]:
        """Mean squares of changes by pixel (1, H, W); of steps and of changes by ring (2, 3, n).

        They are zeros where nothing was measured.
        """
        zeros = self.fall.new_zeros
        return {"pixels": zeros(1, *self.size), "rings": zeros(2, 3, len(self.in_ring))}

    def learn(self, state: dict[str, Any], step: Tensor, change: Tensor, fits: Tensor) -> None:
        """Take in a step and the change along it, if it fits; the past fades by `FADE`."""
        weight = fits / change.square().mean().clamp(min=1e-30)  # a change of 0 does not fit
        rings = torch.stack([self.by_ring(step), self.by_ring(change)])
        pixels = change.view(3, *self.size).square().mean(0, keepdim=True)
        state["pixels"] = FADE * state["pixels"] + weight * pixels
        state["rings"] = FADE * state["rings"] + weight * rings

    def by_ring(self, values: Tensor) -> Tensor:
        """Mean squares of a flat picture's coefficients, by colour axis and ring: (3, n)."""
        power = torch.fft.rfft2(self.turned(values), norm="ortho").abs().square().flatten(1)
        sums = power.new_zeros(3, len(self.in_ring)).index_add(1, self.ring.flatten(), power)
        return sums / self.in_ring

    def turned(self, values: Tensor) -> Tensor:
        """A flat picture's colours on the colour axes: (3, H, W)."""
        return (self.axes @ values.view(3, -1)).view(3, *self.size)

    def __call__(self, state: dict[str, Any], vector: Tensor) -> Tensor:
        """How far to go along a flat gradient; symmetric and positive definite."""
        around = F.avg_pool2d(state["pixels"], 3, stride=1, padding=1, count_include_pad=False)
        # Half of each place's factor before and half after, so that the product stays symmetric.
        local = about_one(around.log() / -4, most=1)
        steps, changes = state["rings"].log() / 2
        spectrum = self.fall * about_one(TRUST * (steps - changes), most=3)[:, self.ring]
        coefficients = spectrum * torch.fft.rfft2(local * self.turned(vector))
        further = local * torch.fft.irfft2(coefficients, s=self.size)
        return (self.axes.T @ further.flatten(1)).flatten()


def about_one(logarithms: Tensor, most: float) -> Tensor:
    """Factors about 1, at most e^`most` from it either way; 1 where nothing was measured."""
    known = torch.where(logarithms.isfinite(), logarithms, 0.0)
    return (known - known.mean()).clamp(-most, most).exp()


def nothing_known(gradient: Tensor, history: int) -> dict[str, Any]:
    """The state of `LBFGS` before its first step.

    `steps` and `changes` (history, n) hold steps, and how the gradient changed along each; rows of
    zeros where there is none. `products` (history, history) are scalar products of each with each.
    """
    return {
        "count": 0,
        "blind": gradient.new_zeros(()),
        "scale": gradient.new_zeros(()),
        "steps": gradient.new_zeros(history, len(gradient)),
        "changes": gradient.new_zeros(history, len(gradient)),
        "products": gradient.new_zeros(history, history),
    }


def remember(state: dict[str, Any], change: Tensor, guess: Guess) -> None:
    """Put the last step, and the gradient's change along it, in the place of the oldest ones."""
    row, step = state["count"] % len(state["steps"]), state["move"]
    state["count"] += 1
    # Else the loss curves downwards along the step, which no parabola fits.
    fits = step @ change > 1e-6 * step.norm() * change.norm()
    guess.learn(state, step, change, fits)
    past, scale = state["scale"], STRETCH * (step @ change) / (change @ guess(state, change))
    # From step to step it varies by far more than the loss's curvature does.
    steady = torch.where(past == 0, scale, past**STEADY * scale ** (1 - STEADY))
    state["scale"] = torch.where(fits, steady, past)
    state["steps"][row], state["changes"][row] = step * fits, change * fits
    steps = state["steps"][: state["count"]]
    state["products"][: len(steps), row] = steps @ state["changes"][row]


def inverse_hessian_product(
    state: dict[str, Any], gradient: Tensor, guess: Callable[[Tensor], Tensor]
) -> Tensor:
    """What `apply_inverse_hessian` computes, but that it starts from another guess M.

    With steps as rows of S, changes as rows of Y, R the upper triangle of S Yᵀ and D its diagonal,
    the first loop solves R α = S g; then u = γ M (g - Yᵀ α); the second loop solves
    Rᵀ δ = D α - Y u, and the product is u + Sᵀ δ (Byrd, Nocedal and Schnabel 1994, section 2).
    """
    count = min(state["count"], len(state["steps"]))
    steps, changes = state["steps"][:count], state["changes"][:count]
    oldest = state["count"] % count if state["count"] > count else 0
    # In float64, where there is one: the products of long and of short steps differ by far.
    exact = torch.float32 if gradient.device.type == "mps" else torch.float64
    products = state["products"][:count, :count].to(exact).roll((-oldest, -oldest), (0, 1))
    diagonal = products.diagonal()
    triangle = products.triu() + (diagonal == 0).to(exact).diag()  # rows of zeros stay out
    alpha = solve(triangle, (steps @ gradient).to(exact).roll(-oldest), upper=True)
    rest = torch.addmv(gradient, changes.T, alpha.roll(oldest).to(gradient), alpha=-1)
    result = state["scale"] * guess(rest)
    beta = (changes @ result).to(exact).roll(-oldest)
    delta = solve(triangle.T, diagonal * alpha - beta, upper=False)
    return torch.addmv(result, steps.T, delta.roll(oldest).to(gradient))


def solve(triangle: Tensor, values: Tensor, upper: bool) -> Tensor:
    """The solution of a triangular system with one right-hand side."""
    return torch.linalg.solve_triangular(triangle, values[:, None], upper=upper)[:, 0]


def make_optimizer(image: Tensor, settings: Settings) -> torch.optim.Optimizer:
    """The optimiser that the settings name, for a contiguous leaf; a `step` is one update."""
    if settings.optimizer == "adam":
        return torch.optim.Adam([image], lr=settings.step_length(0))
    kind = {"lbfgs": LBFGS, "lbfgs-plain": PlainLBFGS}[settings.optimizer]
    return kind(image, settings.step_length(0), settings.history)
