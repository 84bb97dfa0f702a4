"""Paint two photographs in every style, as one sheet: python tools/sheet.py docs/styles.jpg."""

import argparse
from pathlib import Path

from PIL import Image, ImageOps

import nst
from nst.images import open_image, postprocess_image

PHOTOGRAPHS = ("astronaut", "cat")
CELL, GAP = 240, 6  # pixels


def main() -> None:
    """Paint, arrange, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    styles = nst.sample_names()["style"]
    rows: list[list[Image.Image | None]] = [[None, *map(open_image, styles)]]
    for photograph in PHOTOGRAPHS:
        pictures = [paint(photograph, style) for style in styles]
        rows.append([open_image(photograph), *pictures])
    sheet = arrange(rows)
    nst.save_image(nst.preprocess_image(sheet), out)


def paint(photograph: str, style: str) -> Image.Image:
    """The photograph in the style, with the default settings at 256 pixels: the cells are small."""
    result = nst.style_transfer(photograph, style, sizes=256)
    print(f"{photograph} × {style}: {result.seconds:.0f} s", flush=True)
    return postprocess_image(result.image)


def arrange(rows: list[list[Image.Image | None]]) -> Image.Image:
    """A table of square cells on white; None leaves a cell empty."""
    pitch = CELL + GAP
    size = (len(rows[0]) * pitch - GAP, len(rows) * pitch - GAP)
    sheet = Image.new("RGB", size, "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            if picture is not None:
                square = ImageOps.fit(picture, (CELL, CELL), Image.Resampling.LANCZOS)
                sheet.paste(square, (x * pitch, y * pitch))
    return sheet


if __name__ == "__main__":
    main()
