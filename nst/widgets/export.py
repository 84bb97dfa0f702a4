"""Saving a picture: its formats, and a painting in all the pixels of its photograph."""

from collections.abc import Callable
from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets
from PIL import Image

from nst.files.encoding import SAVE_OPTIONS, encode
from nst.images import open_image
from nst.widgets.common import View
from nst.widgets.layout import row
from nst.widgets.parts import button
from nst.widgets.work import Work

# In which a picture can be saved: the ending of the file's name, and its kind.
FORMATS = {"PNG": (".png", "png"), "JPEG": (".jpg", "jpeg"), "WebP": (".webp", "webp")}


def as_file(picture: bytes | Image.Image, suffix: str) -> bytes:
    """A picture as a file of another format, without settings."""
    return encode(open_image(picture), SAVE_OPTIONS[suffix], None)


class Download(anywidget.AnyWidget):
    """A file that the page saves as soon as it comes, and a link to save it again.

    Traits: `data`, its bytes, none for no file; `name` and `kind`, as browsers have them.
    """

    _esm = """
    function render({ model, el }) {
      const link = document.createElement("a");
      let address = "";
      const draw = (event) => {
        if (address) URL.revokeObjectURL(address);
        address = "";
        const data = model.get("data");
        if (!data?.byteLength) { link.remove(); return; }
        address = URL.createObjectURL(new Blob([data], { type: model.get("kind") }));
        link.href = address; link.download = model.get("name");
        link.textContent = `Save ${model.get("name")}, ${(data.byteLength / 1e6).toFixed(1)} MB`;
        el.append(link);
        if (event) link.click();
      };
      model.on("change:data", draw); draw();
      return () => { if (address) URL.revokeObjectURL(address); };
    }
    export default { render };
    """

    data = traitlets.Bytes(b"").tag(sync=True)
    name = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Unicode("").tag(sync=True)


class Export(ipw.VBox):
    """A button for the painting in the photograph's own size, and the file that comes of it.

    `paint` is asked for the painting and its name, without ending; it is called by a thread.
    """

    def __init__(self, view: View):
        self.view = view
        self.paint: Callable[[], Callable[[], tuple[Image.Image, str]]] | None = None
        self.button = button("Full size", "nst-full", "paint and save it in the photograph's size")
        self.format = ipw.Dropdown(description="as", options=list(FORMATS), value="JPEG")
        self.format.add_class("nst-format")
        self.download = Download()
        self.download.add_class("nst-save")
        self.said, self.size = view.line(), (0, 0)
        self.work = Work(view.work.synchronous, self._done)
        parts = row(self.button, self.format, self.download, gap="4px 6px")
        super().__init__([parts, self.said])
        self.add_class("nst-export")
        view.on(self.button, self.start, beside=self.said)

    def offer(self, size: tuple[int, int] | None) -> None:
        """Offer a painting of that width and height; None: there is none."""
        self.layout.display = "flex" if size else "none"
        if size:
            self.button.description = f"Full size: {size[0]} × {size[1]}"
        if not self.work.running:
            self.download.data = b""

    def start(self) -> None:
        """Paint what is shown now, in full size."""
        if self.paint is None or self.work.running:
            return
        job, format_ = self.paint(), self.format.value
        self.button.disabled, self.download.data = True, b""
        self.view.tell("The painting in full size is under way; it is saved when it is done.")
        self.work.start(lambda stop: self._make(job, format_))

    def _make(self, job: Callable[[], tuple[Image.Image, str]], format_: str) -> None:
        picture, name = job()
        self.size = picture.size
        suffix, kind = FORMATS[format_]
        with self.download.hold_sync():
            self.download.name, self.download.kind = f"{name}{suffix}", f"image/{kind}"
            self.download.data = as_file(picture, suffix)

    def _done(self) -> None:
        self.button.disabled = False
        if self.work.error is not None:
            self.view.fail_by(self.work.error)
            return
        # Without a call for the eye, which may be elsewhere by now.
        width, height = self.size
        self.said.say(f"{self.download.name} is saved: {width} × {height} pixels.", call=False)

    def close(self) -> Any:
        """With its work."""
        self.work.stop()
        super().close()
