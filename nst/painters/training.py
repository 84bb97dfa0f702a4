"""How painters learn: from the losses of a frozen network, on crops of photographs.

No painter is ever shown the right answer. What it paints is judged by the losses that style
transfer minimises too, and their gradients go on into its weights (Johnson et al. 2016, section 3).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nst.devices import own_modes
from nst.errors import SettingsError
from nst.files.fields import WEIGHT, is_number, is_whole, shown
from nst.images import load_image
from nst.losses import gram_matrix, total_variation_loss
from nst.networks import Network, fit_out, load_network
from nst.painters.networks import Painter, StylesPainter
from nst.painters.photographs import Photographs
from nst.settings import STYLE_LAYERS

# With relu4_2 alone, as the optimiser has it, a painter loses faces and shapes.
CONTENT_LAYERS = {"relu3_2": 1.0, "relu4_2": 0.5}
STYLE_SIZE = 448  # pixels, long side of the style pictures, as of the pictures to be painted
REHEARSALS = 12  # every so many steps the photograph itself is to come out
TV_WEIGHT = 1.0
CROPS, MOST = (16, 2048), 256  # pixels of a crop, from what the teacher sees; crops a step


@dataclass(frozen=True)
class Lesson:
    """One step of a training: its number, of how many, and the losses, unweighted."""

    number: int
    steps: int
    loss: float
    content: float
    style: float


class Training:
    """A training that can be watched step by step, stopped, and gone on with.

    Attributes:
        painter: as it is now, to be looked at between two steps.
        number: of steps done.
    """

    def __init__(
        self,
        painter: Painter,
        photographs: Photographs,
        styles: Sequence[Any],
        size: int = 112,
        batch: int = 3,
        style_weight: float = 10.0,
        network: Network | None = None,
        precision: str = "float32",
        seed: int = 0,
        content_layers: Mapping[str, float] = CONTENT_LAYERS,
    ):
        """Crops of `size` pixels, `batch` a step; the content's layers have weights of their own.

        Styles are whatever `load_image` takes, or tensors; for a painter of some styles, these in
        its order. What is kept of them are their Gram matrices and their conditions. Raises
        `SettingsError` for numbers that make no sense.
        """
        check(size, batch, style_weight)
        self.painter, self.photographs = painter.train(), photographs
        self.size, self.batch, self.style_weight = size, batch, style_weight
        self.content_layers = content_layers
        self.device = next(painter.parameters()).device
        teacher = network or load_network()
        self.teacher = fit_out(teacher, self.device, precision)
        self.rounding = torch.autocast(
            self.device.type, torch.bfloat16, enabled=precision == "bfloat16"
        )
        named = painter.styles if isinstance(painter, StylesPainter) else [None] * len(styles)
        seen = [self.look(s, n) for s, n in zip(styles, named, strict=True)]
        self.conditions = torch.cat([condition for condition, _ in seen])
        self.grams = {n: torch.cat([grams[n] for _, grams in seen]) for n in STYLE_LAYERS}
        learned = [p for p in painter.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(learned, lr=0.0)
        self.chance = torch.Generator().manual_seed(seed)
        self.number = 0

    @torch.no_grad()
    def look(self, style: Any, name: str | None) -> tuple[Tensor, dict[str, Tensor]]:
        """What a style is to the painter, and what it is to the teacher."""
        picture = style if isinstance(style, Tensor) else load_image(style, STYLE_SIZE)
        picture = picture.to(self.device)
        grams = {n: gram_matrix(f) for n, f in self.teacher(picture, STYLE_LAYERS).items()}
        return self.painter.condition(picture if name is None else name), grams

    @own_modes()
    def step(self, rate: float) -> tuple[float, float, float]:
        """Change the painter's weights once; the loss, and its content and style."""
        photograph = self.photographs.crops(self.batch, self.size, self.chance).to(self.device)
        photograph = photograph.contiguous(memory_format=torch.channels_last)
        which = torch.randint(len(self.conditions), (self.batch,), generator=self.chance)
        rehearsal = self.number % REHEARSALS == REHEARSALS - 1
        condition = self.painter.unchanged(photograph) if rehearsal else self.conditions[which]
        with self.rounding:
            painting = self.painter(photograph, condition)
        grams = None if rehearsal else {n: target[which] for n, target in self.grams.items()}
        content, style = losses(self.teacher, painting, photograph, grams, self.content_layers)
        loss = content + self.style_weight * style + TV_WEIGHT * total_variation_loss(painting)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.painter.parameters(), 10.0)
        self.optimizer.step()
        self.number += 1
        return loss.item(), content.item(), style.item()

    def run(self, steps: int, rate: float = 2e-3) -> Iterator[Lesson]:
        """Train up to step `steps`; the rate of Adam falls from `rate` to 0 as a cosine."""
        while self.number < steps:
            now = rate * (1 + math.cos(math.pi * self.number / steps)) / 2
            loss, content, style = self.step(now)
            yield Lesson(self.number, steps, loss, content, style)

    def state(self) -> dict[str, Any]:
        """All that `load` needs to go on as if it had never stopped."""
        return {
            "painter": self.painter.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "chance": self.chance.get_state(),
            "number": self.number,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on where a training of the same painter and pictures was."""
        self.painter.load_state_dict(state["painter"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.chance.set_state(state["chance"])
        self.number = state["number"]


def check(size: Any, batch: Any, style_weight: Any) -> None:
    """Raise the SettingsError of a training's numbers."""
    low, high = CROPS
    if not is_whole(size, low, high):
        raise SettingsError(
            f"size is that of the crops, from {low} to {high} pixels; not {shown(size)}"
        )
    if not is_whole(batch, 1, MOST):
        raise SettingsError(f"batch is a number of crops from 1 to {MOST}; not {shown(batch)}")
    if not is_number(style_weight, 0, WEIGHT):
        raise SettingsError(
            f"style_weight is a number from 0 to {WEIGHT:g}; not {shown(style_weight)}"
        )


def losses(
    teacher: Network,
    painting: Tensor,
    photograph: Tensor,
    grams: dict[str, Tensor] | None,
    content_layers: Mapping[str, float] = CONTENT_LAYERS,
) -> tuple[Tensor, Tensor]:
    """Content ‖F - P‖² / ‖P‖² by layer, weighted; style ‖G - A‖² / ‖A‖², the mean of five layers.

    Each picture of the batch by itself, then their mean. Without Gram matrices the painting is to
    be the photograph, pixel by pixel: then the content's loss is also that of the colours.
    """
    with torch.no_grad():
        wanted = teacher(photograph, list(content_layers))
    features = teacher(painting, [*content_layers, *(grams or ())])
    parts = [weight * relative(features[n], wanted[n]) for n, weight in content_layers.items()]
    content = torch.stack(parts).sum()
    if grams is None:
        return content + 5 * relative(painting, photograph), content * 0
    style = [relative(gram_matrix(features[n]), target) for n, target in grams.items()]
    return content, torch.stack(style).mean()


def relative(x: Tensor, target: Tensor) -> Tensor:
    """Σ(x - t)² / Σt² of each picture of the batch, their mean."""
    difference = (x - target).square().flatten(1).sum(1)
    return (difference / target.square().flatten(1).sum(1).clamp(min=1e-12)).mean()
