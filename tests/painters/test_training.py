"""How painters learn, on the smallest of them."""

import numpy as np
import pytest
import torch

import nst
from nst.painters import AnyPainter, Photographs, StylesPainter, Training, save_painter
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
    """From a state that stays as it was, however often and wherever it is gone on from."""
    whole = [lesson.loss for lesson in training(photographs, other).run(4)]
    first, second, third = (training(photographs, other, seed) for seed in (0, 7, 8))
    for lesson in first.run(4):
        if lesson.number == 2:
            break
    state = first.state()
    for _ in first.run(4):
        pass
    for one in (second, third):
        one.load(state)
        assert [lesson.loss for lesson in one.run(4)] == pytest.approx(whole[2:], rel=1e-5)


def test_going_on_from_a_painter_that_others_paint_with(small, photographs, picture, tmp_path):
    path = save_painter(small, tmp_path / "own.safetensors")
    for given, styles in ((path, [picture, picture]), ("any", [picture])):
        painter = nst.load_painter(given)
        before = {name: values.clone() for name, values in painter.state_dict().items()}
        one = Training(painter, photographs, styles, size=32, batch=1)
        next(one.run(9))
        now = one.painter.state_dict()
        changed = {name for name, values in before.items() if not now[name].equal(values)}
        assert {n for n, p in one.painter.named_parameters() if p.requires_grad} >= changed
        assert len(changed) > 5
        assert not [name for name in changed if name.startswith("encoder.")]
        assert all(painter.state_dict()[name].equal(values) for name, values in before.items())


def test_numbers_of_every_kind(photographs, picture):
    painter = StylesPainter(("own",), np.array([4, 4, 4]), np.int64(1))
    numbers = {"size": np.int64(32), "batch": torch.tensor(1), "style_weight": np.float32(2)}
    one = Training(painter, photographs, picture, seed=np.int64(3), **numbers)
    assert [lesson.number for lesson in one.run(np.int64(1), np.float32(0.01))] == [1]
    save = painter.channels, painter.blocks, one.size
    assert repr(save) == "((4, 4, 4), 1, 32)"


@pytest.mark.parametrize(
    ("styles", "options", "words"),
    [
        (1, {}, "the painter learns one, two: give a picture of each"),
        (3, {}, "not 3 of them"),
        (0, {}, "at least one style"),
        (2, {"precision": "float16"}, "precision is one of"),
        (2, {"size": 32.5}, "size is that of the crops"),
        (2, {"seed": -1}, "seed is a whole number"),
        (2, {"content_layers": {}}, "at least one layer"),
        (2, {"content_layers": {"relu1_1": "much"}}, "weights are numbers"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(small, photographs, picture, styles, options, words):
    with pytest.raises(nst.SettingsError, match=words):
        Training(small, photographs, [picture] * styles, **options)


@pytest.mark.parametrize(
    ("styles", "words"),
    [
        (("a", "a"), "a name of its own"),
        (("photograph",), "and not 'photograph'"),
        ("starry", "a list of names"),
        ((), "a list of names"),
        ({"a", "b"}, "a list of names"),
        (None, "a list of names"),
        (("a", 5), "a list of names"),
    ],
)
def test_names_of_styles_are_a_list_of_different_ones(styles, words):
    with pytest.raises(nst.SettingsError, match=words):
        StylesPainter(styles)


def test_a_state_of_something_else_changes_nothing(photographs, other, picture):
    one = training(photographs, other)
    next(one.run(4))
    good, before = one.state(), one.state()
    named = Training(StylesPainter(["b"], (4, 4, 4), 1), photographs, [other], size=32, batch=1)
    wider = Training(StylesPainter(["own"], (4, 4, 6), 1), photographs, [other], size=32, batch=1)
    bad = [{}, None, 5, named.state(), wider.state(), good | {"number": "one"}]
    bad += [good | {"optimizer": {}}, good | {"chance": None}]
    for state in bad:
        with pytest.raises(nst.SettingsError, match="no state of a training of the same painter"):
            one.load(state)
        now = one.state()
        assert all(now["painter"][n].equal(values) for n, values in before["painter"].items())
        assert now["number"] == 1
    for numbers, words in ((("many",), "steps are"), ((4, float("nan")), "rate is a number")):
        with pytest.raises(nst.SettingsError, match=words):
            next(one.run(*numbers))
    one.load({name: values for name, values in good.items() if name != "styles"})  # as they were


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
