"""What grows in the etching: bushes, an old tree, and grass."""

import numpy as np

from styles.common import (
    Points,
    curve,
    scatter,
)
from styles.ink_plate import ASPECT, INK, PAPER, PEN, Plate


def bush(plate: Plate, x: float, y: float, radius: float, depth: float) -> None:
    """A clump of leaves: scalloped edge, scribbled shade on the right and below."""
    circle = np.linspace(0, 2 * np.pi, 90)
    phase = plate.rng.uniform(0, 6.3)
    bump = radius * (1 + 0.10 * np.abs(np.sin(4.5 * circle + phase)) + 0.07 * np.sin(13 * circle))
    outline = np.stack([x + 1.1 * bump * np.cos(circle), y + 0.85 * bump * np.sin(circle)], -1)
    part, mask = plate.around(outline)
    dx, dy = (part.x - x) / radius, (part.y - y) / radius
    dark = np.clip(depth + 0.38 * (0.6 * dx + 0.8 * dy) + 0.10 * part.pressure, 0, 1)
    scribble = 0.0040 * part.leaves
    part.hatch(mask, dark, np.hypot(dx + 0.7, dy + 0.9) * radius + scribble, (dx - dy) * radius)
    plate.outline(outline, 0.0020)


def draw_tree(plate: Plate) -> None:
    """An old tree at the left: twisted trunk and boughs, and a crown in clumps."""
    rng = plate.rng
    boughs = (
        ([(0.135, 0.80), (0.155, 0.66), (0.125, 0.52), (0.150, 0.38), (0.135, 0.22)], 0.060),
        ([(0.142, 0.48), (0.20, 0.40), (0.265, 0.345), (0.31, 0.26)], 0.026),
        ([(0.140, 0.42), (0.085, 0.34), (0.03, 0.30), (-0.02, 0.22)], 0.028),
    )
    clumps = [
        (rng.normal(0.13, 0.105), rng.normal(0.17, 0.085), rng.uniform(0.030, 0.056))
        for _ in range(44)
    ]
    clumps = [c for c in clumps if c[0] < 0.31]
    for cx, cy, radius in clumps[:16]:
        bush(plate, cx, cy, radius, 0.78)
    for knots, wide in boughs[::-1]:
        bough(plate, curve(knots, 160), wide)
    for cx, cy, radius in sorted(clumps[16:], key=lambda c: -c[2]):
        bush(plate, cx, cy, radius, 0.46)


def bough(plate: Plate, spine: Points, wide: float) -> None:
    """A limb that tapers: rings of bark across it, black down the side away from the light."""
    t = np.linspace(0, 1, len(spine))
    half = (
        wide
        / 2
        * (1 - 0.62 * t + 0.75 * np.exp(-t / 0.07))
        * (1 + 0.08 * np.sin(31 * t) + 0.05 * np.sin(67 * t))
    )
    tangent = np.gradient(spine, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], -1) / np.hypot(*tangent.T)[:, None]
    left, right = spine - normal * half[:, None], spine + normal * half[:, None]
    part, mask = plate.around(np.concatenate([left, right[::-1]]))
    places = np.stack([part.x[mask], part.y[mask]], -1)
    nearest = ((places[:, None] - spine[None, ::4]) ** 2).sum(-1).argmin(1) * 4
    side = ((places - spine[nearest]) * normal[nearest]).sum(-1) / half[nearest]
    across, along = np.zeros_like(part.x), np.zeros_like(part.x)
    across[mask], along[mask] = side, t[nearest]
    dark = np.clip(0.38 + 0.48 * across + 0.16 * part.pressure, 0.05, 1)
    part.hatch(
        mask, dark, across * wide * 0.75 + 0.004 * np.sin(50 * along + 5 * across), along * wide * 5
    )
    plate.outline(left, 0.0042)
    plate.outline(right, 0.0055)


def draw_grass(plate: Plate) -> None:
    """Tufts in front: blades flicked upwards, thick at the root."""
    rng = plate.rng
    roots = scatter(ASPECT, 0.013, rng)
    roots = roots[(roots[:, 1] > 0.70) & (np.abs(roots[:, 0] - 0.52) > 0.9 * (roots[:, 1] - 0.64))]
    roots = np.repeat(roots, 4, 0) + rng.normal(0, 0.004, (4 * len(roots), 2))
    roots = roots[np.argsort(roots[:, 1])]
    lean = rng.normal(0, 0.4, len(roots))[:, None]
    t = np.linspace(0, 1, 7)[None, :]
    tall = rng.uniform(0.012, 0.04, (len(roots), 1))
    paths = np.stack([roots[:, :1] + tall * lean * t**1.8, roots[:, 1:] - tall * t], -1)
    pale = rng.random(len(roots)) < 0.42
    colours = np.where(pale[:, None], PAPER, INK)
    plate.canvas.stroke(paths, rng.uniform(0.0018, 0.0036, len(roots)), colours, PEN)
