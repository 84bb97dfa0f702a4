"""Self-checks of directions, lengths, curvature and a small descent."""

import numpy as np
import pytest
import torch

import nst
from nst import checks
from nst.checks.common import Mistake


def by_matrices(gradient, pairs, scale=True, order=1, sign=1):
    """The direction by the BFGS update of a whole matrix (Nocedal and Wright, equation 6.17)."""
    pairs = pairs[::order]
    step, change = (v.numpy() for v in pairs[-1])
    inverse = np.eye(len(step)) * ((step @ change) / (change @ change) if scale else 1)
    for step, change in ((s.numpy(), y.numpy()) for s, y in pairs):
        rho = 1 / (step @ change)
        left = np.eye(len(step)) - rho * np.outer(step, change)
        inverse = left @ inverse @ left.T + rho * np.outer(step, step)
    return torch.from_numpy(sign * inverse @ gradient.numpy())


def enough(before, after, slope, slope_after, length):
    return after <= before + 1e-4 * length * slope and abs(slope_after) <= 0.9 * abs(slope)


def central(gradient_at, x, v, h):
    difference = gradient_at(x + h * v).double().numpy() - gradient_at(x - h * v).double().numpy()
    return float(np.sqrt((difference**2).sum()) / (2 * h))


def smooth(noisy, weight, norm, steps, forget=True, share=1.0):
    """Adam by hand (Kingma and Ba 2015, algorithm 1)."""
    x, m, v, past = noisy.clone(), 0.0, 0.0, 0.0
    for t in range(1, steps + 1):
        x.requires_grad_()
        loss = share * (x - noisy).square().mean() + weight * nst.total_variation_loss(x, norm)
        (g,) = torch.autograd.grad(loss, x)
        past = g if forget else past + g
        m, v = 0.9 * m + 0.1 * past, 0.999 * v + 0.001 * past**2
        root = (v / (1 - 0.999**t)).sqrt() + 1e-8
        x = (x - 0.02 * (m / (1 - 0.9**t)) / root).detach()
    return x


RIGHT = [
    (checks.direction, by_matrices),
    (checks.wolfe, enough),
    (checks.stiffness, central),
    (checks.denoising, smooth),
]


WRONG = [
    (checks.direction, lambda g, p: g, "pairs are not used"),
    (checks.direction, lambda g, p: by_matrices(g, p, scale=False), "scale of the newest"),
    (checks.direction, lambda g, p: by_matrices(g, p, sign=-1), "other way"),
    (checks.direction, lambda g, p: by_matrices(g, p, order=-1), "should be"),
    (checks.wolfe, lambda b, a, *_: a < b, "next to nothing"),
    (checks.wolfe, lambda *c: c[1] < c[0] and abs(c[3]) <= 0.9 * abs(c[2]), "any fall"),
    (checks.wolfe, lambda *c: c[1] <= c[0] + 1e-4 * c[4] * c[2], "first condition only"),
    (checks.wolfe, lambda *c: not enough(*c), "wrong way round"),
    (checks.stiffness, lambda g, x, v, h: 2 * central(g, x, v, h), "2h apart"),
    (checks.stiffness, lambda g, x, v, h: (g(x + h * v) - g(x)).norm() / h, "one side"),
    (checks.denoising, lambda x, *_: x, "returns the noisy"),
    (checks.denoising, lambda *c: smooth(*c, forget=False), "add up"),
    (checks.denoising, lambda *c: smooth(*c, share=0.0), "holds the picture"),
    (checks.denoising, lambda x, w, n, s: smooth(x, w, n, 1), "single step"),
]


@pytest.mark.parametrize(("check", "answer", "remark"), WRONG)
def test_usual_mistakes_are_named(check, answer, remark):
    with pytest.raises(Mistake, match=remark):
        check(answer)
