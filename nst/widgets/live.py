"""A painting that follows the controls: one pass of a painter for each change of them."""

import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nst.control.colours import grey, recolour
from nst.control.masks import load_mask
from nst.control.regions import spread
from nst.devices import pick_device
from nst.images import preprocess_image
from nst.painters import load_painter
from nst.painters.files import knows
from nst.painters.networks import mixed
from nst.painters.painting import in_strokes
from nst.painters.starting import joined
from nst.painters.tiles import in_one_pass, own_condition
from nst.painters.training import STYLE_SIZE
from nst.settings import Settings
from nst.widgets.library import Library
from nst.widgets.work import Work

SIDES = (512, 448, 384, 320, 256)  # pixels, of which the largest is taken that is quick enough
SOON = 0.25  # seconds for a painting, at most
FINEST = 0.7  # strokes of a painting while one chooses: finer ones would take too long
LAST = 4  # paintings by which the pace is judged: the first of a photograph does more


class Wish(NamedTuple):
    """What the controls say: settings, with the pictures' names, and a strength from 0 to 1."""

    settings: Settings
    strength: float


class Easel:
    """Paints wishes, and remembers what the next one is likely to need again."""

    def __init__(self, library: Library, device: str | None = None):
        self.library, self.place = library, pick_device(device)
        self.condition = lru_cache(maxsize=64)(self._condition)
        self.content = lru_cache(maxsize=2)(self._content)
        self.missing = lru_cache(maxsize=2)(self._missing)

    @torch.no_grad()
    def paint(self, wish: Wish, size: int | None, strokes: float = 1.0) -> Tensor:
        """The painting, (1, 3, H, W) on the CPU; `size` is its long side, None the photograph's.

        `strokes` is their size, as in `nst.paint`.

        Raises:
            NstError: a picture, a mask or a painter cannot be had.
        """
        settings, strength = wish
        content = self.content(settings.content or "", size)
        if strength == 0:
            return content.cpu()
        used = settings.used(len(settings.styles))
        names = spread(settings.styles, used)
        kind = "styles" if knows(load_painter("styles", self.place), names) else "any"
        rows = [self.condition(kind, name) for name in names]

        def pass_by(row: Tensor) -> Tensor:
            painter = load_painter(kind, self.place)
            if strokes > 1 or strength == 1:
                return in_strokes(painter, content, row, strength, strokes)
            # As `nst.painters.painting.blended`, but what is lost is known from before.
            same, missing = self.missing(kind, settings.content or "", size)
            painting = in_one_pass(painter, content, strength * row + (1 - strength) * same)
            return (painting + (1 - strength) * missing).clamp(0, 1)

        if settings.masks:
            masks = [load_mask(name, content) for name in settings.masks]
            paintings = [pass_by(row) for row in rows]
            painting = joined(content, masks, paintings, settings.mask_weights)
        else:
            shares = settings.style_blend or (1.0,) * used
            painting = pass_by(mixed(rows, [share / sum(shares) for share in shares]))
        if settings.colour == "content":
            painting = recolour(grey(painting), content)
        return painting.cpu()

    def _content(self, name: str, size: int | None) -> Tensor:
        return preprocess_image(self.library.open(name), size, self.place)

    def _condition(self, kind: str, name: str) -> Tensor:
        painter = load_painter(kind, self.place)
        if kind == "styles":
            return painter.condition(name)
        return painter.condition(preprocess_image(self.library.open(name), STYLE_SIZE, self.place))

    def _missing(self, kind: str, name: str, size: int | None) -> tuple[Tensor, Tensor]:
        """The condition that is to change nothing, and what of the photograph it loses."""
        painter, content = load_painter(kind, self.place), self.content(name, size)
        same = own_condition(painter, content)
        return same, content - in_one_pass(painter, content, same)


def strokes_of(settings: Settings) -> float:
    """How large the settings' strokes are: those of the first style, if each has its own."""
    scale = settings.style_scale
    return scale[0] if isinstance(scale, tuple) else scale


class Live:
    """Answers wishes in a thread of its own: the newest one, whenever the last has been painted.

    `show` is called by that thread, with the wish and its painting.
    """

    def __init__(
        self,
        easel: Easel,
        show: Callable[[Wish, Tensor], None],
        failed: Callable[[BaseException], None],
        synchronous: bool | None = None,
    ):
        self.easel, self.show, self.failed = easel, show, failed
        self.wish: Wish | None = None
        self.paces: deque[float] = deque(maxlen=LAST)  # seconds for a pixel of side squared
        self.work = Work(synchronous, self._done)

    def ask(self, wish: Wish) -> None:
        """Paint this, as soon as may be; what was asked before and not begun is forgotten."""
        self.wish = wish
        self.work.start(self._paint)

    def forget(self) -> None:
        """Paint nothing that was asked for."""
        self.wish = None
        self.work.stop()

    def side(self, settings: Settings) -> int:
        """Long side of the painting in pixels: as large as is quick, larger for finer strokes.

        A painter's strokes have a size in pixels, and none finer than it was taught.
        """
        pace = min(self.paces, default=0.0)
        quick = next((side for side in SIDES if pace * side**2 <= SOON), SIDES[-1])
        return round(quick / min(1.0, max(FINEST, strokes_of(settings))))

    def _paint(self, stop: Any) -> None:
        while not stop.is_set() and (wish := self.wish) is not None:
            self.wish = None
            begun = time.perf_counter()
            side = self.side(wish.settings)
            painting = self.easel.paint(wish, side, max(1.0, strokes_of(wish.settings)))
            took = time.perf_counter() - begun
            self.paces.append(took / side**2)
            if not stop.is_set():
                self.show(wish, painting)

    def _done(self) -> None:
        if self.work.error is not None:
            self.failed(self.work.error)
        elif self.wish is not None:  # asked for after the last look, and before the end
            self.work.start(self._paint)
