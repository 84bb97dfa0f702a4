"""Checks of what the later notebooks measure with: decibels, distances, ranks, costs, tiles."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nst import losses
from nst.checks.common import Function, compare, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise


@exercise
def psnr(function: Function) -> None:
    """Check `psnr(image, clean)`: -10 · log₁₀ of the mean squared difference, a number.

    Raises:
        Mistake: says what is wrong.
    """

    def error(a: Tensor, b: Tensor) -> float:
        return (a - b).square().mean().item()

    cases = [tuple(pictures(seed, (1, 3, 4, 5), (1, 3, 4, 5))) for seed in (0, 1)]
    mistakes: dict[str, Function] = {
        "the sign is the other way round: the closer, the more decibels.": lambda a, b: (
            10 * math.log10(error(a, b))
        ),
        "that is the natural logarithm; take log10.": lambda a, b: -10 * math.log(error(a, b)),
        "the root was taken first: then the factor would be 20.": lambda a, b: (
            -5 * math.log10(error(a, b))
        ),
        "20 belongs with the root of the mean square; here it is 10.": lambda a, b: (
            -20 * math.log10(error(a, b))
        ),
        "that is the mean square itself, not yet in decibels.": error,
        "those are the squares' sum; take their mean.": lambda a, b: (
            -10 * math.log10(error(a, b) * a.numel())
        ),
        "those are absolute differences; square them.": lambda a, b: (
            -10 * math.log10((a - b).abs().mean().item())
        ),
        "that is for pixels from 0 to 255; here they are from 0 to 1.": lambda a, b: (
            10 * math.log10(255**2 / error(a, b))
        ),
    }
    compare(function, lambda a, b: -10 * math.log10(error(a, b)), cases, mistakes)
    right("psnr")


Features = dict[str, Tensor]


@exercise
def relative_distance(function: Function) -> None:
    """Check `distance(found, target)`: Σ(F-P)² / ΣP² of each layer, and the mean over layers.

    Both are dicts of activations, or of Gram matrices, with the same layers.

    Raises:
        Mistake: says what is wrong.
    """

    def shares(a: Features, b: Features) -> list[Tensor]:
        return [(a[n] - b[n]).square().sum() / b[n].square().sum() for n in b]

    def together(a: Features, b: Features) -> Tensor:
        squares = [(a[n] - b[n]).square().sum() for n in b]
        return torch.stack(squares).sum() / torch.stack([b[n].square().sum() for n in b]).sum()

    shapes = [(1, 2, 6, 4), (1, 5, 3, 2)]
    cases = []
    for seed in (0, 1):
        a, b, c, d = pictures(seed, *shapes, *shapes)
        cases.append(({"one": a, "two": b}, {"one": c, "two": 3 * d}))
    mistakes: dict[str, Function] = {
        "that is the sum over the layers; take their mean.": lambda a, b: sum(shares(a, b)),
        "all layers are thrown together, so that the largest decides: divide each layer by its own "
        "target, and then take the mean.": together,
        "it is not divided by the target's sum of squares.": lambda a, b: (
            sum((a[n] - b[n]).square().sum() for n in b) / len(b)
        ),
        "it divides by the size of what was found; divide by the target's.": lambda a, b: (
            sum((a[n] - b[n]).square().sum() / a[n].square().sum() for n in b) / len(b)
        ),
        "the root was taken; leave the squares.": lambda a, b: (
            sum(share.sqrt() for share in shares(a, b)) / len(b)
        ),
        "only one layer counts: return after the loop.": lambda a, b: shares(a, b)[0],
    }
    compare(function, lambda a, b: sum(shares(a, b)) / len(b), cases, mistakes)
    right("distance")


@exercise
def rank_correlation(function: Function) -> None:
    """Check `rank_correlation(a, b)`: Spearman's, of two lists without ties; a number.

    Raises:
        Mistake: says what is wrong.
    """

    def order(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64).argsort()

    def pearson(a: Tensor, b: Tensor) -> float:
        return torch.corrcoef(torch.stack([a.double(), b.double()]))[0, 1].item()

    def spearman(a: Sequence[float], b: Sequence[float]) -> float:
        return pearson(order(a).argsort(), order(b).argsort())

    cases = [
        ([0.3, 0.1, 0.2, 0.9, 0.5], [2.0, 30.0, 4.0, 500.0, 6.0]),
        ([5.0, 1.0, 4.0, 2.0, 3.0, 0.0], [0.1, 0.2, 0.15, 9.0, 0.3, 0.25]),
    ]
    mistakes: dict[str, Function] = {
        "that is the correlation of the values (Pearson's); take their ranks first.": (
            lambda a, b: pearson(torch.tensor(a), torch.tensor(b))
        ),
        "argsort alone says where the smallest, the next, … stand; that is an order, not the "
        "ranks. The argsort of the argsort is.": lambda a, b: pearson(order(a), order(b)),
        "only one of the two lists is turned into ranks.": lambda a, b: pearson(
            order(a).argsort(), torch.tensor(b)
        ),
    }
    compare(function, spearman, cases, mistakes)
    right("rank_correlation")


@exercise
def multiplications(function: Function) -> None:
    """Check `multiplications(inputs, outputs, stride)`: those of a 3 × 3 convolution, for a pixel.

    Of the picture, that is; the layer has one position for stride × stride of them.

    Raises:
        Mistake: says what is wrong.
    """
    cases = [(3, 16, 1), (16, 32, 2), (64, 128, 8)]
    mistakes: dict[str, Function] = {
        "that is for each position of the layer; it has one for stride × stride pixels of the "
        "picture.": lambda i, o, s: 9 * i * o,
        "the stride counts in both directions: divide by its square.": lambda i, o, s: (
            9 * i * o / s
        ),
        "the kernel's 3 × 3 numbers are missing.": lambda i, o, s: i * o / s**2,
        "a kernel of 3 × 3 has nine numbers, not three.": lambda i, o, s: 3 * i * o / s**2,
        "each of the layer's channels looks at all channels before it: multiply the two "
        "numbers.": lambda i, o, s: 9 * (i + o) / s**2,
    }
    compare(function, lambda i, o, s: 9 * i * o / s**2, cases, mistakes)
    right("multiplications")


@exercise
def gram_of_tiles(function: Function) -> None:
    """Check `gram_of_tiles(tiles)`: the Gram matrix of a picture from the activations of its parts.

    `tiles` are (1, C, h, w), of several sizes, which lie side by side without a gap. The answer is
    (1, C, C), and that of the whole.

    Raises:
        Mistake: says what is wrong.
    """

    def whole(tiles: list[Tensor]) -> Tensor:
        return losses.gram_matrix(torch.cat([tile.flatten(2) for tile in tiles], 2)[..., None])

    def grams(tiles: list[Tensor]) -> list[Tensor]:
        return [losses.gram_matrix(tile) for tile in tiles]

    cases = [
        (pictures(0, (1, 3, 4, 5), (1, 3, 4, 2)),),
        (pictures(1, (1, 4, 3, 3), (1, 4, 3, 6), (1, 4, 2, 2)),),
    ]
    mistakes: dict[str, Function] = {
        "that is the mean of the tiles' matrices; a small tile then counts as much as a large one. "
        "Weight each by its positions.": lambda tiles: sum(grams(tiles)) / len(tiles),
        "that is the sum of the tiles' matrices, each of which is a mean already.": (
            lambda tiles: sum(grams(tiles))
        ),
        "the products are added up, but not divided: by C times all positions.": lambda tiles: (
            whole(tiles) * sum(tile.numel() for tile in tiles)
        ),
        "divided by the positions of the last tile; divide by those of all.": lambda tiles: (
            whole(tiles) * sum(tile.numel() for tile in tiles) / tiles[-1].numel()
        ),
        "divided by all positions, but not by the channels.": lambda tiles: (
            whole(tiles) * tiles[0].shape[1]
        ),
    }
    compare(function, whole, cases, mistakes)
    right("gram_of_tiles")
