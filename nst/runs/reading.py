"""Reading a saved run back: it is what was saved, or it is refused."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nst.errors import ImageError, SettingsError
from nst.files import expand, refusing
from nst.files.sealed import BrokenError, sha256, unseal
from nst.files.together import settle
from nst.images import read_settings
from nst.loop import State
from nst.runs.checking import check_run
from nst.runs.results import BESIDE, Result
from nst.settings import Settings, gone, make_settings


@dataclass
class Saved:
    """Where a run stood, on the CPU.

    Attributes:
        settings, history, seconds: as in `Result`.
        content, styles: the pictures in full size, (1, 3, H, W).
        masks, style_masks: theirs, (1, 1, H, W).
        state: of the loop.
        weights: the hash of its network's weights, by `nst.files.checkpoints.hash_weights`.
    """

    settings: Settings
    content: Tensor
    styles: list[Tensor]
    masks: list[Tensor]
    style_masks: list[Tensor]
    state: State
    history: list[dict[str, Any]]
    seconds: float
    weights: str


def read_run(run: str | os.PathLike | Result) -> Saved:
    """A run from the folder that `Result.save` wrote, or a copy of the result itself.

    Raises:
        SettingsError: there is none, it is not what was saved, or it cannot go on.
    """
    if isinstance(run, Result):
        file = io.BytesIO()
        torch.save(run.whole(), file)
        file.seek(0)
        whole = torch.load(file, map_location="cpu", weights_only=True)
    else:
        whole = read_folder(expand(run, SettingsError))
    try:
        check_run(whole)
        if old := gone(whole["settings"]):
            raise ValueError(old)
    except ValueError as error:
        raise SettingsError(
            f"the run cannot go on: {error}; start it again, with its settings.json"
        ) from error
    return Saved(
        make_settings(**whole["settings"]),
        whole["content"],
        whole["styles"],
        whole["masks"],
        whole["style_masks"],
        State(**whole["state"]),
        whole["history"],
        whole["seconds"],
        whole["weights"],
    )


def read_folder(folder: Path) -> dict[str, Any]:
    """What the folder's checkpoint.pt holds, if the files beside it are of the same run."""
    if os.path.isfile(folder):  # noqa: PTH113  (Path raises where a name is too long)
        raise SettingsError(f"{folder} is a file; give the folder that it is in")
    path = folder / "checkpoint.pt"
    try:
        with refusing(folder, ImageError):
            settle(folder)
        whole = unseal(path)
        beside = whole.pop("beside")
        if not (isinstance(beside, dict) and all(isinstance(n, str) for n in beside.values())):
            raise BrokenError("it does not name the files beside it")
        others = [name for name in BESIDE if (folder / name).exists()]
        changed = [name for name in others if sha256(folder / name) != beside[name]]
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SettingsError(
            f"{folder} holds no saved run: there is no checkpoint.pt in it"
        ) from error
    except (OSError, ImageError) as error:
        raise SettingsError(f"{path} cannot be read ({error}); check it") from error
    except (BrokenError, AttributeError, KeyError, TypeError) as error:
        if old := earlier(folder):
            raise SettingsError(
                f"the run cannot go on: {old}; start it again, with its settings.json"
            ) from error
        raise SettingsError(
            f"{path} is damaged, or another version of nst saved it; start the run again, with its "
            "settings.json"
        ) from error
    if changed:
        raise SettingsError(
            f"{folder / changed[0]} is not what the run in checkpoint.pt had saved; remove it to "
            "go on with that run"
        )
    return whole


def earlier(folder: Path) -> str | None:
    """A sentence if the settings beside a checkpoint are of an edition that is gone.

    Version 0.1 put no hash into its checkpoints: they are not read, but known by what is beside.
    """
    try:
        return gone(read_settings(folder / "settings.json"))
    except (ImageError, SettingsError):
        return None
