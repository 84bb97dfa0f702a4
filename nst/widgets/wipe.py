"""Two pictures, one over the other, with an edge between them that moves."""

from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets

from nst.widgets.picture import SHOWN

SCRIPT = """
function render({ model, el }) {
  const frame = document.createElement("div"), slider = document.createElement("input");
  const images = ["left", "right"].map(() => document.createElement("img"));
  const edge = document.createElement("div");
  frame.className = "nst-wipe-frame"; edge.className = "nst-wipe-edge";
  slider.type = "range"; slider.min = 0; slider.max = 100; slider.step = 1;
  slider.setAttribute("aria-label", "where the edge between the two pictures is, in percent");
  frame.append(images[1], images[0], edge); el.append(frame, slider);
  const draw = () => {
    const place = model.get("position");
    slider.value = place; edge.style.left = place + "%";
    images[0].style.clipPath = `inset(0 ${100 - place}% 0 0)`;
    images[0].alt = model.get("left_alt"); images[1].alt = model.get("right_alt");
  };
  const move = (place) => {
    model.set("position", Math.max(0, Math.min(100, Math.round(place)))); model.save_changes();
  };
  // JupyterLab would take the arrow keys for itself.
  slider.addEventListener("keydown", (event) => event.stopPropagation());
  slider.addEventListener("input", () => move(Number(slider.value)));
  const follow = (event) => {
    const box = frame.getBoundingClientRect();
    move((event.clientX - box.left) / box.width * 100);
  };
  frame.addEventListener("pointerdown", (event) => {
    event.preventDefault(); frame.setPointerCapture(event.pointerId); follow(event);
  });
  frame.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  const ends = images.map((image, i) => shown(model, ["left", "right"][i], image));
  for (const name of ["position", "left_alt", "right_alt"]) model.on("change:" + name, draw);
  draw();
  return () => ends.forEach((end) => end());
}
export default { render };
"""

STYLE = """
.nst-wipe-frame { position: relative; line-height: 0; cursor: ew-resize; touch-action: pan-y;
  overflow: hidden; }
.nst-wipe-frame img { width: 100%; height: auto; display: block; }
.nst-wipe-frame img + img { position: absolute; inset: 0; height: 100%; object-fit: fill; }
.nst-wipe-edge { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px;
  background: #fff; box-shadow: 0 0 3px #000; pointer-events: none; }
.nst-wipe input { width: 100%; margin: 6px 0 0; }
"""


class Wipe(anywidget.AnyWidget):
    """Two pictures in one place: the left one up to `position` (percent), then the right one.

    Traits: `left` and `right`, the bytes of PNGs; `left_alt` and `right_alt`, what they are.
    """

    _esm = SHOWN + SCRIPT
    _css = STYLE

    left = traitlets.Bytes(b"").tag(sync=True)
    right = traitlets.Bytes(b"").tag(sync=True)
    left_alt = traitlets.Unicode("").tag(sync=True)
    right_alt = traitlets.Unicode("").tag(sync=True)
    position = traitlets.Int(50).tag(sync=True)

    def __init__(self, width: str = "100%", **traits: Any):
        """`width` is the greatest that it takes, as CSS has it."""
        super().__init__(layout=ipw.Layout(width=width, max_width="100%", margin="0"), **traits)
        self.add_class("nst-wipe")
