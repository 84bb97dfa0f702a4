"""What the command prints, to terminals, files and pipes that may not take it."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import IO, Any

CLOSED = 141  # as the shell says of a program whose reader has gone (128 + SIGPIPE)


class OutputError(Exception):
    """The output takes no more; `status` is the exit status, the message empty if it is 141."""

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


def print_line(line: str, stream: IO[str] | None = None) -> None:
    """Print a line about what is done by now: that it cannot be read is no error."""
    stream = stream or sys.stdout
    try:
        print(line, file=stream, flush=True)
    except OSError:
        mute(stream)


@contextmanager
def printing() -> Iterator[None]:
    """Within it standard output takes any character; afterwards all of it has been taken.

    Raises:
        OutputError: it is closed or full, or the system refuses something else.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # what a terminal's letters lack
    try:
        with heard():
            yield
        if sys.stdout:  # there is none where it was closed before the start
            sys.stdout.flush()
    except BrokenPipeError as error:
        mute(sys.stdout)
        raise OutputError("", CLOSED) from error
    except OSError as error:
        mute(sys.stdout)
        full = error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF)
        what = "the output cannot be written" if full else "the system refuses"
        raise OutputError(f"{what} ({error.strerror or error})", 2) from error


@contextmanager
def heard() -> Iterator[None]:
    """Within it there is a standard error, if only one that nobody reads."""
    if sys.stderr is not None:
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123
        yield


def mute(stream: Any) -> None:
    """Send what is still to come nowhere, so that Python has nothing to say about it at its end."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass  # it is no file
