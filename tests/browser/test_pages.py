"""The course as pages: complete, linked, with formulas, and without a network."""

import functools
import http.server
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from urllib.parse import urldefrag, urljoin

import pytest

from .conftest import ROOT

COURSE = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
RAW = re.compile(r"\\(frac|sum|begin|left|lVert|ell|cdot|times|alpha|text|mathcal)\b|\$\$")


# Opens what is folded; of code's many coloured words one of each colour is enough to look at.
UNFOLD = """() => {
  document.querySelectorAll("details").forEach((one) => { one.open = true; });
  const seen = new Set();
  for (const word of document.querySelectorAll("pre span:not(:has(*))"))
    if (seen.size === seen.add(word.className).size) word.replaceWith(word.textContent);
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        """Say nothing."""


@contextmanager
def served(folder):
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A function from a form of the course to its folder."""

    @functools.cache
    def make(form):
        folder = tmp_path_factory.mktemp(form) / "pages"
        command = [sys.executable, ROOT / "tools" / "pages.py", form, folder]
        done = subprocess.run(command, capture_output=True, text=True)
        assert not done.returncode, done.stderr
        assert done.stdout.strip() == str(folder / "index.html")
        return folder

    return make


def follow(page, start):
    """Visit everything that can be reached by links below `start`; returns the addresses."""
    base, seen, wanted, left = start.rpartition("/")[0] + "/", {}, {}, [start]
    while left:
        address = left.pop()
        if address in seen:
            continue
        answer = page.goto(address)
        assert answer is None or answer.ok, address
        seen[address] = set(page.eval_on_selector_all("[id]", "all => all.map((e) => e.id)"))
        assert page.evaluate(
            "() => [...document.images].every((i) => i.loading === 'lazy' || i.naturalWidth > 0)"
        ), address
        for link in page.eval_on_selector_all("a[href]", "all => all.map((a) => a.href)"):
            target, fragment = urldefrag(urljoin(address, link))
            if target.startswith(base):
                left.append(target)
                wanted.setdefault((target, fragment), address)
    for (target, fragment), address in wanted.items():
        assert not fragment or fragment in seen[target], f"{address}: {target}#{fragment}"
    return {address.removeprefix(base) for address in seen}


def check_formulas(page, name):
    """Formulas are laid out by the browser, and none is left as it was typed."""
    formulas = page.locator("math").all_text_contents()
    assert len(formulas) > 3, name
    assert not [text for text in formulas if "\\" in text], name
    assert page.locator("math[display=block]").first.bounding_box()["height"] > 10, name
    heights = page.locator("mfrac").evaluate_all(
        "all => all.map((f) => [f, f.firstElementChild].map("
        "(e) => e.getBoundingClientRect().height))"
    )
    assert all(whole > part > 0 for whole, part in heights), name
    text = page.evaluate(
        """() => {
          const copy = document.body.cloneNode(true);
          copy.querySelectorAll("pre, code, script, math").forEach((e) => e.remove());
          return copy.textContent;
        }"""
    )
    assert not RAW.search(text), f"{name}: {RAW.search(text)[0]}"


@pytest.mark.parametrize("form", ["html", "site"])
def test_every_link_leads_somewhere(form, made, new_page):
    with served(made(form)) as address:
        pages = follow(new_page(), address + "index.html")
    expected = {f"{name}.html" for name in ["index", "explore", "teaching", "network", *COURSE]}
    assert expected <= pages


@pytest.mark.parametrize("form", ["html", "site"])
def test_formulas_are_there_without_a_network(form, made, new_page, shot):
    """Also where the pages are opened as files."""
    page = new_page()
    for name in COURSE[1:]:
        page.goto((made(form) / f"{name}.html").as_uri())
        check_formulas(page, name)
    shot(page, f"pages-{form}")


def test_the_site_leads_from_page_to_page(made, new_page):
    page = new_page()
    with served(made("site")) as address:
        page.goto(address)
        contents = page.locator(".sidebar-tree a")
        assert contents.count() >= len(COURSE) + 1
        page.goto(f"{address}{COURSE[0]}.html")
        for name in COURSE[1:]:
            page.locator("a.next-page").click()
            page.wait_for_url(f"**/{name}.html")
        page.locator("a.prev-page").click()
        page.wait_for_url(f"**/{COURSE[-2]}.html")


def test_the_site_can_be_searched(made, new_page):
    page = new_page()
    with served(made("site")) as address:
        page.goto(address)
        page.locator("input[name=q]:visible").fill("receptive field")
        page.keyboard.press("Enter")
        page.wait_for_selector("#search-results li a")
        found = page.eval_on_selector_all("#search-results li a", "all => all.map((a) => a.href)")
        assert any(COURSE[1] in link for link in found)


def test_the_site_is_for_everybody(made, new_page, shot, violations):
    """On every page axe-core finds nothing, in light and in dark."""
    page, found = new_page(), {}
    folder = made("site")
    with served(folder) as address:
        for path in sorted(folder.glob("*.html")):
            page.goto(address + path.name)
            page.evaluate(UNFOLD)
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)
                found[path.name, theme] = violations(page)
            shot(page, f"site-{path.stem}-dark")
    assert len(found) > 2 * len(COURSE)
    assert {place: wrong for place, wrong in found.items() if wrong} == {}
