"""The commands `nst paint` and `nst train`: pictures in one pass, and painters of one's own."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from tqdm import tqdm

from nst.cli.film import FILM, clear, folder_of, frames_in, result_names
from nst.cli.options import add_output, described, listed
from nst.cli.output import print_line
from nst.cli.targets import STREAM, Target, is_folder, read_streams, spare
from nst.devices import pick_device
from nst.errors import SettingsError, WeightsError
from nst.files import check_place, expand, refusing
from nst.images import as_image
from nst.painters import (
    StylesPainter,
    Training,
    load_painter,
    paint,
    pictures_in,
    read_photographs,
    save_painter,
)
from nst.painters.training import STYLE_SIZE

PAINT_EPILOG = """\
examples:
  nst paint photo.jpg starry -o out.png
  nst paint photo.jpg starry waves --shares 0.7,0.3 --strength 0.8
  nst paint photo.jpg my_painting.jpg --size 768
  nst paint frames starry -o painted        every picture in the folder "frames"
  nst paint photo.jpg mine --painter mine.safetensors

The sample styles have a painter of their own; for any other picture there is one that sees it for
the first time, and is weaker. `nst photo.jpg starry` takes longer, and paints better.

Frames are painted one by one, and flicker: where the picture moves by a pixel, the painting changes
by 28 of 255 in the mean, and by 3 where it moves by four pixels. `nst frames starry` starts each
frame from the last one's painting.
"""

TRAIN_EPILOG = """\
examples:
  nst train my_painting.jpg --photos holiday -o mine.safetensors
  nst train starry waves --photos holiday --steps 6000 -o two.safetensors

A few hundred photographs are best; a few dozen will do. Ctrl-C ends the training early, and the
painter is written as it is then.
"""


def paint_in_one_pass(arguments: Sequence[str]) -> int:
    """The command `nst paint`; returns the exit status."""
    options = paint_parser().parse_intermixed_args(list(arguments))
    if len(options.pictures) < 2:
        raise SettingsError("give a photograph and a style, such as: nst paint cat.jpg starry")
    content, *styles = options.pictures
    numbers = options.shares or [1.0] * len(styles)
    if len(numbers) != len(styles):
        raise SettingsError(f"there are {len(styles)} styles and {len(numbers)} shares of them")
    target = Target.of(options)
    names = ("strength", "size", "strokes", "device")
    given = {name: getattr(options, name) for name in names}
    given["painter"] = load_painter(options.painter, options.device) if options.painter else None
    content, *styles = read_streams([content, *styles])
    shares: dict[Any, float] = {}
    for style, share in zip(styles, numbers, strict=True):
        shares[style] = shares.get(style, 0.0) + share
    if isinstance(content, str) and is_folder(content):
        target = target if options.output else replace(target, path=FILM)
        return paint_frames(Path(content), shares, given, target)
    target.check(*options.pictures)
    target.remember(content)
    target.put(paint(content, shares, **given))
    if target.path != STREAM:
        print_line(f"{target.path}: painted in one pass")
    return 0


def paint_frames(folder: Path, shares: dict[Any, float], given: dict[str, Any], to: Target) -> int:
    """Paint every picture in a folder into the folder `to.path`; returns the exit status."""
    frames, results = frames_in(folder), folder_of(to.path, folder)
    targets = [replace(to, path=results / name) for name in result_names(frames, to)]
    for frame, each in zip(frames, targets, strict=True):
        each.check(str(frame), *shares)
    for number, (frame, each) in enumerate(zip(tqdm(frames), targets, strict=True)):
        each.remember(frame)
        painting = paint(frame, shares, **given)
        if not number:
            clear(results, [each.path.name for each in targets], list(shares))
        each.put(painting)
    print_line(f"{results}: {len(frames)} pictures, each painted in one pass")
    return 0


def train_a_painter(arguments: Sequence[str]) -> int:
    """The command `nst train`; returns the exit status."""
    options = train_parser().parse_intermixed_args(list(arguments))
    out = expand(options.output, WeightsError)
    files = pictures_in(options.photos)
    spare([*options.styles, *map(str, files)], out)
    if options.steps < 1:
        raise SettingsError(f"--steps is a number of steps, 1 or more; not {options.steps}")
    with refusing(out, WeightsError):
        check_place(out)
    names = [Path(style).stem for style in options.styles]
    place = pick_device(options.device)
    painter = StylesPainter(names, options.channels, options.blocks).to(place)
    styles = [as_image(style, STYLE_SIZE, place) for style in options.styles]
    photographs = read_photographs(files)
    given = options.size, options.batch, options.style_weight
    training = Training(painter, photographs, styles, *given)
    status = 0
    try:
        with tqdm(total=options.steps, desc=", ".join(names)) as bar:
            for lesson in training.run(options.steps):
                bar.set_postfix_str(f"loss {lesson.loss:.3f}", refresh=False)
                bar.update()
    except KeyboardInterrupt:
        status = 130
    learned = {"photographs": len(photographs.pictures), "steps": training.number}
    save_painter(painter, out, {"styles": names} | learned)
    again = f"nst paint PHOTO {quote(names[0])} --painter {quote(str(out))}"
    print_line(f"{out}: {training.number} steps; {again}")
    return status


def paint_parser() -> argparse.ArgumentParser:
    """The options of `nst paint`."""
    parser = described("nst paint", "Paint a photograph in one pass of a network.", PAINT_EPILOG)
    add = parser.add_argument
    add(
        "pictures",
        nargs="*",
        metavar="PICTURE",
        help="the photograph, or a folder of a film's frames; then one or more styles to mix",
    )
    add_output(add)
    add("--strength", type=float, default=1.0, help="from 0, the photograph, to 1, the painting")
    add("--size", type=int, metavar="PIXELS", help="long side; by default the photograph's own")
    add(
        "--strokes",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="how large strokes are, from 1 to 64; 8 for a photograph of 4000 pixels",
    )
    add(
        "--shares",
        type=listed(float, "numbers, as 0.7,0.3"),
        metavar="SHARE",
        help="shares of the styles",
    )
    add("--painter", metavar="FILE", help="one that nst train has written")
    add("--device", help="cpu, cuda, mps; by default a GPU if there is one")
    parser.set_defaults(sidecar=False)
    return parser


def train_parser() -> argparse.ArgumentParser:
    """The options of `nst train`."""
    parser = described("nst train", "Train a painter of styles of your own.", TRAIN_EPILOG)
    add = parser.add_argument
    add("styles", nargs="+", metavar="STYLE", help="pictures or sample names")
    add("--photos", required=True, metavar="FOLDER", help="photographs to learn from")
    add("-o", "--output", type=Path, required=True, metavar="FILE", help="the weights")
    add("--steps", type=int, default=3000, help="3000 for each style are a good start")
    add("--size", type=int, default=128, metavar="PIXELS", help="of the crops to learn from (128)")
    add("--batch", type=int, default=3, help="crops at each step (3)")
    add(
        "--style-weight",
        type=float,
        default=15.0,
        metavar="W",
        help="of the style's loss, the content's being 1 (15)",
    )
    add(
        "--channels",
        type=listed(int, "three whole numbers, as 8,16,32"),
        default=[12, 24, 48],
        help="at each of its three sizes (12,24,48); the shipped one has 16,32,64",
    )
    add("--blocks", type=int, default=4, help="residual blocks (4)")
    add("--device", help="cpu, cuda, mps; by default a GPU if there is one")
    return parser
