"""`manual.csv`: the points and comments that a person gives. No mark in it is ever lost.

A row for each answer to be read, or for each criterion of its mark scheme. Rows may be added: one
that names an automatic part has its points count instead of the grader's, and a comment stands in
the student's page in any case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat

from nst.errors import NstError
from nst_grading.marks.tables import Table, number, original, read_table, safe, write_table
from nst_grading.report import Report

HEADER = ["student", "exercise", "points", "possible", "criterion", "comment"]
SCHEME = re.compile(r"=== BEGIN MARK SCHEME ===(.*?)=== END MARK SCHEME ===", re.DOTALL)
CRITERION = re.compile(r"^(\d+(?:\.\d+)?) points?: (.+)$", re.MULTILINE)
Criteria = dict[str, dict[str, float]]  # points by criterion, by exercise


def criteria(source: Path) -> tuple[dict[str, float], Criteria]:
    """The exercises of a problem set with their points, and the criteria of those that are read.

    Criteria are the lines of a mark scheme such as "1 point: names the layers"; where their points
    do not add up to the exercise's, there is one for the whole, named "".
    """
    exercises, schemes = {}, {}
    for cell in nbformat.read(source, as_version=4).cells:
        data = cell.metadata.get("nbgrader", {})
        if not data.get("grade"):
            continue
        exercises[data["grade_id"]] = most = float(data["points"])
        if data.get("solution"):
            text = "".join(SCHEME.findall(cell.source))
            found = {what.strip(): float(points) for points, what in CRITERION.findall(text)}
            schemes[data["grade_id"]] = found if sum(found.values()) == most else {"": most}
    return exercises, schemes


def read_manual(path: Path, exercises: Mapping[str, float], schemes: Criteria) -> Table:
    """The file as it is; an empty table if there is none.

    Raises:
        NstError: something in it is wrong; the message names each cell. Nothing has been written.
    """
    if not path.exists():
        return Table(HEADER)
    table = read_table(path)
    lacking = [name for name in HEADER[:3] if name not in table.header]
    if lacking:
        raise NstError(f"{path} has no column {' and no column '.join(lacking)}.")
    wrong = [f"line {line}: more cells than columns; a decimal comma?" for line in table.strange]
    seen: dict[tuple[str, ...], str] = {}
    for line, row in zip(table.lines, table.rows, strict=True):
        student, exercise, text = row["student"], row["exercise"].strip(), row["points"].strip()
        criterion = original(row.get("criterion", "")).strip()
        where = f"line {line} ({student}, {exercise})"
        most = schemes.get(exercise, {}).get(criterion, exercises.get(exercise))
        try:
            value = number(text) if text else 0.0
        except ValueError:
            wrong.append(f"{where}: {text!r} is no number.")
            continue
        if text and most is None:
            wrong.append(f"{where}: there is no such exercise.")
        elif text and criterion not in schemes.get(exercise, {}) | {"": 0}:
            wrong.append(f"{where}: the mark scheme has no criterion {criterion!r}.")
        elif most is not None and not 0 <= value <= most:
            wrong.append(f"{where}: {text} is not between 0 and {most:g}.")
        key = student, exercise, criterion
        if text and seen.setdefault(key, text) != text:
            wrong.append(f"{where}: it is there twice, with {seen[key]} and {text} points.")
    if wrong:
        raise NstError("\n".join([f"{path} is left as it is, and nothing was graded:", *wrong]))
    return table


def apply(
    reports: Mapping[str, Report], table: Table, schemes: Criteria, known: Mapping[str, str]
) -> list[str]:
    """Put the marks into the reports; returns whom they name in vain.

    Args:
        reports: by student.
        table: what a person has filled in.
        schemes: the criteria.
        known: the students, by what may stand for them in the table: names and codes.
    """
    given: dict[tuple[str, str], dict[str, float]] = {}
    strangers = []
    for row in table.rows:
        student, exercise = known.get(row["student"].strip()), row["exercise"].strip()
        if student is None or exercise not in reports[student].out_of:
            strangers += [row["student"]] if row["points"].strip() else []
            continue
        criterion = original(row.get("criterion", "")).strip()
        mark, comment = row["points"].strip(), original(row.get("comment", "")).strip()
        if mark:
            given.setdefault((student, exercise), {})[criterion] = number(mark)
        if criterion and mark:
            of = schemes[exercise][criterion]
            comment = f"{criterion} {number(mark):g} of {of:g}. {comment}".strip()
        elif criterion and comment:
            comment = f"{criterion} {comment}"
        if comment:
            reports[student].comments.setdefault(exercise, []).append(comment)
    for (student, exercise), marks in given.items():
        report, wanted = reports[student], schemes.get(exercise, {"": 0})
        if "" in marks or set(marks) >= set(wanted):  # the whole, or every criterion
            before, report.points[exercise] = report.points.get(exercise), sum_of(marks)
            if before is not None and before != report.points[exercise]:
                points = f"{report.points[exercise]:g} points, not {before:g}"
                report.remarks.append(f"{exercise} has {points}, by hand.")
    return sorted(set(strangers))


def sum_of(marks: Mapping[str, float]) -> float:
    """The points of an answer: those for the whole, or else of its criteria together."""
    return marks[""] if "" in marks else sum(marks.values())


def write_manual(
    path: Path,
    reports: Mapping[str, Report],
    unread: Mapping[str, list[str]],
    table: Table,
    schemes: Criteria,
    known: Mapping[str, str],
    shown: Callable[[str], str],
) -> None:
    """Add what is to be read to the file; its rows stay, in their order and with all they hold.

    Args:
        path: the file.
        reports: by student.
        unread: the answers that a person reads, marked or not, by student.
        table: the file as it is.
        schemes: the criteria.
        known: the students, by what may stand for them in the table: names and codes.
        shown: what is to stand there for a student.
    """
    cells = {name: safe(shown(name)) for name in reports}
    header = [*table.header, *(name for name in HEADER if name not in table.header)]
    rows: list[dict[str, Any]] = []
    for row in table.rows:
        student = row["student"].strip()
        rows.append(row | {"student": cells.get(known.get(student, ""), student)})
    there = {(row["student"], row["exercise"].strip(), row.get("criterion", "")) for row in rows}
    for student in reports:
        for exercise in unread.get(student, []):
            for criterion, possible in schemes.get(exercise, {"": 0.0}).items():
                key = cells[student], exercise, safe(criterion)
                if key not in there:
                    most = f"{possible or reports[student].out_of[exercise]:g}"
                    rows.append(dict(zip(HEADER, [*key[:2], "", most, criterion, ""], strict=True)))
    if rows != table.rows or header != table.header:
        write_table(path, header, rows, table)
