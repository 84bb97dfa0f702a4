"""The answers that a person reads, question by question, on one page; by name or by code."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nst_grading.marks.manual import Criteria
from nst_grading.marks.tables import Table, original, read_table, write_table
from nst_grading.pages.feedback import MOST_PICTURES, output
from nst_grading.pages.html import markdown, name, page, table, text
from nst_grading.report import Report

LETTERS = "BCDFGHJKLMNPQRSTVWXZ2456789"  # none that are taken for another, and no words


def codes(students: list[str], path: Path) -> dict[str, str]:
    """A code for each student, drawn once and kept in a file, which the marker does not get."""
    kept = read_table(path) if path.exists() else Table(["student", "code"])
    known = {original(row["student"]): row["code"] for row in kept.rows}
    for student in students:
        while student not in known:
            code = "".join(secrets.choice(LETTERS) for _ in range(5))
            known |= {student: code} if code not in known.values() else {}
    rows = [{"student": student, "code": code} for student, code in known.items()]
    if len(rows) > len(kept.rows):
        write_table(path, kept.header, rows, kept)
    return known


def answers(
    reports: Mapping[str, Report],
    schemes: Criteria,
    problem_set: str,
    shown: Callable[[str], str],
) -> str:
    """The page: a heading for each question, its criteria, and what each student answers.

    With codes, the order is that of the codes, which says nothing of names. Names within answers
    and notebooks are the students' own matter.
    """
    body = [f"<h1>{text(problem_set)}: answers to be read</h1>"]
    for exercise, criteria in schemes.items():
        body.append(f"<h2>{text(exercise)}</h2>")
        if "" not in criteria:
            rows = [[f"{points:g}", text(what)] for what, points in criteria.items()]
            body.append(table(["points", "for"], rows))
        for student in sorted(reports, key=shown):
            cells = (reports[student].notebook or {}).get("cells", [])
            body += answer(cells, exercise, shown(student))
    return page(f"{problem_set}: answers", "\n".join(body))


def answer(cells: list[Any], exercise: str, who: str) -> list[str]:
    """One student's answer, below the figure that the code before it has drawn."""
    for i, cell in enumerate(cells):
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == exercise:
            before = [c for c in cells[:i] if c["cell_type"] == "code"][-1:]
            items = [item for c in before for item in c.get("outputs", []) if "data" in item]
            figures = [output(AttributeDict(item), [MOST_PICTURES]) for item in items]
            return [f"<h3>{name(who)}</h3>", *figures, markdown(cell["source"])]
    return []


class AttributeDict(dict[str, Any]):
    """An output that comes from JSON, read as a notebook's."""

    __getattr__ = dict.__getitem__
