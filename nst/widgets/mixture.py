"""The style pictures of a run: one, several that are mixed, or several with a region each."""

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as ipw

from nst.control.masks import load_mask
from nst.errors import SettingsError
from nst.images import preprocess_image
from nst.settings import Settings
from nst.widgets.brush import SIDE
from nst.widgets.choice import ContentChoice, StyleChoice
from nst.widgets.common import View, reduced
from nst.widgets.library import Library
from nst.widgets.parts import button, close
from nst.widgets.regions import TINTS, say_elsewhere

STYLES = len(TINTS)  # pictures at once, at most
ALL = "all"  # the mask of a style picture all of which counts
ONLY = ("style_scale", "layers_by_style")  # settings that may be of one style picture alone


class Mixture(ipw.VBox):
    """The style pictures: `changes` reads them as settings, `show` sets them.

    A style picture may have a region of the photograph, and of those without one there is then at
    most one: it gets everything else. `when_added` is called when a picture was uploaded,
    `when_changed` after any change.
    """

    def __init__(self, view: View, library: Library, limit: int, content: ContentChoice):
        self.view, self.library, self.limit, self.content = view, library, limit, content
        self.when_added: Callable[[], None] = lambda: None
        self.when_changed: Callable[[], None] = lambda: None
        self.styles: list[StyleChoice] = []
        self.box = ipw.VBox([])
        self.box.add_class("nst-style-box")
        self.more = button("Add a style picture", "nst-more")
        self.said = view.line()
        view.on(self.more, self._one_more, beside=self.said)
        content.regions = lambda: [choice.where for choice in self.styles]
        super().__init__([self.box, self.more, self.said])
        self.add_class("nst-mixture")

    @property
    def names(self) -> list[str]:
        """Of the pictures that are chosen."""
        return [choice.name for choice in self.styles]

    def _one_more(self) -> None:
        # A sample: which of one's own pictures is meant for a style, nobody has said.
        used = [self.content.name, *self.names]
        self.add(next(n for n in self.library.samples["style"] if n not in used))
        self.when_changed()

    def add(self, name: str, share: float = 1.0) -> StyleChoice:
        """One more style picture, up to four."""
        if len(self.styles) == STYLES:
            raise SettingsError(f"at most {STYLES} style pictures can be mixed")
        tint = next(t for t in TINTS if t not in [choice.where.tint for choice in self.styles])
        choice = StyleChoice(self.view, self.library, self.limit, tint, self.remove)
        choice.share.value, choice.when_added = share, lambda: self.when_added()
        choice.when_seen = lambda: self.when_changed()
        choice.where.when_changed = choice.counts.when_changed = self._regions_changed
        self.view.on(choice.share, lambda: self.when_changed(), beside=choice.said)
        choice.choose(name)
        choice.where.look(self.content.name)
        self.styles.append(choice)
        self._arrange()
        return choice

    def remove(self, choice: StyleChoice) -> None:
        """Take it away; the last one stays."""
        if len(self.styles) > 1:
            self.styles.remove(choice)
            if len(self.styles) == 1:  # whose share nobody sees any more
                with self.view.muted():
                    self.styles[0].share.value = 1
            self._arrange()
            close(choice)
            self.content.draw()
            self.when_changed()

    def forget_scales(self) -> None:
        """All strokes have one size again."""
        for choice in self.styles:
            choice.only.pop("style_scale", None)

    def _arrange(self) -> None:
        for number, choice in enumerate(self.styles, start=1):
            several = len(self.styles) > 1
            choice.chosen.label = f"Style {number}" if several else "Style"
            choice.several.layout.display = "flex" if several else "none"
        self.box.children = list(self.styles)
        self.more.disabled = len(self.styles) == STYLES
        say_elsewhere(self.content.regions())

    def _regions_changed(self) -> None:
        say_elsewhere(self.content.regions())
        self.content.draw()
        self.when_changed()

    def changes(self) -> dict[str, Any]:
        """The fields of settings that they say.

        Raises:
            SettingsError: some have a region, and two or more have none; or all shares are 0.
        """
        order, changes = self._order(), self.pictures()
        shares = tuple(choice.share.value for choice in order)
        if not any(shares):
            raise SettingsError("all shares of the style pictures are 0; set one of them higher")
        # Of a mixture they count against each other, and of regions by themselves.
        if changes["masks"]:
            changes["mask_weights"] = () if set(shares) == {1} else shares
        else:
            changes["style_blend"] = () if len(set(shares)) == 1 else shares
        for name in ONLY:
            if all(name in choice.only for choice in order):
                changes[name] = tuple(choice.only[name] for choice in order)
        return changes

    def _order(self) -> list[StyleChoice]:
        """The engine takes what the masks leave for the last picture."""
        return sorted(self.styles, key=lambda choice: not choice.where.mask())

    def pictures(self) -> dict[str, Any]:
        """As `changes`, without what is set of each: the pictures and their regions alone."""
        order = self._order()
        masks = tuple(mask for choice in order if (mask := choice.where.mask()))
        if masks and len(masks) < len(order) - 1:
            raise SettingsError(
                f"{len(order) - len(masks)} style pictures have no region; paint one for each of "
                "them but the one that gets everything else"
            )
        within = tuple(choice.counts.mask() or ALL for choice in order)
        return {
            "styles": tuple(choice.name for choice in order),
            "masks": masks,
            "style_masks": () if set(within) == {ALL} else within,
            "style_blend": (),
            "mask_weights": (),
        }

    def check(self, content: str, styles: Sequence[str], settings: Settings) -> None:
        """Raise the error of settings that `show` could not show.

        Args:
            content, styles: the pictures' names here, the styles as often as they are used.
            settings: theirs; the masks are known here.
        """
        over = [(content, mask) for mask in settings.masks]
        for name, mask in over + list(zip(styles, settings.style_masks, strict=False)):
            load_mask(mask, preprocess_image(reduced(self.library.open(name), SIDE)))

    def show(self, styles: Sequence[str], settings: Settings) -> None:
        """Set all of it."""
        for choice in self.styles:
            close(choice)
        self.styles = []
        count = len(styles)
        shares = settings.style_blend or settings.mask_weights or (1.0,) * count
        for name, share in zip(styles, shares, strict=True):
            self.add(name, share)
        for choice, mask in zip(self.styles, settings.masks, strict=False):
            choice.where.take(mask)
        for choice, mask in zip(self.styles, settings.style_masks, strict=False):
            choice.counts.take("" if mask == ALL else mask)
        for name in ONLY:
            values = getattr(settings, name)
            for choice, value in zip(self.styles, values if isinstance(values, tuple) else (),
                                     strict=False):  # fmt: skip
                choice.only[name] = value
        say_elsewhere(self.content.regions())
        self.content.draw()
