"""Paint the studio's examples, one for each way of painting: python tools/app/starts.py."""

import argparse

from PIL import Image

import nst
from nst.images import open_image, postprocess_image
from nst.widgets.starts import PICTURES, STARTS

SIDE, CELL, QUALITY = 300, 176, 80  # pixels that are painted, and kept
PHOTOGRAPH, STYLE = "cat", "starry"
FACE = (60, 0, 360, 300)  # in the photograph: left, top, right, bottom


def main() -> None:
    """Paint them all, or those that are named."""
    PICTURES.mkdir(exist_ok=True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of some of them")
    for name in parser.parse_args().names or STARTS:
        picture = paint(name)
        path = PICTURES / f"{name.replace(' ', '-')}.jpg"
        picture.save(path, "JPEG", quality=QUALITY, optimize=True, progressive=True)
        print(f"{path}: {path.stat().st_size / 1000:.1f} kB", flush=True)


def paint(name: str) -> Image.Image:
    """The example of one way of painting, square and small."""
    photograph = open_image(PHOTOGRAPH).crop(FACE)
    result = nst.style_transfer(photograph, STYLE, sizes=(128, SIDE), **STARTS[name])
    print(f"{name}: {result.seconds:.0f} s", flush=True)
    return postprocess_image(result.image).resize((CELL, CELL), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
