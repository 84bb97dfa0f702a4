"""Checks of what goes on on the way down: directions, lengths, curvature, and a small descent."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nst import losses
from nst.checks.common import Function, Mistake, call, compare, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise

Pairs = list[tuple[Tensor, Tensor]]
DECREASE, FLATTENING = 1e-4, 0.9  # Wolfe's constants, as torch has them


def _bowl(seed: int, size: int = 5) -> Tensor:
    """A symmetric matrix with eigenvalues from 1 to 20, in float64."""
    values = torch.linspace(1, 20, size, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    random = torch.randn(size, size, generator=generator, dtype=torch.float64)
    axes = torch.linalg.qr(random).Q
    return axes @ values.diag() @ axes.T


def _two_loops(
    gradient: Tensor,
    pairs: Pairs,
    first: Callable[[Pairs], Any] = reversed,
    scaled: bool = True,
    sign: int = 1,
    subtracts: bool = True,
) -> Tensor:
    """Algorithm 7.4 of Nocedal and Wright (2006); its options make the usual mistakes."""
    result, shares = gradient.clone(), []
    for step, change in first(pairs):
        shares.append((step @ result) / (step @ change))
        result = result - shares[-1] * change
    step, change = pairs[-1]
    if scaled:
        result = result * (step @ change) / (change @ change)
    for (step, change), share in zip(pairs, reversed(shares), strict=True):
        seen = (change @ result) / (step @ change) if subtracts else 0
        result = result + (share - seen) * step
    return sign * result


@exercise
def direction(function: Function) -> None:
    """Check `direction(gradient, pairs)`: about A⁻¹ times the gradient, by the two loops of L-BFGS.

    Vectors are flat; `pairs` holds a step and the gradient's change along it, oldest first.

    Raises:
        Mistake: says what is wrong.
    """
    cases = []
    for seed, number in enumerate((1, 3, 4)):
        bowl, generator = _bowl(seed), torch.Generator().manual_seed(seed)
        steps = torch.randn(number + 1, 5, generator=generator, dtype=torch.float64)
        cases.append((steps[0], [(step, bowl @ step) for step in steps[1:]]))
    mistakes: dict[str, Function] = {
        "that is the gradient itself: the pairs are not used.": lambda g, _: g,
        "the first loop goes from the oldest pair to the newest; it goes the other way, and the "
        "second one forward.": partial(_two_loops, first=list),
        "between the loops the scale of the newest pair is missing: s·y / y·y.": partial(
            _two_loops, scaled=False
        ),
        "it points the other way: hand back A⁻¹ times the gradient; whoever uses it takes the "
        "minus.": partial(_two_loops, sign=-1),
        "in the second loop the share is added, but what the result has of it already, "
        "y·result / s·y, is not taken off.": partial(_two_loops, subtracts=False),
    }
    compare(function, _two_loops, cases, mistakes)
    right("direction")


@exercise
def wolfe(function: Function) -> None:
    """Check `good_enough(before, after, slope, slope_after, length)`: Wolfe's strong conditions.

    `before` and `after` are losses, the slopes those of the loss along the direction at both ends
    of a step of that `length`; `slope` is negative. The answer is true or false.

    Raises:
        Mistake: says what is wrong.
    """

    def falls(*case: float, length: float | None = None) -> bool:
        return case[1] <= case[0] + DECREASE * (length or case[4]) * case[2]

    def flattens(*case: float) -> bool:
        return abs(case[3]) <= FLATTENING * abs(case[2])

    cases = {
        "a good step": (10.0, 9.0, -2.0, -0.5, 1.0),
        "a step uphill": (10.0, 10.5, -2.0, -0.5, 1.0),
        "a step that gains next to nothing": (10.0, 9.99995, -2.0, 1.0, 1.0),
        "a step that gains too little for its length": (10.0, 9.999, -2.0, 1.0, 20.0),
        "a step too short: as steep as before": (10.0, 9.9, -2.0, -1.95, 0.05),
        "a step too long: as steep, on the other side": (10.0, 9.0, -2.0, 1.9, 1.0),
        "a good step that ends on the other side": (10.0, 8.0, -4.0, 1.0, 0.5),
    }
    mistakes: dict[str, Function] = {
        "that is the first condition only: the loss falls enough. The second is missing: the "
        "slope is clearly less steep than before.": falls,
        "that is the second condition only: the slope has flattened. The first is missing: the "
        "loss has fallen enough.": flattens,
        "a step too far passes: where it leads up steeply on the other side, the slope is "
        "positive. Compare absolute values.": lambda *c: falls(*c) and c[3] >= FLATTENING * c[2],
        "in the first condition the fall that is asked for does not grow with the step's length: "
        "it is 10⁻⁴ · length · slope.": lambda *c: falls(*c, length=1.0) and flattens(*c),
        "any fall of the loss passes; it must be at least 10⁻⁴ of what the slope "
        "promised.": lambda *c: c[1] < c[0] and flattens(*c),
        "the answers are the wrong way round: true means good enough.": lambda *c: (
            not (falls(*c) and flattens(*c))
        ),
    }
    for name, case in cases.items():
        answer, wanted = call(function, case), falls(*case) and flattens(*case)
        if answer is None or bool(answer) != wanted:
            for remark, wrong in mistakes.items():
                if all(call(function, c) == wrong(*c) for c in cases.values()):
                    raise Mistake(remark)
            raise Mistake(f"of {name} it says {answer}, and should say {wanted}.")
    right("good_enough")


@exercise
def stiffness(function: Function) -> None:
    """Check `stiffness(gradient_at, x, v, h)`: ‖g(x + hv) - g(x - hv)‖ / 2h, a number.

    `gradient_at` is a function of the picture, `v` a direction of length 1.

    Raises:
        Mistake: says what is wrong.
    """

    def gradient_at(x: Tensor) -> Tensor:
        return x**3 + 2 * x

    def ends(x: Tensor, v: Tensor, h: float) -> tuple[Tensor, Tensor]:
        return gradient_at(x + h * v), gradient_at(x - h * v)

    def own(_: Function, x: Tensor, v: Tensor, h: float) -> Tensor:
        high, low = ends(x, v, h)
        return (high - low).norm() / (2 * h)

    cases = []
    for seed, h in enumerate((0.1, 0.5)):
        x, v = pictures(seed, (1, 3, 4, 4), (1, 3, 4, 4))
        cases.append((gradient_at, x, v / v.norm(), h))
    mistakes: dict[str, Function] = {
        "the two points are 2h apart, not h: divide by 2h.": lambda g, x, v, h: 2 * own(g, x, v, h),
        "it is not divided by anything: what counts is the change for each unit of "
        "the way.": lambda g, x, v, h: 2 * h * own(g, x, v, h),
        "it looks to one side only; take the gradients at x + hv and at x - hv.": (
            lambda _, x, v, h: (ends(x, v, h)[0] - gradient_at(x)).norm() / h
        ),
        "that is the sum of both gradients; take their difference.": lambda _, x, v, h: (
            torch.stack(ends(x, v, h)).sum(0).norm() / (2 * h)
        ),
        "take the length of the difference of the two gradients, not the difference of their "
        "lengths.": lambda _, x, v, h: (
            (ends(x, v, h)[0].norm() - ends(x, v, h)[1].norm()) / (2 * h)
        ),
        "that is the square of the length; take the length, .norm().": lambda g, x, v, h: (
            own(g, x, v, h).square() * 2 * h
        ),
    }
    compare(function, own, cases, mistakes)
    right("stiffness")


def _denoise(
    noisy: Tensor,
    weight: float,
    norm: str,
    steps: int,
    forget: bool = True,
    factor: float = 1.0,
    faithful: bool = True,
) -> Tensor:
    """A few steps of Adam towards a smooth picture; its options make the usual mistakes."""
    image = noisy.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=0.02)
    for _ in range(steps):
        if forget:
            optimizer.zero_grad()
        loss = factor * weight * losses.total_variation_loss(image, norm)
        (loss + (image - noisy).square().mean() * faithful).backward()
        optimizer.step()
    return image.detach()


@exercise
def denoising(function: Function) -> None:
    """Check `denoise(noisy, weight, norm, steps)`: Adam at 0.02 on closeness + weight · variation.

    It starts at the noisy picture, and returns another one.

    Raises:
        Mistake: says what is wrong.
    """
    cases = [
        (picture, weight, norm, 6)
        for picture, weight, norm in zip(
            pictures(4, (1, 1, 1, 12), (1, 3, 5, 6)), (0.7, 0.2), ("l2", "l1"), strict=True
        )
    ]
    mistakes: dict[str, Function] = {
        "it returns the noisy picture: is the loss taken, does backward() come before step(), "
        "and is the changed picture handed back?": lambda noisy, *_: noisy,
        "the gradients of all steps add up: optimizer.zero_grad() belongs into the loop, before "
        "backward().": partial(_denoise, forget=False),
        "the weight is not used: multiply the variation by it.": lambda x, w, n, s: _denoise(
            x, 1.0, n, s
        ),
        "nothing holds the picture to the noisy one: add the mean of the squared "
        "differences.": partial(_denoise, faithful=False),
        "it makes one step too few.": lambda x, w, n, s: _denoise(x, w, n, s - 1),
        "it makes a single step: what changes the picture belongs into the "
        "loop.": lambda x, w, n, s: _denoise(x, w, n, 1),
        "the norm is not passed on to the variation.": lambda x, w, n, s: _denoise(x, w, "l2", s),
    }
    compare(function, _denoise, cases, mistakes, tolerance=1e-3)
    right("denoise")
