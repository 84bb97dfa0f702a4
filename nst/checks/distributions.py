"""Checks of distances between distributions: moments, Gaussians, slices, nearest neighbours."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from nst.checks.common import Function, compare, gradient_flows, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise
from nst.statistics import STATISTICS, Part
from nst.statistics.moments import root

PLACES = (2, 3)  # the axes of positions


@exercise
def mean_std_distance(function: Function) -> None:
    """Check `mean_std_distance(features, style)`: Σ(μ - μ')² + Σ(σ - σ')² over the channels.

    Both are (1, C, H, W), of one layer; the answer is a scalar.

    Raises:
        Mistake: says what is wrong.
    """
    kind = STATISTICS["mean-std"]

    def wanted(x: Tensor, y: Tensor) -> Tensor:
        return kind.distance(kind.measure(x), kind.target([Part(kind.measure(y))]))

    def apart(*statistics: Callable[[Tensor], Tensor]) -> Function:
        return lambda x, y: sum((s(x) - s(y)).square().sum() for s in statistics)

    def mean(x: Tensor) -> Tensor:
        return x.mean(PLACES)

    def deviation(x: Tensor) -> Tensor:
        return x.std(PLACES, correction=0)

    cases = [tuple(pictures(seed, (1, 3, 4, 5), (1, 3, 6, 4))) for seed in (21, 22)]
    cases = [(x, 2 * y + 0.3) for x, y in cases]
    mistakes: dict[str, Function] = {
        "that is the distance of the means alone; add that of the deviations.": apart(mean),
        "that is the distance of the deviations alone; add that of the means.": apart(deviation),
        "variances are compared: take their roots, the deviations, first.": apart(
            mean, lambda x: x.var(PLACES, correction=0)
        ),
        "the deviation is the unbiased one, divided by the number of positions less 1; say "
        "correction=0.": apart(mean, lambda x: x.std(PLACES)),
        "means and deviations are taken over the channels; take them over the positions, axes 2 "
        "and 3.": apart(lambda x: x.mean(1).mean(), lambda x: x.std(1, correction=0).mean()),
        "one mean and one deviation serve all channels; each has its own.": apart(
            torch.mean, lambda x: x.std(correction=0)
        ),
        "that is the mean over the channels; take their sum.": lambda x, y: (
            wanted(x, y) / x.shape[1]
        ),
        "the differences are not squared.": lambda x, y: sum(
            (s(x) - s(y)).abs().sum() for s in (mean, deviation)
        ),
        "the root was taken; leave the squares.": lambda x, y: wanted(x, y).sqrt(),
    }
    compare(function, wanted, cases, mistakes)
    generated, style = pictures(23, (1, 3, 4, 5), (1, 3, 4, 5))
    gradient_flows(function, (generated, style), generated)
    right("mean_std_distance")


@exercise
def gaussian_distance(function: Function) -> None:
    """Check `gaussian_distance(mean, covariance, its_mean, its_covariance)`: Wasserstein-2 squared.

    ‖μ - μ'‖² + tr(Σ + Σ' - 2(Σ'^½ Σ Σ'^½)^½) with means (C,) and covariances (C, C) of float64; the
    answer is a scalar.

    Raises:
        Mistake: says what is wrong.
    """

    def bures(trace: Callable[[Tensor, Tensor], Tensor]) -> Function:
        return lambda m, s, n, t: (m - n).square().sum() + trace(s, t)

    def between(s: Tensor, t: Tensor) -> Tensor:
        return root(root(t) @ s @ root(t)).trace()

    def apart(s: Tensor, t: Tensor) -> Tensor:
        return s.trace() + t.trace() - 2 * between(s, t)

    wanted = bures(apart)
    draws = [pictures(seed, (3, 3), (3, 3), (2, 3)) for seed in (24, 25)]
    cases = [
        (means[0].double(), covariance(a), means[1].double(), covariance(b))
        for a, b, means in draws
    ]
    mistakes: dict[str, Function] = {
        "the means are missing: add the squared distance of the two.": lambda m, s, n, t: apart(
            s, t
        ),
        "that is the distance of the means alone; add the trace.": bures(lambda s, t: 0 * s[0, 0]),
        "the factor 2 before the last root is missing.": bures(
            lambda s, t: s.trace() + t.trace() - between(s, t)
        ),
        "the outer root is missing: take that of Σ'^½ Σ Σ'^½, and then its trace.": bures(
            lambda s, t: s.trace() + t.trace() - 2 * (root(t) @ s @ root(t)).trace()
        ),
        "* multiplies entry by entry; matrices are multiplied by @.": bures(
            lambda s, t: s.trace() + t.trace() - 2 * root(root(t) * s * root(t)).trace()
        ),
        "that is the distance of the two roots, Σ(Σ^½ - Σ'^½)²: the same only for covariances "
        "with the same directions. Take the root of Σ'^½ Σ Σ'^½.": bures(
            lambda s, t: (root(s) - root(t)).square().sum()
        ),
        "that is the squared difference of the covariances themselves.": bures(
            lambda s, t: (s - t).square().sum()
        ),
        "the root of the whole was taken; leave W².": lambda *case: wanted(*case).sqrt(),
        "the distance of the means is not squared.": lambda m, s, n, t: (
            (m - n).norm() + apart(s, t)
        ),
    }
    compare(function, wanted, cases, mistakes)
    right("gaussian_distance")


def covariance(x: Tensor) -> Tensor:
    """A positive covariance of float64 made from a square matrix."""
    x = x.double()
    return x @ x.mT + 0.1 * torch.eye(len(x), dtype=x.dtype)


@exercise
def sliced_distance(function: Function) -> None:
    """Check `sliced_distance(x, y, directions)`: the mean of (x - y)² in order, along directions.

    Points (N, C) and (N, C), and P directions (C, P) of length 1; the answer is a scalar, the mean
    over points and directions.

    Raises:
        Mistake: says what is wrong.
    """

    def slices(order: Callable[[Tensor], Tensor]) -> Function:
        return lambda x, y, d: (order(x @ d) - order(y @ d)).square().mean()

    def up(x: Tensor) -> Tensor:
        return x.sort(0).values

    wanted = slices(up)
    drawn = [pictures(seed, (7, 3), (7, 3), (3, 4)) for seed in (26, 27)]
    cases = [(x, 2 * y - 0.5, F.normalize(d - 0.5, dim=0)) for x, y, d in drawn]
    mistakes: dict[str, Function] = {
        "nothing is put in order: sort the projections of each cloud first.": slices(lambda x: x),
        "sorted across the directions; sort along the points, axis 0.": slices(
            lambda x: x.sort(1).values
        ),
        "only one of the two is in order; sort both.": lambda x, y, d: (
            (up(x @ d) - y @ d).square().mean()
        ),
        "the channels are put in order and then projected: project first, then sort.": (
            lambda x, y, d: (up(x) @ d - up(y) @ d).square().mean()
        ),
        "there is no projection: sort the clouds along the directions, x @ directions.": (
            lambda x, y, d: (up(x) - up(y)).square().mean()
        ),
        "those are absolute differences; square them.": lambda x, y, d: (
            (up(x @ d) - up(y @ d)).abs().mean()
        ),
        "that is the sum over the points; take the mean.": lambda x, y, d: wanted(x, y, d) * len(x),
        "that is a sum; take the mean over points and directions.": lambda x, y, d: (
            wanted(x, y, d) * len(x) * d.shape[1]
        ),
        "only the means of the projections are compared.": lambda x, y, d: (
            ((x @ d).mean(0) - (y @ d).mean(0)).square().mean()
        ),
        "the root was taken; leave the squares.": lambda x, y, d: wanted(x, y, d).sqrt(),
    }
    compare(function, wanted, cases, mistakes)
    x, y, directions = pictures(28, (6, 3), (6, 3), (3, 2))
    gradient_flows(function, (x, y, directions), x)
    right("sliced_distance")


@exercise
def nearest_distance(function: Function) -> None:
    """Check `nearest_distance(x, y)`: the mean over x of 1 - cos to the most similar of y.

    Patches as rows, (N, D) and (M, D); the answer is a scalar.

    Raises:
        Mistake: says what is wrong.
    """

    def cosines(x: Tensor, y: Tensor) -> Tensor:
        return F.normalize(x, dim=1) @ F.normalize(y, dim=1).mT

    def wanted(x: Tensor, y: Tensor) -> Tensor:
        return 1 - cosines(x, y).max(1).values.mean()

    cases = [
        (x - 0.4, 3 * y - 1.2) for x, y in (pictures(seed, (6, 4), (5, 4)) for seed in (29, 30))
    ]
    mistakes: dict[str, Function] = {
        "the other way round: for each row of x the nearest of y, not for each of y the nearest "
        "of x.": lambda x, y: wanted(y, x),
        "the rows keep their lengths: divide each by its own, so that products are cosines.": (
            lambda x, y: 1 - (x @ y.mT).max(1).values.mean()
        ),
        "that is the mean over all of y; take only the most similar one.": lambda x, y: (
            1 - cosines(x, y).mean()
        ),
        "that is the least similar one: a large cosine means alike.": lambda x, y: (
            1 - cosines(x, y).min(1).values.mean()
        ),
        "that is how alike they are; the distance is 1 less it.": lambda x, y: (
            cosines(x, y).max(1).values.mean()
        ),
        "the nearest was found by straight distance; take the largest cosine.": lambda x, y: (
            1 - cosines(x, y).gather(1, torch.cdist(x, y).argmin(1)[:, None]).mean()
        ),
        "each is compared with the one in its own row; search all of y.": lambda x, y: (
            1 - cosines(x, y).diagonal().mean()
        ),
        "that is the sum over x; take the mean.": lambda x, y: wanted(x, y) * len(x),
    }
    compare(function, wanted, cases, mistakes)
    x, y = pictures(31, (6, 4), (5, 4))
    gradient_flows(function, (x, y), x)
    right("nearest_distance")
