"""The activation explorer: picture → layer → channels → one channel over the picture."""

import ipywidgets as ipw
import numpy as np
from PIL import Image

from nst.errors import SettingsError
from nst.networks import Network
from nst.runs.job import Picture as Source
from nst.widgets import draw
from nst.widgets.common import View, png
from nst.widgets.layout import choices, column, described, row
from nst.widgets.markup import safe
from nst.widgets.picture import Picture
from nst.widgets.seen import network_from, sample_list, see

SPOTS = 5
AFTER, BEFORE = "after the ReLU", "before it"
SHOWN = 512  # pixels of the large picture's long side, about


class ActivationExplorer(View):
    """Look at what a network computes from a picture, layer by layer, channel by channel.

    Args:
        picture: a sample's name, a file, or an image tensor.
        network: a name that `load_network` takes, or a network.
        layer: the first to be shown, such as "relu3_1", or "conv3_1" for what it is before the
            ReLU.
        size: long side of the picture in pixels.
        channel: the first to be shown.
        synchronous: as for every `View`.

    Raises:
        SettingsError, ImageError, WeightsError: as `load_network` and `load_image`; no such layer.
    """

    def __init__(
        self,
        picture: Source = "astronaut",
        network: str | Network = "vgg19_quarter",
        layer: str = "relu3_1",
        size: int = 256,
        channel: int = 0,
        synchronous: bool | None = None,
    ):
        super().__init__("activations", synchronous)
        self.network, self.size = network_from(network), size
        self.own = {} if isinstance(picture, str) else {"yours": picture}
        self._look(picture)
        if layer not in self.seen.layers:
            raise SettingsError(
                f"there is no layer {layer!r} to look at; there are {', '.join(self.seen.layers)}"
            )
        self._make_controls(picture if isinstance(picture, str) else "yours", layer)
        self._chosen = self.picture.value
        self._make_pictures()
        self._show_layer()
        self.channel.value = channel
        self._connect()

    def _make_controls(self, picture: str, layer: str) -> None:
        after = {name: self._after(name) for name in self.seen.layers}
        self.picture = described(
            ipw.Dropdown(
                options=choices(sample_list(), [picture]), value=picture, description="Picture"
            ),
            "220px",
        )
        self.layer = described(
            ipw.Dropdown(
                options=list(dict.fromkeys(after.values())),
                value=after[layer],
                description="Layer",
            ),
            "200px",
        )
        self.side = ipw.ToggleButtons(
            options=[AFTER, BEFORE],
            value=AFTER if after[layer] == layer else BEFORE,
            description="Seen",
            tooltips=[
                "Activations as the next layer gets them: none below 0",
                "What the convolution computes; the ReLU sets all below 0 to 0",
            ],
        )
        self.side.style.button_width, self.side.style.description_width = "auto", "44px"
        self.side.layout = ipw.Layout(
            display="flex", flex_flow="row wrap", align_items="center", width="auto", margin="0"
        )
        self.channel = described(ipw.IntSlider(max=0, description="Channel"), "340px")
        self.blend = described(
            ipw.FloatSlider(
                value=0.6, max=1.0, step=0.05, description="Picture ↔ map", readout_format=".2f"
            ),
            "340px",
        )
        self.marks = described(
            ipw.Checkbox(value=True, description="Mark the strongest spots", indent=False), "220px"
        )

    def _make_pictures(self) -> None:
        self.large, self.grid = Picture("440px"), Picture("560px")
        self.patches = Picture("440px")
        self.caption, self.facts = ipw.HTML(), ipw.HTML()
        self.grid_caption, self.patches_caption = ipw.HTML(), ipw.HTML()
        for part, name in (
            (self.large, "large"),
            (self.grid, "grid"),
            (self.patches, "patches"),
            (self.facts, "facts"),
            (self.picture, "picture-choice"),
            (self.layer, "layer"),
            (self.side, "relu"),
            (self.channel, "channel"),
            (self.blend, "blend"),
            (self.marks, "marks"),
        ):
            part.add_class(f"nst-{name}")
        left = ipw.VBox(
            [self.caption, self.large, self.patches_caption, self.patches, self.facts],
            layout=column(440),
        )
        right = ipw.VBox([self.grid_caption, self.grid], layout=column(560))
        pictures = row(left, right, gap="12px 24px")
        pictures.layout.align_items = "flex-start"
        self.fill(
            row(self.picture, self.layer, self.side),
            row(self.channel, self.blend, self.marks),
            self.error_line,
            pictures,
        )

    def _connect(self) -> None:
        self.on(self.picture, self._change_picture)
        self.on(self.layer, self._show_layer)
        self.on(self.side, self._show_layer)
        for control in (self.channel, self.blend, self.marks):
            self.on(control, self._show_channel)
        self.on(self.grid, self._pick, "picked")

    def _after(self, layer: str) -> str:
        """For a VGG's convolution the ReLU after it; any other layer itself."""
        relu = layer.replace("conv", "relu")
        return relu if relu in self.seen.layers else layer

    def _before(self, layer: str) -> str:
        """For a VGG's ReLU the convolution before it; any other layer itself."""
        conv = layer.replace("relu", "conv")
        return conv if conv in self.seen.layers else layer

    @property
    def shown_layer(self) -> str:
        """The layer's name, with "conv" for what is before the ReLU."""
        name = self.layer.value
        return self._before(name) if self.side.value == BEFORE else name

    @property
    def maps(self) -> np.ndarray:
        """The layer's activations, (C, H, W)."""
        return self.seen.layers[self.shown_layer]

    @property
    def signed(self) -> bool:
        """Whether the layer has activations below 0."""
        return bool(self.maps.min() < 0)

    def _look(self, picture: Source) -> None:
        self.seen = see(self.network, picture, self.size)
        small = self.seen.picture
        self.times = max(1, round(SHOWN / max(small.size)))
        size = (small.width * self.times, small.height * self.times)
        self.backdrop = small.resize(size, Image.Resampling.BICUBIC)

    def _change_picture(self) -> None:
        name = self.picture.value
        try:
            self._look(self.own.get(name, name))
        except Exception:
            with self.muted():  # what is shown stays what is chosen
                self.picture.value = self._chosen
            raise
        self._chosen = name
        self._show_layer()

    def _show_layer(self) -> None:
        self.side.disabled = self._before(self.layer.value) == self.layer.value
        self._spots: dict[int, list[tuple[int, int]]] = {}
        drawn = draw.sheet(self.maps, self.signed)
        with self.muted():
            self.channel.max = len(self.maps) - 1
            self.grid.rows, self.grid.columns = drawn.rows, drawn.columns
        self.grid.data = png(drawn.image)
        self.grid.alt = (
            f"All {len(self.maps)} channels of {self.shown_layer} for the picture "
            f"{self.seen.name}; click on one, or move with the arrow keys"
        )
        self.grid_caption.value = (
            f"<b>All {len(self.maps)} channels of {safe(self.shown_layer)}</b>, each scaled to its "
            f"own {'range: purple below 0, orange above' if self.signed else 'greatest value'}; "
            "click on one"
        )
        self._show_channel()

    def _show_channel(self) -> None:
        channel, info = self.channel.value, self.seen.table[self.shown_layer]
        with self.muted():
            self.grid.picked = divmod(channel, self.grid.columns)
        found = self.spots()
        block = info.stride * self.times
        image = draw.over(self.backdrop, self.maps[channel], block, self.signed, self.blend.value)
        if self.marks.value:
            image = draw.ringed(image, [((c + 0.5) * block, (r + 0.5) * block) for r, c in found])
        self.large.data = png(image)
        self.large.alt = (
            f"Channel {channel} of {self.shown_layer} over the picture {self.seen.name}; "
            f"it is strongest at {places(found, info.stride)}"
        )
        self.caption.value = (
            f"<b>Channel {channel} of {safe(self.shown_layer)}</b> over the picture"
        )
        self._show_patches(found)
        self._show_facts()

    def spots(self) -> list[tuple[int, int]]:
        """(row, column) of the channel's strongest activations, an eighth of the map apart."""
        channel = self.channel.value
        if channel not in self._spots:
            apart = max(1.0, max(self.maps.shape[1:]) / 8)
            self._spots[channel] = draw.spots(self.maps[channel], SPOTS, apart)
        return self._spots[channel]

    def _show_patches(self, found: list[tuple[int, int]]) -> None:
        info, side = self.seen.table[self.shown_layer], 84
        field = info.receptive_field or 4 * info.stride
        strip = Image.new("RGB", (SPOTS * (side + 4) - 4, side), "white")
        for number, (r, c) in enumerate(found):
            box = draw.field_box(r, c, info.stride, field)
            tile = draw.numbered(draw.patch(self.seen.picture, box, side), number + 1)
            strip.paste(tile, (number * (side + 4), 0))
        self.patches.data = png(strip)
        self.patches_caption.value = (
            f"What the {len(found)} strongest activations see"
            if found
            else "This channel is nowhere above 0"
        )
        self.patches.alt = (
            f"The {field} × {field} pixels that the {len(found)} strongest activations see"
        )

    def _show_facts(self) -> None:
        facts = "".join(
            f'<tr><th scope="row" style="text-align:left;padding:1px 12px 1px 0;'
            f'white-space:nowrap;vertical-align:top">{safe(name)}</th><td>{safe(text)}</td></tr>'
            for name, text in self.numbers().items()
        )
        self.facts.value = f'<table style="line-height:1.5">{facts}</table>'

    def numbers(self) -> dict[str, str]:
        """The facts as they are shown, by name."""
        info, maps, channel = self.seen.table[self.shown_layer], self.maps, self.channel.value
        one = maps[channel]
        field = info.receptive_field
        sees = f"{field} × {field} pixels" if field else "not known for this network"
        share, word = (np.less, "below 0") if self.signed else (np.equal, "0")
        return {
            "Shape": f"{maps.shape[0]} channels of {maps.shape[1]} × {maps.shape[2]}",
            "Stride": f"{info.stride} pixel{'s' * (info.stride > 1)}",
            "Receptive field": sees,
            "Sparsity": f"{share(maps, 0).mean():.0%} of the layer's activations are {word}, "
            f"{share(one, 0).mean():.0%} of this channel's",
            "This channel": f"mean {one.mean():.3g}, greatest {one.max():.3g}",
        }

    def _pick(self) -> None:
        r, c = self.grid.picked
        number = r * self.grid.columns + c
        if 0 <= number <= self.channel.max:
            self.channel.value = number
        else:
            with self.muted():
                self.grid.picked = divmod(self.channel.value, self.grid.columns)

    def still(self) -> Image.Image:
        """The large picture and the grid side by side, with their titles."""
        titles = {
            f"Channel {self.channel.value} of {self.shown_layer} over {self.seen.name}": self.large,
            f"All {len(self.maps)} channels, each on its own scale": self.grid,
        }
        scaled = {text: draw.beside([part.image()], 400) for text, part in titles.items()}
        return draw.beside([draw.titled(image, text) for text, image in scaled.items()], 422)


def places(found: list[tuple[int, int]], stride: int) -> str:
    """The spots' places in pixels, in words."""
    if not found:
        return "no place: it is nowhere above 0"
    return ", ".join(
        f"({round((c + 0.5) * stride)}, {round((r + 0.5) * stride)})" for r, c in found
    )
