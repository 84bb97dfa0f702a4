"""pyproject.toml, environment.yml and the package agree; importing it is cheap."""

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
    wanted = {r.name: r for r in requirements if _applies(r, "notebooks")}
    bounds = {CONDA_NAMES.get(name, name): str(r.specifier) for name, r in wanted.items()}
    return bounds | {"python": str(SpecifierSet(metadata.metadata("nst")["Requires-Python"]))}


def _applies(requirement, extra):
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


@pytest.fixture(scope="module")
def environment():
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def test_conda_and_pip_ask_for_the_same(pip, environment):
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    specs = [MatchSpec(line, strict=True) for line in lines]
    conda = {spec.name.normalized: str(spec.version or "") for spec in specs}
    assert conda == pip | {"pip": ""}
    assert environment["channels"] == ["conda-forge"]


def test_every_conda_dependency_says_what_needs_it():
    lines = (ROOT / "environment.yml").read_text().splitlines()
    packages = [line for line in lines if ">=" in line and "python>=" not in line]
    assert packages
    assert all("#" in line for line in packages)


def test_importing_loads_no_plotting_and_no_widgets():
    code = (
        "import sys, nst, nst.cli; "
        "heavy = 'matplotlib', 'ipywidgets', 'anywidget', 'IPython', 'skimage'; "
        "heavy += 'loky', 'distributed'; "
        "print([m for m in heavy if m in sys.modules]); "
        "from nst import plots; print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]


def test_modules_import_only_those_before_them():
    order = [
        *("errors", "files", "images", "checkpoints", "devices", "networks", "features", "losses"),
        *("settings", "cache", "objective", "graphs", "scales", "memory", "optimizers", "loop"),
        *(
            "transfer",
            "cells",
            "workers",
            "axes",
            "pools",
            "experiments",
            "plots",
            "checks",
            "widgets",
            "grading",
        ),
        *("cli_grid", "cli"),
    ]
    # A module is a file or, where it has many parts, a folder of files.
    paths = [path.relative_to(ROOT / "nst") for path in (ROOT / "nst").rglob("*.py")]
    modules = {path.parts[0].removesuffix(".py") for path in paths}
    assert modules - {"__init__", "__main__"} == set(order)
    for path in paths:
        name = path.parts[0].removesuffix(".py")
        text = (ROOT / "nst" / path).read_text()
        inside = len(path.parts) > 1  # a folder's files may import each other
        for later in order[order.index(name) + inside :] if name in order else []:
            assert not re.search(rf"from nst\.{later}[. ]", text), f"{name} imports {later}"
