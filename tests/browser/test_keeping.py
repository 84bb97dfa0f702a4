"""The studio keeps the work: a kernel or a server that is killed, a reload, large photographs."""

import io
import os
import signal

import nbformat
import pytest
from PIL import Image

from .conftest import app_serving, run_all, wait_for_cells
from .test_studio import choose, studio

expect = pytest.importorskip("playwright.sync_api").expect
SOON = 15_000  # milliseconds until an end is said, on a busy machine; on an idle one 3 to 4 s


def painted(page, steps="2"):
    """Start a run, and wait for its end where it is short; long ones, to be left, are larger."""
    view = studio(page)
    short = int(steps) < 100
    choose(view, "cat", "waves", "64" if short else "160", steps)
    view.locator(".nst-start").click()
    if short:
        expect(view.locator(".nst-status")).to_contain_text("Finished")
    else:
        expect(view.locator(".nst-left")).to_contain_text("step")
    return view


def finished(page, count):
    """As many runs are there that came to their end; one that was left may be there too."""
    cards = studio(page).locator(".nst-card", has_text="64 px, 2 steps")
    expect(cards).to_have_count(count)


def test_a_killed_kernel_or_server_says_so_and_runs_come_back(jupyter, tmp_path, chromium, shot):
    asked = []
    page = chromium.new_context().new_page()
    page.set_default_timeout(90_000)
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    gone = page.locator("#nst-gone")
    with app_serving(jupyter, tmp_path) as server:
        page.goto(server.link)
        painted(page)
        page.reload()
        assert asked == []
        finished(page, 1)
        alt = "Run 1: cat in waves, 64 px, 2 steps"
        expect(studio(page).locator(".nst-canvas img")).to_have_attribute("alt", alt)
        painted(page, "1000")
        expect(gone).to_have_count(0)
        page.reload()  # leaving a run asks first
        assert asked == ["beforeunload"]
        finished(page, 1)
        painted(page, "1000")
        for kernel in server.kernels():
            os.kill(int(kernel), signal.SIGKILL)
        expect(gone).to_be_visible(timeout=SOON)
        expect(gone).to_contain_text("The kernel behind this page has ended; the run under way is")
        expect(gone).to_contain_text("Reload the page")
        expect(gone).to_be_focused()
        expect(page.locator(".nst-status p")).not_to_be_visible()
        shot(page, "kernel-killed")
        page.reload()  # nothing is left to be asked for
        assert asked == ["beforeunload"]
        painted(page)
        finished(page, 2)
        server.process.send_signal(signal.SIGKILL)
        expect(gone).to_be_visible(timeout=SOON)
        expect(gone).to_contain_text("The server behind this page has ended. Start it again")
        shot(page, "server-killed")
    # Another server finds what the first one's kernels have kept.
    port = server.address.rpartition(":")[2]
    with app_serving(jupyter, tmp_path, port=port) as server:
        page.goto(server.link)
        finished(page, 2)
    page.context.close()


def test_a_photograph_of_50_megapixels_is_dropped_on_the_picture(app, shot):
    page = app()
    view = studio(page)
    file, photo = io.BytesIO(), Image.effect_noise((866, 577), 60).resize((8660, 5770))
    photo.convert("RGB").save(file, "JPEG", quality=95)
    assert len(file.getvalue()) > 8_000_000
    # A file that is dropped comes from outside of the page: here, from a field of its own.
    page.evaluate(
        "() => { const i = document.createElement('input'); i.type = 'file'; i.id = 'outside';"
        "document.body.append(i); }"
    )
    photograph = {"name": "photo.JPG", "mimeType": "image/jpeg", "buffer": file.getvalue()}
    page.locator("#outside").set_input_files(photograph)
    drop = """(image) => {
      const transfer = new DataTransfer();
      transfer.items.add(document.getElementById("outside").files[0]);
      for (const name of ["dragover", "drop"]) image.dispatchEvent(
        new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }"""
    view.locator(".nst-canvas img").evaluate(drop)
    expect(view.locator(".nst-content select")).to_have_value("photo.JPG")
    said = view.locator(".nst-content [role=status]")
    expect(said).to_have_text("The content picture is photo.JPG, 8660 × 5770 pixels.")
    width = view.locator(".nst-canvas img").evaluate("image => image.naturalWidth")
    assert width == 512
    heic = {"name": "IMG_1.HEIC", "mimeType": "", "buffer": b"\0\0\0\x18ftypheic" + bytes(9**7)}
    view.locator(".nst-content input[type=file]").set_input_files(heic)
    error = view.locator(".nst-content [role=alert]")
    expect(error).to_contain_text("'IMG_1.HEIC' is an HEIC photograph, as iPhones take them")
    expect(error).to_be_focused()
    expect(view.locator(".nst-content select")).to_have_value("photo.JPG")


def test_the_same_cell_after_a_reload_stops_the_run(lab, notebooks):
    cells = [
        "from nst.widgets import TransferStudio\nviews = globals().get('views', [])",
        "views.append(TransferStudio(size=64, num_steps=1000)); views[-1]",
        "[view.work.running and not view.work._stop.is_set() for view in views]",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, notebooks / "again.ipynb")
    page = lab("again.ipynb")
    page.on("dialog", lambda dialog: dialog.accept())
    view = studio(page)
    view.locator(".nst-start").click()
    expect(view.locator(".nst-left")).to_contain_text("step")
    page.reload()
    wait_for_cells(page, 3)
    run_all(page)
    expect(page.locator(".jp-CodeCell").last).to_contain_text("[False, False]")
