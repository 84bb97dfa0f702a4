"""The benchmark's rows on runs that share the cores: how much two hold each other up."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench_measure import Row, compare, in_turn

import nst

WINDOWS = 9
SHARES = 0.95, 0.45, 0.3  # of the speed of torch's default alone: what each case is to keep
SAID = "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"  # what nst says to torch's threads
DEFAULT = "torch's default, alone"
# Runs for as many seconds as it is told on a line, and answers with the seconds that a step took.
# Where torch comes first, nst says nothing to it any more.
RUNNER = """
import sys, time
{first}
import nst
def run(seconds):
    times = []
    def watch(step):
        times.append(time.perf_counter())
        return times[-1] - times[0] > seconds
    nst.style_transfer(
        "astronaut", "starry", sizes={size}, num_steps=100_000, device="cpu", progress=False,
        callback=watch,
    )
    return (times[-1] - times[0]) / (len(times) - 1)
for line in sys.stdin:
    print(run(float(line)), flush=True)
"""


class Runner:
    """A process that runs when it is told, and sleeps in between."""

    def __init__(self, size: int, ours: bool) -> None:
        code = RUNNER.format(first="" if ours else "import torch", size=size)
        root = str(Path(nst.__file__).parents[1])
        paths = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
        environment = {n: v for n, v in os.environ.items() if ours or n not in SAID}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=environment | {"PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # closes its input, at whose end it ends

    def begin(self, seconds: float) -> None:
        """Let it run for so long."""
        assert self.process.stdin
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def end(self) -> float:
        """Wait for it; the seconds that a step took."""
        assert self.process.stdout
        return float(self.process.stdout.readline())


def slowest(runners: Sequence[Runner], seconds: float, loop: bool = False) -> float:
    """Seconds a step of the slowest of these, which run at once; beside a busy loop, if told so."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"])] if loop else []
    for runner in runners:
        runner.begin(seconds)
    taken = [runner.end() for runner in runners]
    for process in busy:
        process.kill()
        process.wait()
    return max(taken)


def two_at_once(size: int = 256, seconds: float = 6.0, windows: int = WINDOWS) -> Iterator[Row]:
    """A step alone, beside another run, and beside another and a busy loop; windows in turn."""
    with ExitStack() as stack:
        default, one, other = (
            stack.enter_context(Runner(size, ours)) for ours in (False, True, True)
        )
        cases = {
            DEFAULT: partial(slowest, [default], seconds),
            "one alone": partial(slowest, [one], seconds),
            "two at once": partial(slowest, [one, other], seconds),
            "two and a busy loop": partial(slowest, [one, other], seconds, loop=True),
        }
        figures = in_turn(cases, windows)
    default_alone = figures.pop(DEFAULT)
    for (name, taken), share in zip(figures.items(), SHARES, strict=True):
        label = f"{name}, {size} px" + ", the slower's step" * name.startswith("two")
        pair = {"ours": taken, DEFAULT: default_alone}
        yield from compare("Two at once", label, "s", pair, {DEFAULT: 1 / share})
