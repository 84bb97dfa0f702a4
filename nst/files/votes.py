"""Votes between two pictures, in CSV files: one is added to, many are read together.

A file has the columns of `Vote`, and can be opened with a spreadsheet. Files of several people are
put together by `pool_votes`.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from nst.errors import SettingsError
from nst.files.writing import expand, refusing

CHOICES = ("left", "right", "neither")
LARGEST = 10_000_000  # bytes: more is no file of votes


class Vote(NamedTuple):
    """Who was asked, the names of the two pictures, and the choice, one of `CHOICES`."""

    voter: str
    left: str
    right: str
    choice: str


class Pooled(NamedTuple):
    """Votes from many files, and a sentence about each file that was left out."""

    votes: list[Vote]
    complaints: list[str]


def add_vote(path: str | Path, vote: Vote) -> None:
    """Write a vote to the end of a file, which is begun if there is none.

    Raises:
        SettingsError: the file cannot be written.
    """
    path = expand(path, SettingsError)
    with refusing(path, SettingsError), path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if not file.tell():
            writer.writerow(Vote._fields)
        writer.writerow(vote)


def read_votes(path: str | Path) -> list[Vote]:
    """The votes of a file, in its order; spreadsheets may have written it again.

    Raises:
        SettingsError: there is no such file, or it is no file of votes.
    """
    path = expand(path, SettingsError)
    try:
        if path.stat().st_size > LARGEST:
            raise SettingsError(f"'{path}' is too large to be a file of votes")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not text"
        raise SettingsError(f"'{path}' cannot be read as votes ({reason})") from problem
    return parsed(text, path)


def parsed(text: str, path: Path) -> list[Vote]:
    """The votes of a file's text, separated by commas, or by semicolons as some spreadsheets do."""
    first = text.partition("\n")[0]
    mark = ";" if first.count(";") > first.count(",") else ","
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark))
    except csv.Error as problem:
        raise SettingsError(f"'{path}' cannot be read as votes ({problem})") from problem
    if not lines or [name.strip() for name in lines[0]] != list(Vote._fields):
        raise SettingsError(
            f"'{path}' is no file of votes: its first line is not {','.join(Vote._fields)}"
        )
    votes = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cells):
            continue
        vote = Vote(*cells) if len(cells) == len(Vote._fields) else None
        if vote is None or vote.choice not in CHOICES or vote.left == vote.right:
            raise SettingsError(
                f"'{path}' is damaged: line {number} is not a voter, two names and one of "
                f"{', '.join(CHOICES)}"
            )
        votes.append(vote)
    return votes


def pool_votes(paths: Iterable[str | Path], names: Sequence[str] = ()) -> Pooled:
    """The votes of many files.

    Who is in several files with the same pair, or twice in one, counts once, as voted last; who
    gave no name is called by the file's. With `names`, a file with other pictures is left out.
    """
    found: dict[tuple[str, frozenset[str]], Vote] = {}
    complaints = []
    for path in sorted(map(Path, paths)):
        try:
            votes = read_votes(path)
            check_names(votes, names, path)
        except SettingsError as problem:
            complaints.append(f"{problem}; it is left out")
            continue
        for vote in votes:
            voter = vote.voter or path.stem
            found[voter, frozenset(vote[1:3])] = vote._replace(voter=voter)
    return Pooled(list(found.values()), complaints)


def check_names(votes: Sequence[Vote], names: Sequence[str], path: str | Path) -> None:
    """Raise a SettingsError if votes are of other pictures than these; of none, all are right."""
    strangers = sorted({name for vote in votes for name in vote[1:3]} - set(names))
    if names and strangers:
        raise SettingsError(f"'{path}' has votes on other pictures, such as {strangers[0]!r}")


def decided(votes: Iterable[Vote]) -> list[tuple[str, str]]:
    """(winner, loser) of every vote that chose one."""
    chosen = [vote for vote in votes if vote.choice != "neither"]
    return [
        (vote.left, vote.right) if vote.choice == "left" else (vote.right, vote.left)
        for vote in chosen
    ]
