"""The studio's picture while one chooses: painted in one pass, as soon as something changes."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PIL import Image
from torch import Tensor

from nst.errors import NstError
from nst.images import fitted, postprocess_image
from nst.settings import Settings
from nst.widgets.common import View, png, reduced
from nst.widgets.controls import Controls
from nst.widgets.library import Library
from nst.widgets.live import SIDES, Easel, Live, Wish, strokes_of
from nst.widgets.stage import Stage
from nst.widgets.thumbnails import jpeg

SAID = "Painted in one pass. Refine goes on from here, step by step"
WHOLE = 24_000_000  # pixels of a painting in full size, at most: a million takes 130 MB of memory


class Preview:
    """Asks for a painting when the controls change, and puts it on the stage.

    Not before the page is there: nobody would see it. `when_shown` is called with each.
    """

    def __init__(self, view: View, controls: Controls, stage: Stage, library: Library,
                 device: str | None, when_shown: Callable[[], None]):  # fmt: skip
        self.view, self.controls, self.stage, self.library = view, controls, stage, library
        self.device, self.when_shown, self.here = device, when_shown, False
        self.live = Live(Easel(library, device), self._show, view.fail_by, view.work.synchronous)
        self.last: Wish | None = None  # that is on the stage
        self.side, self.whole = SIDES[0], (0, 0)  # long side of its painting; its size in full
        stage.export.paint = self._in_full
        controls.content.when_seen = controls.mixture.when_changed = self.ask
        controls.look.when_changed = self.ask
        view.page.observe(lambda _: self.begin(), "here")

    def begin(self) -> None:
        """The page is there; unless it shows a run, it shows a painting."""
        self.here = True
        if self.stage.run is None:
            self.ask()

    def ask(self) -> None:
        """Paint what the controls say, unless they are being set, or a run is under way."""
        if self.view.is_muted or self.view.work.running:
            return
        if not self.here:
            self.photograph()
            return
        with suppress(NstError):  # what makes no sense yet is said when it is started
            self.live.ask(Wish(self.controls.settings(), self.controls.look.strength))

    def photograph(self) -> None:
        """The photograph stands where the first painting will be."""
        if self.stage.run is None:
            picture = reduced(self.controls.content.picture(), SIDES[0])
            self.stage.preview(png(picture), "the content picture")

    def _show(self, wish: Wish, painting: Tensor) -> None:
        """Called by the thread that paints: sets traits only."""
        if self.view.work.running:
            return
        self.last, self.side = wish, max(painting.shape[-2:])
        content, styles = wish.settings.content or "", " and ".join(wish.settings.styles)
        width, height = self.library.open(content).size
        self.whole = fitted((height, width), whole_side(width, height))[::-1]
        picture = jpeg(postprocess_image(painting), 90)
        self.stage.preview(picture, f"{content} in {styles}, painted in one pass", self.whole)
        self.when_shown()
        self.stage.say(f"{SAID}{besides(wish.settings)}.")

    def _in_full(self) -> Callable[[], tuple[Image.Image, str]]:
        """What paints, in all the photograph's pixels, the painting that is shown now."""
        wish = self.last
        assert wish is not None
        names = (wish.settings.content or "", *wish.settings.styles)
        paint = self._larger(wish, max(self.whole), self.side)
        return lambda: (postprocess_image(paint()), "-".join(Path(name).stem for name in names))

    def painting(self, settings: Settings, size: int) -> Callable[[], Tensor]:
        """What paints the start of a run at that size: the painting that is shown, or would be.

        It may come out larger, as it is shown: painted smaller, its strokes would be broader in it.
        """
        wish, side = Wish(settings, self.controls.look.strength), self.side
        if wish != self.last:
            whole = max(self.library.open(settings.content or "").size)
            side = min(self.live.side(settings), whole)
        return self._larger(wish, max(size, side), side)

    def _larger(self, wish: Wish, size: int, side: int) -> Callable[[], Tensor]:
        """What paints, at `size`, the painting that has a long side of `side` pixels."""
        strokes = min(64.0, max(1.0, size / side * max(1.0, strokes_of(wish.settings))))
        # An easel of its own: the other one would remember a large picture.
        return lambda: Easel(self.library, self.device).paint(wish, size, strokes)


def whole_side(width: int, height: int) -> int:
    """The long side of a painting in full size: the photograph's, unless it has too many pixels."""
    return round(max(width, height) * min(1.0, WHOLE / (width * height)) ** 0.5)


def besides(settings: Settings) -> str:
    """What a painter knows nothing of, and the optimiser minds."""
    scale, usual = settings.style_scale, Settings()
    layers = ("content_layers", "style_layers", "layers_by_style")
    unknown = {
        "the statistic": settings.statistic != usual.statistic,
        "the smoothness": settings.tv_weight != usual.tv_weight,
        "what counts of the styles": bool(settings.style_masks),
        "the matching of colours": settings.colour in ("match", "histogram"),
        "strokes by style": isinstance(scale, tuple) and len(set(scale)) > 1,
        "the layers": any(getattr(settings, name) != getattr(usual, name) for name in layers),
        "shares above 1": any(weight > 1 for weight in settings.mask_weights),
    }
    names = [name for name, is_asked in unknown.items() if is_asked]
    listed = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    return f", and minds {listed}" if names else ""
