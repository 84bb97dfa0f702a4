"""From lists of alternatives to labelled tasks: each combination is a cell of a grid."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch

from nst.control.masks import load_mask
from nst.control.regions import spread
from nst.errors import SettingsError, WeightsError
from nst.files.checkpoints import CAFFE, hash_weights
from nst.files.weights import find
from nst.grids.workers import Task, pack, unpack
from nst.images import as_image
from nst.networks import ARCHITECTURES, Network, load_network
from nst.settings import Settings, make_settings, settled
from nst.transfer import listed, name_of, style_sides

PICTURES = ("content", "style", "init", "masks", "style_masks")
LAYERS = ("content_layers", "style_layers")
STARTS = ("content", "style", "noise", "painter")  # what init may be besides a picture

Axes = dict[str, dict[str, Any]]  # axis → label → alternative


def split(settings: Mapping[str, Any]) -> tuple[Axes, dict[str, Any]]:
    """The axes, in their order, and what is the same for all cells; see `grid` for the rule.

    Raises:
        SettingsError: an axis without alternatives, or with two of the same label.
    """
    axes, fixed = {}, {}
    for name, value in settings.items():
        if isinstance(value, range) or (isinstance(value, np.ndarray) and name not in PICTURES):
            value = np.asarray(value).tolist()
        weights = name in LAYERS and _are_weights(value)
        if isinstance(value, Mapping) and not weights:
            axes[name] = {str(label): alternative for label, alternative in value.items()}
        elif isinstance(value, list):
            axes[name] = dict(zip(labels(name, value), value, strict=True))
        else:
            fixed[name] = value
        if name in axes and not axes[name]:
            raise SettingsError(f"{name} has no alternatives; list at least one")
    return axes, fixed


def _are_weights(value: Any) -> bool:
    """Whether it is a dict of layers' weights, rather than one of labels and alternatives."""
    return isinstance(value, Mapping) and all(isinstance(w, int | float) for w in value.values())


def labels(name: str, alternatives: Sequence[Any]) -> list[str]:
    """A short text for each alternative of an axis, no two the same."""
    for describe in (_short, _long):
        texts = [describe(name, value, index) for index, value in enumerate(alternatives)]
        if len(set(texts)) == len(texts):
            return texts
    twice = next(label for label in texts if texts.count(label) > 1)
    raise SettingsError(
        f"two alternatives of {name} are called {twice!r}; "
        f"give labels, as {name}={{'a': …, 'b': …}}"
    )


def _short(name: str, value: Any, index: int) -> str:
    if name in PICTURES and value is not None:
        several = value if isinstance(value, tuple | list) else [value]
        return " + ".join(_picture(picture, index) for picture in several) or "none"
    if name in LAYERS and value is not None:
        return _layers([value] if isinstance(value, str) else value)
    return text(value)


def _long(name: str, value: Any, index: int) -> str:
    return str(value) if isinstance(value, str | Path | float) else _short(name, value, index)


def _picture(picture: Any, index: int) -> str:
    """A sample's name, a file's without folder and extension, or its number on the axis."""
    if not isinstance(picture, str | Path):
        return f"picture {index + 1}"
    return Path(urlsplit(str(picture)).path).stem or str(picture)


def _layers(layers: Sequence[str] | Mapping[str, float]) -> str:
    """Their names, without a kind that was named just before: relu1_1 2_1 conv3_1."""
    words, last = [], ""
    for name in layers:
        kind = (re.match("[a-z]+(?=[0-9])", name) or [""])[0]
        word = name.removeprefix(kind) if kind == last else name
        words.append(f"{word}={text(layers[name])}" if isinstance(layers, Mapping) else word)
        last = kind
    return " ".join(words)


def text(value: Any) -> str:
    """A label for a plain value."""
    if value is None:
        return "default"
    if isinstance(value, Network):
        return str(value.settings.get("network"))
    if isinstance(value, tuple | list):
        return ", ".join(text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def combinations(axes: Axes, fixed: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], dict]]:
    """The labels and the values of every cell; the last axis varies fastest."""
    for chosen in itertools.product(*(axis.items() for axis in axes.values())):
        pairs = dict(zip(axes, chosen, strict=True))
        values = {name: value for name, (_, value) in pairs.items()}
        yield {name: label for name, (label, _) in pairs.items()}, {**fixed, **values}


class Planner:
    """Makes tasks of cells' values, loading every picture once."""

    def __init__(self, axes: Axes, device: torch.device | str | None):
        self.firsts = {n: next(iter(axes[n].values())) for n in LAYERS if n in axes}
        self.device = device
        self.pictures: dict[Any, np.ndarray] = {}
        self.hashes: dict[tuple[str | None, ...], str | None] = {}

    def task(self, values: Mapping[str, Any]) -> Task:
        """The task for these settings and pictures.

        Raises:
            SettingsError, ImageError: a setting that makes no sense, a picture that cannot be had.
        """
        changes = {name: value for name, value in values.items() if value is not None}
        content, init = changes.pop("content", None), changes.pop("init", None)
        styles, preset = changes.pop("style", None), changes.pop("preset", "default")
        where, within = (listed(changes.pop(name, None)) for name in ("masks", "style_masks"))
        rebalance = changes.pop("rebalance", True)
        if content is None or styles is None:
            raise SettingsError("a grid needs pictures: content=… and style=…")
        if "styles" in changes:
            raise SettingsError("several styles at once are a tuple: style=('starry', 'waves')")
        styles = list(styles) if isinstance(styles, tuple | list) else [styles]
        names = [name_of(style) for style in styles]
        settings = make_settings(
            preset,
            content=name_of(content),
            styles=names if all(names) else None,
            init=None if init is None else name_of(init) or "given",
            masks=[name_of(mask) or "given" for mask in where],
            style_masks=[name_of(mask) or "given" for mask in within],
            **_by_name(changes),
        )
        if isinstance(network := changes.get("network"), Network):
            settings = replace(settings, **network.settings)  # None included
        settings = settled(settings)
        packed = self.packed(content, max(settings.sizes))
        sides = style_sides(settings, len(styles))
        seen = [self.packed(style, side) for style, side in zip(styles, sides, strict=True)]
        start: str | np.ndarray = settings.init
        if start not in STARTS:
            start = self.packed(init, min(settings.sizes[0], max(packed.shape)))
        return Task(
            settings,
            self.reference(settings, preset) if rebalance and self.firsts else None,
            packed,
            tuple(seen),
            start,
            None if self.device is None else str(self.device),
            tuple(packed_mask(mask, packed) for mask in where),
            tuple(map(packed_mask, within, spread(seen, len(within)))),
            self.hashed(settings, changes.get("network")),
        )

    def hashed(self, settings: Settings, network: object) -> str | None:
        """The hash of the network's weights where these are a file; None for a set by its name."""
        made = settings.made()
        if made not in self.hashes:
            self.hashes[made] = None
            with suppress(WeightsError):  # of none: if it is none either, the cells will say so
                find((settings.weights or "").removeprefix(CAFFE))
                loaded = network if isinstance(network, Network) else load_network(*made)
                self.hashes[made] = loaded.source
        return self.hashes[made]

    def reference(self, settings: Settings, preset: str) -> Settings:
        """The settings with the layers that others are balanced against: the preset's.

        These are VGG's; for another network it is the axis's first.
        """
        usual = settings.network in ARCHITECTURES
        plain = make_settings(preset, **({} if usual else self.firsts))
        changes: dict[str, Any] = {name: getattr(plain, name) for name in self.firsts}
        return replace(settings, **changes)

    def packed(self, picture: Any, size: int) -> np.ndarray:
        """The picture, its long side at most `size`, as workers get it."""
        key = (picture if isinstance(picture, str | Path) else id(picture), size)
        if key not in self.pictures:
            self.pictures[key] = pack(as_image(picture, size, torch.device("cpu")))
        return self.pictures[key]


def packed_mask(mask: Any, picture: np.ndarray) -> np.ndarray:
    """A mask over a packed picture, as workers get it."""
    return pack(load_mask(mask, unpack(picture, torch.device("cpu"))))


def _by_name(changes: dict[str, Any]) -> dict[str, Any]:
    """The settings with a loaded network replaced by how it was loaded."""
    network = changes.get("network")
    if not isinstance(network, Network):
        return changes
    if not network.settings or hash_weights(network) != network.loaded:
        raise SettingsError(
            "workers load the network themselves: give one as load_network made it, or save its "
            "weights and name the file, load_network(…, weights=…)"
        )
    if clash := [name for name in network.settings if name != "network" and name in changes]:
        raise SettingsError(f"the network is loaded already; give {clash[0]} to load_network")
    return changes | network.settings
