"""The studio: a picture in the style of others, with everything that can be set and seen."""

import base64
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as ipw
from PIL import Image

from nst.errors import SettingsError
from nst.loop import Step
from nst.networks import ARCHITECTURES, Network, load_network
from nst.runs.job import Picture as Source
from nst.runs.results import Result
from nst.settings import Settings, make_settings, settled
from nst.transfer import resume, style_transfer
from nst.widgets.common import View, png
from nst.widgets.controls import Controls, Limits
from nst.widgets.curves import curves
from nst.widgets.drawers import Compare, Opening, text_area
from nst.widgets.layout import row
from nst.widgets.library import Library
from nst.widgets.markup import safe
from nst.widgets.parts import Fold, button
from nst.widgets.picture import Picture
from nst.widgets.runs import CAN_GO_ON, CUT_SHORT, ENDS, History, Run, spell, time_left
from nst.widgets.work import Job

CSS = Path(__file__).with_name("studio.css")
PAUSE = 0.15  # seconds between two pictures, at least: a connection is slower than a GPU


class TransferStudio(View):
    """Choose pictures and settings, start, watch, stop, go on; compare, save and reopen runs."""

    def __init__(
        self,
        content: Source = "astronaut",
        style: Source | Sequence[Source] = "starry",
        size: int | Sequence[int] = 256,
        *,
        num_steps: int | Sequence[int] = 60,
        networks: Sequence[str] = tuple(ARCHITECTURES),
        limits: Limits | None = None,
        every: int = 2,
        device: str | None = None,
        synchronous: bool | None = None,
        **changes: Any,
    ):
        """All that is given can be changed in the view.

        Args:
            content, style: sample names, files, or pictures; a list of styles is mixed.
            size: long side in pixels; several go from coarse to fine.
            num_steps: at each size.
            networks: VGGs to choose from.
            limits: what the view takes at most; see `Limits`.
            every: steps from one live picture to the next.
            device: where to compute; a GPU by default if there is one.
            synchronous: run at once when started, without a thread; see `nst.widgets.View`.
            changes: any other field of `nst.Settings`.

        Raises:
            SettingsError, ImageError: they make no sense, or are beyond the limits.
        """
        super().__init__("studio", synchronous)
        self.every, self.device = every, device
        self.library, self.networks = Library(), dict[tuple[Any, ...], Network]()
        self.limits = limits or Limits()
        self.run: Run | None = None  # the last that was started
        self.shown: Run | None = None
        self.last: Result | None = None  # from which the last run can go on
        self.drawn = 0.0
        self.controls = Controls(self, self.library, self.limits, tuple(networks))
        self.history = History(self, self.show_run, self.open_run)
        self._make_stage()
        self._make_drawers()
        styles: Sequence[Any] = style if isinstance(style, list | tuple) else [style]
        settings = make_settings(
            content=self.library.take(content),
            styles=[self.library.take(picture) for picture in styles],
            sizes=size,
            num_steps=num_steps,
            **changes,
        )
        self.controls.show(settings)
        columns = ipw.Box([self.controls, self.stage])
        columns.add_class("nst-columns")
        css = ipw.HTML(f"<style>{CSS.read_text()}</style>", layout=ipw.Layout(display="none"))
        # The error line stands where one looks, not at the end as `fill` has it.
        self.children = (css, columns, self.history, self.drawers)
        self._allow()

    # What there is to see

    def _make_stage(self) -> None:
        """Buttons, progress, picture and curves."""
        self.start_button = button("▶ Start", "nst-start", "start", button_style="primary")
        self.stop_button = button("■ Stop", "nst-stop", "stop, and keep the best picture")
        self.continue_button = button("Continue", "nst-continue", "go on with the last run")
        self.progress = ipw.IntProgress(0, 0, 1, layout=ipw.Layout(width="auto"))
        self.progress.add_class("nst-progress")
        self.left = ipw.HTML()
        self.left.add_class("nst-left")
        self.status = ipw.HTML()
        self.status.add_class("nst-status")
        self.canvas = Picture(width="512px")
        self.canvas.add_class("nst-canvas")
        self.save = ipw.HTML()
        self.save.add_class("nst-save")
        self.chart = ipw.HTML()
        self.chart.add_class("nst-chart")
        self.on(self.start_button, self.start)
        self.on(self.stop_button, self.stop)
        self.on(self.continue_button, self.go_on)
        self.controls.content.when_seen = self._preview
        buttons = row(self.start_button, self.stop_button, self.continue_button, gap="8px")
        self.bar = row(self.progress, self.left, gap="4px 12px")
        head = [buttons, self.status, self.error_line, self.bar]
        self.stage = ipw.VBox([*head, self.canvas, self.save, self.chart])
        self.stage.add_class("nst-stage")

    def _make_drawers(self) -> None:
        """Comparing two runs, the settings to copy, and opening others."""
        self.comparing = Compare(self, self.library)
        self.json_area = text_area(12, "settings of the shown run, as JSON")
        self.json_area.add_class("nst-copy")
        self.opening = Opening(self, self.limits.upload, self.open_settings)
        self.drawers = ipw.VBox(
            [
                Fold("Compare two runs", [self.comparing]),
                Fold("Settings of the shown run, to copy", [self.json_area]),
                Fold("Open a saved run", [self.opening]),
            ]
        )
        self.drawers.add_class("nst-drawers")

    def _preview(self) -> None:
        """The content picture stands where the first run's picture will be."""
        if self.shown is None:
            picture = self.controls.content.picture().copy()
            picture.thumbnail((512, 512))
            self.canvas.data, self.canvas.alt = png(picture), "the content picture"

    def still(self) -> Image.Image | None:
        """The picture that is shown."""
        return self.canvas.image()

    def still_alt(self) -> str:
        """What is shown there."""
        return f"The studio: {self.canvas.alt}"

    # Runs

    def start(self) -> None:
        """Begin a run with what the controls say; nothing happens while one is under way."""
        if self.work.running:
            return
        self.work.join()  # it may be showing what it has done
        settings = self.controls.settings()
        content = self.library.open(settings.content or "")
        styles: list[Source] = [self.library.open(name) for name in settings.styles]
        number = self.run.number + 1 if self.run else 1
        self.run, self.last = Run(number, settings, planned=settings.num_steps[-1]), None
        self.history.add(self.run, self.controls.content.preview.data)
        plan = settings.stages(max(content.size))
        self._begin(self.run, plan, partial(self._paint, self.run, content, styles))

    def stop(self) -> None:
        """End the run; its best picture is kept, and it can go on."""
        self.work.stop()

    def go_on(self) -> None:
        """Go on with the last run: to its planned end, or beyond it by as many steps again."""
        if self.work.running:
            return
        if self.run is None or self.last is None or self.last.reason not in CAN_GO_ON:
            raise SettingsError("there is no run that could go on; start one")
        run, last, steps = self.run, self.last, None
        plan = last.settings.stages(max(self.library.open(run.settings.content or "").size))
        if last.reason not in CUT_SHORT:
            steps = last.history[-1]["number"] + run.planned
            plan[-1] = plan[-1][0], steps
        run.reason = "running"
        del run.history[-1]  # evaluated, and recorded, once more
        self._begin(run, plan, partial(self._go_on, run, last, steps))

    def _begin(self, run: Run, plan: list[tuple[int, int]], job: Job) -> None:
        self.drawn, self.plan = 0.0, plan
        self.progress.max = max(1, sum(steps for _, steps in self.plan))
        self.progress.value, self.progress.bar_style = 0, "info"
        self.left.value, self.save.value = "", ""
        self.shown = run
        self._say(f"Run {run.number} is under way.")
        self._allow(running=True)
        self.history.refresh(run, run)
        self.work.start(job)

    def _paint(
        self, run: Run, content: Image.Image, styles: list[Source], stop: threading.Event
    ) -> Result:
        network = self._network(run.settings)
        given = ("content", "styles", *network.settings)
        fields = {n: v for n, v in run.settings.to_dict().items() if n not in given}
        watch = partial(self._watch, run, stop)
        options: dict[str, Any] = {"device": self.device, "callback": watch, "progress": False}
        return self._keep(
            run, style_transfer(content, styles, network=network, **options, **fields)
        )

    def _go_on(self, run: Run, last: Result, steps: int | None, stop: threading.Event) -> Result:
        options: dict[str, Any] = {"device": self.device, "progress": False}
        options["callback"] = partial(self._watch, run, stop)
        network = self._network(run.settings)
        return self._keep(run, resume(last, steps, network=network, **options))

    def _network(self, settings: Settings) -> Network:
        """The network, loaded once: with it, the style's targets are known from run to run."""
        settings = settled(settings)  # as a run that goes on has them: the same network
        made = settings.network, settings.weights, settings.pooling, settings.padding
        key = *made, settings.scale
        if key not in self.networks:
            self.networks[key] = load_network(*key)
        return self.networks[key]

    def _keep(self, run: Run, result: Result) -> Result:
        self.last = result
        run.take(result)
        return result

    def _watch(self, run: Run, stop: threading.Event, step: Step) -> bool:
        """Called after every step, by the thread that works: sets traits only."""
        run.history.append(step.record())
        now, pause = time.monotonic(), 0.0 if self.work.synchronous else PAUSE
        due = step.number % self.every == 0 or step.number < self.every
        if due and now - self.drawn >= pause:
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
        return stop.is_set()

    def work_done(self) -> None:
        """Called after the work, by the thread that did it: sets traits only."""
        run = self.run
        if run is None:
            return
        if self.work.error is not None:
            run.reason = "failed"
            self.progress.bar_style = "danger"
            self._say(f"Run {run.number} failed.")
        else:
            seconds = run.history[-1]["seconds"]
            self._say(f"{ENDS[run.reason]} after {spell(seconds)}: run {run.number}, {run.remark}.")
            self.progress.value = self.progress.max
            self.progress.bar_style = "success" if run.reason == "finished" else "warning"
            total = run.delivered.get("total")
            self.left.value = "" if total is None else f"loss {total:.4g}"
        if run.png:
            self.show_run(run)
            self.comparing.offer(self.history.runs)
        self.history.refresh(run, self.shown)
        self._allow()

    def _allow(self, running: bool = False) -> None:
        """Which buttons can be pressed."""
        can_go_on = self.last is not None and self.last.reason in CAN_GO_ON
        self.start_button.disabled, self.stop_button.disabled = running, not running
        self.continue_button.disabled = running or not can_go_on
        self.bar.layout.display = "flex" if running or self.run else "none"

    def _say(self, text: str) -> None:
        # The role makes screen readers say it.
        self.status.value = f'<div role="status">{safe(text)}</div>'

    # Showing, comparing, saving and opening

    def show_run(self, run: Run) -> None:
        """Show the picture, curves and settings of a run; while one is under way, that is shown."""
        if self.work.running:
            raise SettingsError("a run is under way; stop it to look at others")
        self.shown = run
        self.canvas.data, self.canvas.alt = run.png, f"Run {run.title}, {run.remark}"
        self.chart.value, self.json_area.value = curves(run.history), run.json
        data = base64.b64encode(run.png).decode()
        self.save.value = (
            f'<a download="{safe(run.file_name)}" href="data:image/png;base64,{data}">'
            f"Save run {run.number} as PNG, settings inside</a>"
        )
        self.history.refresh(run, run)

    def open_run(self, run: Run) -> None:
        """Set all controls as they were for the run."""
        self.open_settings(run.settings.to_dict())

    def open_settings(self, settings: dict[str, Any]) -> None:
        """Set all controls by settings as plain data.

        Raises:
            SettingsError, ImageError: they make no sense, or cannot be run here; then nothing
                is changed.
        """
        self.controls.show(make_settings(**settings))
        self._say("The settings are open; press Start to run them.")
