"""A network by its name: whose weights, which pooling, padding and scale."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from nst.devices import own_modes, pick_device
from nst.errors import SettingsError
from nst.files.checkpoints import (
    fill,
    hash_weights,
    load_strictly,
    pretrained_weights,
    torchvision_entry,
)
from nst.files.weights import check_named, read_weights
from nst.images import load_image, sample_names, sample_path
from nst.networks.others import TorchvisionNetwork
from nst.networks.scaling import multiply_scale, scale_factors
from nst.networks.vgg import (
    ARCHITECTURES,
    IMAGENET_MEAN,
    IMAGENET_STD,
    PADDINGS,
    POOLINGS,
    VGG,
    Network,
    randomise,
    rescale_pools,
)

# Torchvision takes as long to load as torch, and the built-in network does not need it.
if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

BUILT_IN, EDITION = "vgg19_quarter", 2  # the edition of its weights: the first came with 0.1
SCALES = ("layer", "filter")
SAMPLE_SIZE = 224  # pixels, long side, of the pictures that a scale is measured on


def made_for(name: str, weights: str | os.PathLike | None = None) -> dict[str, Any]:
    """The pooling and padding that a network was trained with, and the edition of its weights.

    Only the built-in network's own weights have an edition; for others it is None.
    """
    if name == BUILT_IN:
        edition = EDITION if weights is None else None
        return {"pooling": "average", "padding": "replicate", "edition": edition}
    return {"pooling": "max", "padding": "zeros", "edition": None}


def of_one_network(network: str) -> dict[str, Any]:
    """What settings say of one network alone, as changes that take it back where it gives way.

    A scale stays where the other `network` can have one too.
    """
    names = ("weights", "pooling", "padding", "edition")
    return dict.fromkeys(names if network in ARCHITECTURES else (*names, "scale"))


@own_modes()
def load_network(
    name: str = BUILT_IN,
    weights: str | os.PathLike | None = None,
    pooling: str | None = None,
    padding: str | None = None,
    scale: str | None = None,
    device: torch.device | str = "cpu",
) -> Network:
    """A network with frozen weights.

    Args:
        name: "vgg19_quarter" (built in), "vgg19", "vgg16", or any of torchvision's classifiers.
        weights: None for the pretrained ones; a safetensors or PyTorch file with a state dict for
            ImageNet-normalised RGB; "caffe:" and the path of one for blue, green, red from 0 to
            255, which is converted (VGGs); the name of another of torchvision's sets, such as
            VGG-16's "IMAGENET1K_FEATURES" (the caffe weights, with their own normalisation); or
            "random" (seeded).
        pooling: "max"; "average", which Gatys et al. (2016, section 2) prefer; or
            "average-rescaled", which multiplies each average by a constant, so that deeper
            activations keep the size that max pooling gives them. None: what the network was made
            for, which is "average" for the built-in one and "max" for torchvision's.
        padding: "zeros", "replicate" or "reflect", at the borders of every convolution. None: what
            the network was made for, "replicate" for the built-in one, "zeros" for torchvision's.
        scale: None leaves the weights as they come. "filter" makes the mean activation of every
            filter 1 over the sample pictures and all positions, as Gatys et al. (2016, section 2)
            have it; "layer" that of every layer, which keeps the proportions of its filters. The
            built-in weights are scaled by layer already. For VGGs; measured when first asked for.
        device: where the network is to be.

    Raises:
        SettingsError: an unknown name, pooling, padding, scale or device.
        WeightsError: the weights cannot be had, are damaged, or are another network's.
    """
    for value, choices in ((pooling, POOLINGS), (padding, PADDINGS), (scale, SCALES)):
        if value is not None and value not in choices:
            raise SettingsError(
                f"pooling is one of {', '.join(POOLINGS)}, padding one of {', '.join(PADDINGS)}, "
                f"scale one of {', '.join(SCALES)}; not {value!r}"
            )
    check_named(weights)
    if not isinstance(name, str):
        raise SettingsError(
            f"a network is loaded by its name, as vgg19_quarter, not from a {type(name).__name__}"
        )
    used = made_for(name, weights)
    used |= {k: v for k, v in (("pooling", pooling), ("padding", padding)) if v is not None}
    if name in ARCHITECTURES:
        network: Network = _load_vgg(name, weights, used["pooling"], used["padding"], scale)
    elif (used["pooling"], used["padding"], scale) == ("max", "zeros", None):
        network = _load_torchvision(name, weights)
    else:
        raise SettingsError(
            f"pooling, padding and scale can be chosen for VGGs only, not for {name}"
        )
    given = {
        "network": name,
        "weights": None if weights is None else os.fsdecode(weights),
        "scale": scale,
    }
    network.settings, network.loaded = given | used, hash_weights(network)
    network.source = network.source or network.loaded
    return network.eval().to(pick_device(device))


def _load_vgg(
    name: str, weights: str | os.PathLike | None, pooling: str, padding: str, scale: str | None
) -> VGG:
    entry = torchvision_entry(name, weights)
    mean, std = normalisation(entry)
    network = VGG(ARCHITECTURES[name], pooling, padding, mean, std)
    if weights == "random":
        randomise(network)
    else:
        fill(network.layers, name, weights, entry, network.mean, network.std)
    if pooling == "average-rescaled":
        rescale_pools(network)
    if scale:
        network.source = hash_weights(network)
        multiply_scale(network, _factors(network, scale))
    return network


def identity(network: Network) -> str:
    """The hash of a network's weights by which a run knows it, on any machine.

    Of the weights as they came: in those that were scaled, the last digits hang on the machine that
    measured their factors. Where they were changed since, it is that of what they are.
    """
    found = hash_weights(network)
    return network.source if found == network.loaded else found


_measured: dict[Any, dict[str, Tensor]] = {}  # factors, by all that they depend on


def _factors(network: VGG, by: str) -> dict[str, Tensor]:
    """What the network's convolutions are to be multiplied by, measured once for equal weights."""
    key = by, network.pooling, network.padding, network.source
    if key not in _measured:
        names = [name for group in sample_names().values() for name in group]
        images = [load_image(cast(Path, sample_path(name)), SAMPLE_SIZE) for name in names]
        _measured[key] = scale_factors(network, images, by)
    return _measured[key]


def _load_torchvision(name: str, weights: str | os.PathLike | None) -> TorchvisionNetwork:
    from torchvision import models

    if name not in models.list_models(module=models):
        raise SettingsError(
            f"there is no network {name!r}; there are {', '.join(ARCHITECTURES)}, and the names in "
            f"torchvision.models.list_models(module=torchvision.models)"
        )
    entry = torchvision_entry(name, weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # for weights="random"
        model = models.get_model(name, weights=None)
    if weights != "random":
        path = pretrained_weights(entry) if entry else weights
        load_strictly(model, read_weights(cast(str, path)), str(path))
    return TorchvisionNetwork(model, *normalisation(entry))


def normalisation(entry: WeightsEnum | None) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and standard deviation of the inputs that the weights were trained on."""
    if entry is None:
        return IMAGENET_MEAN, IMAGENET_STD
    return entry.transforms().mean, entry.transforms().std
