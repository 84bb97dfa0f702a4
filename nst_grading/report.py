"""What the grader says about one submission."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BLANK = "Not answered yet."


@dataclass
class Report:
    """One student's points and messages, by the ids of the graded cells (`grade_id`), in order."""

    student: str
    points: dict[str, float | None] = field(default_factory=dict)  # None: to be read by a person
    out_of: dict[str, float] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)  # of the cells that lost points
    remarks: list[str] = field(default_factory=list)  # for the teacher
    missing: list[str] = field(default_factory=list)  # protection that the machine lacks
    failure: str = ""  # why the grader itself could not grade it
    refused: str = ""  # why what was handed in cannot be graded; there are no points then
    notebook: dict[str, Any] | None = None  # the executed notebook, as JSON
    comments: dict[str, list[str]] = field(default_factory=dict)  # a person's, by exercise
    late: str = ""  # by how much, or "yes"
    attempts: int = 1
    platform: str = ""  # "Canvas" or "Moodle", where the file's name says so
    number: str = ""  # the student's there
    when: str = ""  # it was handed in, in ISO 8601
    order: list[int] = field(default_factory=list)  # by the platform: later ones have larger ones
    key: str = ""  # what was graded: hashes of the submission, and of all else that matters

    def refuse(self, why: str) -> Report:
        """Say why it cannot be graded; returns itself."""
        self.refused = why
        self.remarks.append(why)
        return self

    @property
    def total(self) -> float:
        """The points given so far."""
        return sum(value or 0 for value in self.points.values())

    @property
    def possible(self) -> float:
        """The points that can be had, those of answers read by a person included."""
        return sum(self.out_of.values())

    @property
    def unread(self) -> list[str]:
        """The answers that a person has to read."""
        return [name for name, value in self.points.items() if value is None]
