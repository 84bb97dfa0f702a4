"""Figures. Not imported by `import nst`, since it loads matplotlib: `from nst import plots`.

Every function returns a `matplotlib.figure.Figure` that pyplot does not know: nothing is shown
twice, and it works in threads and without a screen. A notebook shows it as a cell's last line;
`figure.savefig(path)` writes it.
"""

from nst.plots.common import pictures
from nst.plots.experiments import contact_sheet, loss_curve, loss_curves
from nst.plots.gram import (
    channel_order,
    distance_matrix,
    gram_matrices,
    layer_bars,
    number_table,
    together,
)
from nst.plots.variation import curves, details, high_pass, high_passes, spectra, spectrum

__all__ = [
    "channel_order",
    "contact_sheet",
    "curves",
    "details",
    "distance_matrix",
    "gram_matrices",
    "high_pass",
    "high_passes",
    "layer_bars",
    "loss_curve",
    "loss_curves",
    "number_table",
    "pictures",
    "spectra",
    "spectrum",
    "together",
]
