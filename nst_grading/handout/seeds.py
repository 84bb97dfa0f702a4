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

LINE = re.compile(r"^(\w+ = )\d+(  # by student)$", re.MULTILINE)


def seed_of(student: str, problem_set: str) -> int:
    """A student's number from 1 to 999 999; case, spaces and signs in the name do not matter."""
    digest = hashlib.sha256(f"{problem_set}\0{key(student)}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 999_999 + 1


def put_in(notebook: NotebookNode, student: str, problem_set: str) -> int:
    """Put the student's seed into a notebook's locked cells; returns into how many."""
    number, count = seed_of(student, problem_set), 0
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_locked(cell):
            cell.source, found = LINE.subn(rf"\g<1>{number}\2", cell.source)
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
