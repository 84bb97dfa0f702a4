"""For everybody: axe-core finds nothing, the focus is seen and kept, the page follows the system.

axe-core comes with axe-playwright-python. It runs over the app and over all views in JupyterLab,
with all folds open, in light and in dark; in test_pages.py over the pages of the site.
"""

import io

import nbformat
import numpy as np
import pytest
from PIL import Image

from .test_studio import choose, opened, status, studio

expect = pytest.importorskip("playwright.sync_api").expect
FOLDS = ("Where it is painted", "What counts of it", "Numbers", "Size and steps",
         "Network and layers", "Compare two runs", "Settings of the shown run",
         "Open a saved run")  # fmt: skip
VIEWS = [
    "from nst import widgets",
    "widgets.TransferStudio('cat', ['waves', 'ink'], size=64, num_steps=4)",
    "widgets.ActivationExplorer(size=128)",
    "widgets.GramExplorer('starry', other='waves', size=128)",
    "widgets.TradeOffStrip('cat', 'waves', values=[0.1, 10], size=64, steps=5)",
]
# The ratio of contrast between an outline and the ground on which it is drawn.
OUTLINE = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const one = document.activeElement;
  const drop = one.closest(".nst-drop-box"), seen = drop ?? one;
  let ground = seen.parentElement, back;
  while (ground && ((back = parts(getComputedStyle(ground).backgroundColor)), back[3] === 0))
    ground = ground.parentElement;
  const style = getComputedStyle(seen), colour = parts(style.outlineColor);
  const [low, high] = [light(colour), light(back)].sort((a, b) => a - b);
  const drawn = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return { name: seen.outerHTML.slice(0, 120), inside: Boolean(one.closest(".nst-view")),
    contrast: drawn ? (high + 0.05) / (low + 0.05) : 0 };
}"""


def contrast(data):
    """Between the lightest and the darkest pixel of a PNG."""
    with Image.open(io.BytesIO(data)) as picture:
        levels = np.asarray(picture.convert("RGB"), float) / 255
    levels = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    light = levels @ [0.2126, 0.7152, 0.0722]
    return (light.max() + 0.05) / (light.min() + 0.05)


def arrow_is_seen(page, control):
    """The arrow of a drop-down, at its right within its edge."""
    control.scroll_into_view_if_needed()
    box = control.bounding_box()
    clip = {"x": box["x"] + box["width"] - 19, "y": box["y"] + 4, "width": 15,
            "height": box["height"] - 8}  # fmt: skip
    return contrast(page.screenshot(clip=clip)) >= 3


def finished(view):
    """Paint for a moment, and unfold everything."""
    view.locator(".nst-start").click()
    expect(status(view)).to_contain_text("Finished")
    for title in FOLDS:
        opened(view, title)
    assert view.locator("button.nst-fold-button[aria-expanded=true]").count() == len(FOLDS)


def focus_is_seen(page, view):
    """Go through all that the keyboard reaches in a view; each stop shows that it is one."""
    view.locator("select, input, button, a, [tabindex='0']").first.focus()
    stops = []
    for _ in range(150):
        stop = page.evaluate(OUTLINE)
        if not stop["inside"]:
            break
        stops.append(stop)
        page.keyboard.press("Tab")
    assert len(stops) > 20
    assert [stop for stop in stops if stop["contrast"] < 3] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_app(theme, app, shot, violations):
    page = app(color_scheme=theme)
    view = studio(page)
    choose(view, "cat", "waves", "64", "4")
    finished(view)
    assert violations(page) == []
    assert arrow_is_seen(page, view.locator(".nst-content select"))
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (theme == "dark")
    focus_is_seen(page, view)
    for width in (1400, 900, 390):
        page.set_viewport_size({"width": width, "height": 3200})
        shot(page, f"app-{theme}-{width}")
    # What goes wrong is said where it went wrong, before the eye, and to screen readers.
    page.set_viewport_size({"width": 900, "height": 600})
    view.get_by_role("button", name="Open these settings").click()
    message = view.locator(".nst-opening [role=alert]")
    expect(message).to_be_focused()
    expect(message).to_be_in_viewport()
    assert violations(page, ".nst-opening") == []


@pytest.fixture(scope="module")
def all_views(notebooks):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in VIEWS])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, notebooks / "views.ipynb")
    return "views.ipynb"


def test_all_views_in_jupyterlab(lab, all_views, shot, violations):
    page = lab(all_views, width=1400, height=1200)
    finished(studio(page))
    strip = page.locator(".nst-strip")
    strip.locator("button.nst-paint").click()
    expect(strip.locator("progress")).to_have_js_property("position", 1)
    # The grid of channels beside the large picture.
    boxes = [page.locator(f".nst-activations .nst-{n}").bounding_box() for n in ("large", "grid")]
    assert boxes[1]["x"] >= boxes[0]["x"] + boxes[0]["width"]
    for theme in ("Light", "Dark"):
        page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {theme}",
        )
        expect(page.locator("body")).to_have_attribute("data-jp-theme-name", f"JupyterLab {theme}")
        page.wait_for_timeout(500)  # for the theme's own transitions
        for name in ("studio", "activations", "gram", "strip"):
            view = page.locator(f".nst-{name}.nst-view")
            view.scroll_into_view_if_needed()
            assert violations(page, f".nst-{name}.nst-view") == []
            shot(view, f"lab-{name}-{theme.lower()}")
    for name in ("activations", "gram"):
        for slider in page.locator(f".nst-{name} .noUi-handle").all():
            assert slider.get_attribute("aria-label")
            slider.focus()
            assert page.evaluate(OUTLINE)["contrast"] >= 3


def test_the_focus_stays_with_the_buttons(app):
    page = app()
    view = studio(page)
    choose(view, "cat", "waves", "96", "1000")
    view.locator(".nst-start").focus()
    page.keyboard.press("Enter")
    expect(view.locator(".nst-stop")).to_be_focused()
    expect(view.get_by_role("progressbar")).to_have_attribute("aria-label", "progress of the run")
    expect(view.locator(".nst-left")).to_contain_text("step")
    page.keyboard.press("Enter")
    expect(status(view)).to_contain_text("Stopped")
    expect(view.locator(".nst-start")).to_be_focused()
