"""Pages in a real browser: a notebook in JupyterLab, the app in Voilà.

    pytest tests/browser

Only collected when asked for by name, since it takes minutes. NST_SCREENSHOTS names a folder for
the pictures that the tests take; by default they are thrown away.
"""

import importlib.resources
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHROMIUM = Path(os.environ.get("NST_CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
TOKEN = "t"
PATIENCE = 240_000  # milliseconds until a server, kernel or run on a busy machine counts as lost
HARMLESS: list[str] = []  # parts of messages that may stand in the console, and why


def pytest_ignore_collect(collection_path, config):
    """Leave this folder out unless it is named: `pytest` alone runs without a browser."""
    named = [config.invocation_params.dir / argument.split("::")[0] for argument in config.args]
    return None if any(HERE in (path, *path.parents) for path in named) else True


@pytest.fixture(scope="session")
def chromium():
    """Chromium, without a window."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the browser tests need playwright: pip install '.[dev]'"
    )
    if not CHROMIUM.is_file():
        pytest.skip(
            f"the browser tests need {CHROMIUM}: apt-get install chromium, or set NST_CHROMIUM"
        )
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory):
    """The environment of a server that knows nothing of the user's own settings."""
    folder = tmp_path_factory.mktemp("jupyter")
    settings = folder / "settings" / "@jupyterlab"
    for name, text in {
        "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
        # All cells are in the page, also those that cannot be seen.
        "notebook-extension/tracker": '{"windowingMode": "none"}',
    }.items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return os.environ | {
        "HOME": str(folder),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory):
    """A folder with a copy of the notebooks, as nobody has run them yet."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder)
    for path in folder.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, path)
    return folder


@pytest.fixture(scope="session")
def lab_server(jupyter, notebooks):
    """The address of a JupyterLab on these notebooks."""
    options = [
        "--allow-root",
        "--ip=127.0.0.1",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={notebooks}",
        "--LabApp.expose_app_in_browser=True",
    ]
    ready = f"/api/status?token={TOKEN}"
    with serving(["-m", "jupyterlab"], options, jupyter, notebooks.parent, ready) as server:
        yield server.address


@pytest.fixture(scope="session")
def app_server(jupyter, tmp_path_factory):
    """The app as `make app` serves it: its address and its process."""
    with app_serving(jupyter, tmp_path_factory.mktemp("app"), "--Kernels.most=9") as server:
        yield server


@contextmanager
def app_serving(env, folder, *options, port=None):
    """Run the app until the block ends; the server's `link` is the one that it printed."""
    program = [str(ROOT / "tools" / "serve.py"), f"--Studio.runs={folder / 'runs'}"]
    with serving(program, options, env, folder, "/voila/static/voila.js", port) as server:
        # The log has it as soon as the server answers.
        server.link = re.search(r"http://\S+token=\w+", (folder / "server.log").read_text())[0]
        yield server


class Server:
    """A server's address, and its process."""

    def __init__(self, address, process):
        self.address, self.process, self.link = address, process, address

    def kernels(self):
        """The ids of the processes that it has started."""
        pid = self.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@contextmanager
def serving(program, options, env, folder, ready, port=None):
    """Run a server until the block ends; `ready` is answered when it is there."""
    if port is None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
    log = folder / "server.log"
    command = [sys.executable, *program, "--no-browser", f"--port={port}", *options]
    with log.open("w") as file:
        process = subprocess.Popen(command, env=env, stdout=file, stderr=subprocess.STDOUT)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address + ready, process, log)
        yield Server(address, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(address, process, log):
    """Return when the server answers."""
    for _ in range(int(PATIENCE / 250)):
        assert process.poll() is None, f"the server ended:\n{log.read_text()[-2000:]}"
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"the server does not answer:\n{log.read_text()[-2000:]}")


@pytest.fixture
def new_page(chromium, tmp_path):
    """A function from a viewport to a page, whose errors and requests are looked at in the end."""
    opened = []

    def new(width=1300, height=1100, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        errors, abroad = [], []

        def route(route):
            host = urlsplit(route.request.url).hostname
            if host == "127.0.0.1":
                route.continue_()
            else:
                abroad.append(route.request.url)
                route.abort()

        # Addresses that begin with data: or blob: never come here.
        context.route(re.compile("^https?:"), route)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        opened.append((page, errors, abroad))
        return page

    yield new
    found, left = [], []
    for number, (page, errors, abroad) in enumerate(opened):
        if not page.is_closed():
            page.screenshot(path=tmp_path / f"last-{number}.png")  # for whoever looks for a fault
            # As a person closes it: the app then ends its kernel, of which it has only so many.
            page.on("dialog", lambda dialog: dialog.accept())
            with page.expect_event("close"):
                page.close(run_before_unload=True)
        page.context.close()
        found += [e for e in errors if not any(harmless in e for harmless in HARMLESS)]
        left += abroad
    assert not left, f"requests left this machine: {left}"
    assert not found, f"errors in the console: {found}"


def wait_for_cells(page, count):
    """Return when a notebook of so many cells is open; before, JupyterLab shows an empty one."""
    page.wait_for_function(
        """(count) => document.querySelectorAll(".jp-Notebook .jp-Cell").length === count
          && document.querySelector(".jp-StatusBar-Left")?.textContent.includes("| Idle")""",
        arg=count,
    )


def run_all(page):
    """Run all cells of the notebook that is open; return when they have run."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).first.click()
    page.wait_for_function(
        """() => {
          const cells = [...document.querySelectorAll(".jp-CodeCell")].filter(
            (cell) => cell.querySelector(".cm-content")?.textContent.trim());
          const prompts = cells.map((c) => c.querySelector(".jp-InputPrompt").textContent);
          return prompts.length && prompts.every((text) => /\\d/.test(text));
        }"""
    )


@pytest.fixture
def lab(lab_server, notebooks, new_page):
    """A function from a notebook's path to a JupyterLab page in which all its cells have run."""

    def open_notebook(path, **viewport):
        page = new_page(**viewport)
        page.goto(f"{lab_server}/lab/tree/{path}?token={TOKEN}&reset")
        wait_for_cells(page, len(nbformat.read(notebooks / path, as_version=4).cells))
        run_all(page)
        return page

    return open_notebook


@pytest.fixture
def app(app_server, new_page):
    """A function that opens the app in a page."""

    def open_app(**viewport):
        page = new_page(**viewport)
        page.goto(app_server.link)
        page.wait_for_selector(".nst-studio .nst-canvas img[src]")
        return page

    return open_app


@pytest.fixture
def shot(tmp_path):
    """A function that keeps a picture of a page, or of a part of it, for people to look at."""
    folder = Path(os.environ.get("NST_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def take(place, name):
        place.screenshot(path=folder / f"{name}.png")

    return take


@pytest.fixture(scope="session")
def violations():
    """A function from a page, and a part of it, to what axe-core finds wrong there."""
    script = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()

    def find(page, part="body"):
        page.evaluate(script)
        found = page.evaluate(
            """(part) => axe.run({ include: [part] }, { resultTypes: ["violations"] })
              .then((done) => done.violations.flatMap((one) => one.nodes.map((node) =>
                `${one.id}: ${node.html.slice(0, 200)} ${node.any.map((c) => c.message)}`)))""",
            part,
        )
        return sorted(set(found))

    return find


@pytest.fixture
def nameless():
    """A function from a part of a page to its controls that a screen reader could not name."""

    def find(place):
        return place.evaluate(
            """(place) => [...place.querySelectorAll("input, select, textarea, button, img")]
              .filter((e) => e.checkVisibility())
              // A picture that can be clicked on is told by its frame.
              .filter((e) => !(e.matches(".nst-frame[aria-label] img")
                || e.getAttribute("aria-label") || e.title || e.alt
                || (e.labels && [...e.labels].some((l) => l.textContent.trim()))
                || (e.tagName === "BUTTON" && e.textContent.trim())))
              .map((e) => e.outerHTML.slice(0, 200))"""
        )

    return find
