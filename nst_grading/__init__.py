"""Problem sets: student versions made from their sources, and submissions graded.

    from nst_grading import grade_notebook, release

    release("notebooks/assignments/source/ps2_gram", "release/ps2_gram")
    report = grade_notebook("alice.ipynb", "notebooks/assignments/source/ps2_gram/ps2_gram.ipynb")
    report.points, report.messages

A source is a notebook in nbgrader's format, with solutions (`### BEGIN SOLUTION`) and hidden tests
(`### BEGIN HIDDEN TESTS`). nbgrader does the conversions; what this package adds is that each
submission runs in a sandbox (`nst_grading.sandbox`), that tests run where it cannot reach them
(`nst_grading.judging`), and that a folder of submissions needs no course directory. On the command
line: `python -m nst_grading --help`. Needs `pip install 'nst[grading]'`; `import nst` loads none
of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nst_grading.grade import grade_notebook, grade_notebooks
    from nst_grading.handout.release import release
    from nst_grading.limits import Limits
    from nst_grading.report import Report

WHERE = {
    "grade_notebook": "grade",
    "grade_notebooks": "grade",
    "release": "handout.release",
    "Limits": "limits",
    "Report": "report",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: students' processes come from one that has loaded none of it."""
    if name not in WHERE:
        raise AttributeError(name)
    return getattr(import_module(f"nst_grading.{WHERE[name]}"), name)


__all__ = ["Limits", "Report", "grade_notebook", "grade_notebooks", "release"]
