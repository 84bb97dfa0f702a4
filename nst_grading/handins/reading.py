"""Reads a submitted notebook, however it was saved: as .ipynb, or as a page exported from it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from nst.errors import NstError
from nst_grading.restore import name_of

MOST = 50 * 10**6  # bytes of a notebook
PAGE = re.compile(rb"^\s*(<!doctype html|<html)", re.IGNORECASE)


def read(path: Path, release: NotebookNode) -> NotebookNode:
    """A submitted notebook, its lines ended as Python's are.

    Args:
        path: the file. Byte-order marks, UTF-16 and carriage returns are understood, and pages that
            Jupyter has exported from a notebook that still had its cells' ids.
        release: the problem set as it was handed out.

    Raises:
        NstError: it is no notebook, too large, or none of this problem set.
    """
    if path.stat().st_size > MOST:
        raise NstError(f"{path.name} is larger than {MOST // 10**6} MB: clear its outputs.")
    data = path.read_bytes()
    try:
        if PAGE.match(data.removeprefix(b"\xef\xbb\xbf")):
            notebook = from_page(data, release)
        else:
            # json knows UTF-8, UTF-16 and UTF-32 apart, with a byte-order mark or without.
            notebook = nbformat.reads(json.dumps(json.loads(data)), as_version=4)
        names = set(map(name_of, notebook.cells))
    except NstError:
        raise
    except Exception as error:
        why = str(error) or type(error).__name__
        raise NstError(f"{path.name} cannot be read as a notebook ({why}).") from error
    if not names & set(map(name_of, release.cells)) - {""}:
        raise NstError(f"{path.name} has no cell of this problem set: is it another notebook?")
    for cell in notebook.cells:
        cell.source = cell.source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return notebook


def from_page(data: bytes, release: NotebookNode) -> NotebookNode:
    """The notebook in a page that nbconvert or JupyterLab has written; the cells' ids are in it.

    Raises:
        NstError: it is another page.
    """
    from bs4 import BeautifulSoup

    known = {cell.id: cell for cell in release.cells}
    cells = []
    for part in BeautifulSoup(data, "html.parser").select("[id^='cell-id=']"):
        own = str(part["id"]).removeprefix("cell-id=")
        cells.append(cell_of(part, known.get(own)))
    if not any(map(name_of, cells)):
        raise NstError("It is a web page without a notebook's cells: ask for the .ipynb file.")
    return nbformat.v4.new_notebook(cells=cells)


def cell_of(part: Any, original: NotebookNode | None) -> NotebookNode:
    """One cell of a page; `original` is the cell of the release with the same id."""
    code = part.select_one(".jp-CodeMirrorEditor pre, .jp-Editor pre, .highlight pre")
    words = part.select_one(".jp-RenderedMarkdown, .jp-MarkdownOutput")
    is_code = "jp-CodeCell" in part.get("class", ()) or not words
    source = (code if is_code else words) or part
    make = nbformat.v4.new_code_cell if is_code else nbformat.v4.new_markdown_cell
    cell = make(source.get_text().strip("\n").replace("\xa0", " ").removesuffix("¶"))
    if original is not None:
        cell.metadata = nbformat.from_dict(dict(original.metadata))
    return cell
