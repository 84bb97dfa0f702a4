"""The command `nst grid`: a grid of runs from a file to a folder."""

import argparse
import sys
from pathlib import Path
from typing import Any

from nst.errors import SettingsError
from nst.experiments import grid

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EPILOG = """\
FILE is TOML. What is under [axes] is tried each with each, the last one along the columns;
alternatives are a list, or have labels:

  [fixed]
  content = "astronaut"
  sizes = [256, 512]
  [axes]
  style = ["starry", "waves"]
  [axes.style_layers]
  fine = ["relu1_1", "relu2_1"]
  coarse = ["relu4_1", "relu5_1"]

Names are those of nst.grid: any setting; content, style, preset; device, rebalance.

The folder gets cells/, contact_sheet.png, loss_curves.png and results.csv. Run the command again to
go on after an interruption: finished cells are kept, failed ones tried again.
"""


def paint_grid(*arguments: str) -> int:
    """Run the command; returns the exit status: 0, 1 if cells failed, 130 after Ctrl-C.

    Raises:
        SettingsError, ImageError: nothing was run.
    """
    options = grid_parser().parse_args(arguments)
    plots = load_plots()
    folder = options.output or Path(options.file.stem)
    experiment = grid(folder=folder, executor=options.executor, **read_grid(options.file))
    experiment.write_csv(folder / "results.csv")
    for name in ("contact_sheet", "loss_curves"):
        getattr(plots, name)(experiment).savefig(folder / f"{name}.png")
    print(f"{folder}: {experiment.summary()}")
    for cell in experiment.cells:
        if cell.error:
            print(f"  {', '.join(cell.labels.values())}: {cell.error}")
    if any(cell.reason == "not run" for cell in experiment.cells):
        return 130
    return int(any(cell.error for cell in experiment.cells))


def grid_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog="nst grid",
        description="Run every combination of some settings.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="the settings, fixed ones and axes")
    add("-o", "--output", type=Path, metavar="FOLDER", help="by default the file's name")
    add(
        "--executor",
        metavar="WHERE",
        help="processes:N, or dask://HOST:PORT of a scheduler; by default a process for each core",
    )
    return parser


def read_grid(path: Path) -> dict[str, Any]:
    """The arguments of `nst.grid` that a TOML file holds.

    Raises:
        SettingsError: it cannot be read, or is not [fixed] and [axes].
    """
    try:
        tables = tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"'{path}' cannot be read ({error.strerror}); check it") from error
    except ValueError as error:
        raise SettingsError(f"'{path}' is not TOML ({error}); see nst grid --help") from error
    fixed, axes = tables.get("fixed", {}), tables.get("axes", {})
    if set(tables) - {"fixed", "axes"} or not isinstance(fixed, dict) or not isinstance(axes, dict):
        raise SettingsError(
            f"'{path}' has tables other than [fixed] and [axes]; move all into them"
        )
    if options := (fixed | axes).keys() & {"folder", "executor", "progress"}:
        raise SettingsError(f"{min(options)} is no setting; see the options in nst grid --help")
    for name, alternatives in axes.items():
        if not isinstance(alternatives, list | dict):
            raise SettingsError(
                f"{name} is no list of alternatives; move it from [axes] to [fixed]"
            )
    if twice := fixed.keys() & axes.keys():
        raise SettingsError(
            f"{min(twice)} is under [fixed] and under [axes]; leave one of them out"
        )
    return {n: tuple(v) if isinstance(v, list) else v for n, v in fixed.items()} | axes


def load_plots() -> Any:
    """The module of figures, before there is anything to draw."""
    try:
        from nst import plots
    except ImportError as error:
        raise SettingsError("the figures need matplotlib: pip install 'nst[notebooks]'") from error
    return plots
