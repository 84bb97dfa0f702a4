"""What a teacher gets: points as CSV, a page for each student, and a summary of the class."""

from __future__ import annotations

import csv
import html
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nst_grading.report import BLANK, Report


def write(reports: Mapping[str, Report], out: Path, problem_set: str) -> list[Path]:
    """Write `points.csv`, `feedback/<student>.html`, `summary.md` and `summary.html` to `out`.

    If there are answers that a person reads, also `manual.csv`, to be filled in: the next run takes
    its points.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "points.csv", out / "summary.md", out / "summary.html"]
    exercises = names(reports)
    if any(report.unread for report in reports.values()) or (out / "manual.csv").exists():
        read_manual(reports, out / "manual.csv")
        paths.append(out / "manual.csv")
    write_points(reports, exercises, paths[0])
    text = summary(reports, problem_set)
    paths[1].write_text(text, encoding="utf-8")
    paths[2].write_text(page(text, problem_set), encoding="utf-8")
    for report in reports.values():
        target = out / "feedback" / f"{report.student}.html"
        target.parent.mkdir(exist_ok=True)
        target.write_text(feedback(report, problem_set), encoding="utf-8")
    return [*paths, out / "feedback"]


def names(reports: Mapping[str, Report]) -> dict[str, float]:
    """The exercises and their points."""
    return next((r.out_of for r in reports.values() if r.out_of), {})


def write_points(reports: Mapping[str, Report], exercises: dict[str, float], path: Path) -> None:
    """A row for each student; the second one says what can be had."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["student", *exercises, "total", "remarks"])
        table.writerow(["(possible)", *exercises.values(), sum(exercises.values()), ""])
        for report in reports.values():
            values = [report.points.get(name, 0) for name in exercises]
            cells = ["" if value is None else value for value in values]
            remarks = " ".join([report.failure, *report.remarks]).strip()
            table.writerow([safe(report.student), *cells, report.total, safe(remarks)])


def safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def read_manual(reports: Mapping[str, Report], path: Path) -> None:
    """Take the points that a person has given, and write the file anew with what is still open."""
    given: dict[tuple[str, str], str] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                given[row["student"], row["exercise"]] = row["points"].strip()
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["student", "exercise", "points", "possible"])
        for report in reports.values():
            for name in report.unread:
                points = given.get((report.student, name), "")
                table.writerow([report.student, name, points, report.out_of[name]])
                if points:
                    report.points[name] = min(max(float(points), 0.0), report.out_of[name])


def feedback(report: Report, problem_set: str) -> str:
    """A student's page: the notebook with points and messages, without hidden tests."""
    if not report.notebook:
        why = report.failure or " ".join(report.remarks)
        return page(f"# {problem_set}: {report.student}\n\n{why}\n", problem_set)
    import bleach
    import nbformat
    from jinja2 import pass_context
    from nbconvert.exporters import HTMLExporter
    from nbgrader.converters import generate_feedback
    from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme
    from traitlets.config import Config

    notebook = nbformat.from_dict(report.notebook)
    for cell in notebook.cells:
        data = cell.metadata.get("nbgrader", {})
        if data.get("locked") or data.get("task"):
            ClearHiddenTests().preprocess_cell(cell, {}, 0)
            ClearMarkScheme(enforce_metadata=False).preprocess_cell(cell, {}, 0)
        if data.get("grade"):
            name = data["grade_id"]
            points = report.points.get(name)
            data["score"], data["points"] = points or 0, report.out_of.get(name, 0)
            if points is None:
                data["comment"] = "Not read yet."
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(overview(report)))
    folder = Path(generate_feedback.__file__).parents[1] / "server_extensions" / "formgrader"
    config = Config()
    config.HTMLExporter.template_name = "feedback"
    config.HTMLExporter.sanitize_html = True  # a student's output may hold scripts
    config.HTMLExporter.extra_template_basedirs = [str(folder / "templates")]
    css = folder / "static" / "node_modules" / "bootstrap" / "dist" / "css"
    config.HTMLExporter.extra_template_paths = [str(css)]
    totals = {"score": report.total, "max_score": report.possible, "late_penalty": 0}
    resources = {"nbgrader": {"notebook": f"{problem_set}: {report.student}", **totals}}
    exporter = HTMLExporter(config=config)

    @pass_context
    def safe_html(context: Any, source: str) -> str:
        made = exporter.markdown2html(context, source)  # sanitize_html leaves Markdown alone
        return str(bleach.clean(made, TAGS, ATTRIBUTES, ("http", "https", "mailto", "data")))

    exporter.register_filter("markdown2html", safe_html)
    text, _ = exporter.from_notebook_node(notebook, resources=resources)
    return str(text)


TAGS = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "details",
    "div",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
]
ATTRIBUTES = {"*": ["class", "id"], "a": ["href"], "img": ["alt", "src", "width"]}


def overview(report: Report) -> str:
    """The points and what was wrong, as Markdown, for the top of a student's page."""
    lines = ["| part | points | |", "| --- | --- | --- |"]
    for name, possible in report.out_of.items():
        points = report.points.get(name)
        said = html.escape(plain(report.messages.get(name, "")), quote=False).replace("|", "\\|")
        given = "not read yet" if points is None else f"{points:g} of {possible:g}"
        lines.append(f"| [{name}](#{name}) | {given} | {said} |")
    return "\n".join(lines)


def summary(reports: Mapping[str, Report], problem_set: str) -> str:
    """The class on one page, as Markdown: the exercises, their mistakes, and what to look at."""
    graded = [report for report in reports.values() if report.out_of]
    exercises = names(reports)
    lines = [f"# {problem_set}: {count(len(reports), 'submission')}", ""]
    if graded:
        totals = sorted(report.total for report in graded)
        middle = (
            totals[len(totals) // 2]
            if len(totals) % 2
            else sum(totals[len(totals) // 2 - 1 : len(totals) // 2 + 1]) / 2
        )
        lines += [f"Median {middle:g} of {sum(exercises.values()):g} points.", ""]
        lines += ["| exercise | points | mean | full | none | not answered |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
    for name, possible in exercises.items() if graded else ():
        got = [r.points[name] for r in graded]
        values = [value for value in got if value is not None]
        if not values:
            lines.append(f"| {name} | {possible:g} | to be read | | | |")
            continue
        full, none = sum(v >= possible for v in values), sum(v == 0 for v in values)
        mean = sum(values) / len(values)
        blank = sum(report.messages.get(name) == BLANK for report in graded)
        lines.append(f"| {name} | {possible:g} | {mean:.2f} | {full} | {none} | {blank} |")
    lines += ["", "## Mistakes, the most frequent first", ""]
    lines += mistakes(graded, exercises) or ["None."]
    looks = [
        (r.student, text) for r in reports.values() for text in (r.failure, *r.remarks) if text
    ]
    if looks:
        lines += ["", "## To look at", ""]
        lines += [f"- {student}: {plain(text)}" for student, text in looks]
    unread = {r.student: r.unread for r in graded if r.unread}
    if unread:
        total = sum(map(len, unread.values()))
        lines += ["", "## To be read", "", f"{count(total, 'answer')}: fill in `manual.csv`, and"]
        lines += ["grade again. The answers stand in the feedback pages."]
    return "\n".join([*lines, ""])


def mistakes(reports: Sequence[Report], exercises: Mapping[str, float]) -> list[str]:
    """For each exercise: what was wrong, how often, and with whom."""
    whom: dict[tuple[str, str], list[str]] = defaultdict(list)
    for report in reports:
        for name, message in report.messages.items():
            if message != BLANK:
                whom[name, plain(message)].append(report.student)
    often = Counter({key: len(students) for key, students in whom.items()})
    lines = []
    for name in exercises:
        said = [(n, message) for (which, message), n in often.most_common() if which == name]
        if said:
            lines += [f"### {name}", ""]
            lines += [f"- {n} × {m} ({shown(whom[name, m])})" for n, m in said] + [""]
    return lines[:-1]


def shown(students: Sequence[str]) -> str:
    """Names, the first five."""
    rest = f" and {len(students) - 5} more" if len(students) > 5 else ""
    return ", ".join(students[:5]) + rest


def plain(text: str) -> str:
    """A message in one line, at most 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def page(text: str, title: str) -> str:
    """Markdown as a page of its own; what students wrote cannot become HTML."""
    from nbconvert.filters import markdown2html

    body: Any = markdown2html(html.escape(text, quote=False))
    style = (
        "body{max-width:50em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif}"
        ".anchor-link{display:none}"
        "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3em .8em}"
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head><body>{body}</body></html>\n"
    )
