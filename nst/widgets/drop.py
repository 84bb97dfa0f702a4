"""A place to drop a file, or to choose one; and what came, as a picture or as settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets
from ipywidgets.widgets.trait_types import CByteMemoryView
from PIL import Image

from nst.errors import ImageError, NstError
from nst.images import open_image, read_settings

LIMIT = 8_000_000  # bytes; Jupyter's connection breaks at 10 MiB

SCRIPT = """
function render({ model, el }) {
  const box = document.createElement("label"), input = document.createElement("input");
  const text = document.createElement("span");
  box.className = "nst-drop-box"; input.type = "file";
  box.append(input, text); el.append(box);
  const draw = () => {
    text.textContent = model.get("label"); input.accept = model.get("accept");
    input.disabled = model.get("disabled");
    box.classList.toggle("nst-disabled", input.disabled);
  };
  const take = async (file) => {
    if (!file || input.disabled) return;
    // A file that is too large is not sent: it would break the connection.
    const fits = file.size <= model.get("limit");
    const data = fits ? await file.arrayBuffer() : new ArrayBuffer(0);
    model.set("file", { name: file.name, size: file.size, count: Date.now() });
    model.set("data", new DataView(data));
    model.save_changes();
  };
  input.addEventListener("change", async () => { await take(input.files[0]); input.value = ""; });
  const over = (event) => {
    event.preventDefault(); event.stopPropagation();
    box.classList.toggle("nst-over", event.type === "dragover");
    if (event.type === "drop") take(event.dataTransfer.files[0]);
  };
  for (const name of ["dragover", "dragleave", "drop"]) box.addEventListener(name, over);
  for (const name of ["label", "accept", "disabled"]) model.on("change:" + name, draw);
  draw();
  // JupyterLab would take arrows and letters for itself, also those meant for lists and buttons.
  const keep = (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  };
  const calm = () => {
    const view = el.closest(".nst-view");
    if (view && !view.dataset.nstCalm) {
      view.dataset.nstCalm = "yes"; view.addEventListener("keydown", keep);
    } else if (!view && !el.isConnected) requestAnimationFrame(calm);
  };
  calm();
}
export default { render };
"""

STYLE = """
.nst-drop-box { position: relative; display: block; padding: 5px 10px; border-radius: 4px;
  border: 1px dashed var(--jp-border-color1, #999); text-align: center; cursor: pointer;
  color: var(--jp-ui-font-color1, #222); font-size: var(--jp-ui-font-size1, 13px);
  line-height: 1.4; }
.nst-drop-box:hover, .nst-over { background: var(--jp-layout-color2, #eee); }
.nst-drop-box:focus-within { outline: 2px solid #1a73e8; outline-offset: 1px; }
.nst-drop-box.nst-disabled { opacity: 0.5; cursor: default; }
.nst-drop-box input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0;
  cursor: inherit; }
"""


class Drop(anywidget.AnyWidget):
    """A field that takes one file at a time, by a click, the keyboard, or drag and drop.

    Traits: `label`, what it says; `accept`, as in HTML's file input; `limit`, in bytes, which is
    checked before anything is sent; `disabled`. `arrived` counts the files that came; the last one
    is in `file` (its name and size) and `data`, which is empty if it was too large.
    """

    _esm = SCRIPT
    _css = STYLE

    label = traitlets.Unicode("").tag(sync=True)
    accept = traitlets.Unicode("image/*").tag(sync=True)
    limit = traitlets.Int(LIMIT).tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    file = traitlets.Dict().tag(sync=True)
    data = CByteMemoryView().tag(sync=True)  # the page sends a memoryview, not bytes
    arrived = traitlets.Int(0)

    def __init__(self, label: str, **traits: Any):
        super().__init__(label=label, layout=ipw.Layout(margin="0"), **traits)
        self.add_class("nst-drop")
        # Both traits come in one message, and observers are told when both are set. The page puts
        # the time into `file`, so that the same file again is a change.
        self.observe(self._count, "file")

    def put(self, name: str, data: bytes) -> None:
        """What the page does when it is given a file."""
        with self.hold_trait_notifications():
            self.file = {"name": name, "size": len(data), "count": self.arrived}
            self.data = data if len(data) <= self.limit else b""

    def _count(self, _: Any) -> None:
        self.arrived += 1

    @property
    def name(self) -> str:
        """The file's name, without folders, for whatever system it was written."""
        name = Path(str(self.file.get("name", "")).replace("\\", "/").replace("\0", "")).name
        return name[-100:] or "picture"

    def picture(self) -> Image.Image:
        """The file as a picture, upright, in sRGB.

        Raises:
            ImageError: it is too large, or no picture.
        """
        with self._as_file() as path:
            return open_image(path)

    def settings(self) -> dict[str, Any]:
        """The settings in a PNG or a .json file.

        Raises:
            ImageError, SettingsError: it is too large, cannot be read, or holds no settings.
        """
        with self._as_file() as path:
            return read_settings(path)

    @contextmanager
    def _as_file(self) -> Iterator[Path]:
        size = self.file.get("size", 0)
        if max(size, len(self.data)) > self.limit:
            raise ImageError(
                f"'{self.name}' has {size / 1e6:.1f} MB, and at most {self.limit / 1e6:g} MB are "
                "taken; make it smaller first"
            )
        with TemporaryDirectory() as folder:
            path = Path(folder) / self.name
            path.write_bytes(self.data)
            try:
                yield path
            except NstError as error:
                # The reader knows the file by its name, not by where it lies here.
                raise type(error)(str(error).replace(str(path), self.name)) from error
