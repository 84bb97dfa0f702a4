"""The losses of a run as a small drawing that is cheap enough for every few steps."""

import math
from collections.abc import Sequence
from typing import Any

from nst.widgets.markup import safe

WIDTH, HEIGHT, LEGEND = 520, 170, 15  # of the drawing and of a line of its legend, in its units
LEFT, BOTTOM, COLUMNS = 44, 22, 4
FLOOR = 1e-5  # losses below this share of the largest are not drawn
# Each has a contrast of 3 : 1 or more with white and with the dark theme's grey (#212121), which
# leaves a narrow range of lightness: the style's go from green to violet with the layer's depth.
SHADES = {
    "content": ["#d86a00", "#d0417a", "#a86b00"],
    "style": ["#0f9a8a", "#118fb8", "#2f86d6", "#5b78e0", "#8a6be0"],
    "tv": ["#7f7f7f"],
}


def colours(terms: Sequence[str]) -> dict[str, str]:
    """A colour for each term, and the text's for the total."""
    found: dict[str, str] = {}
    for kind, shades in SHADES.items():
        these = [term for term in terms if term.split()[0] == kind]
        step = (len(shades) - 1) / max(1, len(these) - 1)
        found |= {term: shades[round(index * step)] for index, term in enumerate(these)}
    return found | {"total": "currentColor"}


def curves(history: Sequence[dict[str, Any]]) -> str:
    """The weighted losses by evaluation, on a logarithmic scale, as SVG in HTML.

    Args:
        history: as `Result.history`; with less than two steps there is nothing to draw: "".
    """
    if len(history) < 2:
        return ""
    every = math.ceil(len(history) / WIDTH)
    shown = [*history[::every], *([history[-1]] if (len(history) - 1) % every else [])]
    lines: dict[str, list[float]] = {}
    for term in history[0]["terms"]:
        values = [step["terms"].get(term, 0) for step in shown]
        # Of several regions each has a line, not each of their layers.
        kind, region, number = term.partition(", region ")
        name = f"{kind.split()[0]} of region {number}" if region else term
        before = lines.get(name, [0.0] * len(values))
        lines[name] = [one + other for one, other in zip(before, values, strict=True)]
    paint = colours(list(lines))
    lines["total"] = [step["total"] for step in shown]
    finite = [v for values in lines.values() for v in values if math.isfinite(v) and v > 0]
    if not finite:
        return ""
    top = max(finite)
    least = max(min(finite), FLOOR * top)
    scale = Scale(len(shown), math.log10(least / 1.3), math.log10(top * 1.3))
    parts = [*_grid(scale, len(history) - 1)]
    for term, values in lines.items():
        points = " ".join(
            scale.place(index, value) for index, value in enumerate(values) if value >= least
        )
        width = 2.2 if term == "total" else 1.4
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{paint[term]}" '
            f'stroke-width="{width}" stroke-linejoin="round"/>'
        )
    legend = _legend(paint)
    rows = math.ceil(len(paint) / COLUMNS)
    say = f"Weighted losses: the total went from {_short(lines['total'][0])} to "
    say += f"{_short(lines['total'][-1])} in {len(history) - 1} steps"
    return (
        f'<svg class="nst-curves" role="img" aria-label="{safe(say)}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT + LEGEND * rows + 6}">{"".join(parts)}{legend}</svg>'
    )


class Scale:
    """From a step and a loss to a place in the drawing."""

    def __init__(self, count: int, low: float, high: float):
        self.count, self.low, self.high = count, low, high

    def x(self, index: float) -> float:
        """Of that evaluation."""
        return LEFT + (WIDTH - LEFT - 8) * index / max(1, self.count - 1)

    def y(self, value: float) -> float:
        """Of that loss."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return 6 + (HEIGHT - BOTTOM - 6) * (1 - share)

    def place(self, index: int, value: float) -> str:
        """Both, as SVG has it."""
        return f"{self.x(index):.1f},{self.y(value):.1f}"


def _grid(scale: Scale, steps: int) -> list[str]:
    parts = []
    for power in range(math.ceil(scale.low), math.floor(scale.high) + 1):
        y = scale.y(10.0**power)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" '
            f'stroke-opacity="0.18"/>{_text(LEFT - 6, y + 3.5, _short(10.0**power), "end")}'
        )
    base = HEIGHT - BOTTOM
    parts.append(_text(LEFT, base + 15, "0 steps", "start"))
    parts.append(_text(WIDTH - 8, base + 15, f"{steps}", "end"))
    return parts


def _legend(paint: dict[str, str]) -> str:
    parts = []
    for index, (term, colour) in enumerate(paint.items()):
        x = LEFT + (WIDTH - LEFT) / COLUMNS * (index % COLUMNS)
        y = HEIGHT + LEGEND * (index // COLUMNS) + 8
        parts.append(
            f'<line x1="{x:.0f}" x2="{x + 14:.0f}" y1="{y}" y2="{y}" stroke="{colour}" '
            f'stroke-width="3"/>{_text(x + 19, y + 3.5, term, "start")}'
        )
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.1f}" text-anchor="{anchor}">{safe(text)}</text>'


def _short(value: float) -> str:
    if 100 <= value < 1e5:
        return f"{value:.0f}"
    return f"{value:.3g}" if 1e-3 <= value < 100 else f"{value:.0e}"
