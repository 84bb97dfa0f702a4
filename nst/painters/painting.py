"""Painting in one pass: styles and their shares, strength, and the size of strokes."""

import math
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from nst.devices import check_computes, own_modes, pick_device
from nst.errors import SettingsError
from nst.files.fields import WEIGHT, bare, is_number
from nst.images import Picture, as_image, is_several, resize
from nst.painters.files import knows, load_painter
from nst.painters.networks import Painter, mixed
from nst.painters.tiles import in_one_pass, own_condition
from nst.painters.training import STYLE_SIZE

ENLARGED, OVER = 3.0, 0.5  # at most, from one pass to the next; how strongly that is laid over


@own_modes()
@torch.no_grad()
def paint(
    content_image: Picture,
    style_image: Any,
    strength: float = 1.0,
    *,
    size: int | None = None,
    strokes: float = 1.0,
    painter: Painter | str | os.PathLike | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Paint a picture in one pass of a network, in a fraction of a second.

    Args:
        content_image: whatever `load_image` takes, or a tensor (1, 3, H, W) in [0, 1].
        style_image: a style, a list of them that have equal shares, or a dict of shares by style.
            A style is a name that the painter was taught (unless no painter is named: a file of
            that name comes first), or any picture.
        strength: from 0, exactly the photograph, to 1, the painting.
        size: long side in pixels; None for the photograph's own.
        strokes: how large strokes are, from 1, that of a style picture some 400 pixels wide, to 64.
            So a photograph of 4096 pixels gets with 8 what a small copy of 512 gets with 1.
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
    strength, strokes = bare(strength), bare(strokes)
    for name, value, least, most in (("strength", strength, 0, 1), ("strokes", strokes, 1, 64)):
        if not is_number(value, least, most):
            raise SettingsError(f"{name} is a number from {least} to {most}, not {value!r}")
    (styles, shares), place = shares_of(style_image), pick_device(device)
    check_computes(place)
    content = as_image(content_image, size, place)
    if strength == 0:
        return content.cpu()
    painter = pick_painter(painter, styles, place)
    condition = mixed([look(painter, style, place) for style in styles], shares)
    return in_strokes(painter, content, condition, strength, strokes).cpu()


def in_strokes(
    painter: Painter, photograph: Tensor, style: Tensor, strength: float, strokes: float
) -> Tensor:
    """A painting whose strokes are so many times as large: of a small copy, enlarged step by step.

    What was enlarged is soft. So it is painted over, and the new strokes are laid on it half as
    strongly as the first. What the smaller copy lacks of the photograph is added, at full length
    for strength 0 and not at all for 1.
    """
    height, width = photograph.shape[-2:]
    steps = math.ceil(math.log(strokes) / math.log(ENLARGED))
    scales = [strokes ** (i / max(steps, 1)) for i in range(steps, -1, -1)]
    shapes = [(max(1, round(height / s)), max(1, round(width / s))) for s in scales]
    painting = blended(painter, resize(photograph, shapes[0]), style, strength)
    for smaller, shape in pairwise(shapes):
        soft = resize(painting, shape)
        if strength < 1:
            lacking = resize(photograph, shape) - resize(resize(photograph, smaller), shape)
            soft = (soft + (1 - strength) * lacking).clamp(0, 1)
        painting = soft.lerp(in_one_pass(painter, soft, style), OVER * strength)
    return painting


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
        styles = list(style_image) if is_several(style_image) else [style_image]
        shares = [1.0] * len(styles)
    shares = [bare(share) for share in shares]
    for share in shares:
        if not is_number(share, 0, WEIGHT):
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
        if knows(taught, styles):
            return taught
        painter = "any"
    if isinstance(painter, Painter):
        return painter
    return load_painter(painter, place)


def look(painter: Painter, style: Any, place: torch.device) -> Tensor:
    """The condition of one style: by its name, or from a picture."""
    return painter.condition(style if painter.styles else as_image(style, STYLE_SIZE, place))
