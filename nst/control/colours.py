"""Whose colours a painting has: the style's, the content's, or something between.

Gatys et al. 2017, "Controlling perceptual factors in neural style transfer", section 5. Pictures
are (1, 3, H, W) in [0, 1], sRGB.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

COLOURS = ("style", "content", "match", "histogram")
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue (IEC 61966-2-1)
SMALLEST = 1e-6  # added to variances of colours, for pictures that have only a few


def prepare(colour: str, content: Tensor, styles: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """The pictures as the run is to see them.

    For "content" they are grey, and the styles' greys have the content's mean and deviation
    (equation 10); for "match" and "histogram" the styles have the content's colours.
    """
    if colour == "content":
        light = grey(content)
        return light, [like(grey(style), light) for style in styles]
    if colour == "match":
        return content, [transfer_colours(style, content) for style in styles]
    if colour == "histogram":
        return content, [transfer_histogram(style, content) for style in styles]
    return content, list(styles)


def grey(image: Tensor) -> Tensor:
    """The grey picture of the same luminance, and so the same L* in CIELAB."""
    weights = torch.tensor(LUMINANCE).to(image).view(1, 3, 1, 1)
    luminance = (linear(image) * weights).sum(1, keepdim=True)
    return encoded(luminance).expand_as(image).contiguous()


def only_grey(image: Tensor) -> Tensor:
    """The mean of the three channels, in each: the nearest grey picture.

    It is its own transpose, so that it also makes of a gradient that with respect to grey pictures.
    """
    return image.mean(1, keepdim=True).expand_as(image).contiguous()


def like(image: Tensor, wanted: Tensor) -> Tensor:
    """A grey picture brought to the mean and deviation of another, in [0, 1]."""
    spread = wanted.std() / image.std().clamp(min=SMALLEST)
    return ((image - image.mean()) * spread + wanted.mean()).clamp(0, 1)


def recolour(light: Tensor, content: Tensor) -> Tensor:
    """The luminance of a grey picture with the a* and b* (CIELAB) of another of the same size.

    Colours that a screen does not have at that luminance are drawn towards grey until it has them,
    so that the luminance stays exact.
    """
    from skimage.color import lab2xyz, rgb2lab  # half a second, and seldom needed
    from skimage.color.colorconv import rgb_from_xyz

    lab = rgb2lab(pixels(content))
    lab[..., 0] = rgb2lab(pixels(light))[..., 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that some are no colours: they are drawn towards grey
        colours = lab2xyz(lab) @ rgb_from_xyz.T  # linear
    middle = linear(light[0, 0].detach().cpu().double()).numpy()[..., None]
    way = colours - middle
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(way > 0, (1 - middle) / way, np.where(way < 0, -middle / way, np.inf))
    inside = middle + way * np.minimum(1, room.min(2, keepdims=True))
    picture = torch.from_numpy(inside.transpose(2, 0, 1)[None]).clamp(0, 1)
    return encoded(picture).to(light)


def transfer_colours(image: Tensor, palette: Tensor) -> Tensor:
    """The picture with the mean and covariance of another's colours; nothing is learned.

    The map x ↦ μ' + T(x - μ) is the optimal transport between the two Gaussians, with
    T = Σ^-½ (Σ^½ Σ' Σ^½)^½ Σ^-½; as a colour transfer Pitié and Kokaram 2007, "The linear
    Monge-Kantorovitch linear colour mapping". The result is clamped to [0, 1].

    Args:
        image, palette: (1, 3, H, W) in [0, 1]; they may differ in size.
    """
    x, wanted = image[0].detach().cpu().flatten(1).double(), palette[0].detach().cpu().flatten(1)
    wanted = wanted.double()
    ridge = SMALLEST * torch.eye(3, dtype=torch.float64)
    one, other = torch.cov(x, correction=0) + ridge, torch.cov(wanted, correction=0) + ridge
    half = power(one, 0.5)
    back = power(one, -0.5)
    transport = back @ power(half @ other @ half, 0.5) @ back
    mapped = transport @ (x - x.mean(1, keepdim=True)) + wanted.mean(1, keepdim=True)
    return mapped.view_as(image[0])[None].clamp(0, 1).to(image)


def transfer_histogram(image: Tensor, palette: Tensor) -> Tensor:
    """The picture with the histograms of another's red, green and blue, each by itself."""
    from skimage.exposure import match_histograms

    matched = match_histograms(pixels(image), pixels(palette), channel_axis=-1)
    return torch.from_numpy(matched.transpose(2, 0, 1)[None]).clamp(0, 1).to(image).contiguous()


def power(matrix: Tensor, exponent: float) -> Tensor:
    """Of a symmetric positive matrix."""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0) ** exponent) @ vectors.mT


def linear(values: Tensor) -> Tensor:
    """Values of sRGB as shares of light (IEC 61966-2-1)."""
    return torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(light: Tensor) -> Tensor:
    """Shares of light as sRGB's values."""
    bright = 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, 12.92 * light, bright)


def pixels(image: Tensor) -> np.ndarray:
    """(1, 3, H, W) → (H, W, 3), in float64."""
    return image[0].detach().cpu().double().permute(1, 2, 0).numpy()
