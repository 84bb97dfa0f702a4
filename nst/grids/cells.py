"""A cell of a grid of runs: its labels, its settings, and what became of it; on the disk too."""

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from nst.errors import NstError
from nst.files import write_json
from nst.files.sealed import sha256
from nst.images import open_image, preprocess_image, save_image
from nst.runs.checking import are_losses, check_history, demand, is_number
from nst.runs.job import say
from nst.settings import Settings, make_settings


@dataclass
class Cell:
    """A run of a grid, and its picture or the reason why there is none.

    Attributes:
        settings: with which `style_transfer` repeats it; rebalanced, if that was asked for.
        labels: its place on each axis.
        picture: a PIL image, or None.
        history, seconds, reason, delivered: as in `nst.Result`; the reason is "failed" where there
            is an error, "not run" where there is neither.
        error: why there is no picture, or None.
    """

    settings: Settings
    labels: dict[str, str] = field(default_factory=dict)
    picture: Image.Image | None = None
    history: list[dict[str, Any]] = field(default_factory=list, repr=False)
    seconds: float = 0.0
    reason: str = "not run"
    error: str | None = None
    delivered: dict[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Its line in a table: labels, how it ended, the weights used, losses of the picture."""
        ended = {"reason": self.reason, "error": self.error, "seconds": self.seconds}
        terms = ("content_weight", "style_weight", "tv_weight")
        weights = {f"used {name}": getattr(self.settings, name) for name in terms}
        evaluations = {"evaluations": len(self.history)}
        return self.labels | ended | evaluations | weights | self.delivered

    def save(self, folder: Path, key: str) -> None:
        """Write the picture and then, as the sign that all is there, its JSON with their hashes."""
        path = find(folder, key) or folder / f"{slug(self.labels)}{key}.json"
        settings = self.settings.to_dict()
        if self.picture:
            about = settings | {"delivered": self.delivered}
            save_image(preprocess_image(self.picture), path.with_suffix(".png"), about)
        plain = ("labels", "reason", "error", "seconds", "history", "delivered")
        values = {"settings": settings} | {name: getattr(self, name) for name in plain}
        values["picture"] = sha256(path.with_suffix(".png")) if self.picture else None
        write_json(path, values | {"hash": hash_of(values)})


def load_cell(folder: Path, key: str, settings: Settings) -> Cell | None:
    """The cell that was saved under that key, if it is there and whole.

    `settings` are those that it is to have. One that is damaged or of other settings, or whose
    picture is another, is not there, which is said.
    """
    path = find(folder, key)
    if path is None:
        return None
    try:
        saved = json.loads(path.read_bytes())
        hashed, picture = saved.pop("hash"), path.with_suffix(".png")
        whole = hashed == hash_of(saved)
        check_cell(saved)
        if whole and (expected := saved.pop("picture")):
            whole = expected == sha256(picture)
            saved["picture"] = open_image(picture)
        cell = Cell(**saved | {"settings": make_settings(**saved["settings"])})
        if whole and nameless(cell.settings) == nameless(settings):
            return cell
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, NstError):
        pass
    say(f"'{path}' is damaged, or not of this grid; the cell counts as not run")
    return None


def check_cell(saved: dict[str, Any]) -> None:
    """Raise a ValueError for anything else than what `Cell.save` writes."""
    labels, seconds = saved["labels"], saved["seconds"]
    texts = labels.items() if isinstance(labels, dict) else [None]
    demand(all(isinstance(t, tuple) and isinstance(t[1], str) for t in texts), "no labels")
    demand(isinstance(saved["reason"], str), "no reason")
    demand(isinstance(saved["error"], str | None), "no error")
    demand(is_number(seconds) and seconds >= 0, "no time")
    demand(are_losses(saved["delivered"]), "no losses")
    check_history(saved["history"], [])


def hash_of(values: dict[str, Any]) -> str:
    """Of plain data."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def nameless(settings: Settings) -> Settings:
    """The settings without what a saved cell may have otherwise: names, and rebalanced weights."""
    weights = {"content_weight": 1.0, "style_weight": 1.0}
    masks = {"masks": ("",) * len(settings.masks), "style_masks": ("",) * len(settings.style_masks)}
    return replace(settings, content=None, styles=(), init="", **weights, **masks)  # type: ignore[arg-type]


def find(folder: Path, key: str) -> Path | None:
    """Where the cell with that key was saved, whatever its labels were then."""
    return next(folder.glob(f"*{key}.json"), None)


def slug(labels: dict[str, str]) -> str:
    """The labels as the beginning of a file's name."""
    words = [re.sub(r"[^\w.=+-]+", "-", label).strip("-.") for label in labels.values()]
    return "".join(f"{word}_" for word in words)[:80]
