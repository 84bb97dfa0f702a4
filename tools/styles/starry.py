"""A night sky in oils: strokes swirl round stars and a moon, over hills, a village, a cypress."""

import numpy as np

from styles.common import (
    Array,
    Brush,
    Canvas,
    Flow,
    Picture,
    Points,
    Shape,
    canvas_shape,
    coordinates,
    finish,
    noise,
    palette,
    polygon_mask,
    ramp,
    sample,
    scatter,
    smear,
    smoothstep,
    trace,
    vary,
)

ASPECT = 0.8
SKY = palette("0a1440", "132a78", "1b4aa8", "2f74c4", "5d9fd0", "a8cfd6", "d9e0b8")
MOONLIGHT = palette("f2e9a0", "ece08e", "dfe09a", "bcd2a4", "8fbdb4", "5f9cc4", "2d64ae")
GLOW = palette("fff6c8", "ffe36a", "f7bd2b", "e3a43a", "b9c486", "6fa7bd", "2d64ae")
HILLS = palette("0b1b3c", "123a63", "1d5f86", "3f8d94", "79ac8b")
CYPRESS = palette("060b10", "10231c", "1f3d27", "3b5230", "6b5a2a")
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


def paint(size: int, rng: np.random.Generator) -> Picture:
    """Paint the picture, `size` pixels wide."""
    shape = canvas_shape(size, ASPECT)
    flow = sky_flow()
    canvas = Canvas(shape, palette("14255c")[0], rng)
    paint_sky(canvas, flow, rng)
    paint_lights(canvas, rng)
    paint_hills(canvas, rng)
    paint_village(canvas, rng)
    paint_cypress(canvas, rng)
    return finish(canvas.lit(strength=0.75, gloss=0.16), size)


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


def straight(starts: Points, angle: Points, lengths: Points) -> Points:
    """Straight strokes centred on points."""
    reach = np.linspace(-0.5, 0.5, 9)[None, :, None] * lengths[:, None, None]
    return starts[:, None] + reach * np.stack([np.cos(angle), np.sin(angle)], -1)[:, None]


# Ridges from far to near: base height, swell, frequency, phase, darkest and lightest tone
RIDGES = (
    (0.530, 0.030, 5.0, 0.4, 0.35, 0.85),
    (0.575, 0.028, 6.5, 2.2, 0.15, 0.70),
    (0.635, 0.020, 8.0, 4.1, 0.05, 0.62),
    (0.705, 0.018, 9.0, 0.9, 0.00, 0.75),
)


def ridge_line(
    x: Points | Array, base: float, swell: float, frequency: float, phase: float
) -> Points:
    """The height of a ridge above each x; higher towards the right, like a range of hills."""
    roll = np.sin(frequency * x + phase) + 0.4 * np.sin(2.3 * frequency * x + 2 * phase)
    return base + swell * roll - 0.05 * (x - 0.4)


def paint_hills(canvas: Canvas, rng: np.random.Generator) -> None:
    """Each ridge in strokes along its own line, dark under the crest, then a lighter crest."""
    for base, swell, frequency, phase, dark, light in RIDGES:
        starts = scatter(ASPECT, 0.0085, rng)
        depth = starts[:, 1] - ridge_line(starts[:, 0], base, swell, frequency, phase)
        kept = (depth > 0) & (depth < 0.13)
        starts, depth = starts[kept], depth[kept]
        order = np.argsort(-depth + rng.normal(0, 0.01, len(depth)))
        starts, depth = starts[order], depth[order]
        x = starts[:, :1] + np.linspace(-0.5, 0.5, 9) * rng.uniform(0.025, 0.06, (len(starts), 1))
        y = ridge_line(x, base, swell, frequency, phase) + depth[:, None] * (
            1 + 0.8 * (x - starts[:, :1])
        )
        band = 0.5 + 0.5 * np.sin(depth * 230 + 3 * np.sin(11 * starts[:, 0] + phase))
        tone = dark + (light - dark) * (0.55 * band + 0.45 * np.exp(-depth / 0.012))
        tone = np.clip(tone + rng.normal(0, 0.09, len(tone)), 0, 1)
        colours = vary(ramp(tone, HILLS), rng, 0.12, 0.02)
        canvas.stroke(
            np.stack([x, y], -1), rng.uniform(0.006, 0.0105, len(x)), colours, Brush(0.14)
        )


def paint_village(canvas: Canvas, rng: np.random.Generator) -> None:
    """Small houses under the hills, lit windows, and a church whose spire breaks the ridge."""
    spots = sorted(
        (float(rng.uniform(0.655, 0.745)), float(x) + rng.uniform(-0.015, 0.015))
        for x in np.linspace(0.34, 0.96, 17)
    )
    for y, x in spots:
        paint_bush(canvas, x + rng.uniform(-0.03, 0.03), y + 0.01, rng)
        paint_house(canvas, x, y, rng.uniform(0.030, 0.046), rng)
    paint_church(canvas, 0.615, 0.700, rng)
    for x in np.linspace(0.30, 1.0, 26):
        paint_bush(canvas, x + rng.uniform(-0.02, 0.02), rng.uniform(0.755, 0.80), rng)


def fill_with_strokes(
    canvas: Canvas,
    outline: list[tuple[float, float]],
    angle: float,
    tint: str,
    rng: np.random.Generator,
) -> None:
    """Cover a small polygon with short parallel strokes."""
    corners = np.array(outline)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    count = int((right - left) * (bottom - top) / 0.0035**2) + 8
    starts = rng.uniform((left, top), (right, bottom), (count, 2))
    starts = starts[sample(polygon_mask(canvas.height.shape, corners), starts)]
    paths = straight(starts, np.full(len(starts), angle), np.full(len(starts), 0.012))
    colours = vary(np.repeat(palette(tint), len(starts), 0), rng, 0.16, 0.03)
    canvas.stroke(paths, np.full(len(starts), 0.0055), colours, Brush(0.12))


def paint_house(canvas: Canvas, x: float, y: float, width: float, rng: np.random.Generator) -> None:
    """Two walls, a roof, one or two lit windows and a dark outline."""
    wall, roof = (
        rng.choice(["3d6f8e", "2f5c86", "6f8f86", "27507c"]),
        rng.choice(["1d2f52", "5a4632", "7b3f2c", "274a6e"]),
    )
    tall = width * 0.62
    fill_with_strokes(
        canvas, [(x, y), (x + width, y), (x + width, y + tall), (x, y + tall)], 1.5, wall, rng
    )
    peak = [
        (x - 0.004, y),
        (x + 0.3 * width, y - 0.5 * width),
        (x + 0.85 * width, y - 0.5 * width),
        (x + width + 0.004, y),
    ]
    fill_with_strokes(canvas, peak, 0.9, roof, rng)
    outline_with_strokes(canvas, [*peak, peak[0]], rng)
    for offset in rng.choice([0.22, 0.5, 0.78], rng.integers(1, 3), replace=False):
        spot = np.array([[x + offset * width, y + 0.5 * tall]])
        paths = straight(spot, np.array([np.pi / 2]), np.array([0.011]))
        canvas.stroke(paths, np.array([0.0075]), palette("ffd84a"), Brush(0.06, 0.1, 1.6))


def paint_church(canvas: Canvas, x: float, y: float, rng: np.random.Generator) -> None:
    """Nave, tower and a needle of a spire."""
    fill_with_strokes(
        canvas, [(x, y), (x + 0.07, y), (x + 0.07, y + 0.045), (x, y + 0.045)], 1.5, "44739a", rng
    )
    nave = [(x - 0.004, y), (x + 0.035, y - 0.032), (x + 0.074, y)]
    fill_with_strokes(canvas, nave, 1.0, "223a63", rng)
    tower = [(x - 0.022, y - 0.045), (x, y - 0.045), (x, y + 0.045), (x - 0.022, y + 0.045)]
    fill_with_strokes(canvas, tower, 1.57, "5487a3", rng)
    spire = [(x - 0.025, y - 0.043), (x - 0.011, y - 0.17), (x + 0.003, y - 0.043)]
    fill_with_strokes(canvas, spire, 1.5, "2c4a78", rng)
    for shape in (nave, spire, tower):
        outline_with_strokes(canvas, [*shape, shape[0]], rng)
    windows = np.array([[x - 0.011, y - 0.015], [x + 0.022, y + 0.022], [x + 0.048, y + 0.022]])
    paths = straight(windows, np.full(3, np.pi / 2), np.full(3, 0.016))
    canvas.stroke(
        paths, np.full(3, 0.0075), np.repeat(palette("ffcf3a"), 3, 0), Brush(0.06, 0.1, 1.6)
    )


def outline_with_strokes(
    canvas: Canvas, corners: list[tuple[float, float]], rng: np.random.Generator
) -> None:
    """Dark contour strokes along a polygon's sides, as a painter reinforces a drawing."""
    points = np.array(corners)
    steps = np.linspace(-0.04, 1.04, 9)[None, :, None]
    paths = points[:-1, None] * (1 - steps) + points[1:, None] * steps
    paths = paths + rng.normal(0, 0.0008, (len(paths), 1, 2))
    colours = np.repeat(palette("0a1230"), len(paths), 0)
    canvas.stroke(paths, np.full(len(paths), 0.0036), colours, Brush(0.1, 0.3, 0.8, 0.7))


def paint_bush(canvas: Canvas, x: float, y: float, rng: np.random.Generator) -> None:
    """A round shrub of curled dabs, dark at the foot."""
    count = 46
    around = rng.normal(0, 1, (count, 2)) * (0.017, 0.011)
    order = np.argsort(-around[:, 1])[::-1]
    starts = np.array([x, y]) + around[order]
    angle = np.arctan2(around[order, 1], around[order, 0]) + np.pi / 2
    tone = np.clip(0.42 - around[order, 1] / 0.05 + rng.normal(0, 0.13, count), 0, 1)
    greens = palette("071321", "0f2c33", "1e4d45", "3d7457", "86a05a")
    colours = vary(ramp(tone.astype(np.float32), greens), rng, 0.1, 0.02)
    canvas.stroke(
        straight(starts, angle, np.full(count, 0.018)), np.full(count, 0.007), colours, Brush(0.14)
    )


def cypress_outline(x: float, foot: float, top: float, girth: float) -> Points:
    """A flame: wide near the foot, licking to a point, leaning as it rises."""
    t = np.linspace(0, 1, 120)
    half = girth * (1 - t) ** 0.75 * (0.55 + 0.45 * np.sin(np.pi * np.clip(1.35 * t + 0.1, 0, 1)))
    half *= 1 + 0.16 * np.sin(26 * t) + 0.10 * np.sin(51 * t + 1)
    centre = x + 0.014 * np.sin(5 * t) + 0.018 * t
    y = foot + (top - foot) * t
    left = np.stack([centre - half, y], -1)
    right = np.stack([centre + half * 0.92, y], -1)
    return np.concatenate([left, right[::-1]])


def paint_cypress(canvas: Canvas, rng: np.random.Generator) -> None:
    """Two dark flames before everything, in long rising strokes that wave like the sky."""
    for x, foot, top, girth in ((0.235, 0.83, 0.40, 0.048), (0.135, 0.84, 0.045, 0.082)):
        mask = polygon_mask(canvas.height.shape, cypress_outline(x, foot, top, girth))
        starts = scatter(ASPECT, 0.0062, rng)
        starts = starts[sample(mask, starts)]
        starts = starts[np.argsort(-starts[:, 1] + rng.normal(0, 0.05, len(starts)))]
        lean = np.clip((starts[:, 0] - x - 0.015) / girth, -1.2, 1.2)

        def rise(points: Points, x: float = x, girth: float = girth) -> Points:
            side = (points[..., 0] - x - 0.012) / girth
            theta = -np.pi / 2 - 0.45 * side + 0.5 * np.sin(34 * points[..., 1] + 6 * side)
            return np.stack([np.cos(theta), np.sin(theta)], -1)

        paths = trace(rise, starts, rng.uniform(0.03, 0.065, len(starts)))
        streak = np.sin(4.5 * lean + 30 * starts[:, 1] * 0.4 + rng.normal(0, 0.7, len(starts)))
        tone = np.clip(0.34 + 0.26 * streak + rng.normal(0, 0.12, len(starts)), 0, 1)
        colours = vary(ramp(tone.astype(np.float32), CYPRESS), rng, 0.12, 0.015)
        canvas.stroke(
            paths, rng.uniform(0.0055, 0.0095, len(paths)), colours, Brush(0.2, 0.4, 1.1, 0.6)
        )
