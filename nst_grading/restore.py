"""Puts a submission's tests and locked cells back as they were handed out."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from nbformat import NotebookNode

from nst_grading.report import Report


def restore(
    notebook: NotebookNode, release: NotebookNode, resources: dict[str, Any], report: Report
) -> NotebookNode:
    """Put tests and locked cells back as they were, hidden tests included."""
    from nbgrader import preprocessors as steps

    identify(notebook, release)
    complete(notebook, release, report)
    for step in (
        steps.ClearOutput(),
        steps.OverwriteKernelspec(),
        steps.OverwriteCells(),
        steps.CheckCellMetadata(),
    ):
        notebook, _ = step.preprocess(notebook, resources)
    return notebook


def identify(notebook: NotebookNode, release: NotebookNode) -> None:
    """Give the cells of the problem set the release's metadata, and take it from all others.

    Of cells with the same id, such as copies, the last one counts, as in nbgrader.
    """
    known = {name_of(cell): cell.metadata for cell in release.cells if name_of(cell)}
    for cell in reversed(notebook.cells):
        metadata = known.pop(name_of(cell), None)
        cell.metadata.pop("nbgrader", None)
        if metadata is not None:
            cell.metadata = deepcopy(metadata)


def complete(notebook: NotebookNode, release: NotebookNode, report: Report) -> None:
    """Insert the cells that are missing, each after the one that comes before it in the release.

    nbgrader's `OverwriteCells.add_missing_cells` fails where two neighbours are missing.
    """
    from nbgrader.utils import is_grade, is_solution

    before = -1
    for cell in release.cells:
        name = name_of(cell)
        if not name:
            continue
        names = [name_of(present) for present in notebook.cells]
        if name in names:
            before = names.index(name)
            continue
        before += 1
        notebook.cells.insert(before, put := deepcopy(cell))
        if is_solution(cell) and not is_grade(cell) and cell.cell_type == "code":
            put.source = ""  # the stub would overwrite what may stand in another cell
            report.remarks.append(f"The answer's cell {name} was missing.")
        else:
            report.remarks.append(f"The cell {name} was missing, and has been put back.")


def name_of(cell: NotebookNode) -> str:
    """The cell's id in nbgrader; empty if it has none."""
    data = cell.metadata.get("nbgrader")
    name = data.get("grade_id") if isinstance(data, dict) else ""
    return name if isinstance(name, str) else ""


SUSPECT = re.compile(
    r"\b(?:ctypes|_getframe|currentframe|gc\.get_\w+|settrace|setprofile|get_ipython|sys\.modules|"
    r"__code__|__globals__|__torch_function__|f_back|f_locals|tb_frame|marshal|zipimport|os\._exit|"
    r"os\.fork|os\.kill|nst_grading|nbgrader|BEGIN HIDDEN)\b|/proc/|"
    r"(?<!ps1)(?<!checks)\.normalise\("
)


# Where an exercise wants a gradient by hand: ways round the switch that holds autograd.
BY_HAND = re.compile(r"\b(?:inference_mode|torch\.func|forward_ad|run_backward)\b")


def suspects(notebook: NotebookNode, release: NotebookNode) -> list[str]:
    """What a person should look at: words in the student's cells that no exercise needs."""
    from nbgrader.utils import is_locked

    locked = {name_of(cell) for cell in release.cells if is_locked(cell)}
    by_hand = any(".by_hand(" in cell.source for cell in release.cells)
    code = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and name_of(cell) not in locked
    ]
    words = [SUSPECT, BY_HAND] if by_hand else [SUSPECT]
    found = sorted({m for source in code for word in words for m in word.findall(source)})
    return [f"Its code mentions {', '.join(found)}: have a look."] if found else []
