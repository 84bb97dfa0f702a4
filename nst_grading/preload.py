"""Imported once, by the server from which workers are forked: it saves each of them 5 seconds."""

import os

os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")

import contextlib

import ipykernel.kernelapp  # noqa: F401
import nbgrader.preprocessors  # noqa: F401
import skimage.data  # noqa: F401

with contextlib.suppress(ImportError):
    import matplotlib.font_manager  # noqa: F401
