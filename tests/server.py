"""The process from which tests fork others, on Linux: it has loaded torch, Matplotlib and Jupyter.

A fresh process loads them for three seconds. What is tested, nst itself, each loads anew.
"""

import multiprocessing
import sys
from multiprocessing import forkserver

LOADED = ["nst_grading.preload", "anywidget", "scipy.stats", "skimage.color", "skimage.metrics"]


def running():
    """Whether processes can be forked from it here; starts it, if it does not run yet."""
    if sys.platform != "linux":
        return False
    multiprocessing.get_context("forkserver").set_forkserver_preload(LOADED)
    forkserver.ensure_running()
    return True
