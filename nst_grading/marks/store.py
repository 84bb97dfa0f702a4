"""Reports kept between runs: rows of others stay, and what has not changed is not run again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path

import nst
from nst_grading.limits import Limits
from nst_grading.marks.tables import replace
from nst_grading.report import Report

FOLDER = "reports"
KNOWN = {field.name for field in fields(Report)}


def file_name(student: str) -> str:
    """A name for a student's files that every system takes, and no two students share."""
    plain = re.sub(r"[^\w .,@+()\-]", "_", student).strip(". ")[:100]
    if plain == student:
        return student
    return f"{plain}-{hashlib.sha256(student.encode()).hexdigest()[:6]}"


def load(out: Path) -> dict[str, Report]:
    """The reports of earlier runs, by student; one that cannot be read is as if it were not."""
    found = {}
    for path in sorted((out / FOLDER).glob("*.json")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            report = Report(**{name: value for name, value in data.items() if name in KNOWN})
            found[report.student] = report
        except (OSError, ValueError, TypeError):
            continue
    return found


def save(report: Report, out: Path) -> None:
    """Keep a report; at once, so that an interrupted run goes on where it was."""
    text = json.dumps(asdict(report), ensure_ascii=True)
    replace(out / FOLDER / f"{file_name(report.student)}.json", text.encode())


def key_of(submission: Path, own: Iterable[Path], task: str) -> str:
    """What a report depends on: the submission with its other files, and the task."""
    return f"{hash_of([submission, *own])}:{task}"


def task_of(source: Path, limits: Limits) -> str:
    """The hash of what is the same for a class: the problem set, the kit, torch and the limits."""
    packages = Path(__file__).parents[1], Path(nst.__file__).parent
    code = [path for package in packages for path in sorted(package.rglob("*.py"))]
    files = sorted(path for path in source.parent.iterdir() if path.is_file())
    versions = ", ".join(version(name) for name in ("torch", "numpy"))
    return hash_of([*files, *code], f"{limits} {versions}")


def hash_of(paths: Iterable[Path], text: str = "") -> str:
    """A hash of files, with their names, and a text."""
    made = hashlib.sha256(text.encode())
    for path in paths:
        data = path.read_bytes()
        made.update(f"\0{path.name}\0{len(data)}\0".encode("utf-8", "replace") + data)
    return made.hexdigest()[:32]
