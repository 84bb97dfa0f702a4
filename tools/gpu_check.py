"""All that a GPU has to show, in five minutes: python tools/gpu_check.py [FOLDER [PART …]].

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
TOTAL = 285  # seconds; parts that would begin too late are left out
BENCH = [sys.executable, "tools/bench/bench.py", "--only"]
TESTS = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short"]
# The tests that need a GPU, and beside them those that do not.
ENGINE = [*TESTS, "-m", "not needs_gpu and not slow", "-n", "8", "tests"]
ENGINE += [f"--ignore=tests/{folder}" for folder in ("plots", "checks", "test_paint_styles.py")]
# Name, command, and the most seconds that it may take. What measures time or memory runs alone;
# what stands in one line runs side by side.
VARIANTS = [sys.executable, "tools/bench/gpu_variants.py", "{out}/variants.json"]
GROUPS = [
    [("evaluations", [*BENCH, "gpu_evaluations"], 70)],
    [("first runs and steps", [*BENCH, "gpu_steps", "gpu_first_runs"], 75)],
    [("memory", [*BENCH, "gpu_memory"], 75)],
    [
        ("tests", [*TESTS, "-m", "needs_gpu", "-n", "4", "tests"], 60),
        ("other tests", ENGINE, 60),
        ("agreement", [*BENCH, "gpu_agreement"], 40),
    ],
    [("runs", [*BENCH, "gpu_runs"], 60)],
    [("variants", VARIANTS, 60)],
]


class Part:
    """A command under way, what it prints in a file."""

    def __init__(self, name: str, command: list[str], folder: Path, seconds: float):
        self.name, self.began, self.seconds = name, time.monotonic(), seconds
        self.log = folder / f"{name.replace(' ', '-')}.log"
        command = [word.format(out=folder) for word in command]
        if "tools/bench/bench.py" in command:
            command += ["--out", str(folder)]  # each part's rows beside those before
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
    chosen = sys.argv[2:] or [name for group in GROUPS for name, *_ in group]
    for group in GROUPS:
        group = [part for part in group if part[0] in chosen]
        left = TOTAL - (time.monotonic() - began)
        if left < 10:
            found += [{"part": name, "status": "not begun", "seconds": 0} for name, *_ in group]
            continue
        under_way = [Part(name, command, folder, min(most, left)) for name, command, most in group]
        found += [part.wait() for part in under_way]
        parts += under_way
        (folder / "parts.json").write_text(json.dumps(found, indent=1))
    for part in parts:
        print(f"===== {part.name}\n{part.last(40 if part.name == 'variants' else 22)}")
    for line in found:
        print(f"{line['part']:<24} {line['seconds']:>6} s  {line['status']}")
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
