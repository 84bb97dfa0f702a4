"""The command `nst CONTENT STYLE`: one transfer, its picture and its frames."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from nst.errors import ImageError, SettingsError
from nst.files import write_atomically
from nst.images import check_output, open_image, read_settings, save_image
from nst.loop import Step
from nst.settings import make_settings
from nst.transfer import style_transfer


def paint(options: argparse.Namespace) -> int:
    """Run a transfer, write its picture, and say where it is and why the run ended."""
    given = {name: value for name, value in vars(options).items() if value not in (None, [])}
    output, sidecar = given.pop("output"), given.pop("sidecar")
    check_output(output)
    frames = Frames(output, given.pop("save_every", 0))
    if "settings" in given and "preset" in given:
        raise SettingsError("--settings and --preset exclude each other; give one of them")
    if "settings" in given:
        saved = read_settings(given.pop("settings"))
        make_settings(**saved)  # whatever else a file holds would become arguments
        given = saved | given
    for name in ("content_layers", "style_layers"):
        if isinstance(given.get(name), list):
            given[name] = layer_weights(given[name])
    content, *styles = given.pop("pictures", [None])
    content, styles = content or given.get("content"), styles or given.get("styles")
    given = {n: value for n, value in given.items() if n not in ("content", "styles")}
    if not content or not styles:
        raise SettingsError("give a content and a style picture, such as: nst astronaut starry")
    result = style_transfer(content, styles, callback=frames, **given)
    save_image(result.image, output, result.about(), sidecar)
    frames.animate()
    if frames.problem:
        raise frames.problem
    loss = f"loss {result.delivered['total']:.4g}, " if result.delivered else ""
    spent = f"{len(result.history)} evaluations, {result.seconds:.0f} s"
    print(f"{output}: {loss}{spent}, {result.reason}")
    return 130 if result.reason == "interrupted" else 0


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
        self.folder = output.with_name(f"{output.stem}_frames")
        self.every = every
        self.paths: list[Path] = []
        self.problem: ImageError | None = None

    def __call__(self, step: Step) -> bool:
        """Write the step's picture, if it is its turn; stop the run if that fails."""
        again = step.number == 0 and self.paths  # the last size's picture, enlarged
        if self.every and step.number % self.every == 0 and not again:
            path = self.folder / f"{len(self.paths):05d}.png"
            try:
                self.paths.append(save_image(step.image, path))
            except ImageError as problem:
                self.problem = problem
        return self.problem is not None

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
