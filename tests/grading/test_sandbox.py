"""What a student's code can do: nothing outside its own folder, and no more than its share."""

import json
import multiprocessing
import os
import re
import shutil
import socket
import sys
import types
from pathlib import Path

import psutil
import pytest
from tiny_set import FULL, ZERO, hand_in

import nst
from nst_grading import Limits, grade_notebooks, sandbox
from nst_grading.sandbox.visible import visible

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]


def test_without_namespaces_python_is_watched(tmp_path, monkeypatch):
    """As on macOS."""
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    (other / "secret.txt").write_text("secret")
    (own / "link").symlink_to(other)
    attempts = {
        "reads": lambda: (other / "secret.txt").read_text(),
        "follows": lambda: (own / "link" / "secret.txt").read_text(),
        "lists": lambda: list(other.iterdir()),
        "writes": lambda: (tmp_path / "new.txt").write_text(""),
        "removes": lambda: shutil.rmtree(other),
        "kills": lambda: os.kill(os.getppid(), 0),
        "calls": lambda: socket.create_connection(("127.0.0.1", 9), 1),
        "works": lambda: (own / "mine.txt").write_text("") or Path(nst.__file__).read_text()[:0],
    }

    def shut_in(pipe):
        missing = sandbox.enter(own, [], Limits(), visible())
        for attempt in attempts.values():
            try:
                pipe.send(attempt())
            except PermissionError as error:
                pipe.send(str(error))
        pipe.send(missing)

    monkeypatch.setattr(sandbox, "isolate", refuse)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=shut_in, args=(theirs,))
    process.start()
    said = {name: ours.recv() for name in attempts}
    assert ours.recv() == [sandbox.NAMESPACES_MISSING]
    process.join()
    assert all("sees its own folder" in said[name] for name in ("reads", "follows", "lists"))
    assert "own folder" in said["writes"]
    assert "own folder" in said["removes"] and "other processes" in said["kills"]
    assert "no network" in said["calls"] and said["works"] == ""


def test_packages_are_seen_where_they_were_installed_and_others_not(tmp_path, monkeypatch):
    for name in ("torch", "stray"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        sys.modules[name].__path__ = [str(tmp_path / name)]
        (tmp_path / name).mkdir()
    seen = visible()
    assert tmp_path / "torch" in seen and tmp_path / "stray" not in seen


def refuse(*_):
    raise OSError("no namespaces")


HOSTILE = {
    "loop": "while True:\n    pass",
    "stubborn": "while True:\n    try:\n        while True:\n            pass\n"
    "    except BaseException:\n        pass",
    "leaves": "import os\nos._exit(0)",
    "crash": "import ctypes\nctypes.string_at(0)",
    "deletes": "import os, shutil\n[shutil.rmtree(p, True) for p in (os.environ['HOME'], '/')]",
    "writes": "open('big', 'wb').write(b'0' * 10**9)",
    "pieces": "import time\nfor n in range(15):\n"
    "    open(f'{n}', 'wb').write(b'0' * 15 * 10**6)\ntime.sleep(60)",
    "grows": "keep = bytearray(5 * 10**9)",
    "floods": "for _ in range(3000):\n    print('x' * 10**5)",
    "calls": "import socket\nsocket.create_connection(('127.0.0.1', PORT), 5)",
    "shell": "import os\nassert os.system('bash -c \"echo > /dev/tcp/127.0.0.1/PORT\"') == 0",
    "kills": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "reads": "import glob\n[open(p).read() for p in glob.glob('SOURCES/**/*', recursive=True)]"
    "\nassert glob.glob('SOURCES/*')",
    "peeks": "import pathlib\nassert list(pathlib.Path('SUBMISSIONS').iterdir())",
    "child": "import subprocess\nsubprocess.Popen(['sleep', '5317'], start_new_session=True)",
}
# What would be a way out of the room; the repository and the teacher's own files are not in it.
SEALED = {
    "repository": "assert os.path.exists('REPOSITORY/tests') or os.path.exists('REPOSITORY/.git')",
    "home": "assert [n for n in os.listdir('HOME') if os.path.isfile(f'HOME/{n}')]",
    "library": "open(torch.__file__, 'a')",
    "remounts": "assert os.system(f'mount -o remount,bind,rw {os.path.dirname(torch.__file__)}') "
    "== 0 or not open(torch.__file__, 'a')",
    "unmounts": "import ctypes\nassert any(ctypes.CDLL(None).umount2(line.split()[1].encode(), 2)"
    " == 0 for line in open('/proc/mounts') if line.split()[1] != '/')",
    "system": "open('/proc/sys/kernel/core_pattern', 'w')",
    "link": "os.symlink('SOURCES', 'there')\nassert os.listdir('there')",
}
HOSTILE |= {name: f"import os, torch\n{code}" for name, code in SEALED.items()}


@pytest.mark.slow
def test_hostile_submissions_are_contained_and_the_others_graded(source, tmp_path):
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    submissions = {}
    for name, code in HOSTILE.items():
        code = code.replace("PORT", str(server.getsockname()[1]))
        code = code.replace("SOURCES", str(source.parent.parent))
        code = code.replace("SUBMISSIONS", str(tmp_path))
        code = code.replace("REPOSITORY", str(ROOT)).replace("HOME", str(Path.home()))
        submissions[name] = tmp_path / f"{name}.ipynb"
        hand_in(submissions[name], source, ZERO, extra=code)
    submissions["good"] = tmp_path / "good.ipynb"
    hand_in(submissions["good"], source)
    before = sorted(tmp_path.iterdir())
    limits = Limits(cell_seconds=8, seconds=40, memory_mb=3000, file_mb=100)
    with server:
        reports = grade_notebooks(submissions, source, limits=limits, jobs=2)
        with pytest.raises(TimeoutError):  # nobody has called
            server.accept()
    assert reports["good"].points == FULL
    assert not [r.student for r in reports.values() if r.failure]
    assert all(report.points["gram-test"] == 0 for n, report in reports.items() if n != "good")
    for name in ("leaves", "stubborn", "crash"):  # their notebook ends there
        assert reports[name].total == 0 and "was ended in cell 3" in reports[name].remarks[-1]
    on = ("loop", "writes", "pieces", "grows", "calls", "child", *SEALED)  # theirs goes on
    messages = {name: reports[name].messages.get("double-test") for name in on}
    assert messages == dict.fromkeys(on)
    said = {name: errors_of(reports[name]) for name in HOSTILE}
    assert "CellTimeoutError" in said["loop"]
    assert "File too large" in said["writes"] and "MemoryError" in said["grows"]
    assert "no network" in said["calls"]
    assert len(json.dumps(reports["floods"].notebook)) < 4_000_000
    assert sorted(tmp_path.iterdir()) == before and source.exists()
    if not reports["good"].missing:  # namespaces
        for name in ("shell", "reads", "peeks", "pieces", *SEALED):
            assert re.search("AssertionError|FileNotFoundError|OSError", said[name]), name
        running = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        assert not [command for command in running if "5317" in command]


def errors_of(report):
    """The errors in the notebook, as text."""
    outputs = [o for c in report.notebook["cells"] for o in c.get("outputs", [])]
    return "; ".join(f"{o.ename}: {o.evalue}" for o in outputs if o.output_type == "error")
