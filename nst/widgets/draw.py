"""Drawing fast enough to follow a slider: NumPy and Pillow only."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# 17 colours of matplotlib's magma (dark to bright) and PuOr, reversed (negative to positive); what
# lies between is interpolated. Both can be told apart by the colour-blind.
MAGMA = (
    "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 "
    "fea772 fec488 fde2a3 fcfdbf"
)
PURPLE_TO_ORANGE = (
    "2d004b 451871 5f3a91 7b6aa8 9990bf b7b1d5 cfcfe5 e4e5f0 f7f7f6 fce8cd fed59f fdbc6b ee9b39 "
    "d97b12 bd6109 9e4c07 7f3b08"
)


def _table(colours: str) -> np.ndarray:
    """256 colours, (256, 3) uint8, through the given ones."""
    given = np.array([list(bytes.fromhex(colour)) for colour in colours.split()], float)
    places = np.linspace(0, len(given) - 1, 256)
    columns = [np.interp(places, np.arange(len(given)), given[:, k]) for k in range(3)]
    return np.rint(np.stack(columns, 1)).astype(np.uint8)


BRIGHTER, SIGNED = _table(MAGMA), _table(PURPLE_TO_ORANGE)


def colour(values: np.ndarray, most: float, signed: bool) -> np.ndarray:
    """Values of any shape as colours, (…, 3) uint8.

    From 0 (black) to `most` (pale yellow), or, if `signed`, from -`most` (purple) over 0 (white)
    to `most` (orange). What lies beyond gets the last colour.
    """
    shares = values / most if most > 0 else np.zeros_like(values)
    places = (shares + 1) * 127.5 if signed else shares * 255
    return (SIGNED if signed else BRIGHTER)[np.clip(np.rint(places), 0, 255).astype(np.uint8)]


def greatest(values: np.ndarray) -> float:
    """The greatest absolute value."""
    return float(np.abs(values).max(initial=0))


def enlarged(image: Image.Image, times: int) -> Image.Image:
    """The picture, each side so many times as long, without smoothing."""
    size = (image.width * times, image.height * times)
    return image.resize(size, Image.Resampling.NEAREST)


class Sheet(NamedTuple):
    """Maps side by side, `columns` in a row of `rows`; every one has the same cell of the grid."""

    image: Image.Image
    rows: int
    columns: int


def columns_for(number: int) -> int:
    """How many maps stand in a row."""
    return min(number, 8 if number <= 64 else 16 if number <= 256 else 32)


def sheet(maps: np.ndarray, signed: bool, width: int = 768, gap: int = 2) -> Sheet:
    """Maps (C, H, W) in rows, each scaled to its own greatest value; about `width` pixels wide."""
    number, height, wide = maps.shape
    columns = columns_for(number)
    rows = -(-number // columns)
    side = max(4, width // columns - gap)
    tile = (side, max(4, round(side * height / wide)))
    method = Image.Resampling.NEAREST if wide < tile[0] else Image.Resampling.BOX
    cell = (tile[0] + gap, tile[1] + gap)
    canvas = Image.new("RGB", (columns * cell[0], rows * cell[1]), "white")
    for index, values in enumerate(maps):
        shrunk = np.asarray(Image.fromarray(values).resize(tile, method))
        drawn = Image.fromarray(colour(shrunk, greatest(values), signed))
        row, column = divmod(index, columns)
        canvas.paste(drawn, (column * cell[0] + gap // 2, row * cell[1] + gap // 2))
    return Sheet(canvas, rows, columns)


def over(
    picture: Image.Image, values: np.ndarray, block: int, signed: bool, blend: float
) -> Image.Image:
    """A map over the picture that it was computed from, which shows through by 1 - `blend`.

    An activation lies over the `block` × `block` pixels that it stands for; borders that are too
    narrow for one stay as they are.
    """
    heat = enlarged(Image.fromarray(colour(values, greatest(values), signed)), block)
    whole = picture.copy()
    whole.paste(Image.blend(picture.crop((0, 0, *heat.size)), heat, blend), (0, 0))
    return whole


def ringed(image: Image.Image, places: Sequence[tuple[float, float]]) -> Image.Image:
    """The picture with numbered rings around these places (x, y), in its pixels."""
    image = image.copy()
    pen, radius = ImageDraw.Draw(image), max(7, max(image.size) / 36)
    font = ImageFont.load_default(radius * 1.25)
    for number, (x, y) in enumerate(places, start=1):
        box = (x - radius, y - radius, x + radius, y + radius)
        pen.ellipse(box, outline="black", width=5)
        pen.ellipse((box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1), outline="white", width=3)
        # Beside the ring, on the side where there is room.
        side = radius * 1.7 if x + 3 * radius < image.width else -radius * 1.7
        pen.text(
            (x + side, y), str(number), "white", font, "mm", stroke_width=2, stroke_fill="black"
        )
    return image


def beside(images: Sequence[Image.Image], height: int = 360, gap: int = 8) -> Image.Image:
    """Pictures in a row, all of that height."""
    scaled = [
        image.resize((round(image.width * height / image.height), height)) for image in images
    ]
    canvas = Image.new("RGB", (sum(i.width + gap for i in scaled) - gap, height), "white")
    left = 0
    for image in scaled:
        canvas.paste(image, (left, 0))
        left += image.width + gap
    return canvas


def below(images: Sequence[Image.Image], gap: int = 8) -> Image.Image:
    """Pictures one under the other."""
    width = max(image.width for image in images)
    canvas = Image.new("RGB", (width, sum(i.height + gap for i in images) - gap), "white")
    top = 0
    for image in images:
        canvas.paste(image, (0, top))
        top += image.height + gap
    return canvas


def titled(image: Image.Image, text: str, tall: int = 22) -> Image.Image:
    """The picture under a line of text, which is made smaller where it would not fit."""
    canvas = Image.new("RGB", (image.width, image.height + tall), "white")
    size = 0.7 * tall
    font = ImageFont.load_default(
        min(size, size * image.width / ImageFont.load_default(size).getlength(text))
    )
    ImageDraw.Draw(canvas).text((0, tall / 2), text, "black", font, "lm")
    canvas.paste(image, (0, tall))
    return canvas


def spots(values: np.ndarray, number: int = 5, apart: float = 1.0) -> list[tuple[int, int]]:
    """The (row, column) of the greatest positive values of a map, the greatest first.

    Each is more than `apart` away from those before it, in rows and in columns counted together
    (Euclidean), so that one bright patch does not take all of them.
    """
    left = np.array(values, float)
    rows, columns = np.indices(left.shape)
    found: list[tuple[int, int]] = []
    while len(found) < number:
        row, column = np.unravel_index(int(left.argmax()), left.shape)
        if left[row, column] <= 0:
            break
        found.append((int(row), int(column)))
        left[np.hypot(rows - row, columns - column) <= apart] = -np.inf
    return found


def field_box(row: int, column: int, stride: int, field: int) -> tuple[int, int, int, int]:
    """The pixels that an activation of a VGG sees: left, top, right, bottom (both excluded).

    It may reach beyond the picture, where the network sees its padding.
    """
    left, top = ((2 * place * stride + stride - field) // 2 for place in (column, row))
    return left, top, left + field, top + field


def numbered(tile: Image.Image, number: int) -> Image.Image:
    """The picture with a number in its upper left corner."""
    tile = tile.copy()
    font = ImageFont.load_default(tile.height / 5)
    pen = ImageDraw.Draw(tile)
    pen.text((5, 2), str(number), "white", font, stroke_width=2, stroke_fill="black")
    return tile


def patch(picture: Image.Image, box: tuple[int, int, int, int], side: int) -> Image.Image:
    """That part of the picture, grey beyond its borders, `side` pixels wide and high."""
    canvas = Image.new("RGB", (box[2] - box[0], box[3] - box[1]), "#b8b8b8")
    canvas.paste(picture, (-box[0], -box[1]))
    return canvas.resize((side, side), Image.Resampling.BICUBIC)
