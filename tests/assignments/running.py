"""Grades many submissions quickly: forks of one process that has loaded torch already.

What the kit's own grader does with kernels, seconds each, but for its limits and its isolation;
`test_assignments.py` holds both against each other.
"""

import multiprocessing
from copy import deepcopy
from logging import getLogger

import nbformat
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat import NotebookNode
from nbgrader.utils import determine_grade, is_grade

import nst
from nst import checks, plots  # noqa: F401  (loaded before the fork)


def grade_all(notebooks: list[NotebookNode]) -> list[tuple[dict[str, float], NotebookNode]]:
    """Points by grade_id, and the executed notebook, of each."""
    torch.set_num_threads(1)
    nst.load_network("vgg19_quarter")
    context = multiprocessing.get_context("fork")
    with context.Pool(2, maxtasksperchild=1) as pool:
        return pool.map(grade, notebooks, chunksize=1)


def grade(notebook: NotebookNode) -> tuple[dict[str, float], NotebookNode]:
    """Execute a notebook in this process; its points are nbgrader's."""
    executed = deepcopy(notebook)
    shell = InteractiveShell.instance(history_length=0, colors="NoColor")
    for cell in executed.cells:
        if cell.cell_type == "code":
            cell.outputs = run(shell, cell.source)
    log = getLogger("nbgrader")
    points = {
        cell.metadata.nbgrader.grade_id: determine_grade(cell, log)[0]
        for cell in executed.cells
        if is_grade(cell) and cell.cell_type == "code"
    }
    return points, executed


def run(shell: InteractiveShell, source: str) -> list[NotebookNode]:
    """Execute a cell; its outputs, as far as points depend on them."""
    with capture_output(display=False) as captured:
        result = shell.run_cell(source)
    outputs = []
    if captured.stderr:
        outputs.append(nbformat.v4.new_output("stream", name="stderr", text=captured.stderr))
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        name, text = type(error).__name__, str(error)
        lines = {"ename": name, "evalue": text, "traceback": [captured.stdout]}
        outputs.append(nbformat.v4.new_output("error", **lines))
    elif result.result is not None:
        data = {"text/plain": repr(result.result)}
        outputs.append(nbformat.v4.new_output("execute_result", data=data))
    return outputs
