"""Runs the solutions of the course's exercises, for whoever holds their words against them.

    python tools/exercises.py FOLDER [NAME …]

Writes each notebook to FOLDER, executed, and with a cell for each block of Python in its exercises.
After a change of the engine or the network, read what they say beside what came out: no test knows
what a sentence means. NAME is as for `tools/notebooks.py`.
"""

import argparse
import sys
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from notebooks import BLOCK, execute, fill, notebooks, read


def add_cells(notebook: NotebookNode) -> int:
    """After each cell of exercises, one for each block in it; returns how many there are."""
    cells, reached = [], False
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            reached |= "## Exercises" in cell.source
            blocks = BLOCK.findall(cell.source) if reached else []
            cells += [nbformat.v4.new_code_cell(block) for block in blocks]
    found, notebook.cells = len(cells) - len(notebook.cells), cells
    return found


def main() -> int:
    """Parse the arguments and run; 1 if a solution fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    wrong = False
    for path in notebooks(options.names):
        notebook = read(path)
        fill(notebook)
        if not add_cells(notebook):
            continue
        try:
            seconds = execute(notebook)
            print(f"{path.stem:24} {seconds:6.1f} s", flush=True)
        except (CellExecutionError, RuntimeError) as error:
            print(f"{path.stem}: {error}", file=sys.stderr)
            wrong = True
        nbformat.write(notebook, options.folder / path.name)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
