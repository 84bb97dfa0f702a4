"""Statistics of style against closed forms, SciPy and loops in NumPy, all in float64."""

from collections import Counter

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from scipy.linalg import sqrtm

from nst import Objective, gram_matrix, make_settings
from nst.losses import squared_distance, total_variation_loss
from nst.objective import total
from nst.statistics import STATISTICS, Guide, Part
from nst.statistics.moments import RIDGE, SMALLEST
from nst.statistics.samples import directions

UNORDERED = [name for name in STATISTICS if name != "nearest"]  # which sees neighbours


def activations(seed, height=6, width=7, channels=5):
    """As a ReLU leaves them, with a channel that is always silent."""
    generator = torch.Generator().manual_seed(seed)
    found = torch.randn(1, channels, height, width, generator=generator, dtype=torch.float64)
    found = (found + torch.randn(1, channels, 1, 1, generator=generator)).clamp(min=0)
    found[:, -1] = 0
    return found


def some_guide(features, seed=9):
    weights = torch.rand(
        1, 1, *features.shape[-2:], generator=torch.Generator().manual_seed(seed)
    ).double()
    weights = torch.where(weights < 0.3, 0, weights)
    return Guide.of(weights / weights.sum())


def apart(name, features, style, guide=None, style_guide=None):
    """The relative distance between two layers' activations."""
    statistic = STATISTICS[name]
    part = Part(statistic.measure(style, style_guide), style_guide)
    target = statistic.target([part])
    measured = statistic.measure(features, guide)
    return statistic.distance(measured, target, guide) / statistic.size(target)


def points(features):
    """(N, C), by NumPy."""
    return features[0].flatten(1).T.numpy()


def weighted(features, guide):
    """Points, and their weights."""
    x = points(features)
    return x, np.full(len(x), 1 / len(x)) if guide is None else guide.map.flatten().numpy()


def moments(features, guide):
    x, w = weighted(features, guide)
    mean = w @ x
    return mean, (x - mean).T @ ((x - mean) * w[:, None]), (x.T * w) @ x


def by_numpy(name, features, style, guide=None):
    """The relative distance, written out."""
    (m, cov, second), (n, wanted, its_second) = moments(features, guide), moments(style, None)
    if name == "gram":
        return np.square(second - its_second).sum() / np.square(its_second).sum()
    if name == "mean-std":
        deviation, its_deviation = (np.sqrt(np.diag(c) + SMALLEST) for c in (cov, wanted))
        top = np.square(m - n).sum() + np.square(deviation - its_deviation).sum()
        return top / (np.square(n).sum() + np.square(its_deviation).sum())
    if name == "covariance":
        ridge = RIDGE * np.diag(wanted).mean() * np.eye(len(cov))
        cov, wanted = cov + ridge, wanted + ridge
        root = sqrtm(wanted)
        cross = np.trace(sqrtm(root @ cov @ root)).real
        top = np.square(m - n).sum() + np.trace(cov) + np.trace(wanted) - 2 * cross
        return top / (np.square(n).sum() + np.trace(wanted))
    if name == "sliced":
        turn = directions(5, torch.float64, torch.device("cpu")).numpy()
        (x, w), y = weighted(features, guide), points(style) @ turn.T
        x, top = x @ turn.T, 0
        for a, b in zip(x.T, np.sort(y, 0).T, strict=True):
            order = np.argsort(a, kind="stable")
            middles = np.cumsum(w[order]) - w[order] / 2
            quantiles = np.interp(middles, (np.arange(len(b)) + 0.5) / len(b), b)
            top += w[order] @ np.square(a[order] - quantiles)
        return top / np.square(y).sum() * len(y)
    x, y = (patches(features), patches(style))
    weights = np.ones(len(x)) if guide is None else patches(guide.map).mean(1)
    similar = x @ y.T / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1))
    return 1 - (similar.max(1) @ weights) / weights.sum()


def patches(features):
    """Every 3×3 window, as a row."""
    windows = sliding_window_view(features[0].numpy(), (3, 3), axis=(1, 2))
    return windows.transpose(1, 2, 0, 3, 4).reshape(-1, features.shape[1] * 9)


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("guided", [False, True])
@pytest.mark.parametrize("shape", [(6, 7), (9, 4)])
def test_each_is_its_formula(name, guided, shape):
    features, style = activations(1), activations(2, *shape)
    guide = some_guide(features) if guided else None
    expected = by_numpy(name, features, style, guide)
    assert apart(name, features, style, guide).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("guided", [False, True])
def test_the_slope_is_the_finite_difference(name, guided):
    features, style = activations(1)[:, :-1] + 0.1, activations(2, 9, 5)[:, :-1]
    guide = some_guide(features) if guided else None
    x = features.clone().requires_grad_()
    (slope,) = torch.autograd.grad(apart(name, x, style, guide), x)
    generator = torch.Generator().manual_seed(3)
    way = 1e-6 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    ahead, behind = (apart(name, features + sign * way, style, guide) for sign in (1, -1))
    assert ((ahead - behind) / 2).item() == pytest.approx((slope * way).sum().item(), rel=1e-5)


@pytest.mark.parametrize("name", STATISTICS)
def test_a_style_is_not_apart_from_itself_and_nothing_is_1_apart(name):
    style = activations(2)
    assert apart(name, style, style).item() == pytest.approx(0, abs=1e-5)
    assert apart(name, torch.zeros_like(style), style).item() == pytest.approx(1, rel=1e-2)
    tiny = activations(3, 1, 2)
    assert apart(name, tiny, style).isfinite()


@pytest.mark.parametrize("name", STATISTICS)
def test_a_style_of_one_position_has_a_slope(name):
    """Its variances are 0: what is divided by a root of them is not finite."""
    style = activations(2, height=1, width=1).float()
    for features in (activations(3).float(), style.expand(1, 5, 6, 7).contiguous()):
        loss = apart(name, features.requires_grad_(), style)
        loss.backward()
        assert loss.isfinite()
        assert features.grad.isfinite().all()


@pytest.mark.parametrize("name", UNORDERED)
def test_the_order_of_the_positions_does_not_matter(name):
    features, style = activations(1), activations(2)
    order = torch.randperm(42, generator=torch.Generator().manual_seed(5))
    mixed = features.flatten(2)[..., order].view_as(features)
    assert apart(name, mixed, style).item() == pytest.approx(apart(name, features, style).item())


@pytest.mark.parametrize("name", STATISTICS)
def test_a_guide_of_one_half_sees_what_is_there_alone(name):
    features, style = activations(1, 6, 8), activations(2, 6, 8)
    half = torch.zeros(1, 1, 6, 8, dtype=torch.float64)
    half[..., :4] = 1 / 24
    if name == "nearest":  # whose patches at the border see both halves
        features[..., 4:], style[..., 4:] = features[..., 3:4], style[..., 3:4]
    found = apart(name, features, style, Guide.of(half), Guide.of(half)).item()
    expected = apart(name, features[..., :4], style[..., :4]).item()
    assert found == pytest.approx(expected, rel=0.25 if name == "nearest" else 1e-9)
    everywhere = Guide.of(torch.full((1, 1, 6, 8), 1 / 48, dtype=torch.float64))
    found = apart(name, features, style, everywhere, everywhere).item()
    assert found == pytest.approx(apart(name, features, style).item())


@pytest.mark.parametrize("name", UNORDERED)
def test_a_blend_is_the_style_of_all_positions_together(name):
    """With shares as the numbers of positions."""
    features, a, b = activations(1), activations(2, 6, 4), activations(3, 6, 8)
    statistic = STATISTICS[name]
    parts = [Part(statistic.measure(x), None, share) for x, share in ((a, 1 / 3), (b, 2 / 3))]
    target = statistic.target(parts)
    found = statistic.distance(statistic.measure(features), target) / statistic.size(target)
    expected = apart(name, features, torch.cat([a, b], 3)).item()
    assert found.item() == pytest.approx(expected, rel=2e-2 if name == "sliced" else 1e-9)


def test_wasserstein_of_gaussians_that_share_their_axes():
    """Then it is the distance between means and between deviations (no covariance but these)."""
    signs = torch.tensor([[1, 1, -1, -1], [1, -1, 1, -1]], dtype=torch.float64)
    a = signs * torch.tensor([[2.0], [3.0]]) + torch.tensor([[1.0], [0.0]])
    b = signs * torch.tensor([[1.0], [5.0]]) + torch.tensor([[4.0], [1.0]])
    found = apart("covariance", a.view(1, 2, 2, 2), b.view(1, 2, 2, 2)).item()
    assert found == pytest.approx((9 + 1 + 1 + 4) / (16 + 1 + 1 + 25), rel=1e-3)


def test_many_patches_are_seen_in_coarser_steps_and_none_is_left_out():
    features = torch.zeros(1, 1, 131, 67, dtype=torch.float64)
    style = torch.rand(1, 1, 20, 20, generator=torch.Generator().manual_seed(1)).double()
    x = (features + 0.5).requires_grad_()
    (slope,) = torch.autograd.grad(apart("nearest", x, style), x)
    assert (slope != 0).all()


def work(term):
    """How often each operation stands in a term's graph, for the way back."""
    names, seen, waiting = Counter(), set(), [term.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            names[node.name()] += 1
            waiting += [before for before, _ in node.next_functions]
    return names


def recipe(network, content, style):
    """The terms of the default settings, with no more than they need."""
    settings = make_settings()
    layers = {**settings.content_layers, **settings.style_layers}

    def seen(x, names):
        return network.walk(x.contiguous(memory_format=torch.channels_last), list(names))

    with torch.no_grad():
        wanted = dict(seen(content, settings.content_layers))
        grams = {n: gram_matrix(f) for n, f in seen(style, settings.style_layers)}
    factors = {n: 8.0 * (1 / f.square().sum().clamp(min=1e-12)) for n, f in wanted.items()}
    factors |= {n: 200.0 * (1 / g.square().sum().clamp(min=1e-12)) for n, g in grams.items()}

    def evaluate(image):
        terms, smoothness = {}, 3.0 * total_variation_loss(image)
        for name, feature in seen(image, layers):
            if name in wanted:
                distance = squared_distance(feature, wanted[name])
                terms[f"content {name}"] = factors[name] * distance
            if name in grams:
                distance = squared_distance(gram_matrix(feature), grams[name])
                terms[f"style {name}"] = factors[name] * distance
        return dict(sorted(terms.items())) | {"tv": smoothness}

    return evaluate


def test_without_a_control_nothing_is_computed_but_the_default_loss(quarter, picture, other):
    """To the bit, and by as many operations."""
    image = picture.flip(-1).contiguous().requires_grad_()
    objective = Objective(quarter, picture, [other], make_settings())
    terms, expected = objective(image), recipe(quarter, picture, other)(image)
    assert work(total(terms)) == work(total(expected))
    (gradient,) = torch.autograd.grad(total(expected), image)
    terms, found = objective.loss_and_gradient(image)
    assert {n: t.item() for n, t in terms.items()} == {n: t.item() for n, t in expected.items()}
    assert torch.equal(found, gradient)


@pytest.mark.parametrize("least", [0.1, 0.9])  # most positions count, and few
@pytest.mark.parametrize("name", ["gram", "covariance"])
def test_products_of_the_positions_that_count_and_their_gradient(name, least):
    features = activations(11, channels=3)
    weights = torch.rand(1, 1, 6, 7, generator=torch.Generator().manual_seed(3)).double()
    guide = Guide.of(torch.where(weights < least, 0, weights) / weights[weights >= least].sum())
    measure = STATISTICS[name].measure
    mean, _, second = moments(features, guide)
    wanted = second / 3 if name == "gram" else np.vstack([second, mean])
    np.testing.assert_allclose(measure(features, guide).squeeze(0).numpy(), wanted, atol=1e-12)
    x = features.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: measure(x, guide), x)
