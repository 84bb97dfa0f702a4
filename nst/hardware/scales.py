"""Pictures that do not fit into memory: the exact loss and its exact gradient, tile by tile.

A layer's Gram matrix is a sum over positions, and everything else is local. So a first pass over
the tiles adds up the Gram matrices, which give the loss and its derivative with respect to them; a
second pass gives each tile what its own positions contribute to the gradient. Nothing is blended
or approximated: a tile is computed with a margin as wide as its activations see, so that they are
those of the whole picture.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise, product
from types import EllipsisType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nst.devices import is_full
from nst.errors import SettingsError
from nst.features import layer_table
from nst.losses import gram_matrix, total_variation_loss
from nst.networks import VGG, Network
from nst.objective import Objective

SMALLEST = 16  # pixels; smaller tiles are more than anyone waits for

Index = tuple[EllipsisType, slice, slice]


class Span(NamedTuple):
    """One side of a tile: it owns pixels `start` to `stop`, and is computed from `first` to `last`.

    They differ by the margin, but for what the picture's edge cuts off.
    """

    start: int
    stop: int
    first: int
    last: int


class Tile(NamedTuple):
    """A rectangle of the picture. Every position of every layer is some tile's own."""

    rows: Span
    columns: Span

    @property
    def seen(self) -> Index:
        """The pixels from which the tile is computed."""
        rows, columns = (slice(side.first, side.last) for side in self)
        return ..., rows, columns

    def own(self, stride: int) -> Index:
        """Own positions of a layer, in the tile's activations."""
        rows, columns = (
            slice(
                side.start // stride - side.first // stride,
                side.stop // stride - side.first // stride,
            )
            for side in self
        )
        return ..., rows, columns

    def part(self, stride: int) -> Index:
        """Own positions of a layer, in the whole picture's activations."""
        rows, columns = (slice(side.start // stride, side.stop // stride) for side in self)
        return ..., rows, columns


class View(NamedTuple):
    """What layers see: the stride of each, and the margin that makes a tile's activations exact."""

    strides: dict[str, int]
    margin: int

    def tiles(self, image: Tensor, size: int) -> list[Tile]:
        """Tiles whose own part is up to `size` pixels high and wide, but at least one stride.

        The last row and column have also what the picture has beyond whole strides.
        """
        height, width = image.shape[-2:]
        return [
            Tile(*sides) for sides in product(self.spans(height, size), self.spans(width, size))
        ]

    def spans(self, length: int, size: int) -> list[Span]:
        """The sides of tiles along one side of the picture, as even as whole strides allow."""
        # Own parts begin where every layer has the corner of an activation: pooling grids agree.
        stride = max(self.strides.values())
        units = max(1, length // stride)
        count = -(-units // max(1, size // stride))
        cuts = [i * units // count * stride for i in range(count)] + [length]
        return [
            Span(start, stop, max(0, start - self.margin), min(length, stop + self.margin))
            for start, stop in pairwise(cuts)
        ]


def only_vgg(network: Network) -> VGG:
    """The network; SettingsError if it is no VGG, since what others' layers see is not known."""
    if not isinstance(network, VGG):
        raise SettingsError(
            "only VGGs can see a picture in tiles; leave memory_limit out, or take a smaller size"
        )
    return network


def view(network: Network, layers: Sequence[str]) -> View:
    """What `layers` see.

    Raises:
        SettingsError: that is not known of this network, or it has no such layer.
    """
    only_vgg(network).check_layers(layers)
    rows = [row for row in layer_table(network) if row.name in layers]
    deepest = max(row.stride for row in rows)
    # An activation sees stride × stride pixels of its own, and equally far to all sides of them.
    margin = max(((row.receptive_field or 0) - row.stride) // 2 for row in rows)
    return View({row.name: row.stride for row in rows}, -(-margin // deepest) * deepest)


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

    def grams(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Each layer's Gram matrix: the tiles' mean, weighted by how many positions they own."""
        grams: dict[str, Tensor] = {}
        for _, layer, stride, own in self.parts(image, layers):
            share = own[0, 0].numel() / positions(image, stride)
            grams[layer] = grams.get(layer, 0) + share * gram_matrix(own)
        return grams

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
        image = image.detach()
        style, slopes = self.style_terms(image) if self.style else ({}, {})
        content = {
            f"content {layer}": torch.zeros_like(f) for layer, (_, f) in self.content.items()
        }
        here, gradient = view(self.network, self.layers), torch.zeros_like(image)
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
        return terms, gradient

    def style_terms(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The style terms, and for each layer the matrix that turns its activations F into dL/dF.

        Gatys et al. (2016), equation 6.
        """
        terms, slopes = {}, {}
        strides = view(self.network, self.layers).strides
        for layer, gram in self.grams(image, list(self.style)).items():
            target, factor = self.style[layer]
            terms[f"style {layer}"] = factor * (gram - target).square().sum()
            count = gram.shape[-1] * positions(image, strides[layer])
            slopes[layer] = 4 * factor * (gram - target) / count
        return terms, slopes

    def tile_gradient(
        self, pixels: Tensor, tile: Tile, strides: dict[str, int], slopes: dict[str, Tensor]
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
            join(feature, own, partial(self.slope, layer, part, slopes.get(layer)))
        deepest = features[max(features, key=self.network.layer_names.index)]
        (gradient,) = torch.autograd.grad(deepest, pixels, torch.zeros_like(deepest))
        return terms, gradient

    def slope(self, layer: str, part: Index, matrix: Tensor | None, own: Tensor) -> Tensor:
        """The derivative dL/dF at own positions, from equations 2 and 6 of Gatys et al. (2016)."""
        slope = torch.zeros_like(own)
        if layer in self.content:
            target, factor = self.content[layer]
            slope += 2 * factor * (own - target[part])
        if matrix is not None:
            slope += (matrix @ own.flatten(2)).view_as(own)
        return slope


class FallBack:
    """A loss and gradient for `minimise` that goes on in ever smaller tiles when memory is full.

    An evaluation that ran out of memory is repeated, so that the run loses nothing.
    """

    def __init__(
        self,
        make: Callable[[int | None], Objective],
        network: Network,
        layers: Sequence[str],
        tile: int | None,
        say: Callable[[str], object],
    ):
        """`make` gives the objective for a tile's size, None for the whole picture at once; `tile`
        is the first to try, `layers` those that the objective reads, and `say` is told of a change.
        """
        self.make, self.network, self.layers, self.tile, self.say = make, network, layers, tile, say
        self.objective: Objective | None = None

    def __call__(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Every term, detached, and the gradient of their sum with respect to the image.

        Raises:
            MemoryError, RuntimeError: it is full (`nst.devices.is_full`), and no smaller tile makes
                sense.
        """
        while True:
            try:
                self.objective = self.objective or self.make(self.tile)
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


def smallest_tile(here: View) -> int:
    """The least that a tile may own, in pixels: less would be mostly margin."""
    return max(here.margin, SMALLEST)


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


def positions(image: Tensor, stride: int) -> int:
    """How many activations a layer has of the image."""
    height, width = image.shape[-2:]
    return (height // stride) * (width // stride)
