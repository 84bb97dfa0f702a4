"""The runs of a studio: what each was, what became of it, and its card among the others."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ipywidgets as ipw

from nst.images import open_image, save_image
from nst.runs.results import Result
from nst.settings import Settings
from nst.widgets.common import Message, View, png, reduced
from nst.widgets.layout import row
from nst.widgets.markup import safe
from nst.widgets.parts import button, close
from nst.widgets.picture import Picture

KEPT = 24  # runs; the oldest is forgotten
CUT_SHORT = ("stopped", "interrupted")
CAN_GO_ON = (*CUT_SHORT, "finished", "stalled")
ENDS = {
    "finished": "Finished",
    "stopped": "Stopped",
    "interrupted": "Interrupted",
    "stalled": "Finished early, as the loss no longer moved,",
    "diverged": "Ended, as the loss exploded (a smaller learning rate helps),",
    "out of memory": "Ended, as the memory was full,",
}


@dataclass
class Run:
    """A run's settings, with its pictures' names, and what became of it.

    `reason` is "running", "failed", or as in `nst.Result`; `png` holds the picture with the
    settings inside, and is empty until there is one; `planned` is the steps at the last size;
    `asked` the settings as the controls had them; `kept` the name under which it is kept.
    """

    number: int
    settings: Settings
    reason: str = "running"
    history: list[dict[str, Any]] = field(default_factory=list)
    png: bytes = b""
    planned: int = 0
    delivered: dict[str, float] = field(default_factory=dict)
    asked: Settings | None = None
    kept: str = ""

    @property
    def json(self) -> str:
        """The settings as text, to copy."""
        return json.dumps(self.settings.to_dict(), indent=2)

    @property
    def title(self) -> str:
        """The run in a few words."""
        styles = " + ".join(self.settings.styles)
        return f"{self.number}: {self.settings.content} in {styles}"

    @property
    def file_name(self) -> str:
        """For the saved picture; systems take 255 bytes."""
        names = [self.settings.content or "", *self.settings.styles]
        plain = re.sub(r"[^\w-]+", "-", "-".join(Path(name).stem for name in names))
        return f"{plain.encode()[:150].decode(errors='ignore')}-{self.number}.png"

    @property
    def remark(self) -> str:
        """Sizes and steps."""
        sizes = ", ".join(map(str, self.settings.sizes))
        if self.reason == "running":
            return f"{sizes} px, running"
        steps = sum(step["number"] > 0 for step in self.history)
        return f"{sizes} px, {steps} step{'s' * (steps != 1)}"

    @property
    def end(self) -> str:
        """How it ended, in a sentence."""
        seconds = spell(self.history[-1]["seconds"])
        return f"{ENDS[self.reason]} after {seconds}: run {self.number}, {self.remark}."

    def changed(self, settings: Settings) -> str:
        """In which of the controls' settings these differ from its own, by their names."""
        now, before = settings.to_dict(), (self.asked or settings).to_dict()
        return ", ".join(name.replace("_", " ") for name in now if now[name] != before[name])

    def take(self, result: Result) -> None:
        """Keep what came out of it."""
        named = replace(result.settings, content=self.settings.content, styles=self.settings.styles)
        self.history, self.reason = list(result.history), result.reason
        self.delivered = result.delivered
        self.settings = as_done(named, result.history) if result.reason in CUT_SHORT else named
        with TemporaryDirectory() as folder:
            about = self.settings.to_dict() | {"delivered": result.delivered}
            path = save_image(result.image, Path(folder) / "a.png", about)
            self.png = path.read_bytes()

    def thumbnail(self, size: int = 192) -> bytes:
        """The picture as a small PNG."""
        return png(reduced(open_image(self.png), size))


def as_done(settings: Settings, history: Sequence[dict[str, Any]]) -> Settings:
    """The settings with the steps that were done, so that they paint the same picture again."""
    reached = list(dict.fromkeys(step["size"] for step in history))
    steps = [settings.steps_at(index) for index in range(len(reached) - 1)]
    return replace(
        settings,
        sizes=settings.sizes[: len(reached)],
        num_steps=(*steps, history[-1]["number"]),
    )


def time_left(history: Sequence[dict[str, Any]], plan: Sequence[tuple[int, int]]) -> float | None:
    """Seconds until the end of the plan, judged by the last steps; None if it is too early.

    A step at another size is taken to cost as much more as there are more pixels.
    """
    now = history[-1]
    last = [step for step in history[-20:] if step["size"] == now["size"]]
    if len(last) < 2:
        return None
    pace = (now["seconds"] - last[0]["seconds"]) / (len(last) - 1)
    later = [(size, steps) for size, steps in plan if size > now["size"]]
    more = sum((size / now["size"]) ** 2 * steps for size, steps in later)
    return pace * (now["of"] - now["number"] + more)


def spell(seconds: float) -> str:
    """A duration in words that do not pretend to be exact."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min"


class Card(ipw.VBox):
    """A run as a thumbnail with its name, and buttons to show it and to open it again."""

    def __init__(
        self,
        view: View,
        run: Run,
        preview: bytes,
        show: Callable[[Run], None],
        again: Callable[[Run], None],
        said: Message,
    ):
        self.run = run
        self.picture = Picture(data=preview)
        self.caption = ipw.HTML()
        self.show_button = button("Show", "nst-show", f"show run {run.number}")
        self.again_button = button(
            "Open again", "nst-again", f"set all controls as in run {run.number}"
        )
        view.on(self.show_button, lambda: show(run), beside=said)
        view.on(self.again_button, lambda: again(run), beside=said)
        buttons = row(self.show_button, self.again_button, gap="4px")
        super().__init__([self.picture, self.caption, buttons])
        self.add_class("nst-card")
        self.refresh()

    def refresh(self) -> None:
        """Show what the run has become; sets traits only."""
        end = "" if self.run.reason in ("running", "finished") else f", {self.run.reason}"
        title, remark = safe(self.run.title), safe(self.run.remark + end)
        self.caption.value = f"<b>{title}</b><br><small>{remark}</small>"
        if self.run.png:
            self.picture.data = self.run.thumbnail()
        self.picture.alt = f"Run {self.run.title}"
        self.show_button.disabled = not self.run.png


class History(ipw.VBox):
    """All runs, the newest first."""

    def __init__(
        self, view: View, show: Callable[[Run], None], again: Callable[[Run], None]
    ) -> None:
        self.view, self.show, self.again = view, show, again
        self.cards: list[Card] = []
        self.shelf = ipw.Box([])
        self.shelf.add_class("nst-shelf")
        self.said = view.line()
        super().__init__([ipw.HTML("<h2>Runs</h2>"), self.said, self.shelf])
        self.add_class("nst-history")
        self.layout.display = "none"

    @property
    def next(self) -> int:
        """The number of a new run."""
        return max((card.run.number for card in self.cards), default=0) + 1

    @property
    def runs(self) -> list[Run]:
        """From the oldest to the newest."""
        return [card.run for card in reversed(self.cards)]

    def add(self, run: Run, preview: bytes) -> None:
        """Put a card for the run in front, with a PNG that it shows until there is a picture."""
        self.cards.insert(0, Card(self.view, run, preview, self.show, self.again, self.said))
        for card in self.cards[KEPT:]:
            close(card)
        del self.cards[KEPT:]
        self.shelf.children = list(self.cards)
        self.layout.display = "flex"

    def refresh(self, run: Run, shown: Run | None) -> None:
        """Bring the run's card up to date, and mark the one that is shown."""
        for card in self.cards:
            if card.run is run:
                card.refresh()
            if card.run is shown:
                card.add_class("nst-shown")
            else:
                card.remove_class("nst-shown")
