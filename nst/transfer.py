"""Style transfer and the paper's two halves of it, through the one loop of `nst.loop`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nst.control.masks import Mask, load_mask
from nst.control.regions import spread
from nst.devices import own_modes, pick_device, pick_precision
from nst.errors import SettingsError, WeightsError
from nst.files.checkpoints import hash_weights
from nst.hardware.memory import parse_bytes, room_for_pictures
from nst.images import Picture, as_image, is_several
from nst.loop import Callback, State, check_callback
from nst.networks import Network, check_network, fit_both, identity, load_network
from nst.runs.job import Job, say
from nst.runs.reading import read_run
from nst.runs.results import Result
from nst.runs.sizes import visible
from nst.settings import Settings, gone, make_settings, settled


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
    masks: Mask | Sequence[Mask] | None = None,
    style_masks: Mask | Sequence[Mask] | None = None,
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
        init: "content", "style", "noise", "painter" (what `nst.paint` gives in one pass), or a
            picture to start from.
        device: "cpu", "cuda", "mps", …; by default where the network is, or else a GPU if there is
            one. A network that is given is copied there.
        precision: of the network: "float32"; "tf32", the default on NVIDIA's GPUs, which elsewhere
            means the same as float32; or "bfloat16", faster still there. The picture and the losses
            are float32 in any case; so are a run's first two evaluations, up to a megapixel.
        memory_limit: bytes, or text such as "8GB", that the process may take; the picture is then
            evaluated in tiles where it has to be, which changes nothing but the time, and L-BFGS's
            history shortened, which is said. For VGGs. Without a limit, a run that runs out of
            memory goes on in tiles.
        masks: where in the content picture the style is painted, one mask for each region: names,
            files or arrays, as `load_mask` takes them. One style picture is then that of all
            regions; of several each is that of one, and the last may be that of what is left.
        style_masks: which part of each style picture counts as its style; "all" for all of it.
        callback: is given a `Step` after each step; if it returns True, the run stops.
        progress: show a bar; by default in terminals and notebooks.
        changes: any other field of `Settings`: weights, sizes, colour, statistic, optimizer, …
            Another run's settings may be given; its pictures' names then count for nothing.

    Raises:
        SettingsError, ImageError, WeightsError: before the run begins. Once it runs, it hands back
            a picture, and says in `reason` why it ended; but what the callback raises goes through.
    """
    check_callback(callback)
    styles: list[Any] = list(style_image) if is_several(style_image) else [style_image]
    where, within = listed(masks), listed(style_masks)
    if isinstance(network, Network) and device is None:
        device = network.mean.device
    changes = {name: it for name, it in changes.items() if name not in ("content", "styles")}
    own = network_settings(network, changes)
    changes |= own | {
        "content_layers": content_layers,
        "style_layers": style_layers,
        "num_steps": num_steps,
        "learning_rate": learning_rate,
    }
    settings = make_settings(preset, **changes, **names(content_image, styles, init, where, within))
    if isinstance(network, Network):  # also where that is None, and the preset says otherwise
        settings = replace(settings, **own)
    if old := gone({"edition": None} | changes | {"network": settings.network}):
        say(f"these settings are an older picture's: {old}, so this one will differ")
    place = pick_device(device)
    if not isinstance(network, Network):
        settings = settled(settings)
        network = load_network(*settings.made())
        weights = network.source
    else:
        weights = identity(network)
    with room_for_pictures():
        network, exact = fit_both(network, place, pick_precision(precision, place))
        content, loaded = load_pictures(settings, content_image, styles, place)
        settings = visible(settings, network, content, loaded)
        of_content = [load_mask(mask, content) for mask in where]
        pairs = zip(within, spread(loaded, len(within)), strict=False)
        of_styles = [load_mask(mask, style) for mask, style in pairs]
        limit = parse_bytes(memory_limit)
        job = Job(settings, network, content, loaded, limit, weights, of_content, of_styles, exact)
        state = State(job.start(settings.init if init is None else init))
    return job.run(state, [], 0.0, callback, progress)


def network_settings(network: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """What the settings say of a network that is given, or named, or left out."""
    if isinstance(network, Network):
        if clash := [name for name in network.settings if name in changes]:
            raise SettingsError(f"the network is loaded already; give {clash[0]} to load_network")
        if not network.settings or hash_weights(network) != network.loaded:
            return {"network": "given", "scale": None}  # a name would tell of other weights
        return network.settings
    if not isinstance(network, str | None):
        check_network(network)
    return {"network": network}


def names(
    content: Picture, styles: list[Picture], init: Picture | None, masks: list, style_masks: list
) -> dict[str, Any]:
    """How the settings name the run's pictures and masks."""
    of_styles = [name_of(style) for style in styles]
    return {
        "content": name_of(content),
        "styles": of_styles if all(of_styles) else None,
        "init": None if init is None else name_of(init) or "given",
        "masks": [name_of(mask) or "given" for mask in masks],
        "style_masks": [name_of(mask) or "given" for mask in style_masks],
    }


def load_pictures(
    settings: Settings, content: Picture, styles: list[Picture], place: torch.device
) -> tuple[Tensor, list[Tensor]]:
    """The content and the styles, each as large as the largest size of the settings asks for."""
    sides = style_sides(settings, len(styles))
    loaded = [as_image(style, side, place) for style, side in zip(styles, sides, strict=True)]
    return as_image(content, max(settings.sizes), place), loaded


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
    check_callback(callback)
    place = pick_device(device)
    if network is not None:
        check_network(network)
    saved = read_run(run)
    settings, history = saved.settings, saved.history
    if num_steps is not None:
        done = [settings.steps_at(index) for index in range(saved.state.size_index)]
        settings = make_settings(**settings.to_dict() | {"num_steps": (*done, num_steps)})
    network, limit = network or load_network(*settings.made()), parse_bytes(memory_limit)
    if identity(network) != saved.weights:
        raise WeightsError(
            f"the weights of {settings.weights or settings.network} are not those that the run was "
            f"painted with; put those back, or start it again, with its settings.json"
        )
    with room_for_pictures():
        network, exact = fit_both(network, place, pick_precision(precision, place))
        # But for what the optimiser knows, which may have to be shortened before it fits.
        content, styles = on_device(saved.content, place), on_device(saved.styles, place)
        masks, within = on_device(saved.masks, place), on_device(saved.style_masks, place)
        state = State(**{name: on_device(it, place) for name, it in vars(saved.state).items()})
    job = Job(settings, network, content, styles, limit, saved.weights, masks, within, exact)
    if state.totals:
        # The step at which the run stopped is evaluated, and recorded, once more.
        del state.totals[-1], history[-1]
    return job.run(state, history, saved.seconds, callback, progress)


def on_device(saved: Any, place: torch.device) -> Any:
    """A tensor, or a list of them, on the device; all else as it is."""
    if isinstance(saved, list):
        return [on_device(item, place) for item in saved]
    return saved.to(place) if isinstance(saved, Tensor) else saved


def style_sides(settings: Settings, styles: int) -> list[int]:
    """How large each of so many style pictures is loaded: as the largest size asks for.

    Raises:
        SettingsError: there are too few or too many for the masks and other lists.
    """
    sides = settings.style_sizes(max(settings.sizes), settings.used(styles))
    return [max(sides)] if styles == 1 else sides


def listed(masks: Any) -> list[Any]:
    """Masks as a list: none, one by itself, or several."""
    found = [] if masks is None else list(masks) if is_several(masks) else [masks]
    if any(isinstance(mask, str) and mask == "given" for mask in found):
        raise SettingsError("the run had a mask without a name; give it as masks or style_masks")
    return found


def name_of(picture: Picture) -> str | None:
    """A picture's path, URL or sample name, if it has one."""
    if isinstance(picture, str):
        return str(picture)  # of a class of its own, such as NumPy's
    return os.fsdecode(picture) if isinstance(picture, os.PathLike) else None
