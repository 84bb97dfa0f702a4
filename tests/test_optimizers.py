"""Our L-BFGS against torch's, against the secant equation, and the faster against the plain one."""

import pytest
import torch

from nst import make_settings, optimizers
from nst.optimizers import (
    LBFGS,
    LONGEST_STEP,
    PlainLBFGS,
    Spectrum,
    apply_inverse_hessian,
    inverse_hessian_product,
    make_optimizer,
    nothing_known,
    remember,
)


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
    ours = iterates(PlainLBFGS(image, history=history), image, quadratic(), 20)
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


BOTH = pytest.mark.parametrize("kind", [LBFGS, PlainLBFGS])


@BOTH
def test_no_pixel_moves_further_than_allowed(kind):
    image = start()
    optimizer = kind(image, learning_rate=1000.0)
    before = image.detach().clone()
    for after in iterates(optimizer, image, quadratic(), 10):
        assert (after - before).abs().max() <= LONGEST_STEP + 1e-12
        before = after


@BOTH
def test_it_gets_off_a_hill(kind):
    """Where the loss curves downwards no parabola fits, and the steps must still grow."""
    image = start()
    iterates(kind(image), image, lambda x: -quadratic()(x), 12)
    assert (image - 0.5).abs().max() > 1


@BOTH
def test_it_does_not_stop_where_torchs_would(kind):
    """A loss of 1e-9 is no reason to stand still."""
    image = start()
    pictures = iterates(kind(image), image, lambda x: 1e-9 * quadratic()(x), 40)
    assert (pictures[-1] - 0.5).abs().max() < 1e-2


def test_in_white_coordinates_and_unstretched_it_takes_the_plain_steps(monkeypatch):
    monkeypatch.setattr(optimizers, "EXPONENT", 0.0)
    monkeypatch.setattr(optimizers, "STRETCH", 1.0)
    image, plain = start(), start()
    ours = iterates(LBFGS(image, history=5), image, quadratic(), 20)
    expected = iterates(PlainLBFGS(plain, history=5), plain, quadratic(), 20)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)


def test_both_converge_to_the_same_picture():
    pictures = []
    for kind in (LBFGS, PlainLBFGS):
        image = start()
        pictures.append(iterates(kind(image, history=30), image, quadratic(), 60)[-1])
    torch.testing.assert_close(pictures[0], torch.full((1, 3, 2, 2), 0.5).double())
    torch.testing.assert_close(pictures[0], pictures[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("history", [3, 8])
def test_the_matrix_products_are_the_two_loops(monkeypatch, history):
    """Also when the memory is full, and when a pair that does not fit takes a row of it."""
    monkeypatch.setattr(optimizers, "STRETCH", 1.0)
    generator = torch.Generator().manual_seed(2)
    random = lambda: torch.randn(12, generator=generator, dtype=torch.float64)  # noqa: E731
    state, pairs = nothing_known(random(), history), []
    remember(state, random())
    state["gradient"] = random()
    for number in range(12):
        step = random() * 10.0 ** (-number / 3)
        change = quadratic()(step + 0.5).flatten() * (-1 if number == 6 else 1)
        gradient = state["gradient"] + change
        state["move"] = step
        along = remember(state, gradient)
        state["gradient"] = gradient
        pairs.append(None if number == 6 else [step, change, step @ change])
        known = [pair for pair in pairs[-history:] if pair]
        expected = apply_inverse_hessian(gradient, known)
        torch.testing.assert_close(inverse_hessian_product(state, gradient, along), expected)


@pytest.mark.parametrize("shape", [(6, 8), (7, 8), (6, 9), (5, 7), (1, 4)])
def test_the_spectrum_is_a_change_of_coordinates(shape):
    generator = torch.Generator().manual_seed(3)
    a, b = torch.randn(2, 1, 3, *shape, generator=generator, dtype=torch.float64)
    spectrum = Spectrum(a)
    there = spectrum.analyse(a)
    # The transpose: <Tᵀ a, Tᵀ b> = <a, T Tᵀ b>.
    product = (a * spectrum.synthesise(spectrum.analyse(b))).sum()
    torch.testing.assert_close(there @ spectrum.analyse(b), product)
    # A wave of frequency f is scaled by f^-0.8 on its way there and back, here with f = 1/4.
    wave = torch.cos(torch.arange(shape[1]).double() * torch.pi / 2).expand(1, 3, *shape)
    if shape[1] % 4 == 0:
        back = spectrum.synthesise(spectrum.analyse(wave))
        torch.testing.assert_close(back, wave * 0.25 ** (-2 * optimizers.EXPONENT))


def test_adam_is_torchs():
    optimizer = make_optimizer(start(), make_settings(optimizer="adam", learning_rate=0.3))
    assert isinstance(optimizer, torch.optim.Adam)
    assert optimizer.param_groups[0]["lr"] == 0.3


def test_the_settings_name_the_optimiser():
    assert type(make_optimizer(start(), make_settings())) is LBFGS
    assert type(make_optimizer(start(), make_settings("gatys2016"))) is PlainLBFGS
