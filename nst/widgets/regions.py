"""A part of a picture: painted over it, read from a file, or called by a name."""

import io
from collections.abc import Callable, Sequence

import ipywidgets as ipw
from PIL import Image

from nst.control.masks import DRAWN, NAMED, load_mask, read, written
from nst.errors import ImageError
from nst.images import postprocess_image, preprocess_image
from nst.widgets.brush import SIDE, Brush
from nst.widgets.common import View, reduced
from nst.widgets.drop import Drop
from nst.widgets.library import Library
from nst.widgets.parts import Fold
from nst.widgets.thumbnails import jpeg

TINTS = ("#e0226e", "#1a73e8", "#2e9d4f", "#e8811a")  # of the regions of four styles


class Region(Fold):
    """A part of one picture, chosen in a fold that says how much it is.

    A region belongs to its picture: another picture has none, until it is chosen again.
    `when_changed` is called after each change; `elsewhere` is what is said without a region.
    """

    def __init__(self, view: View, library: Library, what: str, of: str, tint: str):
        self.view, self.library, self.what, self.of, self.tint = view, library, what, of, tint
        self.elsewhere = "all of it"
        self.when_changed: Callable[[], None] = lambda: None
        self.picture_name = ""
        self.by_picture: dict[str, str] = {}  # the mask, as settings have it
        self.small: Image.Image | None = None  # the picture as it is painted over
        self.brush: Brush | None = None  # made when the fold is first opened
        self.said = view.line()
        super().__init__(what, [])
        self.add_class("nst-region")
        view.on(self.button, self._open, beside=self.said)

    def look(self, name: str) -> None:
        """The region is one of the picture of that name."""
        self.picture_name, self.small = name, None
        self._show()

    def mask(self) -> str:
        """The region as a mask in settings; empty for none."""
        return self.by_picture.get(self.picture_name, "")

    def take(self, mask: str) -> None:
        """Show a region as settings have it; empty for none.

        Raises:
            ImageError: it fits no picture of this shape, or chooses nothing.
        """
        if mask:
            self.values(mask)
            self.by_picture[self.picture_name] = mask
        else:
            self.by_picture.pop(self.picture_name, None)
        self._show()

    def say_without(self, elsewhere: str) -> None:
        """What is meant where there is no region."""
        if elsewhere != self.elsewhere:
            self.elsewhere = elsewhere
            self._say()

    def values(self, mask: str) -> Image.Image:
        """The mask over the picture as it is shown, of mode L."""
        picture = preprocess_image(self._picture())
        return postprocess_image(load_mask(mask, picture).expand(1, 3, -1, -1)).convert("L")

    def _picture(self) -> Image.Image:
        if self.small is None:
            self.small = reduced(self.library.open(self.picture_name), SIDE)
        return self.small

    def _open(self) -> None:
        if not self.button.value or self.brush is not None:
            return
        view = self.view
        self.brush = Brush(tint=self.tint)
        self.named = ipw.Dropdown(
            description="Or take", options=[("…", ""), *((name, name) for name in NAMED)]
        )
        self.named.add_class("nst-region-named")
        self.drop = Drop("or a file: white is in, black is out", accept="image/*")
        view.on(self.brush, self._painted, "region", self.said)
        view.on(self.named, self._take_named, beside=self.said)
        view.on(self.drop, self._take_file, "arrived", self.said)
        self.inside.children = [self.brush, self.named, self.drop, self.said]
        self._show()

    def _painted(self) -> None:
        region = self.brush.region if self.brush else b""
        if region:
            self.by_picture[self.picture_name] = written(self._fitting(region))
        else:
            self.by_picture.pop(self.picture_name, None)
        self._say()
        self.when_changed()

    def _fitting(self, region: bytes) -> Image.Image:
        with Image.open(io.BytesIO(region)) as file:
            if file.size != self._picture().size:
                raise ImageError("the region is of another picture; paint it again")
            return file.convert("L")

    def _take_named(self) -> None:
        if name := self.named.value:
            self.take(name)
            with self.view.muted():
                self.named.value = ""
            self.when_changed()

    def _take_file(self) -> None:
        mask = written(self.drop.mask(SIDE))
        self.take(mask)
        self.library.masks[self.drop.name] = mask
        self.when_changed()
        self.view.tell(f"The region is that of {self.drop.name}.")

    def _show(self) -> None:
        """Bring fold and brush up to date."""
        self._say()
        if self.brush is None or not self.picture_name:
            return
        mask = self.mask()
        with self.view.muted(), self.brush.hold_sync():
            self.brush.picture = jpeg(self._picture())
            self.brush.alt = f"{self.picture_name}: {self.title}"
            self.brush.region = read(written(self.values(mask))) if mask else b""

    def _say(self) -> None:
        mask = self.mask()
        share = self.elsewhere
        if mask:
            share = f"{100 * share_of(self.values(mask)):.0f} % of {self.of}"
        self.title = f"{self.what}: {share}"
        self.draw()


def say_elsewhere(regions: Sequence[Region]) -> None:
    """Without a region of its own a style is everywhere, or where the others leave room."""
    some = any(region.mask() for region in regions)
    for region in regions:
        region.say_without("everything else" if some else "everywhere")


def share_of(mask: Image.Image) -> float:
    """How much of the picture the mask chooses."""
    levels = mask.histogram()
    return sum(level * count for level, count in enumerate(levels)) / 255 / max(1, sum(levels))


def known(mask: str, library: Library) -> str:
    """A mask of opened settings, if it can be had here: drawn, of a name, or of a file that came.

    Whoever made the settings would else choose which files and addresses are read.

    Raises:
        ImageError: it is none of these.
    """
    if mask in NAMED or mask.startswith(DRAWN):
        return mask
    name = mask.replace("\\", "/").rpartition("/")[2]
    if name in library.masks:
        return library.masks[name]
    raise ImageError(
        f"the run's mask '{name}' is a file that is not here; choose it as the region of a style "
        "first, then open the run again"
    )


def tinted(picture: Image.Image, masks: list[tuple[Image.Image, str]]) -> Image.Image:
    """The picture with each mask's colour laid over it."""
    for mask, tint in masks:
        veil = mask.resize(picture.size).point(lambda level: level * 6 // 10)
        picture = Image.composite(Image.new("RGB", picture.size, tint), picture, veil)
    return picture
