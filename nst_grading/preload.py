"""Imported once, by the server from which workers are forked: it saves each of them 5 seconds.

Nothing of `nst` is among it: submissions' processes are forked from workers.
"""

import os

os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")

import contextlib

import ipykernel.kernelapp  # noqa: F401
import nbformat.validator
import nbgrader.preprocessors  # noqa: F401
import safetensors.torch  # noqa: F401
import skimage.data  # noqa: F401
import torchvision.models.feature_extraction  # noqa: F401
from sqlalchemy.orm import configure_mappers

import nst_grading.kernels  # noqa: F401

with contextlib.suppress(ImportError):
    import matplotlib.pyplot  # noqa: F401

# What reading a notebook and its gradebook would set up anew in each.
configure_mappers()
for minor in (4, 5):
    nbformat.validator.get_validator(4, minor)
