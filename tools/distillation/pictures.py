"""What the student looks at: crops of photographs, artworks and paintings in the making."""

import math
import random
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from nst.errors import ImageError
from nst.images import open_image

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# Sides of the crops, and how often each is drawn.
SIZES = {96: 1, 128: 1, 160: 2, 192: 3, 256: 3, 320: 2}
SHORT_SIDE, LONG_SIDE = 256, 640  # of the pictures that are kept
SHRINK = (0.8, 2.2)  # crops are shrunk by a factor between these
DISTURBED = 0.2  # the share of crops that is disturbed
PAINTED = 0.2  # the share of crops from paintings in the making


class Gallery:
    """Pictures of one kind, as bytes on the device; crops of them are made there."""

    def __init__(self, pictures: list[Tensor], device: torch.device):
        """Pictures are uint8 (3, H, W) of any size."""
        self.sizes = [tuple(p.shape[1:]) for p in pictures]
        height, width = (max(sides) for sides in zip(*self.sizes, strict=True))
        self.pixels = torch.zeros(
            len(pictures), 3, height, width, dtype=torch.uint8, device=pictures[0].device
        )
        for canvas, picture in zip(self.pixels, pictures, strict=True):
            canvas[:, : picture.shape[1], : picture.shape[2]] = picture
        self.pixels = self.pixels.to(device)

    def crops(self, count: int, size: int) -> Tensor:
        """Random squares, shrunk by one random factor, half of them mirrored: (count, 3, S, S)."""
        chosen = random.choices(range(len(self.sizes)), k=count)
        factor = math.exp(random.uniform(*(math.log(s) for s in SHRINK)))
        side = min(round(size * factor), *(min(self.sizes[i]) for i in chosen))
        offsets = [[random.randrange(n - side + 1) for n in self.sizes[i]] for i in chosen]
        device = self.pixels.device
        ramp = torch.arange(side, device=device)
        top, left = torch.tensor(offsets, device=device).T[..., None]
        mirrored = torch.rand(count, 1, device=device) < 0.5
        rows = top + ramp
        columns = left + torch.where(mirrored, side - 1 - ramp, ramp)
        index = torch.tensor(chosen, device=device)[:, None, None]
        # Advanced indices round a slice put the channels last.
        cut = self.pixels[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        return F.interpolate(cut.float() / 255, size=(size, size), mode="bilinear", antialias=True)


def random_batch(galleries: list[Gallery], pixels: int, painted: Gallery | None = None) -> Tensor:
    """Crops of one random size, about `pixels` in all, some disturbed: (B, 3, S, S) in [0, 1].

    A gallery is drawn from as often as the square root of its length is long, so that a few
    artworks count for more than a few photographs, and none is worn out.
    """
    size = random.choices(list(SIZES), list(SIZES.values()))[0]
    count = max(2, pixels // size**2)
    of_paintings = round(PAINTED * count) if painted else 0
    weights = [math.sqrt(len(g.sizes)) for g in galleries]
    drawn = random.choices(range(len(galleries)), weights, k=count - of_paintings)
    parts = [g.crops(drawn.count(i), size) for i, g in enumerate(galleries) if i in drawn]
    crops = disturb(torch.cat(parts))
    if painted and of_paintings:
        crops = torch.cat([crops, painted.crops(of_paintings, size)])
    return crops.contiguous(memory_format=torch.channels_last)


def disturb(crops: Tensor) -> Tensor:
    """Make a share of the crops look as no photograph does: blends, colours, contrasts, noise."""
    count, device = len(crops), crops.device

    def some(share: float) -> Tensor:
        """Which crops: (B, 1, 1, 1), true for that share of the disturbed ones."""
        return disturbed & (torch.rand(count, 1, 1, 1, device=device) < share)

    def between(low: float, high: float) -> Tensor:
        """One random number a crop: (B, 1, 1, 1)."""
        return low + (high - low) * torch.rand(count, 1, 1, 1, device=device)

    disturbed = torch.rand(count, 1, 1, 1, device=device) < DISTURBED
    out = torch.where(some(0.3), torch.lerp(crops, crops.roll(1, 0), between(0, 1)), crops)
    order = torch.rand(count, 3, device=device).argsort(1)[:, :, None, None].expand_as(out)
    out = torch.where(some(0.3), out.gather(1, order), out)
    grey = out.mean(1, keepdim=True)
    out = torch.where(some(0.3), torch.lerp(grey, out, between(0, 3)), out)
    pivot = between(0, 1)
    out = torch.where(some(0.4), pivot + (out - pivot) * between(0.3, 2), out)
    noise = torch.randn_like(out) * between(0, 0.6).square()
    out = torch.where(some(0.4), out + noise, out)
    return torch.where(some(0.05), torch.rand_like(out), out).clamp(0, 1)


def paths_in(folder: Path) -> list[Path]:
    """The pictures of a folder, by name."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def read_pictures(paths: list[Path]) -> list[Tensor]:
    """uint8 tensors (3, H, W) of fitting size; what cannot be read is left out, with a word."""
    pictures = []
    for path in tqdm(paths, "reading", leave=False, disable=None):
        try:
            image = open_image(path)
        except ImageError as problem:
            tqdm.write(f"left out: {problem}")
            continue
        k = max(min(1.0, LONG_SIDE / max(image.size)), SHORT_SIDE / min(image.size))
        size = (round(image.width * k), round(image.height * k))
        pixels = np.array(image.resize(size, Image.Resampling.LANCZOS))
        pictures.append(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
    return pictures


def read_square(path: Path, side: int = 320) -> Tensor:
    """The whole picture as a square: (1, 3, side, side) in [0, 1]; for exams, which are alike."""
    pixels = np.array(open_image(path).resize((side, side), Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
