"""What the fields of settings may hold: type, range and length of each, whoever sends them.

Settings come from arguments, from JSON and from inside of pictures that anybody may have made. What
passes here is plain data of a bounded size; that a network, a layer or a picture of that name
exists is found out where it is loaded.
"""

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice
from numbers import Number
from typing import Any

from nst.errors import SettingsError

LAYERS, PICTURES, SIZES = 200, 16, 16  # at most: layers of a loss, style pictures, sizes
HISTORY = 200  # steps: each holds two pictures in memory
WEIGHT = 1e18
NAME, PATH = 100, 4096  # characters of a layer's or network's name; of a path or an address
# Torchvision's names of layers are of this kind too: "layer1.0.relu", "features.0".
WORD = re.compile(rf"[\w.:/-]{{1,{NAME}}}", re.ASCII)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # they would move a terminal's cursor
# A mask that is its own file: eight megabytes, as text.
DRAWN, DRAWING = re.compile(r"data:image/png;base64,[\w+/]+={0,2}", re.ASCII), 2**23
SHOWN = 60  # characters of a value in a sentence

LISTS = (
    *("sizes", "num_steps", "style_blend", "learning_rate_decay", "styles"),
    *("masks", "style_masks", "mask_weights", "layers_by_style"),
)
UNORDERED = (str, bytes, Mapping, set, frozenset)  # no lists, though one can walk through them
WEIGHTS = ("content_weight", "style_weight", "tv_weight")
LAYER_FIELDS = ("content_layers", "style_layers")
WHOLE = ("sizes", "num_steps", "seed", "history", "edition")


def plain(name: str, value: Any, together: float) -> Any:
    """The value as the field holds it: all kinds of numbers, lists and arrays become plain.

    Args:
        name: of the field.
        value: a single one also where the field holds several; for layers also names alone.
        together: what the weights of layers that are given by name add up to.

    Raises:
        SettingsError: layers that are neither names nor weights by name.
    """
    value = bare(value)
    if name in LAYER_FIELDS:
        if isinstance(value, Mapping):
            return {layer: bare(weight) for layer, weight in value.items()}
        names = [value] if isinstance(value, str) else value
        if not (isinstance(names, list | tuple) and all(isinstance(n, str) for n in names)):
            raise SettingsError(f"{name} are names, or weights by name; not {shown(value)}")
        return share(names, together)
    if isinstance(value, list | tuple):
        items: Any = (whole(item) if name in WHOLE else bare(item) for item in value)
        items = tuple(tuple(item) if isinstance(item, list) else item for item in items)
        if name == "learning_rate_decay":
            items = (*items[:1], *map(whole, items[1:]))
        if name == "layers_by_style":
            items = tuple((item,) if isinstance(item, str) else item for item in items)
        return items[0] if name == "style_scale" and len(items) == 1 else items
    value = whole(value) if name in WHOLE else value
    return (value,) if name in LISTS else value


def share(layers: Sequence[str], total: float = 1.0) -> dict[str, float]:
    """The same weight for every layer; they add up to `total`."""
    return {name: total / len(layers) for name in layers}


def check(values: Mapping[str, Any], choices: Mapping[str, Sequence[str | None]]) -> None:
    """Raise the SettingsError of the first value that makes no sense.

    Args:
        values: the fields of `Settings`, as `plain` leaves them.
        choices: what the fields that hold one of several words may hold.
    """
    for name, allowed in choices.items():
        if not (isinstance(values[name], str | None) and values[name] in allowed):
            words = ", ".join(word for word in allowed if word)
            raise SettingsError(f"{name} is one of {words}; not {shown(values[name])}")
    for name in LAYER_FIELDS:
        _check_layers(name, values[name])
    for name in WEIGHTS:
        _check_weight(name, values[name])
    for name, (rule, keeps) in RULES.items():
        if not keeps(values[name]):
            raise SettingsError(f"{rule}; not {shown(values[name])}")
    rate = values["learning_rate"]
    if rate is not None and rate < 0.1 and values["optimizer"] != "adam":
        raise SettingsError(
            f"learning_rate is a number, for L-BFGS at least 0.1, or leave it out; not {rate:g}"
        )
    _check_together(values)


def _check_together(values: Mapping[str, Any]) -> None:
    """Fields that exclude each other, or need each other."""
    statistic, normalisation = values["statistic"], values["normalisation"]
    layers = values["style_layers"]
    if statistic != "gram" and normalisation != "relative":
        raise SettingsError(
            f"the normalisation {normalisation} is of Gram matrices: with the statistic "
            f"{statistic} take normalisation='relative', and weights as the default preset's"
        )
    if values["masks"] and values["style_blend"]:
        raise SettingsError(
            "with masks each region has one style: give mask_weights in the place of style_blend"
        )
    named = [name for names in values["layers_by_style"] for name in names]
    if unknown := [name for name in named if name not in layers]:
        raise SettingsError(
            f"layers_by_style has {shown(unknown[0])}, which is none of the style's layers: take "
            f"some of {', '.join(layers)}"
        )
    if values["mask_weights"] and not values["masks"]:
        raise SettingsError("mask_weights are of regions: give masks, or leave them out")


def shown(value: Any) -> str:
    """A value in a sentence, shortened, without characters that a terminal would obey."""
    try:
        text = repr(value[: SHOWN + 1] if isinstance(value, str | bytes | list | tuple) else value)
    except (ValueError, RecursionError):
        return "a number of too many digits" if isinstance(value, int) else "this"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def nearest(name: str, known: Sequence[str]) -> str:
    """Which of the known names may have been meant, as the end of a sentence."""
    parts = [field for field in known if name in field.split("_")]
    close = parts or get_close_matches(name[:100], known, 1)
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"


def bare(value: Any) -> Any:
    """Numbers of any kind, arrays, tensors and sequences as Python's own; paths as text.

    Of what may have no end only a little more is taken than any field holds.
    """
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, Number) and not isinstance(value, int | float | complex):
        with suppress(ValueError, OverflowError):  # a signalling NaN; a fraction beyond all floats
            return float(value)  # type: ignore[arg-type]  # fractions, decimals, long doubles
    if isinstance(value, Iterable) and not isinstance(value, UNORDERED):
        return value if isinstance(value, list | tuple) else list(islice(value, LAYERS + 1))
    return value


def whole(value: Any) -> Any:
    """A whole number as an int, whatever kind of number it came as; anything else as `bare`."""
    value = bare(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_layers(name: str, layers: Any) -> None:
    """The weights by layer of a loss."""
    if not layers:
        raise SettingsError(
            "content and style have at least one layer each; a weight of 0 turns a loss off"
        )
    if len(layers) > LAYERS:
        raise SettingsError(f"{name} are {len(layers)} layers, and {LAYERS} are the most")
    for layer, weight in layers.items():
        if not _is_word(layer):
            raise SettingsError(
                f"a layer's name has letters, digits and . _ - : / only, and at most {NAME} of "
                f"them; {shown(layer)} cannot be one"
            )
        _check_weight(f"that of {layer}", weight)


def _check_weight(name: str, value: Any) -> None:
    if not is_number(value, 0, WEIGHT):
        raise SettingsError(
            f"weights are numbers of 0 or more, up to {WEIGHT:g}; {name} cannot be {shown(value)}"
        )


def is_number(value: Any, least: float, most: float) -> bool:
    """Whether it is a number within these bounds; neither True nor NaN is one."""
    # Compared, not converted: a whole number of 400 digits is no float.
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_whole(value: Any, least: int, most: int) -> bool:
    """Whether it is an int within these bounds."""
    return isinstance(value, int) and is_number(value, least, most)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and WORD.fullmatch(value) is not None


def _is_path(value: Any) -> bool:
    """Whether it may be the path, address or name of a file."""
    return isinstance(value, str) and 0 < len(value) <= PATH and not CONTROL.search(value)


def _is_mask(value: Any) -> bool:
    """Whether it may be a mask's name or path, or the mask itself, as a PNG in a data URL."""
    drawn = isinstance(value, str) and len(value) <= DRAWING and DRAWN.fullmatch(value)
    return bool(drawn) or _is_path(value)


def _are(value: Any, most: int, fit: Callable[[Any], bool]) -> bool:
    """Whether these are some values, at most so many, and each of them fits."""
    return isinstance(value, tuple) and 0 < len(value) <= most and all(map(fit, value))


def _are_sizes(value: Any) -> bool:
    fits = _are(value, SIZES, lambda size: is_whole(size, 1, 100_000))
    return fits and list(value) == sorted(set(value))


def _are_shares(value: Any) -> bool:
    fits = _are(value, PICTURES, lambda share: is_number(share, 0, WEIGHT))
    return value == () or (fits and sum(value) > 0)


def _are_scales(value: Any) -> bool:
    def fits(scale: Any) -> bool:
        return is_number(scale, 0.01, 10)

    return fits(value) or _are(value, PICTURES, fits)


def _are_names_of_layers(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= LAYERS and all(map(_is_word, value))


def _is_decay(value: Any) -> bool:
    if not (isinstance(value, tuple) and len(value) == 2):
        return False
    return is_number(value[0], math.ulp(0), 1) and is_whole(value[1], 1, 10**9)


# What a field holds, in words and as a function of its value.
RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "network": ("network is a network's name, such as vgg19_quarter", _is_word),
    "weights": (
        "weights is a file with a network's weights, or the name of a set of them",
        lambda value: value is None or _is_path(value),
    ),
    "edition": (
        "edition is the whole number that a run has recorded",
        lambda value: value is None or is_whole(value, 1, 10**6),
    ),
    "style_blend": (
        f"style_blend holds shares of 0 or more, not all 0, of at most {PICTURES} pictures",
        _are_shares,
    ),
    "style_scale": (
        f"style_scale is a number from 0.01 to 10, or one for each of at most {PICTURES} pictures",
        _are_scales,
    ),
    "layers_by_style": (
        f"layers_by_style are tuples of layers' names, one for each of at most {PICTURES} pictures",
        lambda value: value == () or _are(value, PICTURES, _are_names_of_layers),
    ),
    "mask_weights": (
        f"mask_weights are numbers from 0 to {WEIGHT:g}, not all 0, of at most {PICTURES} regions",
        _are_shares,
    ),
    "sizes": (
        f"sizes are whole pixels from coarse to fine, at most {SIZES} of them, each up to 100000",
        _are_sizes,
    ),
    "num_steps": (
        f"num_steps are whole numbers from 0 to 1000000, at most {SIZES} of them",
        lambda value: _are(value, SIZES, lambda steps: is_whole(steps, 0, 10**6)),
    ),
    "init": ("init is content, style, noise, painter, or a picture's path or name", _is_path),
    "seed": (
        f"seed is a whole number from 0 to {2**63 - 1}",
        lambda value: is_whole(value, 0, 2**63 - 1),
    ),
    "learning_rate": (
        "learning_rate is a number above 0 and up to 1e30",
        lambda value: value is None or is_number(value, math.ulp(0), 1e30),
    ),
    "learning_rate_decay": (
        "learning_rate_decay is a factor above 0 and up to 1, and a number of steps, as 0.8 and 50",
        _is_decay,
    ),
    "history": (
        f"history is a whole number from 1 to {HISTORY}",
        lambda value: is_whole(value, 1, HISTORY),
    ),
    "average": (
        "average is from 0 to less than 1",
        lambda value: is_number(value, 0, math.nextafter(1, 0)),
    ),
    "content": (
        "content is a picture's path, address or name",
        lambda value: value is None or _is_path(value),
    ),
    "masks": (
        f"masks are names or paths of at most {PICTURES} masks",
        lambda value: value == () or _are(value, PICTURES, _is_mask),
    ),
    "style_masks": (
        f"style_masks are names or paths of at most {PICTURES} masks",
        lambda value: value == () or _are(value, PICTURES, _is_mask),
    ),
    "styles": (
        f"styles are paths, addresses or names of at most {PICTURES} pictures",
        lambda value: value == () or _are(value, PICTURES, _is_path),
    ),
}
