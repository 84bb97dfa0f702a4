"""Writes what a teacher gets: tables, a page for each student, pages on the class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import nbformat

from nst_grading.marks.gradebooks import write_gradebooks, write_points
from nst_grading.marks.manual import Criteria, apply, write_manual
from nst_grading.marks.store import file_name
from nst_grading.marks.tables import Table, replace, safe
from nst_grading.pages.alike import alike
from nst_grading.pages.answers import answers, codes
from nst_grading.pages.feedback import feedback
from nst_grading.pages.html import markdown, page
from nst_grading.pages.summary import summary
from nst_grading.report import Report


@dataclass(frozen=True)
class Task:
    """What is graded, and where its results go."""

    source: Path
    out: Path
    exercises: dict[str, float]
    schemes: Criteria
    anonymous: bool = False
    roster: Table | None = None


def write(reports: Mapping[str, Report], task: Task, manual: Table) -> tuple[list[Path], list[str]]:
    """Write everything to the task's folder.

    Args:
        reports: by student, with the grader's points.
        task: what was graded.
        manual: the points and comments that a person has given.

    Returns:
        The files, and sentences on what does not fit together.
    """
    reports, out, title = deepcopy(dict(reports)), task.out, task.source.stem
    notes = []
    unread = {student: report.unread for student, report in reports.items()}
    known = {safe(student): student for student in reports}
    shown: Callable[[str], str] = str
    if task.anonymous or (out / "codes.csv").exists():  # marks given by code keep their meaning
        drawn = codes(list(reports), out / "codes.csv")
        known |= {code: student for student, code in drawn.items() if student in reports}
        shown = drawn.__getitem__ if task.anonymous else str
    for student in apply(reports, manual, task.schemes, known):
        notes.append(f"manual.csv: there is no submission, or no such part, for {student}.")
    paths = [out / "points.csv", out / "summary.md", out / "summary.html", out / "alike.html"]
    if any(unread.values()) or manual.rows:
        write_manual(out / "manual.csv", reports, unread, manual, task.schemes, known, shown)
        put(out / "answers.html", answers(reports, task.schemes, title, shown))
        paths += [out / "manual.csv", out / "answers.html"]
    write_points(reports, task.exercises, paths[0])
    text = summary(reports, title, task.exercises)
    put(paths[1], text)
    put(paths[2], page(title, markdown(text)))
    put(paths[3], alike(reports, nbformat.read(task.source, as_version=4).cells, title))
    for report in reports.values():
        put(out / "feedback" / f"{file_name(report.student)}.html", feedback(report, title))
    possible = sum(task.exercises.values())
    books, lost = write_gradebooks(reports, possible, title, out, task.roster)
    notes += [f"The roster does not name {student}, or more than once." for student in lost]
    left = sum(bool(report.unread) for report in reports.values())
    if books and left:
        whose = "one student" if left == 1 else f"{left} students"
        notes.append(f"The gradebook's totals lack what is still to be read, of {whose}.")
    return [*paths, *books, out / "feedback"], notes


def put(path: Path, text: str) -> None:
    """Write a text, whole or not at all."""
    replace(path, text.encode("utf-8", "replace"))
