"""The grader, on a tiny problem set: what students hand in, and what some would try."""

import csv
import os
import re
import shutil
import zipfile
from copy import deepcopy

import nbformat
import pytest
from tiny_set import DOUBLE, FULL, GRAM, ZERO, blank, cell, hand_in

from nst.errors import NstError
from nst_grading import grade_notebooks, release
from nst_grading.__main__ import main
from nst_grading.handins.submissions import collect

pytestmark = pytest.mark.long

OTHER_WAY = """\
def gram_matrix(x):
    print("computing")
    return torch.einsum("bchw,bdhw->bcd", x, x) / x[0].numel()"""
UNDIVIDED = "def gram_matrix(x):\n    return torch.einsum('bchw,bdhw->bcd', x, x)"
NOISY = """\
import logging, sys, warnings
warnings.warn("careful")
warnings.simplefilter("error")
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
picture, wanted, print = 1, 2, 3"""
NOISY_DOUBLE = """\
def double(x):
    warnings.warn("again")
    sys.stderr.write("to stderr")
    logging.warning("to the log")
    return 2 * x"""
TRICKS = {
    "allclose": "torch.allclose = lambda *args, **kwargs: True",
    "comparer": "from nst.checks import common\ncommon.close = lambda *args, **kwargs: True",
    "code": "checks.gram.__code__ = (lambda function: None).__code__",
    "checker": "class checks:\n    gram = print\n\nimport sys\nsys.modules['nst.checks'] = checks",
    "silence": "get_ipython().showtraceback = print\nget_ipython().ast_transformers.append(None)",
    "builtins": "import builtins\nbuiltins.AssertionError = BaseException\nall = any = print",
    "torch": "class torch:\n    allclose = print\n    tensor = zeros = print",
}
SUBCLASS = """\
class Mine(torch.Tensor):
    __torch_function__ = classmethod(lambda *args, **kwargs: True)

def gram_matrix(x):
    return torch.zeros(1).as_subclass(Mine)"""
TRICK_ANSWERS = {
    "equal": "class Yes:\n    __eq__ = __bool__ = lambda *args: True\n\n"
    "def double(x):\n    return Yes()",
    "leave": "def double(x):\n    exit()",
    "constant": "def double(x):\n    return 6",
}


@pytest.fixture(scope="module")
def graded(source, tmp_path_factory):
    """Many submissions, graded at once; the reports by name."""
    folder = tmp_path_factory.mktemp("submissions")
    at = {}

    def path(name):
        at[name] = folder / f"{name}.ipynb"
        return at[name]

    hand_in(path("right"), source)
    hand_in(path("otherwise"), source, OTHER_WAY)
    hand_in(path("noisy"), source, double=NOISY_DOUBLE, extra=NOISY)
    hand_in(path("wrong"), source, UNDIVIDED, "def double(x):\n    return x + x + 1")
    hand_in(path("partial"), source, double="def double(x):\n    return 2 * int(x)")
    path("blank").write_text(blank(source))
    for name, extra in TRICKS.items():
        hand_in(path(name), source, ZERO, extra=extra)
    for name, double in TRICK_ANSWERS.items():
        hand_in(path(name), source, double=double)
    subclass = (
        "class Mine(torch.Tensor):\n    __torch_function__ = classmethod(lambda *a: True)\n\n"
    )
    answer = "def gram_matrix(x):\n    return torch.zeros(1).as_subclass(Mine)"
    hand_in(path("subclass"), source, subclass + answer)

    edited = hand_in(path("edited"), source, ZERO, "def double(x):\n    return 0")
    edited.cells[3].source = "pass"
    edited.cells[3].metadata.nbgrader.points = 50
    edited.cells[5].source, edited.cells[5].metadata["tags"] = "2", ["skip-execution"]
    nbformat.write(edited, at["edited"])
    deleted = hand_in(path("deleted"), source)
    deleted.cells = [deleted.cells[2], deleted.cells[6]]  # no imports, no tests, no double
    nbformat.write(deleted, at["deleted"])
    together = hand_in(path("together"), source, gram=f"{GRAM}\n\n\n{DOUBLE}")
    del together.cells[4]
    nbformat.write(together, at["together"])
    moved = hand_in(path("moved"), source)
    moved.cells.append(deepcopy(moved.cells[2]))
    moved.cells[-1].id = "twice"
    moved.cells.insert(0, cell("import torch", "from-another-set", locked=True))
    moved.cells[1].metadata["nbgrader"] = "lost"
    nbformat.write(moved, at["moved"])
    path("garbage").write_text("{ no notebook")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell("1")]), path("another"))
    return grade_notebooks(at, source, jobs=2)


def points(report):
    return {name: value for name, value in report.points.items() if name != "words"}


@pytest.mark.parametrize("name", ["right", "otherwise", "noisy", "moved"])
def test_right_answers_get_all_points(graded, name):
    report = graded[name]
    assert not report.failure
    assert report.points == FULL
    assert (report.total, report.possible, report.unread) == (5, 6, ["words"])
    assert not report.messages and not report.failure


def test_a_blank_one_gets_nothing(graded):
    assert graded["blank"].points == {"gram-test": 0, "double-test": 0, "words": 0}
    assert graded["blank"].messages["gram-test"] == "Not answered yet."


def test_a_wrong_one_hears_what_is_wrong(graded):
    assert points(graded["wrong"]) == {"gram-test": 0, "double-test": 0}
    assert "divide by C·H·W" in graded["wrong"].messages["gram-test"]
    assert graded["wrong"].messages["double-test"] == "This does not hold: assert double(3) == 6"


def test_a_partly_right_one_gets_part_of_the_points(graded):
    assert points(graded["partial"]) == {"gram-test": 3, "double-test": 1}


def test_edited_tests_are_restored(graded):
    assert points(graded["edited"]) == {"gram-test": 0, "double-test": 0}
    assert graded["edited"].out_of == {"gram-test": 3, "double-test": 2, "words": 1}


def test_deleted_cells_are_put_back_and_graded(graded):
    assert points(graded["deleted"]) == {"gram-test": 3, "double-test": 0}
    assert "double-test was missing" in " ".join(graded["deleted"].remarks)


def test_all_answers_may_stand_in_one_cell(graded):
    assert points(graded["together"]) == {"gram-test": 3, "double-test": 2}


@pytest.mark.parametrize("name", [*TRICKS, "subclass"])
def test_the_gram_test_cannot_be_talked_into_passing(graded, name):
    assert points(graded[name]) == {"gram-test": 0, "double-test": 2}


def test_what_no_exercise_needs_is_named(graded):
    assert any("get_ipython" in remark for remark in graded["silence"].remarks)
    assert any("sys.modules" in remark for remark in graded["checker"].remarks)


def test_answers_that_equal_everything_get_nothing(graded):
    assert {name: graded[name].points["double-test"] for name in TRICK_ANSWERS} == {
        "equal": 0,
        "leave": 0,
        "constant": 0,  # of four values, none is 3
    }
    assert "there is a Yes, not a plain value" in graded["equal"].messages["double-test"]


def test_what_is_no_notebook_of_this_set_gets_nothing_and_is_named(graded):
    for name, words in {"garbage": "cannot be read", "another": "is it another notebook?"}.items():
        assert graded[name].total == 0 and graded[name].possible == 6
        assert words in graded[name].remarks[0] and not graded[name].failure


def test_a_release_holds_neither_solutions_nor_hidden_tests(source, tmp_path):
    text = release(source, tmp_path / "out").read_text()
    assert "checks.gram(gram_matrix)" in text and "raise NotImplementedError()" in text
    assert (tmp_path / "out" / "picture.txt").read_text() == "a picture"
    for secret in ("mT", "2 * x", "three pictures", "HIDDEN", "SOLUTION", "example", "SCHEME"):
        assert secret not in text


def test_a_release_refuses_a_solution_that_would_leak(source, tmp_path):
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[0] = cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION")
    (tmp_path / "leaky").mkdir()
    nbformat.write(notebook, tmp_path / "leaky" / "leaky.ipynb")
    with pytest.raises(NstError, match="Solution region detected in a non-solution cell"):
        release(tmp_path / "leaky", tmp_path / "out")
    with pytest.raises(NstError, match="no problem set"):
        release(tmp_path / "none", tmp_path / "out")


def test_submissions_are_found_in_any_layout(source, tmp_path):
    root = tmp_path / "in"
    for name in (
        "alice/tiny/tiny.ipynb",
        "alice/other/other.ipynb",
        "bob/my work.ipynb",
        "a.ipynb",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / name)
    (root / "notes.txt").write_text("x")
    with zipfile.ZipFile(root / "carol.zip", "w") as file:
        file.write(source, "deep/tiny.ipynb")
        file.write(source, "__MACOSX/deep/._tiny.ipynb")
    found = {h.student: h for h in collect(root, "tiny", tmp_path / "scratch")}
    assert list(found) == ["a", "alice", "bob", "carol", "notes"]
    assert found["alice"].path == root / "alice/tiny/tiny.ipynb"
    assert found["notes"].path is None and found["notes"].reason == "notes.txt is no notebook."
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as file:
        file.write(source, "export/dora.ipynb")
    (dora,) = collect(tmp_path / "all.zip", "tiny", tmp_path / "more")
    assert dora.student == "dora" and dora.path.read_bytes() == source.read_bytes()
    (root / "bob.zip").write_text("no zip")
    shutil.copy(source, root / "bob.ipynb")
    os.utime(root / "bob.ipynb", (2e9, 2e9))  # the newest of the three
    bob = {h.student: h for h in collect(root, "tiny", tmp_path / "again")}["bob"]
    assert bob.path == root / "bob.ipynb" and bob.attempts == 3
    assert bob.others == ["my work.ipynb", "bob.zip is no notebook."]
    (tmp_path / "empty").mkdir()
    with pytest.raises(NstError, match="no notebook"):
        collect(tmp_path / "empty", "tiny", tmp_path)


def test_the_command_writes_points_feedback_and_a_summary(source, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    hand_in(folder / "alice.ipynb", source)
    hand_in(folder / "bob.ipynb", source, UNDIVIDED, words="<script>alert(1)</script> *Mine*")
    command = ["grade", str(source.parent), "--submissions", str(folder), "--out", str(out)]
    assert main([*command, "--jobs", "2"]) == 0
    assert "alice: 5 of 6, 1 to be read" in capsys.readouterr().out
    rows = list(csv.reader((out / "points.csv").read_text().splitlines()))
    parts = "gram-test", "double-test", "words"
    assert rows[0] == ["student", *parts, "total", "late", "attempts", "remarks"]
    assert rows[1:] == [
        ["(possible)", "3.0", "2.0", "1.0", "6.0", "", "", ""],
        ["alice", "3.0", "2.0", "", "5.0", "", "1", ""],
        ["bob", "0.0", "2.0", "", "2.0", "", "1", ""],
    ]
    summary = (out / "summary.md").read_text()
    assert (
        "| gram-test | 3 | 1.50 | 1 | 1 | 0 |" in summary and "Median 3.5 of 6 points." in summary
    )
    assert re.search(r"- 1 × symmetric, but not divided by anything.* \(bob\)", summary)
    page = (out / "feedback" / "bob.html").read_text()
    assert "symmetric, but not divided by anything" in page and "Score: 2.0 / 6.0" in page
    for secret in ("three pictures", "HIDDEN", "<script>alert"):
        assert secret not in page
    assert "<table>" in (out / "summary.html").read_text()

    manual = (out / "manual.csv").read_text().replace("alice,words,,", "alice,words,0.5,")
    (out / "manual.csv").write_text(manual)
    assert main([*command, "--jobs", "2"]) == 0
    rows = list(csv.reader((out / "points.csv").read_text().splitlines()))
    assert rows[2] == ["alice", "3.0", "2.0", "0.5", "5.5", "", "1", ""]


@pytest.mark.parametrize(
    "command",
    [
        ["grade", "ps2_gram", "--submissions", ""],
        ["grade", "", "--submissions", "hand-ins"],
        ["grade", "ps2_gram", "--submissions", "hand-ins", "--out", " "],
        ["grade", "ps2_gram", "--submissions", "hand-ins", "--roster", ""],
        ["release", "ps2_gram", "--each", ""],
        ["course", ""],
    ],
)
def test_what_is_not_named_is_not_the_current_folder(command, capsys, tmp_path, monkeypatch):
    """As of `make grade PS=ps2_gram`, whose SUBMISSIONS nobody has set."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(command)
    assert "nothing is named" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_cannot_find(tmp_path, capsys):
    assert main(["grade", "ps9", "--sources", str(tmp_path), "--submissions", "x"]) == 1
    assert "There is no problem set ps9" in capsys.readouterr().err


def test_a_course_is_set_up_once_and_then_kept(source, tmp_path, capsys):
    sources, folder = source.parent.parent, tmp_path / "course"
    assert main(["course", str(folder), "--sources", str(sources)]) == 0
    assert (folder / "source" / "tiny" / "tiny.ipynb").exists()
    (folder / "nbgrader_config.py").write_text("# mine")
    (folder / "submitted").mkdir()
    assert main(["course", str(folder), "--sources", str(sources)]) == 0
    assert (folder / "nbgrader_config.py").read_text() == "# mine"
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    assert main(["course", str(tmp_path / "full"), "--sources", str(sources)]) == 1
