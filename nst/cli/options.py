"""The options of the commands: `nst`, and `nst grid`."""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from nst.control.masks import NAMED
from nst.devices import PRECISIONS
from nst.files.kinds import is_picture_name
from nst.images import sample_names
from nst.networks import ARCHITECTURES, PADDINGS, POOLINGS, SCALES
from nst.settings import CHOICES, PRESETS

TRANSFER_EPILOG = """\
more commands:
  nst samples          names of the sample pictures, which can stand for paths
  nst layers NETWORK   the layers of a network: channels, stride, receptive field, …
  nst presets          the published settings that --preset knows
  nst grid FILE        many runs: every combination of some settings; nst grid --help
  nst paint            a picture, or a film's frames, in one pass of a network; nst paint --help
  nst train            such a network for styles of your own; nst train --help

examples:
  nst astronaut starry -o out.png
  nst cat.jpg starry waves --style-blend 0.7,0.3 --size 768 -o out.png
  nst cat.jpg starry waves --mask fur.png -o out.png     waves where the mask is black
  nst cat.jpg mosaic --colour content --style-scale 1.5 --statistic nearest
  nst --settings out.png -o again.png
  nst cat.jpg starry --resume run       after Ctrl-C, or with more --steps, it goes on
  nst frames starry -o painted          a film: every picture in the folder "frames"
  curl ADDRESS | nst - starry -o - | display

Lists are separated by commas. "-" is standard input, and PNG to standard output. What follows "--"
is a picture, even if its name begins with a dash.
"""

GRID_EPILOG = """\
FILE is TOML. What is under [axes] is tried each with each, the last one along the columns;
alternatives are a list, or have labels:

  [fixed]
  content = "astronaut"
  sizes = [256, 512]
  [axes]
  style = ["starry", "waves"]
  [axes.style_layers]
  fine = ["relu1_1", "relu2_1"]
  coarse = ["relu4_1", "relu5_1"]

Names are those of nst.grid: any setting; content, style, preset; device, rebalance.

The folder gets cells/, contact_sheet.png, loss_curves.png and results.csv. Run the command again to
go on after an interruption: finished cells are kept, failed ones tried again.
"""


def transfer_parser() -> argparse.ArgumentParser:
    """Options left out are None: then the preset or the settings file decides."""
    parser = described(
        "nst", "Paint the content picture in the style of another, or of several.", TRANSFER_EPILOG
    )
    add = parser.add_argument
    add_files(add)
    add_network(add)
    add_weights(add)
    add_control(add)
    add_run(add)
    return parser


def add_files(add: Callable[..., Any]) -> None:
    """The options of what is read and written, and how large it is."""
    add(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help="the content, then one or more styles: paths, URLs or sample names; a folder as the "
        "content holds a film's frames, of which each is started from the last one's result",
    )
    add_output(add)
    add(
        "--resume",
        metavar="FOLDER",
        help="keep the run in this folder, and go on with it if it is there already",
    )
    add("--settings", type=Path, metavar="FILE", help="repeat the run of this JSON or PNG")
    add("--preset", choices=list(PRESETS), help="published settings")
    add(
        "--size",
        type=listed(int, "whole numbers, as 256,512"),
        dest="sizes",
        metavar="PIXELS",
        help="long side; several, as 256,512: coarse to fine",
    )
    add(
        "--steps",
        type=listed(int, "whole numbers, as 40,30"),
        dest="num_steps",
        metavar="N",
        help="steps at each size",
    )


def add_output(add: Callable[..., Any]) -> None:
    """The options of what is written."""
    add("-o", "--output", metavar="FILE", help="PNG, JPEG or WebP (out.png); a folder for frames")
    add("--quality", type=int, metavar="N", help="of JPEG and WebP, from 1 to 100 (95)")
    add(
        "--alpha",
        choices=("white", "keep"),
        default="white",
        help="lay a transparent photograph on white, or keep its outline",
    )


def add_network(add: Callable[..., Any]) -> None:
    """The options of the network that looks at the pictures."""
    add("--network", help=f"{', '.join(ARCHITECTURES)}, or a torchvision classifier")
    add("--weights", metavar="FILE", help="weights for the network")
    add("--pooling", choices=POOLINGS)
    add("--padding", choices=PADDINGS)
    add("--scale", choices=SCALES, help="make mean activations 1, of each layer or filter")


def add_weights(add: Callable[..., Any]) -> None:
    """The options of the losses: at which layers, with which weights."""
    for name, example in (("content", "relu4_2"), ("style", "relu1_1,relu3_1=0.5")):
        add(
            f"--{name}-layers",
            type=listed(str, "layers, as relu1_1,relu3_1"),
            metavar="LAYER[=WEIGHT]",
            help=f"such as {example}",
        )
    add("--content-weight", type=float, metavar="W")
    add("--style-weight", type=float, metavar="W")
    add("--tv-weight", type=float, metavar="W", help="of the total-variation loss")


def add_run(add: Callable[..., Any]) -> None:
    """The options of the run: start, optimiser, machine, and what it leaves on its way."""
    add("--init", help="content, style, noise, painter, or a picture to start from")
    add("--seed", type=int, help="of the noise")
    add("--optimizer", choices=CHOICES["optimizer"])
    add("--bounds", choices=CHOICES["bounds"], help="how pixels are kept in [0, 1]")
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


def add_control(add: Callable[..., Any]) -> None:
    """The options of what a style is, and which goes where, in which colours and strokes."""
    add(
        "--style-blend",
        type=listed(float, "numbers, as 0.7,0.3"),
        metavar="SHARE",
        help="shares of the styles",
    )
    add(
        "--style-scale",
        type=listed(float, "numbers, as 1,0.5"),
        metavar="FACTOR",
        help="size of the style pictures, and so of strokes; several: of each, or of each mask's",
    )
    add("--statistic", choices=CHOICES["statistic"], help="what of the activations is the style")
    add("--colour", choices=CHOICES["colour"], help="whose colours it has, or from which it starts")
    masks = listed(str, "masks, as left,right", between=",")
    add(
        "--mask",
        dest="masks",
        type=masks,
        metavar="MASK",
        help=f"where each style is painted: white in a picture, or {', '.join(NAMED)}",
    )
    add(
        "--style-mask",
        dest="style_masks",
        type=masks,
        metavar="MASK",
        help="which part of each style picture counts",
    )
    add(
        "--mask-weights",
        type=listed(float, "numbers, as 1,0.5"),
        metavar="W",
        help="factors of the style's weight in each mask",
    )
    add(
        "--layers-by-style",
        type=listed(names_of_layers, "layers, as relu1_1+relu2_1,relu4_1"),
        metavar="LAYER+LAYER",
        help="for each style picture the layers that it is for, as relu1_1+relu2_1,relu4_1",
    )


def parse_transfer(arguments: Sequence[str]) -> argparse.Namespace:
    """The options and pictures that `nst` was given; argparse exits where it does not know them."""
    words = list(arguments)
    end = words.index("--") if "--" in words else len(words)  # argparse would split there wrongly
    options = transfer_parser().parse_intermixed_args(join_lists(words[:end]))
    options.pictures += words[end + 1 :]
    return options


def names_of_layers(word: str) -> tuple[str, ...]:
    """Layers with a plus between them; "all" for all of them."""
    return () if word == "all" else tuple(word.split("+"))


def listed(
    kind: Callable[[str], Any], example: str, between: str = r"[,\s]+"
) -> Callable[[str], list[Any]]:
    """Reads a list with commas between its items."""

    def read(text: str) -> list[Any]:
        try:
            if items := [kind(item) for item in re.split(between, text) if item]:
                return items
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} is no list of {example}")

    return read


def is_number(word: str) -> bool:
    """Whether it may go on a list of numbers."""
    return re.fullmatch(r"[\d.,]+", word) is not None


def is_layer(word: str) -> bool:
    """Whether it may go on a list of layers: it is nothing that a picture could be."""
    if not re.fullmatch(r"[A-Za-z][\w.:]{0,99}(=.*)?", word):
        return False
    names = [name for names in sample_names().values() for name in names]
    return not (word in names or is_picture_name(word) or Path(word[:200]).exists())


LISTS = {
    "--size": is_number,
    "--steps": is_number,
    "--style-blend": is_number,
    "--style-scale": is_number,
    "--mask-weights": is_number,
    "--content-layers": is_layer,
    "--style-layers": is_layer,
}


def join_lists(words: Iterable[str]) -> list[str]:
    """The words, with commas in lists that were given with spaces: `--size 256 512`.

    A list ends before the first word that cannot be part of it, so that pictures may follow.
    """
    joined: list[str] = []
    fits: Callable[[str], bool] | None = None
    begun = False
    for word in words:
        if word.startswith("--"):
            option, equals, _ = word.partition("=")
            fits = next((LISTS[name] for name in LISTS if name.startswith(option)), None)
            begun = bool(equals)
        elif fits and begun and word and fits(word):
            joined[-1] += f",{word}"
            continue
        elif begun:
            fits = None
        else:
            begun = True
        joined.append(word)
    return joined


def grid_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = described("nst grid", "Run every combination of some settings.", GRID_EPILOG)
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the settings, fixed ones and axes")
    add("-o", "--output", type=Path, metavar="FOLDER", help="by default the file's name")
    add(
        "--executor",
        metavar="WHERE",
        help="processes:N, or dask://HOST:PORT of a scheduler; by default a process for each core",
    )
    return parser


def described(program: str, purpose: str, epilog: str) -> argparse.ArgumentParser:
    """A parser without options yet, whose help ends with `epilog` as it stands."""
    return argparse.ArgumentParser(
        prog=program,
        description=purpose,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
