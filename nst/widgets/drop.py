"""A place to drop a file, or to choose one; and what came, as a picture or as settings."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets
from PIL import Image

from nst.control.masks import as_values
from nst.errors import ImageError, NstError
from nst.files.decoding import identify
from nst.files.kinds import known_kind
from nst.images import fit, open_image, postprocess_image, read_settings

PIXELS = 50_000_000
MOST = 8  # bytes of a file for each pixel: none that is read takes more, uncompressed
PART = 2**21  # bytes that the page sends at once

STYLE = """
.nst-drop-box { position: relative; display: block; padding: 5px 10px; border-radius: 4px;
  border: 1px dashed var(--jp-border-color1, #999); text-align: center; cursor: pointer;
  color: var(--jp-ui-font-color1, #222); font-size: var(--jp-ui-font-size1, 13px);
  line-height: 1.4; }
.nst-drop-box:hover, .nst-over { background: var(--jp-layout-color2, #eee); }
.nst-drop-box:has(:focus-visible) { outline: 2px solid #1a73e8; outline-offset: 1px; }
.nst-drop-box.nst-disabled { opacity: 0.5; cursor: default; }
.nst-drop-box input { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0;
  cursor: inherit; }
"""


class Drop(anywidget.AnyWidget):
    """A field that takes one file at a time, by a click, the keyboard, or drag and drop.

    Traits: `label`, what it says; `accept`, as in HTML's file input; `limit`, a picture's pixels
    at most; `also`, a CSS selector of what else in the view takes files for it; `disabled`.
    `arrived` counts the files that came; of the last one there are `name` and `data`, its bytes.

    The page sends a file in parts, each after the last has been taken. The first part tells what
    the file is: what is surely of no use is not sent any further.
    """

    _esm = Path(__file__).with_name("drop.js").read_text(encoding="utf-8")
    _css = STYLE

    label = traitlets.Unicode("").tag(sync=True)
    accept = traitlets.Unicode("image/*").tag(sync=True)
    also = traitlets.Unicode("").tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    arrived = traitlets.Int(0)

    def __init__(self, label: str, limit: int = PIXELS, **traits: Any):
        super().__init__(label=label, layout=ipw.Layout(margin="0"), **traits)
        self.add_class("nst-drop")
        self.limit, self.data, self.file, self.refusal = limit, b"", "", ""
        self._parts: list[bytes] = []
        self.on_msg(self._receive)

    def put(self, name: str, data: bytes) -> None:
        """What the page does when it is given a file."""
        arrived, place = self.arrived, 0
        while self.arrived == arrived:
            about = {"id": "", "name": name, "size": len(data), "place": place, "readable": True}
            self._receive(self, about, [data[place : place + PART]])
            place += PART

    def _receive(self, _: Any, about: dict[str, Any], buffers: list[Any]) -> None:
        """A part of a file has come."""
        if about["place"] == 0:
            self._parts, self.file, self.refusal = [], str(about["name"]), ""
        self._parts.append(b"".join(bytes(part) for part in buffers))
        if about["place"] == 0:
            self.refusal = self._refuse(about, self._parts[0])
        more = not self.refusal and sum(map(len, self._parts)) < about["size"]
        self.send({"id": about["id"], "more": more})
        if not more:
            self.data, self._parts = b"".join(self._parts), []
            self.arrived += 1

    def _refuse(self, about: dict[str, Any], start: bytes) -> str:
        """Why the file is of no use, judged by its first part; empty if it may be of use."""
        if not about["readable"]:
            name = f"'{self.name}' cannot be read" if about["name"] else "that was no file"
            return f"{name}; save the picture as a file of its own, and drop that"
        if known := known_kind(start):
            return f"'{self.name}' {known}"
        with suppress(ImageError):  # its header may be cut, or stand at its end
            if many := self._too_many(identify(io.BytesIO(start), self.name, huge=True)):
                return many
        if about["size"] > MOST * self.limit:
            return (
                f"'{self.name}' has {about['size'] / 1e6:.0f} MB, more than any picture of "
                f"{self.limit / 1e6:g} million pixels; make it smaller first"
            )
        return ""

    def _too_many(self, image: Image.Image) -> str:
        """Why a picture has too many pixels; empty if it has not."""
        pixels = image.width * image.height
        if pixels <= self.limit:
            return ""
        return (
            f"'{self.name}' has {image.width} × {image.height} pixels, and at most "
            f"{self.limit / 1e6:g} million are taken; make it smaller first"
        )

    @property
    def name(self) -> str:
        """The file's name, without folders, for whatever system it was written."""
        plain = self.file.encode("utf-8", "replace").decode()
        name = Path(plain.replace("\\", "/").replace("\0", "")).name
        return name[-100:] if name.strip(". ") else "picture"

    def picture(self) -> Image.Image:
        """The file as a picture, upright, in sRGB, in all its pixels.

        Raises:
            ImageError: it has too many of them, or is no picture.
        """
        with self._as_file() as path:
            return open_image(self._counted(path))

    def mask(self, side: int) -> Image.Image:
        """The file as a mask of mode L, its long side at most `side` pixels.

        Raises:
            ImageError: it has too many pixels, or is no picture.
        """
        with self._as_file() as path:
            values = as_values(self._counted(path))
        return postprocess_image(fit(values, side).expand(1, 3, -1, -1)).convert("L")

    def settings(self) -> dict[str, Any]:
        """The settings in a PNG or a .json file.

        Raises:
            ImageError, SettingsError: it is too large, cannot be read, or holds no settings.
        """
        with self._as_file() as path:
            return read_settings(path)

    def _counted(self, path: Path) -> Path:
        """The file of a picture that has not too many pixels."""
        with path.open("rb") as file:
            self.refusal = self._too_many(identify(file, f"'{self.name}'", huge=True))
        return self._accepted(path)

    def _accepted(self, path: Path) -> Path:
        if self.refusal:
            raise ImageError(self.refusal)
        return path

    @contextmanager
    def _as_file(self) -> Iterator[Path]:
        with TemporaryDirectory() as folder:
            # Its own name may be none that this system takes; its kind is in how it ends.
            path = self._accepted(Path(folder) / f"file{Path(self.name).suffix[:9]}")
            path.write_bytes(self.data)
            try:
                yield path
            except NstError as error:
                # The reader knows the file by its name, not by where it lies here.
                raise type(error)(str(error).replace(str(path), self.name)) from error
