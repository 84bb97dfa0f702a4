"""Where a network's weights come from, and how they are put into it."""

from __future__ import annotations

import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from nst.errors import WeightsError
from nst.files.weights import bared_for, read_weights

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

PACKAGED = Path(__file__).parents[1] / "weights"

# Caffe's VGGs take blue, green, red from 0 to 255, less this mean (in the order red, green, blue).
CAFFE, CAFFE_MEAN = "caffe:", (123.68, 116.779, 103.939)
# Norms of the first filters of the published VGG-19, for their root mean square over all 64.
PUBLISHED = (1.517, 0.476, 0.524, 1.488, 0.951, 0.866, 0.629, 0.930)
FAINT = 0.02  # filters for pictures of unit variance have a root mean square of 0.1 and more


def fill(
    layers: nn.ModuleDict,
    name: str,
    weights: str | os.PathLike | None,
    entry: WeightsEnum | None,
    mean: Tensor,
    std: Tensor,
) -> None:
    """Load a VGG's weights: torchvision's `entry`, the file `weights`, or else the package's own.

    "caffe:" before the file's path converts them for pictures normalised by `mean` and `std`.
    Raises `WeightsError`, also for such weights without that word.
    """
    path = pretrained_weights(entry) if entry else weights or PACKAGED / f"{name}.safetensors"
    caffe = isinstance(path, str) and path.startswith(CAFFE)
    path = path.removeprefix(CAFFE) if isinstance(path, str) else path
    fit_weights(layers, read_weights(path), str(path))
    first = cast(nn.Conv2d, layers["conv1_1"])
    if caffe:
        from_caffe(first, mean, std)
    elif not entry and takes_255(first.weight):
        raise WeightsError(
            f"{path} is for pictures in blue, green, red from 0 to 255, as caffe's are: give it as "
            f"'{CAFFE}{path}', which converts it"
        )


def fit_weights(layers: nn.ModuleDict, state: dict[str, Tensor], source: str) -> None:
    """Load `state` into the convolutions among a VGG's `layers`, checking every key and shape.

    The weights are found under the layers' names ("conv1_1.weight") or, in order of evaluation,
    under torchvision's ("features.0.weight", or "0.weight" for the features alone), whatever
    stands before these names. A classifier, and layers deeper than the network, are left aside.

    Raises:
        WeightsError: a weight is missing or of another shape; the message names `source`.
    """
    convolutions = {n: m for n, m in layers.items() if isinstance(m, nn.Conv2d)}
    where = places(state, source)
    if set(convolutions) <= where.keys():
        prefixes = [where[name] for name in convolutions]
    else:
        prefixes = [where[n] for n in sorted(filter(str.isdecimal, where), key=int)]
    if len(prefixes) < len(convolutions):
        raise WeightsError(
            f"{source} is of another network: it has {len(prefixes)} convolutions "
            f"where {len(convolutions)} are needed"
        )
    for (name, layer), prefix in zip(convolutions.items(), prefixes, strict=False):
        for kind, parameter in layer.named_parameters():
            if fault := fault_of(state.get(f"{prefix}.{kind}"), parameter):
                raise WeightsError(f"{source} is of another network: {name}.{kind} {fault}")
            parameter.data.copy_(state[f"{prefix}.{kind}"])


def places(state: dict[str, Tensor], source: str) -> dict[str, str]:
    """The convolutions in a VGG's state dict: the last part of a name, and all of it."""
    scales = [v for key, v in state.items() if key.endswith(".weight") and v.dim() == 1]
    if scales or any(key.endswith("running_mean") for key in state):
        raise WeightsError(
            f"{source} is of another network, with batch normalisation; VGGs with it are not "
            "supported"
        )
    found: dict[str, str] = {}
    for key, value in state.items():
        name, _, kind = key.rpartition(".")
        if kind == "weight" and value.dim() == 4:
            first = found.setdefault(name.rpartition(".")[2], name)
            if first != name:
                raise WeightsError(
                    f"{source} is of another network, or of several: it has {first} and {name}"
                )
    return found


def fault_of(value: Tensor | None, parameter: Tensor) -> str | None:
    """Why a value cannot be a parameter's, in words; None if it can."""
    if value is None:
        return "is missing"
    alike = value.is_floating_point() == parameter.is_floating_point()
    if alike and value.shape == parameter.shape:
        return None
    kind = "" if alike else f" of {value.dtype}"
    return f"has shape {tuple(value.shape)}{kind} where {tuple(parameter.shape)} is needed"


def load_strictly(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load `state` into `model`; WeightsError if any key or shape differs."""
    wanted = model.state_dict()
    state = bared_for(state, set(wanted))
    faults = {n: fault for n, v in wanted.items() if (fault := fault_of(state.get(n), v))}
    faults |= {name: "is not in it" for name in state if name not in wanted}
    for name, fault in faults.items():
        raise WeightsError(
            f"{source} is of another network than {type(model).__name__}: {name} {fault}"
        )
    model.load_state_dict(state)


def takes_255(filters: Tensor) -> bool:
    """Whether a VGG's first filters (64, 3, 3, 3) are for pictures from 0 to 255, as caffe's are.

    They are if they are far too faint for anything else, as where the weights were scaled to give
    activations of mean 1 (Gatys et al. 2015), or if they are those of the published VGG-19, up to
    the order of colours. Other weights for 0 to 255 cannot be told by their first layer: it is as
    strong as one for normalised pictures, and the activations are larger throughout.
    """
    strength = filters.double().square().mean().sqrt()
    norms = filters.double().flatten(1).norm(dim=1)[: len(PUBLISHED)] / strength / 27**0.5
    if len(norms) < len(PUBLISHED) or strength == 0:
        return False
    published = (norms / torch.tensor(PUBLISHED).double() - 1).abs().max() < 0.01
    return bool(strength < FAINT or (published and strength < 1))


@torch.no_grad()
def from_caffe(first: nn.Conv2d, mean: Tensor, std: Tensor) -> None:
    """Convert the first layer, for blue, green, red from 0 to 255, to normalised RGB.

    With n = (x - mean) / std for the pixels x in [0, 1], 255 x - m = 255 std n + 255 mean - m.
    Exact but for the border, where the padding is another grey, within half a level.
    """
    filters = first.weight.flip(1)
    rest = 255 * mean.view(1, 3, 1, 1) - torch.tensor(CAFFE_MEAN).view(1, 3, 1, 1)
    if first.bias is not None:
        first.bias += (filters * rest).sum((1, 2, 3))
    first.weight.copy_(filters * 255 * std.view(1, 3, 1, 1))


def hash_weights(network: nn.Module) -> str:
    """The same for networks of the same weights and normalisation, wherever they came from."""
    digest = hashlib.sha256()
    for name, value in sorted([*network.named_parameters(), *network.named_buffers()]):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where torchvision keeps downloaded weights, and where one may put them by hand."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def weights_file(name: str) -> Path:
    """Where torchvision keeps the pretrained weights of its network of this name."""
    entry = torchvision_entry(name, None)
    assert entry is not None
    return cache_folder() / Path(entry.url).name


def torchvision_entry(name: str, weights: str | os.PathLike | None) -> WeightsEnum | None:
    """Torchvision's entry for a set of weights, by name; for None its default. None if none."""
    if (PACKAGED / f"{name}.safetensors").is_file():
        return None  # torchvision takes as long to load as torch, and has no such network
    from torchvision import models

    if name not in models.list_models(module=models):
        return None
    entries = models.get_model_weights(name)
    wanted = "DEFAULT" if weights is None else str(weights)
    return entries[wanted] if wanted in entries.__members__ else None


def pretrained_weights(entry: WeightsEnum) -> Path:
    """The file with torchvision's weights `entry`: from its cache, else downloaded into it.

    The download shows its progress, is checked against the hash in its name, and becomes visible
    only when it is complete.

    Raises:
        WeightsError: there is no network, or what came is damaged.
    """
    path = cache_folder() / Path(entry.url).name
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(entry.url, str(path), hash_prefix=path.stem.split("-")[-1])
    except (OSError, RuntimeError, HTTPException) as error:
        raise WeightsError(
            f"{path.name} could not be downloaded: put it into {path.parent}, or use the built-in "
            f"network vgg19_quarter, which needs no download"
        ) from error
    return path
