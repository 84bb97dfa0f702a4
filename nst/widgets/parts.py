"""Small parts of which the studio is built."""

from typing import Any

import anywidget
import ipywidgets as ipw
import traitlets

from nst.widgets.markup import safe


class Fold(ipw.VBox):
    """A part of a view that a button hides; other than ipywidgets' accordion, keys reach it."""

    def __init__(self, title: str, parts: list[ipw.Widget]):
        self.title = title
        self.button = ipw.ToggleButton(False, layout=ipw.Layout(width="auto"))
        self.button.add_class("nst-fold-button")
        self.inside = ipw.VBox(parts)
        self.inside.add_class("nst-fold-inside")
        self.button.observe(lambda _: self.draw(), "value")
        super().__init__([self.button, self.inside])
        self.add_class("nst-fold")
        self.draw()

    def draw(self) -> None:
        """Show or hide what is inside."""
        self.button.description = f"{'▾' if self.button.value else '▸'} {self.title}"
        self.inside.layout.display = "flex" if self.button.value else "none"


class Progress(anywidget.AnyWidget):
    """How far a job has come: `value` of `max`; `label` says what it is the progress of."""

    _esm = """
    function render({ model, el }) {
      const bar = document.createElement("progress");
      const draw = () => {
        bar.max = model.get("max"); bar.value = model.get("value");
        bar.setAttribute("aria-label", model.get("label"));
      };
      for (const name of ["max", "value", "label"]) model.on("change:" + name, draw);
      el.append(bar); draw();
    }
    export default { render };
    """
    _css = """
    .nst-progress { min-width: 120px; }
    .nst-progress progress { width: 100%; height: 14px; accent-color: #1a73e8; }
    """

    value = traitlets.Float(0).tag(sync=True)
    max = traitlets.Float(1).tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)

    def __init__(self, label: str, **traits: Any):
        super().__init__(label=label, **traits)
        self.add_class("nst-progress")


def button(text: str, style: str, tooltip: str = "", **options: Any) -> ipw.Button:
    """A button as wide as its text, with a class for the page's styles."""
    made = ipw.Button(
        description=text, tooltip=tooltip or text, layout=ipw.Layout(width="auto"), **options
    )
    made.add_class(style)
    return made


def note(text: str) -> ipw.HTML:
    """A remark, small."""
    made = ipw.HTML(f"<small>{safe(text)}</small>")
    made.add_class("nst-note")
    return made


def wide(control: ipw.Widget) -> ipw.Widget:
    """The control as wide as its place, its description beside it."""
    control.layout.width, control.style.description_width = "auto", "86px"
    return control


def close(box: ipw.Box) -> None:
    """Take a box, with all its parts, from the page."""
    for part in box.children:
        if isinstance(part, ipw.Box):
            close(part)
        else:
            part.close()
    box.close()
