"""Optimisers of a picture's pixels: L-BFGS as the textbooks have it, and a faster one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from nst.settings import Settings

LONGEST_STEP = 0.3  # the most that L-BFGS moves a pixel in one step; pixels are in [0, 1]
EXPONENT = 0.4  # of the amplitudes that `Spectrum` expects; 0 would be white
STRETCH = 3.0  # where no step was made yet, `LBFGS` goes so many times further than measured


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
    """L-BFGS on the picture's spectrum: `PlainLBFGS`, but for three things.

    Its coordinates are the picture's Fourier coefficients as `Spectrum` scales them. Along
    directions in which no step was made yet, it goes `STRETCH` times as far as the curvature of the
    last step says. And the two loops are matrix products with all remembered steps at once, which
    read them from memory twice instead of four times, and never make a GPU wait for Python.
    """

    def __init__(self, image: Tensor, learning_rate: float = 1.0, history: int = 30):
        super().__init__([image], {"lr": learning_rate, "history": history})
        self.spectrum = Spectrum(image)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move the image by its gradient, which the caller has computed."""
        (group,) = self.param_groups
        (image,) = group["params"]
        gradient, state = self.spectrum.analyse(image.grad), self.state[image]
        if not state:
            state.update(nothing_known(gradient, group["history"]))
        along = remember(state, gradient)
        # Nothing is known of the curvature: as tiny a step as torch's, then ever longer ones.
        tiny = 10 ** state["blind"] / image.grad.abs().sum().clamp(min=1)
        known = inverse_hessian_product(state, gradient, along)
        direction = torch.where(state["scale"] == 0, tiny * gradient, known)
        step = self.spectrum.synthesise(direction)
        length = (LONGEST_STEP / step.abs().max()).clamp(max=group["lr"])
        image -= length * step
        state.update(blind=state["blind"] + 1, move=-length * direction, gradient=gradient)


class Spectrum:
    """A picture's Fourier coefficients, divided by the amplitudes that are expected of them.

    These fall as 1/f^`EXPONENT` with the frequency f, so that steps of one size change coarse
    structures more than fine ones. Pictures themselves fall as 1/f (Field 1987); but a transfer
    changes their fine structures more.
    """

    def __init__(self, image: Tensor):
        height, width = self.shape = image.shape[-2:]
        rows = torch.fft.fftfreq(height, device=image.device, dtype=image.dtype)
        columns = torch.fft.rfftfreq(width, device=image.device, dtype=image.dtype)
        frequency = (rows[:, None] ** 2 + columns**2).sqrt().clamp(min=1 / max(self.shape))
        self.amplitude = frequency**-EXPONENT
        # All columns but the outer ones stand for their mirror images, too.
        self.count = torch.where((columns > 0) & (columns < 0.5), 2.0, 1.0).to(image).sqrt()

    def analyse(self, gradient: Tensor) -> Tensor:
        """A gradient with respect to the pixels, (1, 3, H, W), as one to the coordinates, flat."""
        coefficients = torch.fft.rfft2(gradient, norm="ortho")
        return torch.view_as_real(coefficients * (self.amplitude * self.count)).flatten()

    def synthesise(self, coordinates: Tensor) -> Tensor:
        """The picture with these coordinates; the transpose of `analyse`."""
        coefficients = torch.view_as_complex(coordinates.view(1, 3, *self.amplitude.shape, 2))
        scaled = coefficients * (self.amplitude / self.count)
        return torch.fft.irfft2(scaled, s=self.shape, norm="ortho")


def nothing_known(gradient: Tensor, history: int) -> dict[str, Any]:
    """The state of `LBFGS` before its first step.

    `pairs` (history, 2, n) holds steps and, after each, the gradient's change along it; zeros where
    there is none. `products` (2 · history, 2 · history) are the scalar products of these rows.
    """
    return {
        "count": -1,
        "blind": gradient.new_zeros(()),
        "scale": gradient.new_zeros(()),
        "pairs": gradient.new_zeros(history, 2, len(gradient)),
        "products": gradient.new_zeros(2 * history, 2 * history),
    }


def remember(state: dict[str, Any], gradient: Tensor) -> Tensor:
    """Put the last step, and the gradient's change along it, in the place of the oldest ones.

    Returns the gradient's scalar products with all rows of the memory.
    """
    state["count"] += 1
    if not state["count"]:
        return gradient.new_zeros(0)
    row = (state["count"] - 1) % len(state["pairs"])
    pair, stored = state["pairs"][row], rows(state)
    torch.stack([state["move"], gradient - state["gradient"]], out=pair)
    step, change = pair
    # Else the loss curves downwards along the step, which no parabola fits.
    fits = step @ change > 1e-6 * step.norm() * change.norm()
    scale = STRETCH * (step @ change) / change.square().sum()
    state["scale"] = torch.where(fits, scale, state["scale"])
    pair *= fits
    # One product of three vectors with all rows, so that these are read from memory once.
    *products, along = torch.stack([step, change, gradient]) @ stored.T
    here = slice(2 * row, 2 * row + 2)
    state["products"][here, : len(stored)] = torch.stack(products)
    state["products"][: len(stored), here] = torch.stack(products, dim=1)
    return along


def rows(state: dict[str, Any]) -> Tensor:
    """The steps and changes in the memory, (2 · their number, n), a step and its change in turn."""
    return state["pairs"][: state["count"]].flatten(0, 1)


def inverse_hessian_product(state: dict[str, Any], gradient: Tensor, along: Tensor) -> Tensor:
    """What `apply_inverse_hessian` computes, but that it starts with another scale γ.

    With steps as rows of S, changes as rows of Y, R the upper triangle of S Yᵀ and D its diagonal,
    the first loop solves R α = S g, the second Rᵀ δ = D α - γ Y (g - Yᵀ α), and they return
    γ (g - Yᵀ α) + Sᵀ δ (after Byrd, Nocedal and Schnabel 1994, equation 3.1). `along` holds the
    gradient's products with all rows.
    """
    stored, scale = rows(state), state["scale"]
    oldest = 2 * max(0, state["count"] - len(state["pairs"])) % max(len(stored), 1)
    # In float64, where there is one: the products of long and of short steps differ by far.
    exact = torch.float32 if gradient.device.type == "mps" else torch.float64
    products = state["products"][: len(stored), : len(stored)].to(exact)
    products = products.roll((-oldest, -oldest), (0, 1))
    along_steps, along_changes = along.to(exact).roll(-oldest).view(-1, 2).T
    curvature = products[::2, 1::2].triu()
    diagonal = curvature.diagonal()
    curvature = curvature + (diagonal == 0).to(exact).diag()  # rows of zeros stay out
    alpha = solve(curvature, along_steps, upper=True)
    rest = along_changes - products[1::2, 1::2] @ alpha
    delta = solve(curvature.T, diagonal * alpha - scale * rest, upper=False)
    shares = torch.stack([delta, -scale * alpha], dim=1).flatten().roll(oldest)
    return torch.addmv(scale * gradient, stored.T, shares.to(gradient))


def solve(triangle: Tensor, values: Tensor, upper: bool) -> Tensor:
    """The solution of a triangular system with one right-hand side."""
    return torch.linalg.solve_triangular(triangle, values[:, None], upper=upper)[:, 0]


def make_optimizer(image: Tensor, settings: Settings) -> torch.optim.Optimizer:
    """The optimiser that the settings name, for a contiguous leaf; a `step` is one update."""
    if settings.optimizer == "adam":
        return torch.optim.Adam([image], lr=settings.step_length(0))
    kind = {"lbfgs": LBFGS, "lbfgs-plain": PlainLBFGS}[settings.optimizer]
    return kind(image, settings.step_length(0), settings.history)
