"""Which tests must run so that some of them can be graded again without the rest."""

from __future__ import annotations

import ast
from collections.abc import Collection

from nbformat import NotebookNode
from nbgrader.utils import is_grade, is_solution

from nst_grading.restore import name_of


def needed(cells: list[NotebookNode], only: Collection[str]) -> set[str]:
    """The tests to run: those asked for, and earlier ones that define names for them.

    Args:
        cells: the notebook's.
        only: ids of graded cells.
    """
    wanted, names = set(only), set[str]()
    for cell in reversed(cells):
        if cell.cell_type != "code" or not is_grade(cell) or is_solution(cell):
            continue
        defined, used = names_in(cell.source)
        if name_of(cell) in only or defined & names:
            wanted.add(name_of(cell))
            names |= used
    return wanted


def names_in(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell binds, and those that it reads."""
    defined, used = set[str](), set[str]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.alias):
            defined.add((node.asname or node.name).split(".")[0])
    return defined, used - defined


def last(cells: list[NotebookNode], only: Collection[str]) -> int:
    """The index of the last cell that has to run."""
    return max((i for i, cell in enumerate(cells) if name_of(cell) in only), default=-1)
