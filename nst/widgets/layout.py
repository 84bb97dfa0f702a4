"""Where things stand in a view: rows that break on narrow pages, columns, and words."""

from collections.abc import Sequence

import ipywidgets as ipw


def row(*parts: ipw.Widget, gap: str = "6px 16px") -> ipw.Box:
    """Parts side by side, broken like text where the page is narrow."""
    flow = ipw.Layout(
        display="flex", flex_flow="row wrap", align_items="center", grid_gap=gap, width="100%"
    )
    return ipw.Box(list(parts), layout=flow)


def words(markup: str) -> str:
    """Markup for an `HTML` widget, whose lines would else stand as far apart as controls."""
    return f'<div style="line-height:1.4;padding:2px 0">{markup}</div>'


def described(control: ipw.Widget, width: str = "320px") -> ipw.Widget:
    """The control, its description in full, at most as wide as the page."""
    control.style.description_width = "initial"
    control.layout.width, control.layout.max_width = width, "100%"
    control.layout.margin = "0"
    return control


def column(width: int) -> ipw.Layout:
    """A column of at most so many pixels; beside others it gives way by a third before it breaks.

    A notebook in a window of 1400 pixels has about 900 for its views.
    """
    return ipw.Layout(
        flex=f"{width} 1 {width * 2 // 3}px",
        max_width=f"min({width}px, 100%)",
        min_width="0",
        align_items="stretch",
    )


def choices(names: Sequence[str], own: Sequence[str] = ()) -> list[str]:
    """Names for a dropdown: those of the user's own pictures first, each once."""
    return list(dict.fromkeys([*own, *names]))
