"""The studio's stage: the buttons of a run, how far it has come, its picture and its curves."""

import base64
import time
from collections.abc import Sequence

import ipywidgets as ipw

from nst.loop import Step
from nst.widgets.common import Message, View, png
from nst.widgets.curves import curves
from nst.widgets.export import FORMATS, Export, as_file
from nst.widgets.layout import row
from nst.widgets.markup import safe
from nst.widgets.parts import Progress, button
from nst.widgets.picture import Picture
from nst.widgets.runs import Run, spell, time_left

# What "Refine" does: over a painting, and over anything else.
REFINE = "go on from this painting, step by step"
ANEW = "paint what the controls say in one pass, and go on from that, step by step"
PAUSE = 0.15  # seconds between two pictures, at least: a connection is slower than a GPU


class Stage(ipw.VBox):
    """What a run is begun with and seen by; knows nothing of how it is done."""

    def __init__(self, view: View):
        self.refine = button("✦ Refine", "nst-refine", ANEW, button_style="primary")
        self.start = button("▶ Start", "nst-start", "paint anew, from the start that is set")
        self.stop = button("■ Stop", "nst-stop", "stop, and keep the best picture")
        self.go_on = button("Continue", "nst-continue", "go on with the last run")
        self.progress = Progress("progress of the run")
        self.left, self.save, self.chart = ipw.HTML(), ipw.HTML(), ipw.HTML()
        self.format = ipw.Dropdown(description="as", options=list(FORMATS))
        self.saving = row(self.save, self.format, gap="4px 6px")
        self.export = Export(view)
        self.run: Run | None = None  # that is shown
        view.on(self.format, self._link)
        self.status = Message("nst-status")
        self.canvas = Picture(width="512px")
        for name in ("left", "save", "chart", "canvas", "format"):
            getattr(self, name).add_class(f"nst-{name}")
        self.bar = row(self.progress, self.left, gap="4px 12px")
        self.drawn, self.plan = 0.0, list[tuple[int, int]]()
        buttons = row(self.refine, self.start, self.stop, self.go_on, gap="8px")
        head = [buttons, self.status, view.error_line, self.bar]
        super().__init__([*head, self.canvas, self.export, self.saving, self.chart])
        self._offer()
        self.add_class("nst-stage")

    def say(self, text: str) -> None:
        """What became of the run; read out, but nobody is called."""
        self.status.say(text, call=False)

    def allow(self, running: bool, can_go_on: bool, known: bool) -> None:
        """Which buttons can be pressed; `known`: of a run, how far it has come."""
        self.start.disabled = self.refine.disabled = running
        self.stop.disabled = not running
        self.go_on.disabled = running or not can_go_on
        self.bar.layout.display = "flex" if known else "none"

    def begin(self, plan: Sequence[tuple[int, int]]) -> None:
        """A run of these sizes and steps."""
        self.drawn, self.plan = 0.0, list(plan)
        self.progress.max = max(1, sum(steps for _, steps in plan))
        self.progress.value = 0
        self.left.value, self.save.value = "", ""
        self._offer()

    def watch(self, run: Run, step: Step, pause: float = PAUSE) -> None:
        """Show a step, if the last one was shown long enough ago; sets traits only."""
        now = time.monotonic()
        if now - self.drawn < pause:
            return
        self.drawn = now
        self.canvas.data = png(step.image)
        self.canvas.alt = f"Run {run.title}, after {step.number} steps"
        self.chart.value = curves(run.history)
        before = sum(steps for size, steps in self.plan if size < step.size)
        self.progress.value = before + step.number
        left = time_left(run.history, self.plan)
        self.left.value = f"{step.size} px, step {step.number} of {step.of}" + (
            f", {spell(left)} left" if left else ""
        )

    def show(self, run: Run) -> None:
        """A run's picture, how it came to its end, its curves, and the link to save it."""
        self.progress.value = self.progress.max
        total = run.delivered.get("total")
        self.left.value = "" if total is None else f"loss {total:.4g}"
        self.canvas.data, self.canvas.alt = run.png, f"Run {run.title}, {run.remark}"
        self.chart.value = curves(run.history)
        self._offer(run)

    def preview(self, data: bytes, alt: str, whole: tuple[int, int] | None = None) -> None:
        """A picture that is no run's; `whole` is its size in full, if it can be had."""
        self.canvas.data, self.canvas.alt = data, alt
        self.chart.value, self.bar.layout.display = "", "none"
        self._offer(whole=whole)

    def _offer(self, run: Run | None = None, whole: tuple[int, int] | None = None) -> None:
        """What can be saved of the picture that is shown: a run's, or a painting in full size."""
        self.run, self.saving.layout.display = run, "flex" if run else "none"
        self.refine.tooltip = REFINE if whole else ANEW
        self.export.offer(whole)
        self._link()

    def _link(self) -> None:
        """The link to save the run's picture in the chosen format; only a PNG has settings."""
        if (run := self.run) is None:
            return
        suffix, kind = FORMATS[self.format.value]
        file = run.png if suffix == ".png" else as_file(run.png, suffix)
        inside = ", settings inside" if suffix == ".png" else ""
        name = safe(f"{run.file_name.removesuffix('.png')}{suffix}")
        data = base64.b64encode(file).decode()
        self.save.value = (
            f'<a download="{name}" href="data:image/{kind};base64,{data}">'
            f"Save run {run.number} as {self.format.value}{inside}</a>"
        )
