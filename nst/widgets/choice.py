"""The choice of pictures, from the samples or from one's own: a photograph, and styles."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ipywidgets as ipw
from PIL import Image

from nst.errors import ImageError
from nst.images import upright
from nst.widgets.common import View, png, reduced
from nst.widgets.drop import Drop
from nst.widgets.layout import row
from nst.widgets.library import Library
from nst.widgets.parts import button
from nst.widgets.picture import Picture
from nst.widgets.regions import Region, say_elsewhere, tinted
from nst.widgets.thumbnails import SIDE, Thumbnails, sample_thumbnail, thumbnail


class Choice(ipw.VBox):
    """A picture: one of the library's by its name, or an own one that is dropped.

    `chosen` is a control with a name as its value. `when_seen` is called when another picture is
    chosen, `when_added` when one was uploaded.
    """

    def __init__(
        self, view: View, library: Library, kind: str, limit: int, chosen: ipw.Dropdown | Thumbnails
    ):
        self.view, self.library, self.kind, self.chosen = view, library, kind, chosen
        self.when_seen: Callable[[], None] = lambda: None
        self.when_added: Callable[[], None] = lambda: None
        also = ".nst-canvas" if kind == "content" else ""
        self.drop = Drop("or drop your own here", limit=limit, accept="image/*", also=also)
        self.said = view.line()
        super().__init__()
        self.add_class("nst-choice")
        self.add_class(f"nst-{kind}")
        view.on(chosen, self.look, beside=self.said)
        view.on(self.drop, self.upload, "arrived", self.said)

    @property
    def name(self) -> str:
        """Of the picture that is chosen."""
        return self.chosen.value

    def choose(self, name: str) -> None:
        """Show the picture of that name; one that was not offered is added."""
        with self.view.muted():
            self.offer(name)
            self.chosen.value = name
        self.look()

    def refresh(self) -> None:
        """Offer what has come to the library."""
        name = self.name
        with self.view.muted():
            self.offer(name)
            self.chosen.value = name

    def offer(self, name: str) -> None:
        """List the library's pictures, with that of this name."""
        self.chosen.options = self.library.names(self.kind)

    def look(self) -> None:
        """Show the chosen picture."""
        self.when_seen()

    def upload(self) -> None:
        """Take what was dropped."""
        picture = self.drop.picture()
        self.choose(self.library.add(self.drop.name, picture, self.drop.data))
        self.when_added()
        self.view.tell(f"The {self.kind} picture is {self.name}, {spelled(picture)}.")

    def picture(self) -> Image.Image:
        """The one that is chosen."""
        return self.library.open(self.name)


def spelled(picture: Image.Image) -> str:
    """Its size in words."""
    return f"{picture.width} × {picture.height} pixels"


class ContentChoice(Choice):
    """The photograph, with the regions of the styles laid over it."""

    def __init__(self, view: View, library: Library, limit: int):
        chosen = ipw.Dropdown(description="Photograph", options=library.names("content"))
        chosen.layout.width = "auto"
        super().__init__(view, library, "content", limit, chosen)
        self.preview = Picture(width="84px")
        self.preview.add_class("nst-preview")
        parts = ipw.VBox([chosen, self.drop, self.said], layout=ipw.Layout(flex="1 1 150px"))
        self.children = [row(self.preview, parts, gap="6px 12px")]
        self.regions: Callable[[], list[Region]] = list

    def look(self) -> None:
        """Show the chosen picture, small."""
        regions = self.regions()
        for region in regions:
            region.look(self.name)
        say_elsewhere(regions)
        self.draw()
        super().look()

    def draw(self) -> None:
        """The picture, with what is painted over it."""
        small = reduced(self.picture(), 168)
        masks = [(one.values(one.mask()), one.tint) for one in self.regions() if one.mask()]
        self.preview.data = png(tinted(small, masks))
        many = f", with the regions of {len(masks)} styles" if masks else ""
        self.preview.alt = f"content picture: {self.name}{many}"


class StyleChoice(Choice):
    """A style picture; its share if there are several; where it is painted, and what counts of it.

    `only` holds what an opened run has set for this picture alone, by the names of the settings.
    """

    def __init__(
        self, view: View, library: Library, limit: int, tint: str, remove: Callable[[Any], None]
    ):
        super().__init__(view, library, "style", limit, Thumbnails("Style"))
        self.only: dict[str, Any] = {}
        self.share = ipw.BoundedFloatText(1, min=0, max=1e18, step=0.1, description="Share")
        self.share.add_class("nst-share")
        self.share.layout.width = "auto"
        self.share.style.description_width = "initial"
        self.remove = button("Remove", "nst-remove", "remove this style picture")
        self.several = ipw.Box([self.share, self.remove])
        self.several.add_class("nst-several")
        self.where = Region(view, library, "Where it is painted", "the photograph", tint)
        self.counts = Region(view, library, "What counts of it", "it", tint)
        self.children = [
            self.chosen,
            self.drop,
            self.said,
            self.where,
            self.counts,
            self.several,
        ]
        view.on(self.remove, lambda: remove(self), beside=self.said)

    def offer(self, name: str) -> None:
        """Show the library's pictures: one's own, the samples of styles, and that of this name."""
        library = self.library
        names = dict.fromkeys([*library.own, *library.samples["style"], name])
        self.chosen.offer({one: self._thumbnail(one) for one in names})

    def _thumbnail(self, name: str) -> bytes:
        own = self.library.own.get(name)
        if own is None:
            return sample_thumbnail(name)
        with suppress(ImageError):  # a kept file that was damaged has none
            # A photograph of 50 megapixels stays closed until it is painted.
            own.thumbnail = own.thumbnail or thumbnail(own.decoded or upright(own.file, 2 * SIDE))
        return own.thumbnail

    def look(self) -> None:
        """Another picture has other parts."""
        self.counts.look(self.name)
        super().look()
