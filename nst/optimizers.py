"""Optimisers of a picture's pixels: L-BFGS as the textbooks have it, and a faster one."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.settings import Settings

LONGEST_STEP = 0.3  # the most that L-BFGS moves a pixel in one step; pixels are in [0, 1]
STRETCH = 3.0  # where no step was made yet, `LBFGS` goes so many times further than measured
FALL = 0.3  # exponent of the frequency in `Guess`
FIELD = 4  # pixels
FADE = 0.95  # weight of the past, from step to step, in what `Guess` measures


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
    """`PlainLBFGS` with a better first guess: as good a picture in about two thirds of the steps.

    Where it remembers nothing, plain L-BFGS takes the loss to be equally curved in all directions,
    and as much as along the last step. This one knows pictures (`Guess`), and goes `STRETCH` times
    as far. The two loops are matrix products with all remembered steps at once, in which a GPU
    never waits for Python.
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
        # Nothing is known of the curvature: as tiny a step as torch's, then ever longer ones.
        tiny = 10 ** state["blind"] / gradient.abs().sum().clamp(min=1)
        known = inverse_hessian_product(state, gradient, partial(self.guess, state))
        direction = torch.where(state["scale"] == 0, tiny * gradient, known)
        length = (LONGEST_STEP / direction.abs().max()).clamp(max=group["lr"])
        move = -length * direction
        image += move.view_as(image)
        state.update(blind=state["blind"] + 1, move=move, gradient=gradient.clone())


class Guess:
    """Guesses how far to go along a gradient, up to one factor for all of it.

    Further at low frequencies f, by 1/f^`FALL`. And further where the gradient changed little for
    the steps that were made: among the frequencies, in rings half an octave wide, and in the
    picture, in fields of about `FIELD` × `FIELD` pixels. Were the curvature a matter of rings or
    fields alone, the right factor would be the square root of mean squared step over mean squared
    change; as it is not, the guess takes the root of that root.
    """

    def __init__(self, image: Tensor):
        self.shape, self.size = image.shape, image.shape[-2:]
        height, width = self.size
        frequency = torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width) ** 2
        frequency = frequency.sqrt().clamp(min=1 / max(height, width))
        self.fall = (frequency**-FALL).to(image)
        octaves = torch.arange(6.5, 0.6, -0.5)
        ring = torch.bucketize(frequency, 2**-octaves)
        self.ring = ring.to(image.device)  # of every coefficient
        self.in_ring = ring.flatten().bincount(minlength=len(octaves) + 1).clamp(min=1).to(image)
        self.fields = max(1, round(height / FIELD)), max(1, round(width / FIELD))

    def nothing_known(self) -> dict[str, Tensor]:
        """Sums of mean squares of the steps, and of the changes: (2, rows, columns), (2, n)."""
        zeros = self.fall.new_zeros
        return {"fields": zeros(2, *self.fields), "rings": zeros(2, len(self.in_ring))}

    def learn(self, state: dict[str, Any], step: Tensor, change: Tensor, fits: Tensor) -> None:
        """Take in a step and the change along it, if it fits; the past fades by `FADE`."""
        weight = fits / change.square().sum()
        measured = zip(self.measure(step), self.measure(change), strict=True)
        for name, both in zip(("fields", "rings"), measured, strict=True):
            state[name] = FADE * state[name] + weight * torch.stack(both)

    def measure(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squares of a flat picture's pixels by field, and of its coefficients by ring."""
        picture = values.view(self.shape)[0]
        fields = F.adaptive_avg_pool2d(picture.square().mean(0, keepdim=True), self.fields)[0]
        power = torch.fft.rfft2(picture, norm="ortho").abs().square().mean(0).flatten()
        rings = torch.zeros_like(self.in_ring).index_add(0, self.ring.flatten(), power)
        return fields, rings / self.in_ring

    def __call__(self, state: dict[str, Any], vector: Tensor) -> Tensor:
        """How far to go along a flat gradient; symmetric and positive definite."""
        # Fields count before and after, hence half of each; so the product stays symmetric.
        local = factors(state["fields"]).sqrt()[None, None]
        local = F.interpolate(local, self.size, mode="bilinear")
        spectrum = self.fall * factors(state["rings"])[self.ring]
        coefficients = torch.fft.rfft2(local * vector.view(self.shape))
        return (local * torch.fft.irfft2(spectrum * coefficients, s=self.size)).flatten()


def factors(squares: Tensor) -> Tensor:
    """(steps² / changes²)^¼, but for a common factor; 1 where nothing was measured."""
    steps, changes = squares
    ratio = (steps / changes).log()
    ratio = torch.where(ratio.isfinite(), ratio, 0.0)
    return ((ratio - ratio.mean()) / 4).clamp(-3, 3).exp()


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
    scale = STRETCH * (step @ change) / (change @ guess(state, change))
    state["scale"] = torch.where(fits, scale, state["scale"])
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
