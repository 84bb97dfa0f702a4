"""Grades submissions: restores the tests, runs the notebook, counts points and messages."""

from __future__ import annotations

import logging
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from nst.errors import NstError
from nst.grading.limits import Limits
from nst.grading.release import find, generate
from nst.grading.report import Report

MIME = "application/vnd.nst.grade+json"  # as in nst.grading.fair, which only kernels import


def grade_notebook(
    submission: str | Path,
    source: str | Path,
    *,
    student: str | None = None,
    limits: Limits | None = None,
) -> Report:
    """Grade one notebook.

    Args:
        submission: the student's notebook.
        source: the problem set's notebook with solutions and hidden tests, or its folder.
        student: the name in the report; the file's name if left out.
        limits: what it may use.

    Raises:
        NstError: the source is none.
    """
    name = student or Path(submission).stem
    return grade_notebooks({name: submission}, source, limits=limits, jobs=1)[name]


def grade_notebooks(
    submissions: Mapping[str, str | Path],
    source: str | Path,
    *,
    limits: Limits | None = None,
    jobs: int | None = None,
) -> dict[str, Report]:
    """Grade many notebooks, given by the students' names; a report for each."""
    source = find(source)
    with tempfile.TemporaryDirectory(prefix="nst-") as folder:
        released = generate(source, Path(folder))
        return {
            student: grade_one(student, Path(path), released, limits or Limits())
            for student, path in submissions.items()
        }


def grade_one(student: str, path: Path, released: Path, limits: Limits) -> Report:
    """Grade one notebook against a released one, whose course folder has a gradebook."""
    from nbgrader.utils import determine_grade, is_grade

    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    report = Report(student)
    release = nbformat.read(released, as_version=4)
    for cell in release.cells:
        if is_grade(cell):
            report.out_of[cell.metadata.nbgrader.grade_id] = float(cell.metadata.nbgrader.points)
    report.points = dict.fromkeys(report.out_of, 0)
    try:
        notebook = read(path, release)
    except NstError as error:
        report.messages = dict.fromkeys(report.out_of, str(error))
        report.remarks.append(str(error))
        return report
    resources = {
        "nbgrader": {
            "student": student,
            "assignment": released.stem,
            "notebook": released.stem,
            "db_url": f"sqlite:///{released.parents[2] / 'gradebook.db'}",
        },
        "metadata": {"path": str(path.parent)},
    }
    notebook = restore(notebook, release, resources, report)
    execute(notebook, resources, limits, report)
    for cell in notebook.cells:
        if is_grade(cell):
            name = cell.metadata.nbgrader.grade_id
            report.points[name] = determine_grade(cell)[0]
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    report.messages[name] = output.evalue
    report.notebook = notebook
    return report


def read(path: Path, release: NotebookNode) -> NotebookNode:
    """A submitted notebook.

    Raises:
        NstError: it is no notebook, or none of this problem set.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        cells = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    except Exception as error:
        raise NstError(f"{path.name} cannot be read as a notebook ({error}).") from error
    if not {cell.metadata.get("nbgrader", {}).get("grade_id", "") for cell in release.cells} & {
        cell for cell in cells if cell
    }:
        raise NstError(f"{path.name} has no cell of this problem set: is it another notebook?")
    return notebook


def restore(
    notebook: NotebookNode, release: NotebookNode, resources: dict[str, Any], report: Report
) -> NotebookNode:
    """Put tests and locked cells back as they were, hidden tests included."""
    from nbgrader import preprocessors as steps

    complete(notebook, release, report)
    overwrite = steps.OverwriteCells()
    for step in (
        steps.ClearOutput(),
        steps.DeduplicateIds(),
        steps.OverwriteKernelspec(),
        overwrite,
        steps.CheckCellMetadata(),
    ):
        step.enabled = True
        notebook, _ = step.preprocess(notebook, resources)
    return notebook


def complete(notebook: NotebookNode, release: NotebookNode, report: Report) -> None:
    """Insert the cells that are missing, each after the one that comes before it in the release.

    nbgrader's `OverwriteCells.add_missing_cells` fails where two neighbours are missing.
    """

    def ids() -> list[str | None]:
        return [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]

    before = -1
    for cell in release.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if not name:
            continue
        if name in ids():
            before = ids().index(name)
            continue
        before += 1
        notebook.cells.insert(before, cell.copy())
        report.remarks.append(f"The cell {name} was missing, and has been put back.")


def execute(
    notebook: NotebookNode, resources: dict[str, Any], limits: Limits, report: Report
) -> None:
    """Run the notebook in a kernel of its own; the outputs of its tests say how they went."""
    from nbgrader.preprocessors import Execute
    from nbgrader.utils import is_grade, is_locked, is_solution

    class FairExecute(Execute):  # type: ignore[misc]
        def preprocess_cell(
            self, cell: NotebookNode, resources: dict[str, Any], index: int
        ) -> tuple[NotebookNode, dict[str, Any]]:
            if cell.cell_type != "code":
                return cell, resources
            if is_grade(cell) and not is_solution(cell):
                judge(self, cell, index, report)
            else:
                self.execute_cell(cell, index, store_history=True)
                if is_locked(cell):
                    self.tell(f"JUDGE.trust({cell.source!r})", index)
            return cell, resources

        def tell(self, code: str, index: int) -> NotebookNode:
            cell = nbformat.v4.new_code_cell(f"from nst.grading import fair; fair.{code}")
            kept = self.nb.cells[index]  # execute_cell puts its own cell there
            self.execute_cell(cell, index, store_history=False)
            self.nb.cells[index] = kept
            return cell

        def start_new_kernel_client(self) -> Any:
            client = super().start_new_kernel_client()
            self.tell("install()", 0)
            return client

    step = FairExecute(timeout=limits.cell_seconds)
    step.preprocess(notebook, resources)


def judge(step: Any, cell: NotebookNode, index: int, report: Report) -> None:
    """Run a test and replace its outputs by what `nst.grading.fair` says of it."""
    number = secrets.token_hex(16)
    ran = step.tell(f"JUDGE.run({cell.source!r}, {number!r})", index)
    cell.outputs = []
    verdicts = [output.data[MIME] for output in ran.outputs if MIME in output.get("data", {})]
    verdict = next((v for v in verdicts if v.get("number") == number), None)
    if verdict is None:
        errors = [output for output in ran.outputs if output.output_type == "error"]
        ended = any(error.ename == "CellTimeoutError" for error in errors)
        why = "It does not come to an end in time." if ended else "The test did not run to its end."
        cell.outputs = [error_output("NotRun", why)]
        return
    for name in verdict["replaced"]:
        report.remarks.append(f"It replaces {name}; the tests used the original.")
    if "error" in verdict:
        cell.outputs = [error_output(verdict["error"]["name"], verdict["error"]["message"])]
    elif verdict["score"] is not None:
        score = min(max(verdict["score"], 0), float(cell.metadata.nbgrader.points))
        data = {"text/plain": str(score)}
        cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=index)]


def error_output(name: str, message: str) -> NotebookNode:
    """An error as notebooks show it, without the lines of the tests."""
    return nbformat.v4.new_output(
        "error", ename=name, evalue=message, traceback=[f"{name}: {message}"]
    )
