"""Grades submissions: restores the tests, runs the notebook, counts points and messages."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil

from nst.checks.marking import reading
from nst.errors import NstError
from nst_grading.handins.reading import read
from nst_grading.handout.release import find, generate
from nst_grading.judging.withheld import kit
from nst_grading.kernels import Kernel, Room, no_main, work
from nst_grading.limits import Limits
from nst_grading.report import Report
from nst_grading.restore import restore, suspects
from nst_grading.sandbox.visible import visible


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
    only: Collection[str] = (),
    done: Callable[[Report], None] | None = None,
) -> dict[str, Report]:
    """Grade many notebooks at once, each in a process of its own.

    Args:
        submissions: the notebooks, by the students' names.
        source: the problem set's notebook with solutions and hidden tests, or its folder.
        limits: what each may use.
        jobs: how many at once; as many as the machine has cores if left out.
        only: the ids of graded cells; the reports then have these alone, and no more of the
            notebooks runs than they need. Everything if left out.
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
        job = Job(student, paths[student], released, limits, frozenset(only))
        report = in_process(job, room)
        with tell:
            if done:
                done(report)
        return report

    with tempfile.TemporaryDirectory(prefix="nst-") as folder:
        root = Path(folder).resolve()
        released = generate(source, root)
        (root / "kit").mkdir()
        copy = kit(source, root / "kit")
        room = Room(visible(copy), copy, Path(reading.__file__))
        with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
            return dict(zip(paths, pool.map(one, paths), strict=True))


@dataclass(frozen=True)
class Job:
    """One submission to grade."""

    student: str
    path: Path
    released: Path  # the released notebook, in a course folder with its gradebook
    limits: Limits
    only: frozenset[str] = frozenset()


START = threading.Lock()


def in_process(job: Job, room: Room) -> Report:
    """Grade a submission in a new process, which is ended when it overstays."""
    if sys.platform == "linux":
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["nst_grading.preload"])
    else:
        context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="nst-", ignore_cleanup_errors=True) as folder:
        # The problem set's files come last: nobody's own replace them.
        own = beside(job.path) if job.path.stem == job.released.stem else []
        files = own + beside(job.released)
        said = theirs, Path(folder).resolve(), job.limits, files, room, pickle.dumps(job)
        process = context.Process(target=work, args=said)
        with START, no_main():
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


def attempt(job: Job, kernel: Kernel) -> Report:
    """Grade one notebook; if the grader itself fails, the report says so."""
    try:
        return grade_one(job, kernel)
    except Exception as error:
        said = kernel.last_words()
        return Report(job.student, failure=f"{type(error).__name__}: {error} {said}".strip())


def beside(notebook: Path) -> list[Path]:
    """The other files of a notebook's folder, such as pictures; small ones only."""
    return [
        path
        for path in sorted(notebook.parent.iterdir())
        if path.is_file() and not path.is_symlink()
        if path.suffix != ".ipynb" and path.stat().st_size < 20e6
    ]


def grade_one(job: Job, kernel: Kernel) -> Report:
    """Grade one notebook in the kernel that waits for it."""
    from nbgrader.utils import determine_grade, is_grade

    from nst_grading.execute import FairExecute
    from nst_grading.handout.seeds import give, number_in

    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    report = Report(job.student, missing=kernel.missing)
    release = nbformat.read(job.released, as_version=4)
    for cell in filter(is_grade, release.cells):
        report.out_of[cell.metadata.nbgrader.grade_id] = float(cell.metadata.nbgrader.points)
    try:
        notebook = read(job.path, release)
    except NstError as error:
        return report.refuse(str(error))
    report.points = dict.fromkeys(report.out_of, 0.0)
    report.remarks += suspects(notebook, release)
    name = job.released.stem
    database = f"sqlite:///{job.released.parents[2] / 'gradebook.db'}"
    ids = {"student": job.student, "assignment": name, "notebook": name, "db_url": database}
    resources = {"nbgrader": ids, "metadata": {}}
    seeds = number_in(release), number_in(notebook)
    notebook = restore(notebook, release, resources, report)
    report.remarks += give(notebook, job.student, job.released.stem, *seeds)
    FairExecute(kernel, report, job.only).preprocess(notebook, resources)
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
    if job.only:
        report.points = {name: report.points[name] for name in job.only & set(report.points)}
        report.messages = {n: text for n, text in report.messages.items() if n in job.only}
    report.remarks = list(dict.fromkeys(report.remarks))
    report.notebook = notebook
    return report
