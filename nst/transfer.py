"""Style transfer: one loop over the pixels of a picture.

Everything here goes through `minimise`: evaluate the objective, take its gradient, show the step to
whoever watches, let the optimiser move the pixels.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from nst.errors import ImageError, SettingsError
from nst.images import (
    Source,
    fit,
    load_image,
    postprocess_image,
    resize,
    save_image,
    write_atomically,
    write_json,
)
from nst.networks import Network, load_network
from nst.objective import Objective
from nst.optimizers import make_optimizer
from nst.settings import Settings, make_settings

Picture = Source | Tensor
STALLED = 1e-7, 20  # the loss moved by less than this share of itself in so many steps
DIVERGED = 1e4  # the loss grew to so many times its start


@dataclass(frozen=True)
class Step:
    """What a callback sees: the picture after `number` of `of` steps at this `size`.

    `terms` are the weighted terms of the loss, `total` their sum, `seconds` the time since the run
    began, `size` the long side in pixels.
    """

    number: int
    of: int
    size: int
    total: float
    terms: dict[str, float]
    seconds: float
    _picture: Tensor = field(repr=False)

    @property
    def image(self) -> Tensor:
        """A copy of the picture, (1, 3, H, W) in [0, 1]."""
        return self._picture.detach().clamp(0, 1)

    def record(self) -> dict[str, Any]:
        """All but the picture, as plain data for JSON."""
        names = ("number", "of", "size", "total", "terms", "seconds")
        return {name: getattr(self, name) for name in names}


Callback = Callable[[Step], bool | None]


@dataclass
class State:
    """Where a run stands: all that it needs to go on as if it had never stopped."""

    image: Tensor
    size_index: int = 0
    number: int = 0
    optimizer: dict[str, Any] | None = None
    best: Tensor | None = None
    best_total: float = float("inf")
    average: Tensor | None = None
    average_weight: float = 0.0
    totals: list[float] = field(default_factory=list)

    def note(self, total: float) -> str | None:
        """Take in the loss of the current picture; returns "diverged", "stalled" or None."""
        self.totals.append(total)
        if total < self.best_total:
            self.best, self.best_total = self.image.detach().clone(), total
        if not total <= DIVERGED * self.totals[0]:
            return "diverged"
        share, steps = STALLED
        last = self.totals[-steps - 1 :]
        still = len(last) > steps and max(last) - min(last) <= share * total
        return "stalled" if still else None

    def follow(self, decay: float) -> None:
        """Take the current picture into the running average."""
        if decay:
            image = self.image.detach()
            past = torch.zeros_like(image) if self.average is None else self.average
            self.average = decay * past + (1 - decay) * image
            self.average_weight = 1 - decay * (1 - self.average_weight)

    def picture(self) -> Tensor:
        """The running average, if there is one, else the best picture so far; in [0, 1]."""
        best = self.image if self.best is None else self.best
        return (best if self.average is None else self.average / self.average_weight).clamp(0, 1)


@dataclass
class Result:
    """What a run gives back.

    Attributes:
        image: the picture, (1, 3, H, W) in [0, 1], on the CPU: the running average if one was
            asked for, else the picture with the lowest loss at the last size reached.
        history: every step's number, size, total, terms and seconds.
        settings: with them the run can be repeated.
        seconds: how long it took.
        reason: why it ended: "finished", "stopped" (by the callback), "interrupted" (Ctrl-C),
            "stalled" (the loss no longer moves) or "diverged" (it exploded).
    """

    image: Tensor
    history: list[dict[str, Any]]
    settings: Settings
    seconds: float
    reason: str
    checkpoint: dict[str, Any] = field(repr=False)

    def save(self, folder: str | os.PathLike) -> Path:
        """Write picture.png, settings.json, history.json and checkpoint.pt, for `resume`."""
        folder = Path(folder)
        settings = self.settings.to_dict()
        save_image(self.image, folder / "picture.png", settings)
        write_json(folder / "settings.json", settings)
        write_json(folder / "history.json", self.history)
        whole = self.checkpoint | {"history": self.history, "seconds": self.seconds}
        write_atomically(folder / "checkpoint.pt", lambda file: torch.save(whole, file))
        return folder

    def _repr_png_(self) -> bytes | None:
        return postprocess_image(self.image)._repr_png_()


def style_transfer(
    content_image: Picture,
    style_image: Picture | list[Picture],
    content_layers: Sequence[str] | dict[str, float] | None = None,
    style_layers: Sequence[str] | dict[str, float] | None = None,
    num_steps: int | Sequence[int] | None = None,
    learning_rate: float | None = None,
    *,
    network: str | Network | None = None,
    preset: str = "default",
    init: Picture | None = None,
    device: torch.device | str | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
    **changes: Any,
) -> Result:
    """Paint the content picture in the style of another, or of several.

    Args:
        content_image, style_image: whatever `load_image` takes, or tensors (1, 3, H, W) in [0, 1].
        content_layers, style_layers: names, which share a weight of 1, or a dict of weights.
        num_steps: optimisation steps, at each size if there are several.
        learning_rate: step length; for Adam of pixels in [0, 1].
        network: a name that `load_network` takes, or a network.
        preset: the settings that all others change; see `nst.settings.PRESETS`.
        init: "content", "style", "noise", or a picture to start from.
        device: "cpu", "cuda", "mps", …; by default a GPU if there is one.
        callback: is given a `Step` after each step; if it returns True, the run stops.
        progress: show a bar; by default in terminals and notebooks.
        changes: any other field of `Settings`: weights, sizes, optimizer, seed, …

    Raises:
        SettingsError, ImageError, WeightsError: before the run begins. Once it runs, it always
            hands back a picture, and says in `reason` why it ended.
    """
    styles = list(style_image) if isinstance(style_image, list | tuple) else [style_image]
    loaded = network.settings if isinstance(network, Network) else {"network": network}
    settings = make_settings(
        preset,
        content_layers=content_layers,
        style_layers=style_layers,
        num_steps=num_steps,
        learning_rate=learning_rate,
        content=name_of(content_image),
        styles=[name for style in styles if (name := name_of(style))],
        init="given" if isinstance(init, Tensor) else init,
        **loaded | changes,
    )
    place = pick_device(device)
    network = (network if isinstance(network, Network) else network_of(settings)).to(place)
    content = load(content_image, max(settings.sizes), place)
    job = Job(settings, network, content, [load(style, None, place) for style in styles])
    state = State(job.start(init if isinstance(init, Tensor) else settings.init))
    return job.run(state, [], 0.0, callback, progress)


def reconstruct_content(
    network: str | Network, image: Picture, layer: str, num_steps: int = 200, **options: Any
) -> Result:
    """From noise to a picture with the same activations at `layer`.

    Gatys et al. (2016), section 2.1. `options` are those of `style_transfer`. The picture keeps its
    own size, up to 512 pixels.
    """
    start: dict[str, Any] = {"init": "noise", "style_weight": 0.0, "tv_weight": 0.0, "sizes": 512}
    return style_transfer(image, [], [layer], None, num_steps, network=network, **start | options)


def synthesize_texture(
    network: str | Network,
    style: Picture,
    layers: Sequence[str] | dict[str, float],
    num_steps: int = 200,
    **options: Any,
) -> Result:
    """From noise to a picture with the same Gram matrices at `layers`.

    Gatys et al. (2016), section 2.2. `options` are those of `style_transfer`. The picture gets the
    style's size, up to 512 pixels.
    """
    start: dict[str, Any] = {"init": "noise", "content_weight": 0.0, "tv_weight": 0.0, "sizes": 512}
    return style_transfer(style, style, None, layers, num_steps, network=network, **start | options)


def resume(
    folder: str | os.PathLike,
    num_steps: int | Sequence[int] | None = None,
    *,
    network: Network | None = None,
    device: torch.device | str | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
) -> Result:
    """Go on with a run that `Result.save` wrote, as if it had never stopped.

    Args:
        folder: where it was saved.
        num_steps: a new number of steps (in all, at each size), if the run had finished.
        network: needed only for a network that `load_network` cannot load again by itself.
        device, callback, progress: as for `style_transfer`.
    """
    path = Path(folder) / "checkpoint.pt"
    if not path.is_file():
        raise SettingsError(f"{folder} holds no saved run: there is no checkpoint.pt in it")
    saved = torch.load(path, map_location="cpu", weights_only=True)
    settings = make_settings(**saved["settings"] | ({"num_steps": num_steps} if num_steps else {}))
    network = network or network_of(settings)
    job = Job(settings, network.to(pick_device(device)), saved["content"], saved["styles"])
    state = State(**saved["state"])
    # The step at which the run stopped is evaluated, and recorded, once more.
    history = saved["history"][:-1]
    return job.run(state, history, saved["seconds"], callback, progress)


@dataclass
class Job:
    """A run's settings, network and full-size pictures."""

    settings: Settings
    network: Network
    content: Tensor
    styles: list[Tensor]

    def sizes(self) -> list[tuple[int, int]]:
        """Long side and steps at each size, none larger than the content picture."""
        sizes: dict[int, int] = {}
        for index, size in enumerate(self.settings.sizes):
            sizes.setdefault(min(size, max(self.content.shape[-2:])), self.settings.steps_at(index))
        return list(sizes.items())

    def pictures(self, size: int) -> tuple[Tensor, list[Tensor]]:
        """Content and style pictures for a long side of `size` pixels."""
        style_size = round(size * self.settings.style_scale)
        return fit(self.content, size), [fit(style, style_size) for style in self.styles]

    def start(self, init: Picture) -> Tensor:
        """The first picture, at the first size."""
        content, styles = self.pictures(self.sizes()[0][0])
        if isinstance(init, str) and init == "content":
            return content.clone()
        if isinstance(init, str) and init == "noise":
            # Drawn on the CPU, so that a seed means the same on every device.
            generator = torch.Generator().manual_seed(self.settings.seed)
            return torch.rand(content.shape, generator=generator).to(content.device)
        if isinstance(init, str) and init == "style":
            return resize(styles[0], content.shape[-2:])
        if isinstance(init, str) and init == "given":
            raise SettingsError("the run started from a picture without a name; give it as init")
        return resize(load(init, None, content.device), content.shape[-2:])

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
        bar = progress_bar(sum(steps for _, steps in sizes), progress)
        with bar, interruptible() as interrupted:
            watcher = Watcher(sizes, history, seconds, callback, bar, interrupted)
            for index in range(state.size_index, len(sizes)):
                size, num_steps = sizes[index]
                content, styles = self.pictures(size)
                if index > state.size_index:
                    state = State(resize(state.picture(), content.shape[-2:]), index)
                objective = Objective(self.network, content, styles, self.settings)
                reason = minimise(objective, state, self.settings, num_steps, watcher)
                if reason not in ("finished", "stalled"):
                    break
        image = state.picture().detach().cpu()
        checkpoint = self.checkpoint(state)
        return Result(image, history, self.settings, watcher.seconds(), reason, checkpoint)

    def checkpoint(self, state: State) -> dict[str, Any]:
        """Plain data and tensors from which `resume` goes on."""
        return {
            "settings": self.settings.to_dict(),
            "content": self.content,
            "styles": self.styles,
            "state": vars(state) | {"image": state.image.detach()},
        }


class Watcher:
    """Shows every step to the history, the progress bar and the callback."""

    def __init__(
        self,
        sizes: list[tuple[int, int]],
        history: list[dict[str, Any]],
        seconds: float,
        callback: Callback | None,
        bar: "tqdm[Any]",
        interrupted: threading.Event,
    ):
        self.sizes, self.history, self.callback = sizes, history, callback
        self.bar, self.interrupted = bar, interrupted
        self.began = time.perf_counter() - seconds

    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self.began

    def __call__(self, state: State, total: float, terms: dict[str, float]) -> str | None:
        """Show the step; returns "stopped" or "interrupted" if the run is to end."""
        size, num_steps = self.sizes[state.size_index]
        step = Step(state.number, num_steps, size, total, terms, self.seconds(), state.image)
        self.history.append(step.record())
        self.bar.set_postfix_str(f"{size} px, loss {total:.4g}", refresh=False)
        self.bar.update(state.number > 0)
        if self.callback and self.callback(step):
            return "stopped"
        return "interrupted" if self.interrupted.is_set() else None


def minimise(
    objective: Objective, state: State, settings: Settings, num_steps: int, watcher: Watcher
) -> str:
    """The loop: move `state.image` downhill for `num_steps` steps; returns why it ended.

    The pixels are free to leave [0, 1] on their way, and are clamped only in pictures that are
    shown or handed back: to clamp them here would move them behind the optimiser's back.
    """
    image = state.image.requires_grad_()
    optimizer = make_optimizer(image, settings)
    if state.optimizer:
        optimizer.load_state_dict(state.optimizer)
    factor, interval = settings.learning_rate_decay
    while True:
        terms = objective(image)
        loss = torch.stack(list(terms.values())).sum()
        (image.grad,) = torch.autograd.grad(loss, image)

        *values, total = torch.stack([*terms.values(), loss]).tolist()
        trouble = state.note(total)
        stop = watcher(state, total, dict(zip(terms, values, strict=True)))
        state.optimizer = optimizer.state_dict()
        if trouble or stop:
            return trouble or str(stop)
        if state.number >= num_steps:
            return "finished"

        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor ** (state.number // interval)
        optimizer.step()
        state.number += 1
        state.follow(settings.average)


def network_of(settings: Settings) -> Network:
    """The network that the settings name."""
    return load_network(settings.network, settings.weights, settings.pooling, settings.padding)


def pick_device(device: torch.device | str | None) -> torch.device:
    """The device asked for, else a GPU if there is one, else the CPU."""
    if device is not None:
        try:
            return torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:
            raise SettingsError(f"there is no device {str(device)!r} here; try cpu") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def name_of(picture: Picture) -> str | None:
    """A picture's path, URL or sample name, if it has one."""
    return str(picture) if isinstance(picture, str | Path) else None


def load(picture: Picture, size: int | None, device: torch.device) -> Tensor:
    """A picture as a tensor on `device`, its long side at most `size`."""
    if not isinstance(picture, Tensor):
        return load_image(picture, size, device)
    if picture.dim() != 4 or picture.shape[:2] != (1, 3) or not picture.isfinite().all():
        raise ImageError(f"a picture is finite and has shape (1, 3, H, W), not {picture.shape}")
    image = picture.detach().to(device, torch.float32).contiguous()
    return image if size is None else fit(image, size)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event, so that a step is never cut in half.

    A second one interrupts at once. Outside the main thread, where no Ctrl-C arrives, it does
    nothing.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def handler(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)


def progress_bar(steps: int, shown: bool | None) -> "tqdm[Any]":
    """A tqdm bar; by default shown in terminals and notebooks."""
    # Imported here, since in a notebook it loads ipywidgets.
    from tqdm.auto import tqdm as automatic

    notebook = "ipykernel" in sys.modules
    if shown is None:
        shown = notebook or sys.stderr.isatty()
    return automatic(total=steps, disable=not shown, leave=False)
