"""The two painters, and the normalisation that decides what they paint."""

import numpy as np
import pytest
import torch

from nst.painters import AnyPainter, StylesPainter
from nst.painters.networks import mixed, normalise, own_moments


def test_normalisation_is_numpys():
    x = torch.randn(2, 3, 5, 7) * 4 + 2
    scale, shift = torch.rand(2, 3) + 0.5, torch.randn(2, 3)
    y = x.double().numpy()
    mean, deviation = y.mean((2, 3), keepdims=True), y.std((2, 3), keepdims=True)
    expected = scale.numpy()[..., None, None] * (y - mean) / deviation
    expected += shift.numpy()[..., None, None]
    found = normalise(x, scale, shift, own_moments).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_adain_gives_the_styles_statistics():
    content, style = torch.randn(1, 8, 9, 11), torch.rand(1, 8, 6, 7) * 3
    mean, variance = own_moments(style)
    found = normalise(content, variance.sqrt()[..., 0, 0], mean[..., 0, 0], own_moments)
    for ours, its in zip(own_moments(found), (mean, variance), strict=True):
        torch.testing.assert_close(ours, its, rtol=1e-3, atol=1e-4)


def test_a_silent_channel_stays_finite():
    painted = normalise(torch.zeros(1, 2, 4, 4), torch.ones(1, 2), torch.ones(1, 2), own_moments)
    assert painted.eq(1).all()


def test_a_condition_is_what_the_teacher_sees():
    painter, style = AnyPainter(), torch.rand(1, 3, 32, 40)
    features = painter.encoder(style, painter.layers)
    expected = [
        part for f in features.values() for part in (f.mean((2, 3)), f.std((2, 3), correction=0))
    ]
    torch.testing.assert_close(
        painter.condition(style), torch.cat(expected, 1), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (32, 40), (33, 41)])
def test_a_painting_is_as_large_as_the_picture(size, small):
    image = torch.rand(1, 3, *size)
    for painter in (small, AnyPainter().eval()):
        painting = painter(image, painter.unchanged(image))
        assert painting.shape == image.shape
        assert painting.min() >= 0
        assert painting.max() <= 1


def test_a_batch_is_painted_each_by_itself(small):
    images = torch.rand(2, 3, 16, 20)
    rows = torch.cat([small.condition("one"), small.condition("two")])
    apart = [small(image[None], row[None]) for image, row in zip(images, rows, strict=True)]
    torch.testing.assert_close(small(images, rows), torch.cat(apart), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["styles", "any"])
def test_no_part_sees_further_than_its_margin(kind):
    painter = AnyPainter() if kind == "any" else StylesPainter(["one"], (2, 2, 2), blocks=1)
    known = (torch.zeros(()), torch.ones(()))  # so that normalisation looks at nothing
    condition = torch.ones_like(painter.unchanged(torch.rand(1, 3, 16, 16)))
    before, after = painter.margins
    image = torch.rand(1, 3, 160, 160, requires_grad=True)
    for coarse in painter.encode(image, condition, lambda _: known):
        stride, middle = 160 // coarse.shape[-1], coarse.shape[-1] // 2
        (seen,) = torch.autograd.grad(coarse[0, :, middle, middle].sum(), image, retain_graph=True)
        places = seen.abs().sum((0, 1)).nonzero()
        first, last = places.min() - middle * stride, places.max() - middle * stride
        assert -before <= first < 0
        assert stride - 1 < last <= stride - 1 + before
    channels = 2 if kind == "styles" else 64
    coarse = torch.rand(1, channels, 24, 24, requires_grad=True)
    painting = painter.decode(coarse, condition, lambda _: known)
    (seen,) = torch.autograd.grad(painting[..., 48:52, 48:52].sum(), coarse)
    places = seen.abs().sum((0, 1)).nonzero()
    assert 12 - after <= places.min() < 12
    assert 12 < places.max() <= 12 + after


def test_a_mixed_condition_lies_between(small):
    one, two = small.condition("one"), small.condition("two")
    torch.testing.assert_close(mixed([one, two], [1.0, 0.0]), one)
    torch.testing.assert_close(mixed([one, two], [0.25, 0.75]), 0.25 * one + 0.75 * two)
