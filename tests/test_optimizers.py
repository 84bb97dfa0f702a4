"""Our L-BFGS against torch's, against the secant equation, and the faster one against BFGS."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from nst import make_settings
from nst.optimizers import (
    LBFGS,
    Adam,
    Guess,
    PlainLBFGS,
    apply_inverse_hessian,
    lbfgs,
    make_optimizer,
)
from nst.optimizers import plain as plain_lbfgs
from nst.optimizers.bounds import LONGEST_STEP
from nst.optimizers.guess import FADE, FALL, TRUST
from nst.optimizers.lbfgs import learn, nothing_known

FREE = (-math.inf, math.inf)


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
def test_it_takes_the_same_steps_as_torchs(monkeypatch, history):
    """From the same first step, which torch makes as long as the inverse of Σ|g|."""
    image, theirs = start(), start()
    first = quadratic()(image.detach()).abs()
    monkeypatch.setattr(plain_lbfgs, "FIRST_STEP", (first.max() / first.sum().clamp(min=1)).item())
    torchs = torch.optim.LBFGS(
        [theirs], max_iter=1, history_size=history, tolerance_grad=0, tolerance_change=0
    )
    plain = PlainLBFGS(image, history=history, limits=FREE)
    ours = iterates(plain, image, quadratic(), 20)
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
    iterates(kind(image, limits=FREE), image, lambda x: -quadratic()(x), 12)
    assert (image - 0.5).abs().max() > 1


@BOTH
def test_it_does_not_stop_where_torchs_would(kind):
    """A loss of 1e-9 is no reason to stand still."""
    image = start()
    pictures = iterates(kind(image), image, lambda x: 1e-9 * quadratic()(x), 40)
    assert (pictures[-1] - 0.5).abs().max() < 1e-2


def test_with_the_plain_guess_it_takes_the_plain_steps(monkeypatch):
    image, plain = start(), start()
    monkeypatch.setattr(lbfgs, "STRETCH", 1.0)
    monkeypatch.setattr(lbfgs, "STEADY", 0.0)
    monkeypatch.setattr(lbfgs, "SHORTER", 1.0)
    monkeypatch.setattr(Guess, "__call__", lambda _self, _factors, vector: vector)
    ours = iterates(LBFGS(image, history=5), image, quadratic(), 20)
    expected = iterates(PlainLBFGS(plain, history=5), plain, quadratic(), 20)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)


@BOTH
@pytest.mark.parametrize("scale", [1e-9, 1e-3, 1.0, 1e9])
def test_the_first_step_is_the_gradient_or_shorter(kind, scale):
    image = start()
    gradient = scale * quadratic()(image.detach())
    (after,) = iterates(kind(image), image, lambda x: scale * quadratic()(x), 1)
    length = min(1.0, 0.01 / gradient.abs().max().item())
    torch.testing.assert_close(after, start().detach() - length * gradient)


@BOTH
@pytest.mark.parametrize(("cosine", "known"), [(0.02, 0), (0.04, 1)])
def test_a_step_across_the_change_teaches_nothing(kind, cosine, known):
    """As a limit or rounding turns it. The Hessian would seem to be 1 / cosine times as steep."""
    image = start()
    optimizer, down = kind(image, limits=FREE), -torch.ones_like(image) / math.sqrt(12)
    across = torch.tensor([1.0, -1.0]).expand_as(image) / math.sqrt(12)
    change = 5 * (cosine * down + math.sqrt(1 - cosine**2) * across)
    slopes = iter([-down, change - down])
    iterates(optimizer, image, lambda _image: next(slopes), 2)
    state = optimizer.state[image]
    assert (len(state["pairs"]) if kind is PlainLBFGS else int(state["count"])) == known


def test_where_nothing_pulls_it_stays():
    image = start()
    optimizer = LBFGS(image)
    pictures = iterates(optimizer, image, torch.zeros_like, 3)
    torch.testing.assert_close(pictures[-1], start().detach())
    assert all(optimizer.state[image][name].isfinite().all() for name in ("pixels", "rings"))


def test_both_converge_to_the_same_picture():
    pictures = []
    for kind in (LBFGS, PlainLBFGS):
        image = start()
        pictures.append(iterates(kind(image, history=30), image, quadratic(), 60)[-1])
    torch.testing.assert_close(pictures[0], torch.full((1, 3, 2, 2), 0.5).double())
    torch.testing.assert_close(pictures[0], pictures[1], rtol=0, atol=1e-6)


def go(guess, state, vector):
    return guess(guess.factors(state), vector[None])[0]


def bfgs(guess, pairs):
    """The inverse Hessian as a matrix (Nocedal and Wright 2006, equation 6.17)."""
    inverse = np.array(guess)
    for step, change in pairs:
        shear = np.eye(len(step)) - np.outer(step, change) / (step @ change)
        inverse = shear @ inverse @ shear.T + np.outer(step, step) / (step @ change)
    return inverse


@pytest.mark.parametrize("history", [3, 8])
def test_the_product_is_that_with_bfgss_matrix(history):
    """Also when the memory is full, and when a pair does not fit, which leaves a row empty."""
    generator = torch.Generator().manual_seed(2)
    image = torch.randn(1, 3, 2, 2, generator=generator, dtype=torch.float64)
    guess, pairs, free = Guess(image), [], torch.ones(12, dtype=torch.bool)
    state = nothing_known(image.flatten(), history) | guess.nothing_known()
    logarithm = None  # of the scale: the first measured one, then a moving average
    for number in range(12):
        step = torch.randn(12, generator=generator, dtype=torch.float64) * 10.0 ** (-number / 3)
        change = quadratic()(step + 0.5) * (-1 if number == 6 else 1)
        gradient = torch.randn(12, generator=generator, dtype=torch.float64)
        state["move"].copy_(step)
        state["gradient"].copy_(gradient - change)
        product = learn(state, gradient, gradient, free, guess)
        pairs = [*pairs, (step.numpy(), change.numpy())][-history:]
        if number == 6:
            del pairs[-1]
        matrix = torch.stack([go(guess, state, unit) for unit in torch.eye(12).double()]).numpy()
        if number != 6:
            measured = step @ change / (change @ torch.from_numpy(matrix) @ change)
            new = np.log(lbfgs.STRETCH * measured.item())
            logarithm = new if logarithm is None else 0.8 * logarithm + 0.2 * new
        assert state["scale"].item() == pytest.approx(np.exp(logarithm))
        expected = bfgs(state["scale"].item() * matrix, pairs) @ gradient.numpy()
        np.testing.assert_allclose(product.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(32, 48), (31, 48), (32, 47), (5, 7), (1, 4)])
def test_the_guess_is_symmetric_and_positive(shape):
    generator = torch.Generator().manual_seed(3)
    a, b, step, change = torch.randn(4, 3 * shape[0] * shape[1], generator=generator).double()
    guess = Guess(a.view(1, 3, *shape))
    state = guess.nothing_known()
    guess.learn(state, step * torch.linspace(0.1, 9, len(step)), change, torch.tensor(1.0))
    torch.testing.assert_close(a @ go(guess, state, b), b @ go(guess, state, a))
    assert a @ go(guess, state, a) > 0


def test_the_guess_goes_further_at_low_frequencies():
    guess = Guess(torch.zeros(1, 3, 16, 16, dtype=torch.float64))
    slow, fast = (
        torch.cos(torch.arange(16).double() * 2 * torch.pi * f).expand(1, 3, 16, 16).flatten()
        for f in (1 / 8, 1 / 2)
    )
    for wave, frequency in ((slow, 1 / 8), (fast, 1 / 2)):
        gone = go(guess, guess.nothing_known(), wave)
        torch.testing.assert_close(gone, wave * frequency**-FALL, rtol=0, atol=1e-6)


def test_a_place_goes_further_if_the_gradient_changed_less_there():
    """By the root mean square of the changes around it, up to a factor of e² either way."""
    guess = Guess(torch.zeros(1, 3, 16, 32, dtype=torch.float64))
    change = torch.ones(1, 3, 16, 32).double()
    change[..., 16:] = 4.0
    change[0, 1, 8, 8] = 1e6
    state = guess.nothing_known()
    guess.learn(state, change.flatten(), change.flatten(), torch.tensor(1e-10))
    state["rings"] = guess.nothing_known()["rings"]
    squares = np.pad(change.square().mean(1)[0].numpy(), 1, constant_values=np.nan)
    around = np.nanmean(np.lib.stride_tricks.sliding_window_view(squares, (3, 3)), axis=(2, 3))
    factors = np.exp(np.clip((np.log(around) - np.log(around).mean()) / -4, -1, 1)) ** 2
    for row, column in ((8, 2), (8, 29), (8, 15), (7, 9), (0, 31)):
        dot = torch.zeros(1, 3, 16, 32).double()
        dot[0, 2, row, column] = 1
        gone = go(guess, state, dot.flatten()).view_as(dot)[0, 2, row, column]
        nowhere = go(guess, guess.nothing_known(), dot.flatten()).view_as(dot)[0, 2, row, column]
        assert (gone / nowhere).item() == pytest.approx(factors[row, column], rel=1e-6)
    assert factors.max() / factors.min() > 2


def wave(colour, frequency):
    rows = torch.cos(torch.arange(16).double() * 2 * torch.pi * frequency).expand(16, 16)
    return (torch.tensor(colour).double()[:, None, None] * rows).flatten()


GREY, OTHER = (1.0, 1.0, 1.0), (1.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("one", "another"),
    [((GREY, 1 / 8), (GREY, 1 / 2)), ((GREY, 1 / 8), (OTHER, 1 / 8)), ((OTHER, 0), (GREY, 1 / 2))],
)
def test_colours_and_frequencies_go_further_if_the_gradient_changed_less(one, another):
    guess = Guess(torch.zeros(1, 3, 16, 16, dtype=torch.float64))
    one, another = wave(*one), wave(*another)
    state = guess.nothing_known()
    guess.learn(state, one + another, one + 9 * another, torch.tensor(1.0))
    state["pixels"] = guess.nothing_known()["pixels"]
    nothing = guess.nothing_known()
    before, after = (
        [go(guess, known, x) @ x / (x @ x) for x in (one, another)] for known in (nothing, state)
    )
    ratio = (after[0] / after[1]) / (before[0] / before[1])
    assert ratio.item() == pytest.approx(9**TRUST, rel=1e-6)


def test_what_was_measured_fades():
    guess = Guess(torch.zeros(1, 3, 8, 8, dtype=torch.float64))
    generator, state = torch.Generator().manual_seed(4), guess.nothing_known()
    changes = torch.randn(3, 192, generator=generator).double()
    for change, weight in zip(changes, (1.0, 0.0, 0.5), strict=True):
        guess.learn(state, change, change, torch.tensor(weight))
    squares = changes.square().view(3, 3, 8, 8).mean(1)
    expected = (FADE**2 * squares[0] + 0.5 * squares[2])[None]
    torch.testing.assert_close(state["pixels"], expected)


EVERY = pytest.mark.parametrize("kind", [LBFGS, PlainLBFGS, Adam])


@EVERY
def test_the_picture_stays_in_black_to_white(kind):
    image = start()
    away = quadratic()
    for picture in iterates(kind(image, learning_rate=1000.0), image, lambda x: away(x - 2), 10):
        assert picture.min() >= 0
        assert picture.max() <= 1


@EVERY
@pytest.mark.parametrize("seed", range(4))
def test_it_finds_the_lowest_loss_among_pictures(kind, seed):
    """That of a parabola whose own minimum has pixels beyond black and white; SciPy knows it."""
    generator = torch.Generator().manual_seed(seed)
    goal = 0.5 + 0.7 * torch.randn(1, 3, 2, 2, generator=generator, dtype=torch.float64)
    slope = quadratic(seed)
    found = minimize(
        lambda x: ((x - goal.numpy().ravel()) @ gradient_at(slope, x, goal) / 2).item(),
        np.full(12, 0.5),
        jac=lambda x: gradient_at(slope, x, goal),
        bounds=[(0, 1)] * 12,
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    assert 0 < ((found.x == 0) | (found.x == 1)).sum() < 12
    image = start()
    optimizer = kind(image) if kind is not Adam else kind(image, learning_rate=0.003)
    steps = 2000 if kind is Adam else 150
    iterates(optimizer, image, lambda x: slope(x - goal + 0.5), steps)
    np.testing.assert_allclose(image.detach().numpy().ravel(), found.x, atol=2e-3)


def gradient_at(slope, x, goal):
    return slope(torch.from_numpy(x).view_as(goal) - goal + 0.5).numpy().ravel()


@pytest.mark.parametrize("kind", [LBFGS, PlainLBFGS])
def test_the_true_move_is_remembered(kind):
    """Of pixels that a limit stopped, as far as they came; of others the whole."""
    image = start()
    optimizer = kind(image, learning_rate=1000.0)
    before = image.detach().clone()
    for after in iterates(optimizer, image, lambda x: quadratic()(x - 2), 4):
        moved = after - before
        before = after
    torch.testing.assert_close(optimizer.state[image]["move"].view_as(image), moved)


def test_it_comes_to_rest_in_a_corner_of_the_loss():
    """As a great weight of absolute differences has it; the lowest point is the median."""
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(5)).requires_grad_()
    goal = torch.full((1, 3, 8, 8), 0.4)
    pictures = iterates(LBFGS(image), image, lambda x: (x - goal).sign() + 0.1 * (x - goal), 120)
    first, last = ((picture - goal).abs().mean() for picture in (pictures[0], pictures[-1]))
    assert last < 0.02 * first


def test_without_limits_they_do_not_matter():
    """As long as no pixel comes to one."""
    for kind in (LBFGS, PlainLBFGS, Adam):
        image, other = start(), start()
        bound = iterates(kind(image), image, quadratic(), 5)
        free = iterates(kind(other, limits=FREE), other, quadratic(), 5)
        assert torch.stack(free).min() > 0
        assert torch.stack(free).max() < 1
        torch.testing.assert_close(bound, free)


class Kernels(TorchDispatchMode):
    """Counts what a device would have to do."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.counts[operation] += 1
        return operation(*args, **kwargs or {})


def test_on_a_gpu_no_step_waits_and_all_are_alike():
    """On tensors without values, of which nothing can be read: so a step can be recorded."""
    with FakeTensorMode():
        image = torch.empty(1, 3, 24, 32, device="cuda").requires_grad_()
        optimizer, places, counts = LBFGS(image), [], []
        for _ in range(3):
            image.grad = torch.empty_like(image)
            with Kernels() as kernels:
                optimizer.step()
            state = optimizer.state[image]
            places.append([id(value) for value in state.values()])
            counts.append(kernels.counts)
        assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert places[0] == places[1] == places[2]
    assert counts[1] == counts[2]


def test_adam_is_torchs():
    image, theirs = start(), start()
    optimizer = make_optimizer(image, make_settings(optimizer="adam", learning_rate=0.003))
    torchs = torch.optim.Adam([theirs], lr=0.003)
    ours = iterates(optimizer, image, quadratic(), 10)
    torch.testing.assert_close(ours, iterates(torchs, theirs, quadratic(), 10))


def test_the_settings_name_the_optimiser():
    assert type(make_optimizer(start(), make_settings())) is LBFGS
    assert type(make_optimizer(start(), make_settings("gatys2016"))) is PlainLBFGS
    assert make_optimizer(start(), make_settings()).limits == (0, 1)
    for bounds in ("end", "closure"):
        assert make_optimizer(start(), make_settings(bounds=bounds)).limits == FREE


@pytest.mark.parametrize(
    ("before", "after", "steps"), [(5, 3, 12), (5, 3, 4), (3, 6, 12), (6, 6, 4)]
)
def test_what_lbfgs_knows_fits_another_history(before, after, steps):
    """It goes on as if it had never had more room, or with all that it has left."""

    def advance(image, optimizer):
        image.grad = (image.detach() - 0.5) * torch.linspace(1, 3, image.numel()).view_as(image)
        optimizer.step()

    settings = make_settings(history=before)
    image = start()
    optimizer = make_optimizer(image, settings)
    for _ in range(steps):
        advance(image, optimizer)
    saved = optimizer.state_dict()
    other = image.detach().clone().requires_grad_()
    fitted = make_optimizer(other, make_settings(history=after), saved)
    state = fitted.state[other]
    known = min(before, after, steps - 1)
    assert state["steps"].shape[0] == after
    assert int(state["count"]) in (known, steps - 1)
    order = torch.arange(steps - 1 - known, steps - 1) % before
    kept = slice(None) if before == after else slice(known)
    expected = optimizer.state[image]["steps"]
    expected = expected if before == after else expected[order]
    assert torch.equal(state["steps"][kept], expected)
    # The inverse is that of the products' triangle: no step older than the change.
    products = state["steps"][:known].double() @ state["changes"][:known].double().T
    inverse = state["inverse"][:known, :known].double()
    torch.testing.assert_close(
        inverse @ products.triu(), torch.eye(known).double(), rtol=0, atol=1e-3
    )
    for _ in range(3):
        advance(other, fitted)
    assert other.isfinite().all()
