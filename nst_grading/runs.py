"""One run of the grader over a folder: what is new is graded, all else is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from nst.errors import NstError
from nst_grading.grade import beside, grade_notebooks
from nst_grading.handins.submissions import HandIn, collect, source_of
from nst_grading.limits import Limits
from nst_grading.marks.store import key_of, load, save, task_of
from nst_grading.report import Report


@dataclass(frozen=True)
class Run:
    """What a run is asked to do."""

    source: Path
    submissions: Path
    out: Path
    limits: Limits
    jobs: int | None = None
    due: datetime | None = None
    again: Collection[str] = ()  # students whose notebooks run again though nothing has changed
    exercises: Collection[str] = ()  # parts that are graded again, and no others


def grade_folder(
    run: Run, done: Callable[[Report], None], tell: Callable[[str], None] = lambda text: None
) -> dict[str, Report]:
    """Grade what lies in a folder; returns the reports of this run and of earlier ones.

    Args:
        run: what to grade.
        done: called with each report that is made anew.
        tell: called with a sentence on each hand-in that is left out, as a newer one was graded.

    Raises:
        NstError: there is nothing there, or a student or an exercise that was named is not.
    """
    before, task = load(run.out), task_of(run.source, run.limits)
    with tempfile.TemporaryDirectory() as scratch:
        found = collect(run.submissions, run.source.stem, Path(scratch).resolve(), before)
        if missing := set(run.again) - {hand_in.student for hand_in in found}:
            raise NstError(f"There is no submission by {', '.join(sorted(missing))}.")
        keys = {h.student: key_of(h.path, own(h, run), task) for h in found if h.path}
        old = [h for h in found if h.student not in run.again and outdated(h, keys, before)]
        for hand_in in old:
            also(before[hand_in.student], [source_of(hand_in), *hand_in.others])
            tell(f"{hand_in.student}: older than what was graded, left out: {source_of(hand_in)}")
        by_student = {h.student: h for h in found if h not in old}
        whole, parts = to_do(run, {s: k for s, k in keys.items() if s in by_student}, before)

        def keep(report: Report) -> None:
            report = settle(report, keys[report.student], before, report.student in parts)
            number(report, by_student[report.student])
            before[report.student] = report
            save(report, run.out)
            done(report)

        for students, only in ((whole, ()), (parts, run.exercises)):
            paths = {s: path for s in students if (path := by_student[s].path)}
            if paths:
                limits, jobs = run.limits, run.jobs
                grade_notebooks(paths, run.source, limits=limits, jobs=jobs, only=only, done=keep)
        for hand_in in by_student.values():
            if hand_in.path is None:
                refuse(hand_in, before, done)
            if before[hand_in.student].key == keys.get(hand_in.student, ""):  # it is what counts
                describe(before[hand_in.student], hand_in, run.due)
        for hand_in in found:
            number(before[hand_in.student], hand_in)
            save(before[hand_in.student], run.out)
    return dict(sorted(before.items()))


def outdated(hand_in: HandIn, keys: Mapping[str, str], before: Mapping[str, Report]) -> bool:
    """Whether something newer by the same student has been graded in an earlier run."""
    old = before.get(hand_in.student)
    if old is None or not old.notebook:
        return False
    same = keys.get(hand_in.student, "").split(":")[0] == old.key.split(":")[0]
    order = list(hand_in.who.order)
    if order and old.order and order != old.order:
        return not same and order < old.order
    return not same and hand_in.when.isoformat() < old.when


def own(hand_in: HandIn, run: Run) -> list[Path]:
    """The other files that the submission's code gets."""
    path = hand_in.path
    return beside(path) if path and path.stem == run.source.stem else []


def to_do(
    run: Run, keys: Mapping[str, str], before: Mapping[str, Report]
) -> tuple[list[str], list[str]]:
    """Whose notebooks run whole, and whose only for some exercises."""
    old = {student: before[student].key if student in before else "" for student in keys}
    same = [s for s in keys if old[s].split(":")[0] == keys[s].split(":")[0]]
    parts = [s for s in same if run.exercises and s not in run.again]
    changed = [s for s in keys if s in run.again or (s not in parts and old[s] != keys[s])]
    return changed, parts


def settle(new: Report, key: str, before: Mapping[str, Report], part: bool) -> Report:
    """The report to keep: the new one, or the old one with what is new in it."""
    old = before.get(new.student)
    if new.failure:  # not kept as graded, so that the next run tries again
        return new
    new.key = key
    if part and old:
        return joined(old, new)
    if new.refused and old and old.notebook:
        return kept(old, new.refused)
    if old:
        new.attempts = old.attempts + (old.key.split(":")[0] != key.split(":")[0])
    return new


def kept(old: Report, why: str) -> Report:
    """An earlier report, which counts as what came later cannot be graded."""
    text = f"What was handed in last cannot be graded, and what came before counts: {why}"
    return replace(old, remarks=[*(r for r in old.remarks if r != text), text])


def joined(old: Report, new: Report) -> Report:
    """An earlier report with the points, messages and outputs of some parts from a new one."""
    report = deepcopy(old)
    report.key, report.out_of = new.key, new.out_of
    report.points |= new.points
    report.messages = {n: m for n, m in old.messages.items() if n not in new.points} | new.messages
    report.remarks = list(dict.fromkeys([*old.remarks, *new.remarks]))
    cells = {id_of(cell): cell for cell in (new.notebook or {}).get("cells", [])}
    for i, cell in enumerate((report.notebook or {}).get("cells", [])):
        if id_of(cell) in new.points:
            report.notebook["cells"][i] = cells[id_of(cell)]  # type: ignore[index]
    return report


def id_of(cell: Mapping[str, dict[str, dict[str, str]]]) -> str:
    """A cell's id in nbgrader, or an empty text."""
    return cell["metadata"].get("nbgrader", {}).get("grade_id", "")


def refuse(hand_in: HandIn, before: dict[str, Report], done: Callable[[Report], None]) -> None:
    """A row with a reason for a hand-in without a notebook."""
    old, refused = before.get(hand_in.student), Report(hand_in.student).refuse(hand_in.reason)
    before[hand_in.student] = kept(old, hand_in.reason) if old and old.notebook else refused
    done(refused)


def number(report: Report, hand_in: HandIn) -> None:
    """Note who it is on the platform, whatever counts: the next run knows the student by that."""
    report.platform, report.number = hand_in.who.platform, hand_in.who.number


def describe(report: Report, hand_in: HandIn, due: datetime | None) -> None:
    """Note when, how often and as what it was handed in."""
    report.attempts = max(report.attempts, hand_in.attempts)
    report.late = "yes" if hand_in.who.late else ""
    if due and hand_in.when > due:
        report.late = span((hand_in.when - due).total_seconds())
    if hand_in.path:
        report.order, report.when = list(hand_in.who.order), hand_in.when.isoformat()
    also(report, hand_in.others)


ALSO = "Also handed in, and not graded: "


def also(report: Report, others: Sequence[str]) -> None:
    """Name what else the student has handed in."""
    for other in others:
        if (remark := f"{ALSO}{other.rstrip('.')}.") not in report.remarks:
            report.remarks.append(remark)


def span(seconds: float) -> str:
    """A time, in words that a list of them can be sorted by eye."""
    minutes = int(seconds // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{max(1, minutes)} min"
