"""Self-checks: they run a reader's function and say what is wrong with it.

    from nst import checks
    checks.gram(my_gram_matrix)

prints a tick, or raises a `Mistake` that names what went wrong. Of a stub, which still has its
`...`, it says what to do, and goes on. The right answers are this package's own functions; the
usual mistakes stand in the modules of this folder, by what there is to say of them.
"""

from nst.checks.claims import claim
from nst.checks.common import Mistake
from nst.checks.features import convolution, normalise, receptive_field
from nst.checks.gradients import descent, finite_difference
from nst.checks.installation import installation
from nst.checks.loop import loop, total_loss
from nst.checks.losses import content_loss, gram, style_loss, total_variation
from nst.checks.matrices import covariance, similarity
from nst.checks.normalisations import paper_style, relative_style

__all__ = [
    "Mistake",
    "claim",
    "content_loss",
    "convolution",
    "covariance",
    "descent",
    "finite_difference",
    "gram",
    "installation",
    "loop",
    "normalise",
    "paper_style",
    "receptive_field",
    "relative_style",
    "similarity",
    "style_loss",
    "total_loss",
    "total_variation",
]
