"""A riverside in divided colour: dabs of pure pigment that only the eye mixes."""

import numpy as np

from styles.common import (
    SUPERSAMPLE,
    Array,
    Brush,
    Canvas,
    Points,
    Shape,
    coordinates,
    curve,
    mix,
    noise,
    palette,
    polygon_mask,
    ramp,
    sample,
    scatter,
    smoothstep,
)

ASPECT = 0.8
PIGMENTS = palette(
    "fff4d2", "ffe45c", "f9b233", "f2802e", "e0462f", "d63a6a", "f2a0b4", "a94fa0",
    "5b3f9e", "2b3f9f", "2c6cc4", "5fb0e0", "b8def0", "17908a", "3fae6a", "9ccb4a",
    "1d5a3c", "3a1f5c", "6e2a2a", "fffdf4",
)  # fmt: skip
HORIZON = 0.335


def paint(shape: Shape, rng: np.random.Generator) -> Array:
    """Paint the picture on a canvas of that shape."""
    scene, angle = landscape((shape[0] // SUPERSAMPLE, shape[1] // SUPERSAMPLE), rng)
    canvas = Canvas(shape, palette("efe0c0")[0], rng)
    for spacing, width, purity in (
        (0.0088, 0.0135, 0.45),
        (0.0068, 0.0092, 0.72),
        (0.0062, 0.0068, 0.9),
    ):
        starts = scatter(ASPECT, spacing, rng)
        colours = divide(sample(scene, starts), purity, rng)
        theta = sample(angle, starts) + rng.normal(0, 0.3, len(starts))
        heading = np.stack([np.cos(theta), np.sin(theta)], -1)
        widths = width * rng.uniform(0.75, 1.2, len(starts))
        reach = np.linspace(-0.5, 0.5, 3)[None, :, None] * (1.55 * widths)[:, None, None]
        paths = starts[:, None] + reach * heading[:, None]
        canvas.stroke(paths, widths, colours, Brush(0.05, 0.12, 0.9, 0.9))
    return canvas.lit(strength=0.55, gloss=0.06)


def divide(target: Array, purity: float, rng: np.random.Generator) -> Array:
    """Choose each dab a pigment near the colour wanted, now and then one against it."""
    bold = np.clip(target + 0.28 * (target - target.mean(-1, keepdims=True)), 0, 1)
    wanted = bold + rng.normal(0, 0.13, bold.shape)
    against = rng.random(len(target)) < 0.11
    grey = target.mean(-1, keepdims=True)
    wanted[against] = (2 * grey - target)[against] + 0.06
    distance = ((wanted[:, None] - PIGMENTS[None]) ** 2).sum(-1)
    pigment = PIGMENTS[distance.argmin(1)]
    return mix(bold.astype(np.float32), pigment, purity)


def landscape(shape: Shape, rng: np.random.Generator) -> tuple[Array, Array]:
    """The scene as plain colours, and the direction the dabs take in it."""
    scene, angle = sky(shape, rng), 0.25 * noise(shape, 5, rng)
    add_far_shore(scene, rng)
    add_water(scene, rng)
    add_sails(scene)
    add_bank(scene, angle, rng)
    add_trees(scene, angle, rng)
    add_figures(scene)
    return scene, angle


def sky(shape: Shape, rng: np.random.Generator) -> Array:
    """Violet-blue overhead to peach at the horizon, with lit clouds and a low sun."""
    x, y = coordinates(shape)
    colours = ramp(y / HORIZON, palette("4d78c9", "7fb0e2", "bfd7e0", "fbe0a8", "fcc98a"))
    clouds = smoothstep(noise(shape, (14, 5), rng, 3) - 2.2 * np.abs(y - 0.14) / 0.2, -0.2, 0.9)
    colours = mix(colours, ramp(y / HORIZON, palette("fff1d8", "ffd9b0", "f4a6a0")), 0.85 * clouds)
    glow = np.exp(-np.hypot(x - 0.70, y - 0.17) / 0.085)
    colours = mix(colours, palette("ffe36a")[0], np.clip(1.1 * glow, 0, 1))
    disc = smoothstep(np.hypot(x - 0.70, y - 0.17), 0.040, 0.034)
    return mix(colours, palette("fffbe0")[0], disc)


def fill(scene: Array, outline: Points, colours: Array) -> None:
    """Colour a shape: one colour, or a picture's worth of them."""
    mask = polygon_mask(scene.shape[:2], outline)
    scene[mask] = colours[mask] if colours.ndim == 3 else colours


def add_far_shore(scene: Array, rng: np.random.Generator) -> None:
    """Violet hills, then a line of poplars and roofs along the water."""
    shape = scene.shape[:2]
    x, y = coordinates(shape)
    line = 0.268 + 0.03 * np.sin(5 * x + 1) + 0.014 * np.sin(13 * x)
    hill = (y > line) & (y < HORIZON)
    scene[hill] = ramp((y - line) / 0.07, palette("7a78c4", "9a8fcb", "d2a7b4"))[hill]
    for left in np.sort(rng.uniform(0.30, 1.0, 26)):
        tall, wide = rng.uniform(0.02, 0.075), rng.uniform(0.009, 0.018)
        turn = np.linspace(0, 2 * np.pi, 30)
        oval = np.stack(
            [left + wide * np.cos(turn), HORIZON - tall / 2 + tall / 2 * np.sin(turn)], -1
        )
        shade = ramp(0.5 + (x - left) / wide / 2, palette("1f5a6a", "3f8a5a", "d8c456"))
        fill(scene, oval, shade)
    for left in (0.42, 0.455, 0.53, 0.86, 0.90):
        wall = np.array(
            [[left, 0.312], [left + 0.028, 0.312], [left + 0.028, 0.336], [left, 0.336]]
        )
        roof = np.array([[left - 0.004, 0.313], [left + 0.014, 0.297], [left + 0.032, 0.313]])
        fill(scene, wall, palette("ffe9c0")[0])
        fill(scene, roof, palette("e2562f")[0])


def add_water(scene: Array, rng: np.random.Generator) -> None:
    """The river mirrors what stands over it, broken by ripples and the sun's path."""
    shape = scene.shape[:2]
    x, y = coordinates(shape)
    ripple = noise(shape, (90, 14), rng)
    above = np.clip(2 * HORIZON - y - 0.10 * (y - HORIZON) + 0.006 * ripple, 0, HORIZON - 0.002)
    shift = np.clip(x + 0.004 * ripple, 0, 0.999)
    mirror = sample(scene, np.stack([shift, above], -1))
    water = mix(mirror, palette("2f66b8")[0], np.clip(0.28 + 0.9 * (y - HORIZON), 0, 0.62))
    glitter = np.exp(-(((x - 0.70) / (0.018 + 0.16 * (y - HORIZON))) ** 2)) * (ripple > 0.0)
    water = mix(water, palette("fff0a0")[0], 0.9 * np.clip(glitter, 0, 1))
    water = mix(water, palette("1c3f98")[0], 0.55 * (ripple < -0.9))
    scene[y >= HORIZON] = water[y >= HORIZON]


def add_sails(scene: Array) -> None:
    """Sailing boats, each with its broken reflection."""
    boats = (
        (0.50, 0.372, 0.115, "fff3dc", "f4b0a0"),
        (0.835, 0.405, 0.15, "f58a3c", "d8483a"),
        (0.615, 0.350, 0.06, "fffaf0", "c8c8ee"),
        (0.40, 0.348, 0.05, "ffe0c0", "e0a0c0"),
    )
    for x, y, tall, lit, shaded in boats:
        for flip, fade in ((-0.55, 0.45), (1.0, 0.0)):
            tint = mix(palette(lit, shaded), palette("3f78c0")[0], fade)
            top = y - flip * tall
            main = curve(
                [
                    (x, top),
                    (x + 0.20 * tall, y - flip * 0.5 * tall),
                    (x + 0.42 * tall, y - flip * 0.1 * tall),
                ],
                20,
            )
            fill(scene, np.concatenate([main, [[x, y - flip * 0.10 * tall]]]), tint[0])
            jib = np.array(
                [
                    [x - 0.01, top + flip * 0.15 * tall],
                    [x - 0.01, y - flip * 0.1 * tall],
                    [x - 0.30 * tall, y - flip * 0.08 * tall],
                ]
            )
            fill(scene, jib, tint[1])
        hull = np.array(
            [
                [x - 0.34 * tall, y - 0.06 * tall],
                [x + 0.46 * tall, y - 0.06 * tall],
                [x + 0.36 * tall, y + 0.06 * tall],
                [x - 0.26 * tall, y + 0.06 * tall],
            ]
        )
        fill(scene, hull, palette("43205c")[0])


def add_bank(scene: Array, angle: Array, rng: np.random.Generator) -> None:
    """The near bank: sunlit grass, with long violet shadows thrown across it."""
    shape = scene.shape[:2]
    x, y = coordinates(shape)
    edge = (
        0.50
        + 0.16 * smoothstep(x, 0.25, 0.95)
        + 0.012 * np.sin(17 * x)
        - 0.10 * smoothstep(x, 0.3, 0.0)
    )
    bank = y > edge
    tone = 0.5 + 0.9 * (y - 0.62) + 0.14 * noise(shape, (22, 9), rng, 2)
    grass = ramp(np.clip(tone, 0, 1), palette("5fa04a", "a6cc4e", "e6dc5a", "f5c648", "8fb848"))
    slant = y - 0.60 - 0.22 * x
    shadow = smoothstep(np.abs(slant - 0.02) + 0.03 * noise(shape, 11, rng, 2), 0.075, 0.03)
    shadow = np.maximum(shadow, smoothstep(slant + 0.03 * noise(shape, 9, rng, 2), 0.12, 0.17))
    grass = mix(grass, palette("2f4f9a")[0], 0.72 * shadow)
    rim = smoothstep(y - edge, 0.018, 0.0)
    grass = mix(grass, palette("f3d9a0")[0], 0.7 * rim)
    scene[bank] = grass[bank]
    angle[bank] = (np.pi / 2 + 0.5 * noise(shape, 9, rng))[bank]


def add_trees(scene: Array, angle: Array, rng: np.random.Generator) -> None:
    """Leaning trunks and round masses of leaves, lit from the right."""
    shape = scene.shape[:2]
    x, y = coordinates(shape)
    for foot, lean, thick in ((0.115, 0.05, 0.020), (0.255, 0.03, 0.015), (0.955, -0.035, 0.017)):
        base = 0.69 if foot < 0.5 else 0.75
        spine = curve([(foot, base), (foot + 0.3 * lean, 0.5), (foot + lean, 0.2)], 40)
        half = np.linspace(1.5, 0.7, 40)[:, None] * [[thick / 2, 0]]
        shade = ramp(0.5 + (x - foot - lean / 2) / thick / 3, palette("3a1f5c", "5a2f5a", "c8703a"))
        fill(scene, np.concatenate([spine - half, (spine + half)[::-1]]), shade)
        angle[polygon_mask(shape, np.concatenate([spine - half, (spine + half)[::-1]]))] = 1.4
    clumps = [
        (rng.normal(0.13, 0.10), rng.normal(0.14, 0.085), rng.uniform(0.035, 0.075))
        for _ in range(34)
    ]
    clumps += [
        (rng.normal(0.97, 0.05), rng.normal(0.20, 0.09), rng.uniform(0.03, 0.06)) for _ in range(14)
    ]
    for cx, cy, radius in sorted(clumps, key=lambda c: c[0]):
        turn = np.linspace(0, 2 * np.pi, 40)
        wobble = radius * (1 + 0.12 * np.sin(5 * turn + cx * 60) + 0.08 * np.sin(9 * turn))
        oval = np.stack([cx + wobble * np.cos(turn), cy + 0.8 * wobble * np.sin(turn)], -1)
        lit = (
            0.45
            + 0.32 * (x - cx) / radius
            - 0.38 * (y - cy) / radius
            + 0.12 * noise(shape, 30, rng)
        )
        leaves = palette("1b2f6a", "17605a", "2f8f4a", "8cc046", "f2e05a", "f7b84a")
        fill(scene, oval, ramp(np.clip(lit, 0, 1), leaves))
        mask = polygon_mask(shape, oval)
        angle[mask] = (np.arctan2(y - cy, x - cx) + np.pi / 2)[mask]


def add_figures(scene: Array) -> None:
    """Strollers on the bank: bell skirts, parasols, a man in a dark coat."""
    for x, foot, tall, coat, shade in (
        (0.385, 0.690, 0.185, "8a2a5c", "e8452f"),
        (0.475, 0.700, 0.180, "26245c", None),
        (0.665, 0.745, 0.190, "2b4fa8", "f5a63a"),
        (0.315, 0.600, 0.100, "c83a3a", "fff0d0"),
    ):
        skirt = curve(
            [
                (x, foot - 0.62 * tall),
                (x + 0.12 * tall, foot - 0.3 * tall),
                (x + 0.20 * tall, foot),
                (x - 0.20 * tall, foot),
                (x - 0.13 * tall, foot - 0.3 * tall),
            ],
            60,
            True,
        )
        torso = curve(
            [
                (x, foot - 0.88 * tall),
                (x + 0.09 * tall, foot - 0.7 * tall),
                (x + 0.04 * tall, foot - 0.5 * tall),
                (x - 0.05 * tall, foot - 0.5 * tall),
                (x - 0.09 * tall, foot - 0.7 * tall),
            ],
            60,
            True,
        )
        turn = np.linspace(0, 2 * np.pi, 30)
        head = np.stack(
            [x + 0.055 * tall * np.cos(turn), foot - 0.93 * tall + 0.07 * tall * np.sin(turn)], -1
        )
        fill(scene, skirt, palette(coat)[0])
        fill(scene, torso, mix(palette(coat)[0], palette("f5b0a0")[0], 0.25))
        fill(scene, head, palette("f2c08a")[0])
        if shade:
            arch = np.linspace(np.pi, 2 * np.pi, 30)
            dome = np.stack(
                [
                    x + 0.05 * tall + 0.27 * tall * np.cos(arch),
                    foot - 0.88 * tall + 0.22 * tall * np.sin(arch),
                ],
                -1,
            )
            fill(scene, dome, palette(shade)[0])
