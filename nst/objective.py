"""What a run minimises: targets, weights, and the normalisation of the losses.

A term is a weight times a sum of squares: of differences of activations F and P (content), or of
Gram matrices G and A (style; A of the style picture, both divided by C·H·W). The normalisations
differ in what they divide these sums by, M = H·W positions of a layer with C channels:

    relative  Σ(F-P)² / ΣP²     Σ(G-A)² / ΣA²    shares of the target: alike at every layer and size
    paper     Σ(F-P)² / 2       Σ(G-A)² / 4      Gatys et al. (2016), equations 1 and 4
    mse       Σ(F-P)² / (C·M)   Σ(G-A)² / C²     mean squares: Gatys' notebook, neural-style-pt, …

Equation 4 has Σ(G-A)²/(4·C²·M²) with undivided Gram matrices: the same, as long as the style
picture is as large as the generated one; here it need not be.

In the place of Gram matrices there may be another statistic (`nst.statistics`), whose distance is
always relative, and a region of the picture may have a style of its own (`nst.control.regions`).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nst.cache import See, cached
from nst.control.colours import only_grey
from nst.control.masks import layer_guides
from nst.control.regions import Region, Style, regions
from nst.devices import Beside
from nst.errors import SettingsError
from nst.features import extract_features, walk_features
from nst.losses import squared_distance, total_variation_loss
from nst.networks import Network, check_network
from nst.settings import Settings
from nst.statistics import STATISTICS, Guide, Part, Statistic

Guides = Mapping[str, Guide | None]  # by layer; None means everywhere


class Aim(NamedTuple):
    """What a layer's activations are to come to: the term's name, and where it is measured."""

    name: str
    target: Any  # of the statistic
    factor: Tensor
    guide: Guide | None


class Objective:
    """The weighted terms of the loss, as a function of the picture.

    `content` holds, for each layer, a target and its factor: the product of the loss's weight, the
    layer's weight and the normalisation; `style` the same for each layer and region. Several style
    pictures give one target, the mean of their Gram matrices weighted by `style_blend`. In "paper"
    and "mse" this has the same gradient as the weighted sum of their losses; in "relative" that sum
    would favour the style with the smaller Gram matrix. `empty` names the layers at which a region
    is too small to be seen, and has no term.
    """

    def __init__(
        self,
        network: Network,
        content_image: Tensor | None,
        style_images: Sequence[Tensor],
        settings: Settings,
        masks: Sequence[Tensor] = (),
        style_masks: Sequence[Tensor] = (),
    ):
        """Images are (1, 3, H, W) in [0, 1]; style images may have any size.

        For masks see `nst.control.regions.regions`.

        Raises:
            SettingsError: no term is left, a picture is missing, or shares and pictures differ.
        """
        check_network(network)
        self.network, self.grey = network, settings.colour == "content"
        self.statistic: Statistic = STATISTICS[settings.statistic]
        self.tv_weight, self.tv_norm = settings.tv_weight, settings.tv_norm
        self.content: dict[str, tuple[Tensor, Tensor]] = {}
        self.style: dict[str, list[Aim]] = {}
        self.empty: list[str] = []
        if settings.content_weight:
            layers = {n: settings.content_weight * w for n, w in settings.content_layers.items()}
            if content_image is None:
                raise SettingsError("the content loss needs a content picture, or a weight of 0")
            see = cached(self.see, network)
            self.content = content_targets(see, content_image, layers, settings.normalisation)
        if settings.style_weight:
            blend = settings.style_blend or (1.0,) * len(style_images)
            if not style_images:
                raise SettingsError("the style loss needs a style picture, or a weight of 0")
            if len(blend) != len(style_images):
                raise SettingsError(
                    f"there are {len(style_images)} style pictures and {len(blend)} shares of them"
                )
            weights, layers_of_each = settings.mask_weights, settings.layers_by_style
            given = style_images, masks, style_masks, blend, weights, layers_of_each
            for region in regions(*given):
                self.aim(region, settings)
        self.layers = layers_of(settings)
        if not self.layers:
            raise SettingsError("there is nothing to minimise: content and style have no weight")

    def see(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Each layer's activations."""
        return extract_features(self.network, channels_last(image), layers)

    def measures(
        self, image: Tensor, layers: Sequence[str], guides: Guides | None = None
    ) -> dict[str, Tensor]:
        """Each layer's statistic, such as its Gram matrix."""
        features = self.see(image, layers)
        return {n: self.statistic.measure(f, (guides or {}).get(n)) for n, f in features.items()}

    @torch.no_grad()
    def aim(self, region: Region, settings: Settings) -> None:
        """Take in what a region's style pictures ask of the layers."""
        weights = {n: settings.style_weight * w for n, w in settings.style_layers.items() if w}
        self.network.check_layers(list(weights))
        guides = self.guides(region.mask, list(weights), region.name)
        parts: dict[str, list[Part]] = {layer: [] for layer in guides}
        for number, style in enumerate(region.styles, 1):
            # One picture at a time: their activations need not fit into memory together.
            whose = f"the style mask of {region.name or f'picture {number}'}"
            for layer, part in self.look(style, list(guides), whose, settings.statistic).items():
                parts[layer].append(part)
        for layer, found in parts.items():
            whole = sum(part.share for part in found)
            if not whole:
                continue
            target = self.statistic.target([p._replace(share=p.share / whole) for p in found])
            weight = weights[layer] * self.statistic.weight * region.weight
            factor = weight * style_factor(self.statistic, target, settings.normalisation)
            name = f"style {layer}, {region.name}" if region.name else f"style {layer}"
            self.style.setdefault(layer, []).append(Aim(name, target, factor, guides[layer]))
        if not any(parts.values()):
            raise SettingsError(
                f"{region.name or 'the style'} has no layer that sees it: paint its masks larger, "
                "or take layers that see less"
            )

    def look(
        self, style: Style, layers: Sequence[str], whose: str, statistic: str
    ) -> dict[str, Part]:
        """What a style picture shows at those of the layers that it is for."""
        layers = [layer for layer in layers if not style.layers or layer in style.layers]
        guides = self.guides(style.mask, layers, whose)
        if style.mask is None:
            see = cached(self.measures, self.network, statistic)
        else:
            see = partial(self.measures, guides=guides)
        found = see(style.image, list(guides)) if guides else {}
        return {n: Part(measured, guides[n], style.share) for n, measured in found.items()}

    def guides(self, mask: Tensor | None, layers: Sequence[str], whose: str) -> Guides:
        """A guide for each of the layers at which a mask is seen at all; notes the others."""
        if mask is None:
            return dict.fromkeys(layers)
        found = layer_guides(self.network, mask, layers)
        if blind := [layer for layer in layers if layer not in found]:
            self.empty.append(f"{whose} at {', '.join(blind)}")
        return {layer: found[layer] for layer in layers if layer in found}

    def __call__(self, image: Tensor, beside: Beside | None = None) -> dict[str, Tensor]:
        """Every term as a scalar, named "content relu4_2", "style relu1_1", …, "tv".

        `beside` is where all but the network is computed: by default in turn.
        """
        content: dict[str, Tensor] = {}
        style: dict[str, Tensor] = {}
        smoothness: dict[str, Tensor] = {}
        beside = beside or Beside()
        image = only_grey(image) if self.grey else image
        if self.tv_weight:
            # First, so that on the way back it comes last, when memory is free again.
            with beside.reading(image):
                smoothness["tv"] = self.tv_weight * total_variation_loss(image, self.tv_norm)
        # Layer by layer, so that on the way back no gradient of a Gram matrix waits in memory.
        for layer, feature in walk_features(self.network, channels_last(image), self.layers):
            with beside.reading(feature):
                if layer in self.content:
                    target, factor = self.content[layer]
                    content[layer] = factor * squared_distance(feature, target)
                for aim in self.style.get(layer, ()):
                    measured = self.statistic.measure(feature, aim.guide)
                    distance = self.statistic.distance(measured, aim.target, aim.guide)
                    style[aim.name] = aim.factor * distance
        beside.join()
        terms = {f"content {layer}": content[layer] for layer in self.content}
        terms |= {aim.name: style[aim.name] for aims in self.style.values() for aim in aims}
        return terms | smoothness

    def loss_and_gradient(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Every term, detached, and the gradient of their sum with respect to the image."""
        image = image.detach().requires_grad_()
        beside = Beside(image)  # lives until the gradient has been asked for
        # A view, so that the leaf itself is read in one place, whose stream its gradient comes on.
        terms = self(image.view_as(image), beside)
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


def content_factor(target: Tensor, normalisation: str) -> Tensor:
    """What the sum of squared differences of activations is multiplied by; see above."""
    if normalisation == "relative":
        return 1 / target.square().sum().clamp(min=1e-12)
    return torch.full_like(target.sum(), 0.5 if normalisation == "paper" else 1 / target.numel())


def style_factor(statistic: Statistic, target: Any, normalisation: str) -> Tensor:
    """What a statistic's distance from the target is multiplied by; see above."""
    if normalisation == "relative":
        return 1 / statistic.size(target).clamp(min=1e-12)
    return torch.full_like(target.sum(), 0.25 if normalisation == "paper" else 1 / target.numel())
