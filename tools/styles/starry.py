"""A night sky in oils: strokes swirl round stars and a moon, over hills, a village, a cypress."""

import numpy as np

from styles.common import (
    Array,
    Brush,
    Canvas,
    Flow,
    Points,
    Shape,
    coordinates,
    noise,
    palette,
    ramp,
    sample,
    scatter,
    smear,
    smoothstep,
    straight,
    trace,
    vary,
)
from styles.starry_land import ASPECT, paint_cypress, paint_hills, paint_village

SKY = palette("0a1440", "132a78", "1b4aa8", "2f74c4", "5d9fd0", "a8cfd6", "d9e0b8")
MOONLIGHT = palette("f2e9a0", "ece08e", "dfe09a", "bcd2a4", "8fbdb4", "5f9cc4", "2d64ae")
GLOW = palette("fff6c8", "ffe36a", "f7bd2b", "e3a43a", "b9c486", "6fa7bd", "2d64ae")
MOON = (0.865, 0.135)
# x, y, radius of the glow, sense of the swirl
STARS = (
    (0.335, 0.085, 0.050, 1),
    (0.460, 0.165, 0.038, -1),
    (0.560, 0.060, 0.046, 1),
    (0.690, 0.115, 0.036, 1),
    (0.300, 0.250, 0.034, -1),
    (0.705, 0.330, 0.050, -1),
    (0.935, 0.345, 0.042, 1),
    (0.085, 0.075, 0.046, -1),
    (0.060, 0.300, 0.044, 1),
    (0.380, 0.415, 0.062, 1),
)
# The two great interlocked whirls: x, y, reach, strength
WHIRLS = ((0.455, 0.275, 0.105, 3.2), (0.600, 0.335, 0.070, -3.0))


def paint(shape: Shape, rng: np.random.Generator) -> Array:
    """Paint the picture on a canvas of that shape."""
    flow = sky_flow()
    canvas = Canvas(shape, palette("14255c")[0], rng)
    paint_sky(canvas, flow, rng)
    paint_lights(canvas, rng)
    paint_hills(canvas, rng)
    paint_village(canvas, rng)
    paint_cypress(canvas, rng)
    return canvas.lit(strength=0.75, gloss=0.16)


def sky_flow() -> Flow:
    """A rolling wind from the left, wound up by the whirls, the stars and the moon."""
    eddies = [(x, y, reach, turn) for x, y, reach, turn in WHIRLS]
    eddies += [(x, y, radius * 1.15, 4.0 * sense) for x, y, radius, sense in STARS]
    eddies.append((*MOON, 0.125, -4.5))

    def flow(points: Points) -> Points:
        x, y = points[..., 0], points[..., 1]
        wind = 0.55 * np.sin(5.5 * x + 4.0 * np.sin(4.5 * y)) + 0.25 * np.sin(13 * x - 9 * y)
        vx, vy = np.cos(wind), np.sin(wind)
        for centre_x, centre_y, reach, turn in eddies:
            dx, dy = (x - centre_x) / reach, (y - centre_y) / reach
            push = turn * np.exp(-0.5 * (dx * dx + dy * dy) ** 1.2)
            length = np.hypot(dx, dy) + 0.15
            vx, vy = vx - push * dy / length, vy + push * dx / length
        return np.stack([vx, vy], -1) / (np.hypot(vx, vy)[..., None] + 1e-9)

    return flow


def sky_colours(shape: Shape, flow: Flow, rng: np.random.Generator) -> Array:
    """The sky's underpainting: bands that run with the wind, paler towards the hills."""
    x, y = coordinates(shape)
    bands = smear(noise(shape, 34, rng), flow, 0.09) * 2.4
    broad = smear(noise(shape, 9, rng), flow, 0.12) * 1.2
    ribbon = np.exp(-(((y - 0.47 - 0.03 * np.sin(7 * x)) / 0.045) ** 2))
    tone = 0.30 + 0.13 * bands + 0.10 * broad + 0.22 * (y / 0.55) ** 3 + 0.22 * ribbon
    for centre_x, centre_y, reach, _ in WHIRLS:
        distance = np.hypot(x - centre_x, y - centre_y) / reach
        tone += 0.26 * np.cos(8.5 * distance + 0.4) * np.exp(-0.5 * distance**2)
    return ramp(np.clip(tone, 0, 1), SKY)


def paint_sky(canvas: Canvas, flow: Flow, rng: np.random.Generator) -> None:
    """Broad strokes to cover the ground, then ever smaller ones that carry the movement."""
    low = canvas.height.shape[0] // 3, canvas.height.shape[1] // 3
    colours = sky_colours(low, flow, rng)
    layers = (
        (0.022, 0.020, 0.090, 0.10),
        (0.0125, 0.0115, 0.062, 0.13),
        (0.011, 0.0072, 0.045, 0.2),
    )
    for spacing, width, length, value in layers:
        starts = scatter(0.66, spacing, rng)
        lengths = length * rng.uniform(0.6, 1.3, len(starts))
        widths = width * rng.uniform(0.7, 1.25, len(starts))
        picked = vary(sample(colours, starts), rng, value, 0.022)
        accents = rng.random(len(starts)) < 0.022
        picked[accents] = vary(
            palette("c9b458", "8fd0c8", "e8e4c0")[rng.integers(0, 3, accents.sum())], rng, 0.1, 0.03
        )
        canvas.stroke(trace(flow, starts, lengths), widths, picked, Brush(0.13, 0.3))


def rings(
    centre: tuple[float, float], inner: float, outer: float, width: float, rng: np.random.Generator
) -> tuple[Points, Array]:
    """Short arcs on circles round a centre, outermost first, and how far out each lies."""
    arcs, reach = [], []
    for radius in np.arange(outer, inner, -0.62 * width):
        count = max(6, int(2 * np.pi * radius / 0.024))
        turns = 2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count
        sweep = np.linspace(-0.5, 0.5, 9) * min(0.036 / radius, 1.6)
        theta = (turns + rng.uniform(0, 6.3))[:, None] + sweep
        wobble = (radius + rng.normal(0, 0.18 * width, (count, 1)))[..., None]
        arcs.append(np.array(centre) + wobble * np.stack([np.cos(theta), np.sin(theta)], -1))
        reach.append(np.full(count, (radius - inner) / (outer - inner)))
    return np.concatenate(arcs), np.concatenate(reach).astype(np.float32)


def paint_lights(canvas: Canvas, rng: np.random.Generator) -> None:
    """Stars and moon: rings of thick yellow that cool to the sky's blue."""
    for x, y, radius, _ in STARS:
        paint_halo(canvas, (x, y), radius * 0.12, radius, 0.0075, GLOW, rng)
        paint_core(canvas, (x, y), radius * 0.26, rng)
    paint_moon(canvas, rng)


def paint_moon(canvas: Canvas, rng: np.random.Generator) -> None:
    """A crescent of orange laid round on a pale glow."""
    paint_halo(canvas, MOON, 0.0, 0.122, 0.0095, MOONLIGHT, rng)
    starts = scatter(ASPECT, 0.0052, rng)
    around = starts - np.array(MOON)
    hollow = np.hypot(around[:, 0] + 0.028, around[:, 1] + 0.006) < 0.046
    inside = (np.hypot(*around.T) < 0.058) & ~hollow
    starts, around = starts[inside], around[inside]
    angle = np.arctan2(around[:, 1], around[:, 0]) + np.pi / 2
    paths = straight(starts, angle, np.full(len(starts), 0.022))
    picked = palette("f28a0c", "f2a61d", "ffbe2e", "e8700f")[rng.integers(0, 4, len(starts))]
    widths = np.full(len(starts), 0.0085)
    canvas.stroke(paths, widths, vary(picked, rng, 0.05, 0.02), Brush(0.12, 0.3, 1.4))


def paint_halo(
    canvas: Canvas,
    centre: tuple[float, float],
    inner: float,
    outer: float,
    width: float,
    glow: Array,
    rng: np.random.Generator,
) -> None:
    """Rings of short arcs; beyond half way more and more of them are left out."""
    paths, reach = rings(centre, inner, outer, width, rng)
    kept = rng.random(len(paths)) > smoothstep(reach, 0.35, 1.10)
    paths, reach = paths[kept], reach[kept]
    tone = np.clip(reach * 0.92 + rng.normal(0, 0.07, len(reach)), 0, 1)
    colours = vary(ramp(tone, glow), rng, 0.07, 0.02)
    canvas.stroke(
        paths, width * rng.uniform(0.75, 1.2, len(paths)), colours, Brush(0.12, 0.35, 1.2)
    )


def paint_core(
    canvas: Canvas, centre: tuple[float, float], radius: float, rng: np.random.Generator
) -> None:
    """A star's heart: a few thick dabs, warm under white."""
    for spread, tint in ((1.0, "ffd23f"), (0.75, "ffe98a"), (0.45, "fffbe6")):
        angle = rng.uniform(0, 6.3, 7)
        starts = np.array(centre) + spread * 0.4 * radius * rng.standard_normal((7, 2))
        paths = straight(starts, angle, np.full(7, 1.3 * radius * spread))
        colours = vary(np.repeat(palette(tint), 7, 0), rng, 0.03, 0.01)
        canvas.stroke(paths, np.full(7, 0.75 * radius), colours, Brush(0.08, 0.3, 1.5))
