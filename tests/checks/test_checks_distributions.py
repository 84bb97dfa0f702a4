"""Self-checks of distances between distributions: right answers by NumPy and SciPy pass."""

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from nst import checks
from nst.checks.common import Mistake


def moments(x):
    rows = x[0].flatten(1)
    return torch.stack([rows.mean(1), rows.var(1, correction=0).sqrt()])


def mean_std(x, y, by=moments, which=slice(None)):
    return ((by(x) - by(y))[which] ** 2).sum()


def gaussian(m, s, n, t, twice=2.0, means=2.0, product=None):
    s, t = s.numpy(), t.numpy()
    between = sqrtm(s @ t) if product is None else sqrtm(product(s, t))
    trace = np.trace(s) + np.trace(t) - twice * np.trace(between).real
    return float(np.linalg.norm(m - n) ** means + trace)


def sliced(x, y, d, axis=-1, power=2):
    """With a row for each direction; a loop, so that every sort is of one line."""
    ours, theirs = (torch.stack([p @ line for line in d.T]) for p in (x, y))
    if axis is not None:
        ours, theirs = (p.sort(dim=axis)[0] for p in (ours, theirs))
    return ((ours - theirs).abs() ** power).sum() / ours.numel()


class Nearest:
    """With SciPy's cosine distances; a gradient by hand, for whoever asks for one."""

    def __call__(self, x, y):
        far = cdist(x.detach().numpy(), y.numpy(), "cosine")
        found = x.new_tensor(far.min(1).mean())
        return found + 0 * x.sum() if x.requires_grad else found


RIGHT = {
    "mean_std_distance": mean_std,
    "gaussian_distance": gaussian,
    "sliced_distance": sliced,
    "nearest_distance": Nearest(),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name, capsys):
    getattr(checks, name)(RIGHT[name])
    assert capsys.readouterr().out == f"✓ {name}\n"


def unbiased(x):
    return torch.stack([x.mean((2, 3))[0], x.std((2, 3))[0]])


def variances(x):
    return torch.stack([x.mean((2, 3))[0], x.var((2, 3), correction=0)[0]])


def cosines(x, y):
    return torch.cosine_similarity(x[:, None], y, dim=2)


def best(table, axis=1):
    return 1 - table.max(axis)[0].mean()


@pytest.mark.parametrize(
    ("name", "wrong", "remark"),
    [
        ("mean_std_distance", lambda x, y: mean_std(x, y, which=0), "means alone"),
        ("mean_std_distance", lambda x, y: mean_std(x, y, which=1), "deviations alone"),
        ("mean_std_distance", lambda x, y: mean_std(x, y, unbiased), "correction=0"),
        ("mean_std_distance", lambda x, y: mean_std(x, y, variances), "variances"),
        ("mean_std_distance", lambda x, y: mean_std(x, y) / 3, "over the channels"),
        ("mean_std_distance", lambda x, y: mean_std(x, y) ** 0.5, "root"),
        ("mean_std_distance", lambda x, y: mean_std(x, y).item(), "no gradient"),
        ("mean_std_distance", lambda x, y: None, "does every branch|not a tensor"),
        ("gaussian_distance", lambda *c: gaussian(*c, twice=1.0), "factor 2"),
        ("gaussian_distance", lambda *c: gaussian(*c, means=1.0), "not squared"),
        ("gaussian_distance", lambda *c: gaussian(*c) ** 0.5, "root of the whole"),
        ("gaussian_distance", lambda m, s, n, t: gaussian(m, s, m, t), "means are missing"),
        (
            "gaussian_distance",
            lambda *c: gaussian(*c, product=lambda s, t: sqrtm(t) @ s @ s @ sqrtm(t)),
            "^it is -?[\\d.e+]+, and should be [\\d.]+\\.$",
        ),
        (
            "gaussian_distance",
            lambda m, s, n, t: float(
                ((m - n) ** 2).sum() + np.linalg.norm(sqrtm(s.numpy()) - sqrtm(t.numpy())) ** 2
            ),
            "two roots",
        ),
        ("gaussian_distance", lambda *c: 3 * gaussian(*c), "right but for a factor: it is 3 times"),
        ("sliced_distance", lambda *c: sliced(*c, axis=None), "nothing is put in order"),
        ("sliced_distance", lambda *c: sliced(*c, axis=0), "across the directions"),
        ("sliced_distance", lambda *c: sliced(*c, power=1), "square them"),
        ("sliced_distance", lambda x, y, d: sliced(x, y, d) * len(x), "over the points"),
        (
            "sliced_distance",
            lambda x, y, d: sliced(x.sort(0)[0], y.sort(0)[0], d, axis=None),
            "project first",
        ),
        ("sliced_distance", lambda x, y, d: x.sort(0) @ d, "raises"),
        ("nearest_distance", lambda x, y: best(cosines(x, y), 0), "the other way round"),
        ("nearest_distance", lambda x, y: best(x @ y.T), "keep their lengths"),
        ("nearest_distance", lambda x, y: 1 - cosines(x, y).mean(), "all of y"),
        ("nearest_distance", lambda x, y: best(cosines(x, y)) * len(x), "sum over x"),
        ("nearest_distance", lambda x, y: 1 - best(cosines(x, y)), "how alike"),
    ],
)
def test_usual_mistakes_are_named(name, wrong, remark):
    with pytest.raises(Mistake, match=remark):
        getattr(checks, name)(wrong)


@pytest.mark.parametrize("name", RIGHT)
def test_stubs_are_told_what_to_do(name, capsys):
    def stub(*arguments): ...

    getattr(checks, name)(stub)
    assert capsys.readouterr().out.startswith("○ stub: write your code")
