"""Checks of a layer's style loss in the paper's normalisation and in the relative one."""

from torch import Tensor

from nst import losses
from nst.checks.common import Function, compare, gradient_flows, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise


def undivided(x: Tensor) -> Tensor:
    """The Gram matrix of equation 3, which is divided by nothing: (B, C, H, W) → (B, C, C)."""
    rows = x.flatten(2)
    return rows @ rows.mT


def difference(a: Tensor, b: Tensor) -> Tensor:
    """The sum of the squared differences of the package's Gram matrices."""
    return (losses.gram_matrix(a) - losses.gram_matrix(b)).square().sum()


@exercise
def paper_style(function: Function) -> None:
    """Check `paper_loss(features, style_features)`, E of Gatys et al. (2016, equation 4).

    Both are (1, C, H, W), of one size: Σ(G-A)²/(4·C²·(H·W)²) with undivided Gram matrices.

    Raises:
        Mistake: says what is wrong.
    """

    def squares(a: Tensor, b: Tensor) -> Tensor:
        return (undivided(a) - undivided(b)).square().sum()

    cases = [
        tuple(pictures(n, *[shape] * 2)) for n, shape in enumerate([(1, 3, 4, 5), (1, 2, 6, 3)])
    ]
    mistakes: dict[str, Function] = {
        "the 4 is missing below the line.": lambda a, b: difference(a, b),
        "nothing is divided: divide by 4·N²·M².": squares,
        "N and M are to be squared: divide by 4·N²·M².": lambda a, b: (
            squares(a, b) / (4 * a.numel())
        ),
        "divided twice: equation 4 is meant for Gram matrices that are not divided by anything. "
        "With nst.gram_matrix, leave out N²·M².": lambda a, b: (
            difference(a, b) / 4 / a.numel() ** 2
        ),
        "only M is squared; N, the number of channels, is to be squared too.": lambda a, b: (
            difference(a, b) * a.shape[1] / 4
        ),
        "only N is squared; M, the number of positions, is to be squared too.": lambda a, b: (
            difference(a, b) * a[0, 0].numel() / 4
        ),
        "divided by N² once too often: with nst.gram_matrix, E is a quarter of the sum of the "
        "squares, not of their mean.": lambda a, b: difference(a, b) / 4 / a.shape[1] ** 2,
        "... / 4 * N**2 * M**2 divides by 4 only: put 4 * N**2 * M**2 in brackets.": lambda a, b: (
            squares(a, b) / 4 * a.numel() ** 2
        ),
        "that is the mean of the squares, E·4/N²: the other meaning of equal weights.": (
            lambda a, b: difference(a, b) / a.shape[1] ** 2
        ),
    }
    compare(function, lambda a, b: difference(a, b) / 4, cases, mistakes)
    a, b = pictures(7, (1, 2, 3, 4), (1, 2, 3, 4))
    gradient_flows(function, (a, b), a)
    right("paper_style")


@exercise
def relative_style(function: Function) -> None:
    """Check `relative_loss(features, style_features)`: Σ(G-A)²/ΣA², for (1, C, H, W).

    The style's activations may have another size.

    Raises:
        Mistake: says what is wrong.
    """

    def share(a: Tensor, b: Tensor) -> Tensor:
        return difference(a, b) / losses.gram_matrix(b).square().sum()

    shapes = [[(1, 3, 4, 5), (1, 3, 6, 2)], [(1, 2, 6, 3), (1, 2, 2, 2)]]
    cases = [tuple(pictures(n, *pair)) for n, pair in enumerate(shapes)]
    mistakes: dict[str, Function] = {
        "the share of the picture's own Gram matrix; divide by the style's.": lambda a, b: (
            difference(a, b) / losses.gram_matrix(a).square().sum()
        ),
        "that is the square root of it; leave the root out.": lambda a, b: share(a, b).sqrt(),
        "the Gram matrices are not divided by C·H·W, so that the sizes of the pictures come in: "
        "use nst.gram_matrix.": lambda a, b: (
            (undivided(a) - undivided(b)).square().sum() / undivided(b).square().sum()
        ),
        "divide sum by sum, not entry by entry: small entries would count most.": lambda a, b: (
            ((losses.gram_matrix(a) - losses.gram_matrix(b)) / losses.gram_matrix(b))
            .square()
            .mean()
        ),
        "each entry is divided by its own target: divide sum by sum.": lambda a, b: (
            ((losses.gram_matrix(a) - losses.gram_matrix(b)) / losses.gram_matrix(b)).square().sum()
        ),
        "divide by the sum of the style's squares, not by its plain sum.": lambda a, b: (
            difference(a, b) / losses.gram_matrix(b).sum()
        ),
        "that is not divided by anything: divide by the sum of the style's squares.": difference,
        "the differences of the activations, not of the Gram matrices.": lambda a, b: (
            (a - b).square().sum() / b.square().sum()
        ),
    }
    compare(function, share, cases, mistakes)
    a, b = pictures(8, (1, 2, 3, 4), (1, 2, 4, 4))
    gradient_flows(function, (a, b), a)
    right("relative_style")
