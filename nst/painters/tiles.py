"""One pass over a picture of any size: in one piece, or in tiles, which give the same picture.

Normalisation looks at the whole picture, tiles do not. So the first and the last part of a painter,
which work near the size of the picture and take most of the memory, are gone through several times:
once for each normalisation, to add up over all tiles what it needs, and then with all of these
known. The part in the middle, at a quarter of the size, is computed in one piece.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from nst.painters.networks import AnyPainter, Moments, Painter, own_moments

WHOLE = 1_500_000  # pixels of the largest picture that is painted in one piece: about 0.6 GB
TILE = 768  # pixels, side of the tiles of a larger one

Known = list[tuple[Tensor, Tensor]]  # means and variances, in order of the normalisations
Part = Callable[[Tensor, Moments], tuple[Tensor, ...]]  # what a part makes of a tile


def in_one_pass(painter: Painter, image: Tensor, condition: Tensor) -> Tensor:
    """The painting, (1, 3, H, W) in [0, 1]."""
    if image[0, 0].numel() <= WHOLE:
        return painter(image, condition)
    height, width = image.shape[-2:]
    before, after = painter.margins
    whole = painter.filled(image)
    coarse, _ = in_tiles(lambda x, m: painter.encode(x, condition, m), whole, TILE, before)
    middle = painter.transform(coarse, condition, own_moments)
    (painting,), _ = in_tiles(
        lambda x, m: (painter.decode(x, condition, m),), middle, TILE // painter.stride, after
    )
    return painting[..., :height, :width]


def own_condition(painter: Painter, image: Tensor) -> Tensor:
    """The condition that is to leave a picture as it is."""
    if image[0, 0].numel() <= WHOLE or not isinstance(painter, AnyPainter):
        return painter.unchanged(image)
    found: list[Tensor] = []

    def look(tile: Tensor, moments: Moments) -> tuple[Tensor, ...]:
        found.append(painter.condition(tile, moments))
        return ()

    in_tiles(look, painter.filled(image), TILE, painter.margins[0])
    return found[-1]


def in_tiles(
    part: Part, source: Tensor, side: int, margin: int
) -> tuple[tuple[Tensor, ...], Known]:
    """What a part of a painter makes of the whole, and its normalisations' means and variances.

    Tiles of `side` positions of the source are computed with `margin` more on each side, which is
    as far as their own positions see.
    """
    known: Known = []
    while True:
        sums, whole = Sums(known), None
        for tile in tiles(source, side, margin):
            try:
                made = part(source[tile.seen], sums.of(tile))
            except UnknownError:
                continue
            whole = whole or tuple(x.new_empty(tile.whole(x)) for x in made)
            for result, x in zip(whole, made, strict=True):
                result[tile.place(x)] = x[tile.own(x)]
        if whole is not None:
            return whole, known
        known.append(sums.moments())


class UnknownError(Exception):
    """A tile has been computed as far as the first normalisation that is not known yet."""


class Sums:
    """The means and variances that are known, and sums over all tiles for the next."""

    def __init__(self, known: Known):
        self.known = known
        self.positions, self.total, self.squares = 0, torch.zeros(()), torch.zeros(())

    def of(self, tile: "Tile") -> Moments:
        """For one tile: asked beyond what is known, it adds the tile's own activations up."""
        known = iter(self.known)

        def moments(x: Tensor) -> tuple[Tensor, Tensor]:
            if (found := next(known, None)) is not None:
                return found
            own = x[tile.own(x)]
            mean, variance = (values.cpu().double() for values in own_moments(own))
            count = own[0, 0].numel()
            self.positions += count
            self.total = self.total + count * mean
            self.squares = self.squares + count * (variance + mean.square())
            self.like = x
            raise UnknownError

        return moments

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and variance over all tiles, (1, C, 1, 1) each."""
        mean = self.total / self.positions
        variance = (self.squares / self.positions - mean.square()).clamp(min=0)
        return mean.float().to(self.like.device), variance.float().to(self.like.device)


class Tile(NamedTuple):
    """Rows and columns of the source: its own, and from `above` and `before` what it also sees."""

    top: int
    bottom: int
    left: int
    right: int
    above: int
    before: int
    shape: tuple[int, int]  # of what it sees
    size: tuple[int, int]  # of the source

    @property
    def seen(self) -> tuple:
        """What it sees, in the source."""
        rows = slice(self.above, self.above + self.shape[0])
        return ..., rows, slice(self.before, self.before + self.shape[1])

    def own(self, x: Tensor) -> tuple:
        """Its own positions, in activations of what it sees, of whatever stride."""
        (height, width), (rows, columns) = x.shape[-2:], self.shape
        top, bottom = ((n - self.above) * height // rows for n in (self.top, self.bottom))
        left, right = ((n - self.before) * width // columns for n in (self.left, self.right))
        return ..., slice(top, bottom), slice(left, right)

    def place(self, x: Tensor) -> tuple:
        """Where these are in the activations of the whole source."""
        (height, width), (rows, columns) = x.shape[-2:], self.shape
        top, bottom = (n * height // rows for n in (self.top, self.bottom))
        left, right = (n * width // columns for n in (self.left, self.right))
        return ..., slice(top, bottom), slice(left, right)

    def whole(self, x: Tensor) -> tuple[int, int, int, int]:
        """The shape of these activations of the whole source."""
        (height, width), (rows, columns) = x.shape[-2:], self.shape
        return 1, x.shape[1], self.size[0] * height // rows, self.size[1] * width // columns


def tiles(source: Tensor, side: int, margin: int) -> Iterator[Tile]:
    """Tiles of so many positions, which together are the source, (1, C, H, W)."""
    height, width = source.shape[-2:]
    for top in range(0, height, side):
        for left in range(0, width, side):
            bottom, right = min(top + side, height), min(left + side, width)
            above, before = max(top - margin, 0), max(left - margin, 0)
            shape = min(bottom + margin, height) - above, min(right + margin, width) - before
            yield Tile(top, bottom, left, right, above, before, shape, (height, width))
