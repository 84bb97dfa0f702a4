"""What painters learn from: photographs in memory, and random crops of them."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from nst.errors import ImageError
from nst.files import expand
from nst.images import load_image

KEPT = 480  # pixels, long side of the photographs in memory
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")


class Photographs:
    """Photographs in memory, and random crops of them."""

    def __init__(self, pictures: Sequence[Tensor]):
        """Pictures (1, 3, H, W) in [0, 1], kept as 8 bits.

        Raises:
            ImageError: there is none.
        """
        if not pictures:
            raise ImageError("there is no photograph to learn from; give at least one")
        self.pictures = [eight_bits(picture) for picture in pictures]

    def crops(self, count: int, size: int, chance: torch.Generator) -> Tensor:
        """(count, 3, size, size) in [0, 1]: squares of once to twice that side, shrunk to it."""
        return torch.cat([self.crop(size, chance) for _ in range(count)])

    def crop(self, size: int, chance: torch.Generator) -> Tensor:
        """One of them, mirrored every second time."""
        picture = self.pictures[draw(len(self.pictures), chance)]
        height, width = picture.shape[-2:]
        longest = min(height, width)
        side = min(size, longest) + draw(max(min(2 * size, longest) - size, 0) + 1, chance)
        top, left = draw(height - side + 1, chance), draw(width - side + 1, chance)
        crop = picture[..., top : top + side, left : left + side].float() / 255
        crop = F.interpolate(crop, size=(size, size), mode="bilinear", antialias=True)
        return crop.flip(3) if draw(2, chance) else crop


def draw(count: int, chance: torch.Generator) -> int:
    """A number from 0 to count - 1."""
    return int(torch.randint(count, (), generator=chance))


def eight_bits(picture: Tensor) -> Tensor:
    """As uint8, a quarter of the memory."""
    return (picture.detach().cpu() * 255).round().clamp(0, 255).byte()


def read_photographs(files: Sequence[Path], size: int = KEPT) -> Photographs:
    """Picture files, with a bar; what cannot be read is left out, and said.

    Raises:
        ImageError: there is none that can be read.
    """
    pictures = []
    for path in tqdm(files, desc="photographs", leave=False):
        try:
            pictures.append(load_image(path, size))
        except ImageError as error:
            if sys.stdout is not None:  # as for programs without a console
                tqdm.write(f"left out: {error}")
    return Photographs(pictures)


def pictures_in(folder: str | os.PathLike) -> list[Path]:
    """The picture files of a folder, by name.

    Raises:
        ImageError: there is none.
    """
    found = [path for path in sorted(expand(folder).glob("*")) if path.suffix.lower() in ENDINGS]
    if not found:
        raise ImageError(f"'{folder}' is no folder with pictures; name one with photographs")
    return found
