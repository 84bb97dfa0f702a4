"""Time the kit against published implementations: make bench, or BENCH=full make bench.

Each row has our figure, the reference's and their ratio; less is better. They are taken in turn,
A B A B …, in one run; figures are medians, and a ratio is the median over the turns. Prints a table
and writes benchmarks/results.json and benchmarks/RESULTS.md. Where there is an NVIDIA GPU, the rows
on it come last, and go into a file by its name.
"""

import argparse
import json
import os
import platform
import re
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import torch
from bench_delivered import delivered, delivered_everywhere, published_runs
from bench_gpu import GPU
from bench_measure import Row
from bench_painters import any_style, flicker, one_pass, painted_start, worth
from bench_rows import (
    evaluations,
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

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
# Minutes on two cores; and what BENCH=full adds.
SHORT = (evaluations, whole_run, delivered, memory, start_up, fewer_steps, tiles)
LONG = (
    *(more_evaluations, more_memory, fewer_steps_everywhere, large_picture, many_runs),
    *(coarse_to_fine, large_structures, two_at_once),
    *(delivered_everywhere, published_runs),
    *(one_pass, worth, painted_start, any_style, flicker),
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
        "nst": package_version(),
        "date": date.today().isoformat(),
    }
    if torch.cuda.is_available():
        info["gpu"] = torch.cuda.get_device_name()
    return info


def package_version() -> str:
    """Nst's version, from pyproject.toml: on a lent machine the package may not be installed."""
    text = (FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8")
    return re.findall(r'^version = "(.+)"', text, re.M)[0]


def processor() -> str:
    """The processor's name; Linux tells it in a file only."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def markdown(results: Sequence[tuple[Mapping[str, object], Sequence[Row]]]) -> str:
    """The whole of RESULTS.md, from the rows of each machine."""
    lines = [
        "# Benchmark",
        "",
        "What `make bench` printed last. Less is better; figures are medians of at least five,",
        "taken in turn with the reference's, and a ratio is the median over the turns. On a GPU",
        "whole runs are medians of three, and a process's first runs of three processes;",
        "version 0.1's, memory, and agreement with float32 are measured once each. So are fewer",
        "steps, published runs, large structures, what is delivered and the picture of 12",
        "megapixels. From nst 0.2 on, the loss of a run is that of the",
        "picture handed back, in [0, 1] and with 256 levels, for us and for all others; before, it",
        "was that of the best step, whose pixels were free.",
    ]
    for info, rows in results:
        lines += ["", ", ".join(f"{name}: {value}" for name, value in info.items())]
        for section in dict.fromkeys(row.section for row in rows):
            lines += ["", f"## {section}", "", "| " + " | ".join(HEADINGS) + " |"]
            lines += ["|" + " --- |" * len(HEADINGS)]
            lines += [
                "| " + " | ".join(row.cells()) + " |" for row in rows if row.section == section
            ]
    if not any("gpu" in info for info, _ in results):
        lines += ["", "## On a GPU", "", "Not measured."]
    return "\n".join(lines) + "\n"


def write(rows: list[Row], info: Mapping[str, object], folder: Path, name: str = "results") -> None:
    """A machine's file, and RESULTS.md from those of all machines."""
    records = [asdict(row) | {"verdict": row.verdict} for row in rows]
    write_json(folder / f"{name}.json", {"machine": info, "rows": records})
    files = sorted(folder.glob("results*.json"), key=lambda path: path.stem)  # the CPU's first
    text = markdown([read(path) for path in files]).encode()
    write_atomically(folder / "RESULTS.md", lambda file: file.write(text))


def read(path: Path) -> tuple[Mapping[str, object], list[Row]]:
    """What `write` wrote for a machine."""
    saved = json.loads(path.read_text())
    records = [{k: v for k, v in row.items() if k != "verdict"} for row in saved["rows"]]
    return saved["machine"], [Row(**record) for record in records]


def among_others(found: list[Row], path: Path) -> list[Row]:
    """The rows, in the place of those of the same sections that lie in a machine's file."""
    sections: dict[str, list[Row]] = {}
    for row in read(path)[1] if path.is_file() else []:
        sections.setdefault(row.section, []).append(row)
    sections |= {row.section: [r for r in found if r.section == row.section] for row in found}
    return [row for rows in sections.values() for row in rows]


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="ROWS", help="such as evaluations memory")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the results")
    options = parser.parse_args(arguments)
    chosen = [*SHORT, *LONG] if os.environ.get("BENCH") == "full" else list(SHORT)
    info, place = machine(), [*GPU] if torch.cuda.is_available() else []
    if options.only:
        chosen = [rows for rows in (*SHORT, *LONG) if rows.__name__ in options.only]
        place = [rows for rows in place if rows.__name__ in options.only]
    began, failed = time.perf_counter(), []
    name = "results-" + str(info.get("gpu", "")).lower().replace(" ", "-")
    processor = {key: value for key, value in info.items() if key != "gpu"}
    for kinds, file, about in ((chosen, "results", processor), (place, name, info)):
        found: list[Row] = []
        for measure in kinds:
            try:
                for row in measure():
                    found.append(row)
                    print("  ".join(f"{cell:<18}" for cell in row.cells()), flush=True)
                    # After each, so that a cut loses little.
                    rows = (
                        among_others(found, options.out / f"{file}.json") if options.only else found
                    )
                    write(rows, about, options.out, file)
            except Exception:  # the other rows are worth having
                traceback.print_exc()
                failed.append(measure.__name__)
    print(f"{time.perf_counter() - began:.0f} s; {options.out.name}/RESULTS.md")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
