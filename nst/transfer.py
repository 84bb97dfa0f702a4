"""Style transfer and the paper's two halves of it, through the one loop of `nst.loop`."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from nst.devices import arithmetic, is_full, own_modes, pick_device, pick_precision
from nst.errors import ImageError, SettingsError, WeightsError
from nst.files.checkpoints import hash_weights
from nst.hardware.memory import (
    SHORTEST,
    Plan,
    on_gpu,
    parse_bytes,
    plan,
    plan_for_gpu,
    room_for_pictures,
)
from nst.hardware.scales import FallBack, TiledObjective
from nst.images import Source, fit, fitted, load_image, resize, tensor_fault
from nst.loop import Callback, Evaluate, State, Watcher, interruptible, minimise, progress_bar
from nst.networks import Network, check_network, fit_out, load_network
from nst.objective import Objective, layers_of, total
from nst.runs.reading import read_run
from nst.runs.results import Result
from nst.runs.sizes import visible
from nst.settings import Settings, gone, make_settings, settled

Picture = Source | Tensor


@own_modes()
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
    precision: str | None = None,
    memory_limit: int | str | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
    **changes: Any,
) -> Result:
    """Paint the content picture in the style of another, or of several.

    Args:
        content_image, style_image: whatever `load_image` takes, or tensors (1, 3, H, W) in [0, 1].
        content_layers, style_layers: names, which share the preset's weight, or a dict of weights.
        num_steps: optimisation steps, at each size if there are several.
        learning_rate: for Adam about how far a pixel in [0, 1] moves a step; L-BFGS, the default
            optimiser, does best without.
        network: a name that `load_network` takes, or a network.
        preset: the settings that all others change; see `nst.settings.PRESETS`.
        init: "content", "style", "noise", or a picture to start from.
        device: "cpu", "cuda", "mps", …; by default where the network is, or else a GPU if there is
            one. A network that is given is copied there.
        precision: of the network: "float32"; "tf32", the default on NVIDIA's GPUs, which elsewhere
            means the same as float32; or "bfloat16", faster still there. The picture and the losses
            are float32 in any case.
        memory_limit: bytes, or text such as "8GB", that the process may take; the picture is then
            evaluated in tiles where it has to be, which changes nothing but the time, and L-BFGS's
            history shortened, which is said. For VGGs. Without a limit, a run that runs out of
            memory goes on in tiles.
        callback: is given a `Step` after each step; if it returns True, the run stops.
        progress: show a bar; by default in terminals and notebooks.
        changes: any other field of `Settings`: weights, sizes, optimizer, seed, …

    Raises:
        SettingsError, ImageError, WeightsError: before the run begins. Once it runs, it hands back
            a picture, and says in `reason` why it ended; but what the callback raises goes through.
    """
    styles = list(style_image) if isinstance(style_image, list | tuple) else [style_image]
    if isinstance(network, Network):
        device = network.mean.device if device is None else device
        if clash := [name for name in network.settings if name in changes]:
            raise SettingsError(f"the network is loaded already; give {clash[0]} to load_network")
        changes |= network.settings or {"network": "given"}
    elif isinstance(network, str | None):
        changes["network"] = network
    else:
        check_network(network)
    names = [name_of(style) for style in styles]
    settings = make_settings(
        preset,
        content_layers=content_layers,
        style_layers=style_layers,
        num_steps=num_steps,
        learning_rate=learning_rate,
        content=name_of(content_image),
        styles=names if all(names) else None,
        init=None if init is None else name_of(init) or "given",
        **changes,
    )
    if old := gone({"edition": None} | changes | {"network": settings.network}):
        say(f"these settings are an older picture's: {old}, so this one will differ")
    place = pick_device(device)
    if not isinstance(network, Network):
        settings = settled(settings)
        network = network_of(settings)
    weights = hash_weights(network)
    with room_for_pictures():
        network = fit_out(network, place, pick_precision(precision, place))
        content = load(content_image, max(settings.sizes), place)
        style_size = round(max(settings.sizes) * settings.style_scale)
        loaded = [load(style, style_size, place) for style in styles]
        settings = visible(settings, network, content, loaded)
        job = Job(settings, network, content, loaded, parse_bytes(memory_limit), weights)
        state = State(job.start(settings.init if init is None else init))
    return job.run(state, [], 0.0, callback, progress)


def reconstruct_content(
    network: str | Network, image: Picture, layer: str, num_steps: int = 200, **options: Any
) -> Result:
    """From noise to a picture with the same activations at `layer`.

    Gatys et al. (2016), section 2.1. `options` are those of `style_transfer`. The picture keeps its
    own size, up to 512 pixels.
    """
    start: dict[str, Any] = {"init": "noise", "content_weight": 1.0, "style_weight": 0.0}
    start |= {"tv_weight": 0.0, "sizes": 512}
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


@own_modes()
def resume(
    run: str | os.PathLike | Result,
    num_steps: int | None = None,
    *,
    network: Network | None = None,
    device: torch.device | str | None = None,
    precision: str | None = None,
    memory_limit: int | str | None = None,
    callback: Callback | None = None,
    progress: bool | None = None,
) -> Result:
    """Go on with a run as if it had never stopped.

    Args:
        run: the folder where `Result.save` wrote it, or the result itself, which stays as it is.
        num_steps: another number of steps for the size at which the run is, and all further ones.
        network: needed only for a network that `load_network` cannot load again by itself.
        device, precision, memory_limit, callback, progress: as for `style_transfer`.

    Raises:
        SettingsError: there is no saved run, it is damaged, or it cannot go on.
        WeightsError: the network's weights are others than those of the run.
    """
    place = pick_device(device)
    if network is not None:
        check_network(network)
    saved = read_run(run)
    settings, history = saved.settings, saved.history
    if num_steps is not None:
        done = [settings.steps_at(index) for index in range(saved.state.size_index)]
        settings = make_settings(**settings.to_dict() | {"num_steps": (*done, num_steps)})
    network, limit = network or network_of(settings), parse_bytes(memory_limit)
    if hash_weights(network) != saved.weights:
        raise WeightsError(
            f"the weights of {settings.weights or settings.network} are not those that the run was "
            f"painted with; put those back, or start it again, with its settings.json"
        )
    with room_for_pictures():
        network = fit_out(network, place, pick_precision(precision, place))
        # But for what the optimiser knows, which may have to be shortened before it fits.
        content, styles = on_device(saved.content, place), on_device(saved.styles, place)
        state = State(**{name: on_device(it, place) for name, it in vars(saved.state).items()})
    job = Job(settings, network, content, styles, limit, saved.weights)
    if state.totals:
        # The step at which the run stopped is evaluated, and recorded, once more.
        del state.totals[-1], history[-1]
    return job.run(state, history, saved.seconds, callback, progress)


def on_device(saved: Any, place: torch.device) -> Any:
    """A tensor, or a list of them, on the device; all else as it is."""
    if isinstance(saved, list):
        return [on_device(item, place) for item in saved]
    return saved.to(place) if isinstance(saved, Tensor) else saved


@dataclass
class Job:
    """A run's settings, network, full-size pictures, the bytes that it may take, weights' hash."""

    settings: Settings
    network: Network
    content: Tensor
    styles: list[Tensor]
    memory_limit: int | None = None
    weights: str = ""

    def sizes(self) -> list[tuple[int, int]]:
        """Long side and steps at each size, none larger than the content picture."""
        return self.settings.stages(max(self.content.shape[-2:]))

    def pictures(self, size: int) -> tuple[Tensor, list[Tensor]]:
        """Content and style pictures for a long side of `size` pixels."""
        style_size = round(size * self.settings.style_scale)
        return fit(self.content, size), [fit(style, style_size) for style in self.styles]

    def plan(self, size: int) -> Plan:
        """How a picture of `size` pixels is evaluated under the memory limit, or on the GPU."""
        gpu = self.content.is_cuda
        if self.memory_limit is None and not gpu:
            return Plan(None, self.settings.history)
        style_size = round(size * self.settings.style_scale)
        shape = fitted(self.content.shape[-2:], size)
        styles = [prod(fitted(style.shape[-2:], style_size)) for style in self.styles]
        stored = sum(image[0, 0].numel() for image in [self.content, *self.styles])
        parts = self.network, self.settings, shape, styles, stored
        if gpu:
            found = plan_for_gpu(self.memory_limit, *parts)
            if found.tile and self.memory_limit is None:
                say(f"at {size} pixels, the GPU has memory for tiles of {found.tile} pixels only")
        else:
            found = plan(self.memory_limit or 0, *parts)
        if found.history < self.settings.history:
            say(f"at {size} pixels, L-BFGS has memory for its last {found.history} steps only")
        return found

    def objective(self, content: Tensor, styles: list[Tensor], tile: int | None) -> Objective:
        """What is minimised: of the whole picture at once, or by tiles."""
        if tile is None:
            return Objective(self.network, content, styles, self.settings)
        return TiledObjective(self.network, content, styles, self.settings, tile)

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
        return resize(load(init, max(content.shape), content.device), content.shape[-2:])

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
        plans = [self.plan(size) for size, _ in sizes]
        bar = progress_bar(sum(steps for _, steps in sizes), progress)
        device, evaluate = self.content.device, None
        with (
            bar,
            arithmetic(self.network.precision),
            on_gpu(device, self.memory_limit),
            interruptible() as interrupted,
        ):
            watcher = Watcher(sizes, history, seconds, callback, bar, interrupted)
            for index in range(state.size_index, len(sizes)):
                try:
                    content, styles = self.pictures(sizes[index][0])
                    if index > state.size_index:
                        state = State(resize(state.picture(), content.shape[-2:]), index)
                    objective = partial(self.objective, content, styles)
                    layers, tile = layers_of(self.settings), plans[index].tile
                    evaluate = FallBack(objective, self.network, layers, tile, say)
                    reason = self.descend(evaluate, state, plans[index].history, watcher)
                except (MemoryError, RuntimeError) as error:
                    if not is_full(error):
                        raise
                    reason = "out of memory"
                if reason not in ("finished", "stalled"):
                    break
            delivered = measure(evaluate, state) if evaluate else {}
        if delivered and history:
            history[-1]["delivered"] = delivered
        image, checkpoint = state.picture().detach().cpu(), self.checkpoint(state)
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

    def checkpoint(self, state: State) -> dict[str, Any]:
        """Plain data and tensors from which `resume` goes on."""
        return {
            "settings": self.settings.to_dict(),
            "content": self.content,
            "styles": self.styles,
            "state": vars(state) | {"image": state.image.detach()},
            "weights": self.weights,
        }


def measure(evaluate: Evaluate, state: State) -> dict[str, float]:
    """The loss of the picture with 256 levels: its terms, and "total"; empty if memory is short."""
    try:
        terms, _ = evaluate((state.picture() * 255).round() / 255)
    except (MemoryError, RuntimeError) as error:
        if not is_full(error):
            raise
        return {}
    return {name: term.item() for name, term in {**terms, "total": total(terms)}.items()}


def say(line: str) -> None:
    """Print a line about the run, above its progress bar."""
    with suppress(OSError):  # a line that nobody can read any more costs no run
        tqdm.write(f"nst: {line}", file=sys.stderr)


def network_of(settings: Settings) -> Network:
    """The network that the settings name."""
    return load_network(
        settings.network, settings.weights, settings.pooling, settings.padding, settings.scale
    )


def name_of(picture: Picture) -> str | None:
    """A picture's path, URL or sample name, if it has one."""
    return str(picture) if isinstance(picture, str | Path) else None


def load(picture: Picture, size: int | None, device: torch.device) -> Tensor:
    """A picture as a tensor on `device`, its long side at most `size`."""
    if not isinstance(picture, Tensor):
        return load_image(picture, size, device)
    if fault := tensor_fault(picture):
        raise ImageError(
            f"a picture is a tensor (1, 3, H, W) of floats in [0, 1]; this one {fault}"
        )
    image = picture.detach().to(device, torch.float32).contiguous()
    image = image.clamp(0, 1)  # a tensor of our own, whatever mode the given one was made in
    return image if size is None else fit(image, size)
