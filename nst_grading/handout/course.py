"""nbgrader's course folder, for those who use its extension of JupyterLab."""

from __future__ import annotations

import shutil
from pathlib import Path

from nst.errors import NstError
from nst_grading.handout.release import clutter

CONFIG = '''\
"""nbgrader's settings for this course. Its commands and JupyterLab, started here, read them."""

c = get_config()  # noqa: F821

c.CourseDirectory.course_id = "nst"
c.CourseDirectory.root = {root!r}

# Deleted test cells are put back, and slow machines get their time.
c.OverwriteCells.add_missing_cells = True
c.Execute.timeout = 60

# The students' code runs as you, with what you may do: `make grade` shuts it in, nbgrader does not.
'''


def make_course(sources: str | Path, folder: str | Path) -> Path:
    """Set up a course with every problem set; returns its settings file.

    Args:
        sources: the folder of the problem sets, `notebooks/assignments/source`.
        folder: the course's folder; if it is one already, its problem sets are replaced, and
            submissions and grades stay.

    Raises:
        NstError: there are no problem sets, or the folder holds something else.
    """
    folders = sorted(Path(sources).glob("*/"))
    sets = [path for path in folders if (path / f"{path.name}.ipynb").exists()]
    if not sets:
        raise NstError(f"There are no problem sets in {sources}.")
    root = Path(folder)
    settings = root / "nbgrader_config.py"
    if root.exists() and any(root.iterdir()) and not settings.exists():
        raise NstError(f"{folder} is no course, and not empty: choose another folder.")
    for path in sets:
        target = root / "source" / path.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(path, target, ignore=clutter(f"{path.name}.ipynb"))
    if not settings.exists():
        settings.write_text(CONFIG.format(root=str(root.resolve())), encoding="utf-8")
    return settings
