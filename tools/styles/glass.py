"""A stained-glass window: sun, hills, river and tulips cut into panes and leaded."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from styles.common import (
    Array,
    Mask,
    Points,
    Shape,
    coordinates,
    curve,
    mix,
    noise,
    palette,
    polygon_mask,
    smoothstep,
    vary,
)

ASPECT = 1.0
SUN = np.array([0.60, 0.34])
SKY = ("123a9c", "1c5fc4", "2a8fd6", "5bb8e0", "3b2f9a", "6a3fae")
DAWN = ("f7b733", "f58a1f", "ffd85e", "f2603a", "e93f5c", "c93a86")
HILL_TINTS = (
    ("6a2f8f", "8a4fb5", "4a2f86"), ("0f6f8f", "158fa0", "0b557a"),
    ("1f8f5a", "35a94a", "0f6b4a"), ("7fbf2f", "a9d23a", "4f9f2f"),
)  # fmt: skip


@dataclass
class Window:
    """The cartoon of a window: which region each pixel is in, and each region's glass.

    Attributes:
        region: the number of the region at each pixel.
        glass: the colours its panes are cut from, for each region.
        pane: the size of its panes, for each region.
    """

    region: np.ndarray
    glass: list[tuple[str, ...]]
    pane: list[float]

    def add(self, mask: Mask, glass: tuple[str, ...], pane: float) -> None:
        """Draw a region over what is there."""
        self.region[mask] = len(self.glass)
        self.glass.append(glass)
        self.pane.append(pane)


def paint(shape: Shape, rng: np.random.Generator) -> Array:
    """Paint the picture on a canvas of that shape."""
    window = Window(np.zeros(shape, np.int32), [], [])
    draw_sky(window)
    draw_hills(window)
    draw_tulips(window)
    draw_frame(window)
    panes, colours = cut(window, rng)
    return lead(glaze(panes, colours, rng), panes, window.region, rng)


def draw_sky(window: Window) -> None:
    """Rays round the sun: warm near it, blue far off, every other one a shade apart."""
    x, y = coordinates(window.region.shape)
    dx, dy = x - SUN[0], y - SUN[1]
    radius = np.hypot(dx, dy)
    turn = np.arctan2(dy, dx) + 0.10 * np.sin(9 * radius) + 0.9 * radius
    ray = np.floor((turn + np.pi) / (2 * np.pi) * 22).astype(int)
    for outer, pane in ((2.0, 0.066), (0.40, 0.06), (0.265, 0.05)):
        ragged = outer + 0.035 * np.sin(3.1 * ray)
        for number in range(ray.min(), ray.max() + 1):
            kinds = {
                2.0: SKY[number % 2 :: 2],
                0.40: (*SKY[3:5], *DAWN[4:]),
                0.265: DAWN[number % 2 : 5],
            }
            window.add((ray == number) & (radius < ragged), kinds[outer], pane)
    for outer, glass in (
        (0.160, ("f58a1f", "f2603a")),
        (0.125, ("ffd85e", "f7b733")),
        (0.080, ("fff3b0", "ffe680")),
    ):
        window.add(radius < outer, glass, 0.06)


def draw_hills(window: Window) -> None:
    """Hills in sweeping bands, and a river that runs out of them towards us."""
    x, y = coordinates(window.region.shape)
    for number, glass in enumerate(HILL_TINTS):
        base = 0.50 + 0.095 * number
        line = base + 0.045 * np.sin(4.2 * x + 1.9 * number) + 0.018 * np.sin(11 * x + number)
        for band in range(2):
            window.add(y > line + 0.050 * band, (*glass[band:], *glass[:band]), 0.06)
    for side, glass in (
        (0.0, ("1c5fc4", "5bb8e0", "9fe0ea")),
        (0.45, ("123a9c", "2a8fd6", "c8f0f0")),
    ):
        spine = 0.52 + 0.10 * np.sin(9.5 * (y - 0.5)) * (1.1 - y)
        half = 0.012 + 0.26 * np.clip(y - 0.60, 0, 1) ** 1.2
        window.add((y > 0.60) & (np.abs(x - spine) < half * (1 - side)), glass, 0.06)


def draw_tulips(window: Window) -> None:
    """Three tulips and their leaves, before everything."""
    shape = window.region.shape
    greens = ("0f6b4a", "2fa04a", "86c63a")
    for x, y, tilt, scale, reds in (
        (0.22, 0.50, -0.10, 1.15, ("d3122f", "f0343f", "a30d3a")),
        (0.365, 0.665, 0.10, 0.85, ("f0343f", "f2603a", "c2185b")),
        (0.80, 0.58, 0.14, 1.05, ("c2185b", "e0409a", "8a1a6a")),
        (0.665, 0.745, -0.06, 0.72, ("f2603a", "f7a233", "d3122f")),
    ):
        stem = curve([(x, y), (x - 0.3 * tilt, 0.5 * (y + 1)), (x - 0.15 * tilt, 1.02)], 60)
        wide = np.array([[0.011 * scale, 0]])
        window.add(
            polygon_mask(shape, np.concatenate([stem - wide, (stem + wide)[::-1]])), greens, 0.09
        )
        for side in (-1, 1):
            reach = side * scale
            knots = [
                (x - 0.15 * tilt, 1.02),
                (x + 0.085 * reach, 0.90),
                (x + 0.105 * reach, y + 0.17 * scale),
                (x + 0.035 * reach, y + 0.30 * scale),
            ]
            leaf = curve(knots, 60, True)
            window.add(polygon_mask(shape, leaf), greens[1:] if side > 0 else greens[:2], 0.085)
        draw_petals(window, np.array([x, y]), tilt, scale, reds)


def draw_petals(
    window: Window, foot: Points, tilt: float, scale: float, reds: tuple[str, ...]
) -> None:
    """A cup of petals: the back ones first, the middle one over them."""
    cos, sin = np.cos(tilt), np.sin(tilt)
    turn = np.array([[cos, -sin], [sin, cos]])
    shapes = (
        [(0, 0), (-0.075, -0.06), (-0.055, -0.165), (-0.015, -0.10)],
        [(0, 0), (0.075, -0.06), (0.055, -0.165), (0.015, -0.10)],
        [(0, 0.01), (-0.045, -0.06), (0, -0.175), (0.045, -0.06)],
    )
    for number, shape in enumerate(shapes):
        outline = foot + scale * curve([(float(a), float(b)) for a, b in shape], 60, True) @ turn.T
        glass = reds[number:] + reds[:number]
        window.add(polygon_mask(window.region.shape, outline), glass[:2], 0.07)


def draw_frame(window: Window) -> None:
    """A border of small oblong panes between two strips, with square corner stones."""
    x, y = coordinates(window.region.shape)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    window.add(edge < 0.074, ("f2d98a", "f7ecc8", "e8c25a"), 0.045)
    along = np.where(np.minimum(x, 1 - x) < np.minimum(y, 1 - y), y, x)
    for number in range(18):
        here = (edge < 0.054) & ((along * 18).astype(int) == number)
        glass = (("a30d3a", "d3122f"), ("123a9c", "1c5fc4"), ("0f6b4a", "1f8f5a"))[number % 3]
        window.add(here, glass, 0.2)
    corner = (np.minimum(x, 1 - x) < 0.074) & (np.minimum(y, 1 - y) < 0.074)
    window.add(corner, ("f7b733", "ffd85e"), 0.2)


def cut(window: Window, rng: np.random.Generator) -> tuple[np.ndarray, Array]:
    """Cut every region into panes: a number at each pixel, and each pane's colour."""
    panes = np.zeros(window.region.shape, np.int32)
    colours: list[Array] = []
    count = 0
    width = window.region.shape[1]
    boxes = ndimage.find_objects(window.region + 1, max_label=len(window.glass))
    for number, (box, glass, pane) in enumerate(zip(boxes, window.glass, window.pane, strict=True)):
        if box is None:
            continue
        rows, columns = np.nonzero(window.region[box] == number)
        pieces = max(1, round(len(rows) / (pane * width) ** 2))
        places = np.stack([columns + box[1].start, rows + box[0].start], -1)
        seeds = places[rng.integers(0, len(places), pieces)] + rng.normal(0, 1, (pieces, 2))
        stretch = np.array([1.0, rng.uniform(0.65, 1.5)])
        _, nearest = KDTree(seeds * stretch).query(places * stretch)
        panes[places[:, 1], places[:, 0]] = count + nearest
        tints = palette(*glass)[rng.integers(0, len(glass), pieces)]
        colours.append(vary(tints, rng, 0.13, 0.03))
        count += pieces
    return panes, np.concatenate(colours)


def borders(labels: np.ndarray) -> Mask:
    """Pixels whose right or lower neighbour has another label."""
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    edge[:-1] |= labels[1:] != labels[:-1]
    return edge


def glaze(panes: np.ndarray, colours: Array, rng: np.random.Generator) -> Array:
    """Hand-made glass: each pane shaded across, streaked one way, seeded with bubbles."""
    shape = panes.shape
    x, y = coordinates(shape)
    count = len(colours)
    turn = rng.uniform(0, 2 * np.pi, count)[panes]
    across = (
        ndimage.mean(x, panes, np.arange(count))[panes],
        ndimage.mean(y, panes, np.arange(count))[panes],
    )
    slant = ((x - across[0]) * np.cos(turn) + (y - across[1]) * np.sin(turn)) / 0.04
    kinds = [streaks(shape, rng) for _ in range(4)]
    streak = np.choose(rng.integers(0, 4, count)[panes], kinds)
    depth = ndimage.distance_transform_edt(~borders(panes)) / shape[1]
    light = 0.80 + 0.42 * smoothstep(depth, 0.0, 0.022) + 0.15 * np.tanh(slant) + 0.17 * streak
    light += 0.09 * noise(shape, 45, rng, 2)
    image = colours[panes] * light[..., None].astype(np.float32)
    image += 0.16 * np.clip(light - 1.05, 0, 1)[..., None].astype(np.float32)
    return image + bubbles(shape, rng)[..., None]


def streaks(shape: Shape, rng: np.random.Generator) -> Array:
    """Reams in the glass: noise drawn out in a random direction, then bent a little."""
    x, y = coordinates(shape)
    turn = rng.uniform(0, np.pi)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    across = across + 0.012 * noise(shape, 6, rng)
    tall = noise((256, 1024), (10, 90), rng, 2)
    rows = (np.abs(along) * 180).astype(int) % 256
    return ndimage.map_coordinates(tall, [rows, (across + 1) * 1100], order=1, mode="wrap")


def bubbles(shape: Shape, rng: np.random.Generator) -> Array:
    """Seeds of air: tiny rings, bright on one side and dark on the other."""
    height, width = shape
    light = np.zeros(shape, np.float32)
    for _ in range(900):
        radius = rng.uniform(0.0012, 0.0034) * width
        reach = int(radius) + 2
        row, column = rng.integers(reach, height - reach), rng.integers(reach, width - reach)
        v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        ring = np.exp(-(((np.hypot(u, v) - 0.7 * radius) / (0.35 * radius)) ** 2))
        patch = light[row - reach : row + reach + 1, column - reach : column + reach + 1]
        patch += 0.30 * ring * (-(u + v) / (1.4 * radius))
    return light


def lead(image: Array, panes: np.ndarray, region: np.ndarray, rng: np.random.Generator) -> Array:
    """Bleed the light a little, then lay the cames: thin between panes, thick round regions."""
    shape = panes.shape
    glow = ndimage.gaussian_filter(np.clip(image - 0.45, 0, None), (0.008 * shape[1],) * 2 + (0,))
    image = image + 0.30 * glow
    uneven = np.clip(1 + 0.28 * noise(shape, 18, rng, 2), 0.65, 1.6)
    thin = ndimage.distance_transform_edt(~borders(panes)) / shape[1] / (0.0030 * uneven)
    thick = ndimage.distance_transform_edt(~borders(region)) / shape[1] / (0.0050 * uneven)
    across = np.minimum(thin, thick).astype(np.float32)
    rounded = np.sqrt(np.clip(1 - across**2, 0, 1))
    height = ndimage.gaussian_filter(rounded, 1.5)
    shine = np.clip(-(ndimage.sobel(height, 0) + ndimage.sobel(height, 1)), 0, 1)
    metal = palette("0d0c10")[0] + 0.22 * shine[..., None] * palette("b8c0d0")[0]
    metal = metal * (1 + 0.2 * noise(shape, 120, rng)[..., None])
    return mix(metal, image, smoothstep(across, 0.90, 1.12))
