"""The scale of a VGG's activations, which its weights can be given without changing the rest.

A convolution whose weights and bias are multiplied by s gives activations s times as large; ReLUs
and poolings pass that on, and the next convolution undoes it if its weights are divided by s. So
every layer, and every filter, can be given any positive scale.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def convolutions(network: Any) -> dict[str, nn.Conv2d]:
    """A VGG's convolutions by number ("3_1"), in order of evaluation."""
    layers = network.layers.items()
    return {n.removeprefix("conv"): m for n, m in layers if isinstance(m, nn.Conv2d)}


@torch.no_grad()
def mean_activations(network: Any, images: Sequence[Tensor]) -> dict[str, Tensor]:
    """Each filter's mean activation after its ReLU over pictures and positions: (C,) by number.

    Images are (B, 3, H, W) in [0, 1]; each counts by the number of its positions.
    """
    names = [f"relu{number}" for number in convolutions(network)]
    sums: dict[str, Tensor] = {}
    counts = dict.fromkeys(names, 0)
    for image in images:
        for name, feature in network.walk(image, names):
            found = feature.double().sum((0, 2, 3))
            sums[name] = sums[name] + found if name in sums else found
            counts[name] += feature[:, 0].numel()
    return {name.removeprefix("relu"): sums[name] / counts[name] for name in names}


@torch.no_grad()
def multiply_scale(network: Any, factors: dict[str, Tensor]) -> None:
    """Multiply each convolution's outputs by `factors` (scalar or (C,)), in the weights, in place.

    What a layer is given is taken from the next, so that a factor changes that layer alone.
    """
    before = torch.ones(())
    for number, convolution in convolutions(network).items():
        factor = factors[number].to(convolution.weight)
        weight = convolution.weight / before.to(factor).view(1, -1, 1, 1)
        convolution.weight.copy_(weight * factor.view(-1, 1, 1, 1))
        if convolution.bias is not None:
            convolution.bias.mul_(factor)
        before = factor


def scale_factors(network: Any, images: Sequence[Tensor], by: str) -> dict[str, Tensor]:
    """What makes mean activations over pictures and positions 1, for `multiply_scale`.

    By "layer" it is one factor a layer; by "filter" one for each filter, (C,), as Gatys et al.
    (2016, section 2) have it. A filter that never fires stays as it is.
    """
    factors = {}
    for number, mean in mean_activations(network, images).items():
        mean = mean if by == "filter" else mean.mean()
        factors[number] = torch.where(mean > 0, 1 / mean.clamp(min=1e-12), torch.ones_like(mean))
    return factors
