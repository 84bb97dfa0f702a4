"""What lies under the studio's runs: comparing two of them, and opening one from elsewhere."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as ipw

from nst.errors import ImageError, SettingsError
from nst.widgets.common import View, png, reduced
from nst.widgets.drop import Drop
from nst.widgets.library import Library
from nst.widgets.parts import button, wide
from nst.widgets.runs import Run
from nst.widgets.wipe import Wipe


class Compare(ipw.VBox):
    """Two of the runs' pictures, or a run's and its content picture, one over the other."""

    def __init__(self, view: View, library: Library):
        self.view, self.library = view, library
        self.runs: dict[int, Run] = {}
        self.first = wide(ipw.Dropdown(description="Left"))
        self.second = wide(ipw.Dropdown(description="Right"))
        self.wipe = Wipe(width="512px")
        self.said = view.line()
        super().__init__([ipw.HTML("There is nothing to compare yet: finish a run.")])
        self.add_class("nst-compare")
        for control in (self.first, self.second):
            view.on(control, self.compare, beside=self.said)

    def offer(self, runs: Sequence[Run]) -> None:
        """List the runs that have a picture, of which there is one at least; show the last two."""
        self.runs = {run.number: run for run in runs if run.png}
        options = [("the content picture", 0)]
        options += [(run.title, number) for number, run in self.runs.items()]
        with self.view.muted():
            self.first.options = self.second.options = options
            self.first.value, self.second.value = options[-2][1], options[-1][1]
        self.children = (self.first, self.second, self.said, self.wipe)
        self.compare()

    def compare(self) -> None:
        """Show the two that are chosen."""
        left, right = self.runs.get(self.first.value), self.runs.get(self.second.value)
        content = self._content_of(left or right or next(iter(self.runs.values())))
        for side, run in (("left", left), ("right", right)):
            setattr(self.wipe, side, run.png if run else content)
            setattr(self.wipe, f"{side}_alt", f"run {run.title}" if run else "the content picture")

    def _content_of(self, run: Run) -> bytes:
        try:
            return png(reduced(self.library.open(run.settings.content or ""), 1024))
        except ImageError:  # of a run that was kept without it
            return b""


class Opening(ipw.VBox):
    """Fields for a saved PNG and for settings as JSON; `open_settings` is given plain data."""

    def __init__(self, view: View, limit: int, open_settings: Callable[[dict[str, Any]], None]):
        self.open_settings = open_settings
        self.drop = Drop(
            "Drop a saved PNG here, or choose one",
            limit=limit,
            accept=".png,.json,image/png,application/json",
        )
        self.drop.add_class("nst-reopen")
        self.paste = text_area(6, "settings to open, as JSON", "or paste its settings here")
        self.paste.add_class("nst-paste")
        self.button = button("Open these settings", "nst-open")
        self.said = view.line()
        view.on(self.drop, self._read_file, "arrived", self.said)
        view.on(self.button, self._read_paste, beside=self.said)
        super().__init__([self.drop, self.paste, self.button, self.said])
        self.add_class("nst-opening")

    def _read_file(self) -> None:
        self.open_settings(self.drop.settings())

    def _read_paste(self) -> None:
        try:
            settings = json.loads(self.paste.value)
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"this is not JSON ({error}); paste all of it") from error
        if not isinstance(settings, dict):
            raise SettingsError("this is not a JSON object with names and values; paste all of it")
        self.open_settings(settings)


def text_area(rows: int, name: str, hint: str = "") -> ipw.Textarea:
    """A field for longer texts; its name is for screen readers."""
    area = ipw.Textarea(rows=rows, tooltip=name, placeholder=hint)
    area.layout.width, area.layout.max_width = "auto", "640px"
    return area
