"""Which command was meant, and those that only print."""

import sys
from collections.abc import Sequence

from nst.cli.grid import paint_grid
from nst.cli.options import parse_transfer
from nst.cli.output import OutputError, print_line, printing
from nst.cli.paint import paint
from nst.cli.painters import paint_in_one_pass, train_a_painter
from nst.cli.targets import WRITTEN, so_far
from nst.devices import is_full
from nst.errors import NstError, SettingsError
from nst.features import layer_table
from nst.images import sample_names
from nst.networks import load_network
from nst.settings import PRESETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status.

    0; 1 if cells of a grid failed or a run diverged at once; 2 for an error; 130 after Ctrl-C; 141
    if whoever read the output has gone.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    WRITTEN.clear()
    try:
        with printing():
            return run(arguments)
    except NstError as error:
        say(str(error))
        return 2
    except OutputError as error:
        if str(error):
            say(str(error))
        return error.status
    except KeyboardInterrupt:
        say(f"interrupted; {so_far()}")
        return 130
    except (MemoryError, RuntimeError) as error:
        if not is_full(error):
            raise
        say(f"memory is full; {so_far()}; take a smaller size or --memory-limit")
        return 2


def run(arguments: list[str]) -> int:
    """Do what the arguments ask for; returns the exit status."""
    commands = {"samples": print_samples, "layers": print_layers, "presets": print_presets}
    if arguments[:1] == ["grid"]:
        return paint_grid(*arguments[1:])
    if arguments[:1] == ["paint"]:
        return paint_in_one_pass(arguments[1:])
    if arguments[:1] == ["train"]:
        return train_a_painter(arguments[1:])
    if arguments and arguments[0] in commands:
        if len(arguments) > 1 + (arguments[0] == "layers"):
            raise SettingsError("nst layers takes one network, samples and presets nothing")
        commands[arguments[0]](*arguments[1:])
        return 0
    return paint(parse_transfer(arguments))


def say(line: str) -> None:
    """One sentence for a person, if there is anybody to read it."""
    print_line(f"nst: {line}", sys.stderr)


def print_samples() -> None:
    """The sample pictures' names."""
    for kind, names in sample_names().items():
        print(f"{kind}: {' '.join(names)}")


def print_layers(network: str = "vgg19_quarter") -> None:
    """A network's layer table, which needs no trained weights."""
    table = layer_table(load_network(network, weights="random"))
    print(f"{'layer':28}{'channels':>9}{'stride':>8}{'sees':>6}{'parameters':>12}{'smallest':>10}")
    for row in table:
        name, *numbers = ("-" if value is None else value for value in row)
        widths = (9, 8, 6, 12, 10)
        cells = (f"{value:>{w}}" for value, w in zip(numbers, widths, strict=True))
        print(f"{name:28}{''.join(cells)}")


def print_presets() -> None:
    """The presets' names and what they reproduce."""
    for name, preset in PRESETS.items():
        print(f"{name:18}{preset.note}")
    print("All run on the built-in network; the published ones used VGG-19: --network vgg19.")
