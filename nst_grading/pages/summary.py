"""The class on one page, as Markdown: the exercises, their mistakes, and what to look at."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from nst_grading.pages.html import literal
from nst_grading.report import BLANK, Report


def summary(reports: Mapping[str, Report], problem_set: str, exercises: Mapping[str, float]) -> str:
    """The page's text; what students wrote stands in it as text."""
    graded = [report for report in reports.values() if report.points]
    lines = [f"# {literal(problem_set)}: {count(len(reports), 'submission')}", ""]
    if graded:
        middle = statistics.median(report.total for report in graded)
        lines += [f"Median {middle:g} of {sum(exercises.values()):g} points.", ""]
        lines += ["| exercise | points | mean | full | none | not answered |"]
        lines += ["| --- | --- | --- | --- | --- | --- |"]
        lines += [row(graded, name, possible) for name, possible in exercises.items()]
    lines += ["", "## Mistakes, the most frequent first", ""]
    lines += mistakes(graded, exercises) or ["None."]
    lines += section("Not graded", {r.student: [r.refused] for r in reports.values() if r.refused})
    late = {r.student: [r.late] for r in reports.values() if r.late}
    lines += section("Late", late)
    looks = {
        r.student: [text for text in (r.failure, *r.remarks) if text and text != r.refused]
        for r in reports.values()
    }
    lines += section("To look at", looks)
    unread = [len(r.unread) for r in graded if r.unread]
    if unread:
        lines += ["", "## To be read", "", f"{count(sum(unread), 'answer')}: fill in `manual.csv`,"]
        lines += ["and grade again. The answers stand in `answers.html`."]
    return "\n".join([*lines, ""])


def row(graded: Sequence[Report], name: str, possible: float) -> str:
    """One exercise in the table."""
    values = [value for r in graded if (value := r.points.get(name)) is not None]
    start = f"| {literal(name)} | {possible:g} |"
    if not values:
        return f"{start} to be read | | | |"
    full, none = sum(v >= possible for v in values), sum(v == 0 for v in values)
    blank = sum(report.messages.get(name) == BLANK for report in graded)
    return f"{start} {statistics.fmean(values):.2f} | {full} | {none} | {blank} |"


def section(title: str, said: Mapping[str, Sequence[str]]) -> list[str]:
    """A heading and a line for each remark; nothing if there are none."""
    lines = [f"- {literal(student)}: {plain(t)}" for student, texts in said.items() for t in texts]
    return ["", f"## {title}", "", *lines] if lines else []


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
            lines += [f"### {literal(name)}", ""]
            lines += [f"- {n} × {m} ({shown(whom[name, m])})" for n, m in said] + [""]
    return lines[:-1]


def shown(students: Sequence[str]) -> str:
    """Names, the first five."""
    rest = f" and {len(students) - 5} more" if len(students) > 5 else ""
    return ", ".join(map(literal, students[:5])) + rest


def plain(text: str) -> str:
    """A message in one line, at most 300 characters, as text."""
    line = " ".join(text.split())
    return literal(line if len(line) <= 300 else line[:299] + "…")


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
