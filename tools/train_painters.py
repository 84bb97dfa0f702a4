"""Train a painter on a folder of photographs.

    python tools/train_painters.py styles --photos FOLDER
    python tools/train_painters.py any --photos FOLDER --paintings FOLDER

After an interruption (Ctrl-C) the same command goes on, also with another size, batch, style weight
or number of steps. With other photographs it decodes these; other styles need another --out. Every
few minutes it prints the losses on pictures that were held out, and writes a sheet of paintings
beside the weights.
"""

import argparse
import signal
import time
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from nst.errors import SettingsError
from nst.images import load_image, save_image
from nst.losses import gram_matrix
from nst.painters.files import save_painter
from nst.painters.networks import AnyPainter, Painter, StylesPainter
from nst.painters.photographs import Photographs, pictures_in, read_photographs
from nst.painters.training import CONTENT_LAYERS, STYLE_SIZE, Lesson, Training, losses
from nst.settings import STYLE_LAYERS

STYLES = ("dots", "glass", "ink", "marble", "mosaic", "starry", "waves")
HELD_OUT = {"photos": 40, "paintings": 9}  # every so manieth, by name
SIDES = (320, 448)  # at which paintings are seen as styles


def main() -> None:
    """Train, and now and then look at held-out pictures."""
    args = arguments()
    torch.manual_seed(args.seed)
    photos, held_photos = split(args.photos, "photos")
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    painter, styles, held_styles = lessons(args, photos)
    painter = painter.to(device).to(memory_format=torch.channels_last)
    training = Training(
        painter,
        cached(photos, args.out.with_suffix(".photographs.pt")),
        styles,
        args.size,
        args.batch,
        args.style_weight,
        precision=args.precision,
        seed=args.seed,
        content_layers={name: float(w) for name, w in (x.split("=") for x in args.content_layers)},
    )
    state = args.out.with_suffix(".state.pt")
    if state.exists():
        go_on(training, state)
    watch(training, args, state, held_photos, held_styles)


def lessons(args: argparse.Namespace, photos: list[Path]) -> tuple[Painter, list, list]:
    """The painter, the styles that it learns, and those that it is looked at with."""
    if args.kind == "styles":
        painter = StylesPainter(args.styles, args.channels, args.blocks)
        return painter, [load_image(s, args.style_size) for s in args.styles], list(args.styles)
    paintings, held = split(args.paintings, "paintings")
    seen = [*paintings, *args.styles]
    styles = [load_image(path, side) for path in seen for side in SIDES]
    styles += [load_image(path, SIDES[1]) for path in photos[:: max(len(photos) // 60, 1)]]
    return AnyPainter(), styles, held


def split(folder: Path, kind: str) -> tuple[list[Path], list[Path]]:
    """The pictures of a folder: those to learn from, and those held out."""
    files = pictures_in(folder)
    held = files[:: HELD_OUT[kind]]
    return [path for path in files if path not in held], held


def cached(files: list[Path], path: Path) -> Photographs:
    """The photographs, decoded once, and anew if the files are others by name or size."""
    listed = [(file.name, file.stat().st_size) for file in files]
    kept = torch.load(path, weights_only=True) if path.exists() else None
    if isinstance(kept, dict) and kept["files"] == listed:
        photographs = Photographs([torch.zeros(1, 3, 1, 1)])
        photographs.pictures = kept["pictures"]
        return photographs
    if kept is not None:
        print(f"{path} is of other photographs: they are decoded anew")
    photographs = read_photographs(files)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"files": listed, "pictures": photographs.pictures}, path)
    return photographs


def go_on(training: Training, state: Path) -> None:
    """Go on with the training that was kept there; ends the program if that is another one."""
    try:
        training.load(torch.load(state, map_location=training.device, weights_only=True))
    except SettingsError as error:
        raise SystemExit(
            f"{state}: {error}; for other styles or shapes take another --out"
        ) from error


def watch(
    training: Training, args: argparse.Namespace, state: Path, photos: list[Path], styles: list
) -> None:
    """Train to the end; every `--every` seconds measure, draw, save."""
    pictures = [load_image(path, 384) for path in photos]
    bar = tqdm(total=args.steps, initial=training.number, smoothing=0.05, mininterval=60)
    looked, means = time.perf_counter(), [0.0, 0.0]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for lesson in training.run(args.steps, args.rate):
            bar.update()
            for i, value in enumerate((lesson.content, lesson.style)):
                means[i] += 0.01 * (value - means[i])
            if time.perf_counter() - looked > args.every or lesson.number == args.steps:
                report(lesson, means, training, args, pictures, styles)
                keep(training, state)
                looked = time.perf_counter()
    except KeyboardInterrupt:
        keep(training, state)


def keep(training: Training, path: Path) -> None:
    """Save what the training goes on from, in one step."""
    part = path.with_suffix(".part")
    torch.save(training.state(), part)
    part.replace(path)


@torch.no_grad()
def report(
    lesson: Lesson,
    means: list[float],
    training: Training,
    args: argparse.Namespace,
    photos: list[Tensor],
    styles: list,
) -> None:
    """Weights so far, the losses on held-out pictures, and a sheet of four photographs."""
    painter = training.painter.eval()
    device = next(painter.parameters()).device
    sheet, found, photos = [], [], photos[:4]
    for style in styles:
        picture = load_image(style, args.style_size).to(device)
        grams = {n: gram_matrix(f) for n, f in training.teacher(picture, STYLE_LAYERS).items()}
        condition = painter.condition(style if args.kind == "styles" else picture)
        row = [square(picture)]
        for photo in photos:
            painting = painter(photo.to(device), condition)
            given = painting, photo.to(device), grams, training.content_layers
            content, looks = losses(training.teacher, *given)
            found.append((content.item(), looks.item()))
            row.append(square(painting))
        sheet.append(torch.cat(row, 3))
    same = [painter(p.to(device), painter.unchanged(p.to(device))) for p in photos]
    sheet.append(torch.cat([torch.ones_like(square(same[0])), *map(square, same)], 3))
    save_image(torch.cat(sheet, 2).cpu(), args.out.with_suffix(".jpg"), quality=88)
    content, looks = (sum(column) / len(found) for column in zip(*found, strict=True))
    n = len(photos)
    by_style = " ".join(
        f"{Path(str(s)).stem}={sum(x[1] for x in found[n * i : n * (i + 1)]) / n:.3f}"
        for i, s in enumerate(styles)
    )
    tqdm.write(
        f"{time.strftime('%H:%M:%S')} step {lesson.number}: content {means[0]:.3f} style "
        f"{means[1]:.3f}; held out {content:.3f} {looks:.3f} ({by_style})"
    )
    learned = {"photographs": len(training.photographs.pictures), "steps": lesson.number}
    save_painter(painter, args.out, {"styles": list(painter.styles)} | learned)
    painter.train()


def square(image: Tensor, side: int = 224) -> Tensor:
    """The middle of a picture, for a sheet."""
    short = min(image.shape[-2:])
    top, left = ((length - short) // 2 for length in image.shape[-2:])
    middle = image[..., top : top + short, left : left + short]
    return torch.nn.functional.interpolate(middle, size=(side, side), mode="area").clamp(0, 1)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("kind", choices=("styles", "any"))
    add("--photos", type=Path, required=True, help="folder of photographs")
    add("--paintings", type=Path, help="folder of paintings, for a painter of any style")
    add("--styles", nargs="+", default=STYLES, help="sample names or files")
    add("--out", type=Path, help="the weights (outputs/painter_KIND.safetensors)")
    add("--steps", type=int, default=11000)
    add("--size", type=int, default=192, help="of the crops, in pixels")
    add("--batch", type=int, default=3)
    add("--channels", type=int, nargs=3, default=(16, 32, 64))
    add("--blocks", type=int, default=5)
    add("--style-weight", type=float, default=15.0, help="more later: up to 90 keeps shapes")
    add("--style-size", type=int, default=STYLE_SIZE, help="of styles that it is taught, in pixels")
    weights = [f"{name}={weight}" for name, weight in CONTENT_LAYERS.items()]
    add("--content-layers", nargs="+", default=weights, metavar="LAYER=WEIGHT")
    add("--rate", type=float, default=2e-3)
    add("--precision", choices=("float32", "bfloat16"), default="float32")
    add("--device")
    add("--seed", type=int, default=0)
    add("--every", type=float, default=240, help="seconds between two looks")
    args = parser.parse_args()
    args.out = args.out or Path(f"outputs/painter_{args.kind}.safetensors")
    return args


if __name__ == "__main__":
    main()
