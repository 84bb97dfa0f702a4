"""How long a problem set takes, by counting what is to be read, written and run.

    python tools/minutes.py

prints the minutes of each set in notebooks/assignments/source. The rates are those of somebody who
has read the course's notebooks and programs now and then; they are assumptions, in one place, and
say how the sets compare. Measure in class, and change them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parent.parent / "notebooks" / "assignments" / "source"
WORDS = 120  # of text that are read in a minute, formulas in lines included
FORMULA = 1.0  # minutes for one on a line of its own
READ = 10  # lines of given code that are read in a minute
FUNCTION = 3.0  # minutes to plan one, and to mend it by what its self-check says
LINE = 1.0  # minutes to write a line of it, by the length of the solution
DERIVATION = 10.0  # minutes for what is derived on paper before it is written
ANSWER = 12  # words of an answer that are written in a minute, by the length of the model answer
LOOK = 1.0  # minutes for a cell that draws, to run and to look at


def minutes(cells: list[dict[str, Any]]) -> float:
    """The minutes that a problem set's cells take, as the source notebook's JSON has them."""
    total = 0.0
    for cell in cells:
        text = "".join(cell["source"])
        marks = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "markdown":
            total += answer(text) if marks.get("solution") else prose(text)
        elif marks.get("solution"):
            solutions = "".join(re.findall(r"### BEGIN SOLUTION(.*?)### END", text, re.S))
            total += FUNCTION + LINE * lines(solutions)
        elif not marks.get("grade"):  # tests are not to be read
            total += lines(text) / READ + LOOK * ("plots." in text or "figure(" in text)
    return total


def prose(text: str) -> float:
    """The minutes for a text of the problem set: to read it, and to derive what it asks for."""
    formulas = re.findall(r"\$\$.*?\$\$", text, re.S)
    derived = sum(map(int, re.findall(r"derive[^.]*?(\d)[^.]*on paper", spelt(text), re.I)))
    words = len(re.sub(r"\$\$.*?\$\$", "", text, flags=re.S).split())
    return words / WORDS + FORMULA * len(formulas) + DERIVATION * derived


def spelt(text: str) -> str:
    """Small numbers as digits."""
    for digit, word in enumerate(("one", "two", "three", "four"), start=1):
        text = re.sub(rf"\b{word}\b", str(digit), text)
    return text


def answer(text: str) -> float:
    """The minutes for an answer in words, as long as the model answer."""
    return len(text.split("=== BEGIN MARK SCHEME")[0].split()) / ANSWER


def lines(text: str) -> int:
    """Lines that hold something."""
    return sum(bool(line.strip()) for line in text.splitlines())


def stated(cells: list[dict[str, Any]]) -> tuple[int, int]:
    """The minutes that a problem set says of itself, from and to."""
    said = re.search(r"\*\*Time\*\* (\d+) to (\d+) minutes", "".join(cells[0]["source"]))
    assert said, "no time is stated"
    return int(said[1]), int(said[2])


def main() -> None:
    """Print the table."""
    for path in sorted(SOURCES.glob("*/*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        low, high = stated(cells)
        print(f"{path.stem:16} {minutes(cells):4.0f} minutes; it says {low} to {high}")


if __name__ == "__main__":
    main()
