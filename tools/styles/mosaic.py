"""A Byzantine peacock in tesserae: rows of small stones that follow the drawing, and gold."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree
from skimage.measure import find_contours

from styles.common import (
    Array,
    Mask,
    Picture,
    Points,
    Shape,
    canvas_shape,
    coordinates,
    curve,
    finish,
    mix,
    noise,
    palette,
    polygon_mask,
    sample,
    scatter,
    vary,
)

ASPECT = 1.0
DRAWING = 640
GROUT = palette("2b221c")[0]
HEART = np.array([0.5, 0.60])
FAN = 0.405
# The bird's outline about its heart, clockwise from the nape
BODY = [
    (0.008, -0.16),
    (0.042, -0.06),
    (0.098, 0.10),
    (0.06, 0.215),
    (0, 0.24),
    (-0.06, 0.215),
    (-0.098, 0.10),
    (-0.050, -0.03),
    (-0.040, -0.13),
]


@dataclass
class Drawing:
    """The mosaicist's cartoon: what each place shows, and whether it is gold.

    Attributes:
        colour: the plain colour wanted.
        region: numbers whose borders the rows of stones follow.
        gold: where the stones are gilded glass.
        tile: the stones' side there.
        count: how many regions have been drawn.
    """

    colour: Array
    region: np.ndarray
    gold: Mask
    tile: Array
    count: int = 0

    def add(self, mask: Mask, tint: str, tile: float, gold: bool = False) -> None:
        """Draw a shape over what is there."""
        self.colour[mask] = palette(tint)[0]
        self.count += 1
        self.region[mask] = self.count
        self.gold[mask] = gold
        self.tile[mask] = tile


@dataclass(frozen=True)
class Stones:
    """Tesserae: centres, the direction of their sides, their size, colour, gold or not."""

    centre: Points
    angle: Points
    tile: Points
    colour: Array
    gold: Mask


def paint(size: int, rng: np.random.Generator) -> Picture:
    """Paint the picture, `size` pixels wide."""
    drawing = cartoon(rng)
    stones = set_stones(drawing, rng)
    return finish(lay(stones, canvas_shape(size, ASPECT), rng), size)


def cartoon(rng: np.random.Generator) -> Drawing:
    """Compose the peacock, its fan, the garden and the border."""
    shape = (DRAWING, DRAWING)
    everywhere = np.ones(shape, bool)
    drawing = Drawing(
        np.zeros((*shape, 3), np.float32),
        np.zeros(shape, int),
        ~everywhere,
        np.zeros(shape, np.float32),
    )
    drawing.add(everywhere, "d9a520", 0.0135, gold=True)
    draw_halo(drawing)
    draw_fan(drawing)
    draw_garden(drawing, rng)
    draw_body(drawing)
    draw_border(drawing)
    return drawing


def disc(shape: Shape, x: float, y: float, radius: float) -> Mask:
    """A disc about a place."""
    turn = np.linspace(0, 2 * np.pi, 60)
    circle = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], -1)
    return polygon_mask(shape, circle)


def draw_halo(drawing: Drawing) -> None:
    """Rings behind the fan: crimson, ivory and deep blue against the gold."""
    shape = drawing.region.shape
    for radius, tint in ((0.448, "8c1428"), (0.433, "f1e2bd"), (0.421, "2238a0")):
        drawing.add(disc(shape, HEART[0], HEART[1], radius), tint, 0.0115)


def draw_garden(drawing: Drawing, rng: np.random.Generator) -> None:
    """Green ground with flowers, and pomegranates in the upper corners."""
    shape = drawing.region.shape
    x, y = coordinates(shape)
    for top, tint in ((0.755, "f0b43c"), (0.772, "3f8f45"), (0.822, "7fb03a"), (0.872, "2c7350")):
        drawing.add(y > top + 0.013 * np.sin(11 * x + 2), tint, 0.0125)
    for cx, cy in (
        (0.115, 0.12),
        (0.885, 0.12),
        (0.20, 0.075),
        (0.80, 0.075),
        (0.085, 0.22),
        (0.915, 0.22),
    ):
        for turn in rng.uniform(0, 6.3) + np.arange(3) * 2.1:
            tip = np.array([cx, cy]) + 0.065 * np.array([np.cos(turn), np.sin(turn)])
            drawing.add(polygon_mask(shape, leaf((cx, cy), tuple(tip), 0.017)), "2f7a3f", 0.0105)
        drawing.add(disc(shape, cx, cy, 0.034), "a3162b", 0.0105)
        drawing.add(disc(shape, cx, cy, 0.017), "f0b43c", 0.0095)
    for cx in np.linspace(0.10, 0.90, 9):
        cy = 0.875 + 0.022 * np.sin(40 * cx)
        for turn in np.arange(6) * np.pi / 3:
            spot = cx + 0.019 * np.cos(turn), cy + 0.019 * np.sin(turn)
            tint = ("f4e6d0", "d8324a", "f2a03a")[int(cx * 10) % 3]
            drawing.add(disc(shape, spot[0], spot[1], 0.0125), tint, 0.0105)
        drawing.add(disc(shape, cx, cy, 0.010), "7c1426", 0.0095)


def leaf(root: tuple[float, float], tip: tuple[float, float], wide: float) -> Points:
    """A pointed leaf from root to tip."""
    start, end = np.array(root), np.array(tip)
    t = np.linspace(0, 1, 30)[:, None]
    side = np.array([-(end - start)[1], (end - start)[0]]) / np.hypot(*(end - start))
    bulge = wide * np.sin(np.pi * t) ** 0.8
    spine = start + (end - start) * t
    return np.concatenate([spine + bulge * side, (spine - bulge * side)[::-1]])


def draw_fan(drawing: Drawing) -> None:
    """The spread tail: barbs as long leaves, and three arcs of eyes."""
    shape = drawing.region.shape
    drawing.add(disc(shape, HEART[0], HEART[1], FAN), "14605a", 0.0105)
    greens = ("1f8a6a", "12696a", "3aa56c", "0f7d8a", "6fb24a")
    for number, turn in enumerate(np.linspace(-0.22, np.pi + 0.22, 29)):
        tip = HEART + (FAN - 0.012) * np.array([np.cos(turn), -np.sin(turn)])
        root = HEART + 0.10 * np.array([np.cos(turn), -np.sin(turn)])
        drawing.add(
            polygon_mask(shape, leaf(tuple(root), tuple(tip), 0.0215)), greens[number % 5], 0.0100
        )
    for reach, count, scale in ((0.355, 14, 1.0), (0.258, 10, 0.95), (0.168, 7, 0.85)):
        for turn in np.linspace(-0.22, np.pi + 0.22, count):
            centre = HEART + reach * np.array([np.cos(turn), -np.sin(turn)])
            draw_eye(drawing, centre, scale)


def draw_eye(drawing: Drawing, centre: Points, scale: float) -> None:
    """An eye of the tail: gold, leaf green, bronze, turquoise, and a cobalt heart."""
    shape = drawing.region.shape
    inward = (HEART - centre) / np.hypot(*(HEART - centre))
    rings = ((0.0420, "f0c23a", True), (0.0335, "8ccf3f", False), (0.0250, "c8642a", False),
             (0.0165, "35c4c8", False), (0.0085, "1a2690", False))  # fmt: skip
    for radius, tint, gold in rings:
        place = centre + inward * 0.006 * (0.04 - radius) / 0.03
        drawing.add(disc(shape, place[0], place[1], radius * scale), tint, 0.0086 * scale, gold)


def draw_body(drawing: Drawing) -> None:
    """A nimbus, then breast, neck and head, scaled with rows of lapis and turquoise."""
    shape = drawing.region.shape
    x, y = HEART
    for radius, tint in ((0.114, "f1e2bd"), (0.1035, "a3162b")):
        drawing.add(disc(shape, x, y - 0.195, radius), tint, 0.0098)
    body = HEART + curve(BODY, 200, closed=True)
    for number, (grow, tint) in enumerate(
        ((1.14, "f0c23a"), (1.0, "1a2a9a"), (0.76, "2a66d0"), (0.50, "25b0cc"), (0.26, "b8ecd8"))
    ):
        centre = np.array([x, y + 0.06 + 0.02 * number])
        drawing.add(polygon_mask(shape, centre + (body - centre) * grow), tint, 0.0104, number == 0)
    for side in (-1, 1):
        wing = curve(
            [
                (x + side * 0.075, y + 0.02),
                (x + side * 0.165, y + 0.10),
                (x + side * 0.14, y + 0.215),
                (x + side * 0.07, y + 0.235),
                (x + side * 0.085, y + 0.12),
            ],
            100,
            True,
        )
        drawing.add(polygon_mask(shape, wing), "b4552a", 0.0104)
        centre = wing.mean(0)
        drawing.add(polygon_mask(shape, centre + 0.55 * (wing - centre)), "f0d9a8", 0.0098)
        foot = leaf((x + side * 0.035, y + 0.25), (x + side * 0.06, y + 0.315), 0.009)
        drawing.add(polygon_mask(shape, foot), "e58a2c", 0.0098)
    draw_head(drawing, x - 0.016, y - 0.168)


def draw_head(drawing: Drawing, x: float, y: float) -> None:
    """The head in profile, looking left, under a crest of gold-tipped plumes."""
    shape = drawing.region.shape
    for turn in np.linspace(-0.62, 0.92, 5):
        tip = np.array([x, y]) + 0.092 * np.array([np.sin(turn), -np.cos(turn)])
        drawing.add(polygon_mask(shape, leaf((x, y), tuple(tip), 0.0075)), "4fc4d0", 0.0085)
        drawing.add(disc(shape, tip[0], tip[1], 0.0150), "f0c23a", 0.0082, True)
        drawing.add(disc(shape, tip[0], tip[1], 0.0062), "1a2690", 0.0082)
    beak = leaf((x - 0.022, y + 0.004), (x - 0.085, y + 0.022), 0.0125)
    drawing.add(polygon_mask(shape, beak), "f59a32", 0.0085)
    drawing.add(disc(shape, x, y, 0.044), "3a7ae0", 0.0092)
    drawing.add(disc(shape, x - 0.010, y - 0.002, 0.0245), "f8f0da", 0.0085)
    drawing.add(disc(shape, x - 0.012, y - 0.002, 0.0095), "140c1c", 0.0095)


def draw_border(drawing: Drawing) -> None:
    """A frame of ivory lines round a band of crimson, blue and gold lozenges."""
    shape = drawing.region.shape
    x, y = coordinates(shape)
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, ASPECT - y))
    for depth, tint in ((0.068, "f1e2bd"), (0.055, "2238a0"), (0.012, "8c1428")):
        drawing.add(edge < depth, tint, 0.0112)
    along = np.where(np.minimum(x, 1 - x) < np.minimum(y, ASPECT - y), y, x)
    cell = 1 / 22
    lozenge = np.abs((along / cell) % 1 - 0.5) * cell + np.abs(edge - 0.0335)
    number = (along / cell).astype(int)
    for kind, (tint, gold) in enumerate((("e5b52f", True), ("b3202c", False))):
        drawing.add((lozenge < 0.0210) & (number % 2 == kind) & (edge < 0.055), tint, 0.0098, gold)
    drawing.add((lozenge < 0.0075) & (edge < 0.055), "f6ecd2", 0.0095)


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
    near = KDTree(seeds).query_ball_point(seeds, 0.66 * sample(tile, seeds))
    kept = np.ones(len(seeds), bool)
    for number, others in enumerate(near):
        if kept[number]:
            kept[[other for other in others if other > number]] = False
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
