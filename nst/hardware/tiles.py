"""Where tiles lie in a picture, and in the activations of its layers."""

from collections.abc import Sequence
from itertools import pairwise, product
from types import EllipsisType
from typing import NamedTuple

from torch import Tensor

from nst.errors import SettingsError
from nst.features import layer_table
from nst.networks import VGG, Network

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


def smallest_tile(here: View) -> int:
    """The least that a tile may own, in pixels: less would be mostly margin."""
    return max(here.margin, SMALLEST)


def positions_of(features: Tensor) -> int:
    """How many activations of each channel these are."""
    return features[0, 0].numel()


def positions(image: Tensor, stride: int) -> int:
    """How many activations a layer has of the image."""
    height, width = image.shape[-2:]
    return (height // stride) * (width // stride)
