"""Paint two photographs in two styles under every control and with every statistic, as one sheet:
python tools/control_sheet.py docs/controls.jpg.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

import nst
from nst.images import Picture, open_image, postprocess_image
from nst.statistics import STATISTICS

PAIRS = (("astronaut", "starry"), ("astronaut", "ink"), ("cat", "mosaic"), ("cat", "waves"))
OTHER = {"starry": "mosaic", "ink": "starry", "mosaic": "ink", "waves": "glass"}
SIZE, CELL, GAP, LABEL = 256, 200, 4, 22  # pixels
FINE, COARSE = ("relu1_1", "relu2_1"), ("relu3_1", "relu4_1", "relu5_1")

# What stands above each column, and the settings with which its cells are painted.
CONTROLS: dict[str, dict] = {
    "colours: content": {"colour": "content"},
    "colours: match": {"colour": "match"},
    "colours: histogram": {"colour": "histogram"},
    "style scale 0.5": {"style_scale": 0.5},
    "style scale 2": {"style_scale": 2.0},
    "coarse; fine of another": {"layers_by_style": (COARSE, FINE)},
    "left; right of another": {"masks": ("left", "right")},
}
TWO = ("layers_by_style", "masks")  # settings that take another style picture besides


def main() -> None:
    """Paint, arrange, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    statistics: dict[str, dict] = {name: {"statistic": name} for name in STATISTICS}
    sheet = Image.new("RGB", (7 * (CELL + GAP) - GAP, 2 * band_height() + 2 * GAP), "white")
    first: list[tuple[str, Callable]] = [("photograph and style", given)]
    first += [(name, painted(settings)) for name, settings in statistics.items()]
    first += [("only the colours", recoloured)]
    second = [(name, painted(settings)) for name, settings in CONTROLS.items()]
    for number, columns in enumerate((first, second)):
        sheet.paste(band(columns), (0, number * (band_height() + 2 * GAP)))
    sheet.save(out, quality=64, optimize=True, progressive=True)


def painted(settings: dict) -> Callable[[str, str], Image.Image]:
    """A function that paints a photograph in a style, with these settings."""

    def paint(photograph: str, style: str) -> Image.Image:
        styles: list[Picture] = [style]
        if settings.keys() & set(TWO):
            styles.append(OTHER[style])
        result = nst.style_transfer(photograph, styles, sizes=SIZE, **settings)
        print(f"{photograph} × {style}, {settings}: {result.seconds:.0f} s", flush=True)
        return postprocess_image(result.image)

    return paint


def given(photograph: str, style: str) -> Image.Image:
    """The photograph, with the style in its corner."""
    picture = ImageOps.fit(open_image(photograph), (CELL, CELL), Image.Resampling.LANCZOS)
    inset = ImageOps.fit(open_image(style), (CELL * 2 // 5,) * 2, Image.Resampling.LANCZOS)
    picture.paste(inset, (CELL - inset.width, CELL - inset.height))
    return picture


def recoloured(photograph: str, style: str) -> Image.Image:
    """The photograph with the style's mean and covariance of colours, in one pass."""
    pictures = (nst.load_image(name, SIZE) for name in (photograph, style))
    return postprocess_image(nst.transfer_colours(*pictures))


def band(columns: list[tuple[str, Callable[[str, str], Image.Image]]]) -> Image.Image:
    """A row of labels, and below it a row of square cells for each pair."""
    sheet = Image.new("RGB", (len(columns) * (CELL + GAP) - GAP, band_height()), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for x, (label, make) in enumerate(columns):
        draw.text((x * (CELL + GAP) + 2, 2), label, "black", font)
        for y, pair in enumerate(PAIRS):
            cell = ImageOps.fit(make(*pair), (CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(cell, (x * (CELL + GAP), LABEL + y * (CELL + GAP)))
    return sheet


def band_height() -> int:
    """Of the labels and all rows, in pixels."""
    return LABEL + len(PAIRS) * (CELL + GAP) - GAP


if __name__ == "__main__":
    main()
