"""Activations by layer, what each layer sees, and an order of its channels."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nst.errors import ImageError
from nst.networks import VGG, Network, check_network


def extract_features(
    network: Network, image: Tensor, layers: str | Sequence[str]
) -> dict[str, Tensor]:
    """Activations of `layers` for an image (B, 3, H, W) in [0, 1], as a dict in their order.

    Gradients flow to the image. The network normalises the image itself.

    Raises:
        SettingsError: the network has no such layer.
        ImageError: the image has another shape, or is too small for a layer.
    """
    check_network(network)
    check_shape(image)
    return network(image, [layers] if isinstance(layers, str) else list(layers or ()))


def walk_features(
    network: Network, image: Tensor, layers: Sequence[str]
) -> Iterator[tuple[str, Tensor]]:
    """What `extract_features` returns, layer by layer as they are computed; see `Network.walk`."""
    check_network(network)
    check_shape(image)
    return network.walk(image, layers)


def check_shape(image: Tensor) -> None:
    """Raise ImageError unless the image is (B, 3, H, W), of floats."""
    if not isinstance(image, Tensor):
        raise ImageError(
            f"an image is a tensor (B, 3, H, W), not a {type(image).__name__}; nst.load_image "
            "makes one"
        )
    if image.dim() != 4 or image.shape[1] != 3 or not image.numel():
        raise ImageError(f"an image has shape (B, 3, H, W), not {tuple(image.shape)}")
    if not image.is_floating_point():
        raise ImageError(f"an image holds floats in [0, 1], not {image.dtype}; divide it by 255")


class Layer(NamedTuple):
    """One row of `layer_table`; lengths in pixels of the picture.

    `stride` is the distance between neighbouring activations, `receptive_field` the side of the
    square that one activation sees, `smallest_input` the shortest side of a picture that reaches
    this layer, `parameters` its weights and biases. What is not known of a network is None.
    """

    name: str
    channels: int
    stride: int
    receptive_field: int | None
    parameters: int
    smallest_input: int | None


def layer_table(network: Network) -> list[Layer]:
    """What each layer sees, in order of evaluation.

    For networks other than VGGs the table has the layers that give pictures of activations, the
    stride measured at 224 pixels, and no receptive fields. Raises SettingsError for what is no
    network of this package.
    """
    check_network(network)
    if isinstance(network, VGG):
        return _vgg_table(network)
    return _measured_table(network)


def _vgg_table(network: VGG) -> list[Layer]:
    table, channels, stride, field = [], 3, 1, 1
    for name, module in network.layers.items():
        if isinstance(module, nn.Conv2d):
            channels = module.out_channels
            field += 2 * stride  # a 3×3 kernel reaches one activation further on each side
        elif name.startswith("pool"):
            field += stride
            stride *= 2
        parameters = sum(p.numel() for p in module.parameters())
        smallest = network.smallest_input(name)
        table.append(Layer(name, channels, stride, field, parameters, smallest))
    return table


@torch.no_grad()
def _measured_table(network: Network) -> list[Layer]:
    modules, side = dict(network.named_modules()), 224
    features = network(torch.zeros(1, 3, side, side), network.layer_names)
    table = []
    for name, feature in features.items():
        if isinstance(feature, Tensor) and feature.dim() == 4:
            module = modules.get(f"model.{name}", nn.Identity())
            parameters = sum(p.numel() for p in module.parameters())
            stride = round(side / feature.shape[-1])
            table.append(Layer(name, feature.shape[1], stride, None, parameters, None))
    return table


def similarity(gram: Tensor) -> Tensor:
    """How alike two channels are, however strong: (C, C) → (C, C), G_ij / √(G_ii·G_jj).

    The cosines of the angles between the channels' activations; 0 for silent channels.
    """
    lengths = gram.diagonal().clamp(min=1e-30).sqrt()
    return gram / (lengths[:, None] * lengths)


def channel_order(gram: Tensor) -> list[int]:
    """The channels in an order in which those that are active together stand side by side.

    `gram` is (C, C) or (1, C, C). It begins with the strongest channel, and goes on with the one
    that is most like the last, by the similarities G_ij / √(G_ii·G_jj). Silent channels come last.
    """
    matrix = gram.detach().cpu().double().reshape(gram.shape[-2:])
    lengths = matrix.diagonal().clamp(min=0).sqrt()
    similar = similarity(matrix)
    similar[:, lengths <= 1e-6 * lengths.max()] = -math.inf
    order = [int(lengths.argmax())]
    for _ in range(len(matrix) - 1):
        similar[:, order[-1]] = -math.inf
        rest = similar[order[-1]].argsort(descending=True, stable=True).tolist()
        order.append(next(n for n in rest if n not in order))
    return order
