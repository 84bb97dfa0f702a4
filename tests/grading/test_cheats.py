"""No code in a notebook gets points for answers that deserve none."""

from pathlib import Path

import nbformat
import pytest
from cheats import CHEATS, PARTLY, RIGHT, STUB

from nst_grading import Limits, grade_notebooks

pytestmark = [pytest.mark.slow, pytest.mark.long]

SOURCES = Path(__file__).parents[2] / "notebooks" / "assignments" / "source"
TESTS = ["gram_shape", "gram_normalisation", "gram_batch", "gram_gradient", "gram_speed"]
KEPT = ["gram_matrix", "forgets_positions", "forgets_positions_plain", *TESTS]


def name_of(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Problem set 2 with two exercises, of which the notebook's own test is graded first."""
    notebook = nbformat.read(SOURCES / "ps2_gram" / "ps2_gram.ipynb", as_version=4)
    kept = {name_of(cell): cell for cell in notebook.cells if name_of(cell) in KEPT}
    first = nbformat.v4.new_code_cell("import torch\n\nimport nst\nfrom nst import checks")
    notebook.cells = [first, *(kept[name] for name in KEPT)]
    folder = tmp_path_factory.mktemp("sources") / "small"
    folder.mkdir()
    nbformat.write(notebook, folder / "small.ipynb")
    return folder / "small.ipynb"


def hand_in(path, source, code):
    """A notebook with the stub, and some code behind it."""
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        if name_of(cell) in ("gram_matrix", "forgets_positions"):
            cell.source = "pass"
    notebook.cells.insert(3, nbformat.v4.new_code_cell(STUB))
    notebook.cells.insert(4, nbformat.v4.new_code_cell(code))
    nbformat.write(notebook, path)
    return path


def test_cheats_score_what_their_answers_deserve(source, tmp_path):
    tried = CHEATS | {name: code for name, (code, _) in PARTLY.items()}
    paths = {
        name: hand_in(tmp_path / f"{number}.ipynb", source, code)
        for number, (name, code) in enumerate(tried.items())
    }
    paths["right"] = hand_in(tmp_path / "right.ipynb", source, RIGHT)
    limits = Limits(cell_seconds=8, seconds=60, memory_mb=3000)
    reports = grade_notebooks(paths, source, limits=limits, jobs=2)
    points = {
        name: {part: value for part, value in report.points.items() if value}
        for name, report in reports.items()
    }
    assert not {name: report.failure for name, report in reports.items() if report.failure}
    deserved = {name: {} for name in CHEATS} | {name: worth for name, (_, worth) in PARTLY.items()}
    deserved["right"] = {
        name: value for name, value in reports["right"].out_of.items() if "gram" in name
    }
    deserved["served: echoes"] = {"gram_gradient": 1}  # as of a function that returns its input
    assert points == deserved
    for name, report in reports.items():  # nothing of the hidden tests is in what they get back
        assert "HIDDEN TESTS" not in shown(report), name
        assert "_rows_weighed" not in shown(report), name


def shown(report):
    """What a student's feedback is made of, but for the restored tests."""
    cells = report.notebook["cells"] if report.notebook else []
    outputs = [str(cell.get("outputs")) for cell in cells]
    return " ".join([*outputs, *report.messages.values(), *report.remarks])
