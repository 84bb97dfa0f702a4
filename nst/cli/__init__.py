"""The command line: `nst CONTENT STYLE -o out.png`, also as `python -m nst`."""

from nst.cli.commands import main

__all__ = ["main"]
