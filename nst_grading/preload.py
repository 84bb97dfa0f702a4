"""Imported once, by the server from which workers are forked: it saves each of them 5 seconds.

Nothing of `nst` is among it: submissions' processes are forked from workers.
"""

# ruff: noqa: E402, what is set has to be set before
import os
import sys

os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # or the debugger warns as it loads
# jsonschema, which nbformat brings, would build the grammar of web addresses for a second.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import contextlib
import gc

import ipykernel.debugger
import ipykernel.kernelapp  # noqa: F401
import nbformat.validator
import nbgrader.preprocessors  # noqa: F401
import PIL.Image
import safetensors.torch  # noqa: F401
import skimage.data  # noqa: F401
import stack_data  # noqa: F401
import torchvision.models.feature_extraction  # noqa: F401
from sqlalchemy.orm import configure_mappers

import nst_grading.kernels  # noqa: F401

with contextlib.suppress(ImportError):
    import matplotlib.pyplot  # noqa: F401

# What reading a notebook, its gradebook and a picture would set up anew in each.
PIL.Image.init()
configure_mappers()
for minor in (4, 5):
    nbformat.validator.get_validator(4, minor)

# All of it stays. Where the garbage collector looks through it, each process copies it first.
gc.freeze()
