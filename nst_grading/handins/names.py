"""Who handed in a file, by the name that a learning platform gave it.

Canvas: `doejane_LATE_1234_56789_ps2_gram-1.ipynb`, with the student's number, the submission's, and
a number that counts repeated uploads. Moodle: a folder, or the beginning of a file's name,
`Jane Doe_1234_assignsubmission_file_`. Browsers: `alice (1).ipynb` for a second download.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CANVAS = re.compile(
    r"(?P<student>[^_]+)_(?P<late>LATE_)?(?P<number>\d+)_(?P<order>\d+)_(?P<file>.+)", re.DOTALL
)
MOODLE = re.compile(
    r"(?P<student>.+)_(?P<number>\d+)_assignsubmission_(file|onlinetext)_?(?P<file>.*)", re.DOTALL
)
AGAIN = re.compile(r"(?P<student>.+?) ?\((?P<order>\d{1,2})\)", re.DOTALL)
UPLOAD = re.compile(r"-(\d{1,2})(\.\w+)*$")
SUFFIX = re.compile(r"(\.(ipynb|txt|json|html?|zip|7z|rar|tar|tgz|gz|bz2|xz))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Who:
    """What a name says."""

    student: str
    platform: str = ""  # "Canvas", "Moodle", or empty
    number: str = ""  # the student's, on the platform
    late: bool = False  # the platform says so
    order: tuple[int, ...] = ()  # the platform's: later submissions have larger ones
    attempt: int = 1  # of a platform, or of a browser in one folder


def who(name: str, folder: bool = False) -> Who:
    """What the name of a file, or of a folder, says of its student."""
    name = name.encode("utf-8", "replace").decode()  # names of files can be any bytes
    stem = name if folder else SUFFIX.sub("", name)
    if found := MOODLE.fullmatch(stem):
        return Who(found["student"].strip(), "Moodle", found["number"])
    if found := CANVAS.fullmatch(stem):
        upload = UPLOAD.search(found["file"])
        again = int(upload[1]) if upload else 0
        order = int(found["order"]), again
        late = bool(found["late"])
        return Who(found["student"], "Canvas", found["number"], late, order, again + 1)
    if not folder and (found := AGAIN.fullmatch(stem)):
        return Who(found["student"], attempt=int(found["order"]) + 1)
    return Who(stem or name)
