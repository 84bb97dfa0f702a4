"""Counts the lines of code by room: make size.

A line counts if it holds a token of the language: no blank line, comment or docstring does.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SILENT = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def lines_of_code(source: str) -> int:
    """How many of a Python source's lines hold code."""
    tokens = tokenize.tokenize(io.BytesIO(source.encode()).readline)
    lines: set[int] = set()
    for token in tokens:
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return len(lines)


def rooms(root: Path = ROOT) -> dict[str, list[Path]]:
    """The Python files by room: the front of each package, and each folder with all below it."""
    found: dict[str, list[Path]] = {}
    packages = [path.parent for path in root.glob("*/__init__.py") if path.parent.name != "tests"]
    for top in [*sorted(packages), root / "tools", root / "tests"]:
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(root).parts[:-1][:2]
            found.setdefault("/".join(parts), []).append(path)
    return found


def count(paths: Iterable[Path]) -> list[int]:
    """The lines of code of each file."""
    return [lines_of_code(path.read_text(encoding="utf-8")) for path in paths]


def main() -> None:
    """Print a line for each room, and the sum without the tests."""
    print(f"{'':16}{'files':>6}{'lines':>7}{'longest':>9}")
    total = 0
    for room, paths in rooms().items():
        lines = count(paths)
        total += sum(lines) if not room.startswith("tests") else 0
        print(f"{room:16}{len(lines):6}{sum(lines):7}{max(lines):9}")
    print(f"{'without tests':16}{'':6}{total:7}")


if __name__ == "__main__":
    main()
