"""Problem sets: student versions made from their sources, and submissions graded.

    from nst_grading import grade_notebook, release

    release("notebooks/assignments/source/ps2_gram", "release/ps2_gram")
    report = grade_notebook("alice.ipynb", "notebooks/assignments/source/ps2_gram/ps2_gram.ipynb")
    report.points, report.messages

A source is a notebook in nbgrader's format, with solutions (`### BEGIN SOLUTION`) and hidden tests
(`### BEGIN HIDDEN TESTS`). nbgrader does the conversions; what this package adds is that each
submission runs in a sandbox (`nst_grading.sandbox`), that tests cannot be talked into passing
(`nst_grading.fair`), and that a folder of submissions needs no course directory. On the command
line: `python -m nst_grading --help`. Needs `pip install 'nst[grading]'`; `import nst` loads none
of it.
"""

from nst_grading.grade import grade_notebook, grade_notebooks
from nst_grading.handout.release import release
from nst_grading.limits import Limits
from nst_grading.report import Report

__all__ = ["Limits", "Report", "grade_notebook", "grade_notebooks", "release"]
