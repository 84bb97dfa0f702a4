"""An etching on warm paper: a hill town by a river, every form hatched along its own shape."""

from dataclasses import dataclass, replace

import numpy as np

from styles.common import (
    Array,
    Brush,
    Canvas,
    Mask,
    Picture,
    Points,
    canvas_shape,
    coordinates,
    curve,
    finish,
    mix,
    noise,
    palette,
    paper_grain,
    polygon_mask,
    scatter,
    smoothstep,
    window,
)

ASPECT = 0.8
PAPER, INK = palette("efe3c8", "1c1410")
PEN = Brush(streaks=0.0, ragged=0.2, body=0.0, taper=0.9)
SUN = (0.405, 0.150)
SPACING = 0.0056
# Darkness at which each layer of lines begins, its turn against the first, and its spacing
LAYERS = ((0.04, 0.0, 1.0), (0.34, 1.05, 1.05), (0.56, -0.75, 1.0), (0.76, 1.57, 0.8))


@dataclass(frozen=True)
class Plate:
    """The copper: the drawing so far, and fields that shake the hand."""

    canvas: Canvas
    paper: Array
    x: Array
    y: Array
    tremor: Array
    pressure: Array
    leaves: Array
    rng: np.random.Generator

    def hatch(self, mask: Mask, dark: Array, u: Array, v: Array) -> None:
        """Shade a form with lines of constant `u`, crossed by turned ones where it is darker.

        `u` and `v` are lengths measured across and along the form, so that the lines bend as
        its surface does; `dark` runs from 0 (bare paper) to 1 (solid ink).
        """
        if not mask.any():
            return
        cover = np.zeros(mask.shape, np.float32)
        for begin, turn, spacing in LAYERS:
            across = np.cos(turn) * u + np.sin(turn) * v
            phase = (across + 0.0011 * self.tremor) / (SPACING * spacing)
            slope = np.hypot(*np.gradient(phase)) + 1e-6
            weight = np.clip((dark - begin) / 0.62, 0, 1) ** 0.8 * (1 + 0.22 * self.pressure)
            inside = 0.5 * weight * 0.78 - np.abs(phase % 1 - 0.5)
            line = smoothstep(inside / slope, -0.6, 0.6) * (weight > 0.03)
            cover = np.maximum(cover, line * smoothstep(slope, 0.9, 0.6))
        self.paper[mask] = mix(PAPER, INK, cover)[mask]

    def around(self, outline: Points) -> tuple["Plate", Mask]:
        """The part of the plate about a shape, and the shape in it: small forms stay cheap."""
        mask = polygon_mask(self.canvas.height.shape, outline)
        box = window(mask, 3)
        fields = ("paper", "x", "y", "tremor", "pressure", "leaves")
        return replace(self, **{name: getattr(self, name)[box] for name in fields}), mask[box]

    def solid(self, corners: list[tuple[float, float]]) -> None:
        """Fill a small shape with ink."""
        self.canvas.colour[polygon_mask(self.canvas.height.shape, np.array(corners))] = INK

    def outline(self, line: Points, width: float) -> None:
        """Draw a contour in separate strokes that overlap, thin and swell."""
        pieces = max(1, len(line) // 26)
        for part in np.array_split(np.arange(len(line)), pieces):
            path = line[np.clip(np.arange(part[0] - 2, part[-1] + 4), 0, len(line) - 1)]
            path = path + self.rng.normal(0, 0.0005, (1, 2))
            scale = self.rng.uniform(0.6, 1.35)
            self.canvas.stroke(path[None], np.array([width * scale]), INK[None], PEN)


def paint(size: int, rng: np.random.Generator) -> Picture:
    """Paint the picture, `size` pixels wide."""
    shape = canvas_shape(size, ASPECT)
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
    return finish(on_paper(plate.canvas.colour, rng), size)


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


def draw_town(plate: Plate) -> None:
    """A hill that climbs from the water, covered with houses, a church and a keep on top."""
    x, y, rng = plate.x, plate.y, plate.rng
    crest = curve(
        [
            (0.42, 0.575),
            (0.50, 0.545),
            (0.58, 0.47),
            (0.68, 0.385),
            (0.79, 0.345),
            (0.90, 0.37),
            (1.03, 0.42),
        ],
        160,
    )
    hill = np.concatenate([crest, [(1.05, 0.60), (0.42, 0.60)]])
    line = np.interp(x[0], crest[:, 0], crest[:, 1])[None, :]
    depth = y - line
    shade = 0.36 + 0.16 * noise(x.shape, 14, rng, 2) + 0.35 * (x - 0.72)
    plate.hatch(
        polygon_mask(x.shape, hill),
        np.clip(shade, 0.05, 0.9),
        depth * 0.9 + 0.28 * x,
        x - 0.4 * depth,
    )
    plate.outline(crest, 0.0035)
    spots = [
        (float(px), float(np.interp(px, crest[:, 0], crest[:, 1]) + drop))
        for drop in (0.004, 0.045, 0.09, 0.135, 0.175)
        for px in np.arange(0.47 + rng.uniform(0, 0.03), 0.99, 0.047)
    ]
    tower(plate, 0.775, 0.36, 0.040, 0.125, pointed=False)
    tower(plate, 0.832, 0.365, 0.030, 0.085, pointed=False)
    for px, py in sorted(spots, key=lambda s: s[1]):
        if py < 0.585:
            house(plate, px + rng.normal(0, 0.007), py, rng.uniform(0.026, 0.040))
        if rng.random() < 0.5:
            bush(plate, px + 0.025, py + 0.018, rng.uniform(0.010, 0.017), 0.55)
    tower(plate, 0.640, 0.475, 0.026, 0.105, pointed=True)
    for px in np.arange(0.45, 1.02, 0.022).tolist():
        bush(plate, px, 0.588 + rng.uniform(-0.006, 0.008), rng.uniform(0.012, 0.02), 0.68)


def facet(plate: Plate, corners: list[tuple[float, float]], dark: float, turn: float) -> None:
    """A flat side of a building: straight hatching at one angle, and its edges."""
    outline = np.array(corners)
    part, mask = plate.around(outline)
    u = part.x * np.cos(turn) + part.y * np.sin(turn)
    v = part.y * np.cos(turn) - part.x * np.sin(turn)
    part.hatch(mask, np.full_like(u, dark), u, v)
    for start, end in zip(outline, np.roll(outline, -1, 0), strict=True):
        plate.outline(start + (end - start) * np.linspace(-0.03, 1.03, 12)[:, None], 0.0022)


def house(plate: Plate, x: float, y: float, wide: float) -> None:
    """A gable end in light, a long side in shade, a dark roof, and a few black windows."""
    tall, deep, rise = 0.75 * wide, 1.15 * wide, 0.55 * wide
    side = x + wide + deep
    facet(plate, [(x + wide, y), (side, y), (side, y + tall), (x + wide, y + tall)], 0.50, 0.1)
    facet(
        plate,
        [(x, y), (x + wide / 2, y - rise), (x + wide, y), (x + wide, y + tall), (x, y + tall)],
        0.07,
        0.0,
    )
    facet(
        plate,
        [(x + wide / 2, y - rise), (side - wide / 2, y - rise), (side, y), (x + wide, y)],
        plate.rng.uniform(0.5, 0.85),
        0.9,
    )
    for px, py in (
        (x + 0.36 * wide, y + 0.12 * tall),
        (x + wide + 0.3 * deep, y + 0.3 * tall),
        (x + wide + 0.65 * deep, y + 0.3 * tall),
    ):
        right, foot = px + 0.2 * wide, py + 0.35 * tall
        plate.solid([(px, py), (right, py), (right, foot), (px, foot)])


def tower(plate: Plate, x: float, y: float, wide: float, tall: float, pointed: bool) -> None:
    """A tower, round by its shading, under a spire or behind battlements."""
    top = y - tall
    walls = np.array([(x, top), (x + wide, top), (x + wide, y + 0.03), (x, y + 0.03)])
    part, mask = plate.around(walls)
    turn = np.clip((part.x - x) / wide, 0, 1)
    part.hatch(mask, 0.06 + 0.8 * turn**1.5, part.y + 0.01 * turn * (1 - turn), part.x)
    for edge in (walls[[0, 3]], walls[[1, 2]], walls[[0, 1]]):
        plate.outline(edge[0] + (edge[1] - edge[0]) * np.linspace(0, 1, 24)[:, None], 0.0028)
    if pointed:
        facet(
            plate,
            [(x - 0.004, top), (x + wide / 2, top - 1.1 * tall), (x + wide + 0.004, top)],
            0.72,
            1.35,
        )
    else:
        for step in range(4):
            left = x - 0.003 + step * (wide + 0.006) / 3.6
            right = left + (wide + 0.006) / 6
            facet(
                plate,
                [
                    (left, top - 0.012),
                    (right, top - 0.012),
                    (right, top + 0.004),
                    (left, top + 0.004),
                ],
                0.2 + 0.2 * step,
                1.57,
            )
    for drop in (0.3, 0.62):
        left, right = x + 0.45 * wide, x + 0.58 * wide
        high, low = top + drop * tall, top + (drop + 0.13) * tall
        plate.solid([(left, high), (right, high), (right, low), (left, low)])


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
