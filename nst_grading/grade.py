"""Grades submissions: restores the tests, runs the notebook, counts points and messages."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from nbformat import NotebookNode

from nst.errors import NstError
from nst_grading.limits import Limits
from nst_grading.release import find, generate
from nst_grading.report import Report


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
    hidden: Sequence[str | Path] = (),
    done: Callable[[Report], None] | None = None,
) -> dict[str, Report]:
    """Grade many notebooks at once, each in a process of its own.

    In a script, call it below `if __name__ == "__main__":`, as with everything that starts
    processes in Python.

    Args:
        submissions: the notebooks, by the students' names.
        source: the problem set's notebook with solutions and hidden tests, or its folder.
        limits: what each may use.
        jobs: how many at once; as many as the machine has cores if left out.
        hidden: folders that the students' code shall not see, beside the source's, the
            submissions' and the system's for temporary files.
        done: called with each report when it is there, in the order of their ends.

    Returns:
        A report for each student, in the order of the submissions. A submission that crashes, or
        takes too much, has one too.

    Raises:
        NstError: the source is none.
    """
    source, limits = find(source), limits or Limits()
    paths = {student: Path(path).resolve() for student, path in submissions.items()}
    tell = threading.Lock()

    def one(student: str) -> Report:
        report = in_process(Job(student, paths[student], released, covered, limits))
        with tell:
            if done:
                done(report)
        return report

    with tempfile.TemporaryDirectory(prefix="nst-") as folder:
        released = generate(source, Path(folder).resolve())
        covered = [source.parent.parent, *map(Path, hidden), Path(tempfile.gettempdir())]
        covered += dict.fromkeys(path.parent for path in paths.values())
        with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
            return dict(zip(paths, pool.map(one, paths), strict=True))


@dataclass(frozen=True)
class Job:
    """One submission to grade."""

    student: str
    path: Path
    released: Path  # the released notebook, in a course folder with its gradebook
    hidden: Sequence[Path]
    limits: Limits


def in_process(job: Job) -> Report:
    """Grade a submission in a new process, which is ended when it overstays."""
    if sys.platform == "linux":
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["nst_grading.preload"])
    else:
        context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="nst-", ignore_cleanup_errors=True) as folder:
        process = context.Process(target=work, args=(theirs, job, Path(folder).resolve()))
        process.start()
        theirs.close()
        report = Report(job.student, failure="the grader's process has ended without a report")
        try:
            if ours.poll(job.limits.seconds + 400):
                report = ours.recv()
        except EOFError:
            pass
        finally:
            end(process)
            ours.close()
    return report


def end(process: Any) -> None:
    """End a process, and whatever it has started."""
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
        for member in family:
            with contextlib.suppress(psutil.Error):
                member.kill()
    process.kill()
    process.join()
    process.close()


def work(pipe: Any, job: Job, folder: Path) -> None:
    """In the new process: grade, and send the report."""
    from nst_grading import kernels

    own = job.path.parent if job.path.stem == job.released.stem else None
    files = beside(job.released) + (beside(job.path) if own else [])
    kernel = kernels.prepare(folder, job.hidden, job.limits, files)
    try:
        report = grade_one(job, kernel)
    except Exception as error:
        said = kernel.last_words()
        report = Report(job.student, failure=f"{type(error).__name__}: {error} {said}".strip())
    kernel.kill()
    pipe.send(report)


def beside(notebook: Path) -> list[Path]:
    """The other files of a notebook's folder, such as pictures; small ones only."""
    return [
        path
        for path in sorted(notebook.parent.iterdir())
        if path.is_file() and path.suffix != ".ipynb" and path.stat().st_size < 20e6
    ]


def grade_one(job: Job, kernel: Any) -> Report:
    """Grade one notebook in the kernel that waits for it."""
    from nbgrader.utils import determine_grade, is_grade, is_locked

    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    report = Report(job.student, missing=kernel.missing)
    release = nbformat.read(job.released, as_version=4)
    for cell in filter(is_grade, release.cells):
        report.out_of[cell.metadata.nbgrader.grade_id] = float(cell.metadata.nbgrader.points)
    report.points = dict.fromkeys(report.out_of, 0.0)
    try:
        notebook = read(job.path, release)
    except NstError as error:
        report.messages = dict.fromkeys(report.out_of, str(error))
        report.remarks.append(str(error))
        return report
    locked = {name_of(cell) for cell in release.cells if is_locked(cell)}
    report.remarks += suspects(notebook, locked)
    name = job.released.stem
    database = f"sqlite:///{job.released.parents[2] / 'gradebook.db'}"
    ids = {"student": job.student, "assignment": name, "notebook": name, "db_url": database}
    resources = {"nbgrader": ids, "metadata": {}}
    notebook = restore(notebook, release, resources, report)
    execute(notebook, resources, kernel, report)
    for cell in filter(is_grade, notebook.cells):
        name = cell.metadata.nbgrader.grade_id
        score = determine_grade(cell)[0]
        report.points[name] = None if score is None else float(score)
        errors = [o for o in cell.get("outputs", []) if o.output_type == "error"]
        if errors and score is not None:
            report.messages[name] = errors[0].evalue
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if output.get("ename") in ("ImportError", "ModuleNotFoundError"):  # perhaps not its fault
            report.remarks.append(f"An import failed: {output.evalue}.")
    report.remarks = list(dict.fromkeys(report.remarks))
    report.notebook = notebook
    return report


SUSPECT = re.compile(
    r"\b(ctypes|_getframe|currentframe|gc\.get_|settrace|setprofile|get_ipython|sys\.modules|"
    r"__code__|__torch_function__|nst_grading|nbgrader|BEGIN HIDDEN)\b"
)


def suspects(notebook: NotebookNode, locked: Collection[str]) -> list[str]:
    """What a person should look at: words in the student's cells that no exercise needs."""
    code = [
        cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and name_of(cell) not in locked
    ]
    found = sorted({match for source in code for match in SUSPECT.findall(source)})
    return [f"Its code mentions {', '.join(found)}: have a look."] if found else []


def read(path: Path, release: NotebookNode) -> NotebookNode:
    """A submitted notebook.

    Raises:
        NstError: it is no notebook, or none of this problem set.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        names = set(map(name_of, notebook.cells))
    except Exception as error:
        raise NstError(f"{path.name} cannot be read as a notebook ({error}).") from error
    if not names & set(map(name_of, release.cells)) - {""}:
        raise NstError(f"{path.name} has no cell of this problem set: is it another notebook?")
    return notebook


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
        notebook.cells.insert(before, deepcopy(cell))
        report.remarks.append(f"The cell {name} was missing, and has been put back.")


def name_of(cell: NotebookNode) -> str:
    """The cell's id in nbgrader; empty if it has none."""
    data = cell.metadata.get("nbgrader")
    name = data.get("grade_id") if isinstance(data, dict) else ""
    return name if isinstance(name, str) else ""


def execute(notebook: NotebookNode, resources: dict[str, Any], kernel: Any, report: Report) -> None:
    """Run the notebook; the outputs of its tests say how they went."""
    from nst_grading.execute import FairExecute

    step = FairExecute(kernel, report)
    step.preprocess(notebook, resources)
