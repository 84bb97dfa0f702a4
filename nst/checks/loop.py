"""Checks of the total loss and of the loop that makes it small."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nst import losses
from nst.checks.common import Function, Mistake, close, compare, difference, gradient_flows, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise

STEPS, RATE, TOLERANCE = 8, 0.1, 1e-3

# What torch says when a loop is set up wrongly, and what to do about it.
HINTS = {
    "does not require grad": "Is the picture told to require a gradient before the loss is taken?",
    "non-leaf": "Call requires_grad_() last: start.clone().requires_grad_().",
    "a leaf Variable that requires grad": "Change the picture's values under torch.no_grad().",
    "backward through the graph a second time": "Take the loss anew in every step.",
}


def _weighted_cases() -> list[tuple[Any, ...]]:
    """What a weighted sum is given: a picture, its activations, both targets', the weights."""
    first, second, third = "relu1_1", "relu2_1", "relu4_2"
    cases = []
    for seed, weights in enumerate([(2.0, 300.0, 0.7), (0.5, 40.0, 5.0)]):
        shapes = [(1, 3, 8, 6), (1, 2, 8, 6), (1, 3, 4, 3), (1, 4, 2, 2), (1, 4, 2, 2)]
        image, a, b, c, target = pictures(seed, *shapes)
        one, two = pictures(seed + 7, (1, 2, 5, 7), (1, 3, 2, 3))
        generated = {first: a, second: b, third: c}
        cases.append((image, generated, {third: target}, {first: one, second: two}, weights))
    return cases


@exercise
def total_loss(function: Function) -> None:
    """Check `total_loss(image, generated, content, style, weights)`: the weighted sum.

    `image` is (1, 3, H, W); `generated` are its activations by layer; `content` and `style` are the
    targets' activations, whose keys say which layers count; `weights` are those of content, style
    and total variation. Content losses are added up over their layers, as style losses are.

    Raises:
        Mistake: says what is wrong.
    """

    def weighted(*given: Any) -> Tensor:
        image, generated, content, style, weights = given
        alike = [losses.content_loss(generated, content, layer) for layer in content]
        texture = losses.style_loss(generated, style, list(style))
        smooth = losses.total_variation_loss(image)
        return weights[0] * torch.stack(alike).sum() + weights[1] * texture + weights[2] * smooth

    def with_weights(change: Callable[[list[float]], list[float]], *given: Any) -> Tensor:
        return weighted(*given[:4], change(list(given[4])))

    def with_weight(index: int, value: float, *given: Any) -> Tensor:
        weights = [value if i == index else w for i, w in enumerate(given[4])]
        return weighted(*given[:4], weights)

    def mean_over_layers(*given: Any) -> Tensor:
        return with_weights(lambda w: [w[0], w[1] / len(given[3]), w[2]], *given)

    def summed_variation(*given: Any) -> Tensor:
        image, weight = given[0], given[4][2]
        steps = torch.diff(image, dim=2), torch.diff(image, dim=3)
        return with_weight(2, 0, *given) + weight * sum(step.square().sum() for step in steps)

    cases = _weighted_cases()
    names = ("the content loss", "the style loss", "the total variation")
    mistakes: dict[str, Function] = {
        "the weights of content and style are exchanged: they come as content, style, total "
        "variation.": partial(with_weights, lambda w: [w[1], w[0], w[2]]),
        "no weight is used: multiply each loss by its own.": partial(
            with_weights, lambda w: [1.0, 1.0, 1.0]
        ),
        "that is the mean over the style layers; add them up.": mean_over_layers,
        "the total variation is a sum here; it is a mean.": summed_variation,
    }
    for index, name in enumerate(names):
        mistakes[f"{name} is missing."] = partial(with_weight, index, 0)
        mistakes[f"{name} is not multiplied by its weight."] = partial(with_weight, index, 1)
    compare(function, weighted, cases, mistakes)
    gradient_flows(function, cases[0], cases[0][1]["relu4_2"])
    image = cases[1][0]
    gradient_flows(function, cases[1], image)
    right("total_loss")


class Problem:
    """A tiny network, a loss that looks through it, and every picture that the loss was given.

    The best picture has values outside [0, 1], so that clamping on the way shows. The network's
    weights are not frozen: that is the loop's business.
    """

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(3)
        self.network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        with torch.no_grad():
            for weights in self.network.parameters():
                weights.copy_(0.3 * torch.randn(weights.shape, generator=generator))
            self.start = torch.rand(1, 3, 6, 5, generator=generator)
            goal = 3 * torch.rand(1, 3, 6, 5, generator=generator) - 1
            self.target = self.network(goal)
        self.seen: list[Tensor] = []
        self.differentiable = False  # whether a picture came that asks for a gradient

    def loss(self, image: Tensor) -> Tensor:
        """A scalar; notes the picture."""
        self.seen.append(image.detach().clone())
        self.differentiable |= image.requires_grad
        return (self.network(image) - self.target).square().sum()

    def follow(
        self,
        steps: int = STEPS,
        make: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        uphill: bool = False,
        forget: bool = True,
        clamp: bool = False,
    ) -> Tensor:
        """The last picture of a loop, right or with one of the usual mistakes; not clamped."""
        image = self.start.clone().requires_grad_()
        optimizer = make([image], lr=RATE)
        for _ in range(steps):
            if forget or image.grad is None:
                image.grad = torch.zeros_like(image)
            (gradient,) = torch.autograd.grad(self.loss(image), image)
            image.grad += -gradient if uphill else gradient
            optimizer.step()
            if clamp:
                image.data.clamp_(0, 1)
        return image.detach()


@exercise
def loop(function: Function) -> None:
    """Check `optimise(start, loss, network, num_steps, learning_rate)`: a loop with Adam.

    It makes `num_steps` steps from the picture `start`, along the gradient of `loss(picture)`, a
    scalar that looks through `network`, and returns the last picture, or the best, within [0, 1]
    (alone, or as the first of several things). It leaves `start` and the network as they are, and
    spends no gradients on the network's weights.

    Raises:
        Mistake: says what is wrong.
    """
    problem = Problem()
    start, network = problem.start.clone(), deepcopy(problem.network)
    answer = attempt(function, problem)
    picture = answer[0] if isinstance(answer, tuple | list) and answer else answer
    seen = list(problem.seen)
    if seen and not problem.differentiable:
        raise Mistake(
            "no gradient reaches the picture: make it with start.clone().requires_grad_() before "
            "the loss is taken."
        )
    look_around(problem, start, network)
    wanted = problem.follow().clamp(0, 1)
    if not isinstance(picture, Tensor) or picture.shape != start.shape:
        raise Mistake(difference(picture, wanted))
    if not seen:
        raise Mistake("it never calls loss, so it cannot know where to go.")
    plain = picture.detach()
    if not close(plain, wanted, TOLERANCE):
        raise Mistake(diagnose(problem, plain, seen, wanted))
    if picture.requires_grad:
        raise Mistake(
            "right, but the picture still asks for gradients: return image.detach(), or nobody "
            "can plot it."
        )
    right("the loop")


def attempt(function: Function, problem: Problem) -> object:
    """The answer of the reader's loop; if it raises, a Mistake with a hint."""
    try:
        return function(problem.start, problem.loss, problem.network, STEPS, RATE)
    except NotImplementedError:
        raise
    except Exception as error:
        hints = [hint for part, hint in HINTS.items() if part in str(error)]
        message = str(error).rstrip(".").splitlines()[0]
        said = f"it raises {type(error).__name__}: {message}."
        raise Mistake(" ".join([said, *hints[:1]])) from error


def look_around(problem: Problem, start: Tensor, network: nn.Module) -> None:
    """What the loop must leave as it was: the picture that it was given, and the network.

    Raises:
        Mistake: it did not.
    """
    if not torch.equal(problem.start.detach(), start):
        raise Mistake(
            "the picture that it was given is itself changed, and the caller's photograph is gone: "
            "work on start.clone()."
        )
    problem.start = start
    pairs = zip(problem.network.parameters(), network.parameters(), strict=True)
    if not all(torch.equal(one.detach(), other.detach()) for one, other in pairs):
        raise Mistake(
            "the network's weights have changed. The optimiser is to have one thing to change, the "
            "picture: Adam([image])."
        )
    if any(weights.grad is not None for weights in problem.network.parameters()):
        raise Mistake(
            "the network's weights were given gradients, which takes time and memory for nothing: "
            "call network.requires_grad_(False) before the loop."
        )


def diagnose(problem: Problem, picture: Tensor, seen: list[Tensor], wanted: Tensor) -> str:
    """What there is to say of a wrong picture."""
    follow = problem.follow
    if close(picture, problem.start, 1e-6):
        return (
            "the picture has not moved. Is it the one that the optimiser was given, and does "
            "optimizer.step() come after backward()?"
        )
    if close(picture, follow(), TOLERANCE):
        return (
            f"right, but its values run from {picture.min():.2f} to {picture.max():.2f}: clamp "
            "the picture to [0, 1] when you hand it back."
        )
    usual: dict[str, Callable[[], Tensor]] = {
        "the gradients of all steps add up: call optimizer.zero_grad() before each "
        "backward().": partial(follow, forget=False),
        "the picture is clamped in every step, behind the optimiser's back: its memory is then of "
        "steps that were never made. Clamp only the picture that you hand back.": partial(
            follow, clamp=True
        ),
        "it climbs: the loss rises. Go against the gradient.": partial(follow, uphill=True),
        f"it makes {STEPS - 1} steps, not {STEPS}.": partial(follow, STEPS - 1),
        f"it makes {STEPS + 1} steps, not {STEPS}.": partial(follow, STEPS + 1),
        "those are steps of plain gradient descent; use torch.optim.Adam.": partial(
            follow, make=torch.optim.SGD
        ),
    }
    for remark, wrong in usual.items():
        if close(picture, wrong().clamp(0, 1), TOLERANCE):
            return remark
    if len(seen) < STEPS:
        return f"it takes the loss {len(seen)} times, for {STEPS} steps: take it anew in each."
    before, after = problem.loss(problem.start).item(), problem.loss(picture).item()
    if not after < before:
        return f"the loss does not fall: it was {before:.3g} at the start and is {after:.3g} now."
    return "the loss falls, but not as with Adam at the given learning rate: " + difference(
        picture, wanted
    )
