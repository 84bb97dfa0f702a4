"""What all figures share: a figure that notebooks show by itself, and pictures side by side."""

import io
import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from torch import Tensor

from nst.images import postprocess_image

WIDTH, DPI = 10.0, 150  # inches, about a notebook's column; dots an inch
LOGARITHMIC = "logarithmic scale"  # what an axis says of itself that has one
QUIET = "#555555"  # of axes' names and remarks
SIGNED, POSITIVE = "PuOr_r", "magma"  # maps of values around 0, and from 0 on
OUTLINE = "#D81B60"  # of windows: seen on grey, and apart from both ends of SIGNED
LINES = ("#1B4F91", "#C65A00", "#3A8F6B", "#7A4EA3")  # apart in lightness too
MARKERS = ("o", "s", "^", "D")
Box = tuple[int, int, int, int]  # top, left, height, width


class Shown(Figure):
    """A figure that notebooks show without any set-up of matplotlib.

    `alt` says in a sentence what there is to see, for those who cannot see it.
    """

    alt: str = ""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Save without empty margins, with the dots an inch that `set_dpi` was told last.

        Or with those of Matplotlib's setting `savefig.dpi`, where it is a number.
        """
        asked = rcParams["savefig.dpi"]
        dots = self.dpi if asked == "figure" else asked
        trimmed: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.05, "dpi": dots}
        super().savefig(fname, **trimmed | options)

    def png(self) -> bytes:
        """The figure as the bytes of a PNG file."""
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, bytes], dict[str, Any]]:
        """What notebooks ask for: the picture, and its alt text as the output's metadata."""
        return {"image/png": self.png()}, {"image/png": {"alt": self.alt}}


def pictures(
    images: Sequence[Tensor | Image.Image],
    titles: Sequence[str] = (),
    columns: int | None = None,
    width: float = WIDTH,
    alt: str = "",
) -> Figure:
    """Pictures side by side, each with a title over it.

    Args:
        images: tensors (1, 3, H, W) in [0, 1], or PIL images.
        titles: one for each, or none.
        columns: of the grid; by default all in one row, up to four.
        width: of the figure, in inches.
        alt: what there is to see; by default the titles.
    """
    shown = [postprocess_image(image) if isinstance(image, Tensor) else image for image in images]
    columns = columns or min(len(shown), 4)
    rows = math.ceil(len(shown) / columns)
    side = width / columns
    tallest = max(picture.height / picture.width for picture in shown)
    size = (width, rows * (tallest * side + (0.3 if titles else 0.05)))
    figure = Shown(figsize=size, dpi=DPI, layout="compressed")
    figure.alt = alt or "Pictures: " + "; ".join(titles)
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in places:
        axes.set_axis_off()
        axes.set(xticks=[], yticks=[])  # which would be measured although they are off
    for axes, picture in zip(places, shown, strict=False):
        axes.imshow(np.asarray(picture), interpolation="lanczos")
    for axes, title in zip(places, titles, strict=False):
        axes.set_title(title, fontsize="medium")
    return figure


def finish(
    figure: Figure, axes: Axes, title: str, grid: Literal["both", "x", "y"] = "both"
) -> None:
    """What charts of lines share: a title that says what to see, a faint grid, a legend beside."""
    axes.set_title(title, fontsize="medium")
    axes.grid(axis=grid, color="#E4E4E4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False, fontsize="small")


def outline(axes: Axes, box: Box, colour: Any = OUTLINE, linewidth: float = 2.0) -> None:
    """A rectangle around whole pixels, wherever the axes end."""
    top, left, height, width = box
    corner = left - 0.5, top - 0.5
    shape: dict[str, Any] = {"fill": False, "edgecolor": colour, "linewidth": linewidth}
    axes.add_patch(Rectangle(corner, width, height, **shape, clip_on=False, zorder=3))
