"""All that a GPU has to show, in under four minutes: python tools/gpu_check.py [FOLDER].

Each part is a process with a time limit, so that none can take the others' turn. What it prints
goes into a file in FOLDER ($OUT, or outputs/gpu); a short table is printed last. With a copy of
version 0.1 in .gpubase, what is measured in milliseconds is measured of that too.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOTAL = 222  # seconds; parts that would begin too late are left out
BENCH = [sys.executable, "tools/bench/bench.py", "--only"]
TESTS = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short"]
# Name, command, and the most seconds that it may take; those that measure time run alone.
PARTS = [
    ("evaluations and steps", [*BENCH, "gpu_evaluations", "gpu_steps"], 55),
    ("variants", [sys.executable, "tools/gpu_variants.py", "{out}/variants.json"], 40),
    ("runs", [*BENCH, "gpu_runs"], 65),
    ("agreement", [*BENCH, "gpu_agreement"], 25),
    ("tests", [*TESTS, "-m", "needs_gpu", "-n", "4", "tests"], 75),
    ("memory", [*BENCH, "gpu_memory"], 60),
]
# The tests that need none run beside the last parts, which measure no time.
ENGINE = [*TESTS, "-m", "not needs_gpu and not slow", "-n", "10", "tests"]
ENGINE += [f"--ignore=tests/{folder}" for folder in ("plots", "checks", "test_paint_styles.py")]


class Part:
    """A command under way, what it prints in a file."""

    def __init__(self, name: str, command: list[str], folder: Path, seconds: float):
        self.name, self.began, self.seconds = name, time.monotonic(), seconds
        self.log = folder / f"{name.replace(' ', '-')}.log"
        command = [word.format(out=folder) for word in command]
        if "tools/bench/bench.py" in command:
            command += ["--out", str(folder / name.replace(" ", "-"))]
            (folder / name.replace(" ", "-")).mkdir(exist_ok=True)
        paths = [str(ROOT), str(ROOT / "tools" / "bench"), os.environ.get("PYTHONPATH", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> dict[str, object]:
        """Until it ends, or its time is over."""
        left = self.seconds - (time.monotonic() - self.began)
        try:
            status: object = self.process.wait(max(left, 0.1))
        except subprocess.TimeoutExpired:
            status = "time is over"
            self.process.send_signal(signal.SIGINT)  # so that pytest says what it has found
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(4)
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # its children too
            self.process.wait()
        spent = time.monotonic() - self.began
        return {"part": self.name, "status": status, "seconds": round(spent, 1)}

    def last(self, lines: int) -> str:
        """The end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def main() -> None:
    """Run the parts in turn; print what they found."""
    given = sys.argv[1] if sys.argv[1:] else os.environ.get("OUT", ROOT / "outputs" / "gpu")
    folder, began = Path(given).resolve(), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, object]] = []
    parts: list[Part] = []
    engine = None
    for name, command, seconds in PARTS:
        left = TOTAL - (time.monotonic() - began)
        if left < 10:
            found.append({"part": name, "status": "not begun", "seconds": 0})
            continue
        if name == "tests":
            engine = Part("other tests", ENGINE, folder, left)
            parts.append(engine)
        part = Part(name, command, folder, min(seconds, left))
        parts.append(part)
        found.append(part.wait())
        (folder / "parts.json").write_text(json.dumps(found, indent=1))
    if engine:
        found.append(engine.wait())
    for part in parts:
        print(f"===== {part.name}\n{part.last(40 if part.name == 'variants' else 22)}")
    for line in found:
        print(f"{line['part']:<24} {line['seconds']:>6} s  {line['status']}")
    (folder / "parts.json").write_text(json.dumps(found, indent=1))
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
