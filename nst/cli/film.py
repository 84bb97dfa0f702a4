"""The command `nst FOLDER STYLE`: a film's frames, each started from the last one's result."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from nst.cli.targets import STREAM, Target, looked_at, read_streams, spare
from nst.errors import ImageError, SettingsError
from nst.files import expand, write_json
from nst.files.encoding import SAVE_OPTIONS
from nst.files.kinds import is_picture_name
from nst.settings import make_settings
from nst.transfer import style_transfer

FILM = Path("out")  # the folder of the results, if none is named
LIST = "frames.json"  # in the folder of the results: their names, so that the next run knows them


def paint_film(given: dict[str, Any], machine: dict[str, Any], target: Target) -> int:
    """Paint every picture in a folder; returns the exit status.

    Args:
        given: settings; "content" is the folder. From the second frame on, only the largest of the
            sizes is painted, since the start is a painted picture already.
        machine: device and the like, for `style_transfer`.
        target: its path is the folder of the results.
    """
    folder, given = Path(given["content"]), {n: v for n, v in given.items() if n != "content"}
    frames, results = frames_in(folder), folder_of(target.path, folder)
    targets = [replace(target, path=results / name) for name in result_names(frames, target)]
    pictures = looked_at(given)
    for frame, each in zip(frames, targets, strict=True):
        each.check(str(frame), *pictures)
    settings, status = make_settings(**given), 0
    if not settings.styles:
        raise SettingsError("give a style picture after the folder, such as: nst frames starry")
    styles = read_streams(given.pop("styles"))
    later = {"sizes": settings.sizes[-1], "num_steps": settings.steps_at(len(settings.sizes) - 1)}
    for number, (frame, each) in enumerate(zip(frames, targets, strict=True)):
        if number:
            given |= later | {"init": str(targets[number - 1].path)}
        each.remember(frame)
        result = style_transfer(str(frame), styles, **given, **machine)
        if not number:
            clear(results, [each.path.name for each in targets], pictures)
        each.write(result)
        status = max(status, each.report(result))
        if result.reason == "interrupted":
            break
    return status


def frames_in(folder: Path) -> list[Path]:
    """The pictures in a folder: frame2 before frame10."""
    frames = [
        path
        for path in folder.iterdir()
        if is_picture_name(path.name) and not path.name.startswith(".") and not path.is_dir()
    ]
    if not frames:
        raise ImageError(f"there are no pictures in the folder '{folder}'; name one with frames")
    return sorted(frames, key=lambda path: [counted(p) for p in re.split(r"(\d+)", path.name)])


def counted(part: str) -> tuple[int, str]:
    """A part of a name as what to sort by: numbers by their size."""
    return (int(part), "") if part.isdecimal() else (0, part)


def folder_of(path: Path, frames: Path) -> Path:
    """Where the results go."""
    if path == STREAM or path.suffix.lower() in SAVE_OPTIONS:
        raise SettingsError("frames give many pictures; name a folder for them: -o FOLDER")
    path = expand(path)
    if path.resolve() == frames.resolve():
        raise SettingsError("the results would replace the frames; name another folder: -o FOLDER")
    return path


def result_names(frames: Sequence[Path], target: Target) -> list[str]:
    """The frames' names; as PNG where their own format is none to save in."""
    allowed = [kind for kind in SAVE_OPTIONS if not (target.keeps and kind.startswith(".j"))]
    names = [
        frame.name if frame.suffix.lower() in allowed else f"{frame.stem}.png" for frame in frames
    ]
    if twice := [name for name in names if names.count(name) > 1]:
        raise SettingsError(f"two of the frames would both become {twice[0]}; rename one")
    return names


def clear(folder: Path, names: list[str], pictures: Sequence[Any]) -> None:
    """Remove what an earlier run left in the folder, and note what this one writes there.

    The pictures that this one looks at stay.
    """
    for name in listed_in(folder / LIST):
        path = folder / Path(name).name
        with suppress(OSError, ValueError):  # a folder, no name of a file, or one of the pictures
            if path.suffix.lower() in SAVE_OPTIONS:
                spare(pictures, path)
                path.unlink(missing_ok=True)
    write_json(folder / LIST, {"frames": names})


def listed_in(path: Path) -> list[str]:
    """The names in such a list; none if there is no list, or if it is not ours."""
    found: Any = None
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_text(encoding="utf-8"))
    names = found.get("frames") if isinstance(found, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
