"""Marbled paper: drops of ink on water, drawn out by combs and styluses.

The deformations are Aubrey Jaffer's (https://people.csail.mit.edu/jaffer/Marbling): each keeps
areas, as an incompressible liquid does. They are applied backwards to the pixels' positions, so
that the picture is found by asking, of each pixel, which drop the paint there came from.
"""

import numpy as np

from styles.common import (
    Array,
    Shape,
    coordinates,
    noise,
    palette,
    paper_grain,
)

ASPECT = 0.8
INKS = palette(
    "101a3c", "1d3f8f", "0f7f8c", "b3202c", "e2572b", "f0b02e", "f6ead0", "5a1838", "2f8f5b"
)
WEIGHTS = np.array([0.08, 0.16, 0.13, 0.15, 0.10, 0.13, 0.14, 0.06, 0.05])
DROPS = 420


def paint(shape: Shape, rng: np.random.Generator) -> Array:
    """Paint the picture on a canvas of that shape."""
    x, y = coordinates(shape)
    wobble = 0.0025
    x = x + wobble * noise(shape, 7, rng)
    y = y + wobble * noise(shape, 7, rng)
    x, y = undo_combs(x, y, rng)
    ink, depth = undo_drops(x, y, rng)
    image = INKS[ink] * shading(depth)[..., None]
    image *= 1 + 0.035 * paper_grain(shape, rng)[..., None]
    return image


def undo_combs(x: Array, y: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Take back, last first: the swirls, the fine comb, and the rakes across it."""
    for _ in range(9):
        centre = rng.uniform((0.08, 0.08), (0.92, ASPECT - 0.08))
        turn = rng.choice([-1, 1]) * rng.uniform(0.045, 0.085)
        x, y = vortex(x, y, centre, turn, rng.uniform(0.035, 0.075))
    x = x + 0.018 * np.sin(2 * np.pi * y / 0.27 + rng.uniform(0, 6))
    x = comb(x, y, spacing=0.034, shift=0.085, sharpness=0.0042)
    y = comb(y, x, spacing=0.115, shift=-0.20, sharpness=0.014)
    y = comb(y, x + 0.0575, spacing=0.115, shift=0.20, sharpness=0.014)
    return x, y


def comb(along: Array, across: Array, spacing: float, shift: float, sharpness: float) -> Array:
    """Positions before a comb of evenly spaced tines was drawn through them.

    A tine carries the liquid it touches by `shift`, and its neighbourhood by less: the movement
    falls by half in each `sharpness`.
    """
    offset = np.abs((across + spacing / 2) % spacing - spacing / 2)
    return along - shift * 0.5 ** (offset / sharpness)


def vortex(x: Array, y: Array, centre: Array, turn: float, reach: float) -> tuple[Array, Array]:
    """Positions before a stylus was turned in a circle: an angle that falls with distance."""
    dx, dy = x - centre[0], y - centre[1]
    radius = np.hypot(dx, dy)
    angle = (
        -turn / (radius + 0.012) * 0.5 ** (np.hypot(radius - reach, 0.3 * reach) / (0.4 * reach))
    )
    cos, sin = np.cos(angle), np.sin(angle)
    return centre[0] + cos * dx - sin * dy, centre[1] + sin * dx + cos * dy


def undo_drops(x: Array, y: Array, rng: np.random.Generator) -> tuple[np.ndarray, Array]:
    """Lift the drops off again, the last to fall first: which ink each position holds.

    Returns the ink's number, and how far out in its own drop the position lies (0 to 1).
    """
    shape = x.shape
    ink = np.zeros(x.size, np.intp)
    depth = np.ones(x.size, np.float32)
    x, y = x.ravel().astype(np.float32), y.ravel().astype(np.float32)
    open_ = np.arange(x.size)
    for _ in range(DROPS):
        centre = rng.uniform((-0.25, -0.25), (1.25, ASPECT + 0.25))
        radius = rng.choice([0.028, 0.05, 0.085], p=[0.40, 0.42, 0.18]) * rng.uniform(0.8, 1.25)
        colour = rng.choice(len(INKS), p=WEIGHTS)
        dx, dy = x - np.float32(centre[0]), y - np.float32(centre[1])
        squared = dx * dx + dy * dy
        inside = squared < radius**2
        ink[open_[inside]] = colour
        depth[open_[inside]] = np.sqrt(squared[inside]) / radius
        outside = ~inside
        shrink = np.sqrt(1 - radius**2 / squared[outside])
        x = np.float32(centre[0]) + dx[outside] * shrink
        y = np.float32(centre[1]) + dy[outside] * shrink
        open_ = open_[outside]
    return ink.reshape(shape), depth.reshape(shape)


def shading(depth: Array) -> Array:
    """Ink gathers at the rim of a drop and thins in its middle."""
    return 0.98 + 0.12 * (1 - depth**2) - 0.5 * np.clip(depth - 0.93, 0, 1) / 0.07 * 0.6
