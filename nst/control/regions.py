"""Which style goes where: the regions of a picture, each with what it is painted in."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from nst.errors import SettingsError

Picture = TypeVar("Picture")


class Style(NamedTuple):
    """A style picture: where in it to look, its share in a blend, and the layers it is for."""

    image: Tensor
    mask: Tensor | None
    share: float
    layers: tuple[str, ...]  # empty for all


class Region(NamedTuple):
    """A part of the picture, or all of it (no mask): its weight, and the styles blended there."""

    name: str
    mask: Tensor | None
    weight: float
    styles: list[Style]


def pictures_used(styles: int, masks: int, lists: Mapping[str, Sequence[object]]) -> int:
    """How many style pictures the regions use; one that serves for several counts as often.

    Without masks all are blended. With masks each region has one: the only one, its own, or, where
    there is one more than there are masks, the last for what the masks leave.

    Raises:
        SettingsError: there are too few pictures for the masks, or too many; or one of the lists,
            by name, has entries, but not one for each.
    """
    if masks and styles not in (1, masks, masks + 1):
        raise SettingsError(
            f"there are {masks} masks and {styles} style pictures: give one picture for all, one "
            "for each mask, or one more for what the masks leave"
        )
    used = max(styles, masks)
    for name, values in lists.items():
        if len(values) not in (0, used):
            what = "regions" if masks else "style pictures"
            raise SettingsError(f"there are {used} {what} and {len(values)} {name}; give as many")
    return used


def spread(pictures: Sequence[Picture], used: int) -> list[Picture]:
    """The style pictures as often as they are used: the only one each time, or each once."""
    return list(pictures) * used if len(pictures) == 1 else list(pictures)


def regions(
    images: Sequence[Tensor],
    masks: Sequence[Tensor],
    style_masks: Sequence[Tensor],
    shares: Sequence[float],
    weights: Sequence[float],
    layers: Sequence[tuple[str, ...]],
) -> list[Region]:
    """The regions, in the order of their masks; only one, of the whole picture, without masks.

    A region weighs as much as its share of the picture, times its own weight, so that a pixel is
    pushed as hard as where one style fills the picture.

    Args:
        images: the style pictures, as often as `pictures_used` counts them.
        masks: (1, 1, H, W) in [0, 1], all of one size.
        style_masks: (1, 1, H, W), each of its picture's size; or none.
        shares, weights, layers: of a blend, of the regions, and of each picture; or none.

    Raises:
        SettingsError: nothing is left for a picture that gets what the masks leave.
    """
    count = len(images)
    shares, weights = shares or (1.0,) * count, weights or (1.0,) * count
    looks: Sequence[Tensor | None] = style_masks or [None] * count
    names = layers or [()] * count
    styles = [Style(*them) for them in zip(images, looks, shares, names, strict=True)]
    if not masks:
        return [Region("", None, 1.0, styles)]
    every = list(masks)
    if len(every) < count:
        every.append((1 - torch.stack(every).sum(0)).clamp(0, 1))
        if every[-1].max() < 1 / 255:
            raise SettingsError(
                "the masks leave nothing for the last style picture: give one for each mask, or "
                "paint the masks smaller"
            )
    return [
        Region(f"region {number}", mask, weight * mask.mean().item(), [style._replace(share=1.0)])
        for number, (mask, weight, style) in enumerate(zip(every, weights, styles, strict=True), 1)
    ]
