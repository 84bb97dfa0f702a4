"""What the painters share: coordinates, noise, flow fields, palettes, brush strokes and paper.

Compositions are written in units of the picture's width (x runs from 0 to 1, y from 0 to
height / width, downwards), so that one composition serves every size. Pictures are painted
`SUPERSAMPLE` times too large, as float32 RGB in [0, 1], and reduced at the end: hard edges
become antialiased without any painter having to think of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import make_interp_spline

# Floats of any size; NumPy's releases disagree on what their sums and products are.
Array = NDArray[Any]
Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]
Points = NDArray[Any]
Shape = tuple[int, ...]  # rows, columns
Flow = Callable[[Points], Points]
Scalar = TypeVar("Scalar", bound=np.generic)

SUPERSAMPLE = 2
BRISTLE_TILE = 512
SAMPLES_PER_BATCH = 1_500_000


def canvas_shape(size: int, aspect: float) -> tuple[int, int]:
    """Rows and columns to paint for a picture `size` wide and `aspect * size` high."""
    return round(size * aspect) * SUPERSAMPLE, size * SUPERSAMPLE


@lru_cache(maxsize=4)
def coordinates(shape: Shape) -> tuple[Array, Array]:
    """Each pixel's x and y, in units of the picture's width; shared, so not to be written to."""
    height, width = shape
    y, x = (np.mgrid[:height, :width].astype(np.float32) + 0.5) / width
    x.setflags(write=False)
    y.setflags(write=False)
    return x, y


def palette(*colours: str) -> Array:
    """Hexadecimal colours ("1f3a93") as an (n, 3) array."""
    return np.array([list(bytes.fromhex(c)) for c in colours], np.float32) / 255


def ramp(values: Array, colours: Array) -> Array:
    """Colours read off a palette laid out as a scale from 0 to 1."""
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(values, stops, c) for c in colours.T], -1).astype(np.float32)


def mix(a: Array, b: Array, amount: Array | float) -> Array:
    """`a` where amount is 0, `b` where it is 1; one amount for the three channels."""
    weight = np.asarray(amount, np.float32)
    if weight.ndim:
        weight = weight[..., None]
    return a + (b - a) * weight


def smoothstep(values: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, a smooth slope between; high < low reverses it."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(
    shape: Shape,
    cells: float | tuple[float, float],
    rng: np.random.Generator,
    octaves: int = 1,
) -> Array:
    """Smooth random field of mean 0 and deviation about 1, `cells` lumps across the width.

    The lattice depends on `cells` alone, so the same seed gives the same field at every size.
    A pair (cells along y, cells along x) makes the grain run in one direction.
    """
    height, width = shape
    cells_y, cells_x = cells if isinstance(cells, tuple) else (cells, cells)
    x, y = coordinates(shape)
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        fine = 2**octave
        rows, columns = int(cells_y * fine * height / width) + 5, int(cells_x * fine) + 5
        lattice = rng.standard_normal((rows, columns)).astype(np.float32)
        where = np.stack([y * cells_y * fine + 2, x * cells_x * fine + 2])
        total += ndimage.map_coordinates(lattice, where, order=3, mode="reflect") / fine
    return total / max(float(total.std()), 1e-6)


def sample(field: NDArray[Scalar], points: Points) -> NDArray[Scalar]:
    """A field's values (or an image's colours) at points given in units of the width."""
    height, width = field.shape[:2]
    column = np.clip((points[..., 0] * width).astype(np.intp), 0, width - 1)
    row = np.clip((points[..., 1] * width).astype(np.intp), 0, height - 1)
    return field[row, column]


def curve(points: list[tuple[float, float]], count: int = 200, closed: bool = False) -> Points:
    """A smooth line through the points, as `count` points."""
    knots = np.array(points + points[:1] if closed else points, float)
    steps = np.hypot(*np.diff(knots, axis=0).T) ** 0.5
    at = np.concatenate([[0], np.cumsum(steps)])
    spline = make_interp_spline(
        at, knots, k=3 if len(knots) > 3 else 2, bc_type="periodic" if closed else None
    )
    return spline(np.linspace(0, at[-1], count))


def polygon_mask(shape: Shape, outline: Points) -> Mask:
    """The pixels inside an outline given in units of the width."""
    image = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(image).polygon([tuple(p) for p in outline * shape[1]], fill=1)
    return np.array(image, bool)


def window(mask: Mask, margin: int) -> tuple[slice, slice]:
    """The smallest part of the picture that holds a shape, and a margin of pixels round it."""
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    return slice(top, rows[-1] + margin), slice(left, columns[-1] + margin)


def scatter(
    aspect: float, spacing: float, rng: np.random.Generator, margin: float = 0.02
) -> Points:
    """Random points that cover the picture evenly: one in each cell of a grid, shuffled."""
    xs = np.arange(-margin, 1 + margin, spacing)
    ys = np.arange(-margin, aspect + margin, spacing)
    points = np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)
    points += rng.uniform(0, spacing, points.shape)
    return rng.permutation(points)


def trace(flow: Flow, starts: Points, lengths: Points, steps: int = 9) -> Points:
    """Streamlines of a flow, (n, steps, 2), each centred on its start and of its own length."""
    stride = (lengths / (steps - 1))[:, None]
    forward: list[Points] = [starts]
    backward: list[Points] = []
    ahead = behind = starts
    for _ in range(steps // 2):
        ahead = ahead + stride * flow(ahead)
        behind = behind - stride * flow(behind)
        forward.append(ahead)
        backward.append(behind)
    return np.stack(backward[::-1] + forward, 1)


def straight(starts: Points, angle: Points, lengths: Points) -> Points:
    """Straight strokes centred on points."""
    reach = np.linspace(-0.5, 0.5, 9)[None, :, None] * lengths[:, None, None]
    return starts[:, None] + reach * np.stack([np.cos(angle), np.sin(angle)], -1)[:, None]


def smear(field: Array, flow: Flow, length: float, steps: int = 10) -> Array:
    """Average a field along a flow: lumps become streaks (line integral convolution)."""
    x, y = coordinates(field.shape[:2])
    starts = np.stack([x, y], -1).astype(float)
    total = field.copy()
    for sign in (1, -1):
        points = starts
        for _ in range(steps):
            points = points + sign * length / steps * flow(points)
            total += sample(field, points)
    return total / (2 * steps + 1)


@dataclass(frozen=True)
class Brush:
    """How a brush marks: all in [0, 1] or so, none of them in pixels.

    Attributes:
        streaks: contrast of the lighter and darker lines that bristles leave.
        ragged: how unevenly the bristles leave the canvas at a stroke's ends.
        body: how thick the paint lies (what the light picks out afterwards).
        taper: how the width falls towards the ends; small is blunt, large is pointed.
    """

    streaks: float = 0.10
    ragged: float = 0.25
    body: float = 1.0
    taper: float = 0.4


class Canvas:
    """Wet paint: a colour and a thickness at every pixel."""

    def __init__(self, shape: Shape, ground: Array, rng: np.random.Generator) -> None:
        self.colour = np.empty((*shape, 3), np.float32)
        self.colour[:] = ground
        self.height = np.zeros(shape, np.float32)
        self._rng = rng
        hairs = rng.standard_normal((BRISTLE_TILE, BRISTLE_TILE)).astype(np.float32)
        hairs = ndimage.gaussian_filter(hairs, (14, 0.8), mode="wrap")
        self._hairs = hairs / hairs.std()

    def stroke(self, paths: Points, widths: Points, colours: Array, brush: Brush) -> None:
        """Lay strokes, in order, along paths (n, k, 2) with their own widths and colours."""
        pixels = self.colour.shape[1]
        reach = np.hypot(*np.diff(paths, axis=1).transpose(2, 0, 1)).sum(1)
        along = int(np.quantile(reach, 0.98) * pixels * 1.4) + 4
        across = int(widths.max() * pixels * 1.4) + 3
        batch = max(1, SAMPLES_PER_BATCH // (along * across))
        for start in range(0, len(paths), batch):
            part = slice(start, start + batch)
            self._stroke_batch(paths[part], widths[part], colours[part], brush, (along, across))

    def _stroke_batch(
        self, paths: Points, widths: Points, colours: Array, brush: Brush, grid: tuple[int, int]
    ) -> None:
        """Write each stroke's grid of (along, across) samples straight into the pixels.

        Mapping samples forward is what makes tens of thousands of curved strokes affordable;
        with samples closer than pixels it leaves no holes.
        """
        along, across = grid
        v = np.linspace(-1, 1, across, dtype=np.float32)
        u = np.linspace(0, 1, along, dtype=np.float32)
        hairs = self._hair_patches(len(paths), grid)
        ends = np.abs(2 * u - 1)[None, :, None] + brush.ragged * 0.35 * hairs
        body = np.clip(1 - np.clip(ends, 0, 1) ** (2 / brush.taper), 0, 1) ** 0.5
        painted = np.abs(v) <= body
        position = self._positions(paths, widths, grid, v)
        row, column = position[..., 1].astype(np.intp), position[..., 0].astype(np.intp)
        rows, columns = self.height.shape
        inside = painted & (position.min(-1) >= 0) & (row < rows) & (column < columns)
        index = (row * columns + column)[inside]
        shade = 1 + brush.streaks * hairs[..., None]
        colour = colours[:, None, None, :] * shade
        ridge = 0.8 * np.abs(v) ** 3 + 0.5 * u[None, :, None] ** 4
        height = brush.body * (0.6 + ridge + 0.35 * hairs)
        self.colour.reshape(-1, 3)[index] = colour[inside]
        self.height.reshape(-1)[index] = np.broadcast_to(height, painted.shape)[inside]

    def _hair_patches(self, count: int, grid: tuple[int, int]) -> Array:
        """A different patch of the bristle tile for each stroke."""
        corner = self._rng.integers(0, BRISTLE_TILE, (count, 2, 1, 1))
        rows = (corner[:, 0] + np.arange(grid[0])[:, None]) % BRISTLE_TILE
        columns = (corner[:, 1] + np.arange(grid[1])[None, :]) % BRISTLE_TILE
        return self._hairs[rows, columns]

    def _positions(self, paths: Points, widths: Points, grid: tuple[int, int], v: Array) -> Array:
        """Pixel positions (n, along, across, 2) of every sample of every stroke."""
        pixels = self.colour.shape[1]
        knots = np.linspace(0, paths.shape[1] - 1, grid[0])
        low = np.minimum(knots.astype(int), paths.shape[1] - 2)
        part = (knots - low)[None, :, None]
        spine = paths[:, low] * (1 - part) + paths[:, low + 1] * part
        tangent = np.gradient(paths, axis=1)
        tangent = tangent[:, low] * (1 - part) + tangent[:, low + 1] * part
        tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-9
        normal = np.stack([-tangent[..., 1], tangent[..., 0]], -1) * widths[:, None, None] / 2
        where = spine[:, :, None] + normal[:, :, None] * v[:, None]
        return (where * pixels).astype(np.float32)

    def lit(self, strength: float = 0.5, gloss: float = 0.15) -> Array:
        """The painting under raking light from the upper left: ridges shine, furrows darken."""
        relief = ndimage.gaussian_filter(self.height, 0.8)
        slope = ndimage.sobel(relief, 0) + ndimage.sobel(relief, 1)
        shade = np.tanh(slope * 0.35)
        shine = np.clip(shade - 0.35, 0, 1)[..., None]
        return self.colour * (1 + strength * 0.5 * shade[..., None]) + gloss * shine


def vary(colours: Array, rng: np.random.Generator, value: float, hue: float) -> Array:
    """Colours as if mixed afresh for each stroke: lighter or darker, and a little off hue."""
    shade = 1 + value * rng.standard_normal((len(colours), 1))
    shift = hue * rng.standard_normal((len(colours), 3))
    return np.clip(colours * shade + shift, 0, 1).astype(np.float32)


def paper_grain(shape: Shape, rng: np.random.Generator) -> Array:
    """Mottled pulp and crossing fibres, mean 0 and deviation about 1."""
    pulp = noise(shape, 60, rng, octaves=3)
    fibres = noise(shape, (30, 400), rng) + noise(shape, (400, 30), rng)
    return (pulp + 0.3 * fibres) / 1.1


def finish(image: Array, size: int) -> Picture:
    """Reduce a painted array to a picture `size` wide."""
    height = round(image.shape[0] * size / image.shape[1])
    full = Image.fromarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(full.resize((size, height), Image.Resampling.LANCZOS))
