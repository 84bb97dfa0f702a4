"""What lies under the night sky: hills, a village with its church, and a cypress."""

import numpy as np

from styles.common import (
    Array,
    Brush,
    Canvas,
    Points,
    palette,
    polygon_mask,
    ramp,
    sample,
    scatter,
    straight,
    trace,
    vary,
)

ASPECT = 0.8
HILLS = palette("0b1b3c", "123a63", "1d5f86", "3f8d94", "79ac8b")
CYPRESS = palette("060b10", "10231c", "1f3d27", "3b5230", "6b5a2a")
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
