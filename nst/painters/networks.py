"""Networks that paint in one pass: one for a few styles that it was taught, one for any style.

Both map a picture to a picture. What is painted is decided by instance normalisation: each channel
gets mean 0 and deviation 1 over the picture, and then the scale and the shift that belong to the
style. In the first network these are learned, a pair of numbers for each style and channel; in the
second they are the deviations and means that the teacher sees in the style picture.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nst.errors import SettingsError
from nst.files.fields import NAME, bare, is_whole, shown, whole
from nst.networks import VGG, load_network

SMALLEST = 1e-5  # added to variances, so that a silent channel is divided by something
WIDEST, DEEPEST = 1024, 64  # channels and blocks of a painter, at most
PHOTOGRAPH = "photograph"  # the name of the style that changes nothing

# Activations (B, C, H, W) → their means and variances, each (B, C, 1, 1) or (1, C, 1, 1).
Moments = Callable[[Tensor], tuple[Tensor, Tensor]]


def own_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each picture's channels over its positions, (B, C, 1, 1)."""
    x = x.float()
    mean, second = (y.mean((2, 3), keepdim=True) for y in (x, x.square()))
    return mean, (second - mean.square()).clamp(min=0)


def normalise(x: Tensor, scale: Tensor, shift: Tensor, moments: Moments) -> Tensor:
    """γ·(x - μ) / σ + β by channel; γ and β are (B, C), or (1, C) for all.

    Ulyanov et al. 2016, "Instance normalization: the missing ingredient for fast stylization",
    equation 1, where γ = 1 and β = 0. With γ and β by style it is conditional instance
    normalisation (Dumoulin et al. 2017, "A learned representation for artistic style", equation 5);
    with the style's own deviation and mean, AdaIN (Huang and Belongie 2017, "Arbitrary style
    transfer in real-time with adaptive instance normalization", equation 8).
    """
    mean, variance = moments(x)
    factor = scale[..., None, None] / (variance + SMALLEST).sqrt()
    return x * factor.to(x.dtype) + (shift[..., None, None] - mean * factor).to(x.dtype)


class Painter(nn.Module):
    """What both painters have in common: the interface that `paint` and `train` use.

    A style is a row of numbers, its condition. Conditions may be mixed: their weighted mean is a
    style in between.
    """

    styles: tuple[str, ...] = ()  # that it was taught, by name
    about: dict[str, Any] | None = None  # how it was made, if its file says so
    stride = 4  # pixels for each activation of the coarsest layer
    # How far the first and the last part see at most, in pixels and in activations of the middle.
    margins = (8, 4)

    def forward(self, image: Tensor, condition: Tensor, moments: Moments = own_moments) -> Tensor:
        """Paint (B, 3, H, W) in [0, 1] in the styles (B, D) or (1, D); as large, and in [0, 1].

        `moments` is asked for the means and variances of the activations before each
        normalisation, in order; by default each picture's own.
        """
        height, width = image.shape[-2:]
        return self.painted(self.filled(image), condition, moments)[..., :height, :width]

    def filled(self, image: Tensor) -> Tensor:
        """The picture with its right and lower border repeated to multiples of the stride.

        At least two activations are needed on each side, for their borders are mirrored.
        """
        height, width = image.shape[-2:]
        below, right = (max(2 * self.stride - n, -n % self.stride) for n in (height, width))
        return F.pad(image, (0, right, 0, below), mode="replicate") if right or below else image

    def painted(self, image: Tensor, condition: Tensor, moments: Moments) -> Tensor:
        """As `forward`, of pictures whose sides are multiples of the stride."""
        coarse = self.encode(image, condition, moments)
        return self.decode(self.transform(coarse, condition, moments), condition, moments)

    def encode(self, image: Tensor, condition: Tensor, moments: Moments) -> tuple[Tensor, ...]:
        """The first part, from pixels to activations on a coarser grid."""
        raise NotImplementedError

    def transform(self, coarse: tuple[Tensor, ...], condition: Tensor, moments: Moments) -> Tensor:
        """The part on the coarser grid: (B, C, H / 4, W / 4)."""
        raise NotImplementedError

    def decode(self, coarse: Tensor, condition: Tensor, moments: Moments) -> Tensor:
        """The last part, from there to pixels."""
        raise NotImplementedError

    def condition(self, style: str | Tensor) -> Tensor:
        """The row (1, D) of a style: by its name, or from a picture (1, 3, H, W)."""
        raise NotImplementedError

    def unchanged(self, image: Tensor) -> Tensor:
        """The rows (B, D) that are to leave pictures (B, 3, H, W) as they are."""
        raise NotImplementedError


class StylesPainter(Painter):
    """A network for a few styles: Johnson et al. 2016, "Perceptual losses for real-time style
    transfer and super-resolution", with the scales and shifts of Dumoulin et al. 2017.

    A wide convolution, two that halve the picture, residual blocks at a quarter of its size, two
    that double it again (nearest neighbours and a convolution, which leaves no checkerboard, Odena
    et al. 2016), and a wide one that gives colours. A condition is a share for each style, and for
    "photograph", which is the last.
    """

    def __init__(
        self, styles: Sequence[str], channels: Sequence[int] = (16, 32, 64), blocks: int = 5
    ):
        """Raises `SettingsError` for what is no such network, as a file's header may ask for it."""
        super().__init__()
        self.styles, self.channels, self.blocks = listed(styles), listed(channels), whole(blocks)
        if not self.styles or not all(
            isinstance(n, str) and 0 < len(n) <= NAME for n in self.styles
        ):
            raise SettingsError(
                f"styles are a list of names of at most {NAME} characters; not {shown(styles)}"
            )
        if len({*self.styles, PHOTOGRAPH}) <= len(self.styles):
            raise SettingsError(f"each style needs a name of its own, and not '{PHOTOGRAPH}'")
        if len(self.channels) != 3 or not all(is_whole(n, 1, WIDEST) for n in self.channels):
            raise SettingsError(
                f"channels are three whole numbers from 1 to {WIDEST}; not {shown(channels)}"
            )
        if not is_whole(self.blocks, 0, DEEPEST):
            raise SettingsError(f"blocks are a number from 0 to {DEEPEST}; not {shown(blocks)}")
        rows = len(self.styles) + 1
        one, two, three = self.channels
        self.down = nn.ModuleList(
            [
                Layer(3, one, rows, kernel=9),
                Layer(one, two, rows, stride=2),
                Layer(two, three, rows, stride=2),
            ]
        )
        self.middle = nn.ModuleList([Residual(three, rows) for _ in range(self.blocks)])
        self.up = nn.ModuleList([Layer(three, two, rows), Layer(two, one, rows)])
        self.out = convolution(one, 3, kernel=5)

    def encode(self, image: Tensor, condition: Tensor, moments: Moments) -> tuple[Tensor, ...]:
        """(B, 3, H, W) and shares (B, S + 1) → (B, C, H / 4, W / 4)."""
        x = image * 2 - 1
        for layer in self.down:
            x = layer(x, condition, moments).relu()
        return (x,)

    def transform(self, coarse: tuple[Tensor, ...], condition: Tensor, moments: Moments) -> Tensor:
        """Of the same shape."""
        (x,) = coarse
        for block in self.middle:
            x = block(x, condition, moments)
        return x

    def decode(self, coarse: Tensor, condition: Tensor, moments: Moments) -> Tensor:
        """(B, C, H / 4, W / 4) → (B, 3, H, W) in (0, 1)."""
        x = coarse
        for layer in self.up:
            x = layer(double(x), condition, moments).relu()
        return self.out(x).float().sigmoid()

    def condition(self, style: str | Tensor) -> Tensor:
        """All of one style: (1, S + 1). Raises SettingsError for one that it was not taught."""
        names = (*self.styles, PHOTOGRAPH)
        if not (isinstance(style, str) and style in names):
            raise SettingsError(
                f"this painter was taught {', '.join(self.styles)}; for other styles leave the "
                "painter out, or take 'any'"
            )
        share = torch.zeros(1, len(names))
        share[0, names.index(style)] = 1
        return share.to(self.out.weight.device)

    def unchanged(self, image: Tensor) -> Tensor:
        """All of "photograph"."""
        return self.condition(PHOTOGRAPH).expand(len(image), -1)


class Layer(nn.Module):
    """A convolution and a normalisation whose scale and shift depend on the style."""

    def __init__(self, inputs: int, outputs: int, rows: int, kernel: int = 3, stride: int = 1):
        super().__init__()
        # The normalisation takes away what a bias would add.
        self.convolution = convolution(inputs, outputs, kernel, stride, bias=False)
        self.scale = nn.Parameter(torch.ones(rows, outputs))
        self.shift = nn.Parameter(torch.zeros(rows, outputs))

    def forward(self, x: Tensor, shares: Tensor, moments: Moments) -> Tensor:
        """(B, C, H, W) → (B, C', H / stride, W / stride)."""
        scale, shift = shares @ self.scale, shares @ self.shift
        return normalise(self.convolution(x), scale, shift, moments)


class Residual(nn.Module):
    """x + f(x), f two convolutions and normalisations with a ReLU between (He et al. 2016)."""

    def __init__(self, channels: int, rows: int):
        super().__init__()
        self.first, self.second = Layer(channels, channels, rows), Layer(channels, channels, rows)

    def forward(self, x: Tensor, shares: Tensor, moments: Moments) -> Tensor:
        """(B, C, H, W) → the same shape."""
        return x + self.second(self.first(x, shares, moments).relu(), shares, moments)


class AnyPainter(Painter):
    """A network for any style: the teacher's layers up to relu4_1, AdaIN, and a decoder.

    Huang and Belongie 2017, section 5. Differs from it in two ways, for relu4_1 by itself says
    little of shapes, colours and strokes. The decoder too is normalised towards the style, where it
    has the size and the channels of relu3_1, relu2_1 and relu1_1 (as in Sheng et al. 2018,
    "Avatar-Net"); and the picture's own relu3_1, normalised in the same way, is added there. A
    condition is the means and the deviations of the four layers' channels. Only the decoder learns.
    """

    stride = 8
    margins = (48, 4)
    layers = ("relu4_1", "relu3_1", "relu2_1", "relu1_1")

    def __init__(self, encoder: VGG | None = None):
        super().__init__()
        self.encoder = encoder or cast(VGG, load_network())
        convolutions = [self.encoder.layers[n.replace("relu", "conv")] for n in self.layers]
        self.widths = [cast(nn.Conv2d, layer).out_channels for layer in convolutions]
        self.enter = nn.ModuleList([convolution(a, b) for a, b in pairwise(self.widths)])
        refined = zip(self.widths[1:], (2, 1, 1), strict=True)
        self.refine = nn.ModuleList([Chain(width, count) for width, count in refined])
        self.out = convolution(self.widths[-1], 3)

    def encode(self, image: Tensor, condition: Tensor, moments: Moments) -> tuple[Tensor, ...]:
        """(B, 3, H, W) → relu4_1 and relu3_1, (B, 128, H / 8, W / 8) and (B, 64, H / 4, W / 4)."""
        return tuple(self.encoder(image, self.layers[:2]).values())

    def transform(self, coarse: tuple[Tensor, ...], condition: Tensor, moments: Moments) -> Tensor:
        """AdaIN of both, and the decoder's first level: (B, 64, H / 4, W / 4)."""
        rows = self.by_layer(condition)
        x, kept = (normalise(y, *row, moments) for y, row in zip(coarse, rows, strict=False))
        x = self.refine[0](double(self.enter[0](x).relu()) + kept)
        return normalise(x, *rows[1], moments).relu()

    def decode(self, coarse: Tensor, condition: Tensor, moments: Moments) -> Tensor:
        """The decoder's other levels: (B, 64, H / 4, W / 4) → (B, 3, H, W) in (0, 1)."""
        x = coarse
        levels = zip(self.enter, self.refine, self.by_layer(condition)[1:], strict=True)
        for widen, refine, row in list(levels)[1:]:
            x = refine(double(widen(x).relu()))
            x = normalise(x, *row, moments).relu()
        return self.out(x).float().sigmoid()

    def by_layer(self, condition: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Of each layer the deviations and means, (B, C) each, of a condition (B, 480)."""
        rows = condition.split([2 * width for width in self.widths], dim=1)
        return [tuple(reversed(row.chunk(2, dim=1))) for row in rows]

    @torch.no_grad()
    def condition(self, style: str | Tensor, moments: Moments = own_moments) -> Tensor:
        """Means and deviations that the teacher sees in pictures (B, 3, H, W): (B, 480)."""
        rows = []
        for feature in self.encoder(self.filled(cast(Tensor, style)), self.layers).values():
            mean, variance = moments(feature)
            rows += [mean.flatten(1), variance.flatten(1).sqrt()]
        return torch.cat(rows, 1)

    def unchanged(self, image: Tensor) -> Tensor:
        """The pictures' own."""
        return self.condition(image)


class Chain(nn.Sequential):
    """Convolutions of as many channels, with ReLUs between."""

    def __init__(self, channels: int, count: int):
        parts: list[nn.Module] = []
        for _ in range(count):
            parts += [convolution(channels, channels), nn.ReLU()]
        super().__init__(*parts[:-1])


def listed(values: object) -> tuple:
    """A list's values, its numbers as Python's own; none for what is no list."""
    values = bare(values)
    return tuple(map(whole, values)) if isinstance(values, list | tuple) else ()


def convolution(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, bias: bool = True
) -> nn.Conv2d:
    """One that mirrors the picture at its borders, where zeros would show as a frame."""
    return nn.Conv2d(
        inputs, outputs, kernel, stride, kernel // 2, bias=bias, padding_mode="reflect"
    )


def mixed(conditions: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """The condition (1, D) between several, by their shares, which add up to 1."""
    weights = torch.tensor(shares).to(conditions[0])
    return (weights[:, None] * torch.cat(list(conditions))).sum(0, keepdim=True)


def double(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, C, 2H, 2W), each activation four times."""
    return F.interpolate(x, scale_factor=2, mode="nearest")
