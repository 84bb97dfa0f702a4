"""Self-checks of problem set 2 that `nst.checks` has not: Gram matrices, and tests of them."""

import contextlib
import io
from collections.abc import Sequence

import torch
from torch import Tensor

from nst import losses
from nst.checks import losses as checks_of_losses
from nst.checks import marking
from nst.checks.common import (
    Function,
    Mistake,
    call,
    compare,
    describe,
    gradient_flows,
    helped,
    right,
    self_check,
)
from nst.checks.losses import pictures
from nst.networks import Network


@self_check
def channel_products(function: Function) -> None:
    """Check `channel_products(features)`: (C, H, W) → (C, C), undivided.

    Raises:
        Mistake: says what is wrong.
    """

    def products(x: Tensor) -> Tensor:
        return torch.einsum("chw,dhw->cd", x, x)

    cases = [(x,) for x in pictures(2, (3, 4, 5), (2, 3, 3))]
    mistakes: dict[str, Function] = {
        "that is divided by C·H·W; in this exercise nothing is divided.": lambda x: (
            products(x) / x.numel()
        ),
        "that is divided by H·W; in this exercise nothing is divided.": lambda x: (
            products(x) / x[0].numel()
        ),
        "it multiplies positions with positions: turn the product round, so that C × C is "
        "left.": lambda x: x.flatten(1).T @ x.flatten(1),
        "the channels' means are subtracted: that is a covariance.": lambda x: products(
            x - x.mean((1, 2), keepdim=True)
        ),
        "reshaping has mixed channels and positions: flatten H and W, with C as the "
        "rows.": lambda x: (
            x.permute(1, 2, 0).reshape(len(x), -1) @ x.permute(1, 2, 0).reshape(len(x), -1).T
        ),
        "right but for an axis of one in front: here is no batch.": lambda x: products(x)[None],
    }
    compare(function, products, cases, mistakes)
    (features,) = pictures(3, (2, 3, 4))
    gradient_flows(function, (features,), features)
    marking.no_loop(function, pictures(3, (3, 4, 4)), pictures(3, (3, 64, 64)), 16)
    marking.no_loop(function, pictures(3, (2, 3, 4)), pictures(3, (96, 3, 4)))
    right("channel_products")


@self_check
def gram_matrix(function: Function) -> None:
    """Check `gram_matrix(features)`, as `nst.checks.gram` does, and that it loops over no pixels.

    Raises:
        Mistake: says what is wrong.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        checks_of_losses.gram(function)
    marking.no_loop(function, pictures(3, (1, 3, 4, 4)), pictures(3, (1, 3, 64, 64)), 16)
    right("gram_matrix")


@self_check
def own_tests(
    forgets_positions: Function,
    follows_channels: Function,
    keeps_pictures_apart: Function,
    ignores_size: Function,
) -> None:
    """Check the four tests: they accept the package's Gram matrix, and find one wrong one each.

    Raises:
        Mistake: says what is wrong.
    """

    def rows_weighed(x: Tensor) -> Tensor:
        return losses.gram_matrix(x * torch.linspace(0.2, 1, x.shape[2])[:, None])

    def channels_weighed(x: Tensor) -> Tensor:
        return losses.gram_matrix(x * torch.linspace(0.2, 1, x.shape[1])[:, None, None])

    def averaged(x: Tensor) -> Tensor:
        return losses.gram_matrix(x).mean(0, keepdim=True).expand(len(x), -1, -1)

    def undivided(x: Tensor) -> Tensor:
        return losses.gram_matrix(x) * x[0].numel()

    tests = [
        ("forgets_positions", forgets_positions, rows_weighed, "in which lower rows weigh more"),
        (
            "follows_channels",
            follows_channels,
            channels_weighed,
            "in which later channels weigh more",
        ),
        (
            "keeps_pictures_apart",
            keeps_pictures_apart,
            averaged,
            "which gives every picture the mean over the batch",
        ),
        ("ignores_size", ignores_size, undivided, "which is not divided"),
    ]
    for name, test, wrong, what in tests:
        if not verdict(name, test, losses.gram_matrix):
            raise Mistake(
                f"{name} says False to a right Gram matrix. Compare with a tolerance "
                "(torch.allclose): sums in another order differ in the last digits."
            )
        if verdict(name, test, wrong):
            raise Mistake(f"{name} says True to a Gram matrix {what}.")
        right(name)


def verdict(name: str, test: Function, gram: Function) -> bool:
    """What the reader's test says of a Gram matrix."""
    try:
        return marking.verdict(lambda gram: call(test, (gram,)), gram)
    except Mistake as mistake:
        raise Mistake(f"{name}: {mistake}") from mistake


@self_check
def paper_loss(function: Function) -> None:
    """Check `paper_loss(generated, style)`: equation 4 of Gatys et al. (2016), (1, C, H, W) twice.

    Raises:
        Mistake: says what is wrong.
    """

    def loss(f: Tensor, p: Tensor) -> Tensor:
        return (losses.gram_matrix(f) - losses.gram_matrix(p)).square().sum() / 4

    cases = [tuple(pictures(seed, (1, 3, 4, 5), (1, 3, 4, 5))) for seed in (4, 5)]
    mistakes: dict[str, Function] = {
        "the 4 is missing in the denominator.": lambda f, p: 4 * loss(f, p),
        "it is divided twice: equation 4 has undivided Gram matrices.": lambda f, p: (
            loss(f, p) / f.numel() ** 2
        ),
        "nothing is divided: equation 4 divides by 4·C²·M².": lambda f, p: (
            4 * loss(f, p) * f.numel() ** 2
        ),
        "C and M are squared in the denominator.": lambda f, p: loss(f, p) * f.numel(),
    }
    generated, style = cases[0]

    def check() -> None:
        compare(function, loss, cases, mistakes)
        gradient_flows(function, (generated, style), generated)
        right("paper_loss")

    right_ones: dict[str, Function] = {
        "channel_products": marking.products_tensor,
        "gram_matrix": marking.gram_tensor,
    }
    helped(check, function, "paper_loss", **right_ones)


@self_check
def paper_factor(function: Function) -> None:
    """Check `paper_factor(channels)`: the paper's loss over the course's.

    Raises:
        Mistake: says what is wrong.
    """
    mistakes: dict[str, Function] = {
        "upside down: by which factor is the paper's loss the larger one?": lambda c: 4 / c**2,
        "the 4 is missing.": lambda c: c**2,
        "the course takes a mean of C² values, the paper a sum: think of both axes of the "
        "matrix.": lambda c: c / 4,
        "a mean over C² values is a sum divided by C².": lambda c: 1 / 4,
    }
    compare(function, lambda c: c**2 / 4, [(4.0,), (10.0,)], mistakes)
    right("paper_factor")


@self_check
def style_distance(function: Function) -> None:
    """Check `style_distance(first, second, layers)`, with dicts of activations.

    Raises:
        Mistake: says what is wrong.
    """
    gram = marking.gram_tensor
    helped(
        lambda: checks_of_losses.style_loss(function), function, "style_distance", gram_matrix=gram
    )


class Watched(Network):
    """Stands for a network; remembers how often it was asked."""

    def __init__(self) -> None:
        super().__init__(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
        self.asked = 0

    def forward(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """The picture itself, and its squares, …, as activations."""
        self.asked += 1
        return {name: image ** (i + 1) for i, name in enumerate(layers)}


@self_check
def distance_table(function: Function) -> None:
    """Check `distance_table(network, pictures, layers)`: distances of each to each, (n, n).

    Raises:
        Mistake: says what is wrong.
    """
    images = pictures(6, (1, 3, 5, 4), (1, 3, 4, 6), (1, 3, 7, 7))
    images = [image ** (i + 1) for i, image in enumerate(images)]
    layers = ["relu1_1", "relu2_1"]
    seen = [Watched()(image, layers) for image in images]
    wanted = torch.stack(
        [torch.stack([losses.style_loss(a, b, layers) for b in seen]) for a in seen]
    )
    halves = {
        "only one half of the table is filled: the distance from i to j is that from j to "
        "i.": lambda: wanted.triu(),
        "only the lower half of the table is filled.": lambda: wanted.tril(),
    }

    def check() -> None:
        network = Watched()
        answer = call(function, (network, images, layers))
        compare(lambda: answer, lambda: wanted, [()], halves, 1e-3)
        if network.asked > len(images):
            raise Mistake(
                f"the table is right, but the network was asked {network.asked} times for "
                f"{len(images)} pictures. Collect all activations first, then compare."
            )
        right("distance_table")

    right_ones: dict[str, Function] = {
        "style_distance": marking.style_tensor,
        "gram_matrix": marking.gram_tensor,
    }
    helped(check, function, "distance_table", **right_ones)


@self_check
def nearest_pair(function: Function) -> None:
    """Check `nearest_pair(table)`: the two pictures that are most alike.

    Raises:
        Mistake: says what is wrong.
    """
    table = torch.tensor([[0.0, 5, 2, 9], [5, 0, 6, 3], [2, 6, 0, 1], [9, 3, 1, 0]])
    answer = call(function, (table,))
    try:
        pair = tuple(int(i) for i in answer)
    except (TypeError, ValueError):
        raise Mistake(f"it returns {describe(answer)}, not two numbers (i, j).") from None
    if len(pair) == 2 and pair[0] == pair[1]:
        raise Mistake("a picture is nearest to itself: leave the diagonal out.")
    if pair == (3, 2):
        raise Mistake("the right two, but the smaller number comes first.")
    if pair == (0, 3):
        raise Mistake("those are the two that are most unlike.")
    if pair != (2, 3):
        raise Mistake(f"it finds {pair}; the smallest distance is that of (2, 3).")
    right("nearest_pair")
