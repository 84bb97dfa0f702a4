"""What layers see: the table against gradients and against what they compute."""

import pytest
import torch

import nst
from nst import extract_features, layer_table, load_network
from nst.errors import ImageError, SettingsError
from nst.features import similarity
from nst.networks import ARCHITECTURES, VGG, Architecture


def test_extract_features_keeps_the_order_asked_for(quarter, picture):
    features = extract_features(quarter, picture, ["relu3_1", "conv1_1"])
    assert list(features) == ["relu3_1", "conv1_1"]
    torch.testing.assert_close(features["relu3_1"], quarter(picture, ["relu3_1"])["relu3_1"])


def test_extract_features_refuses(quarter, picture):
    with pytest.raises(SettingsError, match="no layer 'conv9_1'"):
        extract_features(quarter, picture, ["conv9_1"])
    with pytest.raises(ImageError, match=r"not \(3, 40, 56\)"):
        extract_features(quarter, picture[0], ["conv1_1"])
    with pytest.raises(ImageError, match="too small for relu5_1"):
        extract_features(quarter, picture[..., :15, :], ["relu5_1"])


@pytest.mark.parametrize("bad", [torch.nn.Conv2d(3, 3, 3), {"conv1_1": 0}, None, "vgg19_quarter"])
def test_what_is_no_network_is_named(bad, picture):
    for use in (
        lambda: extract_features(bad, picture, ["relu1_1"]),
        lambda: layer_table(bad),
        lambda: nst.Objective(bad, picture, [picture], nst.Settings()),
    ):
        with pytest.raises(SettingsError, match=f"load_network gives, not a {type(bad).__name__}"):
            use()
    if not isinstance(bad, str):
        with pytest.raises(SettingsError, match=f"by its name, .* not from a {type(bad).__name__}"):
            load_network(bad)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_pictures_of_other_floats(quarter, picture, dtype):
    """As NumPy and GPUs give them: the network sees float32."""
    found = extract_features(quarter, picture.to(dtype), ["relu3_1"])["relu3_1"]
    assert found.dtype == torch.float32
    expected = quarter(picture.to(dtype).float(), ["relu3_1"])["relu3_1"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_receptive_fields_are_the_reach_of_gradients():
    """With positive weights and averages no path cancels: the gradient's support is the field."""
    architecture = Architecture(ARCHITECTURES["vgg19"].convolutions, (1, 1, 1, 1, 1))
    network = VGG(architecture, pooling="average").double()
    for parameter in network.parameters():
        parameter.fill_(0.3)
    side, table = 288, layer_table(network)
    image = torch.ones(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    features = extract_features(network, image, [row.name for row in table])
    for row in table:
        feature = features[row.name]
        middle = feature[0, 0, feature.shape[2] // 2, feature.shape[3] // 2]
        (gradient,) = torch.autograd.grad(middle, image, retain_graph=True)
        reached = (gradient.abs().sum((0, 1)) > 0).any(0).nonzero()
        assert reached.max() - reached.min() + 1 == row.receptive_field, row.name
        assert side // feature.shape[-1] == row.stride, row.name


def test_the_table_of_vgg19():
    """Known figures: its parameters but for the classifier, and the usual receptive fields."""
    table = {row.name: row for row in layer_table(load_network("vgg19", weights="random"))}
    assert sum(row.parameters for row in table.values()) == 20_024_384
    assert [table[f"relu{b}_1"].receptive_field for b in (1, 2, 3, 4, 5)] == [3, 10, 24, 68, 156]
    assert table["relu4_2"] == ("relu4_2", 512, 8, 84, 0, 8)
    assert table["conv1_1"].parameters == 3 * 64 * 9 + 64


def test_the_table_of_another_network():
    table = {row.name: row for row in layer_table(load_network("squeezenet1_1", weights="random"))}
    assert table["features.0"][:5] == ("features.0", 64, 2, None, 3 * 64 * 9 + 64)
    assert table["features.3.cat"].channels == 128


def test_similarities_are_cosines_however_strong_a_channel_is():
    rows = torch.rand(4, 30, generator=torch.Generator().manual_seed(0))
    rows[3] = 0  # silent
    alike = similarity(nst.gram_matrix(rows[None, :, None])[0])
    wanted = torch.nn.functional.cosine_similarity(rows[:, None], rows[None], dim=-1)
    assert torch.allclose(alike, wanted, atol=1e-5)
