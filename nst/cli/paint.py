"""The command `nst CONTENT STYLE`: one transfer, its picture and its frames."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nst.cli.film import FILM, paint_film
from nst.cli.output import print_line
from nst.cli.targets import STREAM, Target, is_at, is_folder, looked_at, read_streams
from nst.errors import ImageError, SettingsError
from nst.files import check_place, expand, refusing, write_atomically
from nst.files.together import settle
from nst.images import open_image, read_settings, save_image
from nst.loop import Step
from nst.networks import of_one_network
from nst.runs.results import Result
from nst.settings import make_settings
from nst.transfer import resume, style_transfer

MACHINE = ("device", "precision", "memory_limit")  # they decide nothing about the picture
OUTPUT = ("output", "quality", "alpha", "sidecar", "save_every", "resume")


def paint(options: argparse.Namespace) -> int:
    """Run a transfer, write its picture, and say where it is and why the run ended."""
    given = {name: value for name, value in vars(options).items() if value not in (None, [])}
    machine = {name: given.pop(name) for name in MACHINE if name in given}
    target, every, folder = Target.of(options), options.save_every or 0, options.resume
    given = settings_of({name: v for name, v in given.items() if name not in OUTPUT})
    if "content" in given and is_folder(given["content"]):
        if every or folder:
            raise SettingsError("--save-every and --resume are for one picture, not for frames")
        return paint_film(given, machine, target if options.output else replace(target, path=FILM))
    target.check(*looked_at(given))
    frames = Frames(target.path, every)
    frames.check(looked_at(given))
    run = expand(folder, SettingsError) if folder else None
    if run:
        with refusing(run, SettingsError):
            check_place(run / "checkpoint.pt")
            settle(run)
    if run and (run / "checkpoint.pt").exists():
        result = go_on(run, given, machine, target, frames)
    else:
        result = start(given, machine, target, frames)
    target.write(result)
    status = target.report(result)
    if run:
        result.save(run)
    try:
        frames.animate()
    except KeyboardInterrupt:
        print_line("nst: interrupted; the picture is written, its animation is not", sys.stderr)
        return 130
    if frames.problem:
        raise frames.problem
    return status


def settings_of(given: dict[str, Any]) -> dict[str, Any]:
    """What the options, the pictures and a settings file say together: arguments of settings."""
    if "settings" in given and "preset" in given:
        raise SettingsError("--settings and --preset exclude each other; give one of them")
    if "settings" in given:
        saved = read_settings(given.pop("settings"))
        # Whatever else a file holds would become arguments.
        before = make_settings(**saved).network
        if given.get("network", before) != before:
            saved |= of_one_network(given["network"])
        given = saved | given
    for name in ("content_layers", "style_layers"):
        if isinstance(given.get(name), list):
            given[name] = layer_weights(given[name])
    content, *styles = given.pop("pictures", [None])
    named = {"content": content, "styles": styles}
    return given | {name: value for name, value in named.items() if value}


def start(
    given: dict[str, Any], machine: dict[str, Any], target: Target, frames: "Frames"
) -> Result:
    """Run a transfer."""
    given = dict(given)
    content, styles = given.pop("content", None), given.pop("styles", None)
    if not content or not styles:
        raise SettingsError("give a content and a style picture, such as: nst astronaut starry")
    content, *styles = read_streams([content, *styles])
    target.remember(content)
    return style_transfer(content, styles, callback=frames, **given, **machine)


def go_on(
    run: Path, given: dict[str, Any], machine: dict[str, Any], target: Target, frames: "Frames"
) -> Result:
    """Go on with the run in the folder, perhaps for another number of steps."""
    saved = make_settings(**read_settings(run / "settings.json")).to_dict()
    target.check(*looked_at(saved))
    frames.check(looked_at(saved))
    content = given.get("content") or saved["content"]
    if content == str(STREAM):
        given = {name: value for name, value in given.items() if name != "content"}
    if str(STREAM) in given.get("styles", []):
        given = {name: value for name, value in given.items() if name != "styles"}
    asked = make_settings(**(given if "preset" in given else saved | given)).to_dict()
    asked |= {name: saved[name] for name in ("content", "styles") if name not in given}
    steps = asked.pop("num_steps") if "num_steps" in given else saved["num_steps"]
    if other := [n for n, value in asked.items() if value is not None and value != saved[n]]:
        raise SettingsError(
            f"the run in '{run}' has another {other[0]}: leave it out to go on with that run, or "
            "name another folder for a new one"
        )
    if steps != saved["num_steps"] and len(steps) > 1:
        raise SettingsError("a run goes on with one number as --steps, or with those that it had")
    if target.keeps and content:
        target.remember(read_streams([content])[0])
    new = None if steps == saved["num_steps"] else steps[0]
    return resume(run, new, callback=frames, **machine)


def layer_weights(words: Sequence[str]) -> list[str] | dict[str, float]:
    """Layers as names, or with weights as in "relu1_1=0.5"."""
    if not any("=" in word for word in words):
        return list(words)
    weights = {}
    for word in words:
        name, _, number = word.partition("=")
        try:
            weights[name] = float(number or 1)
        except ValueError as error:
            raise SettingsError(f"{word!r} is not a layer and a number, as relu1_1=0.5") from error
    return weights


class Frames:
    """A callback that writes a picture every so many steps; 0 for none."""

    def __init__(self, output: Path, every: int):
        if every < 0:
            raise SettingsError("--save-every is a number of steps, 1 or more")
        if every and output == STREAM:
            raise SettingsError("--save-every puts pictures beside the output; give -o a file")
        self.folder = output.with_name(f"{output.stem}_frames")
        self.every = every
        self.paths: list[Path] = []
        self.problem: ImageError | None = None

    def check(self, pictures: Sequence[str]) -> None:
        """Raise the SettingsError of pictures that would be taken for an earlier run's frames."""
        folder = os.path.realpath(expand(self.folder))
        if self.every and any(is_at(os.path.dirname(it), folder) for it in pictures):  # noqa: PTH120
            raise SettingsError(
                f"one of the pictures is in '{self.folder}', which gets those of --save-every: "
                "give -o another file"
            )

    def __call__(self, step: Step) -> bool:
        """Write the step's picture, if it is its turn; stop the run if that fails."""
        again = step.number == 0 and self.paths  # the last size's picture, enlarged
        if self.every and step.number % self.every == 0 and not again:
            path = self.folder / f"{len(self.paths):05d}.png"
            try:
                self.paths.append(save_image(step.image, path))
                if len(self.paths) == 1:
                    self.clear()
            except ImageError as problem:
                self.problem = problem
        return self.problem is not None

    def clear(self) -> None:
        """Remove what an earlier run left in the folder, so that only this one's is there."""
        folder = self.paths[0].parent
        old = {path for path in folder.glob("*.png") if re.fullmatch(r"\d{5}", path.stem)}
        with refusing(folder, ImageError):
            for path in old - set(self.paths) | {folder / "animation.webp"}:
                path.unlink(missing_ok=True)

    def animate(self) -> None:
        """Write animation.webp from the frames, all as large as the last."""
        if self.paths:
            frames = [open_image(path) for path in self.paths]
            frames = [frame.resize(frames[-1].size) for frame in frames]
            write_atomically(
                self.folder / "animation.webp",
                lambda file: frames[0].save(
                    file, "WEBP", save_all=True, append_images=frames[1:], duration=150, loop=0
                ),
            )
