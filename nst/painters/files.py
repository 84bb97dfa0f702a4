"""Painters as files: safetensors in float16, with the styles' names in the file's header."""

import json
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from nst.devices import pick_device
from nst.errors import WeightsError
from nst.files import write_atomically
from nst.files.checkpoints import PACKAGED
from nst.files.encoding import as_json
from nst.files.weights import find, read_weights
from nst.painters.networks import AnyPainter, Painter, StylesPainter

SHIPPED = {name: PACKAGED / f"painter_{name}.safetensors" for name in ("styles", "any")}


def save_painter(
    painter: Painter, path: str | os.PathLike, about: dict[str, Any] | None = None
) -> Path:
    """Write a painter's weights as float16; `about` is plain data on how they were made.

    What belongs to the encoder is left out, since it comes with the package.

    Raises:
        SettingsError: `about` does not fit into JSON.
        WeightsError: the file cannot be written.
    """
    state = painter.state_dict().items()
    learned = {n: v.detach().cpu().half().contiguous() for n, v in state if not is_encoder(n)}
    header: dict[str, Any] = {"painter": "any"}
    if isinstance(painter, StylesPainter):
        header = {"painter": "styles", "styles": painter.styles}
        header |= {"channels": painter.channels, "blocks": painter.blocks}
    text = as_json(header if about is None else header | {"about": about})
    content = save(learned, {"nst": cast(str, text)})
    return write_atomically(Path(path), lambda file: file.write(content), WeightsError)


def load_painter(
    painter: str | os.PathLike = "styles", device: torch.device | str = "cpu"
) -> Painter:
    """A painter: "styles" (the package's own, of its seven styles), "any", or a file of one.

    Its attribute `styles` holds the names of the styles that it was taught; for a painter of any
    style there are none. `about` holds what `save_painter` was told, None for nothing. Painters
    are kept: the same file gives the same one.

    Raises:
        SettingsError: there is no such device.
        WeightsError: there is no such file, it is damaged, or it holds no painter.
    """
    path = SHIPPED.get(str(painter)) or find(painter)
    return _load(str(path), path.stat().st_mtime_ns, pick_device(device))


def knows(painter: Painter, styles: Sequence[Any]) -> bool:
    """Whether it was taught all these styles; a file of such a name comes first, as elsewhere."""
    names = [style for style in styles if isinstance(style, str) and style in painter.styles]
    return len(names) == len(styles) and not any(Path(name).is_file() for name in names)


@lru_cache(maxsize=8)
def _load(path: str, changed: int, device: torch.device) -> Painter:
    state = read_weights(path)
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["nst"])
        painter = empty(header)
        missing, strange = painter.load_state_dict(state, strict=False)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} holds no painter; nst.load_painter('styles') is one") from error
    if strange or not all(map(is_encoder, missing)):
        raise WeightsError(f"{path} holds another painter than it says; get it again")
    about = header.get("about")
    painter.about = about if isinstance(about, dict) else None
    layout = torch.contiguous_format if device.type == "mps" else torch.channels_last
    return painter.eval().requires_grad_(False).to(device).to(memory_format=layout)


def empty(header: dict[str, Any]) -> Painter:
    """A painter with the shape that the header of a file says, before its weights are loaded."""
    if header["painter"] == "any":
        return AnyPainter()
    return StylesPainter(header["styles"], header["channels"], header["blocks"])


def is_encoder(name: str) -> bool:
    """Whether a weight of that name is the encoder's."""
    return name.startswith("encoder.")
