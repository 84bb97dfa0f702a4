"""The course's notebooks: what is kept belongs to its source, is in order, and runs today."""

import ast
import sys
from pathlib import Path

import nbformat
import pytest
import warm

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import course  # noqa: E402

import nst  # noqa: E402
from tools import exercises  # noqa: E402
from tools import notebooks as tool  # noqa: E402

COURSE = [path for path in tool.notebooks() if path.name[0].isdigit()]
ALL = tool.notebooks()
LINES, BYTES = 18, 1_000_000  # of a cell; of a notebook, on average


@pytest.fixture(autouse=True)
def _warm_kernels(monkeypatch):
    warm.use(monkeypatch)


def names(paths):
    return [path.stem for path in paths]


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def kept():
    return {path: tool.read(path) for path in ALL}


def test_the_course_is_complete_and_in_order():
    numbers = [int(name[:2]) for name in names(COURSE)]
    assert numbers[:9] == list(range(9))
    assert numbers == sorted(set(numbers))  # 09 to 12 come as they are written


def numbered(number):
    """The notebook of that number, in a list, if it has been written."""
    return [path for path in COURSE if int(path.name[:2]) == number]


@pytest.mark.parametrize("path", ALL, ids=names(ALL))
def test_outputs_belong_to_their_sources(path, kept):
    notebook = kept[path]
    assert notebook.metadata.nst.sources == tool.sources(notebook), f"make notebooks: {path.name}"
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert "error" not in [output.output_type for output in outputs]
    assert "stderr" not in [output.get("name") for output in outputs]
    nbformat.validate(notebook)


@pytest.mark.parametrize("path", ALL, ids=names(ALL))
def test_pictures_say_what_they_show(path, kept):
    for cell in code_cells(kept[path]):
        for output in cell.outputs:
            for kind, about in output.get("metadata", {}).items():
                if kind.startswith("image/"):
                    assert about["alt"], cell.source
            kinds = [k for k in output.get("data", {}) if k.startswith("image/")]
            assert all(kind in output.metadata for kind in kinds), cell.source


@pytest.mark.parametrize("path", COURSE, ids=names(COURSE))
def test_opening_and_end(path, kept):
    notebook, number = kept[path], int(path.name[:2])
    opening = notebook.cells[0].source
    for part in [
        f"# {number:02} · ",
        f"](pictures/{path.stem}.jpg)",
        "**You will**",
        "**You need**",
        "[Contents](index.ipynb)",
    ]:
        assert part in opening
    assert tool.TIME.search(opening)
    assert (path.parent / "pictures" / f"{path.stem}.jpg").is_file()
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "## Summary" in text
    exercises = text.split("## Exercises")[1]
    assert 3 <= exercises.count("<details>") <= 5
    following, place = numbered(number + 1), COURSE.index(path)
    neighbours = following + COURSE[max(place - 1, 0) : place]
    assert all(neighbour.name in opening for neighbour in neighbours)
    after = following[0].name if following else "explore.ipynb"
    assert after in notebook.cells[-1].source


@pytest.mark.parametrize("path", COURSE, ids=names(COURSE))
def test_cells_are_short_and_follow_the_parameters(path, kept):
    notebook = kept[path]
    assert all(len(cell.source.splitlines()) <= LINES for cell in code_cells(notebook))
    (parameters,) = tool.tagged(notebook, "parameters")
    assigned = {node.targets[0].id for node in ast.parse(parameters.source).body}
    assert assigned >= {"NETWORK", "SIZE", "DEVICE"}
    assert set(parameters.metadata.nst.fast) <= assigned
    later = "\n".join(c.source for c in code_cells(notebook) if c is not parameters)
    assert all(name in later for name in assigned)


def test_the_contents_list_every_notebook_with_its_time(kept):
    text = kept[tool.FOLDER / "index.ipynb"].cells[0].source
    for path in COURSE:
        opening = kept[path].cells[0].source
        title = opening.splitlines()[0].removeprefix("# ")
        said = tool.TIME.search(opening)[0].split(" on ")[0].removeprefix("about ")
        row = next(r for r in text.splitlines() if r.startswith("|") and f"({path.name})" in r)
        assert f"[{title}]" in row
        assert f"<br>{said} |" in row


@pytest.mark.parametrize("path", COURSE, ids=names(COURSE))
def test_as_kept_every_claim_holds_and_no_stub_is_written(path, kept):
    cells = code_cells(kept[path])
    assert all("checks.claim(" in cell.source for cell in tool.tagged(kept[path], "claim"))
    # A reader who changes a setting is told so by `checks.claim`, not stopped.
    nodes = [node for cell in cells for node in ast.walk(ast.parse(cell.source))]
    assert not [node for node in nodes if isinstance(node, ast.Assert)]
    assert tool.faults(kept[path]) == []


@pytest.mark.parametrize("path", COURSE[1:], ids=names(COURSE[1:]))
def test_readers_write_two_to_four_functions(path, kept):
    def functions(source):
        tree = ast.parse(source)
        return {n.name: ast.dump(n.args) for n in tree.body if isinstance(n, ast.FunctionDef)}

    pairs = tool.stubs(kept[path])
    assert 2 <= len(pairs) <= 4
    for stub, solution in pairs:
        assert "<details><summary>Solution</summary>" in solution.source
        left = functions(stub.source)
        assert left and left.items() <= functions(tool.filled(stub, solution)).items()
        assert "..." in stub.source and "checks." in stub.source


def test_together_they_are_small():
    assert sum(path.stat().st_size for path in ALL) <= BYTES * len(COURSE)


# The last ones take longest.
@pytest.mark.long
@pytest.mark.parametrize("path", ALL[::-1], ids=names(ALL[::-1]))
def test_a_fast_run(path):
    notebook = tool.read(path)
    solved = exercises.add_cells(notebook)
    assert solved >= 2 or path not in COURSE
    tool.execute(notebook, fast=True)
    assert all(cell.execution_count for cell in code_cells(notebook) if cell.source)
    assert tool.faults(notebook) == []


def made(source, **metadata):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, metadata=metadata)])


def printed(notebook):
    return "".join(tool.printed(cell) for cell in code_cells(notebook))


STUB = """def double(x):
    ...


from nst.checks.stubs import exercise

exercise(lambda f: print("✓" if f(2) == 4 else "wrong"))(double)"""


def with_a_stub(body):
    notebook = made("STEPS = 100", tags=["parameters"], nst={"fast": {"STEPS": 3}})
    notebook.cells += made("assert STEPS == 100", tags=["claim"]).cells + made("print(STEPS)").cells
    notebook.cells += made(STUB, tags=["stub"]).cells
    solution = f"<details>\n\n```python\ndef double(x):\n    return {body}\n```\n</details>"
    metadata = {"tags": ["solution"]}
    notebook.cells.append(nbformat.v4.new_markdown_cell(solution, metadata=metadata))
    return notebook


def test_a_fast_run_changes_parameters_leaves_claims_out_and_fills_stubs_in():
    notebook = with_a_stub("2 * x")
    tool.execute(notebook, fast=True)
    first, said, done = printed(notebook).splitlines()
    assert (first, said[0], done) == ("3", "○", "✓")
    assert tool.faults(notebook) == []
    tool.tagged(notebook, "filled")[0].outputs[0].text = "wrong"
    assert tool.faults(notebook) == ["a filled cell prints 'wrong', not ✓"]


def test_claims_that_do_not_hold_are_faults():
    notebook = made("", tags=["claim"])
    for text, wrong in [
        ("✓ as the text says: so\n", False),
        ("✗ not with these", True),
        ("", True),
    ]:
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text=text)]
        assert bool(tool.faults(notebook)) == wrong


def test_a_stub_needs_a_solution():
    with pytest.raises(ValueError, match="no solution"):
        tool.stubs(made(STUB, tags=["stub"]))


def test_warnings_end_a_run():
    with pytest.raises(RuntimeError, match="watch out"):
        tool.execute(made("import warnings\nwarnings.warn('watch out')"))


def test_key_numbers_are_compared_within_a_tolerance():
    def numbers(text):
        notebook = made("", tags=["key-numbers"])
        notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text=text)]
        return notebook

    old = numbers("loss 2.00 after 10 steps")
    assert tool.compare(old, numbers("loss 2.05 after 10 steps")) == []
    assert tool.compare(old, numbers("loss 2.50 after 10 steps")) == [
        "a key number was 2 and is 2.5"
    ]
    assert "other key numbers" in tool.compare(old, numbers("loss 2.00"))[0]


@pytest.mark.parametrize(("seconds", "wrong"), [(100, 0), (70, 1), (200, 1)])
def test_the_stated_time_is_held_against_the_measured(seconds, wrong):
    opening = nbformat.v4.new_markdown_cell("It runs in about 2 minutes on two CPU cores.")
    notebook = nbformat.v4.new_notebook(cells=[opening])
    assert len(tool.check_time(notebook, seconds)) == wrong


def test_curious_readers_try_two_sizes_and_three_other_pictures(kept):
    known = [name for names in nst.sample_names().values() for name in names]
    for path in COURSE:
        tried = course.variations(kept[path])
        fast = tool.fast_values(kept[path])
        sizes, others = tried[:2], tried[2:]
        assert [change["SIZE"] for change in sizes] == [64, 384]
        assert all(change | fast == fast | {"SIZE": fast["SIZE"]} for change in sizes)
        assert len(others) in (0, 3)
        for change in others:
            pictures = [value for name, value in change.items() if name not in fast]
            assert pictures and set(pictures) <= set(known)
            assert not any(isinstance(value, list) for value in change.values())


def test_what_raises_under_other_settings_is_reported():
    notebook = made("SIZE = 256", tags=["parameters"], nst={"fast": {"SIZE": 96}})
    notebook.cells += made("print(SIZE, 1 / (SIZE - 64))").cells
    assert "ZeroDivisionError" in course.attempt(notebook, {"SIZE": 64})
