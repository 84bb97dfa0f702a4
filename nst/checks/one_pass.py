"""Checks of painting in one pass: normalisations by picture and by style, and a step of training.

The right answers are the painters' own: `nst.painters.networks.normalise`, with moments of
channels over positions.
"""

from typing import Any

import torch
from torch import Tensor, nn

from nst.checks.common import Function, Mistake, call, close, compare, describe, difference, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise
from nst.painters.networks import Moments, normalise, own_moments

RATE = 0.1  # of the optimiser that a training step is checked with


def over(*axes: int, correction: int = 0) -> Moments:
    """Moments over these axes of (B, C, H, W)."""
    return lambda x: (x.mean(axes, keepdim=True), x.var(axes, correction=correction, keepdim=True))


@exercise
def instance_norm(function: Function) -> None:
    """Check `instance_norm(x, scale, shift)`: γ·(x - μ) / σ + β, each picture's channels alone.

    `x` is (B, C, H, W), `scale` and `shift` are (B, C); the answer is (B, C, H, W).

    Raises:
        Mistake: says what is wrong.
    """

    def wanted(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return normalise(x, scale, shift, own_moments)

    def divided_by_variance(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        mean, variance = own_moments(x)
        return (x - mean) / variance * scale[..., None, None] + shift[..., None, None]

    cases = [
        (3 * x + 2 * shift[..., None, None], scale, shift)
        for x, scale, shift in (pictures(seed, (2, 3, 3, 2), (2, 3), (2, 3)) for seed in (21, 22))
    ]
    mistakes: dict[str, Function] = {
        "means and deviations are taken over the whole batch; each picture has its own: leave the "
        "first axis alone.": lambda x, g, b: normalise(x, g, b, over(0, 2, 3)),
        "means and deviations are taken over all channels together; each channel has its own: take "
        "the last two axes only.": lambda x, g, b: normalise(x, g, b, over(1, 2, 3)),
        "it divides by the variance; divide by its root.": divided_by_variance,
        "the variance divides by N - 1; here it is the mean of the squares: correction=0.": (
            lambda x, g, b: normalise(x, g, b, over(2, 3, correction=1))
        ),
        "scale and shift are swapped.": lambda x, g, b: wanted(x, b, g),
        "the scale is missing.": lambda x, g, b: wanted(x, torch.ones_like(g), b),
        "the shift is missing.": lambda x, g, b: wanted(x, g, torch.zeros_like(b)),
        "the mean is not taken off.": lambda x, g, b: normalise(
            x, g, b, lambda y: (torch.zeros(1), own_moments(y)[1])
        ),
    }
    compare(function, wanted, cases, mistakes, 1e-3)
    right("instance_norm")


@exercise
def training_step(function: Function) -> None:
    """Check `training_step(painter, photographs, loss, optimizer)`: one step of the weights.

    `painter` maps pictures to pictures, `loss(paintings, photographs)` is a scalar, `optimizer`
    knows the painter's weights. The answer is the loss before the step, as a float.

    Raises:
        Mistake: says what is wrong.
    """
    photographs = pictures(23, (2, 3, 3, 3))[0]
    given = photographs.clone()
    try:
        answers, painter = follow(function, given)
    except Mistake as mistake:
        if "inplace operation" in str(mistake):
            raise Mistake(
                "optimizer.step() comes before backward(), which needs the weights as they were."
            ) from mistake
        if "does not require grad" in str(mistake):
            raise Mistake(
                "no gradient leads from the loss to the painter's weights: the loss is that of "
                "painter(photographs), without torch.no_grad() or .detach()."
            ) from mistake
        raise
    wanted, own = follow(step, photographs)
    if not torch.equal(given, photographs):
        raise Mistake("it changes the photographs; the painter's weights are to change.")
    if torch.equal(painter.weight, fresh().weight):
        raise Mistake(
            "the painter's weights have not moved: loss.backward() gives them gradients, and "
            "optimizer.step() moves them; zero_grad() between the two would take these away."
        )
    usual = {
        "the gradients of all steps add up: optimizer.zero_grad() before backward().": piled_up,
        "the paintings come first: loss(paintings, photographs).": swapped,
        "it makes two steps; one is asked for.": twice,
    }
    if not close(painter.weight, own.weight, 1e-4):
        for remark, wrong in usual.items():
            if close(painter.weight, follow(wrong, photographs)[1].weight, 1e-4):
                raise Mistake(remark)
        raise Mistake(f"after three steps, of a weight: {difference(painter.weight, own.weight)}")
    if not all(isinstance(answer, float) for answer in answers):
        raise Mistake(f"it returns {describe(answers[0])}; return a number: .item().")
    if not close(torch.tensor(answers), torch.tensor(wanted), 1e-4):
        raise Mistake("the weights are right, the number is not: return the loss before the step.")
    right("training_step")


def fresh() -> nn.Conv2d:
    """A painter of one layer, always with the same weights."""
    painter = nn.Conv2d(3, 3, 1)
    weight, bias = pictures(24, (3, 3, 1, 1), (3,))
    painter.load_state_dict({"weight": weight, "bias": bias})
    return painter


def follow(function: Function, photographs: Tensor) -> tuple[list[Any], nn.Conv2d]:
    """What three steps return, and the painter after them."""
    painter = fresh()
    optimizer = torch.optim.SGD(painter.parameters(), lr=RATE)
    return [call(function, (painter, photographs, apart, optimizer)) for _ in range(3)], painter


def apart(paintings: Tensor, photographs: Tensor) -> Tensor:
    """A loss in which the two pictures have different parts."""
    return (paintings - 0.3 * photographs).square().sum() + paintings.mean()


def step(painter: nn.Module, photographs: Tensor, loss: Function, optimizer: Any) -> float:
    """One step, as it should be."""
    value = loss(painter(photographs), photographs)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    return value.item()


def piled_up(painter: nn.Module, photographs: Tensor, loss: Function, optimizer: Any) -> None:
    """Without zero_grad."""
    loss(painter(photographs), photographs).backward()
    optimizer.step()


def swapped(painter: nn.Module, photographs: Tensor, loss: Function, optimizer: Any) -> None:
    """The loss's arguments the other way round."""
    step(painter, photographs, lambda paintings, given: loss(given, paintings), optimizer)


def twice(painter: nn.Module, photographs: Tensor, loss: Function, optimizer: Any) -> None:
    """Two steps for one."""
    for _ in range(2):
        step(painter, photographs, loss, optimizer)


@exercise
def conditional_norm(function: Function) -> None:
    """Check `conditional_norm(x, shares, scales, shifts)`: a normalisation that knows styles.

    `x` is (B, C, H, W), `shares` (B, S) says how much of each style a picture is to have, `scales`
    and `shifts` are (S, C), a row for each style; the answer is (B, C, H, W).

    Raises:
        Mistake: says what is wrong.
    """

    def wanted(x: Tensor, shares: Tensor, scales: Tensor, shifts: Tensor) -> Tensor:
        return normalise(x, shares @ scales, shares @ shifts, own_moments)

    def strongest(x: Tensor, shares: Tensor, scales: Tensor, shifts: Tensor) -> Tensor:
        best = shares.argmax(1)
        return normalise(x, scales[best], shifts[best], own_moments)

    def plain(x: Tensor, shares: Tensor, scales: Tensor, shifts: Tensor) -> Tensor:
        return normalise(x, scales.mean(0)[None], shifts.mean(0)[None], own_moments)

    shares = torch.tensor([[0.7, 0.3, 0.0, 0.0], [0.0, 0.25, 0.5, 0.25]])
    cases = [
        (x, shares, scales, shifts)
        for x, scales, shifts in (pictures(s, (2, 3, 3, 2), (4, 3), (4, 3)) for s in (25, 26))
    ]
    mistakes: dict[str, Function] = {
        "only the style with the largest share counts; take the mean of all rows, by their "
        "shares.": strongest,
        "the shares are left out: each style counts as much.": plain,
        "all pictures get the first one's shares; each has a row of its own.": (
            lambda x, shares, *rows: wanted(x, shares[:1], *rows)
        ),
        "scales and shifts are swapped.": lambda x, shares, g, b: wanted(x, shares, b, g),
        "the scale is one style's alone: mix it as the shift.": lambda x, shares, g, b: normalise(
            x, g[shares.argmax(1)], shares @ b, own_moments
        ),
    }
    compare(function, wanted, cases, mistakes, 1e-3)
    right("conditional_norm")


@exercise
def adain(function: Function) -> None:
    """Check `adain(content, style)`: the content with the style's means and deviations.

    Activations (B, C, H, W) and (1, C, h, w); each channel of the answer, (B, C, H, W), has the
    mean and the deviation of the style's channel.

    Raises:
        Mistake: says what is wrong.
    """

    def by(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        return normalise(x, deviation, mean, own_moments)

    def moments(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = own_moments(x)
        return mean[..., 0, 0], variance.sqrt()[..., 0, 0]

    def wanted(content: Tensor, style: Tensor) -> Tensor:
        return by(content, *moments(style))

    shapes = (2, 3, 4, 3), (1, 3, 5, 2)
    cases = [(x, 3 * y + 1) for x, y in (pictures(seed, *shapes) for seed in (27, 28))]
    mistakes: dict[str, Function] = {
        "content and style are swapped.": lambda x, y: by(y, *moments(x)),
        "it has the style's means, but its own deviations.": lambda x, y: (
            x - own_moments(x)[0] + own_moments(y)[0]
        ),
        "it has the style's deviations, but the content's means.": lambda x, y: (
            wanted(x, y) - own_moments(y)[0] + own_moments(x)[0]
        ),
        "it has the style's deviations, but no means: add the style's.": lambda x, y: (
            wanted(x, y) - own_moments(y)[0]
        ),
        "it is only normalised: multiply by the style's deviation, and add its mean.": (
            lambda x, y: by(x, torch.zeros(1, 1), torch.ones(1, 1))
        ),
        "the deviations divide by N - 1; here they divide by the number of positions: "
        "correction=0.": lambda x, y: normalise(
            x, y.std((2, 3)), moments(y)[0], over(2, 3, correction=1)
        ),
        "the deviations are swapped: divide by the content's, multiply by the style's.": (
            lambda x, y: (
                (x - own_moments(x)[0]) * (own_moments(x)[1] / own_moments(y)[1]).sqrt()
                + own_moments(y)[0]
            )
        ),
        "it multiplies by the style's variance; take its root.": lambda x, y: by(
            x, moments(y)[0], moments(y)[1].square()
        ),
        "means and deviations are taken over the whole batch; each picture has its own.": (
            lambda x, y: normalise(x, moments(y)[1], moments(y)[0], over(0, 2, 3))
        ),
        "all of the style's channels are taken together; each has its own mean and "
        "deviation.": lambda x, y: by(x, y.mean()[None, None], y.std(correction=0)[None, None]),
    }
    compare(function, wanted, cases, mistakes, 1e-3)
    right("adain")
