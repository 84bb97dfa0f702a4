"""Self-checks of judging: right answers by other ways pass, usual mistakes get a name."""

import numpy as np
import pytest

from nst import checks
from nst.checks.common import Mistake


def gram(x):
    rows = x[0].numpy().astype(float).reshape(x.shape[1], -1)
    return rows @ rows.T / rows.size


def left(picture, content, style, power=1.0, by=None):
    g, p, a = gram(picture), gram(content), gram(style)
    below = p - a if by is None else by(a)
    return float((((g - a) ** 2).sum() / (below**2).sum()) ** power)


def front(points, strict=False):
    x = np.array(points)
    if strict:
        return [not any((q < p).all() for q in x) for p in x]
    return [not any((q <= p).all() and (q < p).any() for q in x) for p in x]


def unlike(points):
    """Compares each with all others by place in the list, so that equal points beat each other."""
    x = np.array(points)
    return [not (np.delete(x, i, 0) <= p).all(1).any() for i, p in enumerate(x)]


def likelihood(strengths, votes, sign=-1, swap=1):
    s = [swap * (strengths[w] - strengths[lost]) for w, lost in votes]
    return float(sign * -np.logaddexp(0, -np.array(s)).sum())


RIGHT = [
    (checks.style_left, left),
    (checks.undominated, front),
    (checks.surprise, likelihood),
    (checks.surprise, lambda *a: np.float32(likelihood(*a))),
]


@pytest.mark.parametrize(
    ("name", "wrong", "remark"),
    [
        ("style_left", lambda *f: left(*f, by=lambda a: a), "the style's own size"),
        ("style_left", lambda *f: left(*f, power=0.5), "root"),
        ("style_left", lambda *f: left(*f, power=-1), "upside down"),
        ("style_left", lambda *f: left(*f) + 1, "^it is [\\d.]+, and should be [\\d.]+\\.$"),
        ("style_left", lambda *f: 0.5 * left(*f), "factor: it is 0.5 times"),
        ("undominated", lambda points: front(points, strict=True), "as good in one number"),
        ("undominated", lambda points: [not x for x in front(points)], "the other way round"),
        ("undominated", lambda points: front([(-x, -y) for x, y in points]), "higher was taken"),
        ("undominated", lambda points: None, "not a list"),
        ("undominated", lambda points: [True], "not a list with True or False for each"),
        ("undominated", lambda points: [False for _ in points], "by itself"),
        ("undominated", unlike, "equal points beat each other"),
        ("surprise", lambda *a: likelihood(*a, sign=1), "the sign"),
        ("surprise", lambda *a: likelihood(*a, swap=-1), "swapped"),
        ("surprise", lambda s, votes: likelihood(s, votes) / len(votes), "mean over the votes"),
    ],
)
def test_usual_mistakes_are_named(name, wrong, remark):
    with pytest.raises(Mistake, match=remark):
        getattr(checks, name)(wrong)
