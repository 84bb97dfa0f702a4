"""Checks of what pictures are judged by: shares of a distance, Pareto fronts, likelihoods."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from nst import judges, losses
from nst.checks.common import Function, Mistake, call, compare, describe, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise

Votes = list[tuple[str, str]]


@exercise
def style_left(function: Function) -> None:
    """Check `style_left(picture, content, style)`: a distance of Gram matrices, as a share.

    Each is (1, C, H, W), of one layer; the answer is ‖G - A‖² / ‖P - A‖² with the Gram matrices of
    the picture, G, the style, A, and the content, P.

    Raises:
        Mistake: says what is wrong.
    """

    def apart(x: Tensor, y: Tensor) -> Tensor:
        return (losses.gram_matrix(x) - losses.gram_matrix(y)).square().sum()

    def wanted(picture: Tensor, content: Tensor, style: Tensor) -> float:
        return judges.style_left({"one": picture}, {"one": content}, {"one": style})

    shapes = (1, 3, 4, 5), (1, 3, 4, 5), (1, 3, 6, 4)
    cases = [tuple(3**i * x for i, x in enumerate(pictures(seed, *shapes))) for seed in (13, 14)]
    mistakes: dict[str, Function] = {
        "that is the picture's distance alone; divide it by the photograph's.": lambda g, p, a: (
            apart(g, a)
        ),
        "it divides by the style's own size, as the loss does; divide by the photograph's distance "
        "to the style, so that 1 means: nothing painted.": lambda g, p, a: (
            apart(g, a) / losses.gram_matrix(a).square().sum()
        ),
        "upside down: the picture's distance goes above the line.": lambda g, p, a: (
            apart(p, a) / apart(g, a)
        ),
        "that is how far the picture is from the photograph; compare it with the style.": (
            lambda g, p, a: apart(g, p) / apart(p, a)
        ),
        "the root was taken; leave the squares.": lambda g, p, a: (
            apart(g, a) / apart(p, a)
        ).sqrt(),
    }
    compare(function, wanted, cases, mistakes)
    right("style_left")


def flags(function: Function) -> Callable[..., Tensor]:
    """A function that gives a list of truth values, as one that gives a tensor."""
    return lambda points: torch.tensor([float(flag) for flag in function(points)])


@exercise
def undominated(function: Function) -> None:
    """Check `undominated(points)`: for each point whether it is on the Pareto front.

    `points` are pairs of numbers of which lower is better; the answer is a list of as many bools.
    A point is on the front if no other is as good in both numbers and better in one.

    Raises:
        Mistake: says what is wrong.
    """

    def rule(beats: Callable[[Any, Any], bool]) -> Function:
        return lambda points: torch.tensor(
            [float(not any(beats(q, p) for q in points)) for p in points]
        )

    cases: list[tuple[Any, ...]] = [
        ([(1, 5), (2, 3), (2, 4), (4, 1), (5, 1), (6, 6), (2, 3)],),
        ([(3, 3), (1, 4), (3, 5), (4, 0), (4, 2)],),
    ]
    answer = call(function, cases[0])
    if not isinstance(answer, Sequence) or len(answer) != len(cases[0][0]):
        raise Mistake(
            f"it returns {describe(answer)}, not a list with True or False for each point."
        )
    mistakes: dict[str, Function] = {
        "the other way round: it marks those that are beaten.": lambda points: (
            1 - flags(judges.undominated)(points)
        ),
        "higher was taken for better; lower is.": rule(
            lambda q, p: q[0] >= p[0] and q[1] >= p[1] and q != p
        ),
        "a point that is as good in one number and worse in the other is beaten too: <= in both, "
        "and not the same.": rule(lambda q, p: q[0] < p[0] and q[1] < p[1]),
        "a point is counted as beaten by itself, or by its like: nobody is better in one number "
        "there.": rule(lambda q, p: q[0] <= p[0] and q[1] <= p[1]),
        "equal points beat each other; a point that beats another has to be better in one of the "
        "two numbers.": lambda points: torch.tensor(
            [float(sum(q[0] <= p[0] and q[1] <= p[1] for q in points) == 1) for p in points]
        ),
        "being worse in one number is no defeat: the other has to be as good in both.": rule(
            lambda q, p: q[0] < p[0] or q[1] < p[1]
        ),
    }
    compare(flags(function), flags(judges.undominated), cases, mistakes)
    right("undominated")


@exercise
def surprise(function: Function) -> None:
    """Check `surprise(strengths, votes)`: minus the log-likelihood of Bradley and Terry's model.

    `strengths` are numbers by name, `votes` pairs (winner, loser); the answer is the sum over the
    votes of -log(1 / (1 + exp(loser's - winner's))), a number.

    Raises:
        Mistake: says what is wrong.
    """

    def probability(s: dict[str, float], winner: str, loser: str) -> float:
        return 1 / (1 + math.exp(s[loser] - s[winner]))

    def total(term: Callable[[float], float]) -> Function:
        return lambda s, votes: sum(term(probability(s, *vote)) for vote in votes)

    def swapped(s: dict[str, float], votes: Votes) -> float:
        return wanted(s, [(loser, winner) for winner, loser in votes])

    wanted = total(lambda p: -math.log(p))
    cases = [
        ({"a": 0.5, "b": -1.0, "c": 0.2}, [("a", "b"), ("c", "a"), ("a", "b"), ("b", "c")]),
        ({"a": 2.0, "b": 0.3}, [("b", "a"), ("a", "b"), ("a", "b")]),
    ]
    mistakes: dict[str, Function] = {
        "the sign: the logarithm of a probability is negative, the surprise is not.": (
            total(math.log)
        ),
        "winner and loser are swapped: a vote is (winner, loser).": swapped,
        "that is the mean over the votes; take their sum.": lambda s, votes: (
            wanted(s, votes) / len(votes)
        ),
        "those are the probabilities; take minus the logarithm of each.": total(lambda p: p),
        "that is the product of the probabilities, the likelihood itself; take minus its "
        "logarithm.": lambda s, votes: math.prod(probability(s, *vote) for vote in votes),
        "that is the logarithm to the base 2 or 10; take the natural one.": total(
            lambda p: -math.log2(p)
        ),
        "only one vote counts: return after the loop.": lambda s, votes: wanted(s, votes[:1]),
    }
    compare(function, wanted, cases, mistakes)
    right("surprise")
