"""Runs `nst` many times, each time in a fork of this process, which loads it once.

    python forked.py CASES    a list in JSON of [arguments, output, errors]; prints [status, heard]

A fork ends as a program does, so what Python says when it flushes its streams is heard.
"""

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
    """The exit status, and what came to standard error where that is heard."""
    with tempfile.TemporaryFile() as file:
        places = {"full": os.open("/dev/full", os.O_WRONLY), "gone": gone(), "heard": file.fileno()}
        child = os.fork()
        if not child:
            os.dup2(places[output], 1)
            os.dup2(places[errors], 2)
            sys.exit(main(arguments))
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        file.seek(0)
        return status, file.read().decode()


print(json.dumps([run(*case) for case in json.loads(sys.argv[1])]))
