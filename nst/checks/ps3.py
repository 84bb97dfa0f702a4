"""Self-checks of problem set 3 that `nst.checks` has not: gradients, and how to test them."""

import contextlib
import io

import torch
from torch import Tensor

from nst import losses
from nst.checks import losses as checks_of_losses
from nst.checks import marking
from nst.checks.common import (
    Function,
    Mistake,
    by_hand,
    call,
    compare,
    describe,
    helped,
    right,
    self_check,
)
from nst.checks.losses import pictures


@self_check
def content_loss(function: Function) -> None:
    """Check `content_loss(generated, content)`, as `nst.checks.content_loss` does.

    Raises:
        Mistake: says what is wrong.
    """
    checks_of_losses.content_loss(function)


@self_check
def style_loss(function: Function) -> None:
    """Check `style_loss(generated, style, layers)`, as `nst.checks.style_loss` does.

    Raises:
        Mistake: says what is wrong.
    """
    gram = marking.gram_tensor
    helped(lambda: checks_of_losses.style_loss(function), function, "style_loss", gram_matrix=gram)


@self_check
def total_variation(function: Function) -> None:
    """Check `total_variation(image)`, as `nst.checks` does, and that it loops over no pixels.

    Raises:
        Mistake: says what is wrong.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        checks_of_losses.total_variation(function)
    marking.no_loop(function, pictures(3, (1, 3, 4, 4)), pictures(3, (1, 3, 64, 64)), 16)
    right("total_variation")


@self_check
def numerical_gradient(function: Function) -> None:
    """Check `numerical_gradient(loss, x, step)`: central differences, a tensor like x.

    Raises:
        Mistake: says what is wrong.
    """
    x = torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64)
    before = x.clone()

    def cube(x: Tensor) -> Tensor:
        return (x.detach() ** 3).sum()

    def central(step: float) -> Tensor:
        return 3 * before**2 + step**2

    compare(
        lambda step: call(function, (cube, x, step)),
        central,
        [(0.1,), (0.01,)],
        {
            "that is the change on one side. Go up and down, and divide by two steps.": lambda h: (
                central(h) + 3 * before * h
            ),
            "that is the change on one side, below. Go up and down.": lambda h: (
                central(h) - 3 * before * h
            ),
            "the difference is not divided by anything.": lambda h: 2 * h * central(h),
            "up and down are two steps apart: divide by 2·step.": lambda h: 2 * central(h),
        },
        1e-6,
    )
    if not torch.equal(x, before):
        raise Mistake("the values are right, but x has changed: move a copy of it.")
    right("numerical_gradient")


@self_check
def gradient_error(function: Function) -> None:
    """Check `gradient_error(loss, x)`: the difference of two gradients, relative; a float.

    Raises:
        Mistake: says what is wrong.
    """
    x = torch.tensor([[0.5, -1.0, 2.0]], dtype=torch.float64)
    cases = [(2.0, 1.0), (-1.0, 2.0), (1.0, 0.0), (0.5, 0.5)]

    def check() -> None:
        for factor, wanted in cases:
            answer = call(function, (marking.wrong_gradient(factor), x))
            if isinstance(answer, Tensor) and answer.numel() == 1:
                answer = answer.item()
            if not isinstance(answer, float):
                raise Mistake(f"it returns {describe(answer)}, and should return a float.")
            (answer,) = marking.numbers(answer)
            if abs(answer - wanted) > 1e-3:
                remark = ""
                if abs(answer - 4 * wanted) < 1e-3:
                    remark = " Divide by the largest value of the numerical gradient."
                elif abs(answer - wanted / abs(factor)) < 1e-3:
                    remark = " Divide by the numerical gradient, which is right, not by PyTorch's."
                elif answer < 0:
                    remark = " Take absolute values."
                raise Mistake(
                    f"of a gradient that is {factor} times the right one, the error is "
                    f"{answer:.3g}, and should be {wanted}.{remark}"
                )
        right("gradient_error")

    numerical = marking.numerical_gradient
    helped(check, function, "gradient_error", numerical_gradient=numerical)


@self_check
def content_gradient(function: Function) -> None:
    """Check `content_gradient(generated, content)`: that of the mean squared difference.

    Raises:
        Mistake: says what is wrong.
    """

    def gradient(f: Tensor, p: Tensor) -> Tensor:
        return 2 * (f - p) / f.numel()

    cases = [tuple(pictures(seed, (1, 2, 3, 4), (1, 2, 3, 4))) for seed in (0, 1)]
    mistakes: dict[str, Function] = {
        "that is the gradient of the sum: divide by the number of values.": lambda f, p: (
            2 * (f - p)
        ),
        "that is the paper's equation 2, for half the sum. Here it is the mean.": lambda f, p: (
            f - p
        ),
        "the 2 of the square is missing.": lambda f, p: gradient(f, p) / 2,
        "the sign is wrong: the loss grows where generated is above content.": lambda f, p: (
            -gradient(f, p)
        ),
    }
    compare(by_hand(function), gradient, cases, mistakes)
    right("content_gradient")


@self_check
def style_gradient(function: Function) -> None:
    """Check `style_gradient(features, target)`: (1, C, H, W) and (1, C, C) → (1, C, H, W).

    Raises:
        Mistake: says what is wrong.
    """

    def gradient(f: Tensor, a: Tensor) -> Tensor:
        return torch.from_numpy(marking.style_gradient(f, a)).float()

    cases = []
    for seed, shape in enumerate([(1, 3, 2, 4), (1, 2, 3, 3)]):
        first, second = pictures(seed, shape, shape)
        cases.append((first, 2 * losses.gram_matrix(second)))
    mistakes: dict[str, Function] = {
        "half of it: an activation stands in a row of G and in a column.": lambda f, a: (
            gradient(f, a) / 2
        ),
        "the loss is a mean over C² values: divide by C².": lambda f, a: (
            gradient(f, a) * f.shape[1] ** 2
        ),
        "G is divided by C·H·W, and so is its gradient.": lambda f, a: gradient(f, a) * f.numel(),
        "neither the mean over C² nor the division by C·H·W is in it.": lambda f, a: (
            gradient(f, a) * f.numel() * f.shape[1] ** 2
        ),
        "the sign is wrong: G - A, not A - G.": lambda f, a: -gradient(f, a),
    }
    compare(by_hand(function), gradient, cases, mistakes, 1e-3)
    right("style_gradient")
