"""Runs `nst` many times, each time in a fork of this process, which loads it once.

    python forked.py CASES    a list in JSON of [arguments, output, errors]; prints for each
                              [status, what came to the output and to errors where they are heard]

A fork ends as a program does, so what Python says when it flushes its streams is heard.
"""

import gc
import json
import os
import sys
import tempfile

from nst.cli import main


def gone():
    """A pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def run(arguments, output, errors):
    """The exit status, and what came to the two streams where they are heard."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as wrong:
        child = os.fork()
        if not child:
            lead(1, output, said)
            lead(2, errors, wrong)
            sys.exit(main(arguments))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return status, read(said), read(wrong)


def lead(stream, where, file):
    """Let a stream of this process, by its number, lead where the case says."""
    if where == "closed":
        os.close(stream)
        sys.stdout = None  # as it is where Python starts so
    else:
        places = {"full": lambda: os.open("/dev/full", os.O_WRONLY), "gone": gone}
        os.dup2(places.get(where, file.fileno)(), stream)


def read(file):
    """All that was written to it."""
    file.seek(0)
    return file.read().decode()


gc.freeze()  # or each fork copies all that is loaded when it looks for garbage
print(json.dumps([run(*case) for case in json.loads(sys.argv[1])]))
