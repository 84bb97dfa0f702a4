"""Figures. Not imported by `import nst`, since it loads matplotlib: `from nst import plots`.

Every function returns a `matplotlib.figure.Figure` that pyplot does not know: nothing is shown
twice, and it works in threads and without a screen. A notebook shows it as a cell's last line;
`figure.savefig(path)` writes it.
"""

from nst.plots.assignments import descents, table
from nst.plots.common import pictures
from nst.plots.experiments import contact_sheet, loss_curve, loss_curves

__all__ = ["contact_sheet", "descents", "loss_curve", "loss_curves", "pictures", "table"]
