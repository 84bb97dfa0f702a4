"""Runs the course as curious readers do: at other sizes, and with other pictures.

    python tools/course.py [NAME …]

NAME is a notebook's name or the beginning of it ("03"); by default all of the course. Each is run
with few steps, once for each of its variations, and nothing may raise. Claims need not hold, since
the texts speak of the settings that the notebooks come with. At other sizes lists are as short as
in a fast run; with other pictures they are whole.
"""

import ast
import sys
from typing import Any

from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from notebooks import change, execute, fast_values, notebooks, read, tagged

PICTURES = {  # by the names of parameters: what they hold in each variation
    "PICTURE": ["rocket", "retina", "gravel"],
    "STYLE": ["ink", "mosaic", "dots"],
    "OTHER": ["waves", "marble", "starry"],
}
SIZES = 64, 384
ENOUGH = 96  # pixels, where other pictures are tried


def variations(notebook: NotebookNode) -> list[dict[str, Any]]:
    """What to change: the size twice, then the pictures three times, where there are any."""
    (parameters,) = tagged(notebook, "parameters")
    body = ast.parse(parameters.source).body
    names = [node.targets[0].id for node in body]
    chosen = [name for name in names if name in PICTURES]
    others = [{n: PICTURES[n][i] for n in chosen} for i in range(3)] if chosen else []
    fast = fast_values(notebook)
    whole = {name: value for name, value in fast.items() if not isinstance(value, list)}
    sizes = [fast | {"SIZE": size} for size in SIZES]
    return sizes + [whole | {"SIZE": ENOUGH} | other for other in others]


def attempt(notebook: NotebookNode, changes: dict[str, Any]) -> str | None:
    """Run it so; what went wrong, if anything."""
    change(notebook, changes)
    try:
        execute(notebook)
    except (CellExecutionError, RuntimeError) as error:
        return str(error)
    return None


def main() -> int:
    """Run them all; 1 if anything raised."""
    wrong = 0
    for path in notebooks(sys.argv[1:]):
        if not path.name[0].isdigit():
            continue
        for changes in variations(read(path)):
            trouble = attempt(read(path), changes)
            print(f"{'✗' if trouble else '✓'} {path.stem} {changes}", trouble or "", flush=True)
            wrong += trouble is not None
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
