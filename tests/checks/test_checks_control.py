"""Self-checks of colours and places: right answers by other ways pass, mistakes get a name."""

import numpy as np
import pytest
import torch
from scipy.linalg import cholesky, sqrtm
from scipy.ndimage import uniform_filter
from skimage.color import lab2rgb, rgb2lab, rgb2yiq, yiq2rgb

from nst import checks
from nst.checks.common import Mistake


def moments(image):
    x = image[0].numpy().astype(float).reshape(3, -1)
    return x, x.mean(1), np.cov(x, bias=True)


def transported(image, palette, about=1.0, make=None):
    """Optimal transport of Gaussians, in NumPy; `about`: how much of the mean is taken off."""
    (x, mean, own), (_, wanted_mean, wanted) = moments(image), moments(palette)
    if make is None:
        half = sqrtm(own).real
        inverse = np.linalg.inv(half)
        way = inverse @ sqrtm(half @ wanted @ half).real @ inverse
    else:
        way = make(own, wanted)
    mapped = way @ (x - about * mean[:, None]) + wanted_mean[:, None]
    return torch.from_numpy(mapped.reshape(image.shape)).float()


def by_cholesky(own, wanted):
    """Another map that brings the covariance about."""
    return cholesky(wanted, lower=True) @ np.linalg.inv(cholesky(own, lower=True))


def luminance_of(painting, photograph):
    lab = rgb2lab(photograph)
    return lab2rgb(np.dstack([rgb2lab(painting)[..., :1], lab[..., 1:]]))


def luma_of(painting, photograph):
    parts = rgb2yiq(photograph)
    parts[..., 0] = rgb2yiq(painting)[..., 0]
    return yiq2rgb(parts)


def outer(features, weights, power=1.0):
    """The weighted mean of F·Fᵀ, position by position; 1/C."""
    x, w = features[0].flatten(1), weights.flatten() ** power
    total = sum(w[i] * x[:, i, None] * x[None, :, i] for i in range(len(w)))
    return total[None] / len(x)


def seen(mask, steps, mode="nearest"):
    x = mask[0, 0].numpy()
    for step in steps:
        if step == "convolution":
            x = uniform_filter(x, 3, mode=mode)
        else:
            x = x.reshape(x.shape[0] // 2, 2, -1, 2).mean((1, 3))
    return torch.from_numpy(x)[None, None]


RIGHT = {
    "matched_colours": transported,
    "kept_colours": luminance_of,
    "guided_gram": outer,
    "mask_at_layer": seen,
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_pass(name, capsys):
    getattr(checks, name)(RIGHT[name])
    assert capsys.readouterr().out.startswith("✓ ")


def test_every_map_with_these_moments_is_right(capsys):
    checks.matched_colours(lambda image, palette: transported(image, palette, make=by_cholesky))
    assert capsys.readouterr().out == "✓ match_colours\n"


def stretched(image, palette):
    """The palette itself, in the picture's size."""
    return torch.nn.functional.interpolate(palette, image.shape[-2:])


def shuffled(image, palette):
    """The right colours, at wrong places: no map of colours."""
    return transported(image, palette).flip(-1)[..., [1, 0, 2, 3, 4]]


@pytest.mark.parametrize(
    ("name", "wrong", "remark"),
    [
        ("matched_colours", lambda i, p: transported(i, p, make=lambda a, b: np.eye(3)), "mean is"),
        (
            "matched_colours",
            lambda i, p: transported(
                i, p, make=lambda a, b: np.diag(np.sqrt(np.diag(b) / np.diag(a)))
            ),
            "only its diagonal",
        ),
        ("matched_colours", lambda i, p: transported(i, p, about=0.0), "not taken off"),
        (
            "matched_colours",
            lambda i, p: transported(i, p, make=lambda a, b: b @ np.linalg.inv(a)),
            "made of their roots",
        ),
        ("matched_colours", lambda i, p: transported(p, i), "its shape is"),
        ("matched_colours", shuffled, "one map for all pixels"),
        ("matched_colours", stretched, "values are not"),
        ("matched_colours", lambda i, p: i, "nothing has changed"),
        ("matched_colours", lambda i, p: None, "not a tensor"),
        ("kept_colours", lambda a, b: luminance_of(b, a), "the other way round"),
        ("kept_colours", luma_of, "luma of YIQ"),
        ("kept_colours", lambda a, b: np.dstack([rgb2lab(a)[..., 0], rgb2lab(b)[..., 1:]]), "lab2"),
        ("kept_colours", lambda a, b: a, "that is the painting"),
        ("kept_colours", lambda a, b: None, "not an array"),
        ("guided_gram", lambda f, w: outer(f, w, 2.0), "twice"),
        ("guided_gram", lambda f, w: outer(f, w) * f.shape[1], "divided by C"),
        ("guided_gram", lambda f, w: outer(f, torch.ones_like(w) / w.numel()), "no part in it"),
        ("guided_gram", lambda f, w: outer(f, (w > 0) / (w > 0).sum()), "above 0"),
        ("guided_gram", lambda f, w: outer(f, w)[0], "first axis"),
        ("guided_gram", lambda f, w: outer(f.detach(), w), "no gradient"),
        ("mask_at_layer", lambda m, s: seen(m, s, "constant"), "zeros were put"),
        ("mask_at_layer", lambda m, s: seen(m, s[-1:]), "only the last step"),
        ("mask_at_layer", lambda m, s: seen(m, s[:1]), "only the first step"),
        ("mask_at_layer", lambda m, s: seen(m, [x for x in s if x == "pooling"]), "eight"),
        ("mask_at_layer", lambda m, s: m[..., ::2, ::2], "shape"),
    ],
)
def test_usual_mistakes_are_named(name, wrong, remark):
    with pytest.raises(Mistake, match=remark):
        getattr(checks, name)(wrong)
