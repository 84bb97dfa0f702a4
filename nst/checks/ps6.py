"""Self-checks of problem set 6: normalisations by picture and by style, a loss, a training."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nst.checks import marking
from nst.checks.common import (
    Function,
    Mistake,
    call,
    close,
    compare,
    describe,
    difference,
    gradient_flows,
    helped,
    right,
    self_check,
)
from nst.checks.losses import pictures

STYLES = ["ink", "waves", "starry"]
Oracle = Callable[..., Any]


def tensor(oracle: Oracle) -> Function:
    """An oracle's answer as a tensor."""
    return lambda *arguments: torch.as_tensor(oracle(*arguments)).float()


@self_check
def instance_norm(function: Function) -> None:
    """Check `instance_norm(x, scale, shift)`: (B, C, H, W), (B, C) and (B, C) → (B, C, H, W).

    Raises:
        Mistake: says what is wrong.
    """
    wanted = tensor(marking.instance_norm)

    def over(axes: tuple[int, ...], correction: int = 0, power: float = 0.5) -> Function:
        def norm(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
            mean = x.mean(axes, keepdim=True)
            variance = x.var(axes, correction=correction, keepdim=True)
            y = (x - mean) / (variance + marking.SMALLEST) ** power
            return y * scale[..., None, None] + shift[..., None, None]

        return norm

    cases = [
        (4 * x + shift[..., None, None], scale, shift)
        for x, scale, shift in (pictures(seed, (2, 3, 4, 3), (2, 3), (2, 3)) for seed in (31, 32))
    ]
    mistakes = {
        "means and deviations are taken over the whole batch; each picture has its own.": over(
            (0, 2, 3)
        ),
        "means and deviations are taken over all channels together; each channel has its "
        "own.": over((1, 2, 3)),
        "the variance divides by N - 1; here it is the mean of the squares: correction=0.": over(
            (2, 3), correction=1
        ),
        "it divides by the variance; divide by its root.": over((2, 3), power=1.0),
        "scale and shift are swapped.": lambda x, g, b: wanted(x, b, g),
    }
    compare(function, wanted, cases, mistakes, 1e-3)
    flat = torch.full((1, 2, 3, 3), 0.7)
    flat[:, 1] = pictures(33, (3, 3))[0]
    rows = torch.tensor([[2.0, 3.0]]), torch.tensor([[0.5, -1.0]])
    (inside,) = pictures(34, (1, 2, 3, 3))
    for what, x in (("that is the same everywhere", flat), ("that is faint", 1e-3 * inside)):
        answer = call(function, (x, *rows))
        if not close(answer, wanted(x, *rows), 1e-3):
            raise Mistake(
                f"of a channel {what}, {difference(answer, wanted(x, *rows))} Is ε added to the "
                "variance?"
            )
    gradient_flows(function, (inside, *rows), inside)
    found = _slope(lambda x: function(x, *rows), inside)
    if not close(found, _slope(lambda x: marking.instance_norm_tensor(x, *rows), inside), 1e-3):
        raise Mistake(
            "the values are right, the gradient is not: mean and variance depend on x too, and "
            "must not be detached."
        )
    right("instance_norm")


@self_check
def adain(function: Function) -> None:
    """Check `adain(content, style, strength)`: (B, C, H, W), with a style's means and deviations.

    Raises:
        Mistake: says what is wrong.
    """
    wanted = tensor(marking.adain)
    content, style = pictures(35, (2, 3, 4, 3), (1, 3, 2, 5))
    content, style = 2 * content + 1, 3 * style
    mistakes = {
        "content and style are swapped.": lambda x, y, a=1.0: wanted(y, x, a),
        "it has the style's means, but its own deviations.": lambda x, y, a=1.0: (
            x + a * (y.mean((2, 3), keepdim=True) - x.mean((2, 3), keepdim=True))
        ),
        "the strength changes nothing.": lambda x, y, a=1.0: wanted(x, y),
        "the strength is upside down: 0 leaves the content as it is.": lambda x, y, a=1.0: wanted(
            x, y, 1 - a if a != 1 else 1
        ),
    }
    compare(function, wanted, [(content, style), (content, style, 0.3)], mistakes, 1e-3)
    compare(function, wanted, [(content, style, 0.0), (content, style, 1.0)], {}, 1e-3)
    several = torch.cat([style, style.flip(1)])
    answer = call(function, (content, several))
    if not close(answer, wanted(content, several), 1e-3):
        raise Mistake(
            "two styles for two pictures: " + difference(answer, wanted(content, several))
        )
    flat = content.clone()
    flat[:, 1] = 0.4
    for x, y in ((flat, style), (content, torch.full((1, 3, 2, 2), 0.5))):
        answer = call(function, (x, y))
        if not close(answer, wanted(x, y), 1e-3):
            raise Mistake(
                "of a channel that is the same everywhere, " + difference(answer, wanted(x, y))
            )
    right("adain")


@self_check
def shares_of(function: Function) -> None:
    """Check `shares_of(amounts, styles)`: amounts by name → shares (1, S), whose sum is 1.

    Raises:
        Mistake: says what is wrong.
    """
    cases = [({"waves": 3, "ink": 1.0}, STYLES), ({"starry": 0.2}, STYLES), ({"b": 1}, ["a", "b"])]
    mistakes = {
        "the shares do not add up to 1: divide by their sum.": lambda amounts, styles: torch.tensor(
            [[float(amounts.get(n, 0)) for n in styles]]
        ),
        "its shape is (S,), and should be (1, S).": lambda amounts, styles: torch.tensor(
            marking.shares(amounts, styles)[0]
        ),
    }
    compare(function, tensor(marking.shares), cases, mistakes)
    for amounts in ({"wavs": 1.0}, {"ink": -1.0, "waves": 2.0}, {"ink": 0.0}, {}):
        try:
            function(amounts, STYLES)
        except ValueError as error:
            if "wavs" in amounts and "wavs" not in str(error):
                raise Mistake(f"its ValueError does not name the strange style: {error}") from None
        except NotImplementedError:
            raise
        except Exception as error:
            raise Mistake(
                f"given {amounts!r}, it raises {type(error).__name__}; raise ValueError."
            ) from error
        else:
            raise Mistake(f"it takes {amounts!r}, and should raise ValueError.")
    right("shares_of")


@self_check
def conditional_norm(function: Function) -> None:
    """Check `conditional_norm(x, shares, scales, shifts)`: normalised, in mixtures of styles.

    Raises:
        Mistake: says what is wrong.
    """
    wanted = tensor(marking.conditional_norm)

    def strongest(x: Tensor, shares: Tensor, scales: Tensor, shifts: Tensor) -> Tensor:
        whole = torch.nn.functional.one_hot(shares.argmax(1), shares.shape[1]).float()
        return wanted(x, whole, scales, shifts)

    def check() -> None:
        shares = torch.tensor([[0.7, 0.3, 0.0, 0.0], [0.0, 0.25, 0.5, 0.25]])
        cases = [
            (x, mixture, scales, shifts)
            for mixture in (shares, torch.eye(4)[[2, 0]])
            for x, scales, shifts in [pictures(36, (2, 3, 4, 3), (4, 3), (4, 3))]
        ]
        mistakes = {
            "only the style with the largest share counts; mix the rows by their shares.": (
                strongest
            ),
            "all pictures get the first one's shares; each has a row of its own.": (
                lambda x, shares, *tables: wanted(x, shares[:1].expand_as(shares), *tables)
            ),
            "scales and shifts are swapped.": lambda x, shares, g, b: wanted(x, shares, b, g),
        }
        compare(function, wanted, cases, mistakes, 1e-3)
        for place in (2, 3):
            x, scales, shifts = pictures(37, (2, 3, 4, 3), (4, 3), (4, 3))
            case = [x, shares, scales, shifts]
            gradient_flows(function, tuple(case), case[place])

    helped(check, function, "conditional_norm", instance_norm=marking.instance_norm_tensor)
    right("conditional_norm")


@self_check
def share(function: Function) -> None:
    """Check `share(x, target)`: Σ(x - t)² / Σt² of each picture of a batch, and their mean.

    Raises:
        Mistake: says what is wrong.
    """
    x, target = pictures(38, (2, 3, 4, 3), (2, 3, 4, 3))
    target[1] *= 5
    mistakes = {
        "the sums go over the whole batch; divide for each picture, then take the mean.": (
            lambda x, t: (x - t).square().sum() / t.square().sum()
        ),
        "it adds up the pictures; take their mean.": lambda x, t: (
            marking.share_tensor(x, t) * len(x)
        ),
        "it divides by the picture's own squares; divide by the target's.": lambda x, t: (
            (x - t).square().sum((1, 2, 3)) / x.square().sum((1, 2, 3))
        ).mean(),
    }
    grams = pictures(39, (2, 4, 4), (1, 4, 4))
    compare(function, tensor(marking.share), [(x, target), (x[:1], target[1:])], mistakes, 1e-3)
    answer, wanted = call(function, tuple(grams)), torch.tensor(marking.share(*grams))
    if not close(answer, wanted, 1e-3):
        raise Mistake(
            f"of Gram matrices (2, 4, 4) and one target (1, 4, 4): {difference(answer, wanted)}"
        )
    gradient_flows(function, (x, target), x)
    right("share")


@self_check
def painting_loss(function: Function, content_layer: str, style_layers: Sequence[str]) -> None:
    """Check `painting_loss(network, painting, photograph, grams, style_weight)`, a scalar.

    Raises:
        Mistake: says what is wrong.
    """
    if content_layer != "relu3_1" or list(style_layers) != ["relu1_1", "relu2_1", "relu3_1"]:
        raise Mistake("CONTENT and STYLE have changed; this check needs them as they were.")
    painting, photograph = pictures(40, (2, 3, 6, 8), (2, 3, 6, 8))
    grams = marking.grams()

    def wanted(weight: float, content: float = 1.0) -> Tensor:
        whole = torch.tensor(marking.painting_loss(painting.detach(), photograph, grams, weight))
        style = whole - marking.painting_loss(painting.detach(), photograph, grams, 0.0)
        return content * (whole - style) + style

    def check() -> None:
        arguments = painting.detach(), photograph, grams
        answer = call(function, (marking.Tiny(), *arguments, 4.0))
        if not close(answer, wanted(4.0), 1e-3):
            for remark, value in {
                "the style weight is not in it.": wanted(1.0),
                "the style is added up over the layers; take their mean.": wanted(12.0),
                "the content is not in it.": wanted(4.0, 0.0),
                "the content is weighted too.": wanted(4.0, 4.0),
            }.items():
                if close(answer, value, 1e-3):
                    raise Mistake(remark)
            raise Mistake(difference(answer, wanted(4.0)))
        gradient_flows(function, (marking.Tiny(), painting, photograph, grams, 4.0), painting)
        watched = photograph.clone().requires_grad_()
        network = marking.Tiny()
        value = call(function, (network, painting, watched, grams, 4.0))
        if torch.autograd.grad(value, watched, allow_unused=True)[0] is not None:
            raise Mistake(
                "a gradient flows to the photograph: its activations are a target, so look at them "
                "under torch.no_grad()."
            )

    helped(check, function, "painting_loss", share=marking.share_tensor)
    right("painting_loss")


@self_check
def train(function: Function) -> None:
    """Check `train(painter, weights, photographs, loss, learning_rate)`: weights, and losses.

    Raises:
        Mistake: says what is wrong.
    """
    tint, given = marking.Tint(), marking.photographs(4)
    start = tint.start.clone()
    pair = call(function, (tint.paint, start, given, tint.loss, 0.05))
    if not (isinstance(pair, tuple | list) and len(pair) == 2):
        raise Mistake(f"it returns {describe(pair)}, not a pair of weights and losses.")
    weights, losses = pair
    if not isinstance(weights, Tensor):
        raise Mistake(f"the weights are {describe(weights)}, not a tensor.")
    if not (torch.equal(start, tint.start) and not start.requires_grad):
        raise Mistake("the weights that it is given have changed: work on a copy of them.")
    if len(tint.given) != 4 or not all(map(torch.equal, tint.given, given)):
        raise Mistake(
            f"for 4 photographs it paints {len(tint.given)} times, or not in their order: one step "
            "for each, as they come."
        )
    wanted, values = tint.trained(given, 0.05)
    if close(weights, tint.start, 1e-6):
        raise Mistake("the weights have not moved. Does the optimiser hold those that you return?")
    if not close(weights, wanted, 1e-3):
        raise Mistake(
            "the weights go another way than Adam's. Is there one optimiser for all steps, is the "
            "gradient cleared before each backward(), and is it loss(painting, photograph)?"
        )
    if weights.requires_grad:
        raise Mistake("right, but the weights still ask for a gradient: detach them.")
    if len(losses) != 4 or not all(isinstance(loss, float) for loss in losses):
        raise Mistake("the losses are one float for each step: use .item().")
    if not close(torch.tensor(losses), torch.tensor(values), 1e-3):
        raise Mistake("the losses should be those before each step.")
    right("train")


def _slope(function: Function, x: Tensor) -> Tensor:
    """The gradient of one of the answer's values."""
    inside = x.detach().clone().requires_grad_()
    return torch.autograd.grad(function(inside)[0, 0, 0, 0], inside)[0]
