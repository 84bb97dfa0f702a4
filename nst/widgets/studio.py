"""The studio: a picture in the style of others, with everything that can be set and seen."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets as ipw
from PIL import Image

from nst.errors import NstError, SettingsError
from nst.loop import Callback, Step
from nst.networks import ARCHITECTURES
from nst.runs.job import Picture as Source
from nst.runs.results import Result
from nst.settings import make_settings
from nst.widgets.common import View, sentence
from nst.widgets.controls import Controls, Limits, check_steps
from nst.widgets.drawers import Compare, Opening, text_area
from nst.widgets.engine import Engine
from nst.widgets.keeping import Shelf, find_shelf, said_of
from nst.widgets.library import Library
from nst.widgets.parts import Fold
from nst.widgets.preview import Preview
from nst.widgets.runs import CAN_GO_ON, CUT_SHORT, History, Run
from nst.widgets.stage import PAUSE, Stage

Plan = list[tuple[int, int]]  # sizes, and steps at each
CSS = Path(__file__).with_name("studio.css")


class TransferStudio(View):
    """Choose pictures and settings, start, watch, stop, go on; compare, save and reopen runs.

    All that is given can be changed in the view.

    Args:
        content, style: sample names, files, or pictures; a list of styles is mixed.
        size: long side in pixels; several go from coarse to fine.
        num_steps: at each size.
        networks: VGGs to choose from.
        limits: what the view takes at most; see `Limits`.
        every: steps from one live picture to the next.
        device: where to compute; a GPU by default if there is one.
        folder: where runs are kept as they finish, and found again by the next view: beside the
            notebook, if it is a name such as "runs". None: as the app says, which keeps them for
            each browser by itself; elsewhere they are not kept.
        synchronous: run at once when started, without a thread; see `nst.widgets.View`.
        changes: any other field of `nst.Settings`.

    Raises:
        SettingsError, ImageError: they make no sense, or are beyond the limits.
    """

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
        folder: str | os.PathLike | None = None,
        synchronous: bool | None = None,
        **changes: Any,
    ):
        super().__init__("studio", synchronous)
        self.every, self.device = every, device
        self.library, self.engine = Library(), Engine(device)
        self.limits = limits or Limits()
        self.run: Run | None = None  # the last that was started
        self.shown: Run | None = None
        self.before: Run | None = None  # that was shown when the last was started
        self.last: tuple[Run, Result] | None = None  # the last that can go on, and from where
        self.shelf: Shelf | None = None
        self.not_kept = ""  # why the last run was not
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
        check_steps(settings)
        with self.muted():
            self.controls.show(settings)
        self.preview.photograph()
        self._arrange()
        self._allow()
        find_shelf(folder, self.page, self._take_runs)

    # What there is to see

    def _make_stage(self) -> None:
        """Buttons, progress, picture and curves."""
        stage = self.stage = Stage(self)
        self.start_button, self.stop_button = stage.start, stage.stop
        self.continue_button, self.status = stage.go_on, stage.status
        self.progress, self.left, self.canvas = stage.progress, stage.left, stage.canvas
        self.chart, self.save = stage.chart, stage.save
        self.on(self.start_button, self.start)
        self.on(stage.refine, self.refine)
        self.on(self.stop_button, self.stop)
        self.on(self.continue_button, self.go_on)
        self.preview = Preview(
            self, self.controls, stage, self.library, self.device, self._leave_runs
        )

    def _arrange(self) -> None:
        columns = ipw.Box([self.controls, self.stage])
        columns.add_class("nst-columns")
        css = ipw.HTML(f"<style>{CSS.read_text()}</style>", layout=ipw.Layout(display="none"))
        # The error line stands in the stage, beside the buttons.
        self.children = (css, columns, self.history, self.drawers, self.page)

    def _make_drawers(self) -> None:
        """Comparing two runs, the settings to copy, and opening others."""
        self.comparing = Compare(self, self.library)
        self.json_area = text_area(12, "settings of the shown run, as JSON")
        self.json_area.add_class("nst-copy")
        self.opening = Opening(self, self.limits.pixels, self.open_settings)
        folds = {
            "Compare two runs": self.comparing,
            "Settings of the shown run, to copy": self.json_area,
            "Open a saved run": self.opening,
        }
        self.drawers = ipw.VBox([Fold(title, [part]) for title, part in folds.items()])
        self.drawers.add_class("nst-drawers")

    def _leave_runs(self) -> None:
        """What is shown is no run any more."""
        if (run := self.shown) is not None:
            self.shown = None
            self.history.refresh(run, None)

    def still(self) -> Image.Image | None:
        """The picture that is shown."""
        return self.canvas.image()

    def still_alt(self) -> str:
        """What is shown there."""
        return f"The studio: {self.canvas.alt}"

    # Runs

    def start(self) -> None:
        """Begin a run with what the controls say; nothing happens while one is under way."""
        self._start()

    def refine(self) -> None:
        """As `start`, but the run begins with the painting in one pass that the controls give."""
        self._start(init="given")

    def _start(self, **changes: Any) -> None:
        if self.work.running:
            return
        self.work.join()  # it may be showing what it has done
        try:
            asked = self.controls.settings()
            check_steps(asked)
            settings = replace(asked, **changes)
            content = self.library.open(settings.content or "")
            styles: list[Source] = [self.library.source(name) for name in settings.styles]
        except NstError:
            self.stage.say("No run was started.")
            raise
        self.preview.live.forget()
        self.run = Run(self.history.next, settings, planned=settings.num_steps[-1], asked=asked)
        self.history.add(self.run, self.controls.content.preview.data)
        plan = settings.stages(max(content.size))
        first = self.preview.painting(asked, plan[0][0]) if settings.init == "given" else None
        job = partial(self.engine.paint, settings, content, styles, first)
        self._begin(self.run, plan, job)

    def stop(self) -> None:
        """End the run; its best picture is kept, and it can go on."""
        self.work.stop()

    def go_on(self) -> None:
        """Go on with the last run: to its planned end, or beyond it by as many steps again."""
        if self.work.running:
            return
        if self.last is None:
            raise SettingsError("there is no run that could go on; start one")
        (run, last), steps = self.last, None
        plan = last.settings.stages(max(self.library.open(run.settings.content or "").size))
        if last.reason not in CUT_SHORT:
            steps = last.history[-1]["number"] + run.planned
            plan[-1] = plan[-1][0], steps
        self.run, run.reason = run, "running"
        del run.history[-1]  # evaluated, and recorded, once more
        self._begin(run, plan, partial(self.engine.go_on, last, steps))
        if self.work.running and (changed := self._changed(run)):
            self.tell(
                f"Run {run.number} goes on with its own settings; what has been changed since, "
                f"{changed}, counts from the next Start."
            )

    def _changed(self, run: Run) -> str:
        """In what the controls differ from what the run was started with."""
        try:
            return run.changed(self.controls.settings())
        except NstError:
            return "something that makes no sense yet"

    def _begin(self, run: Run, plan: Plan, job: Callable[[Callback], Result]) -> None:
        self.stage.begin(plan)
        self.before, self.shown, self.page.running = self.shown, run, True
        self.stage.say(f"Run {run.number} is under way.")
        self._allow(running=True)
        self.history.refresh(run, run)
        self.work.start(lambda stop: self._keep(run, job(partial(self._watch, run, stop))))

    def _keep(self, run: Run, result: Result) -> Result:
        run.take(result)
        self.last = (run, result) if result.reason in CAN_GO_ON else None
        self.not_kept = ""
        if self.shelf is not None:
            try:
                self.shelf.keep(run, self.library)
            except NstError as error:
                self.not_kept = sentence(error)
        return result

    def _watch(self, run: Run, stop: threading.Event, step: Step) -> bool:
        """Called after every step, by the thread that works: sets traits only."""
        run.history.append(step.record())
        if step.number % self.every == 0 or step.number < self.every:
            self.stage.watch(run, step, 0.0 if self.work.synchronous else PAUSE)
        return stop.is_set()

    def work_done(self) -> None:
        """Called after the work, by the thread that did it: sets traits only."""
        run = self.run
        if run is None:
            return
        self.page.running = False
        if self.work.error is not None:
            self._failed(run)
        else:
            self._show(run)
            self.comparing.offer(self.history.runs)
            self.stage.say(run.end)
            if self.not_kept:
                self.fail(f"Run {run.number} is here, but was not kept. {self.not_kept}")
        self.history.refresh(run, self.shown)
        self._allow()

    def _failed(self, run: Run) -> None:
        """A run came to nothing: what was shown before is shown again."""
        run.reason = "failed"
        if self.last is not None and self.last[0] is run:  # it can try once more
            run.take(self.last[1])
        self.stage.say(f"Run {run.number} {'could not go on' if run.png else 'failed'}.")
        self.shown = None
        if self.before is not None:
            self._show(self.before)
        else:
            self.preview.ask()

    def _allow(self, running: bool = False) -> None:
        """Which buttons can be pressed."""
        known = running or self.shown is not None
        self.stage.allow(running, can_go_on=self.last is not None, known=known)

    def _take_runs(self, shelf: Shelf) -> None:
        self.shelf, runs = shelf, shelf.runs(self.library)
        self.controls.list_pictures()
        for run in runs:
            self.history.add(run, run.png)
        if runs:
            self.comparing.offer(self.history.runs)
            self._show(runs[-1])
            self.stage.say(said_of(len(runs)))

    # Showing, comparing, saving and opening

    def show_run(self, run: Run) -> None:
        """Show the picture, curves and settings of a run; while one is under way, that is shown."""
        if self.work.running:
            raise SettingsError("a run is under way; stop it to look at others")
        self._show(run)
        self.tell(f"Run {run.number} is shown above.")

    def _show(self, run: Run) -> None:
        self.preview.live.forget()
        self.shown, self.json_area.value = run, run.json
        self.stage.show(run)
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
        with self.muted():
            self.controls.show(make_settings(**settings))
        if self.shown is None:
            self.preview.ask()
        self.tell("The settings are open; press Start to run them.")
