"""The teacher's commands: `python -m nst_grading release|grade|course`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from nst.errors import NstError
from nst_grading.course import make_course
from nst_grading.grade import grade_notebooks
from nst_grading.limits import Limits
from nst_grading.pages import write
from nst_grading.release import find, release
from nst_grading.report import Report
from nst_grading.submissions import collect

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
    command.add_argument("problem_set", help="such as ps2_gram, or a folder; 'all' for every one")
    command.add_argument("--out", type=Path, default=Path("outputs/release"), help=out)
    command.set_defaults(run=run_release)

    command = commands.add_parser("grade", help="grade whatever lies in a folder")
    command.add_argument("problem_set", help="such as ps2_gram, or a folder")
    text = "folder or zip: student.ipynb, student/…, or nbgrader's student/ps2_gram/ps2_gram.ipynb"
    command.add_argument("--submissions", required=True, type=Path, help=text)
    command.add_argument("--out", type=Path, help="default: outputs/grades/PROBLEM_SET")
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
    command.add_argument("folder", type=Path, help="the folder to make")
    command.set_defaults(run=run_course)
    for command in commands.choices.values():
        command.add_argument("--sources", type=Path, default=SOURCES, help=argparse.SUPPRESS)
    return top


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
        print(release(source, arguments.out / source.stem))
    return 0


def run_grade(arguments: argparse.Namespace) -> int:
    """Grade, and write what the teacher gets."""
    source = source_of(arguments)
    out = arguments.out or Path("outputs/grades") / source.stem
    limits = Limits(
        arguments.cell_seconds, arguments.seconds, arguments.memory_mb, arguments.file_mb
    )
    warned: set[str] = set()

    def done(report: Report) -> None:
        for text in report.missing:
            if text not in warned:
                warned.add(text)
                print(text, file=sys.stderr)
        print(f"{report.student}: {report.failure or points(report)}", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        submissions = collect(arguments.submissions, source.stem, Path(scratch))
        reports = grade_notebooks(
            submissions, source, limits=limits, jobs=arguments.jobs, done=done
        )
    for path in write(reports, out, source.stem):
        print(path)
    return 1 if any(report.failure for report in reports.values()) else 0


def points(report: Report) -> str:
    """A student's points in a few words."""
    unread = f", {len(report.unread)} to be read" if report.unread else ""
    return f"{report.total:g} of {report.possible:g}{unread}"


def run_course(arguments: argparse.Namespace) -> int:
    """Set up nbgrader's course."""
    print(make_course(arguments.sources, arguments.folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
