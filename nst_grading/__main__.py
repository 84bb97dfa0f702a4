"""The teacher's commands: `python -m nst_grading release|grade|course`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from nst.errors import NstError
from nst_grading.handout.course import make_course
from nst_grading.handout.release import find, release
from nst_grading.handout.seeds import release_each
from nst_grading.limits import Limits
from nst_grading.marks.gradebooks import names_of
from nst_grading.marks.manual import criteria, read_manual
from nst_grading.marks.tables import read_table
from nst_grading.pages import Task, write
from nst_grading.report import Report
from nst_grading.runs import Run, grade_folder

SOURCES = Path("notebooks/assignments/source")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 unless the grader itself failed, whatever the submissions did."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except NstError as error:
        print(error, file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(prog="python -m nst_grading", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="release|grade|course")
    out = "the folder to write (default: %(default)s)"

    command = commands.add_parser("release", help="write the student version of a problem set")
    text = "such as ps2_gram, or a folder; 'all' for every one"
    command.add_argument("problem_set", type=named, help=text)
    command.add_argument("--out", type=place, default=Path("outputs/release"), help=out)
    text = "a version for each student of this table, for problem sets whose data vary by student"
    command.add_argument("--each", type=place, metavar="CSV", help=text)
    command.set_defaults(run=run_release)

    command = commands.add_parser("grade", help="grade whatever lies in a folder")
    command.add_argument("problem_set", type=named, help="such as ps2_gram, or a folder")
    text = "folder or archive: student.ipynb, student/…, nbgrader's student/ps2_gram/ps2_gram.ipynb"
    command.add_argument("--submissions", required=True, type=place, help=text)
    command.add_argument("--out", type=place, help="default: outputs/grades/PROBLEM_SET")
    text = "what was handed in later is marked, such as '2026-11-26 18:00'"
    command.add_argument("--due", type=moment, help=text)
    text = "table that Canvas or Moodle exports, or one with a column 'student': for its gradebook"
    command.add_argument("--roster", type=place, metavar="CSV", help=text)
    text = "run these students' notebooks again though nothing has changed"
    command.add_argument("--again", nargs="+", default=[], metavar="STUDENT", help=text)
    text = "grade these parts again, such as gram_shape, and nothing else that was graded before"
    command.add_argument("--exercise", nargs="+", default=[], metavar="PART", help=text)
    text = "codes for names in manual.csv and answers.html; codes.csv says whose they are"
    command.add_argument("--anonymous", action="store_true", help=text)
    command.add_argument("--jobs", type=int, help="submissions at once (default: the cores)")
    usual = Limits()
    for name, what in (
        ("cell_seconds", "seconds for a cell"),
        ("seconds", "seconds for a notebook"),
        ("memory_mb", "MB of memory"),
        ("file_mb", "MB of the largest file that it writes"),
    ):
        flag, value = f"--{name.replace('_', '-')}", getattr(usual, name)
        command.add_argument(flag, type=int, default=value, help=f"{what} (default: {value})")
    command.set_defaults(run=run_grade)

    command = commands.add_parser("course", help="set up nbgrader's course, for its extension")
    command.add_argument("folder", type=place, help="the folder to make")
    command.set_defaults(run=run_course)
    for command in commands.choices.values():
        command.add_argument("--sources", type=Path, default=SOURCES, help=argparse.SUPPRESS)
    return top


def named(text: str) -> str:
    """What is not empty, as a variable of make is that nobody has set."""
    if not text.strip():
        raise argparse.ArgumentTypeError("nothing is named")
    return text


def place(text: str) -> Path:
    """A file or folder that is named: without a name it would be the current folder."""
    return Path(named(text))


def moment(text: str) -> datetime:
    """A date with a time, by this machine's clock unless it says otherwise."""
    return datetime.fromisoformat(text).astimezone()


def names_in(path: Path) -> list[str]:
    """The students of a table, by the names that their hand-ins will have.

    Raises:
        NstError: it cannot be read, or names nobody.
    """
    names = [name for row in read_table(path).rows for name in names_of(row)[:1]]
    if not names:
        columns = "a column 'student', or 'first name' and 'last name'"
        raise NstError(f"{path} names no students: give it {columns}.")
    return names


def source_of(arguments: argparse.Namespace) -> Path:
    """The notebook of the problem set that was named, by its name or its folder."""
    named = Path(arguments.problem_set)
    if named.exists():
        return find(named)
    path = arguments.sources / named
    if not path.is_dir():
        there = ", ".join(sorted(p.name for p in arguments.sources.glob("*/"))) or "none"
        raise NstError(f"There is no problem set {named} in {arguments.sources}; there: {there}.")
    return find(path)


def run_release(arguments: argparse.Namespace) -> int:
    """Write one problem set, or all."""
    if arguments.problem_set == "all":
        sources = [find(p) for p in sorted(arguments.sources.glob("*/")) if list(p.glob("*.ipynb"))]
    else:
        sources = [source_of(arguments)]
    for source in sources:
        out = arguments.out / source.stem
        if arguments.each:
            print(*release_each(source, out, names_in(arguments.each)), sep="\n")
        else:
            print(release(source, out))
    return 0


def run_grade(arguments: argparse.Namespace) -> int:
    """Grade, and write what the teacher gets."""
    source = source_of(arguments)
    out = arguments.out or Path("outputs/grades") / source.stem
    limits = Limits(
        arguments.cell_seconds, arguments.seconds, arguments.memory_mb, arguments.file_mb
    )
    exercises, schemes = criteria(source)
    if unknown := set(arguments.exercise) - set(exercises):
        there = ", ".join(exercises)
        raise NstError(f"There is no exercise {', '.join(unknown)} in {source.stem}; {there}.")
    # Before anything runs or is written: what is wrong in these shall not cost a teacher's time.
    roster = read_table(arguments.roster) if arguments.roster else None
    manual = read_manual(out / "manual.csv", exercises, schemes)
    task = Task(source, out, exercises, schemes, arguments.anonymous, roster)
    asked = arguments.again, arguments.exercise
    run = Run(source, arguments.submissions, out, limits, arguments.jobs, arguments.due, *asked)
    warned: set[str] = set()

    def done(report: Report) -> None:
        for text in report.missing:
            if text not in warned:
                warned.add(text)
                print(text, file=sys.stderr)
        print(f"{report.student}: {report.failure or points(report)}", flush=True)

    reports = grade_folder(run, done, partial(print, file=sys.stderr))
    paths, notes = write(reports, task, manual)
    print(*notes, sep="\n", file=sys.stderr, end="\n" if notes else "")
    print(*paths, sep="\n")
    return 1 if any(report.failure for report in reports.values()) else 0


def points(report: Report) -> str:
    """A student's points in a few words."""
    if report.refused:
        return report.refused
    unread = f", {len(report.unread)} to be read" if report.unread else ""
    return f"{report.total:g} of {report.possible:g}{unread}"


def run_course(arguments: argparse.Namespace) -> int:
    """Set up nbgrader's course."""
    print(make_course(arguments.sources, arguments.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
