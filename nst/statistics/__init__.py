"""What counts as a style: statistics of a layer's activations, and how far two of them are apart.

Each is a class with the same few methods; see `nst.statistics.common.Statistic`.
"""

from nst.statistics.common import Guide, Part, Statistic
from nst.statistics.moments import Covariance, Gram, MeanStd
from nst.statistics.samples import Nearest, Sliced

STATISTICS: dict[str, Statistic] = {
    "gram": Gram(),
    "mean-std": MeanStd(),
    "covariance": Covariance(),
    "sliced": Sliced(),
    "nearest": Nearest(),
}

__all__ = ["STATISTICS", "Guide", "Part", "Statistic"]
