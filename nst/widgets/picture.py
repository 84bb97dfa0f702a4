"""A picture with a text for those who cannot see it, of which a place can be picked."""

import io
from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets
from PIL import Image

SHOWN = """
// Shows the PNG in one of the model's traits, whenever that changes; returns what lets go of it.
function shown(model, trait, image) {
  let address = "";
  const load = () => {
    const old = address, data = model.get(trait);
    address = data && data.byteLength
      ? URL.createObjectURL(new Blob([data], { type: "image/png" })) : "";
    if (address) image.src = address; else image.removeAttribute("src");
    if (old) URL.revokeObjectURL(old);
  };
  model.on("change:" + trait, load); load();
  return () => { if (address) URL.revokeObjectURL(address); };
}
"""

SCRIPT = """
function render({ model, el }) {
  const frame = document.createElement("div"), image = document.createElement("img");
  const mark = document.createElement("div");
  frame.className = "nst-frame"; mark.className = "nst-mark";
  frame.append(image, mark); el.append(frame);
  const clamp = (n, most) => Math.max(0, Math.min(most - 1, n));
  const pick = (r, c) => {
    model.set("picked", [clamp(r, model.get("rows")), clamp(c, model.get("columns"))]);
    model.save_changes();
  };
  const draw = () => {
    const rows = model.get("rows"), columns = model.get("columns");
    const active = rows > 0 && columns > 0, [r, c] = model.get("picked");
    image.alt = active ? "" : model.get("alt");
    image.style.imageRendering = model.get("pixelated") ? "pixelated" : "auto";
    frame.classList.toggle("nst-pick", active);
    mark.hidden = !active || r < 0;
    if (active) {
      frame.tabIndex = 0;
      frame.setAttribute("role", "application");
      frame.setAttribute("aria-roledescription", "picture; arrow keys move the choice");
      frame.setAttribute("aria-label", model.get("alt"));
      mark.style.left = 100 * c / columns + "%"; mark.style.width = 100 / columns + "%";
      mark.style.top = 100 * r / rows + "%"; mark.style.height = 100 / rows + "%";
    } else {
      frame.removeAttribute("tabindex"); frame.removeAttribute("role");
      frame.removeAttribute("aria-label"); frame.removeAttribute("aria-roledescription");
    }
  };
  frame.addEventListener("click", (event) => {
    if (!frame.classList.contains("nst-pick")) return;
    const box = image.getBoundingClientRect();
    pick(Math.floor((event.clientY - box.top) / box.height * model.get("rows")),
         Math.floor((event.clientX - box.left) / box.width * model.get("columns")));
    frame.focus({ preventScroll: true });
  });
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  frame.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    if (!move || !frame.classList.contains("nst-pick")) return;
    // The notebook would take the arrows for itself.
    event.preventDefault(); event.stopPropagation();
    const [r, c] = model.get("picked");
    pick(Math.max(r, 0) + move[0], Math.max(c, 0) + move[1]);
  });
  for (const name of ["alt", "rows", "columns", "picked", "pixelated"])
    model.on("change:" + name, draw);
  draw();
  return shown(model, "data", image);
}
export default { render };
"""

STYLE = """
.nst-frame { position: relative; line-height: 0; }
.nst-frame img { width: 100%; height: auto; display: block; }
.nst-pick { cursor: crosshair; }
.nst-mark { position: absolute; box-sizing: border-box; min-width: 7px; min-height: 7px;
  border: 2px solid #fff; box-shadow: 0 0 0 2px #e0226e, inset 0 0 0 1px #e0226e;
  pointer-events: none; z-index: 1; }
.nst-mark[hidden] { display: none; }
"""


class Picture(anywidget.AnyWidget):
    """A picture, as wide as its place.

    Traits: `data`, the bytes of a PNG; `alt`, a sentence on what there is to see; `pixelated`, for
    pictures whose pixels are to be seen. If `rows` and `columns` are not 0, a click or the arrow
    keys pick a cell of that grid, which is laid over the picture: `picked` is its (row, column),
    (-1, -1) for none.
    """

    _esm = SHOWN + SCRIPT
    _css = STYLE

    data = traitlets.Bytes(b"").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    pixelated = traitlets.Bool(False).tag(sync=True)
    rows = traitlets.Int(0).tag(sync=True)
    columns = traitlets.Int(0).tag(sync=True)
    picked = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(-1, -1)).tag(
        sync=True
    )

    def __init__(self, width: str = "100%", **traits: Any):
        """`width` is the greatest that it takes, as CSS has it: "360px"."""
        super().__init__(layout=ipw.Layout(width=width, max_width="100%", margin="0"), **traits)
        self.add_class("nst-picture")

    def image(self) -> Image.Image:
        """The picture that is shown, decoded."""
        return Image.open(io.BytesIO(self.data)).convert("RGB")
