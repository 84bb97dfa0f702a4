"""Neural style transfer, small enough to read whole.

A picture goes through these modules in order: images, networks, features, losses, settings,
objective, optimizers, loop, transfer. They rest on errors, devices and cache, and on seven folders:
files (what is read and written), kernels (what a GPU computes its own way), statistics (what counts
as a style), control (colours and regions), hardware (large pictures and GPUs), painters (networks
that paint in one pass) and runs (what a run gives back, and how it is kept). Above them stand
judges (how good a painting is), grids (many runs), plots, checks, widgets and cli. Each imports
only those below it. The grader of the problem sets is a package of its own, nst_grading.
"""

import os

# Threads of torch that wait for their next share of work spin for milliseconds, and hold up whoever
# shares the cores: another run, a browser. So they soon go to sleep. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "4000")

from nst.control import load_mask, transfer_colours
from nst.errors import ImageError, NstError, SettingsError, WeightsError
from nst.features import extract_features, layer_table
from nst.grids.experiments import Experiment, grid
from nst.hardware.allocator import hand_back_memory
from nst.images import (
    load_image,
    open_image,
    postprocess_image,
    preprocess_image,
    read_settings,
    sample_names,
    save_image,
)
from nst.loop import Step
from nst.losses import content_loss, gram_matrix, style_loss, total_variation_loss
from nst.networks import load_network
from nst.objective import Objective
from nst.painters import load_painter, paint
from nst.runs.results import Result
from nst.settings import PRESETS, Settings, make_settings
from nst.transfer import reconstruct_content, resume, style_transfer, synthesize_texture

__all__ = [
    "PRESETS",
    "Experiment",
    "ImageError",
    "NstError",
    "Objective",
    "Result",
    "Settings",
    "SettingsError",
    "Step",
    "WeightsError",
    "content_loss",
    "extract_features",
    "gram_matrix",
    "grid",
    "layer_table",
    "load_image",
    "load_mask",
    "load_network",
    "load_painter",
    "make_settings",
    "open_image",
    "paint",
    "postprocess_image",
    "preprocess_image",
    "read_settings",
    "reconstruct_content",
    "resume",
    "sample_names",
    "save_image",
    "style_loss",
    "style_transfer",
    "synthesize_texture",
    "total_variation_loss",
    "transfer_colours",
]

hand_back_memory()
