"""What a run minimises: targets, weights, and the normalisation of the losses.

A term is a weight times a sum of squares: of differences of activations F and P (content), or of
Gram matrices G and A (style; A of the style picture, both divided by C·H·W). The normalisations
differ in what they divide these sums by, M = H·W positions of a layer with C channels:

    relative  Σ(F-P)² / ΣP²     Σ(G-A)² / ΣA²    shares of the target: alike at every layer and size
    paper     Σ(F-P)² / 2       Σ(G-A)² / 4      Gatys et al. (2016), equations 1 and 4
    mse       Σ(F-P)² / (C·M)   Σ(G-A)² / C²     mean squares: Gatys' notebook, neural-style-pt, …

Equation 4 has Σ(G-A)²/(4·C²·M²) with undivided Gram matrices: the same, as long as the style
picture is as large as the generated one; here it need not be.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from nst.cache import See, cached
from nst.errors import SettingsError
from nst.features import extract_features, walk_features
from nst.losses import gram_matrix, squared_distance, total_variation_loss
from nst.networks import Network
from nst.settings import Settings


class Objective:
    """The weighted terms of the loss, as a function of the picture.

    `content` and `style` hold, for each layer, a target and its factor: the product of the loss's
    weight, the layer's weight and the normalisation. Several style pictures give one target, the
    mean of their Gram matrices weighted by `style_blend`. In "paper" and "mse" this has the same
    gradient as the weighted sum of their losses; in "relative" that sum would favour the style with
    the smaller Gram matrix.
    """

    def __init__(
        self,
        network: Network,
        content_image: Tensor | None,
        style_images: Sequence[Tensor],
        settings: Settings,
    ):
        """Images are (1, 3, H, W) in [0, 1]; style images may have any size.

        Raises:
            SettingsError: no term is left, a picture is missing, or shares and pictures differ.
        """
        self.network = network
        self.tv_weight, self.tv_norm = settings.tv_weight, settings.tv_norm
        self.content: dict[str, tuple[Tensor, Tensor]] = {}
        self.style: dict[str, tuple[Tensor, Tensor]] = {}
        if settings.content_weight:
            layers = {n: settings.content_weight * w for n, w in settings.content_layers.items()}
            if content_image is None:
                raise SettingsError("the content loss needs a content picture, or a weight of 0")
            see = cached(self.see, network)
            self.content = content_targets(see, content_image, layers, settings.normalisation)
        if settings.style_weight:
            layers = {n: settings.style_weight * w for n, w in settings.style_layers.items()}
            blend = settings.style_blend or (1.0,) * len(style_images)
            if not style_images or len(blend) != len(style_images):
                raise SettingsError(
                    f"there are {len(style_images)} style pictures and {len(blend)} shares of them"
                )
            grams = cached(self.grams, network)
            self.style = style_targets(grams, style_images, blend, layers, settings.normalisation)
        self.layers = layers_of(settings)
        if not self.layers:
            raise SettingsError("there is nothing to minimise: content and style have no weight")

    def see(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Each layer's activations."""
        return extract_features(self.network, channels_last(image), layers)

    def grams(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Each layer's Gram matrix."""
        return {layer: gram_matrix(feature) for layer, feature in self.see(image, layers).items()}

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Every term as a scalar, named "content relu4_2", "style relu1_1", …, "tv"."""
        content, style, smoothness = {}, {}, {}
        if self.tv_weight:
            # First, so that on the way back it comes last, when memory is free again.
            smoothness["tv"] = self.tv_weight * total_variation_loss(image, self.tv_norm)
        # Layer by layer, so that on the way back no gradient of a Gram matrix waits in memory.
        for layer, feature in walk_features(self.network, channels_last(image), self.layers):
            if layer in self.content:
                target, factor = self.content[layer]
                content[layer] = factor * squared_distance(feature, target)
            if layer in self.style:
                target, factor = self.style[layer]
                style[layer] = factor * squared_distance(gram_matrix(feature), target)
        terms = {f"content {layer}": content[layer] for layer in self.content}
        terms |= {f"style {layer}": style[layer] for layer in self.style}
        return terms | smoothness

    def loss_and_gradient(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Every term, detached, and the gradient of their sum with respect to the image."""
        image = image.detach().requires_grad_()
        terms = self(image)
        (gradient,) = torch.autograd.grad(total(terms), image)
        return {name: term.detach() for name, term in terms.items()}, gradient.contiguous()


def layers_of(settings: Settings) -> list[str]:
    """The layers that have a weight, those of the content first, each once."""
    content = settings.content_layers if settings.content_weight else {}
    style = settings.style_layers if settings.style_weight else {}
    weights = [*content.items(), *style.items()]
    return list(dict.fromkeys(layer for layer, weight in weights if weight))


def total(terms: dict[str, Tensor]) -> Tensor:
    """The loss: the sum of all terms, a scalar."""
    return torch.stack(list(terms.values())).sum()


def channels_last(image: Tensor) -> Tensor:
    """The same picture, laid out pixel by pixel instead of channel by channel.

    The network's activations follow it, and convolutions and Gram matrices are faster on them: by
    an eighth with VGG-19, by a quarter with the built-in network (two cores).
    """
    return image.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def content_targets(
    see: See, image: Tensor, weights: dict[str, float], normalisation: str
) -> dict[str, tuple[Tensor, Tensor]]:
    """Each layer's activations, and the factor of their squared differences."""
    return {
        layer: (target, weights[layer] * content_factor(target, normalisation))
        for layer, target in see(image, list(weights)).items()
        if weights[layer]
    }


@torch.no_grad()
def style_targets(
    grams: See,
    images: Sequence[Tensor],
    blend: Sequence[float],
    weights: dict[str, float],
    normalisation: str,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Each layer's blended Gram matrix, and the factor of its squared differences."""
    layers = [layer for layer, weight in weights.items() if weight]
    targets = dict.fromkeys(layers, torch.zeros(()))
    for image, part in zip(images, blend, strict=True):
        # One picture at a time: their activations need not fit into memory together.
        for layer, gram in grams(image, layers).items():
            targets[layer] = gram * (part / sum(blend)) + targets[layer].to(gram.device)
    return {
        layer: (target, weights[layer] * style_factor(target, normalisation))
        for layer, target in targets.items()
    }


def content_factor(target: Tensor, normalisation: str) -> Tensor:
    """What the sum of squared differences of activations is multiplied by; see above."""
    if normalisation == "relative":
        return 1 / target.square().sum().clamp(min=1e-12)
    return torch.full_like(target.sum(), 0.5 if normalisation == "paper" else 1 / target.numel())


def style_factor(target: Tensor, normalisation: str) -> Tensor:
    """What the sum of squared differences of Gram matrices is multiplied by; see above."""
    if normalisation == "relative":
        return 1 / target.square().sum().clamp(min=1e-12)
    return torch.full_like(target.sum(), 0.25 if normalisation == "paper" else 1 / target.numel())
