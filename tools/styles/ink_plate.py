"""How an etcher works: forms hatched along their own shape, and contours that tremble."""

from dataclasses import dataclass, replace

import numpy as np

from styles.common import (
    Array,
    Brush,
    Canvas,
    Mask,
    Points,
    mix,
    palette,
    polygon_mask,
    smoothstep,
    window,
)

ASPECT = 0.8
PAPER, INK = palette("efe3c8", "1c1410")
PEN = Brush(streaks=0.0, ragged=0.2, body=0.0, taper=0.9)
SPACING = 0.0056
# Darkness at which each layer of lines begins, its turn against the first, and its spacing
LAYERS = ((0.04, 0.0, 1.0), (0.34, 1.05, 1.05), (0.56, -0.75, 1.0), (0.76, 1.57, 0.8))


@dataclass(frozen=True)
class Plate:
    """The copper: the drawing so far, and fields that shake the hand."""

    canvas: Canvas
    paper: Array
    x: Array
    y: Array
    tremor: Array
    pressure: Array
    leaves: Array
    rng: np.random.Generator

    def hatch(self, mask: Mask, dark: Array, u: Array, v: Array) -> None:
        """Shade a form with lines of constant `u`, crossed by turned ones where it is darker.

        `u` and `v` are lengths measured across and along the form, so that the lines bend as
        its surface does; `dark` runs from 0 (bare paper) to 1 (solid ink).
        """
        if not mask.any():
            return
        cover = np.zeros(mask.shape, np.float32)
        for begin, turn, spacing in LAYERS:
            across = np.cos(turn) * u + np.sin(turn) * v
            phase = (across + 0.0011 * self.tremor) / (SPACING * spacing)
            slope = np.hypot(*np.gradient(phase)) + 1e-6
            weight = np.clip((dark - begin) / 0.62, 0, 1) ** 0.8 * (1 + 0.22 * self.pressure)
            inside = 0.5 * weight * 0.78 - np.abs(phase % 1 - 0.5)
            line = smoothstep(inside / slope, -0.6, 0.6) * (weight > 0.03)
            cover = np.maximum(cover, line * smoothstep(slope, 0.9, 0.6))
        self.paper[mask] = mix(PAPER, INK, cover)[mask]

    def around(self, outline: Points) -> tuple["Plate", Mask]:
        """The part of the plate about a shape, and the shape in it: small forms stay cheap."""
        mask = polygon_mask(self.canvas.height.shape, outline)
        box = window(mask, 3)
        fields = ("paper", "x", "y", "tremor", "pressure", "leaves")
        return replace(self, **{name: getattr(self, name)[box] for name in fields}), mask[box]

    def solid(self, corners: list[tuple[float, float]]) -> None:
        """Fill a small shape with ink."""
        self.canvas.colour[polygon_mask(self.canvas.height.shape, np.array(corners))] = INK

    def outline(self, line: Points, width: float) -> None:
        """Draw a contour in separate strokes that overlap, thin and swell."""
        pieces = max(1, len(line) // 26)
        for part in np.array_split(np.arange(len(line)), pieces):
            path = line[np.clip(np.arange(part[0] - 2, part[-1] + 4), 0, len(line) - 1)]
            path = path + self.rng.normal(0, 0.0005, (1, 2))
            scale = self.rng.uniform(0.6, 1.35)
            self.canvas.stroke(path[None], np.array([width * scale]), INK[None], PEN)
