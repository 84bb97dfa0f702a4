"""Figures. Not imported by `import nst`, since it loads matplotlib: `from nst import plots`.

Every function returns a `matplotlib.figure.Figure` that pyplot does not know: nothing is shown
twice, and it works in threads and without a screen. A notebook shows it as a cell's last line;
`figure.savefig(path)` writes it.
"""

from nst.plots.assignments import falls, table
from nst.plots.common import pictures
from nst.plots.content import agreement, curves, reconstructions
from nst.plots.experiments import contact_sheet, loss_curve, loss_curves
from nst.plots.features import (
    activations,
    by_layer,
    channel_portraits,
    maps,
    numbers,
    receptive_fields,
    rectification,
    supports,
)
from nst.plots.layers import judgements, pushes, spread
from nst.plots.optimiser import losses, movements, paths, race, trade_off
from nst.plots.speed import bars, bowls, descents, error_maps, growth

__all__ = [
    "activations",
    "agreement",
    "bars",
    "bowls",
    "by_layer",
    "channel_portraits",
    "contact_sheet",
    "curves",
    "descents",
    "error_maps",
    "falls",
    "growth",
    "judgements",
    "loss_curve",
    "loss_curves",
    "losses",
    "maps",
    "movements",
    "numbers",
    "paths",
    "pictures",
    "pushes",
    "race",
    "receptive_fields",
    "reconstructions",
    "rectification",
    "spread",
    "supports",
    "table",
    "trade_off",
]
