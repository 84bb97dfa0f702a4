"""A right answer scores the same however its notebook was saved, and whatever it prints."""

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from tiny_set import FULL, cell, hand_in

from nst_grading import grade_notebooks

pytestmark = pytest.mark.long

PRINTS = "for _ in range(30):\n    print('x' * 10**5)"
RAISES = "raise ValueError('x' * 3 * 10**6)"


@pytest.fixture(scope="module")
def graded(source, tmp_path_factory):
    """The reports on many copies of one right answer, by name."""
    folder = tmp_path_factory.mktemp("dressed")
    text = hand_in(folder / "plain.ipynb", source) and (folder / "plain.ipynb").read_text()
    notebook = nbformat.reads(text, as_version=4)
    written = {
        "plain": text.encode(),
        "mark": b"\xef\xbb\xbf" + text.encode(),
        "wide": text.encode("utf-16"),
        "returns": text.replace("\\n", "\\r\\n").replace("\n", "\r\n").encode(),
        "page": HTMLExporter(template_name="lab").from_notebook_node(notebook)[0].encode(),
        "other page": b"<!DOCTYPE html><html><body><pre>2 * x</pre></body></html>",
        "cut off": text[: len(text) // 2].encode(),
        "nested": b"[" * 10**5,
    }
    paths = {name: folder / f"{name}.ipynb" for name in [*written, "prints", "raises"]}
    for name, data in written.items():
        paths[name].write_bytes(data)
    hand_in(paths["prints"], source, extra=PRINTS)
    loud = hand_in(paths["raises"], source, extra=RAISES)
    loud.cells.append(cell(PRINTS))
    nbformat.write(loud, paths["raises"])
    return grade_notebooks(paths, source, jobs=2)


@pytest.mark.parametrize("name", ["plain", "mark", "wide", "returns", "page", "prints", "raises"])
def test_it_scores_the_same(graded, name):
    assert graded[name].points == FULL
    assert graded[name].remarks == []


def test_output_is_cut_and_says_so(graded):
    outputs = [o for c in graded["prints"].notebook.cells for o in c.get("outputs", [])]
    text = "".join(o.text for o in outputs if o.output_type == "stream")
    assert 2_000_000 < len(text) < 2_000_100 and "is cut" in text
    message = [
        o.evalue
        for c in graded["raises"].notebook.cells
        for o in c.get("outputs", [])
        if o.output_type == "error"
    ]
    assert len(message) == 1 and len(message[0]) == 10_000


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("other page", "without a notebook's cells"),
        ("cut off", "cannot be read"),
        ("nested", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named_once_and_has_no_points(graded, name, why):
    report = graded[name]
    assert why in report.refused and report.remarks == [report.refused]
    assert not report.points and not report.messages and not report.failure
