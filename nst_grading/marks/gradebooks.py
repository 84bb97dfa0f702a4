"""Points as tables: `points.csv`, and files that Canvas's and Moodle's gradebooks import.

A platform's file needs its own names of the students. They come from the names of the files that it
has handed out, or from a table that it exports (Canvas's gradebook, Moodle's grading worksheet or
participants), whose rows and columns are kept, with the points put in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nst_grading.marks.tables import Table, number, write_table
from nst_grading.report import Report

CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
WORKSHEET = ["Identifier", "Full name", "Grade", "Maximum Grade", "Feedback comments"]
OURS = ("student", "row", "folder")  # columns of a table of one's own, with our name of a student
BOTH = "first name and last name"  # of Moodle's participants, in two columns
NAMES = (
    *("full name", BOTH, "name", "email address", "email", "username", "user name", "id number"),
    *("sis login id", "sis user id", "integration id"),
)
NUMBERS = {"Canvas": "id", "Moodle": "identifier"}


def write_points(reports: Mapping[str, Report], exercises: Mapping[str, float], path: Path) -> None:
    """A row for each student; the first one says what can be had."""
    ends = ["total", "late", "attempts", "remarks"]
    total = sum(exercises.values())
    rows: list[dict[str, object]] = [{"student": "(possible)", **exercises, "total": total}]
    for report in reports.values():
        row: dict[str, object] = {name: report.points.get(name) for name in exercises}
        remarks = " ".join([report.failure, *report.remarks]).strip()
        ungraded = not report.points
        row |= {"student": report.student, "total": None if ungraded else report.total}
        rows.append(row | {"late": report.late, "attempts": report.attempts, "remarks": remarks})
    write_table(path, ["student", *exercises, *ends], rows)


def write_gradebooks(
    reports: Mapping[str, Report], possible: float, name: str, out: Path, roster: Table | None
) -> tuple[list[Path], list[str]]:
    """Write `canvas.csv` and `moodle.csv`, as far as the students' names there are known.

    Args:
        reports: by student.
        possible: the points that can be had.
        name: the problem set's, for the column.
        out: the folder.
        roster: a table that the platform has exported, or one's own.

    Returns:
        The files, and the students that the roster does not name, or names twice.
    """
    if roster is not None:
        found, lost = matched(reports, roster)
        if {"student", "id", "section"} <= {column.lower() for column in roster.header}:
            return [canvas(roster, found, possible, name, out)], lost
        return [moodle(roster, found, possible, name, out)], lost
    paths = []
    by_platform = {p: [r for r in reports.values() if r.platform == p] for p in NUMBERS}
    if theirs := by_platform["Canvas"]:
        rows = [{"Student": r.student, "ID": r.number} for r in theirs]
        rows.insert(0, {"Student": POSSIBLE, "ID": ""})
        table = Table(CANVAS, [dict.fromkeys(CANVAS, "") | row for row in rows])
        paths.append(canvas(table, [None, *theirs], possible, name, out))
    if theirs := by_platform["Moodle"]:
        rows = [{"Identifier": f"Participant {r.number}", "Full name": r.student} for r in theirs]
        table = Table(WORKSHEET, [dict.fromkeys(WORKSHEET, "") | row for row in rows])
        paths.append(moodle(table, theirs, possible, name, out))
    return paths, []


POSSIBLE = "    Points Possible"


def canvas(
    table: Table, found: Sequence[Report | None], possible: float, name: str, out: Path
) -> Path:
    """Canvas's gradebook with one column of points; others are left out, so that none changes."""
    own = [column for column in table.header if column.lower() in map(str.lower, CANVAS)]
    column = next((c for c in table.header if c.startswith(name)), name)
    rows = []
    for row, report in zip(table.rows, found, strict=True):
        value: object = points_of(report)
        if row["Student"].strip() == POSSIBLE.strip():
            value = possible
        rows.append({c: row[c] for c in own} | {column: value})
    path = out / "canvas.csv"
    write_table(path, [*own, column], rows)
    return path


def moodle(
    table: Table, found: Sequence[Report | None], possible: float, name: str, out: Path
) -> Path:
    """Moodle's grading worksheet, filled in; or a table for its import of grades."""
    worksheet = "Grade" in table.header and "Identifier" in table.header
    header = table.header if worksheet else [*table.header, name, "feedback"]
    grade, comment = ("Grade", "Feedback comments") if worksheet else (name, "feedback")
    rows: list[dict[str, object]] = []
    for row, report in zip(table.rows, found, strict=True):
        new: dict[str, object] = dict(row)
        if report is not None and report.points:
            new[grade] = scaled(report.total, possible, row.get("Maximum Grade", ""))
            new[comment] = remarks_of(report)
            if worksheet and not row.get("Maximum Grade"):
                new["Maximum Grade"] = f"{possible:g}"
        rows.append(new)
    path = out / "moodle.csv"
    write_table(path, header, rows)
    return path


def points_of(report: Report | None) -> object:
    """The total; nothing for those who are not graded, so that no zero is imported for them."""
    return f"{report.total:g}" if report and report.points else ""


def scaled(total: float, possible: float, most: str) -> str:
    """Points on the platform's own scale, where it has one."""
    try:
        return f"{total * number(most) / possible:.5g}" if possible else f"{total:g}"
    except ValueError:
        return f"{total:g}"


def remarks_of(report: Report) -> str:
    """What a person has said, in one line."""
    said = [f"{part}: {line}" for part, lines in report.comments.items() for line in lines]
    return " / ".join(said)


def matched(reports: Mapping[str, Report], roster: Table) -> tuple[list[Report | None], list[str]]:
    """The report for each row of a roster, and the students that it does not name, or twice."""
    columns = {column.lower(): column for column in roster.header}
    numbers = {(r.platform, r.number): r.student for r in reports.values() if r.number}
    names: dict[str, list[str]] = {}
    for student in reports:
        names.setdefault(key(student), []).append(student)
    rows: dict[int, str] = {}
    for i, row in enumerate(roster.rows):
        for platform, column in NUMBERS.items():
            digits = re.sub(r"\D", "", row.get(columns.get(column, ""), ""))
            if (platform, digits) in numbers:
                rows[i] = numbers[platform, digits]
        for cell in names_of(row):
            for form in (cell, cell.split("@")[0] if "@" in cell else "", swapped(cell)):
                same = names.get(key(form), []) if form else []
                if len(same) == 1:
                    rows.setdefault(i, same[0])
    often = list(rows.values())
    lost = sorted(student for student in reports if often.count(student) != 1)
    return [
        reports[rows[i]] if i in rows and rows[i] not in lost else None
        for i in range(len(roster.rows))
    ], lost


def names_of(row: Mapping[str, str]) -> list[str]:
    """What a row of a table calls its student, the best first; nothing where it is nobody's."""
    cells = {column.lower(): cell.strip() for column, cell in row.items()}
    if first := cells.get("first name"):
        last = next((cells[name] for name in ("last name", "surname", "name") if name in cells), "")
        cells[BOTH] = f"{first} {last}".strip()
    names = [cells[column] for column in (*OURS, *NAMES) if cells.get(column)]
    return [] if POSSIBLE.strip() in names[:1] else names


def key(name: str) -> str:
    """A name without what platforms change in it: case, spaces, and signs."""
    return "".join(c for c in name.casefold() if c.isalnum())


def swapped(name: str) -> str:
    """`Doe, Jane` as `Jane Doe`."""
    last, comma, first = name.partition(",")
    return f"{first.strip()} {last.strip()}" if comma else ""
