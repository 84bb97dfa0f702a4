"""A table of a network's layers: which are compared, and with what weight."""

import ipywidgets as ipw

from nst.networks import ARCHITECTURES
from nst.settings import Settings
from nst.widgets.markup import safe

KINDS = ("content", "style")


def layer_names(network: str) -> list[str]:
    """The layers of a VGG that can be compared, without loading its weights."""
    return [
        f"{kind}{block}_{number}"
        for block, count in enumerate(ARCHITECTURES[network].convolutions, start=1)
        for number in range(1, count + 1)
        for kind in ("conv", "relu")
    ]


class LayerTable(ipw.GridBox):
    """Rows of layers, each with a check mark and a weight for content and for style."""

    def __init__(self) -> None:
        columns = "minmax(64px, 1fr) 20px minmax(56px, 1fr) 20px minmax(56px, 1fr)"
        super().__init__(
            layout=ipw.Layout(grid_template_columns=columns, grid_gap="2px 6px", width="100%")
        )
        self.add_class("nst-layers")
        self.cells: list[ipw.Widget] = []
        self.checks: dict[tuple[str, str], ipw.Checkbox] = {}
        self.weights: dict[tuple[str, str], ipw.BoundedFloatText] = {}

    def show(self, settings: Settings) -> None:
        """Show the network's layers with the weights that the settings give them."""
        chosen = {"content": settings.content_layers, "style": settings.style_layers}
        # The ReLUs are enough to choose from; what else the settings name gets a row too.
        named = dict.fromkeys([*settings.content_layers, *settings.style_layers])
        known = layer_names(settings.network)
        names = [name for name in known if name.startswith("relu") or name in named]
        names += [name for name in named if name not in names]
        self.checks, self.weights = {}, {}
        parts: list[ipw.Widget] = [_word("layer", "nst-head"), _word(""), _word("content")]
        parts += [_word(""), _word("style")]
        for name in names:
            parts.append(_word(name))
            for kind in KINDS:
                parts += self._cell(name, kind, chosen[kind].get(name, 0.0))
        before, self.cells = self.cells, parts
        self.children = tuple(parts)
        for part in before:
            part.close()

    def _cell(self, name: str, kind: str, weight: float) -> list[ipw.Widget]:
        key, default = (kind, name), 1.0 if kind == "content" else 0.2
        check = ipw.Checkbox(
            weight > 0, indent=False, tooltip=f"{name} for {kind}", layout=ipw.Layout(width="20px")
        )
        text = ipw.BoundedFloatText(
            weight or default,
            min=0,
            max=1e18,
            step=0.1,
            disabled=weight == 0,
            description=f"weight of {name} for {kind}",  # for screen readers: the styles hide it
            layout=ipw.Layout(width="auto"),
        )
        check.observe(lambda change: setattr(text, "disabled", not change["new"]), "value")
        self.checks[key], self.weights[key] = check, text
        return [check, text]

    def layers(self, kind: str) -> dict[str, float]:
        """The weights of the checked layers, for "content" or "style", in the network's order."""
        return {
            name: self.weights[of, name].value
            for (of, name), check in self.checks.items()
            if of == kind and check.value
        }


def _word(text: str, style: str = "nst-cell") -> ipw.HTML:
    word = ipw.HTML(safe(text), layout=ipw.Layout(margin="0"))
    word.add_class(style)
    return word
