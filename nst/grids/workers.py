"""What a worker does: one cell of a grid."""

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nst.cache import Cache, caching
from nst.devices import arithmetic, pick_device, pick_precision
from nst.errors import NstError, WeightsError
from nst.grids.cells import Cell
from nst.images import postprocess_image, resize
from nst.loop import Callback, State
from nst.networks import Network, fit_both, load_network
from nst.runs.job import Job
from nst.settings import Settings, settled

CACHE = Cache()  # this process's


@dataclass(frozen=True)
class Task:
    """What a worker needs, which may be a machine that sees none of our files.

    `content`, `styles`, the masks and, unless it is a word, `init` are packed; see `pack`. They go
    with every task, since what is sent ahead would be lost with its worker. `reference` is as for
    `rebalance`; None leaves the weights alone. `weights` is the hash of the network's, where they
    are a file, which may change while its name stays.
    """

    settings: Settings
    reference: Settings | None
    content: np.ndarray
    styles: tuple[np.ndarray, ...]
    init: str | np.ndarray
    device: str | None = None
    masks: tuple[np.ndarray, ...] = ()
    style_masks: tuple[np.ndarray, ...] = ()
    weights: str | None = None

    def key(self) -> str:
        """The same for what gives the same picture, wherever its files are."""
        nameless: dict[str, Any] = {"content": None, "styles": (), "init": ""}
        nameless |= {"masks": (), "style_masks": ()}
        settings = [s and replace(s, **nameless).to_dict() for s in (self.settings, self.reference)]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for picture in (self.content, *self.styles, self.init, *self.masks, *self.style_masks):
            digest.update(repr(getattr(picture, "shape", "")).encode())
            digest.update(picture.encode() if isinstance(picture, str) else picture.tobytes())
        digest.update((self.weights or "").encode())
        return digest.hexdigest()[:16]


def run_cell(task: Task, callback: Callback | None = None) -> Cell:
    """Run the task; whatever goes wrong becomes the cell's error. `callback` sees every step."""
    try:
        return _run(task, callback)
    except Exception as error:
        return failure(task.settings, error)


def failure(settings: Settings, error: BaseException) -> Cell:
    """A cell that ended in an exception."""
    name = "" if isinstance(error, NstError) else f"{type(error).__name__}: "
    return Cell(settings, reason="failed", error=f"{name}{error}".strip(": "))


def _run(task: Task, callback: Callback | None) -> Cell:
    place = pick_device(task.device)
    settings = task.settings
    network, exact = loaded_networks(settings, place, task.weights)
    content, *styles = (unpack(picture, place) for picture in (task.content, *task.styles))
    # What is cached while weights are balanced serves the run, so it is rounded as there.
    with caching(CACHE), arithmetic(network.precision):
        masks, within = (
            [unpack(m, place) for m in them] for them in (task.masks, task.style_masks)
        )
        job = Job(settings, network, content, styles, masks=masks, style_masks=within, exact=exact)
        if task.reference:
            settings = job.settings = rebalance(job, task.reference)
        init = task.init if isinstance(task.init, str) else unpack(task.init, place)
        result = job.run(State(job.start(init)), [], 0.0, callback, False)
    if result.reason == "out of memory":
        return failure(settings, MemoryError("the GPU is full; have fewer workers share it"))
    if result.reason == "interrupted":
        return Cell(settings)
    picture = postprocess_image(result.image)
    ended = result.seconds, result.reason, None, result.delivered
    return Cell(settings, {}, picture, result.history, *ended)


def rebalance(job: Job, reference: Settings) -> Settings:
    """The job's settings with weights that let other layers push as hard as the reference's.

    A loss pushes the picture by its gradient, and what a run ends in is where the pushes of
    content and style cancel. How large a gradient is differs between layers, in "mse" and "paper"
    by orders of magnitude; so at a fixed weight another layer is also another balance. Here the
    weight of a loss whose layers are not the reference's is multiplied by

        ‖gradient of the reference's loss‖ / ‖gradient of this loss‖,

    Euclidean norms over all pixels, with everything but the layers as in the job's settings. Both
    are taken at the picture half-way between the content and the first style picture, at the run's
    first size: at the content or the style picture itself, one of the losses has no gradient.
    """
    settings = job.settings
    content, styles = job.pictures(job.sizes()[0][0])
    halfway = (content + resize(styles[0], content.shape[-2:])) / 2 if styles else content
    for term, other in (("content", "style"), ("style", "content")):
        layers, weight = f"{term}_layers", f"{term}_weight"
        if getattr(settings, layers) == getattr(reference, layers) or not getattr(settings, weight):
            continue
        alone: dict[str, Any] = {f"{other}_weight": 0.0, "tv_weight": 0.0}
        pushes = []
        for names in (getattr(reference, layers), getattr(settings, layers)):
            only = replace(job.settings, **alone, **{layers: names})
            objective = replace(job, settings=only).objective(content, styles, job.network, None)
            pushes.append(objective.loss_and_gradient(halfway)[1].norm().item())
        if all(pushes):  # else the two pictures are one
            changed: Any = {weight: getattr(settings, weight) * pushes[0] / pushes[1]}
            settings = replace(settings, **changed)
    return settings


def pack(image: Tensor) -> np.ndarray:
    """An image tensor as an array of bytes where these hold it exactly, else of floats."""
    levels = (image * 255).round()
    exact = torch.equal(levels / 255, image)
    return (levels.byte() if exact else image).numpy()


def unpack(picture: np.ndarray, device: torch.device) -> Tensor:
    """The image tensor that was packed."""
    image = torch.from_numpy(picture.copy())
    return (image if image.is_floating_point() else image.float() / 255).to(device)


def loaded_networks(
    settings: Settings, device: torch.device, weights: str | None = None
) -> tuple[Network, Network | None]:
    """The settings' network, as `fit_both` gives it; a worker keeps the last two.

    Raises:
        WeightsError: `weights` is a hash, and its weights are others.
    """
    return _load(settled(settings).made(), device, weights)


@lru_cache(maxsize=2)
def _load(
    made: tuple[str | None, ...], device: torch.device, weights: str | None
) -> tuple[Network, Network | None]:
    network = load_network(*made)  # type: ignore[arg-type]
    if weights and network.source != weights:
        raise WeightsError(f"{made[1]} has changed since the grid began: start it anew")
    return fit_both(network, device, pick_precision(None, device))
