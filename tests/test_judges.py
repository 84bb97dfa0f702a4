"""Judges: what they find in pictures of which it is known, and who wins a vote."""

import itertools

import numpy as np
import pytest
import torch

import nst
from nst import judges
from nst.errors import SettingsError


@pytest.fixture(scope="module")
def by(quarter):
    return {"held-out layers": judges.Eye(quarter, ("relu2_2", "relu3_3"))}


def test_a_photograph_and_a_style_are_judged_as_they_are(picture, other, by):
    unpainted = judges.judge(picture, picture, other, by)
    assert [n.split(",")[0] for n in unpainted] == [
        "content",
        "shape",
        "style",
        "strokes",
        "colours",
    ]
    found = {name.split(",")[0]: value for name, value in unpainted.items()}
    assert found["content"] == found["shape"] == 0
    assert found["style"] == found["strokes"] == 1
    copied = {n.split(",")[0]: v for n, v in judges.judge(picture, other[..., :40, :36].new_zeros(
        picture.shape), picture, by).items()}  # fmt: skip
    assert copied["style"] == copied["colours"] == 0
    assert copied["strokes"] == pytest.approx(0, abs=1e-12)
    assert copied["content"] > 0.1


def test_a_picture_of_another_size_is_refused(picture, other, by):
    with pytest.raises(SettingsError, match="56×40 cannot be compared with a photograph of 36×44"):
        judges.judge(picture, other, other, by)


def test_a_style_that_is_the_photograph_is_refused(picture, by):
    with pytest.raises(SettingsError, match="the photograph is the style picture itself"):
        judges.judge(picture, picture, picture.clone(), by)


def test_numbers_by_numpy(quarter, picture, other):
    """The shares of content and style, and self-similarity, from float64 and the definitions."""
    layers = ["relu1_2", "relu2_2"]
    eye = judges.Eye(quarter, layers)
    painted = (picture + 0.2 * torch.rand(picture.shape)).clamp(0, 1)
    seen = [judges.look(eye, image) for image in (painted, picture, other)]
    x, c, s = ({n: f[0].flatten(1).double().numpy() for n, f in view.items()} for view in seen)
    changed = np.mean([((x[n] - c[n]) ** 2).sum() / (c[n] ** 2).sum() for n in layers])
    assert judges.content_changed(*seen[:2]) == pytest.approx(changed, rel=1e-4)

    def gram(rows):
        return rows @ rows.T / rows.size

    left = np.mean([
        ((gram(x[n]) - gram(s[n])) ** 2).sum() / ((gram(c[n]) - gram(s[n])) ** 2).sum()
        for n in layers
    ])  # fmt: skip
    assert judges.style_left(*seen) == pytest.approx(left, rel=1e-3)

    small = [f[:, :, :5, :4] for f in (seen[0]["relu1_2"], seen[1]["relu1_2"])]
    expected = []
    for features in small:
        rows = features[0].flatten(1).double().numpy()
        rows = rows / np.linalg.norm(rows, axis=0)
        distance = np.clip(1 - rows.T @ rows, 0, None)
        expected.append(distance / distance.sum(0))
    found = judges.shape_changed({"relu1_2": small[0]}, {"relu1_2": small[1]})
    assert found == pytest.approx(np.abs(expected[0] - expected[1]).sum(0).mean() / 2, rel=1e-4)


def test_shape_is_blind_to_strength_and_order_of_channels(quarter, picture):
    seen = judges.look(judges.Eye(quarter, ["relu2_2"]), picture)
    order = torch.randperm(seen["relu2_2"].shape[1])
    stronger = {"relu2_2": 3 * seen["relu2_2"][:, order]}
    assert judges.shape_changed(stronger, seen) == pytest.approx(0, abs=1e-5)
    assert judges.content_changed(stronger, seen) > 1


def test_the_distance_of_colours_is_how_far_they_moved():
    light = torch.full((1, 3, 4, 6), 0.5)
    lighter = light + torch.tensor(1e-3)
    slope = judges.colour_distance(light, lighter) / 1e-3
    # Of grey, L* is 116 (Y^(1/3)) - 16 and the other two are 0; Y = ((v + 0.055) / 1.055)^2.4.
    y = ((0.5 + 0.055) / 1.055) ** 2.4
    expected = 116 / 3 * y ** (-2 / 3) * 2.4 / 1.055 * ((0.5 + 0.055) / 1.055) ** 1.4 / 3
    assert slope == pytest.approx(expected, rel=5e-3)
    mirrored = torch.rand(1, 3, 5, 7)
    assert judges.colour_distance(mirrored, mirrored.flip(3)) == 0


def test_a_painted_picture_is_nearer_to_its_style_for_all_judges(picture, other):
    painted = nst.style_transfer(picture, other, sizes=56, num_steps=8, progress=False)
    found = judges.judge(painted.image, picture, other)
    assert {name.split(", ")[-1] for name in found} == {
        "held-out layers", "untrained network", "colours",
    }  # fmt: skip
    before = judges.judge(picture, picture, other)
    for name, value in found.items():
        assert (value > before[name]) == name.startswith(("content", "shape")), name


def test_the_front_holds_whom_nobody_beats():
    rng = np.random.default_rng(0)
    points = [tuple(p) for p in rng.integers(0, 6, (40, 2))]
    expected = [
        not any(
            q[0] <= p[0] and q[1] <= p[1] and q != p for q in points
        )
        for p in points
    ]  # fmt: skip
    assert judges.undominated(points) == expected
    assert judges.undominated([(1, 2, 3)]) == [True]
    assert judges.undominated([]) == []


def test_strengths_of_two_are_known():
    """With n wins to m, and the prior, symmetric strengths ±x: a root that bisection finds too."""
    votes = [("a", "b")] * 7 + [("b", "a")] * 3

    def slope(x):
        return -7 / (1 + np.exp(2 * x)) + 3 / (1 + np.exp(-2 * x)) + judges.PRIOR * np.tanh(x / 2)

    low, high = 0.0, 5.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    found = judges.strengths(votes)
    assert list(found) == ["a", "b"]
    assert found["a"] == pytest.approx(low, abs=1e-4)
    assert found["b"] == pytest.approx(-low, abs=1e-4)


def test_strengths_from_many_votes_are_those_that_made_them():
    rng, truth = np.random.default_rng(1), {"a": 1.5, "b": 0.5, "c": 0.0, "d": -2.0}
    votes = []
    for one, two in itertools.combinations(truth, 2):
        for _ in range(400):
            first = rng.random() < 1 / (1 + np.exp(truth[two] - truth[one]))
            votes.append((one, two) if first else (two, one))
    found = judges.strengths(votes)
    assert list(found) == list(truth)
    assert np.allclose(np.array(list(found.values())), list(truth.values()), atol=0.2)
    assert judges.strengths([("x", "y")])["x"] < 2  # a single win is no proof


@pytest.mark.parametrize("votes", [[], [("a", "a")]])
def test_votes_that_say_nothing(votes):
    with pytest.raises(SettingsError, match="two different pictures"):
        judges.strengths(votes)
