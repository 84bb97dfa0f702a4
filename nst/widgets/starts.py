"""Settings by picture: ways to paint from which one starts, each with an example of it.

The examples lie beside this file, in `starts`; tools/app/starts.py has painted them.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

from nst.settings import Settings

PICTURES = Path(__file__).with_name("starts")
# What each changes of the defaults, among these fields.
FIELDS = ("content_weight", "style_weight", "tv_weight", "style_scale", "statistic", "colour")
STARTS: dict[str, dict[str, Any]] = {
    "balanced": {},
    "gentle": {"style_weight": 60.0},
    "strong": {"style_weight": 8000.0},
    "keep colours": {"colour": "content"},
    "fine strokes": {"style_scale": 0.5},
    "broad strokes": {"style_scale": 2.0},
    "wild": {"style_weight": 20_000.0, "style_scale": 1.7},
    "soft": {"statistic": "mean-std", "tv_weight": 30.0},
}


def start(name: str) -> dict[str, Any]:
    """All of the fields as that way of painting has them."""
    usual = Settings()
    return {field: getattr(usual, field) for field in FIELDS} | STARTS[name]


def start_of(values: dict[str, Any]) -> str:
    """The way of painting that has these values of the fields; empty if none has."""
    return next((name for name in STARTS if start(name) == values), "")


@lru_cache(maxsize=1)
def examples() -> dict[str, bytes]:
    """A small JPEG of each."""
    return {name: (PICTURES / f"{name.replace(' ', '-')}.jpg").read_bytes() for name in STARTS}
