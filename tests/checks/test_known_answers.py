"""Known answers to the problem sets, tried in this process: points, self-checks, rewritings.

What the grader makes of them, in kernels, is in tests/test_assignments.py.
"""

import re

import pytest

pytest.importorskip("nbformat")
pytest.importorskip("nbgrader")
import known_answers
import rewriting
from known_answers import SETS, answers, expected, grade_id, is_graded, is_solution, patched, source

# Wrong functions that a student's own tests meet unseen: "half of the points are for the sly ones".
UNSEEN = re.compile(".*_sly")


def all_answers(name):
    known = answers(name)
    return [known_answers.solution(), *known["right"], *known["wrong"]]


def functions_of(name):
    """The names in each graded cell that are quoted, the functions that it tests among them."""
    graded = [cell for cell in source(name).cells if is_graded(cell)]
    return {grade_id(cell): set(re.findall(r'"(\w+)"', cell.source)) for cell in graded}


def disagreements(name, refused, lost):
    """Self-checks that refuse what gets all points, or pass what loses some."""
    parts = {
        part: names for part, names in functions_of(name).items() if not UNSEEN.fullmatch(part)
    }
    told, wrong = set(), []
    for line, said in refused.items():
        functions = set(re.findall(r"\w+", line.split("(", 1)[1]))
        costs = {part for part, names in parts.items() if names & functions and part in lost}
        told |= costs if said else set()
        if said and not costs:
            wrong.append(f"{line} refuses what gets all points: {said}")
    unsaid = {part for part in lost if part in parts and not part.startswith("diagnosis")} - told
    return wrong + [f"no self-check says why {part} is lost" for part in sorted(unsaid)]


def check(name, answer):
    """An answer's points are those that are known, and the self-checks say the same."""
    checks, tests = known_answers.tried(name, patched(name, answer))
    wanted = expected(name, answer)
    lost = {part for part, said in tests.items() if said}
    assert lost == {part for part, points in wanted.items() if not points}, answer["name"]
    assert not [said for said in tests.values() if re.match(r"\w+:\s+One value", said)], "of what?"
    assert disagreements(name, checks, lost) == [], answer["name"]


@pytest.mark.parametrize("name", SETS)
def test_a_known_answer_has_its_points_and_the_self_checks_agree(name):
    check(name, answers(name)["right"][-1])
    check(name, answers(name)["wrong"][-2])


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_all_known_answers_have_their_points_and_the_self_checks_agree(name):
    for answer in all_answers(name):
        check(name, answer)


@pytest.mark.slow
@pytest.mark.parametrize("way", rewriting.CODE)
@pytest.mark.parametrize("name", SETS)
def test_right_answers_in_another_hand_get_the_same_points(name, way):
    for answer in [known_answers.solution(), *answers(name)["right"]]:
        refuses(name, answer, way)


def test_a_right_answer_in_another_hand_gets_the_same_points():
    refuses("ps2_gram", known_answers.solution(), "all")
    refuses("ps5_experiment", known_answers.solution(), "numpy")


def refuses(name, answer, way):
    """Assert that neither tests nor self-checks refuse a right answer that is rewritten."""
    notebook = rewriting.rewritten(patched(name, answer), way, is_solution)
    for said in known_answers.tried(name, notebook):
        assert {part: text for part, text in said.items() if text} == {}, (way, answer["name"])
