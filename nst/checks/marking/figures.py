"""What a matplotlib figure shows: its words, and the numbers that are drawn."""

from dataclasses import dataclass
from typing import Any

from nst.checks.common import Mistake
from nst.checks.marking.answers import kind
from nst.checks.marking.reading import read


@dataclass(frozen=True)
class Drawing:
    """A figure as `read` has found it, perhaps in another process."""

    named: bool
    text: str
    points: list[float]


class Drawn:
    """What a matplotlib figure shows: its words, the numbers drawn, whether its axes have names.

    Raises:
        Mistake: it is no figure.
    """

    def __init__(self, figure: Any) -> None:
        from matplotlib.figure import Figure

        if isinstance(figure, Figure):
            figure = Drawing(**read(figure))
        if not isinstance(figure, Drawing):
            raise Mistake(f"it returns {kind(figure)}, not a matplotlib Figure.")
        self.named, self.text, self.points = figure.named, figure.text, figure.points

    def has(self, number: float) -> bool:
        """Whether the number is drawn."""
        return any(abs(point - number) < 1e-6 for point in self.points)
