"""A woodblock print: waves that curl over with claws of foam, a far mountain, a cream sky."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from styles.common import (
    Array,
    Brush,
    Canvas,
    Mask,
    Points,
    Shape,
    coordinates,
    curve,
    mix,
    noise,
    palette,
    paper_grain,
    polygon_mask,
    ramp,
    smoothstep,
    window,
)

ASPECT = 0.8
CREAM, INK, FOAM = palette("eadbb4", "0d1f45", "f4ecd6")
BLUES = palette("14306b", "2b5f9c", "a9cbd0", "1c4583", "5f9cc0", "dfe6d2", "173a78", "3f7fb4")
Rounds = Array  # (N, 3): x, y and radius of each
SEAL = palette("b6301f")[0]
LINE = Brush(streaks=0.0, ragged=0.15, body=0.0, taper=1.2)

# A wave's two guides, from its foot to the tip of its lip: the back, and the hollow face
BACK = [
    (-0.42, 0.62),
    (-0.30, 0.40),
    (-0.16, 0.20),
    (0.02, 0.065),
    (0.20, 0.04),
    (0.36, 0.12),
    (0.44, 0.26),
]
FACE = [
    (0.62, 0.84),
    (0.34, 0.74),
    (0.16, 0.60),
    (0.085, 0.43),
    (0.125, 0.29),
    (0.24, 0.215),
    (0.44, 0.26),
]


@dataclass(frozen=True)
class Wave:
    """Where a wave stands: its foot, its size, which way it breaks, how many bands it has."""

    x: float
    y: float
    scale: float
    sense: int
    bands: int
    claws: int

    def place(self, points: Points) -> Points:
        """Carry points from the model wave to this one."""
        return np.array([self.x, self.y]) + points * self.scale * np.array([self.sense, 1.0])


WAVES = (
    Wave(0.93, 0.40, 0.34, -1, 9, 20),
    Wave(0.27, 0.025, 0.80, 1, 17, 46),
    Wave(0.985, 0.46, 0.52, -1, 12, 30),
    Wave(0.05, 0.60, 0.36, 1, 9, 22),
    Wave(0.66, 0.665, 0.30, -1, 9, 20),
)


def paint(shape: Shape, rng: np.random.Generator) -> Array:
    """Paint the picture on a canvas of that shape."""
    canvas = Canvas(shape, CREAM, rng)
    # The key lines swell and thin as if cut by hand
    knife = 1 + 0.35 * noise(shape, 16, rng)
    print_sky(canvas, rng)
    print_mountain(canvas)
    for number, wave in enumerate(WAVES):
        print_swell(canvas, wave.y + 0.50 * wave.scale + 0.095, number, knife, rng)
        print_wave(canvas, wave, knife, rng)
    print_seal(canvas, rng)
    return pull(canvas.colour, rng)


def block(canvas: Canvas, mask: Mask, colours: Array, line: Array | float) -> None:
    """Print a shape, with a key line of a given width round it."""
    reach = int(2 * np.max(line) * mask.shape[1]) + 2
    box = window(mask, reach)
    if not mask[box].any():
        return
    outside = ndimage.distance_transform_edt(~mask[box]) / mask.shape[1]
    width = line[box] if isinstance(line, np.ndarray) else line
    canvas.colour[box][(outside > 0) & (outside < width)] = INK
    canvas.colour[mask] = colours[mask] if colours.ndim == 3 else colours


def print_sky(canvas: Canvas, rng: np.random.Generator) -> None:
    """Cream, wiped darker at the top and warm at the horizon, with streaks of cloud."""
    shape = canvas.height.shape
    _, y = coordinates(shape)
    canvas.colour[:] = ramp(y / 0.62, palette("8f9a94", "d8cfae", "ecdcb2", "efd3a4", "e6b58c"))
    drift = noise(shape, (16, 2.2), rng, 2)
    for level, tint in ((0.75, "f5ead0"), (1.35, "c9c3aa")):
        cloud = (drift > level) & (y < 0.5)
        block(canvas, cloud, mix(canvas.colour, palette(tint)[0], 0.75), 0.0)


def print_mountain(canvas: Canvas) -> None:
    """The far cone, snow on its shoulders."""
    shape = canvas.height.shape
    x, y = coordinates(shape)
    peak = 0.380
    slopes = [(-0.19, 0.168), (-0.087, 0.093), (-0.032, 0.023), (-0.010, 0.0)]
    slopes += [(0.010, 0.0), (0.032, 0.023), (0.098, 0.098), (0.208, 0.168)]
    cone = np.array([0.632, peak]) + curve(slopes, 120)
    mask = polygon_mask(shape, cone)
    canvas.colour[mask] = ramp((y - peak) / 0.16, palette("24467f", "4f7fae", "b9c4b4"))[mask]
    teeth = peak + 0.055 + 0.052 * np.abs(((x * 52) % 1) - 0.5) + 0.010 * np.sin(31 * x)
    canvas.colour[mask & (y < teeth)] = FOAM
    canvas.stroke(cone[None], np.array([0.004]), INK[None], LINE)


def between(wave: Wave, share: float, wobble: float = 0.0) -> Points:
    """A line part of the way from the wave's back to its face."""
    back, face = curve(BACK), curve(FACE)
    t = np.linspace(0, 1, len(back))[:, None]
    share_here = share + wobble * np.sin(7 * t + 23 * share) * t * (1 - t) * 4
    return wave.place(back * (1 - share_here) + face * share_here)


def print_wave(canvas: Canvas, wave: Wave, knife: Array, rng: np.random.Generator) -> None:
    """The body in bands that follow its curl, the key lines, then the foam."""
    shape = canvas.height.shape
    _, y = coordinates(shape)
    edges = np.concatenate([[0], np.cumsum(rng.uniform(0.5, 1.5, wave.bands))])
    edges = (edges / edges[-1]) ** 0.85
    body = polygon_mask(shape, np.concatenate([between(wave, 0), between(wave, 1)[::-1]]))
    block(canvas, body, BLUES[0], 0.0045 * wave.scale**0.5 * knife)
    top = wave.y + 0.04 * wave.scale
    fade = np.clip((y - top) / (0.75 * wave.scale), 0, 1)
    for number, (low, high) in enumerate(pairwise(edges)):
        wobble = 0.25 / wave.bands
        outline = np.concatenate([between(wave, low, wobble), between(wave, high, wobble)[::-1]])
        mask = polygon_mask(shape, outline) & body
        tint = BLUES[number % len(BLUES)]
        canvas.colour[mask] = mix(tint, mix(tint, BLUES[0], 0.55), fade)[mask]
        lines = np.stack(
            [between(wave, low, wobble), between(wave, low + 0.3 * (high - low), wobble)]
        )
        widths = np.array([0.0042, 0.0016]) * wave.scale**0.5
        canvas.stroke(lines, widths, np.stack([INK, INK]), LINE)
    print_foam(canvas, wave, rng)


def print_foam(canvas: Canvas, wave: Wave, rng: np.random.Generator) -> None:
    """Froth along the crest and round the lip, and the claws that reach down from it.

    Each claw is cut with its own key line over those before it, so that they overlap.
    """
    width = canvas.height.shape[1]
    page = Image.fromarray((np.clip(canvas.colour, 0, 1) * 255).astype(np.uint8))
    pen = Foam(ImageDraw.Draw(page), wave, width, rng)
    crest = np.concatenate([curve(BACK, 300)[120:], curve(FACE, 300)[:222:-1]])
    pen.spray(crest)
    froth = crest[np.linspace(0, len(crest) - 1, 5 * wave.claws).astype(int)]
    froth = froth + rng.normal(0, 0.006, froth.shape)
    pen.press(np.column_stack([froth, rng.uniform(0.012, 0.025, len(froth))]))
    for spot in rng.permutation(np.linspace(0, len(crest) - 1, 3 * wave.claws).astype(int)):
        root = crest[spot] + rng.normal(0, 0.009, 2)
        pen.press(pen.claw(root, rng.uniform(0.25, 2.1), rng.uniform(0.045, 0.115)))
    canvas.colour[:] = np.asarray(page, np.float32) / 255


@dataclass(frozen=True)
class Foam:
    """Cuts foam into a page: rounds of paper white, a pale shade, and a dark line round all."""

    pen: ImageDraw.ImageDraw
    wave: Wave
    width: int
    rng: np.random.Generator

    def press(self, rounds: Rounds) -> None:
        """Print a shape made of rounds: its key line, its shaded side, then the white."""
        line = 0.0030 * self.wave.scale**0.5
        places, radii = self.wave.place(rounds[:, :2]), self.wave.scale * rounds[:, 2]
        for grow, tint, shift in ((line, INK, 0.0), (0.0, BLUES[2], 0.0), (-0.0012, FOAM, -0.0013)):
            fill = tuple(int(255 * c) for c in tint)
            reach = radii[:, None] + grow
            boxes = np.concatenate([places + shift - reach, places + shift + reach], 1)
            pixels = (boxes[reach[:, 0] > 0] * self.width).astype(int)  # as the pen rounds them
            for box in set(map(tuple, pixels.tolist())):
                self.pen.ellipse(box, fill=fill)

    def claw(self, root: Points, heading: float, length: float, depth: int = 0) -> Rounds:
        """A finger that thins, curls at its end, and throws smaller fingers off its side."""
        curl = self.rng.uniform(0.6, 1.9) * (-1 if self.rng.random() < 0.3 else 1)
        t = np.linspace(0, 1, 30)
        turns = heading + curl * t**1.6
        steps = length / 30 * np.column_stack([np.cos(turns), np.sin(turns)])
        spots = np.cumsum(np.concatenate([root[None], steps]), 0)[1:]
        rounds = [np.column_stack([spots, 0.0138 * (length / 0.1) ** 0.8 * (1 - 0.85 * t)])]
        for spot, turn in zip(spots, turns, strict=True):
            if depth < 2 and self.rng.random() < 0.115:
                side = turn + self.rng.choice([-1, 1]) * self.rng.uniform(0.6, 1.2)
                rounds.append(self.claw(spot, side, length * 0.46, depth + 1))
        return np.concatenate(rounds)

    def spray(self, crest: Points) -> None:
        """Drops flung off the crest, fewer the further they fly."""
        for _ in range(6 * self.wave.claws):
            start = crest[self.rng.integers(len(crest))]
            aim = np.array([self.rng.uniform(-0.2, 1.0), self.rng.uniform(-0.8, 1.0)])
            drop = start + self.rng.exponential(0.10) * aim
            self.press(np.array([[*drop, self.rng.uniform(0.0025, 0.0075)]]))


def print_swell(
    canvas: Canvas, level: float, number: int, knife: Array, rng: np.random.Generator
) -> None:
    """The sea before a wave: long swells, banded like the waves, edged with foam."""
    shape = canvas.height.shape
    x, y = coordinates(shape)
    ragged = 0.003 * noise(shape, 50, rng)
    for step in range(7):
        phase = rng.uniform(0, 6.3)
        line = (
            level
            + 0.032 * step
            + 0.030 * np.sin(6.5 * x + phase)
            + 0.012 * np.sin(17 * x + 2 * phase)
        )
        tint = BLUES[(3 * number + 2 * step) % len(BLUES)]
        shade = mix(tint, BLUES[0], np.clip((y - line) / 0.09, 0, 0.8))
        block(canvas, y > line, shade, 0.0030 * knife)
        columns = np.linspace(0, shape[1] - 1, 160).astype(int)
        strands = line[0, columns] + np.array([[0.022], [0.031], [0.043], [0.058]])
        across = np.broadcast_to(x[0, columns], strands.shape)
        widths = np.array([0.0034, 0.0018, 0.0026, 0.0014])
        inks = np.stack([INK, BLUES[5], INK, INK])
        canvas.stroke(np.stack([across, strands], -1), widths, inks, LINE)
        lace = line + 0.010 + 0.004 * np.sin(60 * x + phase) + ragged
        if step % 2 == 0:
            block(canvas, (y > line) & (y < lace), FOAM, 0.0022 * knife)


def print_seal(canvas: Canvas, rng: np.random.Generator) -> None:
    """A red seal of cut strokes in the corner of the sky."""
    shape = canvas.height.shape
    x, y = coordinates(shape)
    left, top, wide, tall = 0.905, 0.050, 0.040, 0.092
    inside = (np.abs(x - left - wide / 2) < wide / 2) & (np.abs(y - top - tall / 2) < tall / 2)
    canvas.colour[inside] = SEAL
    starts = rng.uniform(
        (left + 0.008, top + 0.010), (left + wide - 0.008, top + tall - 0.010), (16, 2)
    )
    level = rng.random((16, 1)) < 0.55
    reach = np.where(level, [[0.011, 0.001]], [[0.001, 0.014]])
    paths = starts[:, None] + np.linspace(-1, 1, 5)[None, :, None] * reach[:, None]
    low, high = (left + 0.004, top + 0.004), (left + wide - 0.004, top + tall - 0.004)
    cuts = np.clip(paths, low, high)
    canvas.stroke(cuts, np.full(16, 0.0034), np.repeat(CREAM[None], 16, 0), LINE)


def pull(image: Array, rng: np.random.Generator) -> Array:
    """Take the impression: plank grain in the ink, specks it missed, the paper's own texture."""
    shape = image.shape[:2]
    _, y = coordinates(shape)
    rings = y * 95 + 2.2 * noise(shape, (3, 1.2), rng, 2) + 0.35 * noise(shape, (60, 3), rng)
    grain = np.abs((rings % 1) - 0.5) * 2
    dark = 1 - image.mean(-1)
    ink = 0.045 * (grain - 0.5) + 0.035 * noise(shape, (240, 9), rng)
    missed = smoothstep(noise(shape, 230, rng) + 0.3 * grain, 2.1, 2.7) * dark
    image = image * (1 + (0.5 + dark)[..., None] * ink[..., None])
    image = mix(image, CREAM, 0.55 * missed)
    return image * (1 + 0.022 * paper_grain(shape, rng)[..., None])
