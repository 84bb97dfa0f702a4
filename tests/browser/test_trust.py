"""What a stranger's file asks for does not happen, and a stranger's page starts nothing."""

import io
import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from .conftest import app_serving
from .test_studio import opened, studio

expect = pytest.importorskip("playwright.sync_api").expect
SCRIPT = '"\'><img src=x onerror="window.hacked = 1">'
# fmt: off
FIELDS = ("pooling", "padding", "content_layers", "style_layers", "network", "weights", "init",
          "optimizer", "normalisation", "content", "tv_norm", "history", "preset", SCRIPT)
# fmt: on


def png(settings):
    """A picture with these settings, as a browser is given a file."""
    chunks, file = PngInfo(), io.BytesIO()
    chunks.add_text("nst", json.dumps(settings))
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=chunks)
    return {"name": f"{SCRIPT}.png", "mimeType": "image/png", "buffer": file.getvalue()}


def stays_inert(page):
    """Open hostile files in the studio; each is refused in words, and no script of theirs runs."""
    view = studio(page)
    opened(view, "Open a saved run")
    error = view.get_by_role("alert")
    for field in FIELDS:
        values = [SCRIPT, {SCRIPT: 1.0}] if field.endswith("layers") else [SCRIPT]
        for value in values:
            view.locator(".nst-content input[type=file]").set_input_files(png({}))
            expect(error).to_have_count(0)
            view.locator(".nst-reopen input").set_input_files(png({field: value}))
            expect(error).to_be_visible()
    for place in (".nst-reopen input", ".nst-content input[type=file]"):
        broken = {"name": f"{SCRIPT}.png", "mimeType": "image/png", "buffer": b"none"}
        view.locator(place).set_input_files(broken)
        expect(error).to_contain_text("onerror")
    # An own picture's name is all over the page once it was painted.
    view.locator(".nst-content input[type=file]").set_input_files(png({}))
    opened(view, "Size and steps")
    for name, value in (("sizes", "8"), ("steps", "1")):
        view.locator(f".nst-set-{name} input").fill(value)
        view.locator(f".nst-set-{name} input").press("Tab")
    opened(view, "Network and layers")
    for kind in ("content", "style"):
        view.get_by_title(f"relu4_2 for {kind}").set_checked(kind == "content")
    page.wait_for_timeout(500)  # for scripts that would run a little later
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_a_hostile_picture_in_jupyterlab(lab):
    stays_inert(lab("explore.ipynb", height=1250))


def test_a_hostile_picture_in_the_app(app):
    stays_inert(app())


def test_another_sites_page_starts_no_kernel(jupyter, tmp_path, chromium):
    with app_serving(jupyter, tmp_path) as server:
        page = chromium.new_context().new_page()
        # A file is another site to the browser; it has the link without the token.
        stranger = tmp_path / "stranger.html"
        stranger.write_text(
            f'<a href="{server.address}/">go</a><img src="{server.address}/">'
            f'<iframe src="{server.address}/"></iframe>'
        )
        page.goto(stranger.as_uri())
        page.get_by_role("link").click()
        expect(page).to_have_url(f"{server.address}/login?next=%2F")
        assert not server.kernels()

        # The page from which the app is opened: the link, with the token.
        own = tmp_path / "own.html"
        own.write_text(f'<meta http-equiv="refresh" content="0;url={server.link}">')
        page.goto(own.as_uri())
        expect(page.locator(".nst-studio .nst-canvas img")).to_be_visible(timeout=90_000)
        assert len(server.kernels()) == 1

        # The browser now has the app's cookie, and sends it wherever the link is clicked.
        again = page.context.new_page()
        again.goto(stranger.as_uri())
        again.get_by_role("link").click()
        expect(again.get_by_role("heading")).to_have_text("The studio was not opened")
        assert len(server.kernels()) == 1
        page.context.close()
