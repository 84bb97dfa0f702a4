"""Where a network's weights come from, and checks on them."""

import os
from http.client import HTTPException
from pathlib import Path

import torch
import torchvision
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_weights

from nst.errors import WeightsError

PACKAGED = Path(__file__).parents[1] / "weights"


def read_weights(path: str | os.PathLike) -> dict[str, Tensor]:
    """The state dict in a safetensors or PyTorch file; pickled code is never executed.

    Raises:
        WeightsError: there is no such file, or it holds no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}; check the path")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever broken bytes lead it to
        raise WeightsError(
            f"{path} is damaged, or holds something else than a plain state dict"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise WeightsError(f"{path} holds no state dict: save one with model.state_dict()")
    return state


def fit_weights(layers: nn.ModuleDict, state: dict[str, Tensor], source: str) -> None:
    """Load `state` into the convolutions among a VGG's `layers`, checking every key and shape.

    The weights are found under the layers' names ("conv1_1.weight") or, in order of evaluation,
    under torchvision's ("features.0.weight", or "0.weight" for the features alone). A classifier,
    and layers deeper than the network, are left aside.

    Raises:
        WeightsError: a weight is missing or of another shape; the message names `source`.
    """
    if any(key.endswith("running_mean") for key in state):
        raise WeightsError(f"{source} is of a VGG with batch normalisation, which is not supported")
    state = {key.removeprefix("features."): value for key, value in state.items()}
    convolutions = {n: m for n, m in layers.items() if isinstance(m, nn.Conv2d)}
    prefixes = list(convolutions)
    if "conv1_1.weight" not in state:
        numbers = {int(number) for key in state if (number := key.split(".")[0]).isdigit()}
        prefixes = [str(number) for number in sorted(numbers)]
    if len(prefixes) < len(convolutions):
        raise WeightsError(
            f"{source} is of another network: it has {len(prefixes)} convolutions "
            f"where {len(convolutions)} are needed"
        )
    for (name, layer), prefix in zip(convolutions.items(), prefixes, strict=False):
        for kind, parameter in layer.named_parameters():
            value = state.get(f"{prefix}.{kind}")
            if value is None or value.shape != parameter.shape:
                found = "is missing" if value is None else f"has shape {tuple(value.shape)}"
                raise WeightsError(
                    f"{source} is of another network: {name}.{kind} {found} "
                    f"where {tuple(parameter.shape)} is needed"
                )
            parameter.data.copy_(value)


def load_strictly(model: nn.Module, state: dict[str, Tensor], source: str) -> None:
    """Load `state` into `model`; WeightsError if any key or shape differs."""
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{source} is of another network than {type(model).__name__}") from error


def cache_folder() -> Path:
    """Where torchvision keeps downloaded weights, and where one may put them by hand."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def torchvision_entry(name: str, weights: str | os.PathLike | None) -> WeightsEnum | None:
    """Torchvision's entry for a set of weights, by name; for None its default. None if none."""
    if name not in torchvision.models.list_models(module=torchvision.models):
        return None
    entries = get_model_weights(name)
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
