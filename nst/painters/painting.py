"""Painting in one pass: styles and their shares, strength, and pictures too large for one piece."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from nst.devices import own_modes, pick_device
from nst.errors import SettingsError
from nst.images import Picture, as_image
from nst.painters.files import load_painter
from nst.painters.networks import Painter, mixed, own_moments
from nst.painters.training import STYLE_SIZE

WHOLE = 1_500_000  # pixels of the largest picture that is painted in one piece: about 0.7 GB
TILE = 768  # pixels, side of the pieces of a larger one
PATCH, PATCHES = 256, 5  # pixels, side of the patches, and how many there are along each side


@own_modes()
@torch.no_grad()
def paint(
    content_image: Picture,
    style_image: Any,
    strength: float = 1.0,
    *,
    size: int | None = None,
    painter: Painter | str | os.PathLike | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Paint a picture in one pass of a network, in a fraction of a second.

    Strokes have the size, in pixels, that they have in a style picture of 448 pixels: so `size`
    decides how large they are in the painting.

    Args:
        content_image: whatever `load_image` takes, or a tensor (1, 3, H, W) in [0, 1].
        style_image: a style, a list of them that have equal shares, or a dict of shares by style.
            A style is a name that the painter was taught, or any picture.
        strength: from 0, exactly the photograph, to 1, the painting.
        size: long side in pixels; None for the photograph's own.
        painter: what `load_painter` gives, or its name or file. By default the one of the seven
            sample styles where it was taught all that are asked for, else the one of any style.
        device: "cpu", "cuda", "mps", …; by default a GPU if there is one.

    Returns:
        (1, 3, H, W) in [0, 1], on the CPU.

    Raises:
        SettingsError: a strength, share or style that makes no sense.
        ImageError: a picture cannot be read.
        WeightsError: the painter's file is none.
    """
    if not (isinstance(strength, int | float) and 0 <= strength <= 1):
        raise SettingsError(f"strength is a number from 0 to 1, not {strength!r}")
    (styles, shares), place = shares_of(style_image), pick_device(device)
    content = as_image(content_image, size, place)
    if strength == 0:
        return content.cpu()
    painter = pick_painter(painter, styles, place)
    condition = mixed([look(painter, style, place) for style in styles], shares)
    return blended(painter, content, condition, strength).cpu()


def blended(painter: Painter, photograph: Tensor, style: Tensor, strength: float = 1.0) -> Tensor:
    """A painting between photograph and style: the condition's strength, and what it lost.

    The conditions of style and photograph are mixed. As even the photograph's own does not bring it
    back exactly, what is missing then is added, at full length for strength 0 and not at all for 1.
    """
    if strength == 1:
        return in_one_pass(painter, photograph, style)
    same = own_condition(painter, photograph)
    missing = photograph - in_one_pass(painter, photograph, same)
    painting = in_one_pass(painter, photograph, strength * style + (1 - strength) * same)
    return (painting + (1 - strength) * missing).clamp(0, 1)


def shares_of(style_image: Any) -> tuple[list[Any], list[float]]:
    """Styles, and their shares, which add up to 1."""
    if isinstance(style_image, Mapping):
        styles, shares = list(style_image), list(style_image.values())
    else:
        styles = list(style_image) if isinstance(style_image, list | tuple) else [style_image]
        shares = [1.0] * len(styles)
    for share in shares:
        if not (isinstance(share, int | float) and 0 <= share < float("inf")):
            raise SettingsError(f"the share of a style is a number of 0 or more, not {share!r}")
    if not sum(shares):
        raise SettingsError("give at least one style with a share above 0")
    return styles, [share / sum(shares) for share in shares]


def pick_painter(
    painter: Painter | str | os.PathLike | None, styles: Sequence[Any], place: torch.device
) -> Painter:
    """The painter asked for, on the device; by default by the styles."""
    if painter is None:
        taught = load_painter("styles", place)
        if all(isinstance(style, str) and style in taught.styles for style in styles):
            return taught
        painter = "any"
    if isinstance(painter, Painter):
        return painter
    return load_painter(painter, place)


def look(painter: Painter, style: Any, place: torch.device) -> Tensor:
    """The condition of one style: by its name, or from a picture."""
    if not painter.styles:
        return painter.condition(as_image(style, STYLE_SIZE, place))
    if isinstance(style, str) and style in painter.styles:
        return painter.condition(style)
    raise SettingsError(
        f"this painter was taught {', '.join(painter.styles)}; for other styles leave the painter "
        "out, or take 'any'"
    )


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
