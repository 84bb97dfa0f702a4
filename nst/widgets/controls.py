"""The studio's controls: from what they show to settings, and back."""

from dataclasses import replace
from typing import Any, NamedTuple

import ipywidgets as ipw

from nst.control.regions import spread
from nst.errors import SettingsError
from nst.networks import of_one_network
from nst.settings import LEARNING_RATES, Settings, gone, make_settings, settled
from nst.widgets.choice import ContentChoice
from nst.widgets.common import View
from nst.widgets.drop import PIXELS
from nst.widgets.layers import KINDS, LayerTable, layer_names
from nst.widgets.library import Library
from nst.widgets.look import Look
from nst.widgets.markup import safe
from nst.widgets.mixture import STYLES, Mixture
from nst.widgets.parts import Fold, button, note, wide
from nst.widgets.regions import known

STARTS = {"the content picture": "content", "the style picture": "style", "noise": "noise",
          "a painting in one pass": "painter",
          "the painting that is shown, as Refine does": "given"}  # fmt: skip
SEEDS = 2**53 - 1  # the largest whole number that a page can hold
# Settings without a control: they stay as an opened run has them.
SILENT = ("pooling", "padding", "scale", "normalisation", "tv_norm", "bounds", "learning_rate",
          "learning_rate_decay", "history", "average", "layers_by_style")  # fmt: skip


class Limits(NamedTuple):
    """What a studio takes: long side in pixels, steps at each size, pixels of a given picture."""

    size: int = 1024
    steps: int = 1000
    pixels: int = PIXELS


class Controls(ipw.VBox):
    """All controls of a run. `settings` reads them, `show` sets them."""

    def __init__(self, view: View, library: Library, limits: Limits, networks: tuple[str, ...]):
        self.view, self.library, self.limits = view, library, limits
        self.base = make_settings()
        self.content = ContentChoice(view, library, limits.pixels)
        self.mixture = Mixture(view, library, limits.pixels, self.content)
        self.look = Look(view)
        self.look.when_scaled = self.mixture.forget_scales
        self.content.when_added = self.mixture.when_added = self.list_pictures
        self.sizes = ipw.Text(description="Sizes", tooltip="long side in pixels, coarse to fine")
        self.steps = ipw.Text(description="Steps", tooltip="at each size")
        self.network = ipw.Dropdown(description="Network", options=networks)
        self.start = ipw.Dropdown(description="Start from", options=list(STARTS.items()))
        self.optimizer = ipw.Dropdown(description="Optimiser", options=list(LEARNING_RATES))
        self.seed = ipw.BoundedIntText(0, min=0, max=SEEDS, description="Seed")
        self.layers = LayerTable()
        self.silent = ipw.HTML()
        self.defaults = button("Back to the defaults", "nst-defaults")
        self.said_of_network = view.line()
        view.on(self.network, self._change_network, beside=self.said_of_network)
        view.on(self.defaults, self._reset, beside=self.said_of_network)
        super().__init__(self._arrange())
        self.add_class("nst-controls")

    def _arrange(self) -> list[ipw.Widget]:
        for name in ("sizes", "steps", "network", "start", "optimizer", "seed"):
            wide(getattr(self, name)).add_class(f"nst-set-{name}")
        picture = ipw.VBox(
            [
                self.sizes,
                self.steps,
                self.start,
                self.seed,
                self.optimizer,
                note(
                    "Several sizes, such as 256, 512, go from coarse to fine, with as many numbers "
                    f"of steps or one for all. At most {self.limits.size} pixels and "
                    f"{self.limits.steps} steps."
                ),
            ]
        )
        layers = ipw.VBox(
            [self.network, self.layers, self.silent, self.defaults, self.said_of_network]
        )
        return [
            self.content,
            self.mixture,
            self.look,
            self.look.numbers,
            Fold("Size and steps", [picture]),
            Fold("Network and layers", [layers]),
        ]

    def list_pictures(self) -> None:
        """Offer what has come to the library."""
        for choice in (self.content, *self.mixture.styles):
            choice.refresh()

    def settings(self) -> Settings:
        """What the controls say.

        Raises:
            SettingsError: it makes no sense, or is beyond the limits.
        """
        changes: dict[str, Any] = {
            "network": self.network.value,
            "content_layers": self.layers.layers("content"),
            "style_layers": self.layers.layers("style"),
            "sizes": whole_numbers(self.sizes.value, "sizes"),
            "num_steps": whole_numbers(self.steps.value, "steps"),
            "init": self.start.value,
            "seed": self.seed.value,
            "optimizer": self.optimizer.value,
            "content": self.content.name,
        }
        changes |= self.look.changes() | {"layers_by_style": ()}
        changes |= self.mixture.changes()
        if self.optimizer.value != self.base.optimizer:
            usual = ("bounds", "learning_rate", "learning_rate_decay")
            changes |= {name: getattr(Settings, name) for name in usual}
        if self.network.value != self.base.network:
            changes |= of_one_network(self.network.value)
        settings = make_settings(**(self.base.to_dict() | changes))
        self.check(settings)
        return settings

    def check(self, settings: Settings) -> None:
        """Raise the SettingsError of settings that cannot be run here."""
        if max(settings.sizes) > self.limits.size:
            raise SettingsError(
                f"the size is {max(settings.sizes)} pixels, and {self.limits.size} are the most "
                "that can be done here"
            )
        if max(settings.num_steps) > self.limits.steps:
            raise SettingsError(
                f"these are {max(settings.num_steps)} steps, and {self.limits.steps} are the most "
                "that can be done here"
            )
        if settings.network not in self.network.options or settings.weights is not None:
            raise SettingsError(
                f"the run used the network {settings.weights or settings.network}, and only "
                f"{', '.join(self.network.options)} can be had here"
            )
        if settings.init not in STARTS.values():
            raise SettingsError(
                f"the run started from the picture '{settings.init}', which cannot be done here"
            )
        if settings.seed > SEEDS:
            raise SettingsError(f"the seed is {settings.seed}, and at most {SEEDS} can be shown")
        if settings.used(max(1, len(settings.styles))) > STYLES:
            raise SettingsError(f"at most {STYLES} style pictures can be mixed")

    def show(self, settings: Settings) -> None:
        """Set all controls; of pictures without a name, those that are chosen stay.

        Raises:
            SettingsError, ImageError: it cannot be run here, or its pictures are not here; then
                nothing is changed.
        """
        self.check(settings)
        content = self.library.find(settings.content) if settings.content else self.content.name
        styles = [self.library.find(name) for name in settings.styles] or self.mixture.names
        settings = replace(
            settings,
            masks=tuple(known(mask, self.library) for mask in settings.masks),
            style_masks=tuple(known(mask, self.library) for mask in settings.style_masks),
        )
        styles = spread(styles, settings.used(len(styles)))
        self.mixture.check(content, styles, settings)
        self.base = settings
        self.content.choose(content)
        self.mixture.show(styles, settings)
        self.look.show(settings)
        with self.view.muted():
            self.sizes.value = ", ".join(map(str, settings.sizes))
            steps = settings.num_steps[: len(settings.sizes)]  # of more, a run takes the first
            self.steps.value = ", ".join(map(str, steps))
            self.network.value, self.start.value = settings.network, settings.init
            self.optimizer.value, self.seed.value = settings.optimizer, settings.seed
        self._show_layers(settings)

    def _show_layers(self, settings: Settings) -> None:
        self.layers.show(settings)
        usual = settled(replace(Settings(), optimizer=settings.optimizer, network=settings.network))
        used = settled(settings)
        other = [n for n in SILENT if getattr(used, n) != getattr(usual, n)]
        kept = [f"{name} {spelled(getattr(used, name))}" for name in other]
        if used.colour in ("match", "histogram"):
            kept.append(f"colour {used.colour}")
        if isinstance(used.style_scale, tuple):
            kept.append(f"style_scale {spelled(used.style_scale)}")
        lines = [f"Kept from the opened run: {', '.join(kept)}."] if kept else []
        if settings.init == "given":
            lines.append(
                "The opened run started from a picture that its settings do not hold; here it "
                "starts from the painting that the other controls give, as with Refine."
            )
        if old := gone(settings.to_dict()):
            lines.append(f"The opened run will look different here: {old}.")
        self.silent.value = f"<small>{safe(' '.join(lines))}</small>" if lines else ""

    def _change_network(self) -> None:
        names, usual = layer_names(self.network.value), Settings()
        content, style = (
            {name: weight for name, weight in self.layers.layers(kind).items() if name in names}
            for kind in KINDS
        )
        self._show_layers(
            replace(
                self.base,
                network=self.network.value,
                content_layers=content or usual.content_layers,
                style_layers=style or usual.style_layers,
            )
        )

    def _reset(self) -> None:
        """The defaults, with the pictures, regions, sizes and steps that are there."""
        usual = make_settings(
            sizes=whole_numbers(self.sizes.value, "sizes"),
            num_steps=whole_numbers(self.steps.value, "steps"),
            content=self.content.name,
            **self.mixture.pictures(),
        )
        check_steps(usual)
        with self.view.muted():
            self.show(usual)
        self.look.when_changed()


def check_steps(settings: Settings) -> None:
    """Raise a SettingsError if there are more numbers of steps than sizes: some would not count.

    Not asked of what is opened: it says what was run.
    """
    if (given := len(settings.num_steps)) > (sizes := len(settings.sizes)):
        raise SettingsError(
            f"there are {given} numbers of steps, and {sizes} size{'s' * (sizes > 1)}; give as "
            "many numbers as sizes, or one for all"
        )


def spelled(value: Any) -> str:
    """A setting's value in a sentence."""
    if isinstance(value, tuple):
        return " and ".join(map(spelled, value))
    return "none" if value is None else str(value)


def whole_numbers(text: str, name: str) -> tuple[int, ...]:
    """The numbers in "256, 512"."""
    words = text.replace(",", " ").split()
    if not words or not all(word.isdecimal() for word in words):
        raise SettingsError(f"{name} are whole numbers, such as 256, not '{text}'")
    return tuple(map(int, words))
