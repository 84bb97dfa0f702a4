"""pyproject.toml, environment.yml and the package agree; importing it is cheap."""

import ast
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rattler import MatchSpec

ROOT = Path(__file__).parent.parent
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}


@pytest.fixture(scope="module")
def pip():
    """What an installation of the package with its notebooks asks for, by conda's names."""
    requirements = [Requirement(text) for text in metadata.requires("nst")]
    bounds = conda_names(r for r in requirements if _applies(r, "notebooks"))
    return bounds | {"python": str(SpecifierSet(metadata.metadata("nst")["Requires-Python"]))}


def conda_names(requirements):
    return {CONDA_NAMES.get(r.name, r.name): str(r.specifier) for r in requirements}


def _applies(requirement, extra):
    if "python_version" in str(requirement.marker):
        return False  # pip adds it where it is needed
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def environment(name):
    """What a conda file asks for, and of whom."""
    read = yaml.safe_load((ROOT / name).read_text())
    lines = [line for line in read.pop("dependencies") if isinstance(line, str)]
    specs = [MatchSpec(line, strict=True) for line in lines]
    return {spec.name.normalized: str(spec.version or "") for spec in specs}, read


def test_conda_and_pip_ask_for_the_same(pip):
    conda, rest = environment("environment.yml")
    assert conda == pip | {"pip": ""}
    assert rest == {"name": "nst", "channels": ["conda-forge"]}


def test_conda_adds_grading_as_pip_does():
    requirements = map(Requirement, metadata.requires("nst"))
    grading = conda_names(r for r in requirements if r.marker and _applies(r, "grading"))
    conda, rest = environment("environment-teacher.yml")
    assert conda == grading
    assert rest == environment("environment.yml")[1]


@pytest.mark.parametrize("name", ["environment.yml", "environment-teacher.yml"])
def test_every_conda_dependency_says_what_needs_it(name):
    lines = (ROOT / name).read_text().splitlines()
    packages = [line for line in lines if ">=" in line and "python>=" not in line]
    assert packages
    assert all("#" in line for line in packages)


@pytest.fixture(scope="module")
def loaded():
    """What a fresh process has loaded after nst, then after its command, then after its plots."""
    code = "; ".join(
        f"import {name}; print(*sys.modules)" for name in ("sys, nst", "nst.cli", "nst.plots")
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_importing_loads_no_plotting_and_no_widgets(loaded):
    _, command, plots = loaded
    heavy = {"matplotlib", "ipywidgets", "anywidget", "IPython", "skimage", "torchvision"}
    heavy |= {"loky", "distributed"}
    assert "nst.cli" in command and not heavy & command
    assert "nst.plots" in plots and "matplotlib.pyplot" not in plots


def test_importing_nst_loads_no_grader(loaded):
    assert "nst" in loaded[0] and not {"nbgrader", "nst_grading"} & loaded[0]


WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "4000"}


# The rest of torch takes long to load, and says nothing of it.
ENOUGH = """
import os, sys
class Enough:
    def find_spec(self, *_):
        if "torch._C" in sys.modules:  # and with it OpenMP
            os._exit(0)
sys.meta_path.insert(0, Enough())
"""


def waiting(code, **said):
    """What torch's OpenMP says of how its threads wait, after `code` in a fresh process."""
    environment = {n: v for n, v in os.environ.items() if n not in WAITING}
    environment |= {"OMP_DISPLAY_ENV": "verbose"} | said
    command = [sys.executable, "-c", ENOUGH + code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = dict(re.findall(r"(\w+) = '(.*)'", done.stderr))
    if "GOMP_SPINCOUNT" not in found:
        pytest.skip("torch's OpenMP is not GNU's here")
    return {name: found[name] for name in WAITING}


def test_torchs_threads_hold_up_nobody():
    assert waiting("import torch") != WAITING
    assert waiting("import nst") == waiting("import nst.cli") == WAITING


def test_who_said_how_threads_wait_is_heard():
    said = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "77"}
    assert waiting("import nst", **said) == said


def test_make_says_the_same_to_all_that_it_starts():
    text = (ROOT / "Makefile").read_text()
    assert dict(re.findall(r"^export (\w+) \?= (\w+)$", text, re.MULTILINE)) == WAITING


@pytest.mark.parametrize("room", ["nst", "nst_grading", "tools"])
def test_every_file_can_be_read_in_one_sitting(room):
    lengths = {str(p): len(p.read_bytes().splitlines()) for p in (ROOT / room).rglob("*.py")}
    assert lengths
    assert {path: length for path, length in lengths.items() if length > 320} == {}


# Who may import whom. A room is a file at the front of nst, a folder in it, or the package of
# grading; a folder's files may import each other. Every room stands below those that it rests on.
METHOD = "images networks features losses settings objective optimizers loop painters runs transfer"
ROOMS = {
    "errors": "",
    "files": "errors",
    "devices": "errors",
    "images": "errors files devices",
    "kernels": "",
    "networks": "errors files images devices kernels",
    "features": "errors networks",
    "losses": "errors",
    "statistics": "losses",
    "control": "errors files images networks statistics",
    "settings": "errors files networks losses statistics control",
    "cache": "networks",
    "objective": "errors devices networks features losses settings cache statistics control",
    "hardware": "errors files devices networks features losses settings objective statistics "
    "control",
    "optimizers": "settings",
    "loop": "errors files devices settings objective hardware optimizers",
    "painters": "errors files images devices networks losses settings control",
    "runs": "errors files images devices networks settings control objective hardware optimizers "
    "loop painters kernels",
    "transfer": "errors files images devices networks settings control hardware loop runs",
    "grids": "errors files images devices networks settings control cache objective loop runs "
    "transfer",
    "judges": "errors files networks features control statistics",
    "plots": "errors images features grids judges",
    "checks": "errors files devices networks losses statistics control settings painters grids "
    "judges",
    "widgets": f"errors files devices control painters {METHOD} cache grids",
    "cli": f"errors files devices control {METHOD} grids plots",
    "__init__": f"errors hardware control {METHOD} grids",
    "__main__": "cli",
    "nst_grading": "errors networks checks __init__",
}


def test_rooms_import_only_what_the_table_says():
    paths = [*(ROOT / "nst").rglob("*.py"), *(ROOT / "nst_grading").rglob("*.py")]
    assert {room(path) for path in paths} == set(ROOMS)
    for path in paths:
        beyond = {place for place in imported(path) if place != room(path)}
        assert beyond <= set(ROOMS[room(path)].split()), path


def test_arrows_run_one_way():
    for place, (name, below) in enumerate(ROOMS.items()):
        assert set(below.split()) <= set(list(ROOMS)[:place]), name


def test_the_readme_draws_the_house_as_it_is():
    """What a room imports stands below it, or to its right."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    drawing = re.search(r"## What is where.*?```\n(.*?)```", text, re.DOTALL)[1]
    names = [re.findall(r"(\w+)/?(?: |$)", line[:44]) for line in drawing.splitlines()]
    places = {name: (row, i) for row, line in enumerate(names) for i, name in enumerate(line)}
    assert set(places) == set(ROOMS) - {"__init__", "__main__"}
    for path in (ROOT / "nst").rglob("*.py"):
        for other in imported(path):
            if other != room(path) and {room(path), other} <= set(places):
                assert places[other] > places[room(path)], path


def test_contributing_names_the_rooms_in_their_order():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = re.search(r"Imports run in one direction:(.*?)Some are", text, re.DOTALL)[1]
    rooms = [name for name in ROOMS if not name.startswith("__")]
    assert re.findall(r"`(\w+)`", listed) == rooms


def test_few_files_stand_at_the_front():
    for folder in ("nst", "nst_grading", "tools"):
        assert len(list((ROOT / folder).glob("*.py"))) <= 14, folder


def room(path):
    parts = path.relative_to(ROOT).parts
    return parts[1].removesuffix(".py") if parts[0] == "nst" else parts[0]


def imported(path):
    """The rooms that a file imports, at its top or in a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: whole names are easier to find than relative ones"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, inner = name.partition(".")
            if package == "nst":
                first = inner.split(".")[0]
                yield first if first in ROOMS else "__init__"
            elif package == "nst_grading":
                yield package
