"""The values of the trade-off strip's settings: those it begins with, and those that are typed."""

from collections.abc import Sequence
from typing import Any

from nst.errors import SettingsError
from nst.grids.axes import LAYERS

# What an axis takes if no values are given: from clearly too little to clearly too much.
DEFAULTS: dict[str, list[Any]] = {
    "content_weight": [1, 10, 100, 1000],
    "style_weight": [1, 10, 100, 1000],
    "tv_weight": [0, 30, 300, 3000],
    "content_layers": ["relu1_1", "relu2_1", "relu3_1", "relu4_2"],
    "style_layers": [
        ["relu1_1"],
        ["relu1_1", "relu2_1"],
        ["relu1_1", "relu2_1", "relu3_1"],
        ["relu1_1", "relu2_1", "relu3_1", "relu4_1"],
    ],
}
# With the usual weight the content's layer makes too little difference for a small picture.
TOGETHER: dict[str, dict[str, Any]] = {"content_layers": {"content_weight": 30.0}}


def parse(axis: str, text: str) -> list[Any]:
    """The values in a field: numbers, or layers (several of one value with spaces between).

    Raises:
        SettingsError: there are none, or one is no number.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        example = "relu1_1, relu1_1 relu2_1" if axis in LAYERS else "0.5, 1, 4"
        raise SettingsError(f"{axis} has no values; write some, as in {example}")
    if axis in LAYERS:
        return [full_names(part.split()) for part in parts]
    try:
        # Whole numbers stay whole: 4 and 4.0 would be two results to those who keep them.
        return [int(part) if part.isdigit() else float(part) for part in parts]
    except ValueError as error:
        raise SettingsError(f"{axis} takes numbers, as in 0.5, 1, 4; not {text!r}") from error


def full_names(words: Sequence[str]) -> list[str]:
    """Layers' names from labels, which leave out a kind that was named before: relu1_1 2_1."""
    kind, names = "", []
    for word in words:
        if word[:1].isdigit():
            word = kind + word
        kind = word.rstrip("0123456789_")
        names.append(word)
    return names
