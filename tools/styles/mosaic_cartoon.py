"""The mosaicist's cartoon: a peacock, its fan, the garden and the border, in plain colours."""

from dataclasses import dataclass

import numpy as np

from styles.common import (
    Array,
    Mask,
    Points,
    Shape,
    coordinates,
    curve,
    palette,
    polygon_mask,
)

DRAWING = 640
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
        where = np.nonzero(mask)
        self.colour[where] = palette(tint)[0]
        self.count += 1
        self.region[where] = self.count
        self.gold[where] = gold
        self.tile[where] = tile


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
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    for depth, tint in ((0.068, "f1e2bd"), (0.055, "2238a0"), (0.012, "8c1428")):
        drawing.add(edge < depth, tint, 0.0112)
    along = np.where(np.minimum(x, 1 - x) < np.minimum(y, 1 - y), y, x)
    cell = 1 / 22
    lozenge = np.abs((along / cell) % 1 - 0.5) * cell + np.abs(edge - 0.0335)
    number = (along / cell).astype(int)
    for kind, (tint, gold) in enumerate((("e5b52f", True), ("b3202c", False))):
        drawing.add((lozenge < 0.0210) & (number % 2 == kind) & (edge < 0.055), tint, 0.0098, gold)
    drawing.add((lozenge < 0.0075) & (edge < 0.055), "f6ecd2", 0.0095)
