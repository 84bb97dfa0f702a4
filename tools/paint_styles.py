"""Paint the sample style pictures: `python tools/paint_styles.py [NAME …]`.

Every picture is drawn from a seed, so that what the repository ships can be painted again.
"""

import argparse
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import styles
from PIL import Image
from styles import PAINTERS
from styles.common import Picture

STYLE_FOLDER = Path(__file__).resolve().parents[1] / "data" / "style"
SEED = 1
SIZE = 800
SMALLEST_SIZE = 64
MAX_BYTES = 400_000
QUALITIES = range(95, 50, -3)


def paint(name: str, seed: int = SEED, size: int = SIZE) -> Picture:
    """Paint one style, `size` pixels wide: an (height, width, 3) array of bytes."""
    return styles.paint(name, size, np.random.default_rng(seed))


def encode(picture: Picture) -> bytes:
    """The best JPEG that stays under `MAX_BYTES`; colour is kept at full resolution."""
    data = b""
    for quality in QUALITIES:
        stream = BytesIO()
        Image.fromarray(picture).save(stream, "JPEG", quality=quality, subsampling=0)
        data = stream.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return data


def picture_size(text: str) -> int:
    """A width in pixels, from the command line."""
    size = int(text)
    if size < SMALLEST_SIZE:
        raise argparse.ArgumentTypeError(f"pictures are at least {SMALLEST_SIZE} pixels wide")
    return size


def main() -> None:
    """Read the command line and paint what it names, or everything."""
    parser = argparse.ArgumentParser(description="Paint the sample style pictures.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one or more of: {', '.join(PAINTERS)}"
    )
    parser.add_argument("--out", type=Path, default=STYLE_FOLDER, help="where to put the pictures")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--size", type=picture_size, default=SIZE, help="width in pixels")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in PAINTERS]
    if unknown:
        parser.error(f"no style called {unknown[0]}: choose from {', '.join(PAINTERS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.names or PAINTERS:
        start = time.perf_counter()
        path = options.out / f"{name}.jpg"
        path.write_bytes(encode(paint(name, options.seed, options.size)))
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
