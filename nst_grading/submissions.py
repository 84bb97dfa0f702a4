"""Finds the submissions in whatever a teacher has: a folder in one of several layouts, or a zip.

- nbgrader's: `alice/ps2_gram/ps2_gram.ipynb`
- a folder for each student, as learning platforms hand out: `alice/anything.ipynb`; where there are
  several notebooks, the one with the problem set's name, or else the newest
- notebooks named by student: `alice.ipynb`
- a zip of any of these, or a zip for each student: `alice.zip`
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from nst.errors import NstError

MOST = 200 * 10**6  # bytes that an archive may unpack to


def collect(folder: str | Path, problem_set: str, scratch: Path) -> dict[str, Path]:
    """Notebooks by student, sorted by name.

    Args:
        folder: the folder, or the zip.
        problem_set: its name, such as "ps2_gram".
        scratch: where zips are unpacked to.

    Raises:
        NstError: there is no such folder, no notebook in it, or a zip that cannot be used.
    """
    root = Path(folder)
    if root.suffix == ".zip" and root.is_file():
        root = unpack(root, scratch / "all")
        inner = [path for path in root.iterdir() if not path.name.startswith((".", "__MACOSX"))]
        whole = len(inner) == 1 and inner[0].is_dir()  # the folder of all students was zipped
        if whole and not any(inner[0].glob(f"{problem_set}*")):
            root = inner[0]
    if not root.is_dir():
        raise NstError(f"There is no folder {folder}.")
    found: dict[str, Path] = {}
    for path in sorted(root.iterdir()):
        if path.name.startswith((".", "__MACOSX")):
            continue
        notebook = path if path.suffix == ".ipynb" else None
        if path.suffix == ".zip":
            notebook = choose(unpack(path, scratch / path.stem), problem_set)
        elif path.is_dir():
            notebook = choose(path, problem_set)
        if notebook and path.stem in found:
            raise NstError(f"There are two submissions named {path.stem} in {folder}.")
        if notebook:
            found[path.stem if path.is_file() else path.name] = notebook
    if not found:
        raise NstError(
            f"There is no notebook in {folder}: it should hold student.ipynb, student.zip or "
            f"student/{problem_set}/{problem_set}.ipynb."
        )
    return found


def choose(folder: Path, problem_set: str) -> Path | None:
    """The notebook of one student's folder; None if there is none."""
    notebooks = [
        path
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
    ]
    # A folder for each problem set: only this one's counts.
    sets = [path for path in notebooks if path.parent.name == problem_set]
    named = [path for path in sets or notebooks if path.stem == problem_set]
    candidates = named or sets or notebooks
    return max(candidates, key=lambda path: path.stat().st_mtime) if candidates else None


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a zip; zipfile keeps every name within the folder.

    Raises:
        NstError: it is damaged, or too large.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            if sum(member.file_size for member in file.infolist()) > MOST:
                raise NstError(f"{archive.name} unpacks to more than {MOST // 10**6} MB.")
            file.extractall(folder)
    except zipfile.BadZipFile as error:
        raise NstError(f"{archive.name} is no zip that can be read.") from error
    return folder
