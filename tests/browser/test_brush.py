"""Styles and regions chosen in a browser: thumbnails, sliders, and a brush over the pictures."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from .test_studio import choose, opened, shown_json, status, studio

expect = pytest.importorskip("playwright.sync_api").expect

# For each move of the brush: whether the very next frame shows the stroke, and after how many
# milliseconds that was on the screen (the bar is 100, and 12 were measured on two busy cores).
WATCH = """() => {
  const canvas = document.querySelector(".nst-brush-canvas");
  const pen = canvas.getContext("2d");
  window.took = [];
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    const begun = event.timeStamp, box = canvas.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * canvas.width;
    const y = (event.clientY - box.top) / box.height * canvas.height;
    requestAnimationFrame(() => {
      const painted = pen.getImageData(x, y, 1, 1).data[3] > 0;
      // The frame is on the screen when the next task runs.
      const done = new MessageChannel();
      done.port1.onmessage = () => window.took.push([painted, performance.now() - begun]);
      done.port2.postMessage(0);
    });
  });
}"""
PAINTED = """() => {
  const canvas = document.querySelector(".nst-brush-canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let at = 3; at < data.length; at += 4) sum += data[at] / 255;
  return sum / (canvas.width * canvas.height);
}"""


def brushed(page, view):
    """Open the first style's region; returns the canvas, and where it is on the page."""
    opened(view, "Where it is painted")
    canvas = view.locator(".nst-brush-canvas")
    page.wait_for_function("() => document.querySelector('.nst-brush-canvas')?.width > 100")
    canvas.scroll_into_view_if_needed()
    return canvas


def drag(page, canvas, *places):
    """Move the pointer over these places, as shares of the canvas."""
    box = canvas.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=12)
    page.mouse.up()


def test_a_region_is_painted_undone_and_kept(app, shot):
    page = app()
    view = studio(page)
    choose(view, "cat", "waves", "64", "2")
    canvas = brushed(page, view)
    page.evaluate(WATCH)
    fold = view.get_by_role("button", name="Where it is painted")
    expect(fold).to_contain_text("everywhere")
    drag(page, canvas, (0.2, 0.3), (0.6, 0.5), (0.8, 0.8))
    expect(fold).to_contain_text("% of the photograph")
    page.wait_for_function("() => window.took.length > 20")
    took = page.evaluate("() => window.took")
    assert all(painted for painted, _ in took)
    times = sorted(time for _, time in took)
    print(f"brush to stroke: median {times[len(times) // 2]:.0f}, longest {times[-1]:.0f} ms")
    shot(view, "studio-brush")
    share = page.evaluate(PAINTED)
    assert 0.03 < share < 0.4
    view.get_by_role("button", name="Invert").click()
    assert page.evaluate(PAINTED) == pytest.approx(1 - share, abs=0.01)
    view.get_by_role("button", name="Undo").click()
    assert page.evaluate(PAINTED) == pytest.approx(share, abs=0.001)
    view.get_by_role("button", name="Eraser").click()
    drag(page, canvas, (0.2, 0.3), (0.6, 0.5), (0.8, 0.8))
    assert page.evaluate(PAINTED) < share / 10
    expect(fold).to_contain_text(re.compile(r" [01] % of"))
    view.get_by_role("button", name="Undo").click()
    expect(fold).to_contain_text(f"{100 * share:.0f} % of")
    view.locator(".nst-start").click()
    expect(status(view)).to_contain_text("Finished")
    opened(view, "Settings of the shown run")
    (mask,) = shown_json(view)["masks"]
    assert mask.startswith("data:image/png;base64,")
    view.get_by_role("button", name="Clear").click()
    expect(fold).to_contain_text("everywhere")
    view.get_by_role("button", name="Open again").click()
    expect(fold).to_contain_text("% of the photograph")
    assert brushed(page, view)
    page.wait_for_function(f"() => ({PAINTED})() > 0.03")
    assert page.evaluate(PAINTED) == pytest.approx(share, abs=0.005)


def test_a_region_by_colour_by_name_and_by_file(app):
    page = app()
    view = studio(page)
    halves = np.zeros((60, 90, 3), np.uint8)
    halves[:, :30] = (200, 40, 40)
    halves[:, 75:] = (200, 40, 40)
    file = io.BytesIO()
    Image.fromarray(halves).save(file, "PNG")
    picture = {"name": "halves.png", "mimeType": "image/png", "buffer": file.getvalue()}
    view.locator(".nst-content input[type=file]").set_input_files(picture)
    expect(view.locator(".nst-content select")).to_have_value("halves.png")
    opened(view, "Where it is painted")
    page.wait_for_function("() => document.querySelector('.nst-brush-canvas')?.width === 90")
    canvas = view.locator(".nst-brush-canvas")
    view.get_by_role("button", name="Fill a colour").click()
    canvas.click(position={"x": 10, "y": 10})  # the left part alone
    page.wait_for_function(f"() => Math.abs(({PAINTED})() - 1 / 3) < 0.03")
    fold = view.get_by_role("button", name="Where it is painted")
    expect(fold).to_contain_text("33 % of the photograph")
    # By keys alone: the colour that was filled, wherever it is.
    view.get_by_role("button", name="Add everywhere").focus()
    page.keyboard.press("Enter")
    expect(fold).to_contain_text("50 % of the photograph")
    view.locator(".nst-region-named select").select_option("top")
    page.wait_for_function(f"() => Math.abs(({PAINTED})() - 0.5) < 0.02")
    mask = io.BytesIO()
    Image.fromarray(halves[..., 0] * 0 + np.eye(60, 90, dtype=np.uint8) * 255).save(mask, "PNG")
    file = {"name": "mask.png", "mimeType": "image/png", "buffer": mask.getvalue()}
    view.locator(".nst-region input[type=file]").set_input_files(file)
    expect(fold).to_contain_text(" 1 % of")


def test_styles_are_chosen_by_keys_and_settings_by_example(app, shot):
    page = app(height=1500)
    view = studio(page)
    group = view.get_by_role("radiogroup", name="Style")
    chosen = group.locator("[aria-checked=true]")
    expect(chosen).to_have_text("starry")
    chosen.focus()
    page.keyboard.press("ArrowRight")
    expect(chosen).to_have_text("waves")
    expect(chosen).to_be_focused()
    page.keyboard.press("Home")
    expect(chosen).to_have_text("dots")
    assert group.locator("[tabindex='0']").count() == 1
    view.get_by_role("radio", name="keep colours").click()
    expect(view.get_by_label("Keep the photograph's colours")).to_be_checked()
    balance = view.get_by_label("Balance")
    balance.focus()
    page.keyboard.press("ArrowRight")
    opened(view, "Numbers")
    expect(view.locator(".nst-set-style-weight input")).to_have_value("1120")
    expect(view.get_by_role("radio", name="keep colours")).to_have_attribute(
        "aria-checked", "false"
    )
    assert "more style" in balance.get_attribute("aria-valuetext")
    own = {"name": "own.png", "mimeType": "image/png", "buffer": picture_file()}
    view.locator(".nst-style > .nst-drop input[type=file]").set_input_files(own)
    expect(chosen).to_have_text("own.png")
    shot(view, "studio-thumbnails")


def picture_file():
    file = io.BytesIO()
    Image.effect_noise((64, 64), 60).convert("RGB").save(file, "PNG")
    return file.getvalue()
