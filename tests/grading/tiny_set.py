"""A tiny problem set, and what is handed in for it: for the tests of the grader."""

import functools
import tempfile
from pathlib import Path

import nbformat

from nst_grading import release

GRAM = """\
def gram_matrix(features):
    ### BEGIN SOLUTION
    channels, positions = features.shape[1], features[0, 0].numel()
    rows = features.flatten(2)
    return rows @ rows.mT / (channels * positions)
    ### END SOLUTION"""
GRAM_TEST = """\
checks.gram(gram_matrix)
### BEGIN HIDDEN TESTS
wanted = torch.tensor([[1.0, 2.0], [2.0, 4.0]]).expand(3, 2, 2) / 2
picture = torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1).expand(3, 2, 5, 4)
assert torch.allclose(gram_matrix(picture), wanted), "wrong on three pictures"
### END HIDDEN TESTS"""
DOUBLE = """\
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION"""
DOUBLE_TEST = """\
assert double(3) == 6
### BEGIN HIDDEN TESTS
sum(double(x) == 2 * x for x in (1, 2, 0.5, 1.5)) / 2
### END HIDDEN TESTS"""
WORDS = "=== BEGIN MARK SCHEME ===\nOne point for an example.\n=== END MARK SCHEME ==="
ZERO = "def gram_matrix(x):\n    return torch.zeros(x.shape[0], x.shape[1], x.shape[1])"
FULL = {"gram-test": 3, "double-test": 2, "words": None}


def cell(source, name="", points=None, kind="code", **flags):
    made = getattr(nbformat.v4, f"new_{kind}_cell")(source)
    if name:
        data = {"grade": points is not None, "solution": False, "locked": False, "task": False}
        made.metadata["nbgrader"] = {"schema_version": 3, "grade_id": name, **data, **flags}
        if points is not None:
            made.metadata["nbgrader"]["points"] = points
    return made


def make(sources):
    """A problem set in this folder, with two exercises for code and one for words."""
    folder = sources / "tiny"
    folder.mkdir()
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [
        cell("# A tiny problem set", kind="markdown"),
        cell("import torch\n\nfrom nst import checks", "setup", locked=True),
        cell(GRAM, "gram", solution=True),
        cell(GRAM_TEST, "gram-test", 3, locked=True),
        cell(DOUBLE, "double", solution=True),
        cell(DOUBLE_TEST, "double-test", 2, locked=True),
        cell(WORDS, "words", 1, kind="markdown", solution=True),
    ]
    nbformat.write(notebook, folder / "tiny.ipynb")
    (folder / "picture.txt").write_text("a picture")
    return folder / "tiny.ipynb"


@functools.cache
def blank(source):
    """The released notebook, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        return release(source, Path(folder) / "tiny").read_text()


def hand_in(path, source, gram=GRAM, double=DOUBLE, words="An answer.", extra=""):
    """A student's notebook: the released one with answers."""
    notebook = nbformat.reads(blank(source), as_version=4)
    for at in notebook.cells:
        name = at.metadata.get("nbgrader", {}).get("grade_id")
        at.source = {"gram": gram, "double": double, "words": words}.get(name, at.source)
    if extra:
        notebook.cells.insert(2, cell(extra))
    nbformat.write(notebook, path)
    return notebook
