"""The command `nst grid`: a grid of runs from a file to a folder."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from nst.cli.options import grid_parser
from nst.cli.output import print_line
from nst.cli.targets import WRITTEN, looked_at, spare
from nst.errors import SettingsError
from nst.files import expand, write_atomically
from nst.grids.experiments import grid

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def paint_grid(*arguments: str) -> int:
    """Run the command; returns the exit status: 0, 1 if cells failed, 130 after Ctrl-C.

    Raises:
        SettingsError, ImageError: nothing was run.
    """
    options = grid_parser().parse_args(arguments)
    plots = load_plots()
    folder = expand(options.output or Path(options.file.stem), SettingsError)
    given = read_grid(options.file)
    figures = {name: folder / f"{name}.png" for name in ("contact_sheet", "loss_curves")}
    for path in figures.values():
        spare(looked_at(given), path)
    experiment = grid(folder=folder, executor=options.executor, **given)
    WRITTEN.append(folder)
    experiment.write_csv(folder / "results.csv")
    for name, path in figures.items():
        figure = getattr(plots, name)(experiment)
        write_atomically(path, partial(figure.savefig, format="png"))
    print_line(f"{folder}: {experiment.summary()}")
    for cell in experiment.cells:
        if cell.error:
            print_line(f"  {', '.join(cell.labels.values())}: {cell.error}")
    if any(cell.reason == "not run" for cell in experiment.cells):
        return 130
    return int(any(cell.error for cell in experiment.cells))


def read_grid(path: Path) -> dict[str, Any]:
    """The arguments of `nst.grid` that a TOML file holds.

    Raises:
        SettingsError: it cannot be read, or is not [fixed] and [axes].
    """
    try:
        path = expand(path, SettingsError)
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"'{path}' cannot be read ({error.strerror}); check it") from error
    except (ValueError, RecursionError) as error:
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
