"""A Byzantine peacock in tesserae: rows of small stones that follow the drawing, and gold."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.measure import find_contours

from styles.common import (
    Array,
    Mask,
    Points,
    Shape,
    coordinates,
    mix,
    noise,
    palette,
    sample,
    scatter,
    vary,
)
from styles.mosaic_cartoon import DRAWING, Drawing, cartoon

ASPECT = 1.0
GROUT = palette("2b221c")[0]


@dataclass(frozen=True)
class Stones:
    """Tesserae: centres, the direction of their sides, their size, colour, gold or not."""

    centre: Points
    angle: Points
    tile: Points
    colour: Array
    gold: Mask


def paint(shape: Shape, rng: np.random.Generator) -> Array:
    """Paint the picture on a canvas of that shape."""
    drawing = cartoon(rng)
    stones = set_stones(drawing, rng)
    return lay(stones, shape, rng)


def set_stones(drawing: Drawing, rng: np.random.Generator) -> Stones:
    """Set rows of stones parallel to the drawing's lines, then drop the crowded ones."""
    depth = distance_to_lines(drawing.region)
    smooth = ndimage.gaussian_filter(depth, 1.5)
    slope = np.arctan2(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))
    rows = depth / drawing.tile
    seeds = [
        walk(line[:, ::-1] / DRAWING, drawing.tile, rng)
        for level in np.arange(0.46, rows.max(), 1.0)
        for line in find_contours(rows, level)
    ]
    # Nooks too narrow for a whole row get single stones, the roomiest places first
    nooks = scatter(ASPECT, 0.0035, rng, margin=0)
    nooks = nooks[np.argsort(-sample(depth, nooks), kind="stable")]
    centre = thin(np.concatenate([*seeds, nooks]), drawing.tile)
    centre = centre + rng.normal(0, 0.05, centre.shape) * sample(drawing.tile, centre)[:, None]
    angle = sample(slope, centre) + rng.normal(0, 0.07, len(centre))
    gold = sample(drawing.gold, centre)
    colour = vary(sample(drawing.colour, centre), rng, 0.16, 0.035)
    odd = rng.random(len(centre)) < 0.06
    colour[odd] = vary(colour[odd], rng, 0.30, 0.10)
    tile = sample(drawing.tile, centre).astype(float)
    return Stones(centre, angle, tile, colour, gold)


def distance_to_lines(region: np.ndarray) -> Array:
    """How far each place is from the nearest line of the drawing, in units of the width."""
    line = np.zeros(region.shape, bool)
    line[:, 1:] |= region[:, 1:] != region[:, :-1]
    line[1:] |= region[1:] != region[:-1]
    line[[0, -1]] = line[:, [0, -1]] = True
    return (ndimage.distance_transform_edt(~line) / DRAWING).astype(np.float32)


def walk(line: Points, tile: Array, rng: np.random.Generator) -> Points:
    """Places for stones along one row, about a stone's length apart."""
    at = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    side = float(sample(tile, line[:1])[0])
    steps = np.cumsum(side * rng.uniform(0.85, 1.3, int(at[-1] / side) + 1))
    steps = steps[steps <= at[-1] + 0.3 * side] - rng.uniform(0, 0.5) * side
    return np.stack([np.interp(steps, at, line[:, 0]), np.interp(steps, at, line[:, 1])], -1)


def thin(seeds: Points, tile: Array) -> Points:
    """Drop any stone that crowds one set before it."""
    tree, reach = KDTree(seeds), 0.66 * sample(tile, seeds)
    kept = np.ones(len(seeds), bool)
    for number, seed in enumerate(seeds):
        if kept[number]:
            near = np.array(tree.query_ball_point(seed, reach[number]))
            kept[near[near > number]] = False
    return seeds[kept]


def lay(stones: Stones, shape: Shape, rng: np.random.Generator) -> Array:
    """Cut each stone to the gap its neighbours leave it, grout, and light the surface."""
    x, y = coordinates(shape)
    places = np.stack([x.ravel(), y.ravel()], -1)
    _, near = KDTree(stones.centre).query(places, k=5)
    reach = np.stack([reach_of(stones, places, near[:, k]) for k in range(5)])
    order = np.argsort(reach, 0)[:2]
    first, second = np.take_along_axis(reach, order, 0)
    stone = np.take_along_axis(near.T, order[:1], 0)[0]
    gap = np.minimum((second - first) / 2, 0.68 - first)
    inside = (gap.reshape(shape) + 0.02 * noise(shape, 160, rng)).astype(np.float32)
    tint = stone_light(stones, stone, places, inside.ravel(), rng).reshape(*shape, 3)
    grout = GROUT * (1 + 0.25 * noise(shape, 200, rng)[..., None])
    return mix(grout, tint, np.clip((inside - 0.060) / 0.035, 0, 1))


def reach_of(stones: Stones, places: Points, which: np.ndarray) -> Array:
    """Distance from a stone's centre, in its sides: square, with slightly rounded corners."""
    offset = places - stones.centre[which]
    cos, sin = np.cos(stones.angle[which]), np.sin(stones.angle[which])
    across = np.abs(offset[:, 0] * cos + offset[:, 1] * sin)
    along = np.abs(offset[:, 1] * cos - offset[:, 0] * sin) * 0.9
    return ((across**5 + along**5) ** 0.2 / stones.tile[which]).astype(np.float32)


def stone_light(
    stones: Stones, stone: np.ndarray, places: Points, inside: Array, rng: np.random.Generator
) -> Array:
    """Colour each stone: tilted a little, brighter at the edge to the light, gold glinting."""
    count = len(stones.centre)
    tilt = rng.normal(0, 1, (count, 2))
    offset = (places - stones.centre[stone]) / stones.tile[stone][:, None]
    toward = -(offset[:, 0] + offset[:, 1]) / 1.4
    edge = np.clip(1 - (inside - 0.06) / 0.12, 0, 1)
    slope = 0.10 * tilt[stone].sum(-1) * 0.5 + 0.55 * toward * edge + 0.12 * toward
    colour = stones.colour[stone] * (1 + slope[:, None])
    glint = np.clip(tilt[stone, 0] - 0.75 + 1.1 * toward, 0, 1.2) * np.where(
        stones.gold[stone], 0.75, 0.16
    )
    return (colour + glint[:, None] * palette("fff0b8")[0]).astype(np.float32)
