"""The objective against the published arithmetic, written out in NumPy."""

import math

import numpy as np
import pytest
import torch

from nst import Objective, SettingsError, extract_features, load_network, make_settings
from nst.losses import gram_matrix
from nst.networks import IMAGENET_MEAN, IMAGENET_STD, Network
from nst.objective import layers_of


@pytest.fixture(scope="module")
def network():
    """VGG-19 has conv4_4, which the built-in network has too, and random weights will do."""
    return load_network("vgg19_quarter").double()


@pytest.fixture
def pictures(picture, other):
    return (
        torch.rand(1, 3, 40, 56, dtype=torch.float64, generator=torch.Generator().manual_seed(5)),
        picture.double(),
        other.double(),
    )


def terms_of(preset, network, pictures):
    image, content, style = pictures
    settings = make_settings(preset)
    terms = Objective(network, content, [style], settings)(image)
    features = [
        {n: f.numpy()[0].reshape(f.shape[1], -1) for n, f in maps.items()}
        for maps in (
            extract_features(network, p, [*settings.content_layers, *settings.style_layers])
            for p in pictures
        )
    ]
    return {name: term.item() for name, term in terms.items()}, *features


def mse(a, b):
    return np.square(a - b).mean()


def gram(f, divisor):
    return f @ f.T / divisor


def check(terms, expected):
    assert list(terms) == list(expected)
    for name, value in expected.items():
        assert terms[name] == pytest.approx(value, rel=1e-9), name


STANDARD = [f"relu{b}_1" for b in range(1, 6)]


def test_default_is_relative(network, pictures):
    terms, x, c, s = terms_of("default", network, pictures)
    expected = {"content relu4_2": 8 * np.square(x["relu4_2"] - c["relu4_2"]).sum()}
    expected["content relu4_2"] /= np.square(c["relu4_2"]).sum()
    for n in STANDARD:
        # By M alone: a relative distance does not know the divisor.
        g, a = (gram(f[n], f[n].shape[1]) for f in (x, s))
        expected[f"style {n}"] = 1000 / 5 * np.square(g - a).sum() / np.square(a).sum()
    image = pictures[0].numpy()
    tv = mse(image[:, :, 1:], image[:, :, :-1]) + mse(image[..., 1:], image[..., :-1])
    check(terms, expected | {"tv": 3 * tv})


def test_article(network, pictures):
    terms, x, c, s = terms_of("article", network, pictures)
    expected = {"content relu4_2": mse(x["relu4_2"], c["relu4_2"])}
    for n in STANDARD:
        expected[f"style {n}"] = 1e6 * mse(gram(x[n], x[n].size), gram(s[n], s[n].size))
    image = pictures[0].numpy()
    tv = mse(image[:, :, 1:], image[:, :, :-1]) + mse(image[..., 1:], image[..., :-1])
    check(terms, expected | {"tv": 100 * tv})


def test_gatys2016_with_a_style_of_the_same_size(network, pictures):
    """Equations 1, 4 and 5 with undivided Gram matrices."""
    pictures = pictures[0], pictures[1], pictures[1].flip(-2) ** 2
    terms, x, c, s = terms_of("gatys2016", network, pictures)
    expected = {"content relu4_2": np.square(x["relu4_2"] - c["relu4_2"]).sum() / 2}
    for layer in STANDARD:
        n, m = x[layer].shape
        e = np.square(gram(x[layer], 1) - gram(s[layer], 1)).sum() / (4 * n**2 * m**2)
        expected[f"style {layer}"] = 1e3 / 5 * e
    check(terms, expected)


def test_gatys_notebook(network, pictures):
    terms, x, c, s = terms_of("gatys-notebook", network, pictures)
    expected = {"content relu4_2": mse(x["relu4_2"], c["relu4_2"])}
    for layer in STANDARD:
        n = len(x[layer])
        grams = (gram(f[layer], f[layer].shape[1]) for f in (x, s))
        expected[f"style {layer}"] = 1e3 / n**2 * mse(*grams)
    check(terms, expected)


def test_neural_style_pt(network, pictures):
    terms, x, c, s = terms_of("neural-style-pt", network, pictures)
    expected = {"content relu4_2": 5 * mse(x["relu4_2"], c["relu4_2"])}
    for n in STANDARD:
        expected[f"style {n}"] = 100 * mse(gram(x[n], x[n].size), gram(s[n], s[n].size))
    pixels = pictures[0].numpy() * 255
    tv = np.abs(np.diff(pixels, axis=2)).sum() + np.abs(np.diff(pixels, axis=3)).sum()
    check(terms, expected | {"tv": 1e-3 * tv})


def test_pytorch_tutorial(network, pictures):
    terms, x, c, s = terms_of("pytorch-tutorial", network, pictures)
    expected = {"content conv2_2": mse(x["conv2_2"], c["conv2_2"])}
    for n in ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1"):
        expected[f"style {n}"] = 1e6 * mse(gram(x[n], x[n].size), gram(s[n], s[n].size))
    check(terms, expected)


def test_d2l(network, pictures):
    terms, x, c, s = terms_of("d2l", network, pictures)
    expected = {"content conv4_4": mse(x["conv4_4"], c["conv4_4"])}
    for n in ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"):
        expected[f"style {n}"] = 1e4 * mse(gram(x[n], x[n].size), gram(s[n], s[n].size))
    pixels = pictures[0].numpy() / 0.226
    tv = np.abs(np.diff(pixels, axis=2)).mean() + np.abs(np.diff(pixels, axis=3)).mean()
    check(terms, expected | {"tv": 10 * 0.5 * tv})


def test_a_relative_term_is_its_weight_where_nothing_is_seen(network, pictures):
    """With activations of 0 the distance is the target's own size."""
    image, content, style = pictures
    layers = {"relu1_1": 2.0, "relu3_1": 1.0}
    settings = make_settings(content_weight=3.0, style_layers=layers, style_weight=7.0)
    objective = Objective(network, content, [style], settings)

    class Blind(Network):
        def walk(self, image, layers):
            return ((name, torch.zeros_like(x)) for name, x in network.walk(image, layers))

    objective.network = Blind(IMAGENET_MEAN, IMAGENET_STD)
    terms = {name: term.item() for name, term in objective(image).items()}
    assert terms["content relu4_2"] == pytest.approx(3.0)
    assert terms["style relu1_1"] == pytest.approx(14.0)
    assert terms["style relu3_1"] == pytest.approx(7.0)


def test_a_blend_of_styles_has_the_gradient_of_the_weighted_losses(network, pictures):
    image, content, style = pictures
    styles, shares = [style, content.flip(-1) ** 2], (3.0, 1.0)
    options = {"preset": "article", "content_weight": 0.0, "tv_weight": 0.0}

    def gradient(objectives):
        x = image.clone().requires_grad_()
        sum(w * sum(o(x).values()) for o, w in objectives).backward()
        return x.grad

    blend = Objective(network, None, styles, make_settings(**options, style_blend=shares))
    single = [Objective(network, None, [s], make_settings(**options)) for s in styles]
    expected = gradient([(single[0], 0.75), (single[1], 0.25)])
    torch.testing.assert_close(gradient([(blend, 1.0)]), expected, rtol=1e-9, atol=1e-9)


def test_the_gradient_is_the_finite_difference(network, pictures):
    image, content, style = pictures
    objective = Objective(network, content, [style], make_settings())
    x = image.clone().requires_grad_()
    sum(objective(x).values()).backward()
    generator = torch.Generator().manual_seed(7)
    direction = torch.randn(image.shape, generator=generator, dtype=torch.float64)
    step = 1e-8  # so short that hardly ever a ReLU's corner lies within it
    with torch.no_grad():
        ahead, behind = (
            sum(objective(image + sign * step * direction).values()).item() for sign in (1, -1)
        )
    slope = (x.grad * direction).sum().item()
    assert (ahead - behind) / (2 * step) == pytest.approx(slope, rel=1e-5)


def test_activations_and_targets_have_the_layout_of_the_fastest_convolutions(network, pictures):
    image, content, style = pictures
    objective = Objective(network, content, [style], make_settings())
    layouts = []
    seen = network.layers["relu3_1"].register_forward_hook(
        lambda _, __, x: layouts.append(x.is_contiguous(memory_format=torch.channels_last))
    )
    _, gradient = objective.loss_and_gradient(image)
    seen.remove()
    assert layouts == [True]
    target, _ = objective.content["relu4_2"]
    assert target.is_contiguous(memory_format=torch.channels_last)
    assert gradient.is_contiguous()


def test_terms_without_weight_are_not_computed(network, pictures):
    image, _, style = pictures
    settings = make_settings(
        content_weight=0.0, tv_weight=0.0, style_layers={"relu1_1": 1, "relu2_1": 0}
    )
    objective = Objective(network, None, [style], settings)
    assert objective.layers == ["relu1_1"]
    assert list(objective(image)) == ["style relu1_1"]


def test_senseless_objectives_are_refused(network, pictures):
    _, content, style = pictures
    with pytest.raises(SettingsError, match="nothing to minimise"):
        Objective(network, content, [], make_settings(content_weight=0.0, style_weight=0.0))
    with pytest.raises(SettingsError, match="1 style pictures and 2 shares"):
        Objective(network, content, [style], make_settings(style_blend=(1.0, 1.0)))
    with pytest.raises(SettingsError, match="needs a content picture"):
        Objective(network, None, [style], make_settings())
    with pytest.raises(SettingsError, match="no layer 'relu9_1'"):
        Objective(network, content, [style], make_settings(style_layers=["relu9_1"]))


def test_a_layer_counts_if_either_loss_reads_it():
    settings = make_settings(
        content_layers={"relu3_1": 1.0, "relu4_2": 0.0},
        style_layers={"relu3_1": 0.0, "relu1_1": 1.0},
    )
    assert layers_of(settings) == ["relu3_1", "relu1_1"]


def test_on_the_way_back_no_gradient_of_a_gram_matrix_waits(network, pictures):
    """Its term's gradient begins when the next layer's is done: only one is held at a time."""
    image, content, style = pictures
    objective, events = Objective(network, content, [style], make_settings()), []
    walk = network.walk

    def watched(image, layers):
        for name, feature in walk(image, layers):
            feature.register_hook(lambda gradient, name=name: events.append(f"{name} done"))
            yield name, feature

    def gram(feature):
        found = gram_matrix(feature)
        name = f"{STANDARD[int(math.log2(pictures[0].shape[-1] // feature.shape[-1]))]} begun"
        found.register_hook(lambda gradient: events.append(name))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "walk", watched)
        patch.setattr("nst.statistics.moments.gram_matrix", gram)
        objective.loss_and_gradient(image)
    events.remove("relu4_2 done")
    assert events == [f"{name} {event}" for name in STANDARD[::-1] for event in ("begun", "done")]
