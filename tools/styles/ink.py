"""An etching on warm paper: a hill town by a river, every form hatched along its own shape."""

import numpy as np

from styles.common import (
    Array,
    Canvas,
    Shape,
    coordinates,
    noise,
    paper_grain,
    smoothstep,
)
from styles.ink_plants import draw_grass, draw_tree
from styles.ink_plate import ASPECT, PAPER, SPACING, Plate
from styles.ink_town import draw_town

SUN = (0.405, 0.150)


def paint(shape: Shape, rng: np.random.Generator) -> Array:
    """Paint the picture on a canvas of that shape."""
    x, y = coordinates(shape)
    canvas = Canvas(shape, PAPER, rng)
    plate = Plate(
        canvas,
        canvas.colour,
        x,
        y,
        noise(shape, 22, rng, 2),
        noise(shape, 40, rng, 2),
        noise(shape, 105, rng),
        rng,
    )
    draw_sky(plate)
    draw_mountains(plate)
    draw_water(plate)
    draw_town(plate)
    draw_bank(plate)
    draw_tree(plate)
    draw_grass(plate)
    return on_paper(plate.canvas.colour, rng)


def on_paper(image: Array, rng: np.random.Generator) -> Array:
    """Plate tone towards the edges, and the paper's grain through everything."""
    shape = image.shape[:2]
    x, y = coordinates(shape)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, ASPECT - y))
    tone = 0.90 + 0.10 * smoothstep(edge, 0.0, 0.10) + 0.018 * noise(shape, 4, rng, 3)
    return image * (tone + 0.022 * paper_grain(shape, rng))[..., None]


def draw_sky(plate: Plate) -> None:
    """Rays from the sun, ruled as an engraver does, and clouds that turn their lines round."""
    x, y = plate.x, plate.y
    dx, dy = x - SUN[0], y - SUN[1]
    radius, turn = np.hypot(dx, dy), np.arctan2(dy, dx)
    rays = SPACING / (2 * np.pi) * np.select([radius < 0.22, radius < 0.44], [110, 220], 440)
    dark = 0.08 + 0.36 * smoothstep(radius, 0.06, 0.75) + 0.06 * plate.pressure
    plate.hatch(radius > 0.060, dark, turn * rays, radius)
    plate.hatch(radius <= 0.052, np.zeros_like(x), x, y)
    circle = np.linspace(0, 2 * np.pi, 90)
    plate.outline(
        np.stack([SUN[0] + 0.052 * np.cos(circle), SUN[1] + 0.052 * np.sin(circle)], -1), 0.003
    )
    for cx, cy, scale in (
        (0.70, 0.10, 1.0),
        (0.56, 0.245, 0.62),
        (0.10, 0.30, 0.75),
        (0.86, 0.235, 0.75),
        (0.09, 0.07, 0.7),
    ):
        draw_cloud(plate, cx, cy, scale)


def draw_cloud(plate: Plate, cx: float, cy: float, scale: float) -> None:
    """A heap of billows, each with its lit rim and lines round its shaded side."""
    rng = plate.rng
    puffs = [
        (
            cx + scale * rng.normal(0, 0.075),
            cy - abs(scale * rng.normal(0, 0.022)),
            scale * rng.uniform(0.026, 0.05),
        )
        for _ in range(11)
    ]
    for px, py, radius in sorted(puffs, key=lambda p: p[1]):
        circle = np.linspace(0, 2 * np.pi, 80)
        bump = radius * (1 + 0.07 * np.sin(6 * circle + px * 90) + 0.04 * np.sin(11 * circle))
        outline = np.stack(
            [px + 1.15 * bump * np.cos(circle), py + 0.85 * bump * np.sin(circle)], -1
        )
        part, mask = plate.around(outline)
        dx, dy = (part.x - px) / radius, (part.y - py) / radius
        dark = np.clip(0.42 * (0.45 * dx + 0.8 * dy) + 0.02, 0, 0.75)
        part.hatch(mask, dark, np.hypot(dx + 0.6, dy + 1.0) * radius, np.arctan2(dy, dx) * radius)
        plate.outline(outline[38:82], 0.0024)


def draw_mountains(plate: Plate) -> None:
    """Two ranges: hatching falls down their flanks, dense on the side away from the sun."""
    x, y = plate.x, plate.y
    for base, height, cells, dark in ((0.40, 0.115, 5, 0.28), (0.45, 0.075, 8, 0.46)):
        lattice = noise(plate.x.shape, (0.4, cells), plate.rng, 4)[0]
        line = base - height * (0.55 + 0.45 * lattice / np.abs(lattice).max())
        mask = y > line[None, :]
        fall = np.gradient(np.convolve(np.pad(line, 20, "edge"), np.ones(41) / 41, "valid"))
        side = np.tanh(-fall * 3.0)[None, :] + 0.55 * noise(plate.x.shape, (9, 26), plate.rng, 2)
        shade = np.clip(dark + 0.40 * np.tanh(1.4 * side) - 1.6 * (y - line[None, :]), 0.0, 0.85)
        lean = np.where(side > 0, 1.0, -1.0) * 0.55
        plate.hatch(mask, shade, x * 0.85 + lean * y, y - lean * x)
        columns = np.linspace(0, len(line) - 1, 260).astype(int)
        plate.outline(np.stack([x[0, columns], line[columns]], -1), 0.0030)


def draw_water(plate: Plate) -> None:
    """Level lines, closer under the far shore, broken where the sun lies on the river."""
    x, y = plate.x, plate.y
    mask = y > 0.475
    path = np.exp(-(((x - SUN[0] - 0.05) / (0.035 + 0.25 * (y - 0.475))) ** 2))
    ripple = noise(x.shape, (70, 9), plate.rng)
    dark = 0.40 + 0.14 * ripple - 0.50 * path - 0.5 * (y - 0.5) + 0.35 * np.exp(-(y - 0.475) / 0.03)
    reflection = smoothstep(x, 0.45, 0.62) * smoothstep(y, 0.72, 0.56)
    dark = np.clip(dark + 0.34 * reflection + 0.1 * ripple * reflection, 0.085, 0.95)
    plate.hatch(mask, dark, y * 0.92 + 0.0016 * np.sin(60 * x + 9 * ripple), x)


def draw_bank(plate: Plate) -> None:
    """The near bank, dark in front, with a lit path that winds down to the water."""
    x, y = plate.x, plate.y
    line = (
        0.655
        + 0.035 * np.sin(5 * x + 0.5)
        - 0.05 * smoothstep(x, 0.35, 0.0)
        + 0.006 * np.sin(31 * x)
    )
    depth = y - line
    swell = noise(x.shape, (9, 5), plate.rng, 2)
    dark = 0.30 + 3.2 * depth + 0.15 * swell + 0.25 * smoothstep(x, 0.55, 0.1)
    path = np.abs(x - 0.50 - 0.11 * np.sin(14 * depth + 0.4)) / (
        0.012 + 0.62 * np.clip(depth, 0, 1)
    )
    dark = np.where(path < 1, 0.10 + 0.25 * path**4, dark)
    plate.hatch(depth > 0, np.clip(dark, 0.02, 1), depth * 0.9 + 0.012 * swell, x + 0.5 * depth)
    columns = np.linspace(0, x.shape[1] - 1, 300).astype(int)
    plate.outline(np.stack([x[0, columns], line[0, columns]], -1), 0.0036)
