"""Pictures that do not fit into memory: the exact loss and its exact gradient, tile by tile.

A layer's Gram matrix is a sum over positions, and everything else is local. So a first pass over
the tiles adds up the Gram matrices, which give the loss and its derivative with respect to them; a
second pass gives each tile what its own positions contribute to the gradient. Nothing is blended
or approximated: a tile is computed with a margin as wide as its activations see, so that they are
those of the whole picture. Statistics of style that are no sums need a layer's activations all
together: the first pass keeps these instead.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nst.control.colours import only_grey
from nst.devices import arithmetic, is_full
from nst.hardware.tiles import Index, Tile, positions, positions_of, smallest_tile, view
from nst.losses import total_variation_loss
from nst.networks import VGG, Network
from nst.objective import Guides, Objective
from nst.statistics import Guide

Slope = tuple[Guide | None, Tensor]  # of a region: where it is, and a derivative of the loss


class TiledObjective(Objective):
    """The terms and the gradient of `Objective`, for about the price of one more forward pass.

    Memory grows with the tile; with the picture grow only the targets of the content layers.
    """

    def __init__(self, *given: Any):
        """Given what `Objective` is, and last the side of a tile in pixels, without its margins.

        Raises:
            SettingsError: as `Objective`; or the network is no VGG.
        """
        *whole, self.tile = given
        super().__init__(*whole)

    def see(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Each layer's activations, put together from the tiles'; no gradient flows through."""
        whole: dict[str, Tensor] = {}
        for tile, layer, stride, own in self.parts(image, layers):
            if layer not in whole:
                height, width = (length // stride for length in image.shape[-2:])
                whole[layer] = own.new_empty(*own.shape[:2], height, width)
            whole[layer][tile.part(stride)] = own
        return whole

    def measures(
        self, image: Tensor, layers: Sequence[str], guides: Guides | None = None
    ) -> dict[str, Tensor]:
        """Each layer's statistic: the sum of what the tiles' own positions have of it."""
        if not self.statistic.additive:
            return self.see(image, layers)
        found: dict[str, Tensor] = {}
        for tile, layer, stride, own in self.parts(image, layers):
            guide, share = (guides or {}).get(layer), positions_of(own) / positions(image, stride)
            measured = self.measure(own, guide, tile.part(stride), share)
            found[layer] = found.get(layer, 0) + measured
        return found

    def measure(self, own: Tensor, guide: Guide | None, part: Index, share: float) -> Tensor:
        """What own activations, a part and share of the whole, have of an additive statistic."""
        if guide is None:
            return share * self.statistic.measure(own)
        return self.statistic.measure(own, Guide.of(guide.map[part]))

    @torch.no_grad()
    def parts(
        self, image: Tensor, layers: Sequence[str]
    ) -> Iterator[tuple[Tile, str, int, Tensor]]:
        """Every tile's own activations of every layer, with the layer's name and stride."""
        here = view(self.network, layers)
        for tile in here.tiles(image, self.tile):
            for layer, feature in super().see(image[tile.seen], layers).items():
                stride = here.strides[layer]
                yield tile, layer, stride, feature[tile.own(stride)]

    def loss_and_gradient(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Every term, detached, and the gradient of their sum with respect to the image."""
        image = only_grey(image.detach()) if self.grey else image.detach()
        style, slopes = self.style_terms(image) if self.style else ({}, {})
        content = {
            f"content {layer}": torch.zeros_like(f) for layer, (_, f) in self.content.items()
        }
        here, gradient = view(self.network, self.layers), torch.zeros_like(image)
        self.positions = {layer: positions(image, s) for layer, s in here.strides.items()}
        for tile in here.tiles(image, self.tile):
            terms, slope = self.tile_gradient(image[tile.seen], tile, here.strides, slopes)
            gradient[tile.seen] += slope
            for name, term in terms.items():
                content[name] += term
        terms = content | style
        if self.tv_weight:
            image.requires_grad_()
            tv = self.tv_weight * total_variation_loss(image, self.tv_norm)
            gradient += torch.autograd.grad(tv, image)[0]
            terms["tv"] = tv.detach()
        return terms, only_grey(gradient) if self.grey else gradient

    def style_terms(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, list[Slope]]]:
        """The style terms, and for each layer their derivatives with respect to what is measured.

        For Gram matrices 2(G - A) times their factor (Gatys et al. 2016, equation 6).
        """
        terms: dict[str, Tensor] = {}
        slopes: dict[str, list[Slope]] = {}
        most = max(map(len, self.style.values()))
        for turn in range(most):  # one region after the other
            aims = {layer: them[turn] for layer, them in self.style.items() if turn < len(them)}
            guides = {layer: aim.guide for layer, aim in aims.items()}
            for layer, measured in self.measures(image, list(aims), guides).items():
                measured, aim = measured.requires_grad_(), aims[layer]
                with torch.enable_grad():
                    distance = self.statistic.distance(measured, aim.target, aim.guide)
                    term = aim.factor * distance
                (slope,) = torch.autograd.grad(term, measured)
                slopes.setdefault(layer, []).append((aim.guide, slope))
                terms[aim.name] = term.detach()
        return {a.name: terms[a.name] for aims in self.style.values() for a in aims}, slopes

    def tile_gradient(
        self, pixels: Tensor, tile: Tile, strides: dict[str, int], slopes: dict[str, list[Slope]]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """What a tile's own positions add to the content terms, and to the gradient of all terms.

        The gradient is that of the pixels that the tile sees, its margin among them.
        """
        pixels, terms = pixels.detach().requires_grad_(), {}
        features = super().see(pixels, self.layers)
        for layer, feature in features.items():
            own, part = tile.own(strides[layer]), tile.part(strides[layer])
            if layer in self.content:
                target, factor = self.content[layer]
                squares = (feature.detach()[own] - target[part]).square()
                terms[f"content {layer}"] = factor * squares.sum()
            share = positions_of(feature[own]) / self.positions[layer]
            join(feature, own, partial(self.slope, layer, part, share, slopes.get(layer, [])))
        deepest = features[max(features, key=self.network.layer_names.index)]
        (gradient,) = torch.autograd.grad(deepest, pixels, torch.zeros_like(deepest))
        return terms, gradient

    def slope(
        self, layer: str, part: Index, share: float, slopes: list[Slope], own: Tensor
    ) -> Tensor:
        """The derivative dL/dF at own positions, from equations 2 and 6 of Gatys et al. (2016)."""
        slope = torch.zeros_like(own)
        if layer in self.content:
            target, factor = self.content[layer]
            slope += 2 * factor * (own - target[part])
        for guide, of_measured in slopes:
            if self.statistic.additive:
                with torch.enable_grad():
                    x = own.detach().requires_grad_()
                    measured = self.measure(x, guide, part, share)
                slope += torch.autograd.grad(measured, x, of_measured)[0]
            else:
                slope += of_measured[part]
        return slope


class FallBack:
    """A loss and gradient for `minimise` that goes on in ever smaller tiles when memory is full.

    An evaluation that ran out of memory is repeated, so that the run loses nothing.
    """

    def __init__(
        self,
        make: Callable[[Network, int | None], Objective],
        network: Network,
        layers: Sequence[str],
        tile: int | None,
        say: Callable[[str], object],
        exact: Network | None = None,
    ):
        """`make` gives the objective for a network and a tile's size, None for the whole picture at
        once; `tile` is the first to try, `layers` those that the objective reads, and `say` is told
        of a change. `exact` is the same network in float32, if that is another.
        """
        self.make, self.network, self.layers, self.tile, self.say = make, network, layers, tile, say
        self.exact = exact
        self.objective: Objective | None = None
        self.precise: Objective | None = None

    def __call__(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Every term, detached, and the gradient of their sum with respect to the image.

        Raises:
            MemoryError, RuntimeError: it is full (`nst.devices.is_full`), and no smaller tile makes
                sense.
        """
        self.precise = None  # its targets are not needed any more
        while True:
            try:
                self.objective = self.objective or self.make(self.network, self.tile)
                return self.objective.loss_and_gradient(image)
            except (MemoryError, RuntimeError) as error:
                recording = image.is_cuda and torch.cuda.is_current_stream_capturing()
                if recording or not is_full(error):
                    raise  # what is recorded was not evaluated; it will be, without a recording
                smaller = (self.tile or max(image.shape[-2:])) // 2
                if not isinstance(self.network, VGG) or smaller < smallest_tile(
                    view(self.network, self.layers)
                ):
                    raise
            # Only here, where the error and with it the frames of the evaluation are gone.
            self.objective, self.tile = None, smaller
            torch.cuda.empty_cache()
            self.say(f"out of memory: the run goes on in tiles of {smaller} pixels")

    def exactly(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """As a call, but in float32, targets included, if memory allows it."""
        if self.exact is None:
            return self(image)
        try:
            # What evaluates the next pictures is made here too, not where they are recorded.
            self.objective = self.objective or self.make(self.network, self.tile)
            with arithmetic("float32"):
                self.precise = self.precise or self.make(self.exact, self.tile)
                return self.precise.loss_and_gradient(image)
        except (MemoryError, RuntimeError) as error:
            if not is_full(error):
                raise
        self.exact = None
        return self(image)


def join(feature: Tensor, own: Index, slope: Callable[[Tensor], Tensor]) -> None:
    """Let dL/dF, a function of the own activations F, join the gradient on its way back.

    So it is computed when the gradient passes the layer, and none waits in memory for its turn.
    """
    values = feature.detach()[own]

    def hook(gradient: Tensor) -> Tensor:
        gradient = gradient.clone()  # a hook must not change what it is given
        gradient[own] += slope(values)
        return gradient

    feature.register_hook(hook)
