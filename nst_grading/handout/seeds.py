"""Data that differ by student: a seed of their own, the same at hand-out and when graded.

A problem set asks for it by a line in a locked cell such as

    SEED = 0  # by student

whose number is replaced. Its cells make their data from it, and its tests what they expect.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import is_locked

from nst.errors import NstError
from nst_grading.handout.release import release
from nst_grading.marks.gradebooks import key
from nst_grading.marks.store import file_name

LINE = re.compile(r"^(\w+ = )(\d+)(  # by student)$", re.MULTILINE)
NUMBERED = re.compile(r" \d+$")


def seed_of(student: str, problem_set: str) -> int:
    """A student's number from 1 to 999 999; case, spaces and signs in the name do not matter.

    Of an address only what stands before the @ does: jane.doe@uni.edu has Jane Doe's.
    """
    digest = hashlib.sha256(f"{problem_set}\0{key(student.split('@')[0])}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 999_999 + 1


def number_in(notebook: NotebookNode) -> int | None:
    """The number that stands in a notebook's line; None if there is no such line."""
    lines = (LINE.search(cell.source) for cell in notebook.cells if cell.cell_type == "code")
    return next((int(line[2]) for line in lines if line), None)


def give(
    notebook: NotebookNode, student: str, problem_set: str, common: int | None, before: int | None
) -> list[str]:
    """Put a student's seed into a submission that is graded, unless all were given the same data.

    Args:
        notebook: the submission, its locked cells as they are in the release.
        student: whose it is.
        problem_set: its name.
        common: the release's own number, which all have who were handed out one version.
        before: the number with which it was handed in.

    Returns:
        A remark for the teacher, if it was handed in with another number than these.
    """
    if common is None or before == common:
        return []
    alone = NUMBERED.sub("", student)  # a second one of this name has a row with a number
    if before == seed_of(alone, problem_set):
        student = alone
    put_in(notebook, student, problem_set)
    number = seed_of(student, problem_set)
    if before == number:
        return []
    said = "no number" if before is None else str(before)
    return [f"Its data by student have {said}; {student}'s is {number}, with which it was graded."]


def put_in(notebook: NotebookNode, student: str, problem_set: str) -> int:
    """Put the student's seed into a notebook's locked cells; returns into how many."""
    number, count = seed_of(student, problem_set), 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_locked(cell):
            cell.source, found = LINE.subn(rf"\g<1>{number}\3", cell.source)
            count += found
    return count


def release_each(source: Path, out: Path, students: list[str]) -> list[Path]:
    """Write a student version for each student, `out/<student>/<problem set>.ipynb`.

    Raises:
        NstError: the problem set does not ask for seeds.
    """
    made = []
    for student in students:
        path = release(source, out / file_name(student))
        notebook = nbformat.read(path, as_version=4)
        if not put_in(notebook, student, source.stem):
            raise NstError(f"{source.stem} has no line such as 'SEED = 0  # by student'.")
        nbformat.write(notebook, path)
        made.append(path)
    return made
