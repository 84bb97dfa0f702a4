"""What the default optimiser knows of pictures before it has measured how the loss curves."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

FALL = 0.3  # exponent of the frequency
TRUST = 0.6  # exponent of the ratio of steps to changes
FADE = 0.9  # weight of the past, from step to step
LONGEST_IN_RING = tuple(2 ** (octave / 2) for octave in range(13, 1, -1))  # pixels a wave
COLOUR_AXES = (1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (1.0, -2.0, 1.0)  # grey, and two without


class Guess:
    """Guesses how far to go along a gradient, up to one factor for all of it.

    Further at low frequencies f, by 1/f^`FALL`. And further where the gradient changed little along
    the steps that were made: by place, and by colour and frequency, in square rings half an octave
    wide (by the larger of the frequencies down and across).

    At each place a step is divided by the root mean square of the changes, as Dauphin et al. (2015,
    "Equilibrated adaptive learning rates", section 4) divide by that of the Hessian's rows. It is
    that of 3×3 pixels in all colours: each pixel's own would paint grain. Among colours and
    frequencies the steps differ as much as the changes; there it is a power, `TRUST`, of their
    ratio: 1 would be right if the loss curved by colour and frequency alone.
    """

    def __init__(self, image: Tensor):
        self.size = image.shape[-2:]
        height, width = self.size
        down, across = torch.fft.fftfreq(height).abs(), torch.fft.rfftfreq(width)
        frequency = (down[:, None] ** 2 + across**2).sqrt().clamp(min=1 / max(height, width))
        self.fall = (frequency**-FALL).to(image)
        rings = torch.arange(len(LONGEST_IN_RING))
        bands = [torch.bucketize(f, 1 / torch.tensor(LONGEST_IN_RING)) for f in (down, across)]
        self.ring = torch.maximum(bands[0][:, None], bands[1]).to(image.device)
        down, across = ((band[:, None] == rings).to(image.dtype) for band in bands)
        # Which ring a band down and a band across meet in, as a matrix that takes the mean there.
        meets = torch.maximum(rings[:, None], rings).flatten()[:, None] == rings
        count = torch.outer(down.sum(0), across.sum(0)).flatten() @ meets.to(image.dtype)
        meets = meets.to(image.dtype) / count.clamp(min=1)
        self.down, self.across, self.meets = (t.to(image) for t in (down, across, meets))
        self.axes = F.normalize(torch.tensor(COLOUR_AXES)).to(image)
        self.colours = self.axes.T.contiguous()

    def nothing_known(self) -> dict[str, Tensor]:
        """Mean squares of changes by pixel (1, H, W); of steps and of changes by ring (2, 3, n).

        They are zeros where nothing was measured.
        """
        zeros = self.fall.new_zeros
        return {"pixels": zeros(1, *self.size), "rings": zeros(2, 3, len(LONGEST_IN_RING))}

    def learn(
        self, state: dict[str, Any], step: Tensor, change: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Take in a step and the change along it, if it fits; the past fades by `FADE`.

        Returns the factors by place and by colour and frequency.
        """
        pixels = change.view(3, *self.size).square().mean(0, keepdim=True)
        state["pixels"].mul_(FADE).add_(weight * pixels)
        state["rings"].mul_(FADE).add_(weight * self.by_ring(torch.stack([step, change])))
        return self.factors(state)

    def factors(self, state: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """By place (1, H, W), and by colour and frequency (3, H, W // 2 + 1)."""
        around = F.avg_pool2d(state["pixels"], 3, stride=1, padding=1, count_include_pad=False)
        steps, changes = state["rings"].log() / 2
        spectrum = self.fall * about_one(TRUST * (steps - changes), most=3)[:, self.ring]
        # Half of each place's factor before and half after, so that the product stays symmetric.
        return about_one(around.log() / -4, most=1), spectrum

    def by_ring(self, values: Tensor) -> Tensor:
        """Mean squares of flat pictures' (B, n) coefficients, by colour axis and ring (B, 3, n)."""
        power = torch.fft.rfft2(self.turned(values), norm="ortho").abs().square()
        bands = (self.down.T @ power @ self.across).flatten(-2)
        return torch.bmm(bands, self.meets.expand(len(bands), -1, -1))

    def turned(self, values: Tensor) -> Tensor:
        """Flat pictures' colours on the colour axes: (B, 3, H, W)."""
        return (self.axes @ values.unflatten(-1, (3, -1))).unflatten(-1, self.size)

    def __call__(self, factors: tuple[Tensor, Tensor], vectors: Tensor) -> Tensor:
        """How far to go along flat gradients (B, n); symmetric and positive definite."""
        local, spectrum = factors
        further = torch.fft.rfft2(self.turned(vectors).mul_(local)).mul_(spectrum)
        further = torch.fft.irfft2(further, s=self.size).mul_(local)
        return (self.colours @ further.flatten(-2)).flatten(-2)


def about_one(logarithms: Tensor, most: float) -> Tensor:
    """Factors about 1, at most e^`most` from it either way; 1 where nothing was measured."""
    known = logarithms.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)
    return (known - known.mean()).clamp(-most, most).exp()
