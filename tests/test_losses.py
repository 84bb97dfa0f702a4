"""Losses against closed forms, NumPy in float64, finite differences and invariances."""

import numpy as np
import pytest
import torch

from nst import content_loss, gram_matrix, style_loss, total_variation_loss
from nst.losses import squared_distance


def random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (2, 7, 1, 9), (3, 1, 6, 6)])
def test_gram_matrix_is_numpys(shape):
    features = random(*shape)
    expected = np.einsum("bchw,bdhw->bcd", features.numpy(), features.numpy())
    expected /= np.prod(shape[1:])
    np.testing.assert_allclose(gram_matrix(features).numpy(), expected, rtol=1e-12)


def test_gram_matrix_of_known_channels():
    ones = torch.ones(1, 1, 4, 6)
    features = torch.cat([ones, 2 * ones, 0 * ones], dim=1)
    expected = torch.tensor([[1.0, 2, 0], [2, 4, 0], [0, 0, 0]]) / 3
    torch.testing.assert_close(gram_matrix(features), expected[None])


def test_gram_matrix_forgets_positions_and_keeps_images_apart():
    features = random(2, 5, 6, 7)
    shuffled = features.flatten(2)[..., torch.randperm(42)].view_as(features)
    torch.testing.assert_close(gram_matrix(shuffled), gram_matrix(features))
    alone = torch.cat([gram_matrix(features[:1]), gram_matrix(features[1:])])
    torch.testing.assert_close(gram_matrix(features), alone)


def test_gram_matrix_is_symmetric_and_positive_semidefinite():
    gram = gram_matrix(random(1, 9, 2, 3))[0]
    torch.testing.assert_close(gram, gram.T)
    assert torch.linalg.eigvalsh(gram).min() > -1e-12


def test_content_loss_is_the_mean_square():
    a, b = {"x": random(1, 4, 3, 5)}, {"x": random(1, 4, 3, 5, seed=1)}
    expected = np.square(a["x"].numpy() - b["x"].numpy()).mean()
    assert content_loss(a, b, "x").item() == pytest.approx(expected, rel=1e-12)
    assert content_loss(a, a, "x").item() == 0


def test_style_loss_sums_layers_and_takes_any_size():
    a = {"x": random(1, 4, 3, 5), "y": random(1, 6, 2, 2)}
    b = {"x": random(1, 4, 8, 2, seed=1), "y": random(1, 6, 5, 3, seed=2)}

    def one(layer):
        grams = []
        for features in (a, b):
            flat = features[layer][0].flatten(1).numpy()
            grams.append(flat @ flat.T / flat.size)
        return np.square(grams[0] - grams[1]).mean()

    assert style_loss(a, b, ["x"]).item() == pytest.approx(one("x"), rel=1e-12)
    assert style_loss(a, b, ["x", "y"]).item() == pytest.approx(one("x") + one("y"), rel=1e-12)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_gram_matrix_has_every_derivative_in_every_layout(layout):
    features = random(2, 3, 4, 5).contiguous(memory_format=layout).requires_grad_()
    # Not symmetric, as the derivative of a distance between Gram matrices would be.
    weights = random(2, 3, 3, seed=1)
    assert torch.autograd.gradcheck(lambda x: weights * gram_matrix(x), features)
    assert torch.autograd.gradgradcheck(lambda x: weights * gram_matrix(x), features)


def test_gram_matrix_of_bfloat16_is_summed_in_float32():
    """Sums of 8 bits would stop growing at 256 times their terms."""
    features = torch.ones(1, 2, 64, 64, dtype=torch.bfloat16, requires_grad=True)
    gram = gram_matrix(features * 1.0078125)
    assert gram.dtype == torch.float32
    torch.testing.assert_close(gram, torch.full((1, 2, 2), 1.0078125**2 / 2))
    gram.sum().backward()
    assert features.grad.dtype == torch.bfloat16


@pytest.mark.parametrize(("height", "width"), [(2, 2), (5, 8)])
def test_total_variation_of_a_checkerboard_and_a_constant(height, width):
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    board = ((rows + columns) % 2).float().expand(1, 3, height, width)
    assert total_variation_loss(board, "l2").item() == pytest.approx(2)
    assert total_variation_loss(board, "l1").item() == pytest.approx(2)
    pairs = 3 * ((height - 1) * width + height * (width - 1))
    assert total_variation_loss(board, "l1-sum").item() == pytest.approx(pairs)
    assert total_variation_loss(torch.full_like(board, 0.3)).item() == 0


def test_total_variation_of_a_ramp():
    ramp = torch.arange(10.0).expand(1, 3, 4, 10) * 0.1
    assert total_variation_loss(ramp, "l2").item() == pytest.approx(0.01, rel=1e-5)
    assert total_variation_loss(ramp, "l1").item() == pytest.approx(0.1, rel=1e-5)


def test_total_variation_of_a_single_row_has_no_vertical_part():
    row = torch.arange(10.0).expand(1, 3, 1, 10) * 0.1
    assert total_variation_loss(row, "l1").item() == pytest.approx(0.1, rel=1e-5)
    assert total_variation_loss(row[..., :1]).item() == 0


def test_total_variation_has_no_seam():
    """A sum that wraps around would see the step from the last column to the first."""
    step = torch.zeros(1, 3, 4, 6)
    step[..., 3:] = 1
    assert total_variation_loss(step, "l1-sum").item() == 3 * 4


@pytest.mark.parametrize("norm", ["l2", "l1", "l1-sum"])
def test_gradients_are_finite_differences(norm):
    image = random(1, 3, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: total_variation_loss(x, norm), image)
    target = {"x": random(1, 3, 4, 5, seed=3)}
    assert torch.autograd.gradcheck(lambda x: content_loss({"x": x}, target, "x"), image)
    assert torch.autograd.gradcheck(lambda x: style_loss({"x": x}, target, ["x"]), image)


def test_distances_keep_nothing_but_what_they_are_of():
    """Until the way back, a picture's differences would wait beside all its activations."""
    image, target = random(1, 3, 8, 9).requires_grad_(), random(1, 3, 8, 9, seed=1)
    kept = set()

    def keep(tensor):
        kept.add(tensor.untyped_storage().data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = total_variation_loss(image) + squared_distance(image, target)
    assert kept == {tensor.untyped_storage().data_ptr() for tensor in (image, target)}
    loss.backward()
