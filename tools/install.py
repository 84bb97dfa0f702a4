"""Makes .venv, and installs into it what one kind of person needs: the Makefile's first step.

    python tools/install.py learner       the package and its notebooks: demo, lab, app
    python tools/install.py teacher       the grader as well
    python tools/install.py pages         what turns the notebooks into pages: html, site
    python tools/install.py developer     all of that, and what the tests need

What is there already is kept and only added to. The versions are those of constraints/, with which
all tests passed, if there is a file for this Python; VERSIONS=newest in the environment leaves them
out. Needs nothing but Python, so that it runs where there is no `make`.

    python tools/install.py versions      write constraints/ from what .venv holds: `make versions`
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {
    "learner": ["notebooks"],
    "teacher": ["notebooks", "grading"],
    "pages": ["notebooks", "site"],
    "developer": ["notebooks", "grading", "train", "site", "dev"],
}
HEADER = """\
# The versions with which all tests passed on Python {python}, written by `make versions`.
# `make` uses them; VERSIONS=newest leaves them out.
"""
ASK = """\
import json, sys
from importlib.metadata import distributions
print(json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "versions": {d.metadata["Name"]: d.version for d in distributions()},
}))
"""


def main(arguments: list[str], root: Path = ROOT) -> None:
    """Install what was asked for, or write down what is there; exits with a sentence if it cannot.

    Raises:
        SystemExit: the arguments or the Python will not do, or .venv is not one that we may change.
    """
    if sys.version_info < (3, 10):  # noqa: UP036 - nobody has checked that before
        sys.exit("nst needs Python 3.10 or newer: make PYTHON=python3.12 …")
    if len(arguments) != 1 or arguments[0] not in [*EXTRAS, "versions"]:
        sys.exit(__doc__)
    if arguments[0] == "versions":
        print(write_versions(root))
    else:
        install(arguments[0], root, newest=os.environ.get("VERSIONS") == "newest")


def install(group: str, root: Path, newest: bool = False) -> None:
    """Bring .venv up to date for this group; does nothing if it is."""
    venv = root / ".venv"
    check(venv)
    if not os.path.lexists(interpreter(venv)) or "pip" not in ask(venv)["versions"]:
        run(sys.executable, "-m", "venv", str(venv))
        run(str(interpreter(venv)), "-m", "pip", "install", "--quiet", "--upgrade", "pip")
    python = ask(venv)["python"]
    tested = root / "constraints" / f"{python}.txt"
    if newest:
        said = f"the newest versions of {date.today()}"
        options = ["--upgrade", "--upgrade-strategy", "eager"]
    elif tested.exists():
        said = f"the versions of constraints/{tested.name}"
        options = ["--constraint", str(tested)]
    else:
        said = f"the newest versions, as none were tested with Python {python} (constraints/)"
        options = []
    stamp = f"Python {python}, {said}\n{digest(root / 'pyproject.toml', tested)}\n{root}\n"
    last = venv / f"installed-{group}"
    if last.exists() and last.read_text(encoding="utf-8") == stamp:
        return
    print(f"Installing for a {group}: Python {python}, {said}.", flush=True)
    what = f"{root}[{','.join(EXTRAS[group])}]"
    # Stamps of other versions are not true any more. The new one is written last, so that an
    # installation that is cut off is taken up again.
    for earlier in stamps(venv):
        if earlier.read_text(encoding="utf-8") != stamp:
            earlier.unlink()
    run(str(interpreter(venv)), "-m", "pip", "install", "--quiet", *options, "--editable", what)
    for other, extras in EXTRAS.items():
        if set(extras) <= set(EXTRAS[group]):
            (venv / f"installed-{other}").write_text(stamp, encoding="utf-8")


def check(venv: Path) -> None:
    """Exit unless this may become, or is, an environment of this checkout's own."""
    if venv.is_symlink():
        sys.exit(".venv is a symbolic link, whose folder may serve others: remove the link first.")
    ours = not venv.exists() or (venv / "pyvenv.cfg").exists()
    if not ours and (not venv.is_dir() or any(venv.iterdir())):
        sys.exit(".venv is no environment of Python, and not empty: move it away first.")
    for stamp in stamps(venv):
        for made_in in stamp.read_text(encoding="utf-8").splitlines()[2:]:
            if made_in != str(venv.parent):
                sys.exit(f".venv was made in {made_in}, and serves that folder only: remove .venv.")


def stamps(venv: Path) -> list[Path]:
    """What says for whom something was installed: its versions, a digest of what asked for them,
    and the folder of the checkout.
    """
    return sorted(venv.glob("installed-*"))


def interpreter(venv: Path) -> Path:
    """The Python of an environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ask(venv: Path) -> dict[str, Any]:
    """An environment's "python", as "3.11", and the "versions" of all that is installed there."""
    command = [str(interpreter(venv)), "-c", ASK]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(".venv's Python does not run any more: say `make clean`, or remove .venv.")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run(*command: str) -> None:
    """Run a command, and exit with its status if it fails."""
    if status := subprocess.run(command).returncode:
        sys.exit(status)


def digest(*paths: Path) -> str:
    """Of the files' contents; one that does not exist is as good as empty."""
    texts = [path.read_bytes() if path.exists() else b"" for path in paths]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def write_versions(root: Path) -> Path:
    """Write constraints/ for .venv's Python; returns the file.

    Without what only this machine has: our own package, and labels such as +cpu of a build.
    """
    found = ask(root / ".venv")
    names = {re.sub(r"[-_.]+", "-", name).lower(): v for name, v in found["versions"].items()}
    names = {name: names[name] for name in names.keys() - {"nst", "pip"}}
    lines = [f"{name}=={names[name].partition('+')[0]}\n" for name in sorted(names)]
    path = root / "constraints" / f"{found['python']}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEADER.format(python=found["python"]) + "".join(lines), encoding="utf-8")
    return path


if __name__ == "__main__":
    main(sys.argv[1:])
