"""Figures. Not imported by `import nst`, since it loads matplotlib: `from nst import plots`.

Every function returns a `matplotlib.figure.Figure` that pyplot does not know: nothing is shown
twice, and it works in threads and without a screen. A notebook shows it as a cell's last line;
`figure.savefig(path)` writes it.
"""

from nst.features import channel_order
from nst.plots.assignments import falls, table
from nst.plots.common import pictures
from nst.plots.content import agreement, curves, reconstructions
from nst.plots.experiments import contact_sheet, loss_curve, loss_curves
from nst.plots.features import activations, by_layer, maps, numbers, rectification
from nst.plots.gram import (
    distance_matrix,
    gram_matrices,
    layer_dots,
    number_table,
    together,
)
from nst.plots.judging import correlations, fronts
from nst.plots.layers import judgements, pushes, spread
from nst.plots.optimiser import losses, movements, paths, race, trade_off
from nst.plots.receptive import channel_portraits, receptive_fields, supports
from nst.plots.speed import bars, bowls, descents, error_maps, growth
from nst.plots.variation import details, high_pass, high_passes, lines, spectra, spectrum

__all__ = [
    "activations",
    "agreement",
    "bars",
    "bowls",
    "by_layer",
    "channel_order",
    "channel_portraits",
    "contact_sheet",
    "correlations",
    "curves",
    "descents",
    "details",
    "distance_matrix",
    "error_maps",
    "falls",
    "fronts",
    "gram_matrices",
    "growth",
    "high_pass",
    "high_passes",
    "judgements",
    "layer_dots",
    "lines",
    "loss_curve",
    "loss_curves",
    "losses",
    "maps",
    "movements",
    "number_table",
    "numbers",
    "paths",
    "pictures",
    "pushes",
    "race",
    "receptive_fields",
    "reconstructions",
    "rectification",
    "spectra",
    "spectrum",
    "spread",
    "supports",
    "table",
    "together",
    "trade_off",
]
