"""CSV files as people and spreadsheets make them, and safe for spreadsheets to open."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nst.errors import NstError

# A cell that begins with one of these is a formula, also where another delimiter splits the line.
FORMULA = re.compile(r"(^|[;,\t])(\s*)(?=[=+\-@＝＋－＠])")
QUOTED = re.compile(r"(^|[;,\t])(\s*)'(?=[=+\-@＝＋－＠])")


@dataclass
class Table:
    """A header and rows, each a dict by the header's names; `lines` are the rows' lines."""

    header: list[str]
    rows: list[dict[str, str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    delimiter: str = ","
    encoding: str = "utf-8"
    strange: list[int] = field(default_factory=list)  # lines with more cells than the header


def safe(value: object) -> str:
    """A cell, in one line, that no spreadsheet takes for a formula; numbers stay as they are."""
    if value is None or isinstance(value, int | float):
        return "" if value is None else str(value)
    line = re.sub(r"[\r\n\v\f\0]+", " ", str(value))
    if re.fullmatch(r"\s*[+-]?[\d.]*\s*", line):  # a number, or Moodle's "-"
        return line
    return FORMULA.sub(r"\1\2'", line)


def original(cell: str) -> str:
    """What `safe` was given, but for ends of lines."""
    return QUOTED.sub(r"\1\2", cell)


def read_table(path: Path) -> Table:
    """A CSV file with commas, semicolons or tabs, in UTF-8, UTF-16 or Windows' own encoding.

    Raises:
        NstError: it cannot be read, or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NstError(f"{path} cannot be read ({error.strerror}).") from error
    encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding = "cp1252"
        text = data.decode(encoding, "replace")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader, [])]
        table = Table(header, delimiter=delimiter, encoding=encoding)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                table.rows.append(dict(zip(header, cells + [""] * len(header), strict=False)))
                table.lines.append(reader.line_num)
                if len(cells) > len(header):
                    table.strange.append(reader.line_num)
    except csv.Error as error:
        raise NstError(f"{path}, line {reader.line_num}: {error}.") from error
    if not any(header):
        raise NstError(f"{path} is empty.")
    return table


def write_table(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Mapping[str, object]],
    like: Table | None = None,
) -> None:
    """Write a CSV file, whole or not at all; in the manner of the one that was read, if any."""
    made = io.StringIO(newline="")
    writer = csv.writer(made, delimiter=like.delimiter if like else ",")
    writer.writerow(map(safe, header))
    for row in rows:
        writer.writerow([safe(row.get(name, "")) for name in header])
    replace(path, made.getvalue().encode(like.encoding if like else "utf-8", "replace"))


def replace(path: Path, data: bytes) -> None:
    """Write a file so that it is the old one or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    os.replace(new, path)  # noqa: PTH105, as Path.replace


def number(text: str) -> float:
    """A number with a decimal point or comma.

    Raises:
        ValueError: it is none.
    """
    if not re.fullmatch(r"[+-]?\d*[.,]?\d+|\d+[.,]", text.strip()):
        raise ValueError(text)
    return float(text.strip().replace(",", "."))
