"""The painters of the sample style pictures: for each style a height, and what fills a canvas."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from styles import dots, glass, ink, marble, mosaic, starry, waves
from styles.common import Array, Picture, Shape, canvas_shape, finish


class Painter(NamedTuple):
    """A picture's height as a share of its width, and the function that paints it."""

    aspect: float
    paint: Callable[[Shape, np.random.Generator], Array]


PAINTERS = {
    "dots": Painter(dots.ASPECT, dots.paint),
    "glass": Painter(glass.ASPECT, glass.paint),
    "ink": Painter(ink.ASPECT, ink.paint),
    "marble": Painter(marble.ASPECT, marble.paint),
    "mosaic": Painter(mosaic.ASPECT, mosaic.paint),
    "starry": Painter(starry.ASPECT, starry.paint),
    "waves": Painter(waves.ASPECT, waves.paint),
}


def paint(name: str, size: int, rng: np.random.Generator) -> Picture:
    """A style's picture, `size` pixels wide: an (H, W, 3) array of bytes."""
    painter = PAINTERS[name]
    return finish(painter.paint(canvas_shape(size, painter.aspect), rng), size)
