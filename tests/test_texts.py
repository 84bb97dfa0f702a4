"""Texts that people read: links lead somewhere, words are spelt one way."""

import ast
import os
import pkgutil
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
LISTED = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
).stdout.splitlines()
TEXTS = [name for name in LISTED if name.endswith((".md", ".ipynb")) and (ROOT / name).is_file()]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
AMERICAN = re.compile(
    r"\b(behavior|centered|color(?:s|ed|ful)?|favorite|gray|labeled|modeling|neighbor(?:s|ing)?"
    r"|normaliz(?:e|ed|ing|ation)|optimiz(?:e|ed|ing|ation|er|ers)|stylized?|visualiz(?:e|ed|ing))\b",
    re.IGNORECASE,
)
# The titles of papers, and names that code has.
QUOTED = re.compile(
    r"`[^`]*`|```.*?```|\"[^\"]*\"|“[^”]*”|\*[A-Z][^*]*\*|\]\([^)]*\)|<[^>]*>", re.DOTALL
)


@cache
def markdown(name):
    """What people read of a file."""
    if name.endswith(".md"):
        return (ROOT / name).read_text()
    notebook = nbformat.read(ROOT / name, as_version=4)
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def anchors(name):
    """The headings of a file as links name them: by GitHub and by Jupyter."""
    heads = re.findall(r"^#+ (.*)$", markdown(name), re.MULTILINE)
    github = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
    return {*github, *(head.replace(" ", "-") for head in heads)}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name):
    for groups in LINK.findall(markdown(name)):
        link = "".join(groups)
        if link.startswith(("http://", "https://", "mailto:", "data:")):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), f"{name}: {link}"
        if anchor and target.suffix in (".md", ".ipynb"):
            assert anchor in anchors(os.path.relpath(target, ROOT)), f"{name}: {link}"


@pytest.mark.parametrize("name", TEXTS)
def test_spelling_is_british(name):
    found = AMERICAN.findall(QUOTED.sub(" ", markdown(name)))
    assert not found, f"{name}: {found}"


@pytest.fixture(scope="module")
def misspelt(tmp_path_factory):
    """What codespell finds in each of the texts, all read in one go."""
    folder = tmp_path_factory.mktemp("texts")
    for number, name in enumerate(TEXTS):
        # Without what notebooks hold besides: pictures are letters too.
        (folder / f"{number}.txt").write_text(markdown(name), encoding="utf-8")
    command = [sys.executable, "-m", "codespell_lib", "--ignore-words-list=ned,foto,nd,te", "."]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    found = [re.fullmatch(r"\.[/\\](\d+)\.txt:(.*)", line) for line in done.stdout.splitlines()]
    return {name: [m[2] for m in found if int(m[1]) == n] for n, name in enumerate(TEXTS)}


@pytest.mark.parametrize("name", TEXTS)
def test_words_are_spelt_right(name, misspelt):
    assert not misspelt[name]


def test_the_first_notebook_shows_the_way_to_all_others():
    numbered = [p.name for p in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")]
    links = {"".join(groups) for groups in LINK.findall(markdown("notebooks/00_start_here.ipynb"))}
    assert {name for name in numbered if not name.startswith("00")} <= links


def names(source):
    """What a cell takes from the package by name, in branches that are never run here too."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("!", "%"))]
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nst":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"nst(\.\w+)+", ast.unparse(node)):
            yield ast.unparse(node)


@pytest.mark.parametrize("name", TEXTS)
def test_names_of_the_package_exist(name):
    """In the cells' code, and where a text quotes them."""
    found = re.findall(r"`(nst(?:\.\w+)+)[`(]", markdown(name))
    if name.endswith(".ipynb"):
        cells = nbformat.read(ROOT / name, as_version=4).cells
        found += [each for c in cells if c.cell_type == "code" for each in names(c.source)]
    for each in set(found):
        pkgutil.resolve_name(each)
