"""What a run gives back, and the folder in which it can be kept."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from nst.files import write_json
from nst.files.sealed import seal, sha256
from nst.files.together import write_together
from nst.images import postprocess_image, save_image
from nst.settings import Settings

BESIDE = ("picture.png", "settings.json", "history.json")  # stand by the checkpoint, which has all


@dataclass
class Result:
    """What a run gives back.

    Attributes:
        image: the picture, (1, 3, H, W) in [0, 1], on the CPU: the running average if one was
            asked for, else the picture with the lowest loss at the last size reached.
        delivered: the loss of the picture as one gets it, with 256 levels: its terms, at the last
            size, and their sum as "total". Empty where memory was too short to measure it.
        history: every step's number, size, total, terms, seconds and share of values at 0 or 1; the
            last one's also what was `delivered`.
        settings: with them the run can be repeated.
        seconds: how long it took.
        reason: why it ended: "finished", "stopped" (by the callback), "interrupted" (Ctrl-C),
            "stalled" (the loss no longer moves), "diverged" (it exploded) or "out of memory" (the
            picture is then the best so far, which may be of a smaller size).
    """

    image: Tensor
    delivered: dict[str, float]
    history: list[dict[str, Any]]
    settings: Settings
    seconds: float
    reason: str
    checkpoint: dict[str, Any] = field(repr=False)

    def save(self, folder: str | os.PathLike) -> Path:
        """Write picture.png, settings.json, history.json and checkpoint.pt, for `resume`.

        The four change together or not at all. Returns the folder. Raises `ImageError` if it
        cannot be written to.
        """
        return write_together(folder, self.write)

    def write(self, folder: Path) -> None:
        """Write the four files into an empty folder."""
        save_image(self.image, folder / "picture.png", self.about())
        write_json(folder / "settings.json", self.settings.to_dict())
        write_json(folder / "history.json", self.history)
        beside = {name: sha256(folder / name) for name in BESIDE}
        seal(self.whole() | {"beside": beside}, folder / "checkpoint.pt")

    def about(self) -> dict[str, Any]:
        """What goes into the picture's file: the settings, and the losses of what was delivered."""
        return self.settings.to_dict() | {"delivered": self.delivered}

    def whole(self) -> dict[str, Any]:
        """All that `resume` needs, as plain data and tensors; see `nst.runs.reading`."""
        more = {"history": self.history, "seconds": self.seconds, "reason": self.reason}
        return self.checkpoint | more

    def _repr_png_(self) -> bytes | None:
        return postprocess_image(self.image)._repr_png_()
