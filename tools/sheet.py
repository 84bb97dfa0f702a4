"""Paint photographs in every style, as one sheet.

python tools/sheet.py docs/styles.jpg               two, by the optimiser
python tools/sheet.py docs/painters.jpg --one-pass  four, by one pass, and below by the optimiser
"""

import argparse
from pathlib import Path

from PIL import Image, ImageOps

import nst
from nst.images import open_image, postprocess_image

PHOTOGRAPHS = ("astronaut", "cat", "coffee", "rocket")
CELL, SMALL, GAP = 240, 124, 6  # pixels: of the cells of either sheet, and between them
QUALITY = {CELL: None, SMALL: 60}


def main() -> None:
    """Paint, arrange, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--one-pass", action="store_true")
    options = parser.parse_args()
    styles = nst.sample_names()["style"]
    photographs = PHOTOGRAPHS if options.one_pass else PHOTOGRAPHS[:2]
    rows: list[list[Image.Image | None]] = [[None, *map(open_image, styles)]]
    for photograph in photographs:
        whole: list[Image.Image | None] = [open_image(photograph)]
        if options.one_pass:
            rows.append(whole + [in_one_pass(photograph, style) for style in styles])
            whole = [None]
        rows.append(whole + [paint(photograph, style) for style in styles])
    cell = SMALL if options.one_pass else CELL
    sheet = arrange(rows, cell)
    nst.save_image(nst.preprocess_image(sheet), options.out, quality=QUALITY[cell])


def in_one_pass(photograph: str, style: str) -> Image.Image:
    """The photograph in the style, at 384 pixels."""
    return postprocess_image(nst.paint(photograph, style, size=384))


def paint(photograph: str, style: str) -> Image.Image:
    """The photograph in the style, with the default settings at 256 pixels: the cells are small."""
    result = nst.style_transfer(photograph, style, sizes=256)
    print(f"{photograph} × {style}: {result.seconds:.0f} s", flush=True)
    return postprocess_image(result.image)


def arrange(rows: list[list[Image.Image | None]], cell: int) -> Image.Image:
    """A table of square cells on white; None leaves a cell empty."""
    pitch = cell + GAP
    size = (len(rows[0]) * pitch - GAP, len(rows) * pitch - GAP)
    sheet = Image.new("RGB", size, "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            if picture is not None:
                square = ImageOps.fit(picture, (cell, cell), Image.Resampling.LANCZOS)
                sheet.paste(square, (x * pitch, y * pitch))
    return sheet


if __name__ == "__main__":
    main()
