"""Where the command's pictures come from and go to: files, and the standard streams."""

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from nst.cli.output import print_line
from nst.errors import SettingsError
from nst.files import expand
from nst.files.encoding import SAVE_OPTIONS, as_json, check_output
from nst.files.fields import PATH
from nst.images import Source, as_file, open_outline, save_image
from nst.runs.results import Result

STREAM = Path("-")  # standard input, or PNG to standard output
PICTURES = ("content", "style", "styles", "masks", "style_masks", "init")  # settings that name some
WRITTEN: list[Path] = []  # pictures, and folders of them, that this command has written so far


@dataclass
class Target:
    """Where a picture goes, and as what.

    Attributes:
        path: of the file; "-" for standard output.
        quality: of a JPEG or WebP; None for the default.
        sidecar: whether its settings are written beside it.
        keeps: whether the content's outline is kept.
        outline: it, once the content is known.
    """

    path: Path
    quality: int | None = None
    sidecar: bool = False
    keeps: bool = False
    outline: Image.Image | None = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Target":
        """The one that the command line asks for."""
        path = Path(options.output or "out.png")
        return cls(path, options.quality, options.sidecar, options.alpha == "keep")

    def check(self, *pictures: Any) -> None:
        """Raise now what `write` would raise after the work is done, or replace of the pictures."""
        if self.path != STREAM:
            spare(pictures, self.path)
            check_output(self.path, self.quality, self.keeps)
        elif self.sidecar or self.quality is not None:
            raise SettingsError("standard output gets a PNG and nothing beside it; give -o a file")
        elif sys.stdout is None:
            raise SettingsError("standard output is closed; give -o a file")

    def remember(self, content: Source) -> None:
        """Read the outline of the content, if it is to be kept."""
        self.outline = open_outline(content) if self.keeps else None

    def write(self, result: Result) -> None:
        """Write the run's picture, with its settings."""
        self.put(result.image, result.about())

    def put(self, image: Tensor, about: dict[str, Any] | None = None) -> None:
        """Write a picture to the file, or as PNG to standard output, with what is about it."""
        if self.path != STREAM:
            save_image(image, self.path, about, self.sidecar, self.quality, self.outline)
        else:
            data = as_file(image, SAVE_OPTIONS[".png"], as_json(about), self.outline)
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        WRITTEN.append(self.path)

    def report(self, result: Result) -> int:
        """Say where the picture is and why the run ended; returns the exit status."""
        loss = f"loss {result.delivered['total']:.4g}, " if result.delivered else ""
        spent = f"{len(result.history)} evaluations, {result.seconds:.0f} s"
        line = f"{self.path}: {loss}{spent}, {result.reason}"
        if came_to_nothing(result):
            line += " at once: the picture is still its start; try a smaller learning rate"
        print_line(line, sys.stderr if self.path == STREAM else sys.stdout)
        if result.reason == "interrupted":
            return 130
        return int(came_to_nothing(result))


def came_to_nothing(result: Result) -> bool:
    """Whether the run diverged before any step had lowered the loss."""
    totals = [record["total"] for record in result.history]
    return result.reason == "diverged" and not any(total < totals[0] for total in totals)


def so_far() -> str:
    """What there is of a command's pictures where it ends early."""
    if not WRITTEN:
        return "no picture was written"
    several = f"{len(WRITTEN)} pictures, the last of them " if len(WRITTEN) > 1 else ""
    return f"written so far: {several}{WRITTEN[-1]}"


def read_streams(pictures: list[str]) -> list[Any]:
    """The pictures, with what comes through standard input in the place of "-"."""
    if pictures.count(str(STREAM)) > 1:
        raise SettingsError("standard input holds one picture; give '-' once")
    if str(STREAM) in pictures and sys.stdin is None:
        raise SettingsError("standard input is closed; name a file in the place of '-'")
    return [sys.stdin.buffer.read() if name == str(STREAM) else name for name in pictures]


def spare(pictures: Iterable[Any], path: Path) -> None:
    """Raise the SettingsError of a file to be written that is one of the pictures, by name."""
    place = os.path.realpath(expand(path))
    if any(isinstance(it, str) and is_at(it, place) for it in pictures):
        raise SettingsError(f"'{path}' is one of the pictures: give -o another")


def looked_at(given: Mapping[str, Any]) -> list[str]:
    """The pictures that settings name, in lists and among a grid's alternatives too."""
    return [name for field in PICTURES for name in texts_in(given.get(field))]


def texts_in(value: Any) -> list[str]:
    """All texts in a value of a setting."""
    if isinstance(value, str):
        return [value]
    several = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(several, list | tuple):
        return []
    return [text for one in several for text in texts_in(one)]


def is_at(name: str, place: str) -> bool:
    """Whether a picture of that name is the file at that place."""
    if len(name) > PATH or "\0" in name:  # a mask that is its own file has megabytes
        return False
    return os.path.realpath(os.path.expanduser(name)) == place  # noqa: PTH111


def is_folder(name: str) -> bool:
    """Whether there is a folder of that name."""
    return os.path.isdir(name)  # noqa: PTH112  (Path raises where a name is too long)
