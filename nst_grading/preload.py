"""Imported once, by the server from which workers are forked: it saves each of them 5 seconds.

Nothing of `nst` is among it: submissions' processes are forked from workers.
"""

import os

os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")

import contextlib

import ipykernel.kernelapp  # noqa: F401
import nbgrader.preprocessors  # noqa: F401
import safetensors.torch  # noqa: F401
import skimage.data  # noqa: F401
import torchvision.models.feature_extraction  # noqa: F401

import nst_grading.kernels  # noqa: F401

with contextlib.suppress(ImportError):
    import matplotlib.pyplot  # noqa: F401
