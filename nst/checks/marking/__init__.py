"""What the graded cells of the assignments are made of.

    with reload(marking).part("03_gram_matrices") as part:
        gram = part.function(globals(), "gram_matrix")
        x = marking.random(2, 3, 4, 5)
        part.equal(gram(x), marking.gram(x), "the values are wrong.")

A cell reloads this package, so that nothing counts that a notebook may have done to it. It uses
nothing of the library's losses and networks, computes right answers in NumPy, in float64, and
compares in plain Python. Inside `part` nothing is printed, warnings are ignored, seeds and torch's
switches are set: what a notebook prints, or has switched, changes no points.
"""

import sys

import numpy as np

# A reload begins with the package's modules, whatever has been written into them.
for _name in [name for name in sys.modules if name.startswith(f"{__name__}.")]:
    del sys.modules[_name]

from nst.checks.marking.answers import (  # noqa: E402
    kind,
    letters,
    lines_run,
    matrix,
    near,
    no_loop,
    numbers,
    single,
    verdict,
)
from nst.checks.marking.experiments import (  # noqa: E402
    alone,
    alternatives,
    brightness,
    check_settings,
    experiment,
    judge,
    plan,
    rows,
)
from nst.checks.marking.figures import Drawn  # noqa: E402
from nst.checks.marking.networks import (  # noqa: E402
    LAYERS,
    QUARTER,
    Bowl,
    Counted,
    Tiny,
    chain,
    chain_names,
    model,
    objective,
)
from nst.checks.marking.oracles import (  # noqa: E402
    adam,
    array,
    cosine,
    gram,
    gram_tensor,
    normalise,
    numerical_gradient,
    painter,
    pixels,
    products_tensor,
    random,
    recorder,
    safe_recorder,
    slope,
    style_gradient,
    style_tensor,
    variation,
    wrong_gradient,
)
from nst.checks.marking.parts import (  # noqa: E402
    Part,
    attempts,
    part,
)
from nst.checks.marking.passes import (  # noqa: E402
    SMALLEST,
    Tint,
    adain,
    conditional_norm,
    grams,
    instance_norm,
    instance_norm_tensor,
    painting_loss,
    photographs,
    refused,
    share,
    share_tensor,
    shares,
    standard,
)

__all__ = [
    "LAYERS",
    "QUARTER",
    "SMALLEST",
    "Bowl",
    "Counted",
    "Drawn",
    "Part",
    "Tint",
    "Tiny",
    "adain",
    "adam",
    "alone",
    "alternatives",
    "array",
    "attempts",
    "brightness",
    "chain",
    "chain_names",
    "check_settings",
    "conditional_norm",
    "cosine",
    "experiment",
    "gram",
    "gram_tensor",
    "grams",
    "instance_norm",
    "instance_norm_tensor",
    "judge",
    "kind",
    "letters",
    "lines_run",
    "matrix",
    "model",
    "near",
    "no_loop",
    "normalise",
    "np",
    "numbers",
    "numerical_gradient",
    "objective",
    "painter",
    "painting_loss",
    "part",
    "photographs",
    "pixels",
    "plan",
    "products_tensor",
    "random",
    "recorder",
    "refused",
    "rows",
    "safe_recorder",
    "share",
    "share_tensor",
    "shares",
    "single",
    "slope",
    "standard",
    "style_gradient",
    "style_tensor",
    "variation",
    "verdict",
    "wrong_gradient",
]
