"""The painting that follows each choice, in a browser, and the one in full size."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from .test_studio import opened, status, studio

expect = pytest.importorskip("playwright.sync_api").expect

# Notes when something was chosen, and when the canvas showed another picture.
WATCH = """() => {
  window.times = [];
  let begun = 0;
  for (const kind of ["pointerdown", "keydown"])
    document.addEventListener(kind, () => { begun = performance.now(); }, true);
  document.addEventListener("load", (event) => {
    if (event.target.closest?.(".nst-canvas")) window.times.push(performance.now() - begun);
  }, true);
}"""


def seen(page, view, alt):
    """The canvas has a painting with that text, and it is drawn."""
    image = view.locator(".nst-canvas img")
    expect(image).to_have_attribute("alt", alt)
    page.wait_for_function("() => document.querySelector('.nst-canvas img').naturalWidth > 0")
    return image


def test_the_first_thing_is_a_painting_and_it_follows(app, shot):
    page = app()
    view = studio(page)
    image = seen(page, view, "astronaut in starry, painted in one pass")
    page.evaluate(WATCH)
    for number, style in enumerate(("waves", "mosaic", "ink"), start=1):
        view.locator(f".nst-style .nst-thumb[data-name={style}]").click()
        seen(page, view, f"astronaut in {style}, painted in one pass")
        page.wait_for_function("n => window.times.length >= n", arg=number)
    for key in ("Home", "End"):  # all photograph, all style
        before = image.get_attribute("src")
        view.get_by_label("Balance").focus()
        page.keyboard.press(key)
        expect(image).not_to_have_attribute("src", before)
    times = sorted(page.evaluate("() => window.times"))
    print(f"change to picture: median {times[len(times) // 2]:.0f} ms of {len(times)}")
    shot(view, "studio-live")
    view.get_by_role("button", name="Refine").click()
    expect(status(view)).to_contain_text("Run 1 is under way")
    expect(view.locator(".nst-left")).to_contain_text("step")
    view.locator(".nst-stop").click()
    expect(status(view)).to_contain_text("Stopped")
    expect(view.locator(".nst-start")).to_be_enabled()
    opened(view, "Settings of the shown run")
    assert '"init": "given"' in view.locator(".nst-copy textarea").input_value()
    view.locator(".nst-style .nst-thumb[data-name=dots]").click()
    seen(page, view, "astronaut in dots, painted in one pass")
    expect(view.get_by_role("button", name=re.compile("^Full size"))).to_be_visible()


def test_an_own_style_and_the_full_size(app, tmp_path):
    page = app()
    view = studio(page)
    files = {}
    for name, shape in (("photo.png", (700, 1000, 3)), ("own.png", (90, 120, 3))):
        file = io.BytesIO()
        noise = np.random.default_rng(0).integers(0, 255, (7, 10, 3), np.uint8)
        Image.fromarray(noise).resize((shape[1], shape[0])).save(file, "PNG")
        files[name] = {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}
    view.locator(".nst-content > * .nst-drop input[type=file]").set_input_files(files["photo.png"])
    view.locator(".nst-style > .nst-drop input[type=file]").set_input_files(files["own.png"])
    seen(page, view, "photo.png in own.png, painted in one pass")
    for kind, ending in (("JPEG", "jpg"), ("PNG", "png")):
        view.locator(".nst-export .nst-format select").select_option(kind)
        with page.expect_download() as download:
            view.get_by_role("button", name="Full size: 1000 × 700").click()
        assert download.value.suggested_filename == f"photo-own.{ending}"
        download.value.save_as(tmp_path / ending)
        with Image.open(tmp_path / ending) as saved:
            assert (saved.format, saved.size) == (kind, (1000, 700))
