"""Run after run over a class: rows stay, what has not changed is not run again, parts can be."""

import csv
import json
import zipfile

import nbformat
import pytest
from tiny_set import GRAM, cell, hand_in, make

from nst_grading import grade_notebook, partial
from nst_grading.__main__ import main
from nst_grading.handout import seeds
from nst_grading.pages.alike import pairs

pytestmark = pytest.mark.long

WRONG = "def double(x):\n    return 2 * x + 1"


def rows(out):
    with (out / "points.csv").open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def change(source, name, old, new):
    """Change one cell of a problem set."""
    notebook = nbformat.read(source, as_version=4)
    for at in notebook.cells:
        if at.metadata.get("nbgrader", {}).get("grade_id") == name:
            assert old in at.source
            at.source = at.source.replace(old, new)
    nbformat.write(notebook, source)


def test_a_term_of_runs(tmp_path, capsys):
    source = make(tmp_path)
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "out"
    first.mkdir()
    second.mkdir()
    hand_in(first / "alice.ipynb", source)
    hand_in(first / "bob_LATE_7_70_tiny.ipynb", source, double=WRONG)

    def grade(folder, *options):
        """Who was graded anew, and the rows."""
        command = ["grade", str(source.parent), "--submissions", str(folder), "--out", str(out)]
        assert main([*command, "--jobs", "2", *options]) == 0
        lines = capsys.readouterr().out.splitlines()
        return sorted(line.split(":")[0] for line in lines if ": " in line), rows(out)

    graded, table = grade(first)
    assert graded == ["alice", "bob"]
    assert [table[n]["total"] for n in ("alice", "bob")] == ["5.0", "3.0"]
    assert [table[n]["late"] for n in ("alice", "bob")] == ["", "yes"]
    manual = (out / "manual.csv").read_text()
    (out / "manual.csv").write_text(manual.replace("alice,words,,1,,", "alice,words,1,1,,neat"))

    # Another folder: one new, one broken. Nobody's row or mark goes.
    hand_in(second / "carol.ipynb", source)
    with zipfile.ZipFile(second / "dave.zip", "w") as file:
        file.writestr("essay.pdf", "x")
    (second / "alice.zip").write_bytes(b"PK\x03\x04 broken")
    graded, table = grade(second)
    assert graded == ["alice", "carol", "dave"]
    assert list(table) == ["(possible)", "alice", "bob", "carol", "dave"]
    assert (
        table["alice"]["total"] == "6.0" and "what came before counts" in table["alice"]["remarks"]
    )
    assert table["dave"]["total"] == "" and "essay.pdf is no notebook" in table["dave"]["remarks"]
    assert "neat" in (out / "feedback" / "alice.html").read_text()
    book = (out / "canvas.csv").read_text().splitlines()
    assert book[2:] == ["bob,7,,,,3"]

    # Nothing has changed: nothing runs, and the files are the same.
    marks = (out / "manual.csv").read_bytes()
    assert grade(first)[0] == []
    assert (out / "manual.csv").read_bytes() == marks
    assert grade(first, "--again", "bob")[0] == ["bob"]

    # One part again, its test mended; the other's, changed as well, is not run.
    change(source, "double-test", "== 2 * x for", "- 2 * x in (0, 1) for")
    change(source, "double-test", "double(3) == 6", "double(3) in (6, 7)")
    change(source, "gram-test", "checks.gram(gram_matrix)", "assert False")
    graded, table = grade(first, "--exercise", "double-test")
    assert graded == ["alice", "bob"]
    assert [table["bob"][n] for n in ("gram-test", "double-test", "total")] == ["3.0", "2.0", "5.0"]
    assert table["alice"]["total"] == "6.0" and table["carol"]["total"] == "5.0"
    assert "2 of 2" in (out / "feedback" / "bob.html").read_text()
    assert grade(first)[0] == []

    # A wrong cell: named before anything runs, and nothing is written.
    text = (out / "manual.csv").read_text().replace("carol,words,,", "carol,words,many,")
    (out / "manual.csv").write_text(text)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    command = ["grade", str(source.parent), "--submissions", str(first), "--out", str(out)]
    assert main([*command, "--again", "alice"]) == 1
    assert "(carol, words): 'many' is no number" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_anonymous_marking(tmp_path, source, capsys):
    (tmp_path / "in").mkdir()
    hand_in(tmp_path / "in" / "alice.ipynb", source, words="An answer of mine.")
    out = tmp_path / "out"
    command = [
        "grade",
        str(source.parent),
        "--submissions",
        str(tmp_path / "in"),
        "--out",
        str(out),
    ]
    assert main([*command, "--anonymous"]) == 0
    with (out / "codes.csv").open(newline="") as file:
        ((student, code),) = list(csv.reader(file))[1:]
    assert student == "alice"
    for name in ("manual.csv", "answers.html"):
        text = (out / name).read_text()
        assert code in text and "alice" not in text
    assert "An answer of mine." in (out / "answers.html").read_text()
    text = (out / "manual.csv").read_text().replace(f"{code},words,,", f"{code},words,1,")
    (out / "manual.csv").write_text(text)
    assert main(command) == 0  # with names again: the mark given by code counts
    assert rows(out)["alice"]["total"] == "6.0"
    assert "alice,words,1,1" in (out / "manual.csv").read_text()


def test_a_broken_report_is_as_if_it_were_not_there(tmp_path, source, capsys):
    (tmp_path / "in").mkdir()
    hand_in(tmp_path / "in" / "alice.ipynb", source)
    out = tmp_path / "out"
    command = [
        "grade",
        str(source.parent),
        "--submissions",
        str(tmp_path / "in"),
        "--out",
        str(out),
    ]
    (out / "reports").mkdir(parents=True)
    (out / "reports" / "alice.json").write_text("{")
    (out / "reports" / "bob.json").write_text(json.dumps({"student": "bob", "newer": 1}))
    assert main(command) == 0
    assert set(rows(out)) == {"(possible)", "alice", "bob"}
    assert rows(out)["alice"]["total"] == "5.0"


def test_data_by_student_are_the_same_at_hand_out_and_when_graded(tmp_path):
    source = make(tmp_path)
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[1].source += "\n\nSEED = 0  # by student"
    notebook.cells[5].source = "assert double(SEED) == 2 * SEED and SEED == WANTED"
    number = seeds.seed_of("Doe, Jane", "tiny")
    notebook.cells[5].source = notebook.cells[5].source.replace("WANTED", str(number))
    nbformat.write(notebook, source)
    (tmp_path / "class.csv").write_text('Student,ID\n"Doe, Jane",1\n"=Roe",2\n')
    command = ["release", str(source.parent), "--out", str(tmp_path / "each")]
    assert main([*command, "--each", str(tmp_path / "class.csv")]) == 0
    paths = sorted((tmp_path / "each" / "tiny").rglob("*.ipynb"))
    assert len(paths) == 2
    texts = [path.read_text() for path in paths]
    assert f"SEED = {number}  # by student" in texts[0] and texts[0] != texts[1]
    hers = nbformat.read(paths[0], as_version=4)
    for at, answer in ((2, GRAM), (4, "def double(x):\n    return 2 * x")):
        hers.cells[at].source = answer
    nbformat.write(hers, paths[0])
    assert grade_notebook(paths[0], source, student="doejane").points["double-test"] == 2
    other = grade_notebook(paths[0], source, student="roemax")
    assert "have " + str(number) in other.remarks[0] and other.points["double-test"] == 0
    hers.cells[1].source = hers.cells[1].source.replace(str(number), "0")
    nbformat.write(hers, paths[0])
    one_for_all = grade_notebook(paths[0], source, student="doejane")
    assert one_for_all.remarks == [] and "SEED = 0 " in one_for_all.notebook.cells[1].source
    # The second of two Jane Does on Canvas: her row has a number, her table's had none.
    hers.cells[1].source = hers.cells[1].source.replace("SEED = 0 ", f"SEED = {number} ")
    assert seeds.give(hers, "doejane 47", "tiny", 0, number) == []
    assert f"SEED = {number} " in hers.cells[1].source
    assert "have 5; doejane 47's is" in seeds.give(hers, "doejane 47", "tiny", 0, 5)[0]
    assert seeds.seed_of("jane.doe@uni.org", "tiny") == seeds.seed_of("Jane Doe", "tiny")
    assert seeds.seed_of("doejane", "tiny") == number != seeds.seed_of("doejane", "other")


def test_only_the_tests_that_others_need_run_with_them():
    def test(name, source):
        return cell(source, name, 1, locked=True)

    cells = [
        test("a", "import numpy as np\n_x = 1"),
        test("b", "def _help(y):\n    return _x + y"),
        test("c", "z = 5"),
        cell("w = 1"),
        test("d", "assert _help(2) == 3"),
        test("e", "assert d"),
    ]
    assert partial.needed(cells, ["d"]) == {"a", "b", "d"}
    assert partial.needed(cells, ["c"]) == {"c"}
    assert partial.last(cells, {"a", "b", "d"}) == 4


LONG = """\
def {f}({a}, {b}):
    \"\"\"{words}\"\"\"
    {c} = []
    for {d} in range(len({a})):
        if {a}[{d}] > {b}:
            {c}.append({a}[{d}] * {b} - 1)  # {words}
        else:
            {c}.append({b} / ({a}[{d}] + 2))
    return sum({c}) / max(len({c}), 1)
"""
OTHER = """\
def mean(values, limit):
    large = [v * limit - 1 for v in values if v > limit]
    small = [limit / (v + 2) for v in values if v <= limit]
    together = large + small
    while len(together) > 3 and not limit:
        together = together[1:] + [min(together)]
    print({"n": len(together), "first": together[:1], "sorted": sorted(together, reverse=True)})
    return sum(together) / max(len(together), 1)
"""


def test_a_renamed_copy_is_found_and_an_answer_of_ones_own_is_not():
    codes = {
        "one": LONG.format(f="mean", a="values", b="limit", c="found", d="i", words="The mean."),
        "two": LONG.format(f="g", a="xs", b="t", c="acc", d="k", words="Something else"),
        "three": OTHER,
    }
    assert [(first, second) for _, first, second in pairs(codes)] == [("one", "two")]
    codes["broken"] = codes["one"] + "\n\ndef ("
    assert ("one", "broken") in [(a, b) for _, a, b in pairs(codes)]
