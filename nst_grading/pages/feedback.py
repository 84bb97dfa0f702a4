"""A student's page: the notebook with points, messages and comments, without hidden tests."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import nbformat

from nst_grading.pages.html import markdown, name, page, table, text
from nst_grading.report import Report

PICTURES = ("image/png", "image/jpeg", "image/gif")
MOST_PICTURES = 20_000_000  # characters in one page
MOST_TEXT = 100_000  # characters of one output


def feedback(report: Report, problem_set: str) -> str:
    """The page, for the student, as HTML."""
    title = f"{problem_set}: {report.student}"
    head = f"<h1>{text(problem_set)}: {name(report.student)}</h1>\n"
    if not report.notebook:
        why = report.failure or report.refused or " ".join(report.remarks)
        return page(title, f"{head}<p>{text(why)}</p>")
    unread = f", {len(report.unread)} not read yet" if report.unread else ""
    body = [head, f"<p>Score: {float(report.total)} / {float(report.possible)}{unread}.</p>"]
    if report.late:
        body.append(f"<p>Late: {text(report.late)}.</p>")
    body.append(overview(report))
    left = [MOST_PICTURES]
    body += [shown(cell, report, left) for cell in without_secrets(report.notebook)]
    return page(title, "\n".join(body))


def overview(report: Report) -> str:
    """The points, what was wrong, and comments, by parts."""
    rows = []
    for part, possible in report.out_of.items():
        points = report.points.get(part)
        given = "not read yet" if points is None else f"{points:g} of {possible:g}"
        said = [report.messages.get(part, ""), *report.comments.get(part, [])]
        rows.append([text(part), given, "<br>".join(text(line) for line in said if line)])
    return table(["part", "points", ""], rows)


def without_secrets(executed: dict[str, Any]) -> list[Any]:
    """The notebook's cells, without hidden tests and mark schemes."""
    from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme

    notebook = nbformat.from_dict(executed)
    for cell in notebook.cells:
        data = cell.metadata.get("nbgrader", {})
        if data.get("locked") or data.get("task"):
            ClearHiddenTests().preprocess_cell(cell, {}, 0)
            ClearMarkScheme(enforce_metadata=False).preprocess_cell(cell, {}, 0)
    return list(notebook.cells)


def shown(cell: Any, report: Report, left: list[int]) -> str:
    """One cell as HTML; `left` is how much room there is for pictures."""
    part = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    code = cell.cell_type == "code"
    body = f"<pre>{text(cell.source)}</pre>" if code else markdown(cell.source)
    body += "".join(output(item, left) for item in cell.get("outputs", []))
    if part not in report.out_of:
        return body
    points = report.points.get(part)
    given = "Not read yet." if points is None else f"{points:g} of {report.out_of[part]:g} points."
    comments = "".join(f"<p>{text(line)}</p>" for line in report.comments.get(part, []))
    return f'<div class="test"><p><b>{text(part)}</b>: {given}</p>{body}{comments}</div>'


def output(item: Any, left: list[int]) -> str:
    """What a cell has shown: text, or a picture; nothing else is taken from a student."""
    from nbconvert.filters import strip_ansi

    data = item.get("data", {})
    plain = data.get("text/plain", "") if data else item.get("text", "")
    if item.output_type == "error":
        plain = f"{item.ename}: {item.evalue}"
    plain = strip_ansi(plain if isinstance(plain, str) else "".join(map(str, plain)))[:MOST_TEXT]
    for kind in PICTURES:
        if (picture := checked(data.get(kind))) and len(picture) < left[0]:
            left[0] -= len(picture)
            return f'<p><img src="data:{kind};base64,{picture}" alt="{text(plain[:300])}"></p>'
    return f'<pre class="out">{text(plain)}</pre>' if plain else ""


def checked(value: Any) -> str:
    """The base64 of a picture, if it is base64."""
    if not isinstance(value, str):
        return ""
    try:
        return base64.b64encode(base64.b64decode("".join(value.split()), validate=True)).decode()
    except (binascii.Error, ValueError):
        return ""
