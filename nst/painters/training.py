"""How painters learn: from the losses of a frozen network, on crops of photographs.

No painter is ever shown the right answer. What it paints is judged by the losses that style
transfer minimises too, and their gradients go on into its weights (Johnson et al. 2016, section 3).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nst.devices import own_modes, pick_precision
from nst.errors import SettingsError
from nst.files.fields import WEIGHT, bare, is_number, is_whole, shown, whole
from nst.images import as_image, is_several
from nst.losses import gram_matrix, total_variation_loss
from nst.networks import Network, fit_out, load_network
from nst.painters.files import is_encoder
from nst.painters.networks import Painter
from nst.painters.photographs import Photographs
from nst.settings import STYLE_LAYERS, make_settings

# With relu4_2 alone, as the optimiser has it, a painter loses faces and shapes.
CONTENT_LAYERS = {"relu3_2": 1.0, "relu4_2": 0.5}
STYLE_SIZE = 448  # pixels, long side of the style pictures, as of the pictures to be painted
REHEARSALS = 12  # every so many steps the photograph itself is to come out
TV_WEIGHT = 1.0
CROPS, MOST = (16, 2048), 256  # pixels of a crop, from what the teacher sees; crops a step
LONGEST = 10**9  # steps


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
        painter: as it is now, to be looked at between two steps. What `load_painter` gives is
            frozen, and shared by all who paint with it: a copy of it learns.
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
        its order. What is kept of them are their Gram matrices and their conditions.

        Raises:
            SettingsError: numbers, a precision or layers that make no sense; too few styles, or
                others than the painter's.
            ImageError: a style that cannot be read.
        """
        self.size, self.batch, self.style_weight = checked(size, batch, style_weight)
        others = make_settings(seed=seed, content_layers=content_layers)
        self.content_layers = others.content_layers
        self.device = next(painter.parameters()).device
        precision = pick_precision(precision, self.device)
        styles = list(styles) if is_several(styles) else [styles]
        names = names_of(painter, styles)
        self.painter, self.photographs = learner(painter).train(), photographs
        teacher = network or load_network()
        self.teacher = fit_out(teacher, self.device, precision)
        self.rounding = torch.autocast(
            self.device.type, torch.bfloat16, enabled=precision == "bfloat16"
        )
        seen = [self.look(s, n) for s, n in zip(styles, names, strict=True)]
        self.conditions = torch.cat([condition for condition, _ in seen])
        self.grams = {n: torch.cat([grams[n] for _, grams in seen]) for n in STYLE_LAYERS}
        learned = [p for p in self.painter.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(learned, lr=0.0)
        self.chance = torch.Generator().manual_seed(others.seed)
        self.number = 0

    @torch.no_grad()
    def look(self, style: Any, name: str | None) -> tuple[Tensor, dict[str, Tensor]]:
        """What a style is to the painter, and what it is to the teacher."""
        size = None if isinstance(style, Tensor) else STYLE_SIZE
        picture = as_image(style, size, self.device)
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
        """Train up to step `steps`; the rate of Adam falls from `rate` to 0 as a cosine.

        Raises:
            SettingsError: numbers that make no sense.
        """
        steps, rate = whole(steps), bare(rate)
        if not is_whole(steps, 0, LONGEST):
            raise SettingsError(f"steps are a whole number from 0 to {LONGEST}; not {shown(steps)}")
        if not is_number(rate, 0, 1):
            raise SettingsError(f"rate is a number from 0 to 1; not {shown(rate)}")
        while self.number < steps:
            now = rate * (1 + math.cos(math.pi * self.number / steps)) / 2
            loss, content, style = self.step(now)
            yield Lesson(self.number, steps, loss, content, style)

    def state(self) -> dict[str, Any]:
        """All that `load` needs to go on as if it had never stopped; it stays as it is."""
        return {
            "styles": self.painter.styles,
            "painter": deepcopy(self.painter.state_dict()),
            "optimizer": deepcopy(self.optimizer.state_dict()),
            "chance": self.chance.get_state(),
            "number": self.number,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on where a training of the same painter and pictures was.

        Raises:
            SettingsError: it is no such state; this training then stays as it was.
        """
        before = self.state()
        try:
            self._load(state)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            self._load(before)
            styles = ", ".join(self.painter.styles) or "any style"
            raise SettingsError(
                f"this is no state of a training of the same painter, of {styles}: give what "
                "`state` of one gave"
            ) from error

    def _load(self, state: dict[str, Any]) -> None:
        same, number = self.painter.styles, state["number"]
        if tuple(state.get("styles", same)) != same or not is_whole(number, 0, LONGEST):
            raise ValueError("another painter, or no state")
        self.painter.load_state_dict(state["painter"])
        # The optimiser would change what it is given, at each of its steps.
        self.optimizer.load_state_dict(deepcopy(state["optimizer"]))
        self.chance.set_state(state["chance"].cpu())
        self.number = number


def learner(painter: Painter) -> Painter:
    """The painter, or a copy that can learn of one that is frozen."""
    if any(values.requires_grad for values in painter.parameters()):
        return painter
    painter = deepcopy(painter)
    for name, values in painter.named_parameters():
        values.requires_grad_(not is_encoder(name))
    return painter


def names_of(painter: Painter, styles: Sequence[Any]) -> Sequence[str | None]:
    """The name of each style, None for a painter of any; the SettingsError of their number."""
    if not styles:
        raise SettingsError("give at least one style to learn")
    if painter.styles and len(styles) != len(painter.styles):
        raise SettingsError(
            f"the painter learns {', '.join(painter.styles)}: give a picture of each, in this "
            f"order; not {len(styles)} of them"
        )
    return painter.styles or [None] * len(styles)


def checked(size: Any, batch: Any, style_weight: Any) -> tuple[int, int, float]:
    """A training's numbers as Python's own; the SettingsError of one that makes no sense."""
    size, batch, style_weight = whole(size), whole(batch), bare(style_weight)
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
    return size, batch, style_weight


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
