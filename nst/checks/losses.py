"""Checks of the losses and of the Gram matrix."""

import torch
from torch import Tensor

from nst import losses
from nst.checks.common import Function, compare, gradient_flows, right
from nst.checks.stubs import exercise


def pictures(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    """Seeded tensors in [0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(shape, generator=generator) for shape in shapes]


@exercise
def content_loss(function: Function) -> None:
    """Check `content_loss(generated, content)`: the mean squared difference of two activations.

    Raises:
        Mistake: says what is wrong.
    """
    cases = [tuple(pictures(0, shape, shape)) for shape in [(1, 2, 3, 4), (2, 5, 4, 3)]]
    mistakes = {
        "that is the sum of the squared differences. Take their mean: a sum grows with the "
        "picture.": lambda a, b: (a - b).square().sum(),
        "that is half the sum, the paper's equation 1. Here it is the mean.": lambda a, b: (
            (a - b).square().sum() / 2
        ),
        "the differences are not squared: positive and negative ones cancel.": lambda a, b: (
            a - b
        ).mean(),
        "those are absolute differences; square them instead.": lambda a, b: (a - b).abs().mean(),
        "that is the square root of the mean; leave the root out.": lambda a, b: (
            (a - b).square().mean().sqrt()
        ),
        "square the differences before you take the mean, not after.": lambda a, b: (
            (a - b).mean().square()
        ),
    }
    compare(function, lambda a, b: (a - b).square().mean(), cases, mistakes)
    generated, content = pictures(1, (1, 2, 3, 4), (1, 2, 3, 4))
    gradient_flows(function, (generated, content), generated)
    right("content_loss")


@exercise
def gram(function: Function) -> None:
    """Check `gram_matrix(features)`: (B, C, H, W) → (B, C, C), divided by C·H·W.

    Raises:
        Mistake: says what is wrong.
    """

    def product(x: Tensor) -> Tensor:
        return torch.einsum("bchw,bdhw->bcd", x, x)

    def merged(x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[2] * x.shape[3])
        return rows @ rows.T

    def centred(x: Tensor) -> Tensor:
        return losses.gram_matrix(x - x.mean((2, 3), keepdim=True))

    def folded(x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 3, 1).reshape(x.shape[0], x.shape[1], -1)
        return rows @ rows.mT / x[0].numel()

    shapes = [(1, 3, 4, 5), (2, 4, 3, 6)]
    cases = [(x,) for x in pictures(2, *shapes)]
    mistakes: dict[str, Function] = {
        "symmetric, but not divided by anything: divide by C·H·W.": product,
        "divided by H·W only: divide by the number of channels too.": lambda x: (
            product(x) / x[0, 0].numel()
        ),
        "divided by C only: divide by the number of positions, H·W, too.": lambda x: (
            product(x) / x.shape[1]
        ),
        "... / C * H * W divides by C only, and multiplies by H and W: put C * H * W in "
        "brackets.": lambda x: product(x) / x.shape[1] * x[0, 0].numel(),
        "symmetric, but divided by C·H·W twice.": lambda x: product(x) / x[0].numel() ** 2,
        "divided by B·C·H·W: the batch's size does not belong there.": lambda x: (
            product(x) / x.numel()
        ),
        "the batch and the channels are merged: rows of different pictures are multiplied with "
        "each other. Keep B as an axis of its own.": lambda x: merged(x) / x.numel(),
        "the batch and the channels are merged: one picture's rows are multiplied with another's. "
        "Keep B as an axis of its own.": lambda x: merged(x) / x[0].numel(),
        "the batch and the channels are merged, and nothing is divided. Keep B as an axis of its "
        "own, and divide by C·H·W.": merged,
        "it multiplies positions with positions. Sum over the positions, so that C × C products "
        "of channels are left.": lambda x: (
            torch.einsum("bcp,bcq->bpq", *[x.flatten(2)] * 2) / x[0].numel()
        ),
        "the channels' means are subtracted: that is a covariance. A Gram matrix keeps "
        "them.": centred,
        "reshaping has mixed channels and positions: flatten H and W, with C as the rows.": folded,
        "right but for the batch: the answer has lost its first axis.": lambda x: (
            losses.gram_matrix(x)[0]
        ),
    }
    compare(function, losses.gram_matrix, cases, mistakes)
    (features,) = pictures(3, (1, 2, 3, 4))
    gradient_flows(function, (features,), features)
    right("gram_matrix")


@exercise
def style_loss(function: Function) -> None:
    """Check `style_loss(generated_features, style_features, layers)`, with dicts of activations.

    The mean squared difference of the layers' Gram matrices, summed over the layers. The style
    picture's activations may have another size.

    Raises:
        Mistake: says what is wrong.
    """

    def each(a: dict[str, Tensor], b: dict[str, Tensor], layers: list[str]) -> list[Tensor]:
        return [losses.gram_matrix(a[n]) - losses.gram_matrix(b[n]) for n in layers]

    first, second = "relu1_1", "relu2_1"
    cases = []
    for seed, layers in enumerate([[first, second], [second]]):
        shapes = [(1, 2, 6, 4), (1, 3, 3, 2), (1, 2, 5, 7), (1, 3, 2, 3)]
        a, b, c, d = pictures(seed, *shapes)
        cases.append(({first: a, second: b}, {first: c, second: d}, layers))
    mistakes: dict[str, Function] = {
        "that is the mean over the layers; take their sum.": lambda a, b, n: (
            losses.style_loss(a, b, n) / len(n)
        ),
        "it sums the squared differences within a layer; take their mean.": lambda a, b, n: sum(
            d.square().sum() for d in each(a, b, n)
        ),
        "the differences of the Gram matrices are not squared.": lambda a, b, n: sum(
            d.mean() for d in each(a, b, n)
        ),
        "those are absolute differences; square them instead.": lambda a, b, n: sum(
            d.abs().mean() for d in each(a, b, n)
        ),
        "only the last layer counts: add up the losses of all of them.": lambda a, b, n: (
            losses.style_loss(a, b, n[-1:])
        ),
        "only the first layer counts: return after the loop, not within it.": lambda a, b, n: (
            losses.style_loss(a, b, n[:1])
        ),
        "it takes every layer there is; take only those that are named.": lambda a, b, n: (
            losses.style_loss(a, b, list(a))
        ),
    }
    compare(function, losses.style_loss, cases, mistakes)
    generated, _, layers = cases[0]
    gradient_flows(function, cases[0], generated[layers[0]])
    right("style_loss")


@exercise
def total_variation(function: Function) -> None:
    """Check `total_variation_loss(image)`: (B, 3, H, W) → the mean squared neighbours' differences.

    The mean over the vertical pairs plus that over the horizontal pairs.

    Raises:
        Mistake: says what is wrong.
    """

    def steps(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]

    cases = [(x,) for x in pictures(5, (1, 3, 5, 8), (2, 3, 4, 4))]
    mistakes: dict[str, Function] = {
        "that is a sum: it grows with the picture. Take the means.": lambda x: sum(
            d.square().sum() for d in steps(x)
        ),
        "those are absolute differences (L1); square them.": lambda x: sum(
            d.abs().mean() for d in steps(x)
        ),
        "those are absolute differences, summed. Square them, and take the means.": lambda x: sum(
            d.abs().sum() for d in steps(x)
        ),
        "the picture wraps around: torch.roll makes the last row a neighbour of the first. Use "
        "slices instead.": lambda x: sum(
            (x - x.roll(1, axis)).square().mean() for axis in (-1, -2)
        ),
        "it sees only vertical neighbours; add the horizontal ones.": lambda x: (
            steps(x)[0].square().mean()
        ),
        "it sees only horizontal neighbours; add the vertical ones.": lambda x: (
            steps(x)[1].square().mean()
        ),
        "that is half of it: add the two means, without halving.": lambda x: (
            losses.total_variation_loss(x) / 2
        ),
        "it compares channels too: the differences run along height and width only.": lambda x: (
            losses.total_variation_loss(x) + (x[:, 1:] - x[:, :-1]).square().mean()
        ),
    }
    compare(function, losses.total_variation_loss, cases, mistakes)
    (image,) = pictures(6, (1, 3, 4, 5))
    gradient_flows(function, (image,), image)
    right("total_variation_loss")
