"""The problem sets in the grader: known answers score what they should, releases nothing.

What known answers are is said in tests/known_answers.py; tests/checks/test_known_answers.py tries
each of them without the grader.
"""

import importlib.util
import json
import re

import nbformat
import pytest

pytest.importorskip("nbgrader")
from known_answers import (
    ROOT,
    SETS,
    SOURCES,
    answers,
    expected,
    grade_id,
    is_solution,
    parts,
    patched,
    solution,
    source,
)
from rewriting import FILES, rewritten

from nst_grading import grade_notebooks, release
from nst_grading.marks.manual import criteria

QUICK = "ps2_gram"


def complaints(notebook):
    """Errors, and what was written to stderr, by cell."""
    return [
        (cell.id, output.get("ename", "stderr"), output.get("evalue", output.get("text")))
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error" or output.get("name") == "stderr"
    ]


@pytest.mark.parametrize("name", SETS)
def test_there_are_enough_known_answers(name):
    known = answers(name)
    assert len(known["right"]) >= 2
    assert len(known["wrong"]) >= 8
    assert all(answer["loses"] for answer in known["wrong"])
    lost = {part for answer in known["wrong"] for part in answer["loses"]}
    assert lost == set(parts(source(name))), "no known answer fails these parts"


def grade(name, notebooks, folder, only=()):
    """The reports on these notebooks, or what was saved as such, in their order."""
    paths = {}
    for notebook in notebooks:
        path = folder / f"{len(list(folder.iterdir()))}.ipynb"
        data = notebook if isinstance(notebook, bytes) else nbformat.writes(notebook).encode()
        path.write_bytes(data)
        paths[path.stem] = path
    return list(grade_notebooks(paths, SOURCES / name, jobs=2, only=only).values())


def grade_tests(name, notebooks, folder):
    """As `grade`, without what comes after the last test: an experiment, a figure of all."""
    return grade(name, notebooks, folder, parts(source(name)))


def points(name, report):
    return {part: report.points[part] for part in parts(source(name))}


def calls(one, other):
    """Whether an answer calls a function that the other defines."""
    made = re.findall(r"^def (\w+)", "\n".join(other["cells"].values()), re.MULTILINE)
    text = "\n".join(one["cells"].values())
    return any(re.search(rf"(?<!def )\b{name}\(", text) for name in made)


def together(tried):
    """As few answers as possible with the same cells: those that change other cells are joined.

    A mistake in one exercise costs no points in another that does not call it, so what they lose is
    lost together.
    """
    made = []
    for answer in tried:
        for one in made:
            shared = set(one["cells"]) & set(answer["cells"])
            if not (shared or calls(one, answer) or calls(answer, one)):
                one["cells"] |= answer["cells"]
                one["loses"] = [*one["loses"], *answer["loses"]]
                one["name"] += f"; {answer['name']}"
                break
        else:
            made.append({**answer, "cells": dict(answer["cells"])})
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_known_answers_score_what_they_should(name, tmp_path):
    known = answers(name)
    right, wrong = [solution(), *known["right"]], together(known["wrong"])
    reports = grade(name, [patched(name, answer) for answer in right], tmp_path)
    assert complaints(reports[0].notebook) == []
    assert reports[0].remarks == []
    reports += grade_tests(name, [patched(name, answer) for answer in wrong], tmp_path)
    for answer, report in zip([*right, *wrong], reports, strict=True):
        assert points(name, report) == expected(name, answer), answer["name"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_right_answers_saved_elsewhere_score_the_same(name, tmp_path):
    tried = [solution(), *answers(name)["right"]]
    made = {
        (answer["name"], kind): save(
            rewritten(patched(name, answer), way, is_solution), is_solution
        )
        for answer in tried
        for kind, (save, way) in FILES.items()
    }
    for which, report in zip(made, grade_tests(name, made.values(), tmp_path), strict=True):
        assert points(name, report) == parts(source(name)), (which, report.messages)


@pytest.mark.long
def test_a_right_and_a_wrong_answer_score_what_they_should(tmp_path):
    known = answers(QUICK)
    tried = [known["right"][0], known["wrong"][0]]
    reports = grade(QUICK, [patched(QUICK, answer) for answer in tried], tmp_path)
    for answer, report in zip(tried, reports, strict=True):
        assert points(QUICK, report) == expected(QUICK, answer), answer["name"]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The student versions, made once."""
    made = {}

    def make(name):
        if name not in made:
            out = tmp_path_factory.mktemp("release") / name
            made[name] = nbformat.read(release(SOURCES / name, out), as_version=4)
        return made[name]

    return make


def regions(notebook, begin, end):
    """The lines between two markers, all cells together, but for blank and very short ones."""
    lines = []
    for cell in notebook.cells:
        for text in re.findall(f"{begin}(.*?){end}", cell.source, re.S):
            lines += [line.strip() for line in text.splitlines() if len(line.strip()) > 20]
    return lines


def manual(notebook):
    """The lines of the sample answers that a teacher marks."""
    cells = [c for c in notebook.cells if c.cell_type == "markdown" and grade_id(c)]
    return [line for cell in cells for line in cell.source.splitlines() if len(line) > 20]


@pytest.mark.parametrize("name", SETS)
def test_releases_hold_no_solution_and_no_hidden_test(name, released):
    notebook = released(name)
    text = "\n".join(cell.source for cell in notebook.cells)
    visible = "\n".join(
        re.sub("### BEGIN (SOLUTION|HIDDEN TESTS).*?### END", "", cell.source, flags=re.S)
        for cell in source(name).cells
    )
    for begin, end in (
        ("### BEGIN SOLUTION", "### END SOLUTION"),
        ("### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"),
        ("=== BEGIN MARK SCHEME ===", "=== END MARK SCHEME ==="),
    ):
        assert begin not in text
        secret = regions(source(name), begin, end) + manual(source(name))
        assert [line for line in secret if line in text and line not in visible] == []
    assert "NotImplementedError" in text
    assert all(not cell.get("outputs") for cell in notebook.cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_a_release_as_it_is_scores_nothing(name, released, tmp_path):
    """Neither by the tests that students see nor with the hidden ones; all it lacks are answers."""
    path = tmp_path / name / f"{name}.ipynb"
    path.parent.mkdir()
    nbformat.write(released(name), path)
    for judge in (SOURCES / name, path):
        (report,) = grade_notebooks({"blank": path}, judge).values()
        assert not any(report.points.values())
        for complaint in complaints(report.notebook):
            assert complaint[1] == "NotImplementedError", complaint


@pytest.mark.parametrize("name", SETS)
def test_cells_are_what_nbgrader_wants(name):
    notebook = source(name)
    marked = [cell.metadata.nbgrader for cell in notebook.cells if grade_id(cell)]
    ids = [cell.grade_id for cell in marked]
    assert len(ids) == len(set(ids))
    assert all(cell.schema_version == 3 and not cell.task for cell in marked)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "jupytext" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        if grade_id(cell) in parts(notebook):
            assert "BEGIN HIDDEN TESTS" in cell.source


def test_all_sets_begin_with_the_same_installation(capsys):
    first = [source(name).cells[1].source for name in SETS]
    assert set(first) == {first[0]}
    exec(first[0], {})
    assert capsys.readouterr().out == ""


def test_the_installation_asks_pip_for_the_given_address(monkeypatch, capsys):
    calls = []
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("subprocess.run", lambda command, check: calls.append(command))
    text = source(QUICK).cells[1].source
    with pytest.raises(RuntimeError, match="teacher"):
        exec(text, {})
    monkeypatch.setenv("NST_KIT", "file:///kit.whl")
    exec(text, {})
    assert calls[0][-1] == "nst[notebooks] @ file:///kit.whl"
    assert "Installing" in capsys.readouterr().out


COURSE = {
    "01_features",
    "02_content",
    "03_gram_matrices",
    "04_style_loss",
    "05_total_variation",
    "06_optimizer",
    "07_choosing_layers",
    "08_speed_and_size",
    "11_one_pass",
}
SEE = re.compile(r'\.(?:part|attempts)\(\s*"(\w+)"(?:,\s*"([^"]+)")?')


@pytest.mark.parametrize("name", SETS)
def test_every_part_points_to_a_section_of_the_course(name):
    for cell in source(name).cells:
        if grade_id(cell) not in parts(source(name)):
            continue
        notebook, section = SEE.search(cell.source).groups()
        path = ROOT / "notebooks" / f"{notebook}.ipynb"
        assert notebook in COURSE
        assert section
        if path.is_file():
            text = "\n".join(c.source for c in nbformat.read(path, as_version=4).cells)
            assert re.search(rf"^#+ .*{re.escape(section)}", text, re.M), (notebook, section)


@pytest.mark.parametrize("name", SETS)
def test_the_time_that_a_set_states_is_what_there_is_to_read_and_write(name):
    spec = importlib.util.spec_from_file_location("minutes", ROOT / "tools" / "minutes.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    cells = json.loads((SOURCES / name / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    low, high = tool.stated(cells)
    assert high <= 5 / 3 * low
    assert 1.1 * low <= tool.minutes(cells) <= 0.9 * high


@pytest.mark.parametrize("name", SETS)
def test_what_a_person_reads_has_a_scheme_whose_points_add_up(name):
    exercises, schemes = criteria(SOURCES / name / f"{name}.ipynb")
    assert schemes
    for exercise, found in schemes.items():
        assert "" not in found and sum(found.values()) == exercises[exercise]
    said = re.search(
        r"\*\*Points\*\* (\d+): (\d+) are given by tests, (\d+)", source(name).cells[0].source
    )
    read = sum(exercises[exercise] for exercise in schemes)
    total = sum(exercises.values())
    assert list(map(int, said.groups())) == [total, total - read, read]
