"""Self-checks of decibels, distances, ranks, costs and tiles."""

import numpy as np
import pytest
import torch

from nst import checks
from nst.checks.common import Mistake


def decibels(image, clean):
    return 10 * np.log10(1 / ((image - clean).double().numpy() ** 2).mean())


def apart(found, target):
    shares = [
        (((f - p).double().numpy()) ** 2).sum() / (p.double().numpy() ** 2).sum()
        for f, p in zip(found.values(), target.values(), strict=True)
    ]
    return float(np.mean(shares))


def by_counting(a, b):
    """Spearman's formula for lists without ties: 1 - 6 Σd² / n(n² - 1)."""
    ranks = [[sum(other < value for other in values) for value in values] for values in (a, b)]
    squares = sum((one - two) ** 2 for one, two in zip(*ranks, strict=True))
    return 1 - 6 * squares / (len(a) * (len(a) ** 2 - 1))


def counted(inputs, outputs, stride, side=16):
    """A layer's multiplications, one by one, over a picture's pixels."""
    positions = (side // stride) ** 2
    return sum(9 * inputs for _ in range(outputs)) * positions / side**2


def stitched(tiles):
    rows = np.concatenate([tile[0].flatten(1).double().numpy() for tile in tiles], axis=1)
    return torch.from_numpy(rows @ rows.T / rows.size)[None]


RIGHT = [
    (checks.psnr, decibels),
    (checks.relative_distance, apart),
    (checks.rank_correlation, by_counting),
    (checks.multiplications, counted),
    (checks.gram_of_tiles, stitched),
]


WRONG = [
    (checks.psnr, lambda a, b: -decibels(a, b), "sign"),
    (checks.psnr, lambda a, b: decibels(a, b) * np.log(10), "natural"),
    (checks.psnr, lambda a, b: decibels(a * 255, b * 255), "should be"),
    (checks.relative_distance, lambda a, b: 2 * apart(a, b), "sum over the layers"),
    (checks.relative_distance, lambda a, b: apart(b, a), "divides by the size of what was found"),
    (checks.rank_correlation, lambda a, b: float(np.corrcoef(a, b)[0, 1]), "Pearson"),
    (
        checks.rank_correlation,
        lambda a, b: float(np.corrcoef(np.argsort(a), np.argsort(b))[0, 1]),
        "argsort alone",
    ),
    (checks.multiplications, lambda i, o, s: 9 * i * o, "stride × stride"),
    (checks.multiplications, lambda i, o, s: 9 * i * o / s, "both directions"),
    (
        checks.gram_of_tiles,
        lambda tiles: sum(stitched([tile]) for tile in tiles) / len(tiles),
        "mean of the tiles",
    ),
    (checks.gram_of_tiles, lambda tiles: stitched(tiles) * tiles[0].shape[1], "channels"),
]


@pytest.mark.parametrize(("check", "answer", "remark"), WRONG)
def test_usual_mistakes_are_named(check, answer, remark):
    with pytest.raises(Mistake, match=remark):
        check(answer)
