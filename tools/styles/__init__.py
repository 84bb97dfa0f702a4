"""The painters of the sample style pictures, one module a style."""

from collections.abc import Callable

import numpy as np

from styles import dots, glass, ink, marble, mosaic, starry, waves
from styles.common import Picture

Painter = Callable[[int, np.random.Generator], Picture]

PAINTERS: dict[str, Painter] = {
    "dots": dots.paint,
    "glass": glass.paint,
    "ink": ink.paint,
    "marble": marble.paint,
    "mosaic": mosaic.paint,
    "starry": starry.paint,
    "waves": waves.paint,
}
