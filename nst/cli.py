"""The command line: `nst CONTENT STYLE -o out.png`, also as `python -m nst`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from nst.cli_grid import paint_grid
from nst.devices import PRECISIONS
from nst.errors import ImageError, NstError, SettingsError
from nst.features import layer_table
from nst.files import write_atomically
from nst.images import (
    check_output,
    open_image,
    read_settings,
    sample_names,
    save_image,
)
from nst.loop import Step
from nst.networks import ARCHITECTURES, PADDINGS, POOLINGS, load_network
from nst.settings import CHOICES, PRESETS, make_settings
from nst.transfer import style_transfer

EPILOG = """\
more commands:
  nst samples          names of the sample pictures, which can stand for paths
  nst layers NETWORK   the layers of a network: channels, stride, receptive field, …
  nst presets          the published settings that --preset knows
  nst grid FILE        many runs: every combination of some settings; nst grid --help

examples:
  nst astronaut starry -o out.png
  nst cat.jpg starry waves --style-blend 0.7 0.3 --size 768 -o out.png
  nst --settings out.png -o again.png
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0; 1 if cells of a grid failed; 2 for an error; 130 after Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    commands = {"samples": print_samples, "layers": print_layers, "presets": print_presets}
    try:
        if arguments[:1] == ["grid"]:
            return paint_grid(*arguments[1:])
        if arguments and arguments[0] in commands:
            if len(arguments) > 1 + (arguments[0] == "layers"):
                raise SettingsError("nst layers takes one network, samples and presets nothing")
            commands[arguments[0]](*arguments[1:])
            return 0
        return paint(transfer_parser().parse_intermixed_args(arguments))
    except NstError as error:
        print(f"nst: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("nst: interrupted; no picture was written", file=sys.stderr)
        return 130


def transfer_parser() -> argparse.ArgumentParser:
    """Options left out are None: then the preset or the settings file decides."""
    parser = argparse.ArgumentParser(
        prog="nst",
        description="Paint the content picture in the style of another, or of several.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help="the content, then one or more styles: paths, URLs or sample names",
    )
    add("-o", "--output", type=Path, default=Path("out.png"), help="PNG, JPEG or WebP (out.png)")
    add("--settings", type=Path, metavar="FILE", help="repeat the run of this JSON or PNG")
    add("--preset", choices=list(PRESETS), help="published settings")
    add(
        "--size",
        type=int,
        nargs="+",
        dest="sizes",
        metavar="PIXELS",
        help="long side; several numbers: coarse to fine",
    )
    add("--steps", type=int, nargs="+", dest="num_steps", metavar="N", help="steps at each size")
    add("--network", help=f"{', '.join(ARCHITECTURES)}, or a torchvision classifier")
    add("--weights", metavar="FILE", help="weights for the network")
    add("--pooling", choices=POOLINGS)
    add("--padding", choices=PADDINGS)
    add("--content-layers", nargs="+", metavar="LAYER[=WEIGHT]", help="such as relu4_2")
    add("--style-layers", nargs="+", metavar="LAYER[=WEIGHT]", help="such as relu1_1 relu3_1=0.5")
    add("--content-weight", type=float, metavar="W")
    add("--style-weight", type=float, metavar="W")
    add("--tv-weight", type=float, metavar="W", help="of the total-variation loss")
    add("--style-blend", type=float, nargs="+", metavar="SHARE", help="shares of the styles")
    add("--style-scale", type=float, metavar="FACTOR", help="size of the style pictures")
    add("--init", help="content, style, noise, or a picture to start from")
    add("--seed", type=int, help="of the noise")
    add("--optimizer", choices=CHOICES["optimizer"])
    add("--learning-rate", type=float, metavar="RATE")
    add("--average", type=float, metavar="DECAY", help="running average of the pictures, as 0.99")
    add("--device", help="cpu, cuda, mps; by default a GPU if there is one")
    add("--memory-limit", metavar="BYTES", help="such as 8GB: larger pictures by tiles")
    add("--precision", choices=PRECISIONS, help="of the network; tf32 is the default on NVIDIA's")
    add(
        "--save-every",
        type=int,
        metavar="N",
        help="also a picture every N steps and an animation, in OUTPUT_frames/",
    )
    add("--sidecar", action="store_true", help="also the settings as JSON beside the picture")
    return parser


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
    save_image(result.image, output, result.settings.to_dict(), sidecar)
    frames.animate()
    if frames.problem:
        raise frames.problem
    print(f"{output}: {len(result.history)} evaluations, {result.seconds:.0f} s, {result.reason}")
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


def print_samples() -> None:
    """The sample pictures' names."""
    for kind, names in sample_names().items():
        print(f"{kind}: {' '.join(names)}")


def print_layers(network: str = "vgg19_quarter") -> None:
    """A network's layer table, which needs no trained weights."""
    table = layer_table(load_network(network, weights="random"))
    print(f"{'layer':28}{'channels':>9}{'stride':>8}{'sees':>6}{'parameters':>12}{'smallest':>10}")
    for row in table:
        name, *numbers = ("-" if value is None else value for value in row)
        widths = (9, 8, 6, 12, 10)
        cells = (f"{value:>{w}}" for value, w in zip(numbers, widths, strict=True))
        print(f"{name:28}{''.join(cells)}")


def print_presets() -> None:
    """The presets' names and what they reproduce."""
    for name, preset in PRESETS.items():
        print(f"{name:18}{preset.note}")
    print("All run on the built-in network; the published ones used VGG-19: --network vgg19.")
