"""What a fast run of a notebook begins with: small figures, and sample pictures read once.

Figures are not laid out and trimmed, half of the work, which their own tests do. A sample picture
is read once at each size, which some cells ask for a hundred times.
"""

from functools import cache
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from nst import images
from nst.plots.common import Shown

matplotlib.rcParams["savefig.dpi"] = 30  # dots an inch
matplotlib.rcParams["axes.titley"] = 1.0  # or each title looks for what it could overlap
Figure.set_layout_engine = lambda *_, **__: None  # type: ignore[method-assign]
Shown.savefig = Figure.savefig  # type: ignore[method-assign]

SAMPLES = {name for names in images.sample_names().values() for name in names}
read, keep = images.upright, cache(images.upright)


def upright(source: Any, size: Any = None) -> Any:
    """As the function of that name, which it replaces."""
    return (keep if isinstance(source, str) and source in SAMPLES else read)(source, size)


images.upright = upright
