"""Checks of what is made from Gram matrices: cosines, and what is left without the means."""

import torch
from torch import Tensor

from nst import losses
from nst.checks.common import Function, compare, right
from nst.checks.losses import pictures
from nst.checks.stubs import exercise


@exercise
def similarity(function: Function) -> None:
    """Check `similarity(gram)`: (C, C) → (C, C), G_ij / √(G_ii·G_jj).

    Raises:
        Mistake: says what is wrong.
    """

    def lengths(gram: Tensor) -> Tensor:
        return gram.diagonal().sqrt()

    cases = [(losses.gram_matrix(x)[0],) for x in pictures(11, (1, 3, 4, 5), (1, 4, 3, 3))]
    mistakes: dict[str, Function] = {
        "the root is missing: divide by the square root of G_ii · G_jj.": lambda g: (
            g / torch.outer(g.diagonal(), g.diagonal())
        ),
        "only the rows are divided: divide by the strength of column j too.": lambda g: (
            g / lengths(g)[:, None]
        ),
        "only the columns are divided: divide by the strength of row i too.": lambda g: (
            g / lengths(g)
        ),
        "every column is divided by its own strength twice: divide by that of row i and by that "
        "of column j.": lambda g: g / g.diagonal(),
        "every row is divided by its own strength twice: divide by that of row i and by that of "
        "column j.": lambda g: g / g.diagonal()[:, None],
        "that is a share of the largest entry: every pair is divided by its own two "
        "strengths.": lambda g: g / g.max(),
        "that is a share of the matrix's size: every pair is divided by its own two "
        "strengths.": lambda g: g / g.norm(),
        "divided by the mean of the two strengths; take the root of their product.": lambda g: (
            2 * g / (g.diagonal()[:, None] + g.diagonal())
        ),
    }
    compare(function, lambda g: g / torch.outer(lengths(g), lengths(g)), cases, mistakes)
    right("similarity")


@exercise
def covariance(function: Function) -> None:
    """Check `covariance(features)`: (B, C, H, W) → (B, C, C), the Gram matrix without the means.

    The products of what each channel has beyond its own mean over all positions, divided by C·H·W.

    Raises:
        Mistake: says what is wrong.
    """

    def less(x: Tensor, *axes: int) -> Tensor:
        return losses.gram_matrix(x - x.mean(axes, keepdim=True))

    def centred(x: Tensor) -> Tensor:
        return less(x, 2, 3)

    def products(x: Tensor) -> Tensor:
        means = x.mean((2, 3))
        return means[:, :, None] * means[:, None]

    def strengths(x: Tensor) -> Tensor:
        return centred(x).diagonal(dim1=1, dim2=2).sqrt()

    cases = [(x,) for x in pictures(12, (1, 3, 4, 5), (2, 4, 3, 3))]
    mistakes: dict[str, Function] = {
        "the means are still in it: take each channel's mean off first.": losses.gram_matrix,
        "the mean is taken over the channels; take it over the positions, axes 2 and 3.": (
            lambda x: less(x, 1)
        ),
        "one mean is taken off all channels; each has its own.": lambda x: less(x, 1, 2, 3),
        "one mean is taken off everything; each channel of each picture has its own.": lambda x: (
            less(x, 0, 1, 2, 3)
        ),
        "only G is divided by C: divide the products of the means by it too.": lambda x: (
            losses.gram_matrix(x) - products(x)
        ),
        "one mean serves the whole batch; each picture has its own.": lambda x: less(x, 0, 2, 3),
        "the mean is taken over the rows only: take it over axes 2 and 3.": lambda x: less(x, 2),
        "the mean is taken over the columns only: take it over axes 2 and 3.": lambda x: less(x, 3),
        "right, but not divided by C·H·W, as nst.gram_matrix is.": lambda x: (
            centred(x) * x[0].numel()
        ),
        "divided by H·W only: divide by the number of channels too.": lambda x: (
            centred(x) * x.shape[1]
        ),
        "the strengths are divided out too: that is the correlation.": lambda x: (
            centred(x) / (strengths(x)[:, :, None] * strengths(x)[:, None])
        ),
    }
    compare(function, centred, cases, mistakes)
    right("covariance")
