"""Masks: which part of a picture is meant, and what of it each layer sees."""

import base64
import io
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from nst.control.colours import grey
from nst.errors import ImageError
from nst.files.decoding import in_reach
from nst.files.fields import shown
from nst.files.tensors import is_dense
from nst.images import Source, load_image, open_outline, preprocess_image, resize
from nst.networks import VGG, Network, Pool
from nst.statistics import Guide

MOSTLY = 0.5  # a position is a region's if so much of what it sees is, or of the mask's most
BARELY = 0.01  # and does not count with less
SAME = 0.03  # by how much of itself a mask's aspect ratio may differ from its picture's
WHITE = {"uint8": 255, "uint16": 65535}  # of arrays, by type; 1 of all others
DRAWN = "data:image/png;base64,"  # with this begins a mask that is its own file, as text

Mask = Source | Tensor


def load_mask(mask: Mask, picture: Tensor) -> Tensor:
    """How much each pixel of a picture belongs to a region: (1, 1, H, W) in [0, 1].

    Args:
        mask: a name ("all", "left", "right", "top", "bottom", "centre", "edge", "dark" or "light");
            an array or tensor (H, W), bool, uint8 or floats in [0, 1], also with leading 1s; or a
            picture file, where white is in and black is out, or, if it is transparent anywhere,
            what is opaque is in. A file of a name's name comes first. A PNG file may also be text,
            as `written` makes it.
        picture: (1, 3, H, W). A mask of another size is brought to its.

    Raises:
        ImageError: it is none of these, has another aspect ratio, or is black everywhere.
    """
    if isinstance(mask, str) and mask in NAMED and not Path(mask).is_file():
        fitted = NAMED[mask](picture)
        if not fitted.any():
            raise ImageError(f"the mask {mask} is black everywhere on this picture: take another")
        return fitted
    close = get_close_matches(mask, NAMED) if isinstance(mask, str) and len(mask) < 20 else []
    if close and not Path(str(mask)).is_file():
        raise ImageError(
            f"there is no file or sample picture {shown(mask)}, and no mask of that name; did you "
            f"mean {' or '.join(close)}?"
        )
    values = as_values(mask)
    (height, width), (rows, columns) = picture.shape[-2:], values.shape[-2:]
    # One pixel more or less is the rounding of whoever resized it.
    if abs(columns * height / (rows * width) - 1) > SAME + 1 / min(height, width, rows, columns):
        raise ImageError(
            f"a mask of {columns}×{rows} pixels does not fit a picture of {width}×{height}: draw "
            "it over the picture, in any size of the same shape"
        )
    fitted = resize(values, (height, width)).to(picture.device)
    if fitted.max() < 1 / 255:
        raise ImageError("a mask is black everywhere: paint white what it is to choose")
    return fitted


def as_values(mask: Mask) -> Tensor:
    """The mask in its own size, (1, 1, H, W) in [0, 1]."""
    if isinstance(mask, str) and mask.startswith(DRAWN):
        return as_values(read(mask))
    if isinstance(mask, np.ndarray | Tensor):
        return of_numbers(mask)
    if hasattr(mask, "read"):
        mask = in_reach(mask, "the mask")  # which is read twice
    elif not isinstance(mask, str | PathLike | bytes | bytearray | memoryview | Image.Image):
        raise ImageError(f"a mask is a file, a name or an array, not a {type(mask).__name__}")
    if (outline := open_outline(mask)) is not None:
        return preprocess_image(outline)[:, :1]
    return grey(load_image(mask))[:, :1].contiguous()


def of_numbers(mask: np.ndarray | Tensor) -> Tensor:
    """An array's or a tensor's mask, (1, 1, H, W) in [0, 1]."""
    shape, rule = tuple(mask.shape), "a mask holds numbers from 0 to 1, bytes, or True and False"
    if len(shape) < 2 or 0 in shape or any(length != 1 for length in shape[:-2]):
        raise ImageError(f"a mask has shape (H, W), not {shape}")
    if isinstance(mask, np.ndarray) and mask.dtype.kind in "buif":
        values = torch.from_numpy(np.array(mask, np.float32, order="C"))
    elif isinstance(mask, Tensor) and is_dense(mask) and not mask.is_complex():
        values = mask.detach().as_subclass(Tensor).cpu().float()
    else:
        raise ImageError(f"{rule}, not {mask.dtype}")
    values = values / WHITE.get(str(mask.dtype).removeprefix("torch."), 1)
    if not (values.min() > -1e-3 and values.max() < 1 + 1e-3):  # nor NaN
        raise ImageError(f"{rule}; this one goes from {values.min():.4g} to {values.max():.4g}")
    return values.reshape(1, 1, *shape[-2:]).clamp(0, 1).contiguous()


def written(mask: Image.Image) -> str:
    """A mask as text: a PNG in a data URL (RFC 2397), so that settings can carry what was drawn."""
    file = io.BytesIO()
    mask.convert("L").save(file, "PNG", optimize=True)
    return DRAWN + base64.b64encode(file.getvalue()).decode()


def read(text: str) -> bytes:
    """The PNG file in such a text; raises `ImageError` if there is none."""
    try:
        return base64.b64decode(text.removeprefix(DRAWN), validate=True)
    except ValueError as error:
        raise ImageError("a mask that was drawn is damaged: paint it again") from error


@torch.no_grad()
def layer_guides(network: Network, mask: Tensor, layers: Sequence[str]) -> dict[str, Guide]:
    """The mask as each layer's positions see it, without layers at which the region is empty.

    A position's weight is the share of the region in what it sees, where pixels count by the
    number of paths from them through the layers: a mean over 3×3 for each convolution, over 2×2
    for each pooling. Networks other than VGGs are taken to see what lies under the position.
    Where masks add up to 1 everywhere, so do the weights before they are normalised. A layer is
    empty if none of its positions sees mostly the region.
    """
    guides, most = {}, mask.max()
    for layer, seen in seen_masks(network, mask, layers).items():
        if seen.max() >= MOSTLY * most > 0:
            weights = torch.where(seen >= BARELY * most, seen, 0)
            guides[layer] = Guide.of(weights / weights.sum())
    return guides


def seen_masks(network: Network, mask: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """For each layer (1, 1, H, W): the mean of the mask over what each position sees."""
    found: dict[str, Tensor] = {}
    if not isinstance(network, VGG):
        blank = mask.expand(1, 3, *mask.shape[-2:]).contiguous()
        for layer, feature in network(blank, layers).items():
            found[layer] = F.adaptive_avg_pool2d(mask, (feature.shape[-2], feature.shape[-1]))
        return found
    for name, module in network.layers.items():
        if isinstance(module, torch.nn.Conv2d):
            mask = F.avg_pool2d(F.pad(mask, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        elif isinstance(module, Pool):
            mask = F.avg_pool2d(mask, 2)
        if name in layers:
            found[name] = mask
        if len(found) == len(set(layers)):
            break
    return found


def places(picture: Tensor) -> tuple[Tensor, Tensor]:
    """How far down and right each pixel is, from -1 to 1: (H, 1) and (1, W)."""
    height, width = picture.shape[-2:]
    down = (torch.arange(height, device=picture.device) + 0.5) / height * 2 - 1
    right = (torch.arange(width, device=picture.device) + 0.5) / width * 2 - 1
    return down[:, None], right[None]


def where(choose: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A mask of the places that are chosen, whatever the picture."""

    def make(picture: Tensor) -> Tensor:
        chosen = choose(*places(picture)).expand(picture.shape[-2:])
        return chosen.to(picture)[None, None].contiguous()

    return make


def darker(picture: Tensor) -> Tensor:
    """What is darker than the median; or the median's own, where more than half have that."""
    light = grey(picture)[:, :1]
    dark = light < light.median()
    return (dark if dark.any() else light <= light.median()).to(picture)


NAMED: dict[str, Callable[[Tensor], Tensor]] = {
    "all": where(lambda down, right: down + right < 9),
    "left": where(lambda down, right: (right < 0) & (down < 9)),
    "right": where(lambda down, right: (right >= 0) & (down < 9)),
    "top": where(lambda down, right: (down < 0) & (right < 9)),
    "bottom": where(lambda down, right: (down >= 0) & (right < 9)),
    "centre": where(lambda down, right: down.square() + right.square() < 0.5),
    "edge": where(lambda down, right: down.square() + right.square() >= 0.5),
    "dark": darker,
    "light": lambda picture: 1 - darker(picture),
}
