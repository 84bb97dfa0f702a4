"""Self-checks: they run a reader's function and say what is wrong with it.

    from nst import checks
    checks.gram(my_gram_matrix)

prints a tick, or raises a `Mistake` that names what went wrong. Of a stub, which still has its
`...`, it says what to do, and goes on. The right answers are this package's own functions; the
usual mistakes stand in the modules of this folder, by what there is to say of them.
"""

from nst.checks.claims import all_ran, claim
from nst.checks.colours import kept_colours, matched_colours
from nst.checks.common import Mistake
from nst.checks.distributions import (
    gaussian_distance,
    mean_std_distance,
    nearest_distance,
    sliced_distance,
)
from nst.checks.downhill import denoising, direction, stiffness, wolfe
from nst.checks.features import convolution, normalise, receptive_field
from nst.checks.gradients import descent, finite_difference
from nst.checks.installation import installation
from nst.checks.judging import style_left, surprise, undominated
from nst.checks.loop import loop, total_loss
from nst.checks.losses import content_loss, gram, style_loss, total_variation
from nst.checks.matrices import covariance, similarity
from nst.checks.measures import (
    gram_of_tiles,
    multiplications,
    psnr,
    rank_correlation,
    relative_distance,
)
from nst.checks.normalisations import paper_style, relative_style
from nst.checks.one_pass import adain, conditional_norm, instance_norm, training_step
from nst.checks.places import guided_gram, mask_at_layer

__all__ = [
    "Mistake",
    "adain",
    "all_ran",
    "claim",
    "conditional_norm",
    "content_loss",
    "convolution",
    "covariance",
    "denoising",
    "descent",
    "direction",
    "finite_difference",
    "gaussian_distance",
    "gram",
    "gram_of_tiles",
    "guided_gram",
    "installation",
    "instance_norm",
    "kept_colours",
    "loop",
    "mask_at_layer",
    "matched_colours",
    "mean_std_distance",
    "multiplications",
    "nearest_distance",
    "normalise",
    "paper_style",
    "psnr",
    "rank_correlation",
    "receptive_field",
    "relative_distance",
    "relative_style",
    "similarity",
    "sliced_distance",
    "stiffness",
    "style_left",
    "style_loss",
    "surprise",
    "total_loss",
    "total_variation",
    "training_step",
    "undominated",
    "wolfe",
]
