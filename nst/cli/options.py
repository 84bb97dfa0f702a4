"""The options of the commands: `nst`, and `nst grid`."""

import argparse
from pathlib import Path

from nst.devices import PRECISIONS
from nst.networks import ARCHITECTURES, PADDINGS, POOLINGS
from nst.settings import CHOICES, PRESETS

TRANSFER_EPILOG = """\
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
    return parser


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
