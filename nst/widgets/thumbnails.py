"""Small pictures, of which one is chosen."""

import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import anywidget
import ipywidgets as ipw
import traitlets
from PIL import Image, ImageOps

from nst.images import open_image

SIDE = 160  # pixels: twice what a page shows, for screens of many
STYLE = """
.nst-thumbs-label { font-weight: 600; line-height: 22px; }
.nst-thumbs-label:empty { display: none; }
.nst-thumbs-group { display: grid; gap: 4px; grid-template-columns: repeat(4, minmax(0, 1fr)); }
/* As notebooks style buttons, these would be centred in what their row leaves. */
.nst-thumb { display: flex; flex-direction: column; justify-content: flex-start;
  padding: 3px 3px 2px; margin: 0; min-width: 0; cursor: pointer;
  border: 2px solid transparent; border-radius: 7px; background: none; font: inherit;
  line-height: 1.3; color: var(--jp-ui-font-color1, inherit); }
.nst-thumb:hover { background: var(--jp-layout-color2, #eee); }
.nst-thumb[aria-checked=true] { border-color: #1a73e8; background: var(--jp-layout-color2, #eee);
  font-weight: 600; }
.nst-thumb-picture { display: block; width: 100%; aspect-ratio: 1; border-radius: 4px;
  background: var(--jp-layout-color2, #ddd) center / cover no-repeat; }
.nst-thumb-name { display: block; width: 100%; text-align: center; font-size: 0.9em;
  padding-top: 2px; overflow-wrap: anywhere; }
"""


def thumbnail(picture: Image.Image, side: int = SIDE) -> bytes:
    """The middle of the picture as a small square JPEG."""
    return jpeg(ImageOps.fit(picture.convert("RGB"), (side, side), Image.Resampling.BICUBIC))


def jpeg(picture: Image.Image, quality: int = 82) -> bytes:
    """A file of the picture that is small, to be looked at."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


@lru_cache(maxsize=64)
def sample_thumbnail(name: str) -> bytes:
    """Of a sample picture; they are the same in every view."""
    return thumbnail(open_image(name))


class Thumbnails(anywidget.AnyWidget):
    """A group of radio buttons that are pictures, with their names beneath.

    Traits: `options`, the names; `pictures`, a small file for each; `value`, the name that is
    chosen, or none of them; `label`, what is chosen here.
    """

    _esm = Path(__file__).with_name("thumbnails.js").read_text(encoding="utf-8")
    _css = STYLE

    options = traitlets.List(traitlets.Unicode()).tag(sync=True)
    pictures = traitlets.Dict(traitlets.Bytes()).tag(sync=True)
    value = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)

    def __init__(self, label: str, pictures: Mapping[str, bytes] | None = None, value: str = ""):
        super().__init__(label=label, value=value, layout=ipw.Layout(margin="0"))
        self.add_class("nst-thumbs")
        self.offer(pictures or {})

    def offer(self, pictures: Mapping[str, bytes]) -> None:
        """Show these pictures, in their order."""
        with self.hold_sync():
            self.pictures, self.options = dict(pictures), list(pictures)
