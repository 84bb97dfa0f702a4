"""One pass over a picture of any size: whole, or in tiles that leave no seams."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from nst.painters.networks import Painter, own_moments

WHOLE = 1_500_000  # pixels of the largest picture that is painted in one piece: about 0.6 GB
TILE = 1024  # pixels, side of the pieces of a larger one
PATCH, PATCHES = 256, 5  # pixels, side of the patches, and how many there are along each side


def in_one_pass(painter: Painter, image: Tensor, condition: Tensor) -> Tensor:
    """The painting (1, 3, H, W); in tiles if it is large, which leave no seams.

    Normalisation looks at the whole picture. So a large one's means and variances are first taken
    at patches of it, together, layer after layer; with these every tile is painted, and with as
    much of its surroundings as its pixels see.
    """
    if image[0, 0].numel() <= WHOLE:
        return painter(image, condition)
    known: list[tuple[Tensor, Tensor]] = []

    def measured(x: Tensor) -> tuple[Tensor, Tensor]:
        known.append(together(x))
        return known[-1]

    painter(patches_of(image), condition, measured)
    return in_tiles(painter, image, condition, known)


def in_tiles(
    painter: Painter, image: Tensor, condition: Tensor, known: Sequence[tuple[Tensor, Tensor]]
) -> Tensor:
    """The painting, tile by tile, with `known` means and variances of all its normalisations."""
    height, width = image.shape[-2:]
    grain = painter.stride
    painting = torch.empty_like(image)
    whole = pad(image, (0, -width % grain, 0, -height % grain), mode="replicate")
    margin = painter.reach + -painter.reach % grain
    for top, bottom in pieces(height):
        for left, right in pieces(width):
            above, before = max(top - margin, 0), max(left - margin, 0)
            part = whole[..., above : bottom + margin, before : right + margin]
            moments = iter(known)
            tile = painter(part, condition, lambda _, moments=moments: next(moments))
            inner = tile[..., top - above : bottom - above, left - before : right - before]
            painting[..., top:bottom, left:right] = inner
    return painting


def pieces(length: int) -> Iterator[tuple[int, int]]:
    """Where tiles begin and end."""
    for start in range(0, length, TILE):
        yield start, min(start + TILE, length)


def patches_of(image: Tensor) -> Tensor:
    """Squares on a grid over the whole picture: (25, 3, 256, 256), fewer if it is narrow."""
    places = [starts(length) for length in image.shape[-2:]]
    return torch.cat(
        [image[..., y : y + PATCH, x : x + PATCH] for y in places[0] for x in places[1]]
    )


def starts(length: int) -> list[int]:
    """Where patches begin along a side."""
    count = min(PATCHES, -(-length // PATCH))
    return [round(i * (length - PATCH) / max(count - 1, 1)) for i in range(count)]


def together(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance by channel of all pictures of a batch together: (1, C, 1, 1) each."""
    mean, variance = own_moments(x)
    whole = mean.mean(0, keepdim=True)
    return whole, (variance + mean.square()).mean(0, keepdim=True) - whole.square()


def own_condition(painter: Painter, image: Tensor) -> Tensor:
    """The condition that is to leave a picture as it is."""
    if image[0, 0].numel() <= WHOLE:
        return painter.unchanged(image)
    return painter.unchanged(patches_of(image)).mean(0, keepdim=True)
