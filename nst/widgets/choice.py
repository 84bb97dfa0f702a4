"""The choice of a picture, from the samples or from one's own."""

from collections.abc import Callable
from typing import Any

import ipywidgets as ipw
from PIL import Image

from nst.widgets.common import View, png, reduced
from nst.widgets.drop import Drop
from nst.widgets.layout import row
from nst.widgets.library import Library
from nst.widgets.parts import button
from nst.widgets.picture import Picture


class Choice(ipw.VBox):
    """A picture: a list of names, a field for an own picture, and what it looks like.

    `when_seen` is called when another picture is chosen, `when_added` when one was uploaded.
    """

    def __init__(self, view: View, library: Library, kind: str, limit: int, title: str):
        self.view, self.library, self.kind = view, library, kind
        self.when_seen: Callable[[], None] = lambda: None
        self.when_added: Callable[[], None] = lambda: None
        self.chosen = ipw.Dropdown(description=title, options=library.names(kind))
        also = ".nst-canvas" if kind == "content" else ""
        self.drop = Drop("or drop your own here", limit=limit, accept="image/*", also=also)
        self.said = view.line()
        self.preview = Picture(width="84px")
        self.preview.add_class("nst-preview")
        self.chosen.layout.width = "auto"
        self.parts = ipw.VBox(
            [self.chosen, self.drop, self.said], layout=ipw.Layout(flex="1 1 150px")
        )
        super().__init__([row(self.preview, self.parts, gap="6px 12px")])
        self.add_class("nst-choice")
        self.add_class(f"nst-{kind}")
        view.on(self.chosen, self.look, beside=self.said)
        view.on(self.drop, self.upload, "arrived", self.said)

    @property
    def name(self) -> str:
        """Of the picture that is chosen."""
        return self.chosen.value

    def choose(self, name: str) -> None:
        """Show the picture of that name; one that was not in the list is added to it."""
        with self.view.muted():
            self.chosen.options = self.library.names(self.kind)
            self.chosen.value = name
        self.look()

    def refresh(self) -> None:
        """List what has come to the library."""
        name = self.name
        with self.view.muted():
            self.chosen.options = self.library.names(self.kind)
            self.chosen.value = name

    def look(self) -> None:
        """Show the chosen picture, small."""
        self.preview.data = png(reduced(self.picture(), 168))
        self.preview.alt = f"{self.kind} picture: {self.name}"
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


class StyleChoice(Choice):
    """A style picture, with its share if there are several."""

    def __init__(self, view: View, library: Library, limit: int, remove: Callable[[Any], None]):
        super().__init__(view, library, "style", limit, "Style")
        self.share = ipw.BoundedFloatText(1, min=0, max=1e18, step=0.1, description="Share")
        self.share.add_class("nst-share")
        self.remove = button("Remove", "nst-remove", "remove this style picture")
        self.several = ipw.Box([self.share, self.remove])
        self.several.add_class("nst-several")
        self.share.layout.width = "auto"
        self.share.style.description_width = "initial"
        self.parts.children = [*self.parts.children, self.several]
        view.on(self.remove, lambda: remove(self), beside=self.said)
