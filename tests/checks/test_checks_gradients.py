"""Self-checks of gradients, and of what is made from Gram matrices."""

import numpy as np
import pytest
import torch

from nst import checks
from nst.checks.common import Mistake


def by_differences(loss, start, place, h):
    e = torch.zeros_like(start)
    e.view(-1)[place] = h
    return (loss(start + e) - loss(start - e)) / h / 2


def forward(loss, start, place, h):
    e = torch.zeros_like(start)
    e.view(-1)[place] = h
    return (loss(start + e) - loss(start)) / h


def in_place(loss, start, place, h):
    start.view(-1)[place] += h
    return loss(start) / (2 * h)


def descend(loss, start, steps, rate, sign=-1, every=True, last=torch.Tensor.detach):
    x = start.clone().requires_grad_()
    for step in range(steps):
        if every or step == 0:
            x.grad = None
            loss(x).backward()
        x.data += sign * rate * x.grad
    return last(x)


def told_once(loss, start, steps, rate):
    x = start.clone().requires_grad_()
    for _ in range(steps):
        x = x.detach() - rate * torch.autograd.grad(loss(x), x)[0]
    return x


def cosines(gram, power=0.5):
    table = gram.numpy().astype(float)
    strengths = np.diag(table) ** power
    return torch.tensor(table / np.outer(strengths, strengths))


def by_numpy(features, axes=(2, 3), divide=True):
    x = features.numpy().astype(float)
    x = x - x.mean(axes, keepdims=True)
    rows = x.reshape(*x.shape[:2], -1)
    return torch.tensor(rows @ rows.transpose(0, 2, 1) / (x[0].size if divide else 1))


def undivided_means(features):
    x = features.double()
    moments = torch.einsum("bihw,bjhw->bij", x, x) / x[0].numel()
    return moments - torch.einsum("bi,bj->bij", x.mean((2, 3)), x.mean((2, 3)))


RIGHT = [
    (checks.finite_difference, by_differences),
    (checks.descent, descend),
    (checks.similarity, cosines),
    (checks.covariance, by_numpy),
]


@pytest.mark.parametrize(
    ("name", "wrong", "remark"),
    [
        ("finite_difference", forward, "to one side"),
        ("finite_difference", in_place, "changes the picture"),
        ("finite_difference", lambda *a: 2 * by_differences(*a), "divide by 2 h"),
        ("finite_difference", lambda f, x, n, h: by_differences(f, x, n, h) * h**2, "brackets"),
        ("descent", lambda *a: descend(*a, sign=1), "climbs"),
        ("descent", lambda f, x, n, r: descend(f, x, 1, r), "single step"),
        ("descent", told_once, "again on every new tensor"),
        ("descent", lambda *a: descend(*a, every=False), "that of the start"),
        ("descent", lambda *a: descend(*a, last=lambda x: x), "still asks"),
        ("descent", lambda f, x, n, r: descend(f, x, n - 1, r), "makes 4 steps, not 5"),
        ("similarity", lambda g: cosines(g, 1), "root is missing"),
        ("similarity", lambda g: g / g.max(), "largest entry"),
        ("similarity", lambda g: (g.mT / g.diagonal()).mT, "every row"),
        ("similarity", lambda g: g / g.diagonal(), "every column"),
        ("covariance", lambda x: by_numpy(x, 1), "over the channels"),
        ("covariance", lambda x: by_numpy(x, (2, 3), False), "not divided"),
        ("covariance", lambda x: by_numpy(x, (0, 1, 2, 3)), "taken off everything"),
        ("covariance", undivided_means, "products of the means"),
        ("covariance", lambda x: by_numpy(x) + 1, "the values are not"),
    ],
)
def test_usual_mistakes_are_named(name, wrong, remark):
    with pytest.raises(Mistake, match=remark):
        getattr(checks, name)(wrong)
