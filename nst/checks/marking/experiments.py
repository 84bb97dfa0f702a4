"""What the experiment of problem set 5 needs: designs, cells, the judge, and its table."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from PIL import Image
from torch import Tensor

from nst.checks.common import Mistake
from nst.checks.marking.answers import Array, kind
from nst.checks.marking.networks import Tiny
from nst.checks.marking.oracles import array, gram


def plan(design: Any) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The axes of a design, by name and label, and what is fixed."""
    from nst.grids import axes

    if not isinstance(design, dict):
        raise Mistake(f"it returns {kind(design)}, not a dict.")
    return axes.split(design)


def alternatives(axes: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """The names of the layers of every alternative, on the axis of layers."""
    found = [axes[name] for name in ("content_layers", "style_layers") if name in axes]
    if len(found) != 1:
        raise Mistake("one axis of layers is wanted: content_layers or style_layers, as a list.")
    return [[a] if isinstance(a, str) else list(a) for a in found[0].values()]


def alone(axes: Mapping[str, Mapping[str, Any]]) -> None:
    """The layers are the only axis.

    Raises:
        Mistake: there is another one; also if it is a list of one item, as `sizes=[64]`.
    """
    for name, items in axes.items():
        if name not in ("content_layers", "style_layers") and len(items) == 1:
            (item,) = items.values()
            raise Mistake(
                f"{name}=[{item!r}] is a list, and every list is an axis: write {name}={item!r}."
            )
    if len(axes) > 1:
        raise Mistake(f"more than the layers changes: {', '.join(axes)}. One axis is enough.")


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise what `nst.make_settings` says of settings that make no sense."""
    from nst.settings import make_settings

    make_settings(**settings)


def judge(picture: Tensor, content: Tensor, style: Tensor) -> tuple[float, float]:
    """Content changed and style left, of problem set 5, seen by `Tiny`."""
    layers = ["relu2_2", "relu3_3", "relu4_3"]
    seen, wanted, painted = (Tiny()(x, layers) for x in (picture, content, style))

    def share(x: Array, y: Array) -> float:
        return float(((x - y) ** 2).sum() / (y**2).sum())

    changed = [share(array(seen[n]), array(wanted[n])) for n in layers]
    left = [share(gram(seen[n]), gram(painted[n])) for n in layers]
    return sum(changed) / len(layers), sum(left) / len(layers)


def experiment(greys: Mapping[str, int | None]) -> SimpleNamespace:
    """Stands for an experiment: cells by label, with plain grey pictures of 0-255, or None."""
    cells = [
        SimpleNamespace(
            labels={"style_layers": label},
            picture=None if grey is None else Image.new("RGB", (6, 4), (grey,) * 3),
            reason="failed" if grey is None else "finished",
        )
        for label, grey in greys.items()
    ]
    return SimpleNamespace(cells=cells, axes={"style_layers": list(greys)})


def brightness(picture: Tensor) -> tuple[float, float]:
    """Stands for a judge: the mean of a picture (1, 3, H, W), and 1 minus it."""
    if tuple(picture.shape) != (1, 3, 4, 6):
        raise Mistake(f"the judge was given {kind(picture)}, not a picture (1, 3, H, W).")
    mean = array(picture).mean()
    return float(mean), float(1 - mean)


def rows(points: Mapping[str, tuple[float | None, float | None]]) -> list[dict[str, Any]]:
    """Rows of a table by label: content changed, and style left."""
    return [
        {"label": label, "content changed": changed, "style left": left}
        for label, (changed, left) in points.items()
    ]
