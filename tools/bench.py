"""Time the kit against published implementations: make bench, or BENCH=full make bench.

Each row has our figure, the reference's and their ratio; less is better. They are taken in turn,
A B A B …, in one run; figures are medians, and a ratio is the median over the turns. Prints a table
and writes benchmarks/results.json and benchmarks/RESULTS.md.
"""

import argparse
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import torch
from bench_measure import Row
from bench_rows import (
    evaluations,
    gpu,
    memory,
    more_evaluations,
    more_memory,
    start_up,
    whole_run,
)
from bench_runs import (
    coarse_to_fine,
    fewer_steps,
    fewer_steps_everywhere,
    large_picture,
    large_structures,
    many_runs,
    tiles,
)
from bench_together import two_at_once

from nst.files import write_atomically, write_json

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
# Minutes on two cores; and what BENCH=full adds.
SHORT = (evaluations, whole_run, memory, start_up, fewer_steps, tiles, gpu)
LONG = (
    *(more_evaluations, more_memory, fewer_steps_everywhere, large_picture, many_runs),
    *(coarse_to_fine, large_structures, two_at_once),
)
HEADINGS = ["what", "against", "ours", "theirs", "ratio", "bar", ""]


def machine() -> dict[str, str | int]:
    """What the figures depend on, and nothing that tells whose machine it is."""
    info: dict[str, str | int] = {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
    }
    if torch.cuda.is_available():
        info["gpu"] = torch.cuda.get_device_name()
    return info


def processor() -> str:
    """The processor's name; Linux tells it in a file only."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def markdown(rows: Sequence[Row], info: Mapping[str, object]) -> str:
    """The whole of RESULTS.md."""
    lines = [
        "# Benchmark",
        "",
        "What `make bench` printed last. Less is better; figures are medians of at least five,",
        "taken in turn with the reference's, and a ratio is the median over the turns. Fewer",
        "steps, large structures and the picture of 12 megapixels are measured once each.",
        "",
        ", ".join(f"{name}: {value}" for name, value in info.items()),
    ]
    for section in dict.fromkeys(row.section for row in rows):
        lines += ["", f"## {section}", "", "| " + " | ".join(HEADINGS) + " |"]
        lines += ["|" + " --- |" * len(HEADINGS)]
        lines += ["| " + " | ".join(row.cells()) + " |" for row in rows if row.section == section]
    return "\n".join(lines) + "\n"


def write(rows: list[Row], info: Mapping[str, object], folder: Path) -> None:
    """results.json and RESULTS.md."""
    records = [asdict(row) | {"verdict": row.verdict} for row in rows]
    write_json(folder / "results.json", {"machine": info, "rows": records})
    text = markdown(rows, info).encode()
    write_atomically(folder / "RESULTS.md", lambda file: file.write(text))


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="ROWS", help="such as evaluations memory")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the results")
    options = parser.parse_args(arguments)
    chosen = [*SHORT, *LONG] if os.environ.get("BENCH") == "full" else list(SHORT)
    if options.only:
        chosen = [rows for rows in (*SHORT, *LONG) if rows.__name__ in options.only]
    found: list[Row] = []
    began = time.perf_counter()
    for measure in chosen:
        for row in measure():
            found.append(row)
            print("  ".join(f"{cell:<18}" for cell in row.cells()), flush=True)
        write(found, machine(), options.out)  # after each kind, so that a cut loses little
    print(f"{time.perf_counter() - began:.0f} s; {options.out.name}/RESULTS.md")


if __name__ == "__main__":
    main()
