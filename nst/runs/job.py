"""A run at work: its pictures size after size, its plan of memory, and what it hands back."""

import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from nst.control.colours import grey, only_grey, prepare, recolour
from nst.control.regions import spread
from nst.devices import SMALL, arithmetic, is_full
from nst.errors import SettingsError
from nst.hardware.memory import SHORTEST, Plan, on_gpu, plan, plan_for_gpu
from nst.hardware.scales import FallBack, TiledObjective
from nst.images import Picture, as_image, fit, fitted, resize
from nst.kernels.layers import triton_kernels
from nst.loop import EXACT, Callback, State, Watcher, interruptible, minimise, progress_bar
from nst.networks import Network
from nst.objective import Objective, layers_of, total
from nst.painters.starting import first_painting
from nst.runs.results import Result
from nst.settings import Settings

# From so many megapixels on, Triton's kernels save what it takes to load them: an H200 saved a
# millisecond each with VGG-19, and its process took 0.8 seconds.
KERNELS_PAY = 1000.0


@dataclass
class Job:
    """A run at work.

    Attributes:
        settings, network: the run's.
        content, styles: the pictures in full size, (1, 3, H, W).
        memory_limit: the bytes that it may take.
        weights: the hash of its network's weights.
        masks, style_masks: (1, 1, H, W), of the content and of the style pictures.
        exact: the network in float32, if that is another; for `nst.loop.EXACT` pictures.
    """

    settings: Settings
    network: Network
    content: Tensor
    styles: list[Tensor]
    memory_limit: int | None = None
    weights: str = ""
    masks: list[Tensor] = field(default_factory=list)
    style_masks: list[Tensor] = field(default_factory=list)
    exact: Network | None = None
    said: dict[Any, bool] = field(default_factory=dict, repr=False)

    def sizes(self) -> list[tuple[int, int]]:
        """Long side and steps at each size, none larger than the content picture."""
        return self.settings.stages(max(self.content.shape[-2:]))

    def pictures(self, size: int) -> tuple[Tensor, list[Tensor]]:
        """Content and style pictures, as the run sees them, for a long side of `size` pixels."""
        used = self.settings.used(len(self.styles))
        sides = self.settings.style_sizes(size, used)
        pairs = zip(spread(self.styles, used), sides, strict=True)
        styles = [fit(style, side) for style, side in pairs]
        return prepare(self.settings.colour, fit(self.content, size), styles)

    def megapixels(self) -> float:
        """How many it evaluates in all its steps."""
        shape = self.content.shape[-2:]
        return sum(prod(fitted(shape, size)) * (steps + 1) for size, steps in self.sizes()) / 1e6

    def deliver(self, picture: Tensor) -> Tensor:
        """A picture of the run as one gets it: with the content's colours, if it has these."""
        if self.settings.colour != "content":
            return picture
        return recolour(picture, fit(self.content, max(picture.shape[-2:])))

    def plan(self, size: int, steps: int) -> Plan:
        """How a picture of `size` pixels is evaluated under the memory limit, or on the GPU.

        No more steps are remembered than are made.
        """
        gpu = self.content.is_cuda
        settings = replace(self.settings, history=min(self.settings.history, max(steps, 1)))
        if self.memory_limit is None and not gpu:
            return Plan(None, settings.history)
        shape = fitted(self.content.shape[-2:], size)
        used = self.settings.used(len(self.styles))
        sides = self.settings.style_sizes(size, used)
        pairs = zip(spread(self.styles, used), sides, strict=True)
        styles = [prod(fitted(style.shape[-2:], side)) for style, side in pairs]
        stored = sum(image[0, 0].numel() for image in [self.content, *self.styles])
        parts = self.network, settings, shape, styles, stored
        if gpu:
            found = plan_for_gpu(self.memory_limit, *parts)
            if found.tile and self.memory_limit is None:
                say(f"at {size} pixels, the GPU has memory for tiles of {found.tile} pixels only")
        else:
            found = plan(self.memory_limit or 0, *parts)
        if found.history < settings.history:
            say(f"at {size} pixels, L-BFGS has memory for its last {found.history} steps only")
        return found

    def objective(
        self, content: Tensor, styles: list[Tensor], network: Network, tile: int | None
    ) -> Objective:
        """What is minimised: of the whole picture at once, or by tiles."""
        masks = [resize(mask, content.shape[-2:]) for mask in self.masks]
        pairs = zip(self.style_masks, styles, strict=True) if self.style_masks else ()
        within = [resize(m, s.shape[-2:]) for m, s in pairs]
        given = network, content, styles, self.settings, masks, within
        made = Objective(*given) if tile is None else TiledObjective(*given, tile)
        if made.empty and not self.said.get(content.shape):
            self.said[content.shape] = True
            size = max(content.shape[-2:])
            say(f"at {size} pixels too little is seen of {'; of '.join(made.empty)}")
        return made

    def start(self, init: Picture) -> Tensor:
        """The first picture, at the first size."""
        content, styles = self.pictures(self.sizes()[0][0])
        if isinstance(init, str) and init == "content":
            return content.clone()
        if isinstance(init, str) and init == "noise":
            # Drawn on the CPU, so that a seed means the same on every device.
            generator = torch.Generator().manual_seed(self.settings.seed)
            noise = torch.rand(content.shape, generator=generator).to(content.device)
            return only_grey(noise) if self.settings.colour == "content" else noise
        if isinstance(init, str) and init in ("painter", "style") and not styles:
            raise SettingsError(
                f"the start {init!r} needs a style picture: give one, or another start"
            )
        if isinstance(init, str) and init == "painter":
            masks = [resize(mask, content.shape[-2:]) for mask in self.masks]
            image = first_painting(self.settings, content, styles, masks)
            return grey(image) if self.settings.colour == "content" else image
        if isinstance(init, str) and init == "style":
            return resize(styles[0], content.shape[-2:])
        if isinstance(init, str) and init == "given":
            raise SettingsError("the run started from a picture without a name; give it as init")
        image = resize(as_image(init, max(content.shape), content.device), content.shape[-2:])
        return grey(image) if self.settings.colour == "content" else image

    def run(
        self,
        state: State,
        history: list[dict[str, Any]],
        seconds: float,
        callback: Callback | None,
        progress: bool | None,
    ) -> Result:
        """Minimise at one size after the other, each starting from the last one's picture."""
        sizes, reason = self.sizes(), "finished"
        plans = [self.plan(*stage) for stage in sizes]
        bar = progress_bar(sum(steps for _, steps in sizes), progress)
        device, evaluate = self.content.device, None
        if device.type == "cuda" and self.megapixels() > KERNELS_PAY:
            triton_kernels()
        with (
            bar,
            arithmetic(self.network.precision),
            on_gpu(device, self.memory_limit),
            interruptible() as interrupted,
        ):
            watcher = Watcher(sizes, history, seconds, callback, bar, interrupted, self.deliver)
            for index in range(state.size_index, len(sizes)):
                try:
                    content, styles = self.pictures(sizes[index][0])
                    if index > state.size_index:
                        state = State(resize(state.picture(), content.shape[-2:]), index)
                    objective = partial(self.objective, content, styles)
                    layers, tile = layers_of(self.settings), plans[index].tile
                    # At later sizes it makes no difference, and in large pictures it takes long.
                    exact = self.exact if index == 0 and content[0, 0].numel() <= SMALL else None
                    evaluate = FallBack(objective, self.network, layers, tile, say, exact)
                    reason = self.descend(evaluate, state, plans[index].history, watcher)
                    torch.cuda.empty_cache()  # what a recording held would only serve another
                except (MemoryError, RuntimeError) as error:
                    if not is_full(error):
                        raise
                    reason = "out of memory"
                if reason not in ("finished", "stalled"):
                    break
            delivered = self.measure(evaluate, state) if evaluate else {}
        if delivered and history:
            history[-1]["delivered"] = delivered
        image = self.deliver(state.picture().detach()).cpu()
        checkpoint = self.checkpoint(state)
        seconds = watcher.seconds()
        return Result(image, delivered, history, self.settings, seconds, reason, checkpoint)

    def descend(self, evaluate: FallBack, state: State, remembered: int, watcher: Watcher) -> str:
        """Minimise at one size; where that takes too much memory, with ever shorter histories."""
        num_steps = self.sizes()[state.size_index][1]
        while True:
            settings = replace(self.settings, history=remembered)
            try:
                return minimise(evaluate, state, settings, num_steps, watcher)
            except (MemoryError, RuntimeError) as error:
                shortest = settings.optimizer == "adam" or remembered <= SHORTEST
                if shortest or not is_full(error):
                    raise
            # Only here, where the error and with it the frames of the step are gone.
            remembered = max(SHORTEST, remembered // 2)
            watcher.rewind(state)
            state.back_to_best()
            torch.cuda.empty_cache()
            say(f"out of memory: L-BFGS goes on with memory for its last {remembered} steps only")

    def measure(self, evaluate: FallBack, state: State) -> dict[str, float]:
        """The loss of what is delivered, in 256 levels: its terms, and "total".

        Evaluated as the run's last picture was; empty if memory is short.
        """
        look = evaluate.exactly if state.number < EXACT else evaluate
        picture = (self.deliver(state.picture()) * 255).round() / 255
        try:
            terms, _ = look(grey(picture) if self.settings.colour == "content" else picture)
        except (MemoryError, RuntimeError) as error:
            if not is_full(error):
                raise
            return {}
        return {name: term.item() for name, term in {**terms, "total": total(terms)}.items()}

    def checkpoint(self, state: State) -> dict[str, Any]:
        """Plain data and tensors from which `resume` goes on."""
        return {
            "settings": self.settings.to_dict(),
            "content": self.content,
            "styles": self.styles,
            "masks": self.masks,
            "style_masks": self.style_masks,
            "state": vars(state) | {"image": state.image.detach()},
            "weights": self.weights,
        }


def say(line: str) -> None:
    """Print a line about the run, above its progress bar."""
    if sys.stderr is not None:  # as for programs without a console
        with suppress(OSError):  # a line that nobody can read any more costs no run
            tqdm.write(f"nst: {line}", file=sys.stderr)
