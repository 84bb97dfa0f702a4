"""Finds the submissions in what a teacher has: a folder in one of several layouts, or an archive.

- nbgrader's: `alice/ps2_gram/ps2_gram.ipynb`
- a folder for each student, as learning platforms hand out: `alice/anything.ipynb`; where there are
  several notebooks, the one with the problem set's name, or else the newest
- notebooks named by student: `alice.ipynb`, or by Canvas or Moodle (`nst_grading.handins.names`)
- an archive of any of these, or an archive for each student: `alice.zip`, `alice.7z`, …

Everything that lies there becomes a row, with a reason where there is nothing to grade. Symbolic
links are not followed: they could lead to a neighbour's work, or to the teacher's files.
"""

from __future__ import annotations

import itertools
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from nst.errors import NstError
from nst_grading.handins.archives import kind, unpack
from nst_grading.handins.names import Who, who
from nst_grading.report import Report

CLUTTER = (".", "__MACOSX", "Thumbs.db", "desktop.ini")  # what systems leave behind
NOTEBOOKS = (".ipynb",), (".ipynb.txt", ".ipynb.json", ".json"), (".html", ".htm")  # better first
OFFICE = (".docx", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".pages", ".numbers")  # zips, too
DEEPEST = 3  # archives in archives


@dataclass
class HandIn:
    """What one student has handed in."""

    student: str
    path: Path | None  # the notebook that counts; None where there is none
    reason: str = ""  # why there is none
    who: Who = field(default_factory=lambda: Who(""))
    when: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    attempts: int = 1
    others: list[str] = field(default_factory=list)  # what else was handed in


class Unpacker:
    """Gives each archive a folder of its own, so that none can overwrite another's files."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.numbers = scratch, itertools.count(1)

    def __call__(self, archive: Path) -> Path:
        """Unpack an archive.

        Raises:
            NstError: it cannot be used; the message says why.
        """
        return unpack(archive, self.scratch / str(next(self.numbers)))

    def alone(self, path: Path) -> Path:
        """A copy of a file in a folder of its own."""
        folder = self.scratch / str(next(self.numbers))
        folder.mkdir()
        return Path(shutil.copy2(path, folder))


def collect(
    folder: str | Path,
    problem_set: str,
    scratch: Path,
    before: Mapping[str, Report] | None = None,
) -> list[HandIn]:
    """What was handed in, one for each student, sorted by name.

    Args:
        folder: the folder, or the archive.
        problem_set: its name, such as "ps2_gram".
        scratch: an empty folder, where archives are unpacked to.
        before: the reports of earlier runs, by student, whose names stay theirs.

    Raises:
        NstError: there is no such folder, nothing in it, or an archive of all that is damaged.
    """
    root, opened = Path(folder), Unpacker(scratch)
    if root.is_file():
        root = opened(root)
        inner = [path for path in root.iterdir() if not path.name.startswith(CLUTTER)]
        whole = len(inner) == 1 and inner[0].is_dir()  # the folder of all students was packed
        # Moodle packs a folder for each student; Canvas none, and a class's may have a date.
        alone = whole and who(inner[0].name, True).platform == "Moodle"
        if whole and not alone and not any(inner[0].glob(f"{problem_set}*")):
            root = inner[0]
    if not root.is_dir():
        raise NstError(f"There is no folder {folder}.")
    entries = [path for path in sorted(root.iterdir()) if not path.name.startswith(CLUTTER)]
    if not entries:
        raise NstError(
            f"There is no notebook in {folder}: it should hold student.ipynb, student.zip or "
            f"student/{problem_set}/{problem_set}.ipynb."
        )
    found = [look(path, problem_set, opened) for path in entries]
    tell_apart(found, before or {})
    return merge(found, before or {})


def look(entry: Path, problem_set: str, opened: Unpacker) -> HandIn:
    """What one file or folder holds."""
    reasons: list[str] = []
    try:
        found = choose(list(files(entry, opened, reasons)), problem_set)
    except OSError as error:
        found, reasons = [], [f"{entry.name} cannot be read ({error.strerror})."]
    path = found[0] if found else None
    if path == entry and path.stem == problem_set:  # its neighbours are not its own files
        path = opened.alone(path)
    others = [other.name for other in found[1:]]
    reason = "" if path else " ".join(reasons) or f"There is no notebook in {entry.name}."
    sender = who(entry.name, entry.is_dir())
    when = time_of(path or entry)
    return HandIn(sender.student, path, reason, sender, when, sender.attempt, others)


def files(path: Path, opened: Unpacker, reasons: list[str], depth: int = 0) -> Iterator[Path]:
    """The files in a file, folder or archive that may be notebooks; why others are not."""
    if path.is_symlink():
        reasons.append(f"{path.name} is a symbolic link, which is not followed.")
    elif path.is_dir():
        for inner in sorted(path.iterdir()):
            if not inner.name.startswith(CLUTTER):
                yield from files(inner, opened, reasons, depth)
    elif path.is_file() and rank(path) is not None:
        yield path
    elif path.is_file() and not path.name.lower().endswith(OFFICE) and kind(path):
        try:
            if depth == DEEPEST:
                raise NstError(f"{path.name} is an archive in too many others.")
            yield from files(opened(path), opened, reasons, depth + 1)
        except NstError as error:
            reasons.append(str(error))
    elif path.is_file():
        reasons.append(f"{path.name} is no notebook.")


def rank(path: Path) -> int | None:
    """How good a notebook it may be by its name, 0 the best; None: it is none."""
    name = path.name.lower()
    return next((i for i, suffixes in enumerate(NOTEBOOKS) if name.endswith(suffixes)), None)


def choose(notebooks: list[Path], problem_set: str) -> list[Path]:
    """The notebooks of one student that belong to the problem set, the one that counts first."""
    best = min((rank(path) or 0 for path in notebooks), default=0)
    notebooks = [path for path in notebooks if rank(path) == best]
    # A folder for each problem set: only this one's counts.
    sets = [path for path in notebooks if path.parent.name == problem_set]
    named = [path for path in sets or notebooks if path.name.split(".")[0] == problem_set]
    candidates = named or sets or notebooks
    return sorted(candidates, key=lambda path: -path.stat().st_mtime)


def time_of(path: Path) -> datetime:
    """When it was handed in: nbgrader's note of it, or the time of the file."""
    note = path.parent / "timestamp.txt"
    if note.is_file() and not note.is_symlink() and note.stat().st_size < 100:
        text = note.read_text(errors="replace").strip().removesuffix("UTC").strip()
        try:
            return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
        except ValueError:
            pass
    return datetime.fromtimestamp(path.lstat().st_mtime, timezone.utc)


def tell_apart(found: list[HandIn], before: Mapping[str, Report]) -> None:
    """Give each hand-in the name of its student's row: a number on a platform is one student's."""
    rows: dict[tuple[str, str, str], str] = {}
    sharing: dict[str, set[tuple[str, str]]] = defaultdict(set)  # who has a number, by name
    for row, report in before.items():
        if number := report.number:
            for name in (row, row.removesuffix(f" {number}")):
                rows.setdefault(known_by(name, report.platform, number), row)
                sharing[name].add((report.platform, number))
    for hand_in in found:
        if hand_in.who.number:
            sharing[hand_in.student].add((hand_in.who.platform, hand_in.who.number))
    for hand_in in sorted(found, key=lambda h: not h.who.number):
        name, (platform, number) = hand_in.student, (hand_in.who.platform, hand_in.who.number)
        if number:
            usual = f"{name} {number}" if len(sharing[name]) > 1 else name
            hand_in.student = rows.setdefault(known_by(name, platform, number), usual)
        elif name not in before and len(sharing[name]) == 1:
            hand_in.student = rows[known_by(name, *next(iter(sharing[name])))]


def known_by(name: str, platform: str, number: str) -> tuple[str, str, str]:
    """What tells a student from all others on a platform."""
    # Moodle puts the name of a group before a student's, or does not. Files that Canvas has not
    # named may look as if it had: alice_2026_11_26.ipynb and bob_2026_11_26.ipynb are not one's.
    return platform, number, "" if platform == "Moodle" else name


def merge(found: list[HandIn], before: Mapping[str, Report]) -> list[HandIn]:
    """One for each student: the newest that can be graded; the others are named in it."""
    by_student: dict[str, list[HandIn]] = defaultdict(list)
    for hand_in in found:
        by_student[hand_in.student].append(hand_in)
    merged = []
    for student, several in by_student.items():
        last = newest(several)
        last.others += [source_of(other) for other in several if other is not last]
        last.attempts = max(len(several), *(h.attempts for h in several))
        known = next((h.who for h in several if h.who.number), before.get(student))
        if known:
            last.who = replace(last.who, platform=known.platform, number=known.number)
        merged.append(last)
    return sorted(merged, key=lambda hand_in: hand_in.student)


def newest(several: list[HandIn]) -> HandIn:
    """The newest that can be graded: of a platform's by its order, and of what is left by time."""
    best = max(map(worth, several))
    graded = [hand_in for hand_in in several if worth(hand_in) == best]
    graded.sort(key=lambda h: (h.who.order, h.who.attempt, h.when))
    of_each = {hand_in.who.platform: hand_in for hand_in in graded}  # the last of each
    return max(of_each.values(), key=lambda hand_in: hand_in.when)


def worth(hand_in: HandIn) -> int:
    """Whether it can be graded, and how well: a notebook is better than a page made from it."""
    return -(rank(hand_in.path) or 0) if hand_in.path else -len(NOTEBOOKS)


def source_of(hand_in: HandIn) -> str:
    """What one was handed in as, in a few words."""
    return hand_in.path.name if hand_in.path else hand_in.reason
