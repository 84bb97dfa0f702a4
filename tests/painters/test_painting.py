"""Pictures in one pass: shares, strength, tiles, devices' faults, and painters as files."""

import numpy as np
import pytest
import torch

import nst
from nst.files.checkpoints import PACKAGED
from nst.images import resize
from nst.painters import save_painter, tiles
from nst.painters.files import SHIPPED
from nst.painters.tiles import in_tiles


def test_a_style_by_itself_is_painted_by_its_name(small, picture):
    expected = small(picture, small.condition("one"))
    torch.testing.assert_close(nst.paint(picture, "one", painter=small), expected)
    torch.testing.assert_close(nst.paint(picture, {"one": 3, "two": 0}, painter=small), expected)


def test_equal_shares_are_a_list(small, picture):
    both = nst.paint(picture, ["one", "two"], painter=small)
    torch.testing.assert_close(nst.paint(picture, {"one": 2, "two": 2}, painter=small), both)
    assert not torch.allclose(both, nst.paint(picture, "one", painter=small), atol=1e-3)


def test_strength_goes_from_the_photograph_to_the_painting(small, picture):
    pictures = [nst.paint(picture, "one", s, painter=small) for s in (0, 1e-4, 0.5, 1)]
    assert pictures[0].equal(picture)
    assert (pictures[1] - picture).abs().max() < 2e-3
    moved = [(p - picture).square().mean() for p in pictures]
    assert moved[1] < moved[2]
    assert moved[2] < 1.5 * moved[3]


@pytest.mark.parametrize("strokes", [2, 8])
@pytest.mark.parametrize("style", ["one", {"one": 1, "photograph": 3}])
def test_larger_strokes_too_begin_with_the_photograph(small, picture, style, strokes):
    pictures = [
        nst.paint(picture, style, s, painter=small, strokes=strokes) for s in (1e-4, 0.5, 1)
    ]
    assert (pictures[0] - picture).abs().max() < 2e-3
    moved = [(p - picture).square().mean() for p in pictures]
    assert moved[0] < moved[1] < 1.5 * moved[2]
    almost = nst.paint(picture, style, 1 - 1e-5, painter=small, strokes=strokes)
    assert (almost - pictures[2]).abs().max() < 2e-3


def test_larger_strokes_are_those_of_a_smaller_copy(small, picture):
    image = resize(picture, (80, 112))
    plain = nst.paint(image, "one", painter=small)
    assert nst.paint(image, "one", painter=small, strokes=1).equal(plain)
    large = nst.paint(image, "one", painter=small, strokes=2)
    copy = nst.paint(resize(image, (40, 56)), "one", painter=small)
    soft = resize(copy, (80, 112))
    over = nst.paint(soft, "one", painter=small)
    torch.testing.assert_close(large, (soft + over) / 2)
    assert nst.paint(image, "one", 0, painter=small, strokes=10).equal(image)


@pytest.mark.parametrize("style", ["one", "own"])
def test_tiles_are_the_whole_picture(style, small, other, monkeypatch):
    """With every normalisation over the whole picture, though no tile sees it."""
    rows = torch.linspace(0, 1, 75).view(1, 1, 75, 1)
    image = (rows + 0.4 * torch.rand(1, 3, 75, 130)).clamp(0, 1)
    style, painter = ("one", small) if style == "one" else (other, "any")
    whole = [nst.paint(image, style, s, painter=painter) for s in (1, 0.5)]
    monkeypatch.setattr(tiles, "WHOLE", 100)
    monkeypatch.setattr(tiles, "TILE", 32)
    for strength, expected in zip((1, 0.5), whole, strict=True):
        tiled = nst.paint(image, style, strength, painter=painter)
        assert (tiled - expected).abs().max() < 1 / 255 / 10


def test_statistics_of_tiles_are_those_of_the_whole():
    x = torch.randn(1, 4, 50, 36) + torch.arange(50.0).view(1, 1, 50, 1)
    (same,), ((mean, variance),) = in_tiles(lambda tile, ask: (ask(tile), (tile,))[1], x, 16, 3)
    y = x[0].double().numpy().reshape(4, -1)
    np.testing.assert_allclose(mean.flatten(), y.mean(1), rtol=1e-5)
    np.testing.assert_allclose(variance.flatten(), y.var(1), rtol=1e-5)
    assert same.equal(x)


def test_a_picture_of_ones_own_is_painted_by_the_painter_of_any_style(picture, other):
    painted = nst.paint(picture, other)
    named = nst.paint(picture, other, painter="any")
    assert painted.equal(named)
    assert painted.shape == picture.shape
    assert not painted.equal(nst.paint(picture, "starry"))


def test_size_bounds_the_long_side(small):
    assert nst.paint("coffee", "one", painter=small, size=40).shape == (1, 3, 27, 40)


def test_a_painter_comes_back_from_its_file(small, picture, tmp_path):
    path = save_painter(small, tmp_path / "new" / "own.safetensors")
    loaded = nst.load_painter(path)
    assert loaded.styles == ("one", "two")
    assert loaded is nst.load_painter(str(path))
    expected = small.half().float()(picture, small.condition("two"))
    torch.testing.assert_close(nst.paint(picture, "two", painter=path), expected)


def test_a_painters_file_says_how_it_was_made(small, tmp_path):
    about = {"photographs": np.int64(3), "from": "köln"}
    path = save_painter(small, tmp_path / "own.safetensors", about)
    assert nst.load_painter(path).about == {"photographs": 3, "from": "köln"}
    assert nst.load_painter(save_painter(small, tmp_path / "bare.safetensors")).about is None
    with pytest.raises(nst.SettingsError, match="JSON"):
        save_painter(small, path, {"file": object()})


@pytest.mark.parametrize("about", [5, ["many"], "words", float("nan")])
def test_what_is_no_account_of_it_is_none(small, tmp_path, about):
    assert nst.load_painter(save_painter(small, tmp_path / "a.safetensors", about)).about is None


def test_the_shipped_painters():
    styles, any_style = nst.load_painter(), nst.load_painter("any")
    assert set(styles.styles) == set(nst.sample_names()["style"])
    assert any_style.styles == ()
    for path in SHIPPED.values():
        assert path.stat().st_size < 1.2e6


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (("one", 1.5), {}, "strength is a number from 0 to 1"),
        (("one", float("nan")), {}, "strength is a number from 0 to 1"),
        (("one",), {"strokes": 0.5}, "strokes is a number from 1 to 64"),
        (("three",), {}, "taught one, two"),
        (({"one": -1},), {}, "share of a style"),
        (({"one": 0},), {}, "at least one style"),
        (([],), {}, "at least one style"),
        (("one",), {"device": "abacus"}, "there is no device"),
        (("one",), {"device": "meta"}, "nothing is computed on the device 'meta'"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(small, picture, arguments, options, words):
    with pytest.raises(nst.SettingsError, match=words):
        nst.paint(picture, *arguments, painter=small, **options)


def test_faults_of_pictures_and_files(small, picture, tmp_path):
    with pytest.raises(nst.ImageError):
        nst.paint(picture * 255, "one", painter=small)
    with pytest.raises(nst.ImageError):
        nst.paint(picture, "no such style")
    with pytest.raises(nst.WeightsError, match="no weights file"):
        nst.load_painter("nowhere.safetensors")
    (tmp_path / "text").write_text("hello")
    network = PACKAGED / "vgg19_quarter.safetensors"
    for path in (tmp_path / "text", network):
        with pytest.raises(nst.WeightsError):
            nst.load_painter(path)


def test_a_run_can_begin_with_one_pass(picture, other):
    run = nst.style_transfer(picture, "waves", init="painter", num_steps=0, sizes=56)
    expected = nst.paint(picture, "waves")
    assert (run.image - expected).abs().max() < 1 / 255
    assert run.settings.init == "painter"
    run = nst.style_transfer(picture, other, init="painter", num_steps=0, sizes=56)
    assert (run.image - nst.paint(picture, other)).abs().max() < 1 / 255


def test_a_file_comes_before_a_style_of_its_name(picture, other, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taught = nst.paint(picture, "ink")
    nst.save_image(other, "ink.png").rename("ink")
    expected = nst.paint(picture, nst.load_image("ink"))
    assert not torch.allclose(expected, taught, atol=0.05)
    assert nst.paint(picture, "ink").equal(expected)
    assert nst.paint(picture, "ink", painter="styles").equal(taught)
    run = nst.style_transfer(picture, "ink", init="painter", num_steps=0, sizes=56)
    assert (run.image - expected).abs().max() < 1 / 255


@pytest.mark.parametrize("weights", [(), (2.0, 0.5), (0.0, 1.0)])
def test_each_region_begins_in_its_own_style_as_thick_as_its_weight(picture, weights):
    run = nst.style_transfer(
        picture, ["waves", "ink"], masks="left", mask_weights=weights, init="painter",
        num_steps=0, sizes=56,
    )  # fmt: skip
    places = (("waves", slice(0, 10)), ("ink", slice(-10, None)))
    for (style, columns), weight in zip(places, weights or (1, 1), strict=True):
        painted = nst.paint(picture, style)
        expected = picture + min(weight, 1) * (painted - picture)
        assert (run.image - expected)[..., columns].abs().max() < 1 / 255
