"""Runs the course's notebooks, and keeps what they show beside their sources.

    python tools/notebooks.py run [NAME …]      execute, write outputs and opening pictures
    python tools/notebooks.py check [NAME …]    execute, compare with what is written, write nothing

NAME is a notebook's name or the beginning of it ("03"); by default all are run, one by one. A run
fails where a cell raises or warns, where a claim does not hold, where a notebook takes much longer
or shorter than its text says, and where its outputs are too large. Cells are told apart by their
tags:

    parameters     plain assignments; the tests change some of them to be fast (`nst.fast` in the
                   cell's metadata)
    claim          holds what the text says against this run, by `checks.claim`: as the notebook is
                   kept, all of it must be true; left out in a fast run
    stub           a function for the reader to write, with `...`, and its self-check; the next
                   markdown cell tagged `solution` has the function in full, in a block of Python.
                   `check` and a fast run fill it in, as a cell tagged `filled`, which must pass
    key-numbers    prints numbers that every full run has in common, within TOLERANCE
    cover          its figure becomes the notebook's opening picture
"""

import argparse
import ast
import base64
import hashlib
import io
import json
import os
import re
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from PIL import Image, ImageFile

from nst.checks.claims import BROKEN, KEPT
from nst.checks.stubs import UNWRITTEN
from nst.files import write_atomically

FOLDER = Path(__file__).parent.parent / "notebooks"
TIME = re.compile(r"about ([\d.]+) (minute|second)s? on two CPU cores")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
FACTOR, TOLERANCE = 1.5, 0.05  # of the stated time; of key numbers
WIDEST, COVER = 1100, 900  # pixels
QUALITIES = 82, 74, 66, 58, 50  # of JPEGs: the first with which a notebook is small enough
ENOUGH, LARGEST = 950_000, 1_500_000  # bytes of a notebook: aimed at, allowed
# Pillow writes what it optimises through a buffer, which has to hold a whole noisy figure.
ImageFile.MAXBLOCK = 2**25
SMALL = (Path(__file__).parent / "cells" / "fast.py").read_text(encoding="utf-8")
WIDGET = "application/vnd.jupyter.widget-view+json"


def notebooks(names: list[str] | None = None) -> list[Path]:
    """The course's notebooks in order, or those whose names begin with one of `names`."""
    paths = sorted(FOLDER.glob("*.ipynb"))
    return [p for p in paths if not names or any(p.name.startswith(name) for name in names)]


def read(path: Path) -> NotebookNode:
    """A notebook as nbformat's version 4."""
    return nbformat.read(path, as_version=4)


def sources(notebook: NotebookNode) -> str:
    """A hash of all cells' kinds and sources: outputs that are kept with it belong to them."""
    cells = [(cell.cell_type, cell.source) for cell in notebook.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    """Its code cells that have the tag."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and tag in cell.metadata.get("tags", [])
    ]


def stubs(notebook: NotebookNode) -> list[tuple[NotebookNode, NotebookNode]]:
    """Its stubs, each with the cell of its solution: the next one that is tagged so."""
    pairs, waiting = [], []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "stub" in tags:
            waiting.append(cell)
        elif "solution" in tags:
            pairs.append((waiting.pop(0), cell))
    if waiting:
        raise ValueError(f"a stub has no solution:\n{waiting[0].source}")
    return pairs


def filled(stub: NotebookNode, solution: NotebookNode) -> str:
    """A stub's source with its functions replaced by those of the solution's block of Python."""
    (block,) = BLOCK.findall(solution.source)
    rest = [
        ast.get_source_segment(stub.source, node) or ""
        for node in ast.parse(stub.source).body
        if not isinstance(node, ast.FunctionDef)
    ]
    return "\n\n\n".join([block.strip(), *rest])


def fill(notebook: NotebookNode) -> None:
    """After each solution, put a cell in which the stub is filled in from it."""
    for stub, solution in stubs(notebook):
        metadata = {"tags": ["filled"]}
        cell = nbformat.v4.new_code_cell(filled(stub, solution), metadata=metadata)
        notebook.cells.insert(notebook.cells.index(solution) + 1, cell)


def change(notebook: NotebookNode, changes: dict[str, Any]) -> None:
    """Give parameters other values."""
    for cell in tagged(notebook, "parameters"):
        cell.source += "".join(f"\n{name} = {value!r}" for name, value in changes.items())


def fast_values(notebook: NotebookNode) -> dict[str, Any]:
    """The parameters' values in a fast run, as their cell's metadata say."""
    (cell,) = tagged(notebook, "parameters") or [nbformat.v4.new_code_cell()]
    return cell.metadata.get("nst", {}).get("fast", {})


def execute(notebook: NotebookNode, fast: bool = False) -> float:
    """Run all cells on a fresh kernel; returns the seconds that it took.

    A fast run changes the parameters as their cell's metadata say, fills the stubs in, leaves
    claims out, and shows figures small. Runs in the notebooks' folder, so that relative paths are
    those of a reader.

    Raises:
        CellExecutionError: a cell raised.
        RuntimeError: a cell wrote to stderr.
    """
    if fast:
        change(notebook, fast_values(notebook))
        fill(notebook)
        kept = [c for c in notebook.cells if "claim" not in c.metadata.get("tags", [])]
        notebook.cells = [nbformat.v4.new_code_cell(SMALL), *kept]
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": str(FOLDER)}},
        record_timing=False,
        store_widget_state=False,
        # Of ports without encryption, ipykernel warns on every start.
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
    )
    began = time.perf_counter()
    client.execute(env=os.environ | {"NST_SYNCHRONOUS": "1"})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise RuntimeError(f"a cell wrote to stderr: {output.text}\nin\n{cell.source}")
    return time.perf_counter() - began


def printed(cell: NotebookNode) -> str:
    """What a code cell has printed."""
    return "".join(output.get("text", "") for output in cell.outputs)


def faults(notebook: NotebookNode) -> list[str]:
    """Sentences about claims that do not hold, and stubs that are not as they should be."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lines = [line for cell in cells for line in printed(cell).splitlines()]
    found = [line for line in lines if line.startswith(BROKEN)]
    for tag, sign in {"claim": KEPT, "stub": UNWRITTEN, "filled": "✓"}.items():
        for cell in tagged(notebook, tag):
            wrong = [x for x in printed(cell).splitlines() or ["nothing"] if not x.startswith(sign)]
            found += [f"a {tag} cell prints {line!r}, not {sign}" for line in wrong]
    return found


def tidied(notebook: NotebookNode) -> NotebookNode:
    """A copy with small outputs, without what differs between runs or lives in a kernel only."""
    for quality in QUALITIES:
        copy = deepcopy(notebook)
        tidy(copy, quality)
        if len(nbformat.writes(copy)) < ENOUGH:
            break
    return copy


def tidy(notebook: NotebookNode, quality: int) -> None:
    """As `tidied`, in place, with JPEGs of that quality."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(WIDGET, None):
                data["text/plain"] = "An interactive view: run this cell to use it."
            if "image/png" in data:
                compress(output, quality)
    notebook.metadata = {
        "kernelspec": notebook.metadata.kernelspec,
        "language_info": {"name": "python"},
        "nst": {"sources": sources(notebook)},
    }


def compress(output: NotebookNode, quality: int) -> None:
    """Keep a figure as a palette where that is exact, else as a JPEG if it is smaller."""
    data, metadata = output.data, output.setdefault("metadata", {})
    picture = Image.open(io.BytesIO(base64.b64decode(data.pop("image/png")))).convert("RGB")
    picture.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
    about = metadata.pop("image/png", {})
    data.pop("text/plain", None)  # "<Figure …>" says nothing
    as_png = encode(picture, "PNG", optimize=True)
    as_jpeg = encode(picture, "JPEG", quality=quality, optimize=True)
    kind, smaller = min(("image/png", as_png), ("image/jpeg", as_jpeg), key=lambda k: len(k[1]))
    data[kind] = base64.b64encode(smaller).decode()
    metadata[kind] = about


def encode(picture: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def cover(notebook: NotebookNode) -> bytes | None:
    """The opening picture: a JPEG of the figure of the cell that is tagged so."""
    for cell in tagged(notebook, "cover"):
        for output in cell.outputs:
            for kind in ("image/png", "image/jpeg"):
                if kind in output.get("data", {}):
                    picture = Image.open(io.BytesIO(base64.b64decode(output.data[kind])))
                    picture.thumbnail((COVER, COVER), Image.Resampling.LANCZOS)
                    return encode(picture.convert("RGB"), "JPEG", quality=85, optimize=True)
    return None


def key_numbers(notebook: NotebookNode) -> list[tuple[str, list[float]]]:
    """The numbers that the tagged cells have printed, and the text around them."""
    texts = [printed(cell) for cell in tagged(notebook, "key-numbers")]
    return [(NUMBER.sub("#", text), [float(n) for n in NUMBER.findall(text)]) for text in texts]


def compare(old: NotebookNode, new: NotebookNode) -> list[str]:
    """Sentences about key numbers that differ."""
    before, after = key_numbers(old), key_numbers(new)
    if [text for text, _ in before] != [text for text, _ in after]:
        return ["other key numbers are printed than those that are written"]
    return [
        f"a key number was {a:g} and is {b:g}"
        for (_, was), (_, now) in zip(before, after, strict=True)
        for a, b in zip(was, now, strict=True)
        if abs(a - b) > TOLERANCE * max(abs(a), abs(b))
    ]


def check_time(notebook: NotebookNode, seconds: float) -> list[str]:
    """A sentence if the text says something else than the time it took; none if it says none."""
    stated = TIME.search(notebook.cells[0].source)
    if not stated:
        return []
    said = float(stated[1]) * (60 if stated[2] == "minute" else 1)
    if said / FACTOR <= seconds <= said * FACTOR:
        return []
    return [f"its text says {said:.0f} s, it took {seconds:.0f} s"]


def run(path: Path, write: bool) -> list[str]:
    """Execute a notebook, and write it back if told so; returns what is wrong with it."""
    committed, notebook = read(path), read(path)
    if not write:
        fill(notebook)
    seconds = execute(notebook)
    notebook = tidied(notebook)
    text = nbformat.writes(notebook) + "\n"
    problems = check_time(notebook, seconds) + faults(notebook)
    if len(text) > LARGEST:
        problems.append(f"it has {len(text):,} bytes, more than {LARGEST:,}")
    if not write:
        problems += compare(committed, notebook)
    print(f"{path.stem:24} {seconds:6.1f} s {len(text) / 1e6:6.2f} MB", flush=True)
    if write:
        write_atomically(path, lambda file: file.write(text.encode()))
        if picture := cover(notebook):
            place = FOLDER / "pictures" / f"{path.stem}.jpg"
            place.parent.mkdir(exist_ok=True)
            write_atomically(place, lambda file: file.write(picture))
    return problems


def main() -> int:
    """Parse the arguments and run; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["run", "check"])
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    wrong = False
    for path in notebooks(args.names):
        try:
            problems = run(path, write=args.action == "run")
        except (CellExecutionError, RuntimeError) as error:
            problems = [str(error)]
        for problem in problems:
            print(f"{path.stem}: {problem}", file=sys.stderr)
            wrong = True
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
