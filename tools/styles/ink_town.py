"""The hill town of the etching: houses, a church and a keep."""

import numpy as np

from styles.common import (
    curve,
    noise,
    polygon_mask,
)
from styles.ink_plants import bush
from styles.ink_plate import Plate


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
