"""The studio in a browser: chosen, started, watched, stopped, saved, opened again."""

import json
import re
import time

import pytest
from PIL import Image

from nst.images import read_settings

expect = pytest.importorskip("playwright.sync_api").expect

# Keeps a coarse copy of every picture that the canvas has shown.
WATCH = """() => {
  window.seen = new Set();
  const canvas = document.createElement("canvas"); canvas.width = canvas.height = 16;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  document.addEventListener("load", (event) => {
    if (!event.target.closest?.(".nst-canvas")) return;
    pen.drawImage(event.target, 0, 0, 16, 16);
    window.seen.add(pen.getImageData(0, 0, 16, 16).data.join());
  }, true);
}"""
SEEN = "n => window.seen.size >= n"


def studio(page):
    """The view, once it is drawn."""
    view = page.locator(".nst-studio").first
    expect(view.get_by_role("button", name="▶ Start")).to_be_visible()
    return view


def opened(view, title):
    """Unfold a part of the view, if it is not unfolded."""
    button = view.get_by_role("button", name=title).first
    if "▸" in button.text_content():
        button.click()
        expect(button).to_contain_text("▾")


def choose(view, content, style, sizes, steps):
    """Set the controls as a reader would."""
    view.locator(".nst-content select").select_option(content)
    view.locator(f".nst-style .nst-thumb[data-name={style}]").first.click()
    opened(view, "Size and steps")
    for name, value in (("sizes", sizes), ("steps", steps)):
        field = view.locator(f".nst-set-{name} input")
        field.fill(value)
        field.press("Tab")


def status(view):
    """What is said of the run."""
    return view.locator(".nst-status").get_by_role("status")


def shown_json(view):
    """The settings of the run that is shown."""
    return json.loads(view.locator(".nst-copy textarea").input_value())


def controls(view):
    """What some of the controls say."""
    return [
        view.locator(".nst-content select").input_value(),
        view.locator(".nst-style [role=radio][aria-checked=true]").first.text_content(),
        view.locator(".nst-set-sizes input").input_value(),
        view.locator(".nst-set-steps input").input_value(),
    ]


def stop_save_and_open_again(page, view, tmp_path):
    """From a run under way to the same run from its own PNG; returns the PNG's path."""
    view.locator(".nst-stop").click()
    expect(status(view)).to_contain_text("Stopped")
    opened(view, "Settings of the shown run")
    first = shown_json(view)
    with page.expect_download() as download:
        view.get_by_role("link", name="Save").click()
    assert download.value.suggested_filename == "cat-waves-1.png"
    saved = tmp_path / "saved.png"
    download.value.save_as(saved)
    assert json.loads(json.dumps(read_settings(saved))) == first

    choose(view, "rocket", "ink", "64", "3")
    assert controls(view) == ["rocket", "ink", "64", "3"]
    opened(view, "Open a saved run")
    view.locator(".nst-reopen input").set_input_files(saved)
    said = view.locator(".nst-opening").get_by_role("status")
    expect(said).to_contain_text("The settings are open")
    expect(said).to_be_in_viewport()
    assert controls(view) == ["cat", "waves", "160", str(first["num_steps"][0])]
    view.locator(".nst-start").click()
    expect(status(view)).to_contain_text("Finished")
    opened(view, "Settings of the shown run")
    assert shown_json(view) == first
    return saved


def test_in_jupyterlab(lab, shot, nameless, tmp_path):
    page = lab("explore.ipynb", height=1250)
    view = studio(page)
    page.evaluate(WATCH)
    choose(view, "cat", "waves", "160", "400")
    page.wait_for_function(SEEN, arg=1)  # the preview of the cat
    view.get_by_role("button", name="▶ Start").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(SEEN, arg=20)
    shot(view, "studio-lab-running")
    stop_save_and_open_again(page, view, tmp_path)
    opened(view, "Compare two runs")
    expect(view.locator(".nst-wipe img").first).to_be_visible()
    slider = view.get_by_role("slider", name="where the edge")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("51")
    view.locator(".nst-content select").focus()
    page.keyboard.press("ArrowDown")  # JupyterLab would go to the next cell
    expect(view.locator(".nst-content select")).to_have_value("coffee")
    page.keyboard.press("ArrowUp")
    expect(view.locator(".nst-content select")).to_have_value("cat")
    page.set_viewport_size({"width": 1300, "height": 2500})  # for a picture of all of it
    shot(view, "studio-lab")
    for title in ("Numbers", "Network and layers", "Where it is painted"):
        opened(view, title)
        assert nameless(view.element_handle()) == []
        shot(view, f"studio-lab-{title.split()[0].lower()}")


def test_interrupting_the_kernel_stops_the_run(lab):
    page = lab("explore.ipynb")
    view = studio(page)
    choose(view, "cat", "waves", "96", "500")
    view.locator(".nst-start").click()
    expect(view.locator(".nst-left")).to_contain_text("step")
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Interrupt Kernel")).first.click()
    expect(status(view)).to_contain_text("Stopped")


def test_as_an_app(app, app_server, shot, nameless, tmp_path):
    others = set(app_server.kernels())  # of pages that other tests left
    page = app()
    view = studio(page)
    assert "TransferStudio" not in page.content()
    shot(page, "studio-app-start")
    page.evaluate(WATCH)
    choose(view, "cat", "waves", "160", "400")
    page.wait_for_function(SEEN, arg=1)
    view.locator(".nst-start").click()
    page.wait_for_function(SEEN, arg=5)
    saved = stop_save_and_open_again(page, view, tmp_path)

    # An own picture, and a file that is none.
    view.locator(".nst-content input[type=file]").set_input_files(saved)
    expect(view.locator(".nst-content select")).to_have_value("saved.png")
    broken = {"name": "words.png", "mimeType": "image/png", "buffer": b"no picture"}
    view.locator(".nst-content input[type=file]").set_input_files(broken)
    expect(view.get_by_role("alert")).to_contain_text("'words.png' is not a picture")
    Image.new("1", (9000, 6000)).save(tmp_path / "large.png")
    view.locator(".nst-content input[type=file]").set_input_files(tmp_path / "large.png")
    expect(view.get_by_role("alert")).to_contain_text("'large.png' has 9000 × 6000 pixels")
    assert nameless(view.element_handle()) == []
    view.locator(".nst-content select").select_option("cat")
    opened(view, "Compare two runs")
    shot(page, "studio-app")

    assert set(app_server.kernels()) - others
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    for _ in range(300):
        if set(app_server.kernels()) <= others:
            break
        time.sleep(0.1)
    assert set(app_server.kernels()) <= others, "closing the page left its kernel behind"


@pytest.mark.parametrize("width", [390])
def test_on_a_phone(app, shot, width):
    page = app(width=width, height=844, has_touch=True, is_mobile=True)
    view = studio(page)
    choose(view, "coffee", "starry", "160", "60")
    opened(view, "Network and layers")
    view.locator(".nst-start").tap()
    expect(status(view)).to_contain_text("Finished")
    wide = page.evaluate(
        """() => [...document.querySelectorAll(".nst-studio *")].filter((e) => e.checkVisibility()
          && e.getBoundingClientRect().right > window.innerWidth + 1).map((e) => e.outerHTML)"""
    )
    assert not wide, wide[0][:300]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for name, place in (("studio-phone", page.get_by_role("heading", name="The studio")),
                        ("studio-phone-run", view.locator(".nst-start"))):  # fmt: skip
        place.evaluate("place => place.scrollIntoView()")
        shot(page, name)
