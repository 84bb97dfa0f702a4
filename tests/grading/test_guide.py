"""The teacher's guide: its commands work, and its transcript is what happens."""

import csv
import os
import re
import shutil
import subprocess
import sys
import zipfile
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
TEACHING = ROOT / "notebooks" / "assignments" / "TEACHING.md"
SOURCES = ROOT / "notebooks" / "assignments" / "source"

HERE = f"BIN={Path(sys.executable).parent}", "PYTHON=true"  # all is installed
PLACE = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture
def kit(tmp_path):
    """A folder with what a teacher's clone has, as far as grading needs it."""
    shutil.copytree(SOURCES.parent, tmp_path / "notebooks" / "assignments")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(not (SOURCES / "ps2_gram").exists(), reason="the problem set is not there")
def test_the_commands_in_the_guide_work(kit):
    """As a teacher would, with three submissions: a right one, a blank one and a wrong one."""
    commands = re.findall(r"^make .*$", TEACHING.read_text(), re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["assignment", "grade"]

    def run(command):
        words = [*command.split(), *HERE]
        return subprocess.run(words, cwd=kit, env=PLACE, check=True)

    run(commands[0])
    folder = kit / "outputs" / "submissions"
    names = "alice.ipynb", "bob/my final version.ipynb", "carol/ps2_gram/ps2_gram.ipynb"
    right = nbformat.read(SOURCES / "ps2_gram" / "ps2_gram.ipynb", as_version=4)
    wrong = deepcopy(right)
    for at in wrong.cells:
        at.source = at.source.replace(" / (channels * height * width)", "")
    unanswered = kit / "outputs" / "release" / "ps2_gram" / "ps2_gram.ipynb"
    for name, notebook in zip(names, (right, None, wrong), strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook or nbformat.read(unanswered, as_version=4), folder / name)
    run(commands[1])
    out = kit / "outputs" / "grades" / "ps2_gram"
    with (out / "points.csv").open() as file:
        total = {row["student"]: float(row["total"]) for row in csv.DictReader(file)}
    assert total["bob"] == 0 < total["carol"] < total["alice"]
    pages = {"alice.html", "bob.html", "carol.html"}
    assert {path.name for path in (out / "feedback").iterdir()} == pages


def steps():
    """The transcript: each command with the lines that follow it."""
    blocks = re.findall(r"^```console\n(\$ .*?)^```$", TEACHING.read_text(), re.M | re.S)
    for step in re.split(r"^\$ ", "".join(blocks), flags=re.M)[1:]:
        command, *lines = step.splitlines()
        yield command, lines


def a_class_on_canvas(folder):
    """Jane is right, Max late and wrong in one part, Kim's archive damaged; then Kim is right."""
    folder.mkdir()
    right = nbformat.read(SOURCES / "ps2_gram" / "ps2_gram.ipynb", as_version=4)
    wrong = deepcopy(right)
    for at in wrong.cells:
        at.source = at.source.replace("/ (channels * height", "/ (batch * channels * height")
    with zipfile.ZipFile(folder / "canvas.zip", "w") as file:
        file.writestr("doejane_12_101_ps2_gram.ipynb", nbformat.writes(right))
        file.writestr("roemax_LATE_13_102_gram final.ipynb", nbformat.writes(wrong))
        file.writestr("leekim_14_103_work.zip", b"PK\x03\x04, cut off")
    (folder / "second").mkdir()
    nbformat.write(right, folder / "second" / "leekim_14_104_ps2_gram.ipynb")
    (folder / "gradebook.csv").write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,ps1_features (990),ps2_gram (991)\n"
        '    Points Possible,,,,,30,32\n"Doe, Jane",12,,jdoe,A,20,\n"Lee, Kim",14,,klee,A,21,\n'
        '"Poe, Eve",15,,epoe,A,22,\n"Roe, Max",13,,maxroe,A,23,\n'
    )


@pytest.mark.slow
@pytest.mark.long
def test_the_transcript_in_the_guide_is_what_happens(kit):
    a_class_on_canvas(kit / "outputs")
    for command, lines in steps():
        if "--exercise" in command:
            mend(kit / "notebooks" / "assignments" / "source" / "ps2_gram" / "ps2_gram.ipynb")
        if command.startswith("make grade") and not any(lines):
            mark(kit / "outputs" / "grades" / "ps2_gram" / "manual.csv")
        command = command.replace("make ", f"make {' '.join(HERE)} ")
        ran = subprocess.run(
            command, shell=True, cwd=kit, env=PLACE, check=True, capture_output=True, text=True
        )
        shown = [line for line in ran.stdout.splitlines() if re.match(r"[\w]+: ", line)]
        graded = [line for line in lines if re.match(r"[\w]+: ", line)]
        assert sorted(shown) == sorted(graded), command
        assert set(lines) <= set(ran.stdout.splitlines()), command
    with (kit / "outputs" / "grades" / "ps2_gram" / "points.csv").open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert rows["roemax"]["late"] == "yes" and rows["leekim"]["attempts"] == "2"
    assert "leekim_14_103_work.zip cannot be unpacked" in rows["leekim"]["remarks"]


def mark(path):
    """Every criterion has its point, but for the second of Max's."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["points"] = row["possible"]
    rows[[row["student"] for row in rows].index("roemax") + 1]["points"] = "0"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def mend(source):
    """The part that Max has lost asks for the shape alone."""
    notebook = nbformat.read(source, as_version=4)
    for at in notebook.cells:
        if at.metadata.get("nbgrader", {}).get("grade_id") == "gram_batch":
            at.source = "assert gram_matrix(torch.ones(2, 3, 4, 5)).shape == (2, 3, 3)"
    nbformat.write(notebook, source)
