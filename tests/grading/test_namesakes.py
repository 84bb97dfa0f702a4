"""Whose a hand-in is: by the platform's number, over several runs; and which one counts."""

import csv
import os

import nbformat
import pytest
from tiny_set import FULL, hand_in

from nst_grading import runs
from nst_grading.__main__ import main
from nst_grading.report import Report

MOODLE = "Jane Doe_{}_assignsubmission_file_/work.ipynb"
DAY = 1_800_000_000  # a time of a file
WRONG = "def double(x):\n    return x"


@pytest.fixture
def grade(tmp_path, source, monkeypatch, capsys):
    """Grades files with times and texts of `double`; nothing runs, a right one has 5 points."""

    def marked(paths, source, *, done, **_):
        for student, path in paths.items():
            notebook = nbformat.read(path, as_version=4)
            lost = 2 * any(WRONG in cell.source for cell in notebook.cells)
            points = {"gram-test": 3.0, "double-test": 2.0 - lost, "words": None}
            done(Report(student, points, {**FULL, "words": 1.0}, notebook=notebook))

    monkeypatch.setattr(runs, "grade_notebooks", marked)

    def run(files, *options):
        """Grade these, in a folder of their own; what is printed, and the students' points."""
        folder = tmp_path / f"run {len(list(tmp_path.iterdir()))}"
        for name, (day, right) in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            hand_in(path, source, **({} if right else {"double": WRONG}))
            os.utime(path, (DAY + 86400 * day,) * 2)
        out = tmp_path / "out"
        command = ["grade", str(source.parent), "--submissions", str(folder), "--out", str(out)]
        assert main([*command, *options]) == 0
        said = capsys.readouterr()
        rows = table(out / "points.csv")[1:]
        return said.out + said.err, {row["student"]: row["total"] for row in rows}

    run.out = tmp_path / "out"
    return run


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_two_students_with_one_name_in_two_runs_are_two(grade):
    grade({MOODLE.format(77): (0, True)})
    _, points = grade({MOODLE.format(78): (1, False)})
    assert points == {"Jane Doe": "5.0", "Jane Doe 78": "3.0"}
    moodle = {row["Identifier"]: row["Grade"] for row in table(grade.out / "moodle.csv")}
    assert moodle == {"Participant 77": "5", "Participant 78": "3"}
    # Each again, the first from a group's folder: the rows are theirs.
    names = MOODLE.format(78), "Group A-" + MOODLE.format(77)
    _, points = grade({names[0]: (2, True), names[1]: (2, False)})
    assert points == {"Jane Doe": "3.0", "Jane Doe 78": "5.0"}


def test_two_students_with_one_name_on_canvas_are_two(grade):
    grade({"weili_31_900_tiny.ipynb": (0, True)})
    _, points = grade({"weili_LATE_47_905_tiny.ipynb": (1, False)})
    assert points == {"weili": "5.0", "weili 47": "3.0"}
    assert [row["ID"] for row in table(grade.out / "canvas.csv")[1:]] == ["31", "47"]


def test_a_mark_given_by_hand_stays_with_its_student(grade):
    grade({MOODLE.format(77): (0, True), MOODLE.format(78): (0, False)})
    path = grade.out / "manual.csv"
    path.write_text(path.read_text().replace("Jane Doe 78,words,,", "Jane Doe 78,words,1,"))
    _, points = grade({MOODLE.format(78): (1, True)})
    assert points == {"Jane Doe 77": "5.0", "Jane Doe 78": "6.0"}
    numbers = [row["Identifier"] for row in table(grade.out / "moodle.csv")]
    assert numbers == ["Participant 77", "Participant 78"]
    _, points = grade({MOODLE.format(78): (0, False)}, "--again", "Jane Doe 78")
    assert points == {"Jane Doe 77": "5.0", "Jane Doe 78": "4.0"}


def test_a_number_is_known_though_nothing_could_be_graded(grade):
    grade({MOODLE.format(77).replace("ipynb", "pdf"): (0, True)})
    _, points = grade({MOODLE.format(78): (1, True)})
    assert points == {"Jane Doe": "", "Jane Doe 78": "5.0"}


def test_dates_in_names_are_nobodys_numbers(grade):
    names = "alice_2026_11_26.ipynb", "bob_2026_11_26.ipynb"
    for _ in range(2):
        _, points = grade({names[0]: (0, True), names[1]: (0, False)})
        assert points == {"alice": "5.0", "bob": "3.0"}


CANVAS = "roemax_13_201_tiny.ipynb"


def test_a_newer_hand_in_without_a_platforms_name_counts(grade):
    grade({CANVAS: (0, False)})
    said, points = grade({"roemax.ipynb": (1, True)})
    assert points == {"roemax": "5.0"} and "left out" not in said
    assert [row["ID"] for row in table(grade.out / "canvas.csv")[1:]] == ["13"]
    # What is older is left out, and said to be; the platform's order decides between its own.
    said, points = grade({CANVAS: (0, False)})
    assert points == {"roemax": "5.0"}
    assert f"roemax: older than what was graded, left out: {CANVAS}" in said.splitlines()
    assert grade({"roemax_13_202_tiny.ipynb": (2, False)})[1] == {"roemax": "3.0"}
    assert grade({"roemax_13_150_tiny.ipynb": (3, True)})[1] == {"roemax": "3.0"}
    assert grade({"roemax_13_150_tiny.ipynb": (3, True)}, "--again", "roemax")[1] == {
        "roemax": "5.0"
    }


def test_a_browsers_count_says_nothing_of_another_folder(grade):
    grade({"kim (1).ipynb": (0, False), "kim.ipynb": (1, True)})
    assert table(grade.out / "points.csv")[1]["total"] == "3.0"  # in one folder, it does
    assert grade({"kim.ipynb": (2, True)})[1] == {"kim": "5.0"}


@pytest.mark.parametrize("newer", ["roemax.ipynb", CANVAS])
def test_in_one_folder_the_newest_of_a_student_counts(grade, newer):
    names = {CANVAS: (0, False), "roemax.ipynb": (0, False), newer: (1, True)}
    _, points = grade(names | {"roemax_13_150_tiny.ipynb": (2, False)})
    assert points == {"roemax": "5.0"}
    assert [row["ID"] for row in table(grade.out / "canvas.csv")[1:]] == ["13"]


def test_a_name_that_two_students_share_is_neithers(grade):
    files = {MOODLE.format(77): (0, True), MOODLE.format(78): (0, True)}
    _, points = grade({**files, "Jane Doe.ipynb": (1, False), "Jane Doe 78.ipynb": (1, False)})
    assert points == {"Jane Doe": "3.0", "Jane Doe 77": "5.0", "Jane Doe 78": "3.0"}
