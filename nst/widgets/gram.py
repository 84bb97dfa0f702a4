"""The Gram explorer: a layer's Gram matrices of two pictures, a pair of channels, the distance."""

from collections.abc import Sequence
from functools import partial

import ipywidgets as ipw
import numpy as np
import torch
from PIL import Image

from nst.errors import SettingsError
from nst.features import channel_order
from nst.losses import gram_matrix
from nst.networks import Network
from nst.runs.job import Picture as Source
from nst.widgets import draw
from nst.widgets.common import View, png
from nst.widgets.layout import choices, column, described, row, words
from nst.widgets.markup import safe
from nst.widgets.picture import Picture
from nst.widgets.seen import Seen, network_from, sample_list, see

VALUES, COSINES = "products", "cosines"
OWN = ("yours", "your other one")  # what pictures without a name are called
TILE = 150  # pixels of the maps' height


class GramExplorer(View):
    """Look into the Gram matrices of two pictures: which channels are active together.

    Args:
        picture, other: samples' names, files, or image tensors.
        network: a name that `load_network` takes, or a network.
        layer: the first to be shown.
        size: long side of the pictures in pixels.
        synchronous: as for every `View`.

    Raises:
        SettingsError, ImageError, WeightsError: as `load_network` and `load_image`; no such layer.
    """

    def __init__(
        self,
        picture: Source = "starry",
        other: Source = "waves",
        network: str | Network = "vgg19_quarter",
        layer: str = "relu3_1",
        size: int = 256,
        synchronous: bool | None = None,
    ):
        super().__init__("gram", synchronous)
        self.network, self.size = network_from(network), size
        given = [picture, other]
        names = [p if isinstance(p, str) else own for p, own in zip(given, OWN, strict=True)]
        self.own = {n: p for n, p in zip(names, given, strict=True) if not isinstance(p, str)}
        self.seen: list[Seen] = [
            see(self.network, p, size, name) for p, name in zip(given, names, strict=True)
        ]
        if layer not in self.seen[0].layers:
            raise SettingsError(
                f"there is no layer {layer!r} to look at; "
                f"there are {', '.join(self.seen[0].layers)}"
            )
        self._chosen = names
        self._grams: dict[tuple[int, str], np.ndarray] = {}
        self._make_controls(names, layer)
        self._make_pictures()
        self._show_layer()
        self._connect()

    def _make_controls(self, names: Sequence[str], layer: str) -> None:
        options = choices(sample_list(), names)
        self.pictures = [
            described(ipw.Dropdown(options=options, value=name, description=text), "220px")
            for name, text in zip(names, ("Picture", "Other picture"), strict=True)
        ]
        self.layer = described(
            ipw.Dropdown(options=list(self.seen[0].layers), value=layer, description="Layer"),
            "200px",
        )
        self.form = described(
            ipw.Dropdown(options=[VALUES, COSINES], value=VALUES, description="Shown as"), "200px"
        )
        self.pair = [
            described(ipw.IntSlider(max=0, description=text), "300px")
            for text in ("Channel i", "Channel j")
        ]

    def _make_pictures(self) -> None:
        self.heatmaps = [Picture("400px", pixelated=True) for _ in self.seen]
        self.titles = [ipw.HTML() for _ in self.seen]
        self.maps = [Picture("640px") for _ in self.seen]
        self.captions = [ipw.HTML() for _ in self.seen]
        self.legend, self.distances = ipw.HTML(), ipw.HTML()
        named = {
            "picture-choice": self.pictures[0],
            "other-choice": self.pictures[1],
            "layer": self.layer,
            "form": self.form,
            "channel-i": self.pair[0],
            "channel-j": self.pair[1],
            "heatmap": self.heatmaps[0],
            "heatmap-other": self.heatmaps[1],
            "maps": self.maps[0],
            "maps-other": self.maps[1],
            "pair-caption": self.captions[0],
            "pair-caption-other": self.captions[1],
            "distances": self.distances,
        }
        for name, part in named.items():
            part.add_class(f"nst-{name}")
        matrices = [
            ipw.VBox([title, heatmap], layout=column(400))
            for title, heatmap in zip(self.titles, self.heatmaps, strict=True)
        ]
        pairs = [part for two in zip(self.captions, self.maps, strict=True) for part in two]
        below = row(
            ipw.VBox(pairs, layout=column(640)),
            ipw.VBox([self.distances], layout=column(360)),
            gap="12px 24px",
        )
        below.layout.align_items = "flex-start"
        self.fill(
            row(*self.pictures, self.layer, self.form),
            self.error_line,
            row(*matrices, gap="8px 24px"),
            self.legend,
            row(*self.pair),
            below,
        )

    def _connect(self) -> None:
        for index, control in enumerate(self.pictures):
            self.on(control, partial(self._change_picture, index))
        self.on(self.layer, self._show_layer)
        self.on(self.form, self._show_matrices)
        for slider in self.pair:
            self.on(slider, self._show_pair)
        for heatmap in self.heatmaps:
            self.on(heatmap, partial(self._pick, heatmap), "picked")

    def gram(self, index: int, layer: str | None = None) -> np.ndarray:
        """The Gram matrix (C, C) of picture 0 or 1 at a layer, by default the chosen one."""
        seen, name = self.seen[index], layer or self.layer.value
        if (index, name) not in self._grams:
            feature = torch.from_numpy(seen.layers[name])[None]
            self._grams[index, name] = gram_matrix(feature)[0].numpy()
        return self._grams[index, name]

    def _change_picture(self, index: int) -> None:
        control = self.pictures[index]
        try:
            picture = self.own.get(control.value, control.value)
            seen = see(self.network, picture, self.size, control.value)
        except Exception:
            with self.muted():  # what is shown stays what is chosen
                control.value = self._chosen[index]
            raise
        self.seen[index], self._chosen[index] = seen, control.value
        self._grams.clear()
        self._show_layer()

    def _show_layer(self) -> None:
        first = self.gram(0)
        self.order = channel_order(torch.from_numpy(first))
        self._place = np.argsort(self.order)
        channels = len(first)
        with self.muted():
            if channels != self.pair[0].max + 1:
                # The strongest pair of different channels is a good place to begin.
                strongest = np.unravel_index(np.argmax(np.triu(first, 1)), first.shape)
                for slider, channel in zip(self.pair, strongest, strict=True):
                    slider.max = channels - 1
                    slider.value = int(channel)
            for heatmap in self.heatmaps:
                heatmap.rows = heatmap.columns = channels
        self._show_matrices()
        self._show_distances()
        self._show_pair()

    def _show_matrices(self) -> None:
        tables = [self.gram(index) for index in range(2)]
        if self.form.value == COSINES:
            tables = [cosines(table) for table in tables]
        signed = min(table.min() for table in tables) < 0
        most = max(draw.greatest(table) for table in tables)
        for index, table in enumerate(tables):
            ordered = table[np.ix_(self.order, self.order)]
            # Square roots: a few strong channels would leave the rest in the dark.
            roots = np.sign(ordered) * np.sqrt(np.abs(ordered))
            times = max(1, 400 // len(table))
            image = Image.fromarray(draw.colour(roots, float(np.sqrt(most)), signed))
            self.heatmaps[index].data = png(draw.enlarged(image, times))
            name = safe(self.seen[index].name)
            self.titles[index].value = f"<b>Gram matrix of {name}</b> at {safe(self.layer.value)}"
            self.heatmaps[index].alt = (
                f"Gram matrix of {self.seen[index].name} at {self.layer.value}, {len(table)} × "
                f"{len(table)}; click on a pair of channels, or move with the arrow keys"
            )
        what = "Cosines of the channels" if self.form.value == COSINES else "Gram matrices"
        low = f"purple −{most:.3g}, white 0, orange" if signed else "black 0, pale yellow"
        self.legend.value = words(
            f"{what}: {low} {most:.3g}, by square roots, the same for both. Channels that are "
            f"active together in {safe(self.seen[0].name)} stand side by side; click on a "
            f"pair. G<sub>i,j</sub> is the mean of the product of channels i and j, divided by "
            f"the {len(self.order)} channels."
        )

    def _show_pair(self) -> None:
        i, j = (slider.value for slider in self.pair)
        places = int(self._place[i]), int(self._place[j])
        with self.muted():
            for heatmap in self.heatmaps:
                heatmap.picked = places
        layer = self.layer.value
        maps = [self._three_maps(index) for index in range(2)]
        most = [max(draw.greatest(one[k]) for one in maps) for k in range(3)]
        for index, three in enumerate(maps):
            tiles = [self.seen[index].picture]
            for values, greatest in zip(three, most, strict=True):
                signed = bool(min(one.min() for pair in maps for one in pair) < 0)
                tiles.append(Image.fromarray(draw.colour(values, greatest, signed)))
            self.maps[index].data = png(draw.beside(tiles, TILE))
            name, number = self.seen[index].name, self.gram(index)[i, j]
            self.captions[index].value = words(
                f"<b>{safe(name)}</b>: channels {i} and {j}, and their product; "
                f"<b>G<sub>{i},{j}</sub> = {number:.4g}</b>"
            )
            self.maps[index].alt = (
                f"{name}, channel {i} of {layer}, channel {j}, and their product, from left to "
                f"right; the Gram matrix has {number:.4g} here"
            )

    def _three_maps(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The two chosen channels and their product."""
        layer = self.seen[index].layers[self.layer.value]
        one, two = (layer[slider.value] for slider in self.pair)
        return one, two, one * two

    def distance(self, layer: str) -> float:
        """‖G - A‖² / ‖A‖²: G of the picture, A of the other; the style loss's term for a layer."""
        g, a = (self.gram(index, layer).astype(float) for index in range(2))
        return float(np.square(g - a).sum() / max(np.square(a).sum(), 1e-12))

    def _show_distances(self) -> None:
        layers = [n for n in self.seen[0].layers if n.startswith("relu")]
        layers = layers or list(self.seen[0].layers)
        found = {layer: self.distance(layer) for layer in layers}
        most = max([*found.values(), 1e-12])
        rows = "".join(
            f"<tr{' style=font-weight:bold' * (layer == self.layer.value)}>"
            f'<th scope="row" style="text-align:left;font-weight:inherit;padding-right:8px">'
            f'{safe(layer)}</th><td style="width:100%"><div style="height:12px;'
            f'background:#d1495b;width:{100 * value / most:.1f}%"></div></td>'
            f'<td style="text-align:right;padding-left:8px">{value:.3g}</td></tr>'
            for layer, value in found.items()
        )
        one, two = (safe(seen.name) for seen in self.seen)
        self.distances.value = (
            f'<table style="width:100%;line-height:1.4"><caption style="text-align:left;'
            f'caption-side:top;padding-bottom:4px"><b>How far {one} is from {two}</b>: squared '
            f"difference of the Gram matrices, as a share of {two}'s</caption>{rows}</table>"
        )

    def _pick(self, heatmap: Picture) -> None:
        channels = len(self.order)
        r, c = heatmap.picked
        if 0 <= r < channels and 0 <= c < channels:
            with self.muted():
                self.pair[0].value, self.pair[1].value = self.order[r], self.order[c]
        self._show_pair()

    def still(self) -> Image.Image:
        """Both heatmaps, then the pair's maps of both pictures, with their titles."""
        layer, names = self.layer.value, [seen.name for seen in self.seen]
        i, j = (slider.value for slider in self.pair)
        matrices = [
            draw.titled(draw.beside([heatmap.image()], 400), f"{name}: {layer}, by square roots")
            for name, heatmap in zip(names, self.heatmaps, strict=True)
        ]
        pairs = [
            draw.titled(maps.image(), f"{name}: channel {i}, channel {j}, and their product")
            for name, maps in zip(names, self.maps, strict=True)
        ]
        return draw.below([draw.beside(matrices, 422), *pairs])


def cosines(gram: np.ndarray) -> np.ndarray:
    """G_ij / √(G_ii·G_jj): how alike two channels are, however strong; 0 where one is silent."""
    lengths = np.sqrt(np.diag(gram))
    return gram / np.outer(lengths, lengths).clip(min=1e-12)
