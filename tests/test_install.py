"""What `make` installs: for whom, in which versions, and that it spoils nothing that is there."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tools import install, size  # noqa: E402

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = ROOT / ".github" / "workflows" / "tests.yml"
NOW = f"{sys.version_info[0]}.{sys.version_info[1]}"
CONSTRAINTS = sorted((ROOT / "constraints").glob("*.txt"))


def make(folder, *arguments):
    command = ["make", f"PYTHON={sys.executable}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def recipe(target):
    """The commands of a make target, as on a machine without make."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    lines = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", text, re.MULTILINE)[1].splitlines()
    lines = [re.sub(r" \$\(if .*\)$", "", line.strip()) for line in lines]
    return [line.replace("$(BIN)/", ".venv/Scripts/") for line in lines]


@pytest.fixture
def checkout(tmp_path):
    """A folder with what installing reads."""
    (tmp_path / "tools").mkdir()
    for name in ("Makefile", "pyproject.toml", "tools/install.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def installing(monkeypatch, checkout):
    """A function that installs for someone with a pip that only takes note of what it is asked."""

    def pretend(group, **options):
        asked = []
        monkeypatch.setattr(install, "run", lambda *command: asked.append(command))
        found = {"python": NOW, "versions": {"pip": "26", "Torch": "2.14.1+cpu", "nst": "0.2"}}
        monkeypatch.setattr(install, "ask", lambda venv: found)
        python = install.interpreter(checkout / ".venv")
        python.parent.mkdir(parents=True, exist_ok=True)
        for path in (python, checkout / ".venv" / "pyvenv.cfg"):
            path.touch()
        install.install(group, checkout, **options)
        return asked

    return pretend


@pytest.mark.parametrize("target", ["demo", "test", "grade", "html"])
def test_a_linked_environment_is_refused_and_left_alone(target, checkout):
    elsewhere = checkout / "elsewhere"
    (elsewhere / "bin").mkdir(parents=True)
    for name in ("pyvenv.cfg", "bin/python", "precious"):
        (elsewhere / name).write_text(name)
    (checkout / ".venv").symlink_to("elsewhere")
    done = make(checkout, target)
    assert done.returncode
    said = done.stderr.splitlines()[0]
    assert said.startswith(".venv is a symbolic link")
    assert {p.name for p in elsewhere.rglob("*")} == {"bin", "python", "precious", "pyvenv.cfg"}
    assert (elsewhere / "precious").read_text() == "precious"


def test_a_folder_that_is_no_environment_is_refused_and_left_alone(checkout):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "precious").touch()
    done = make(checkout, "demo")
    assert "move it away first" in done.stderr
    assert [path.name for path in (checkout / ".venv").iterdir()] == ["precious"]


def test_a_file_in_its_place_is_refused(checkout):
    (checkout / ".venv").touch()
    done = make(checkout, "demo")
    assert "move it away first" in done.stderr
    assert "Traceback" not in done.stderr


def test_cleaning_leaves_what_people_have_made(checkout):
    for name in (".venv/pyvenv.cfg", "outputs/grades/ps2_gram/manual.csv"):
        (checkout / name).parent.mkdir(parents=True)
        (checkout / name).touch()
    assert make(checkout, "clean").returncode == 0
    assert not (checkout / ".venv").exists()
    assert (checkout / "outputs" / "grades" / "ps2_gram" / "manual.csv").exists()


def test_an_environment_of_another_checkout_is_refused(installing, checkout, tmp_path):
    """Its commands and its package are those of the folder that it was copied or moved from."""
    installing("learner")
    for name in ("copied", "moved"):
        (checkout / name).mkdir()
        shutil.copytree(checkout / ".venv", checkout / name / ".venv")
        with pytest.raises(SystemExit, match=r"serves that folder only: remove \.venv"):
            install.install("learner", checkout / name)
    assert installing("learner") == []


def test_an_environment_whose_python_is_gone_is_told(checkout):
    binaries = checkout / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (checkout / ".venv" / "pyvenv.cfg").touch()
    (binaries / "python").symlink_to("/nowhere/python3")
    done = make(checkout, "demo")
    assert "`make clean`" in done.stderr
    assert "Traceback" not in done.stderr


def test_everyone_gets_what_they_need_and_only_once(installing, checkout):
    (command,) = installing("learner")
    assert command[-2:] == ("--editable", f"{checkout}[notebooks]")
    assert installing("learner") == []
    (command,) = installing("teacher")
    assert command[-1].endswith("[notebooks,grading]")
    installing("developer")
    assert installing("teacher") == installing("pages") == installing("learner") == []
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("\n# changed")
    assert len(installing("learner")) == 1


def test_an_installation_that_fails_is_taken_up_again(installing, checkout, monkeypatch):
    def fail(*_command):
        sys.exit(1)

    installing("learner")
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("\n# changed")
    monkeypatch.setattr(install, "run", fail)
    with pytest.raises(SystemExit):
        install.install("learner", checkout)
    assert len(installing("learner")) == 1


def test_tested_versions_are_used_where_there_are_some(installing, checkout, capsys):
    (command,) = installing("learner")
    assert "--constraint" not in command
    assert f"none were tested with Python {NOW}" in capsys.readouterr().out
    path = install.write_versions(checkout)
    lines = path.read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["torch==2.14.1"]
    (command,) = installing("learner")
    assert command[command.index("--constraint") + 1] == str(path)
    assert f"constraints/{NOW}.txt" in capsys.readouterr().out
    (command,) = installing("learner", newest=True)
    assert "--constraint" not in command
    assert "--upgrade" in command
    assert "the newest versions" in (checkout / ".venv" / "installed-learner").read_text()


def test_what_was_installed_last_counts_for_all(installing, checkout, monkeypatch):
    """There is one environment: who installs other versions takes them from the others too."""
    (checkout / "constraints").mkdir()
    (checkout / "constraints" / f"{NOW}.txt").write_text("torch==2.14.1\n")
    for group, newest in (("developer", False), ("learner", True), ("developer", False)):
        assert len(installing(group, newest=newest)) == 1
    for group, newest in (("developer", True), ("learner", False), ("developer", True)):
        assert len(installing(group, newest=newest)) == 1
    assert installing("developer", newest=True) == []

    class Tomorrow(date):
        @classmethod
        def today(cls):
            return date.today() + timedelta(1)

    monkeypatch.setattr(install, "date", Tomorrow)
    assert len(installing("developer", newest=True)) == 1


def test_the_newest_can_be_asked_for(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(install, "install", lambda *_args, newest: asked.append(newest))
    for value in ("newest", "tested"):
        monkeypatch.setenv("VERSIONS", value)
        install.main(["learner"], tmp_path)
    assert asked == [True, False]


def test_every_extra_is_for_someone():
    groups = set().union(*install.EXTRAS.values())
    assert groups == set(PROJECT["optional-dependencies"]) - {"cluster"}
    assert set(install.EXTRAS["developer"]) == groups


@pytest.mark.parametrize("path", CONSTRAINTS, ids=lambda path: path.stem)
def test_versions_are_exact_and_within_bounds(path):
    """And name no registry, no folder and no build."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][a-z0-9.]*", line) for line in lines)
    versions = dict(line.split("==") for line in lines)
    assert list(versions) == sorted(versions)
    for text in sum(PROJECT["optional-dependencies"].values(), PROJECT["dependencies"]):
        wanted = Requirement(text)
        if not wanted.marker or wanted.marker.evaluate({"python_version": path.stem}):
            assert wanted.specifier.contains(versions[wanted.name.replace("_", "-")]), text


@pytest.mark.parametrize(
    ("target", "given"),
    [("grade", "PS"), ("grade", "SUBMISSIONS"), ("assignment", "PS"), ("course", "COURSE")],
)
def test_a_folders_name_may_have_spaces(target, given):
    done = make(ROOT, "-n", target, f"{given}=my folder")
    assert '"my folder"' in done.stdout


def test_without_make_the_commands_are_the_same():
    jobs = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]
    steps = jobs["test"]["steps"]
    (windows,) = (step["run"] for step in steps if "no make" in step.get("name", ""))
    assert windows.splitlines() == ["python tools/install.py developer", *recipe("test")]
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\", "/").splitlines()
    assert "python tools/install.py learner" in readme
    for target in ("demo", "lab", "app"):
        assert set(recipe(target)) <= set(readme), target


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_every_target_installs_what_its_commands_are_for():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    needs = dict(re.findall(r"^([a-z-]+): ([a-z]+)$", text, re.MULTILINE))
    assert {needs[target] for target in ("demo", "lab", "app")} == {"learner"}
    assert {needs[target] for target in ("grade", "assignment", "course")} == {"teacher"}
    assert needs["test"] == "developer"
    for target in re.search(r"^\.PHONY: (.*)", text, re.MULTILINE)[1].split():
        commands = "" if target in install.EXTRAS else " ".join(recipe(target))
        assert target in needs or "Scripts/" not in commands or target == "versions", target


def test_workflows_are_in_order():
    command = shutil.which("actionlint", path=str(Path(sys.executable).parent))
    if not command:
        pytest.skip("pip install '.[dev]' brings actionlint")
    done = subprocess.run([command, "-no-color", WORKFLOW], capture_output=True, text=True)
    assert not done.returncode, done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")))
def test_issue_forms_ask_something(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name == "config.yml":
        assert form == {"blank_issues_enabled": True}
        return
    assert form["name"] and form["description"]
    ids = [field["id"] for field in form["body"]]
    assert ids and len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in form["body"])


def test_one_version_everywhere():
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    assert citation["authors"] == [{"name": "The nst contributors"}]
    (newest, *_) = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert version in (newest, f"{newest}.0")


def test_lines_of_code_are_counted_without_words():
    source = (
        '"""What it is."""\n\nimport os  # for the\n# name\n\n\ndef f():\n    """Say\n    so."""\n'
    )
    source += '    text = """two\nlines"""\n    return os.name, text\n'
    assert size.lines_of_code(source) == 5


def test_every_file_is_in_one_room():
    files = [path for paths in size.rooms().values() for path in paths]
    assert len(files) == len(set(files))
    shipped = [p for p in (ROOT / "nst").rglob("*.py") if "__pycache__" not in p.parts]
    assert set(shipped) <= set(files)


def test_the_sizes_are_printed():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "tools" / "size.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows if row[0] == "nst"] == ["nst"]
    total = sum(int(row[2]) for row in rows[1:-1] if not row[0].startswith("tests"))
    assert int(rows[-1][-1]) == total
