"""How painters learn, on the smallest of them."""

import pytest
import torch

import nst
from nst.painters import AnyPainter, Photographs, StylesPainter, Training
from nst.painters.training import losses, relative


@pytest.fixture
def photographs(picture, other):
    return Photographs([picture, other])


def training(photographs, style, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        painter = StylesPainter(["own"], channels=(4, 4, 4), blocks=1)
    return Training(painter, photographs, [style], size=32, batch=1, seed=seed)


def test_it_lowers_the_loss(photographs, other):
    lessons = list(training(photographs, other).run(14, 2e-2))
    ordinary = [lesson.loss for lesson in lessons if lesson.style]
    assert sum(ordinary[-4:]) < 0.7 * sum(ordinary[:4])
    assert [lesson.number for lesson in lessons] == list(range(1, 15))
    assert lessons[0].steps == 14


def test_it_goes_on_as_if_it_had_never_stopped(photographs, other):
    whole = [lesson.loss for lesson in training(photographs, other).run(4)]
    first, second = training(photographs, other), training(photographs, other, seed=7)
    for lesson in first.run(4):
        if lesson.number == 2:
            break
    second.load(first.state())
    assert [lesson.loss for lesson in second.run(4)] == pytest.approx(whole[2:], rel=1e-5)


def test_any_style_is_learned_without_the_encoder(photographs, picture, other):
    painter = AnyPainter()
    before = [parameter.clone() for parameter in painter.encoder.parameters()]
    lesson = next(Training(painter, photographs, [picture, other], size=32, batch=1).run(1))
    assert lesson.content > 0
    for now, then in zip(painter.encoder.parameters(), before, strict=True):
        assert now.equal(then)


def test_losses_are_shares_of_the_target(photographs, picture):
    network = nst.load_network()
    grams = {"relu1_1": 2 * nst.gram_matrix(network(picture, ["relu1_1"])["relu1_1"])}
    content, style = losses(network, picture, picture, grams)
    assert content == 0
    assert style.item() == pytest.approx(0.25, rel=1e-4)  # half of the target is left: a quarter
    content, style = losses(network, picture * 0.5, picture, None)
    assert content > 5 * 0.25
    assert style == 0


def test_relative_is_the_mean_over_pictures():
    target = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    x = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
    assert relative(x, target).item() == pytest.approx((1 + 1 / 4) / 2)


def test_crops_come_from_the_photographs():
    photographs = Photographs([torch.full((1, 3, 40, 70), 0.2), torch.full((1, 3, 9, 8), 0.6)])
    crops = photographs.crops(40, 16, torch.Generator().manual_seed(0))
    assert crops.shape == (40, 3, 16, 16)
    for crop in crops:
        assert crop.std() < 1e-4
        assert crop.mean().item() == pytest.approx(0.2, abs=2e-3) or crop.mean() > 0.59


def test_no_photographs_is_an_error():
    with pytest.raises(nst.ImageError, match="no photograph"):
        Photographs([])


def test_layers_of_the_content_have_weights(photographs, picture, other):
    network, layers = nst.load_network(), {"relu1_1": 2.0, "relu3_1": 0.5}
    grams = {"relu1_1": nst.gram_matrix(network(other, ["relu1_1"])["relu1_1"])}
    content, _ = losses(network, picture, picture.flip(-1), grams, layers)
    features = [network(image, list(layers)) for image in (picture, picture.flip(-1))]
    apart = {n: (features[0][n] - features[1][n]).square().sum() for n in layers}
    sizes = {n: features[1][n].square().sum() for n in layers}
    expected = sum(weight * apart[n] / sizes[n] for n, weight in layers.items())
    assert content.item() == pytest.approx(expected.item(), rel=1e-5)
    one = Training(AnyPainter(), photographs, [other], 32, 1, content_layers={"relu1_1": 1.0})
    two = Training(AnyPainter(), photographs, [other], 32, 1, content_layers={"relu1_1": 3.0})
    two.painter.load_state_dict(one.painter.state_dict())
    (first,), (second,) = (list(training.run(1)) for training in (one, two))
    assert second.content == pytest.approx(3 * first.content, rel=1e-4)
