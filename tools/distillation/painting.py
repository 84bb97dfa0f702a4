"""Paintings in the making, by the student as it is: what an optimiser will really show it.

There the student's losses are small, and what the teachers see differently is what it has yet to
learn.
"""

import random

import torch
from torch import Tensor

from distillation.pictures import Gallery
from distillation.rounding import rounding
from distillation.style import STYLE_LAYERS
from nst.losses import gram_matrix
from nst.networks import VGG

KEPT = 480  # paintings; the oldest go first
SIDE = 256
PIXELS = 32 * SIDE**2  # painted at once, at most
SNAPSHOTS = (4, 12, 40)  # steps after which a painting is kept
RATE = 0.05  # Adam's, of a picture in [0, 1]


class Studio:
    """Paints from crops of the galleries; `gallery` holds the paintings."""

    def __init__(self, galleries: list[Gallery], pixels: int, device: torch.device, precision: str):
        self.galleries, self.device, self.precision = galleries, device, precision
        self.count = max(2, min(4 * pixels, PIXELS) // SIDE**2)
        self.stored: list[Tensor] = []
        self.gallery: Gallery | None = None

    def work(self, student: VGG) -> None:
        """One batch of paintings, each kept at three moments."""
        contents, styles = (
            random.choices(self.galleries, [len(g.sizes) ** 0.5 for g in self.galleries])[0].crops(
                self.count, SIDE
            )
            for _ in range(2)
        )
        for image in paint_batch(student, contents, styles, self.precision):
            self.stored.extend(image.mul(255).round().byte())
        self.stored = self.stored[-KEPT:]
        self.gallery = Gallery(self.stored, self.device)


def paint_batch(student: VGG, contents: Tensor, styles: Tensor, precision: str) -> list[Tensor]:
    """Bounded Adam from content or noise, weights at random: the pictures at SNAPSHOTS.

    Pictures are (B, 3, S, S) in [0, 1].
    """
    count, layers = len(contents), [f"relu{n}" for n in STYLE_LAYERS]
    with torch.no_grad(), rounding(contents, precision):
        target = student(contents, ["relu4_2"])["relu4_2"].float()
        grams = {n: full_gram(f) for n, f in student(styles, layers).items()}

    def random_weights() -> Tensor:
        return torch.rand(count, device=contents.device)

    weights = {n: 10 ** (3 * random_weights()) * random_weights() for n in layers}
    noise = torch.rand_like(contents)
    blend = (random_weights() < 0.4).float() * random_weights()
    image = torch.lerp(contents, noise, blend.sqrt().view(-1, 1, 1, 1)).requires_grad_()
    optimizer, kept = torch.optim.Adam([image], lr=RATE), []
    for step in range(1, max(SNAPSHOTS) + 1):
        with rounding(image, precision):
            features = student(image, ["relu4_2", *layers])
        loss = relative(features["relu4_2"].float(), target)
        for n in layers:
            loss = loss + weights[n] * relative(full_gram(features[n]), grams[n])
        # Each picture's gradient has the same size, whatever its weights: Adam sees to that.
        (image.grad,) = torch.autograd.grad(loss.sum(), image)
        optimizer.step()
        with torch.no_grad():
            image.clamp_(0, 1)
        if step in SNAPSHOTS:
            kept.append(image.detach().clone())
    return kept


def full_gram(feature: Tensor) -> Tensor:
    """The Gram matrix in float32."""
    with rounding(feature, "float32"):
        return gram_matrix(feature.float())


def relative(found: Tensor, target: Tensor) -> Tensor:
    """Squared differences as a share of the target's squares, by picture: (B,)."""
    size = target.flatten(1).square().sum(1)
    return (found - target).flatten(1).square().sum(1) / size.clamp(min=1e-12)
