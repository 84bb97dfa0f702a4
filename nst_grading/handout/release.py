"""Student versions: without solutions and without hidden tests."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from nst.errors import NstError


def release(source: str | Path, out: str | Path) -> Path:
    """Write the student version of a problem set; returns the notebook's path.

    Args:
        source: a folder such as `notebooks/assignments/source/ps2_gram`, or the notebook
            `ps2_gram.ipynb` in it. Other files of the folder are copied as they are.
        out: the folder to write; it is replaced.

    Raises:
        NstError: there is no such notebook, or nbgrader refuses it (a solution outside a solution
            cell, an id that is there twice, …); the message says why.
    """
    notebook = find(source)
    with tempfile.TemporaryDirectory() as folder:
        made = generate(notebook, Path(folder))
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(made.parent, out)
    return Path(out) / notebook.name


def find(source: str | Path) -> Path:
    """The source notebook of a problem set, given as its folder or as itself."""
    path = Path(source)
    if path.is_dir():
        path = path / f"{path.name}.ipynb"
    if not path.is_file():
        raise NstError(f"There is no problem set {path}.")
    return path.resolve()


def generate(source: Path, root: Path) -> Path:
    """Make `root` a course with this one problem set, released; returns the released notebook.

    The gradebook, `root/gradebook.db`, holds the cells with their hidden tests.
    """
    from nbgrader.converters import GenerateAssignment
    from nbgrader.converters.base import NbGraderException
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    name = source.stem
    # nbgrader wants source/<name>/<name>.ipynb.
    shutil.copytree(source.parent, root / "source" / name, ignore=clutter(source.name))
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.assignment_id = name
    make_gradebook(root / "gradebook.db")
    converter = GenerateAssignment(coursedir=CourseDirectory(config=config), config=config)
    converter.log = log = logging.Logger("release")
    log.addHandler(errors := Errors())
    try:
        converter.start()
    except NbGraderException as error:
        said = [line for line in errors.lines if not line.startswith(NOISE)]
        raise NstError(f"nbgrader refuses {source.name}: {' '.join(said) or error}") from error
    return root / "release" / name / source.name


def make_gradebook(path: Path) -> None:
    """An empty gradebook for nbgrader, which would start `alembic` to number the tables' version.

    That takes a second or two, and only a gradebook that outlasts nbgrader's version needs it.
    """
    from nbgrader.api import Base
    from sqlalchemy import create_engine

    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()


NOISE = ("There was an error processing", "Please see the")


class Errors(logging.Handler):
    """Keeps what nbgrader has to say of an error; of a traceback, the last line."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        self.lines.append(record.getMessage().strip().splitlines()[-1])


def clutter(notebook: str) -> Callable[[str, list[str]], set[str]]:
    """For copytree: leave out other notebooks, and what Jupyter and Python leave behind."""

    def unwanted(_folder: str, names: list[str]) -> set[str]:
        others = {name for name in names if name.endswith(".ipynb") and name != notebook}
        return others | {".ipynb_checkpoints", "__pycache__"} & set(names)

    return unwanted
