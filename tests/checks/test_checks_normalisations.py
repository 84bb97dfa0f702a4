"""Self-checks of the paper's and of the relative style loss."""

import pytest
import torch

import nst
from nst import checks
from nst.checks.common import Mistake


def equation_4(f, s, power=2, four=4.0):
    """As printed, in float64, with a loop over the pairs of channels."""
    f, s = (x[0].flatten(1).double() for x in (f, s))
    channels, positions = f.shape
    total = 0
    for i in range(channels):
        for j in range(channels):
            total = total + ((f[i] * f[j]).sum() - (s[i] * s[j]).sum()) ** 2
    return total / (four * channels**power * positions**power)


def share(f, s):
    gram = [torch.einsum("bihw,bjhw->ij", x, x) / x.numel() for x in (f, s)]
    return torch.nn.functional.mse_loss(*gram) / (gram[1] ** 2).mean()


RIGHT = [(checks.paper_style, equation_4), (checks.relative_style, share)]


@pytest.mark.parametrize(
    ("check", "answer", "remark"),
    [
        (checks.paper_style, lambda f, s: equation_4(f, s, four=1.0), "4 is missing"),
        (checks.paper_style, lambda f, s: equation_4(f, s, power=0, four=1.0), "nothing is div"),
        (checks.paper_style, lambda f, s: equation_4(f, s, power=1), "to be squared"),
        (
            checks.paper_style,
            lambda f, s: (
                (nst.gram_matrix(f) - nst.gram_matrix(s)).square().sum()
                / (4 * f.shape[1] ** 2 * (f.shape[2] * f.shape[3]) ** 2)
            ),
            "divided twice",
        ),
        (
            checks.paper_style,
            lambda f, s: nst.style_loss({"a": f}, {"a": s}, ["a"]),
            "other meaning",
        ),
        (
            checks.paper_style,
            lambda f, s: nst.style_loss({"a": f}, {"a": s}, ["a"]) / 4,
            "once too often",
        ),
        (
            checks.paper_style,
            lambda f, s: equation_4(f, s) * f.numel() ** 4,
            "in brackets",
        ),
        (checks.paper_style, lambda f, s: equation_4(f, s).detach(), "no gradient"),
        (checks.relative_style, lambda f, s: share(f, s) ** 0.5, "square root"),
        (checks.relative_style, lambda f, s: share(f, s) * 3, "factor"),
        (
            checks.relative_style,
            lambda f, s: (
                (nst.gram_matrix(f) - nst.gram_matrix(s)).square().sum()
                / (nst.gram_matrix(f) ** 2).sum()
            ),
            "picture's own",
        ),
        (
            checks.relative_style,
            lambda f, s: ((nst.gram_matrix(f) / nst.gram_matrix(s) - 1) ** 2).mean(),
            "entry by entry",
        ),
        (
            checks.relative_style,
            lambda f, s: ((nst.gram_matrix(f) / nst.gram_matrix(s) - 1) ** 2).sum(),
            "its own target",
        ),
    ],
)
def test_usual_mistakes_are_named(check, answer, remark):
    with pytest.raises(Mistake, match=remark):
        check(answer)
