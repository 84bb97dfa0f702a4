"""A blind vote: two pictures at a time, one choice, and nothing that says what is what."""

import itertools
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets
from PIL import Image
from torch import Tensor

from nst.errors import SettingsError
from nst.files import expand
from nst.files.votes import CHOICES, Vote, add_vote, check_names, read_votes
from nst.images import postprocess_image
from nst.widgets import draw
from nst.widgets.common import View, png
from nst.widgets.layout import words
from nst.widgets.markup import safe
from nst.widgets.picture import SHOWN, Picture

QUESTION = "Which is the better painting?"
NONE_YET = -1, "neither"  # the number of no pair
SCRIPT = """
function render({ model, el }) {
  const make = (kind, name, inside) => {
    const made = document.createElement(kind);
    made.className = name; inside.append(made); return made;
  };
  const pair = make("div", "nst-pair", el), row = make("div", "nst-ballot-buttons", el);
  const sides = ["left", "right"], images = sides.map(() => make("img", "", pair));
  const said = [["left", "← left"], ["neither", "↓ cannot say"], ["right", "right →"]];
  const cast = (choice) => {
    // Not sent twice for the same pair, however often a key is pressed.
    if (model.get("asking") && model.get("choice")[0] !== model.get("pair")) {
      model.set("choice", [model.get("pair"), choice]); model.save_changes();
    }
  };
  for (const [choice, text] of said) {
    const button = make("button", "nst-ballot-button", row);
    button.textContent = text; button.addEventListener("click", () => cast(choice));
  }
  const draw = () => { pair.hidden = row.hidden = !model.get("asking"); };
  const keys = { ArrowLeft: "left", ArrowDown: "neither", ArrowRight: "right" };
  el.addEventListener("keydown", (event) => {
    event.stopPropagation();  // JupyterLab would take the keys for itself
    if (!keys[event.key] || event.repeat) return;
    event.preventDefault(); cast(keys[event.key]);
  });
  pair.tabIndex = -1;  // a click gives it the focus, so that the keys are heard
  images.forEach((image, i) => {
    image.alt = `${sides[i]} picture`;
    // The second of a double click would be a vote on the next pair.
    image.addEventListener("click", (event) => { if (event.detail < 2) cast(sides[i]); });
  });
  const ends = images.map((image, i) => shown(model, sides[i], image));
  model.on("change:asking", draw); draw();
  return () => ends.forEach((end) => end());
}
export default { render };
"""
STYLE = """
.nst-pair { display: flex; gap: 8px; }
.nst-pair[hidden], .nst-ballot-buttons[hidden] { display: none; }
.nst-pair img { width: calc(50% - 4px); height: auto; display: block; cursor: pointer; }
.nst-ballot-buttons { display: flex; gap: 8px; margin-top: 8px; }
.nst-ballot-button { flex: 1; min-height: 40px; font-size: 14px; cursor: pointer;
  border: 1px solid #767676; border-radius: 4px; background: #f3f3f3; color: #222; }
.nst-ballot-button:hover { background: #e4e4e4; }
.nst-ballot-button:focus-visible { outline: 3px solid #1a73e8; outline-offset: 1px; }
"""


class Ballot(anywidget.AnyWidget):
    """Two pictures to click on, and three buttons; the arrow keys do the same, down for neither.

    Traits: `left` and `right`, the bytes of PNGs; `pair`, the number of the pair; `choice`, the
    pair that was chosen from and one of `nst.files.votes.CHOICES`; `asking`, whether there is one.
    """

    _esm = SHOWN + SCRIPT
    _css = STYLE

    left = traitlets.Bytes(b"").tag(sync=True)
    right = traitlets.Bytes(b"").tag(sync=True)
    pair = traitlets.Int(0).tag(sync=True)
    choice = traitlets.Tuple(traitlets.Int(), traitlets.Enum(CHOICES), default_value=NONE_YET).tag(
        sync=True
    )
    asking = traitlets.Bool(True).tag(sync=True)


class BlindVote(View):
    """A blind vote: two pictures at a time without their names, and the question which is better.

    All pairs are asked about once, in an order, and with sides, that chance decides for each voter.
    Each vote is written to the file at once, so that whoever comes back goes on where they stopped.
    In the file the pictures' names stand: look into it afterwards.

    Args:
        pictures: tensors (1, 3, H, W) in [0, 1] by name, two at least.
        file: where the votes are written, as CSV; see `nst.files.votes`.
        voter: who votes. Another name is another order, and begins anew.
        beside: pictures shown above all pairs, by what to call them: the photograph, the style.
        question: what is asked.
        synchronous: as for every `View`.

    Raises:
        SettingsError: fewer than two pictures, or the file is none of votes on these pictures.
    """

    def __init__(
        self,
        pictures: Mapping[str, Tensor],
        file: str | Path = "votes.csv",
        voter: str = "",
        beside: Mapping[str, Tensor] | None = None,
        question: str = QUESTION,
        synchronous: bool | None = None,
    ):
        super().__init__("vote", synchronous)
        if len(pictures) < 2:
            raise SettingsError("a vote needs two pictures; give more")
        self.pictures = {name: postprocess_image(image) for name, image in pictures.items()}
        self.file, self.voter = expand(file, SettingsError), voter.strip()
        self.waiting = order(list(pictures), self.voter)
        self.asked = len(self.waiting)
        for vote in self._earlier():
            self.waiting = [pair for pair in self.waiting if set(pair) != set(vote[1:3])]
        self.names_beside = list(beside or {})
        self.beside = [
            draw.titled(draw.beside([postprocess_image(image)], 110), name)
            for name, image in (beside or {}).items()
        ]
        self.asks, self.note = question, ipw.HTML()
        self.question = ipw.HTML(words(f"<b>{safe(question)}</b>"))
        self.ballot = Ballot(layout=ipw.Layout(max_width="820px", margin="0"))
        self.on(self.ballot, self._cast, "choice")
        self.fill(*self._references(), self.question, self.ballot, self.note)
        self._ask()

    def _earlier(self) -> list[Vote]:
        """What this voter has voted before."""
        if not self.file.exists():
            return []
        votes = read_votes(self.file)
        check_names(votes, list(self.pictures), self.file)
        return [vote for vote in votes if vote.voter == self.voter]

    def _references(self) -> list[ipw.Widget]:
        if not self.beside:
            return []
        names = "; ".join(self.names_beside)
        strip = draw.beside(self.beside, 132)
        shown = Picture(f"{strip.width}px", data=png(strip), alt=f"For comparison: {names}")
        return [shown]

    def _ask(self) -> None:
        """Show the next pair, or that there is none."""
        done = self.asked - len(self.waiting)
        if self.waiting:
            left, right = self.waiting[0]
            self.ballot.pair = done
            self.ballot.left, self.ballot.right = (
                png(self.pictures[left]),
                png(self.pictures[right]),
            )
            text = (
                f"{done} of {self.asked} pairs are done. Click on a picture, or use the buttons, "
                "or the arrow keys: ← ↓ →"
            )
        else:
            self.ballot.asking = False
            text = f"All {self.asked} pairs are done: thank you. The votes are in {self.file.name}."
        self.note.value = words(safe(text))

    def _cast(self) -> None:
        pair, choice = self.ballot.choice
        if pair == self.asked - len(self.waiting) and self.waiting:
            try:
                self.vote(choice)
            except Exception:
                with self.muted():
                    self.ballot.choice = NONE_YET  # the page sends no second one for a pair
                raise

    def vote(self, choice: str) -> None:
        """Write down a choice between the two that are shown, and show the next two."""
        if not self.waiting:
            raise SettingsError("all pairs are done; another voter's name begins anew")
        add_vote(self.file, Vote(self.voter, *self.waiting[0], choice))
        self.waiting = self.waiting[1:]
        self._ask()

    def still(self) -> Image.Image:
        """What is shown: the references, the question, and the pair without names."""
        shown = self.waiting[0] if self.waiting else list(self.pictures)[:2]
        pair = draw.beside([self.pictures[name] for name in shown], 220)
        pair = draw.titled(pair, f"{self.asks}   left  |  cannot say  |  right", 26)
        return draw.below([*([draw.beside(self.beside, 132)] if self.beside else []), pair])


def order(names: list[str], voter: str) -> list[tuple[str, str]]:
    """All pairs of names, in an order and with sides that are chance's, the same for a voter."""
    chance: Any = random.Random(f"{voter}: {sorted(names)}")
    pairs = [tuple(chance.sample(pair, 2)) for pair in itertools.combinations(sorted(names), 2)]
    return chance.sample(pairs, len(pairs))
