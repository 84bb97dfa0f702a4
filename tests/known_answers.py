"""Known answers to the problem sets, and a quick way to try them: in this process, cell by cell.

They are patches of the solutions, in `assignments/<set>.toml`: `cells` replaces cells by their
grade_id, `loses` names the parts that then give no points; all others give all of theirs. `points`
names parts that give some of theirs.
"""

import ast
import contextlib
import functools
import io
import random
import sys
import warnings
from copy import deepcopy
from pathlib import Path

import nbformat
import numpy as np
import torch

from nst import losses
from nst.checks import ps1, ps2, ps3, ps4, ps5, ps6

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "notebooks" / "assignments" / "source"
SETS = sorted(path.name for path in SOURCES.glob("ps*"))


@functools.cache
def _source(name):
    return nbformat.read(SOURCES / name / f"{name}.ipynb", as_version=4)


def source(name):
    """A problem set with its solutions and hidden tests."""
    return deepcopy(_source(name))


def answers(name):
    """The known answers, "right" and "wrong"."""
    text = (Path(__file__).parent / "assignments" / f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def solution():
    """The answer that is the source's own."""
    return {"name": "solution", "cells": {}}


def grade_id(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def is_solution(cell):
    return cell.cell_type == "code" and bool(cell.metadata.get("nbgrader", {}).get("solution"))


def parts(notebook):
    """Points by grade_id of the parts that are graded automatically."""
    return {
        grade_id(cell): cell.metadata.nbgrader.points
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("grade")
    }


def patched(name, answer):
    """The solution with some cells replaced."""
    notebook, left = source(name), dict(answer["cells"])
    for cell in notebook.cells:
        if grade_id(cell) in left:
            cell.source = left.pop(grade_id(cell)).strip("\n")
    assert not left, f"no such cells: {', '.join(left)}"
    return notebook


def expected(name, answer):
    """The points of every part."""
    points = parts(source(name))
    assert set(answer.get("loses", [])) <= set(points)
    return {part: 0 if part in answer.get("loses", []) else n for part, n in points.items()}


# What some answers replace.
KEPT = {module: dict(vars(module)) for module in (torch, losses, ps1, ps2, ps3, ps4, ps5, ps6)}


def is_check(cell):
    """Whether a cell is a self-check, which calls `checks.…` or `ps1.…`."""
    return cell.cell_type == "code" and cell.source.startswith(("checks.", "ps"))


def is_graded(cell):
    return cell.cell_type == "code" and bool(cell.metadata.get("nbgrader", {}).get("grade"))


def defines(cell):
    """Whether a cell does nothing but define functions and classes."""
    kinds = ast.FunctionDef | ast.ClassDef
    return all(isinstance(node, kinds) for node in ast.parse(cell.source).body)


@functools.cache
def _setup(name):
    """What the locked and the first cells of a problem set define."""
    space = {"__name__": "__main__"}
    for cell in before_answers(source(name)):
        run(cell.source, space)
    return space


def before_answers(notebook):
    """The code cells before the first answer."""
    for cell in notebook.cells:
        if is_solution(cell):
            return
        if cell.cell_type == "code":
            yield cell


def run(code, space):
    """Execute a cell; what it prints or warns is dropped."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        exec(compile(code, "<cell>", "exec"), space)


def verdict(code, space):
    """What a check says: an empty text, or what is wrong."""
    reset()
    try:
        run(code, space)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def reset():
    """Undo what cells may have set for the whole process."""
    for module, held in KEPT.items():
        vars(module).update(held)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)


def tried(name, notebook):
    """What self-checks and tests say of a notebook's answers: two dicts, by cell.

    The demonstrations between them, which no points depend on, do not run.
    """
    checks, tests, ready = {}, {}, set(map(id, before_answers(notebook)))
    space = dict(_setup(name))
    try:
        for cell in notebook.cells:
            if cell.cell_type != "code" or id(cell) in ready:
                continue
            if is_check(cell):
                for line in cell.source.splitlines():
                    checks[line] = verdict(line, space)
            elif is_graded(cell):
                tests[grade_id(cell)] = verdict(cell.source, dict(space))
            elif is_solution(cell) or defines(cell):
                with contextlib.suppress(Exception):  # an answer may be wrong in any way
                    run(cell.source, space)
    finally:
        reset()
    return checks, tests
