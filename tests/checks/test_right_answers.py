"""Right answers, each written in another way than the package's, pass their self-checks."""

import pytest
import test_checks
import test_checks_downhill
import test_checks_features
import test_checks_gradients
import test_checks_judging
import test_checks_measures
import test_checks_normalisations
import test_checks_of_assignments

from nst import checks

MODULES = (
    test_checks,
    test_checks_downhill,
    test_checks_features,
    test_checks_gradients,
    test_checks_judging,
    test_checks_measures,
    test_checks_normalisations,
    test_checks_of_assignments,
)

# What readers' functions are called, where it is not what the self-check is called.
NAMES = {
    checks.gram: "gram_matrix",
    checks.total_variation: "total_variation_loss",
    checks.wolfe: "good_enough",
    checks.denoising: "denoise",
    checks.relative_distance: "distance",
}


@pytest.mark.parametrize(
    ("check", "answers"),
    [(check, answers) for module in MODULES for check, *answers in module.RIGHT],
)
def test_right_answers_pass(check, answers, capsys):
    check(*answers)
    assert capsys.readouterr().out == f"✓ {NAMES.get(check, check.__name__)}\n"
