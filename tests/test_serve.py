"""The app's door: whom it lets in, judged by requests to a server that runs."""

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest

pytest.importorskip("voila", reason="the app needs voila: pip install '.[notebooks]'")
SERVE = Path(__file__).parents[1] / "tools" / "serve.py"
PATIENCE = 90  # seconds


class Door:
    """A server with room for two pages; `get` asks it for one."""

    def __init__(self, port, process, log):
        self.port, self.process, self.log = port, process, log

    def get(self, path="/", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request("GET", path, headers=named)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        return answer.status, body, cookie

    def started(self):
        """How many kernels, since the beginning."""
        return self.log.read_text().count("Kernel started")


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    folder = tmp_path_factory.mktemp("door")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    env = os.environ | {"HOME": str(folder), "JUPYTER_RUNTIME_DIR": str(folder)}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("'here'")])
    nbformat.write(notebook, folder / "small.ipynb")  # the studio's kernels are large
    options = [
        "--no-browser",
        f"--port={port}",
        "--server=laptop.local",
        "--Kernels.most=2",
        f"--Voila.notebook_path={folder / 'small.ipynb'}",
    ]
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, str(SERVE), *options], env=env, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(PATIENCE * 10):
            assert process.poll() is None, log.read_text()
            if "running at" in log.read_text():
                break
            time.sleep(0.1)
        yield Door(port, process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def link(door):
    """The link that the server printed: it has the server's name and the token."""
    found = urlsplit(re.search(r"http://\S+", door.log.read_text())[0])
    assert found.hostname == "laptop.local"
    assert len(found.query) > 40
    return f"/?{found.query}"


def test_without_the_token_there_is_nothing(door):
    before = door.started()
    for path in ("/", "/?token=", "/?token=0123456789", "/api/kernels"):
        assert door.get(path)[0] in (302, 403, 404)
    assert door.get("/voila/files/explore.ipynb")[0] == 403
    assert door.started() == before


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_page_under_another_name_reaches_nothing(door, link, host):
    before = door.started()
    for path in (link, "/", "/login"):
        status, body, _ = door.get(path, Host=f"{host}:{door.port}")
        assert status in (400, 403)
        assert "token=" not in body
    assert door.started() == before


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_starts_no_kernel(door, link, site):
    before = door.started()
    status, body, cookie = door.get(link, Sec_Fetch_Site=site)
    assert status == 200
    assert 'http-equiv="refresh" content="0;url=/"' in body  # and then as the app's own page
    status, body, _ = door.get("/", Sec_Fetch_Site=site, Cookie=cookie)
    assert status == 403
    assert "Another site asked" in body
    assert door.started() == before


def test_as_many_kernels_as_there_is_room_for(door, link):
    before = door.started()
    for host in ("127.0.0.1", "laptop.local"):
        status, body, cookie = door.get(link, Host=f"{host}:{door.port}", Sec_Fetch_Site="none")
        assert status == 200
        assert "nst: the studio" in body
    assert door.started() == before + 2
    status, body, _ = door.get(link)
    assert status == 503
    assert "open as often as it can be" in body
    assert door.started() == before + 2
    assert cookie
