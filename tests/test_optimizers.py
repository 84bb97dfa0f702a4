"""Our L-BFGS against torch's, against the secant equation, and where the two differ."""

import pytest
import torch

from nst import make_settings
from nst.optimizers import LBFGS, LONGEST_STEP, apply_inverse_hessian, make_optimizer


def quadratic(seed=0, size=12):
    """Gradient of a convex parabola over a picture of 1×3×2×2, whose minimum lies at 0.5."""
    generator = torch.Generator().manual_seed(seed)
    root = torch.randn(size, size, generator=generator, dtype=torch.float64)
    matrix = root @ root.T + torch.eye(size, dtype=torch.float64)
    return lambda x: ((x.flatten() - 0.5) @ matrix).view_as(x)


def iterates(optimizer, image, gradient, steps):
    pictures = []
    for _ in range(steps):
        image.grad = gradient(image.detach())
        optimizer.step(lambda: 0.0)
        pictures.append(image.detach().clone())
    return pictures


def start():
    image = torch.full((1, 3, 2, 2), 0.45, dtype=torch.float64)
    image += 0.01 * torch.arange(12).view_as(image)
    return image.requires_grad_()


@pytest.mark.parametrize("history", [3, 100])
def test_it_takes_the_same_steps_as_torchs(history):
    image, theirs = start(), start()
    torchs = torch.optim.LBFGS(
        [theirs], max_iter=1, history_size=history, tolerance_grad=0, tolerance_change=0
    )
    ours = iterates(LBFGS(image, history=history), image, quadratic(), 20)
    expected = iterates(torchs, theirs, quadratic(), 20)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours[-1], torch.full_like(ours[-1], 0.5), rtol=0, atol=1e-2)


def test_the_inverse_hessian_maps_the_last_change_to_the_last_step():
    generator = torch.Generator().manual_seed(1)
    gradient, pairs = quadratic(), []
    for _ in range(4):
        step = torch.randn(12, generator=generator, dtype=torch.float64)
        change = gradient(step + 0.5) - gradient(torch.full_like(step, 0.5))
        pairs.append([step, change, step @ change])
    step, change, _ = pairs[-1]
    torch.testing.assert_close(apply_inverse_hessian(change, pairs), step)


def test_no_pixel_moves_further_than_allowed():
    image = start()
    optimizer = LBFGS(image, learning_rate=1000.0)
    before = image.detach().clone()
    for after in iterates(optimizer, image, quadratic(), 10):
        assert (after - before).abs().max() <= LONGEST_STEP + 1e-12
        before = after


def test_it_gets_off_a_hill():
    """Where the loss curves downwards no parabola fits, and the steps must still grow."""
    image = start()
    iterates(LBFGS(image), image, lambda x: -quadratic()(x), 12)
    assert (image - 0.5).abs().max() > 1


def test_it_does_not_stop_where_torchs_would():
    """A loss of 1e-9 is no reason to stand still."""
    image = start()
    pictures = iterates(LBFGS(image), image, lambda x: 1e-9 * quadratic()(x), 30)
    assert (pictures[-1] - 0.5).abs().max() < 1e-2


def test_adam_is_torchs():
    optimizer = make_optimizer(start(), make_settings(optimizer="adam", learning_rate=0.3))
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 0.3
