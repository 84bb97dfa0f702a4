"""What a network is, and the VGGs with their named layers.

A VGG is a chain of 3×3 convolutions and ReLUs in five blocks, each block ended by a pooling layer
that halves the picture (Simonyan & Zisserman 2014). Layers are named by block and position:
`conv4_2` is the second convolution of block 4 before its ReLU, `relu4_2` the same after it, `pool4`
the pooling that ends the block. Gatys et al. (2016) write "conv4_2" for what their code reads after
the ReLU, our `relu4_2`.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy, deepcopy
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.errors import ImageError, SettingsError
from nst.kernels.layers import DEEP, average_pool, convolution_relu, max_pool, turned

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
POOLINGS = ("max", "average", "average-rescaled")
PADDINGS = ("zeros", "replicate", "reflect")


class Architecture(NamedTuple):
    """Convolutions and channels of each block, and whether the last block ends with its pooling."""

    convolutions: tuple[int, ...]
    channels: tuple[int, ...]
    complete: bool = True


ARCHITECTURES = {
    "vgg19_quarter": Architecture((2, 2, 4, 4, 1), (16, 32, 64, 128, 128), complete=False),
    "vgg19": Architecture((2, 2, 4, 4, 4), (64, 128, 256, 512, 512)),
    "vgg16": Architecture((2, 2, 3, 3, 3), (64, 128, 256, 512, 512)),
}


class Network(nn.Module):
    """What every network here has: a name, frozen weights, named layers, its own normalisation.

    Call it with an image (B, 3, H, W) in [0, 1] and the names of layers; it returns their
    activations by name. `settings` says how it was loaded: the arguments of `load_network`; and
    `loaded` is the hash of its weights then, by which is seen whether they are still those.
    `source` is that of the weights as they came, before any `scale`. `precision` is that of its
    computation, one of `nst.devices.PRECISIONS`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.settings: dict[str, Any] = {}
        self.loaded = self.source = ""
        self.precision = "float32"

    @property
    def layer_names(self) -> list[str]:
        """All layers in order of evaluation."""
        raise NotImplementedError

    def __call__(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations of `layers`, never of less than float32: losses are long sums of them."""
        return super().__call__(image, layers)

    def walk(self, image: Tensor, layers: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """The names of `layers` and their activations, each as soon as it is computed, as it is.

        What is made of an activation before the next is asked for comes before the layers behind it
        on the way back too: its gradient need not wait in memory for theirs.
        """
        yield from self(image, layers).items()

    def rounding(self, image: Tensor) -> AbstractContextManager[object]:
        """Within it the network computes in its `precision`, whatever the caller rounds to."""
        if self.precision != "bfloat16" or isinstance(self, VGG):  # whose weights are rounded
            if torch.is_autocast_enabled(image.device.type):  # by the caller
                return torch.autocast(image.device.type, enabled=False)
            return nullcontext()
        return torch.autocast(image.device.type, torch.bfloat16, cache_enabled=False)

    def unrounded(self, x: Tensor) -> Tensor:
        """Activations as losses need them: no less than float32."""
        return x.float() if self.precision == "bfloat16" else x

    def normalise(self, image: Tensor) -> Tensor:
        """The image on the scale that the network was trained on, as numbers of its own type."""
        return ((image - self.mean) / self.std).to(self.mean.dtype)

    def check_layers(self, layers: Sequence[str]) -> None:
        """Raise SettingsError for no layer, or for one that the network does not have."""
        if not layers:
            raise SettingsError("name at least one layer that has a weight")
        for name in layers:
            if name not in self.layer_names:
                raise SettingsError(
                    f"{self.settings.get('network', 'the network')} has no layer {name!r}; "
                    f"it has {', '.join(self.layer_names)}"
                )


class VGG(Network):
    """A VGG without its classifier; `layers` holds its modules in order of evaluation."""

    def __init__(
        self,
        architecture: Architecture,
        pooling: str = "max",
        padding: str = "zeros",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ):
        super().__init__(mean, std)
        self.pooling, self.padding = pooling, padding
        self.layers = nn.ModuleDict()
        inputs = 3
        blocks = list(zip(architecture.convolutions, architecture.channels, strict=True))
        for block, (convolutions, channels) in enumerate(blocks, start=1):
            for i in range(1, convolutions + 1):
                convolution = nn.Conv2d(
                    inputs,
                    channels,
                    3,
                    padding=1,
                    padding_mode=cast(Any, padding),
                )
                self.layers[f"conv{block}_{i}"] = convolution
                self.layers[f"relu{block}_{i}"] = ReLU()
                inputs = channels
            if block < len(blocks) or architecture.complete:
                self.layers[f"pool{block}"] = Pool(average=pooling != "max")
        self.requires_grad_(False)

    @property
    def layer_names(self) -> list[str]:
        """All layers in order of evaluation."""
        return list(self.layers)

    def smallest_input(self, layer: str) -> int:
        """The shortest side, in pixels, of a picture that `layer` can see."""
        names = self.layer_names[: self.layer_names.index(layer) + 1]
        stride = 2 ** sum(name.startswith("pool") for name in names)
        # Reflection needs a neighbour to reflect.
        return 2 * stride if self.padding == "reflect" and not layer.startswith("pool") else stride

    def pooled_unread(self, convolution: str, layers: Sequence[str]) -> bool:
        """Whether what follows is a ReLU that is none of `layers`, and then max pooling."""
        names = self.layer_names
        relu, *after = names[names.index(convolution) + 1 :][:2]
        pools = [self.layers[name] for name in after]
        maxima = [isinstance(pool, Pool) and not pool.average for pool in pools]
        return relu not in layers and any(maxima)

    def in_one_go(self, convolution: str, x: Tensor, layers: Sequence[str]) -> bool:
        """Whether x goes to `convolution_relu`: it pays, and nobody wants what it leaves out.

        On the CPU it pays where there is a way back; on Apple's GPUs it is not tried.
        """
        pays = x.is_cuda or (x.device.type == "cpu" and x.requires_grad)
        here = self.layer_names.index(convolution)
        modules = list(self.layers.values())[here : here + 3]
        wanted = convolution in layers or any(map(has_hooks, modules))
        return pays and not wanted and not self.layers[convolution].weight.requires_grad

    def forward(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations (B, C, H / stride, W / stride) of `layers`; nothing deeper is computed."""
        features = dict(self.walk(image, layers))
        return {name: self.unrounded(features[name]) for name in layers}

    def walk(self, image: Tensor, layers: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
        """As `Network.walk`, in order of evaluation and in `precision`; shapes as in `forward`."""
        self.check_layers(layers)
        deepest = max(layers, key=self.layer_names.index)
        if min(image.shape[-2:]) < self.smallest_input(deepest):
            raise ImageError(
                f"a picture of {image.shape[-1]}×{image.shape[-2]} pixels is too small for "
                f"{deepest}, which needs {self.smallest_input(deepest)} on the short side"
            )
        x = self.normalise(image)
        del image  # a copy in another layout needs no memory any more
        if self.precision == "bfloat16":
            x = x.bfloat16()
        done = 0  # of the next layers, by a kernel that computes several
        for name, module in self.layers.items():
            # Overwriting an activation that nobody asked for spares its memory.
            spare = name.replace("relu", "conv") not in layers
            with self.rounding(x):
                if done:
                    done -= 1
                elif isinstance(module, nn.Conv2d) and self.in_one_go(name, x, layers):
                    pooled = self.pooled_unread(name, layers)
                    x, done = convolution_relu(x, module, pooled), 1 + pooled
                elif isinstance(module, ReLU):
                    x = module(x, overwrite=spare)
                else:
                    x = module(x)
            if name in layers:
                yield name, x
            if name == deepest:
                break


def has_hooks(module: nn.Module) -> bool:
    """Whether somebody listens to a module, and so expects that it is called."""
    kinds = "forward_hooks", "forward_pre_hooks", "backward_hooks", "backward_pre_hooks"
    return any(getattr(module, f"_{kind}") for kind in kinds)


class ReLU(nn.Module):
    """max(x, 0), in x's own memory if told to overwrite it."""

    def forward(self, x: Tensor, overwrite: bool = False) -> Tensor:
        """Of any shape."""
        return x.relu_() if overwrite else x.relu()


class Pool(nn.Module):
    """Max or average pooling, 2×2; the average is multiplied by `gain`."""

    def __init__(self, average: bool):
        super().__init__()
        self.average = average
        self.gain = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C, ⌊H/2⌋, ⌊W/2⌋)."""
        if not self.average:
            return max_pool(x)
        means = average_pool(x)
        return means if self.gain == 1 else means * self.gain


def fit_out(network: Network, device: torch.device, precision: str) -> Network:
    """A copy of the network for a run on `device`, so that the given one stays as it is.

    Its weights lie as the convolutions read them fastest (channels last), and `extract_features`
    computes with it in `precision`.
    """
    # On Apple's GPUs it pays less, and has given wrong numbers.
    layout = torch.contiguous_format if device.type == "mps" else torch.channels_last
    fitted = deepcopy(network).to(device).to(memory_format=layout)
    fitted.precision = precision
    if isinstance(fitted, VGG) and precision == "bfloat16":
        fitted.layers.to(torch.bfloat16)  # once, instead of in every evaluation
    elif isinstance(fitted, VGG) and network.precision == "bfloat16":
        fitted.layers.float()
    if isinstance(fitted, VGG) and device.type == "cuda":
        for module in fitted.layers.values():
            if isinstance(module, nn.Conv2d) and module.out_channels >= DEEP:
                module.register_buffer("back", turned(module.weight), persistent=False)
    return fitted


def fit_both(
    network: Network, device: torch.device, precision: str
) -> tuple[Network, Network | None]:
    """What `fit_out` gives, and the same in float32, on the same weights if these are not rounded.

    The second is None where the first computes in float32 already.
    """
    fitted = fit_out(network, device, precision)
    if precision == "float32":
        return fitted, None
    if precision == "bfloat16":
        return fitted, fit_out(network, device, "float32")
    exact = copy(fitted)
    exact.precision = "float32"
    return fitted, exact


def check_network(network: object) -> None:
    """Raise SettingsError for what is no network of this package."""
    if not isinstance(network, Network):
        raise SettingsError(
            f"a network is what nst.load_network gives, not a {type(network).__name__}; for "
            "weights of your own, save model.state_dict() and give the file to load_network"
        )


@torch.no_grad()
def randomise(network: nn.Module) -> None:
    """Seeded weights after He et al. (2015, equation 10), which keep the activations' size."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        if parameter.dim() == 4:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
        else:
            parameter.zero_()


@torch.no_grad()
def rescale_pools(network: VGG) -> None:
    """Set each average pooling's gain so that its mean is max pooling's, on a seeded picture.

    The picture is smooth noise: octaves of random grids, as loud as they are wide, which is the
    spectrum of photographs.
    """
    generator = torch.Generator().manual_seed(0)
    grids = [torch.randn(1, 3, 2**k, 2**k, generator=generator) / 2**k for k in range(1, 8)]
    octaves = [F.interpolate(grid, size=128, mode="bicubic") for grid in grids]
    x = network.normalise(torch.stack(octaves).sum(0).mul(2).sigmoid())
    for layer in network.layers.values():
        if isinstance(layer, Pool):
            layer.gain = (F.max_pool2d(x, 2).mean() / F.avg_pool2d(x, 2).mean()).item()
        x = layer(x)
