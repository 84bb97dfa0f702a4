"""Settings: presets, changes, and the way to JSON and back."""

import json

import numpy as np
import pytest

from nst import PRESETS, SettingsError, make_settings


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_survive_json(preset):
    settings = make_settings(preset, seed=3, content="cat", styles=("starry", "waves"))
    again = make_settings(**json.loads(json.dumps(settings.to_dict())))
    assert again == settings


def test_layers_by_name_share_the_presets_weight():
    assert make_settings("article", style_layers=["relu1_1", "relu2_1"]).style_layers == {
        "relu1_1": 2.5,
        "relu2_1": 2.5,
    }
    assert make_settings(style_layers=["relu1_1", "relu2_1"]).style_layers == {
        "relu1_1": 0.5,
        "relu2_1": 0.5,
    }
    assert make_settings(content_layers="relu3_1").content_layers == {"relu3_1": 1.0}
    assert make_settings(style_layers={"relu1_1": 3}).style_layers == {"relu1_1": 3.0}


def test_single_numbers_and_the_last_step_count():
    settings = make_settings(sizes=128, num_steps=7)
    assert (settings.sizes, settings.num_steps) == ((128,), (7,))
    assert [make_settings(num_steps=[9, 5]).steps_at(i) for i in range(3)] == [9, 5, 5]


def test_each_optimizer_has_its_own_learning_rate():
    assert make_settings().step_length(0) == 1.0
    assert make_settings(optimizer="adam").step_length(9) == 0.05
    assert make_settings("article").step_length(0) == 0.001
    assert make_settings("article", optimizer="lbfgs").step_length(0) == 1.0
    decaying = make_settings(optimizer="adam", learning_rate=1.0, learning_rate_decay=(0.5, 10))
    assert [decaying.step_length(n) for n in (9, 10, 25)] == [1.0, 0.5, 0.25]


@pytest.mark.parametrize("name", ["content_layers", "style_layers"])
def test_who_changes_one_runs_layers_changes_no_others(name):
    first, second = make_settings(), make_settings(seed=1)
    given = {"relu3_1": 1.0}
    third = make_settings(**{name: given})
    kept = dict(getattr(second, name))
    getattr(first, name)["relu2_2"] = given["relu2_2"] = 5.0
    for settings in (second, PRESETS["default"].settings, make_settings()):
        assert getattr(settings, name) == kept
    assert getattr(third, name) == {"relu3_1": 1.0}


def test_none_changes_nothing():
    assert make_settings("d2l", seed=None, sizes=None) == PRESETS["d2l"].settings


def test_numpys_numbers_and_arrays_are_plain_settings():
    given = make_settings(
        sizes=np.array([64, 128]),
        num_steps=np.int64(7),
        style_weight=np.float32(0.5),
        style_blend=np.array([1.0, 3.0]),
        style_layers={"layer1.0.relu": np.float64(0.25), "features.0": np.int32(1)},
        learning_rate_decay=(np.float64(0.5), np.int64(10)),
        content_layers=np.array(["relu1_1", "relu2_1"]),
        seed=np.uint8(3),
    )
    plain = make_settings(
        sizes=(64, 128),
        num_steps=7,
        style_weight=0.5,
        style_blend=(1.0, 3.0),
        style_layers={"layer1.0.relu": 0.25, "features.0": 1},
        learning_rate_decay=(0.5, 10),
        content_layers=["relu1_1", "relu2_1"],
        seed=3,
    )
    assert json.dumps(given.to_dict()) == json.dumps(plain.to_dict())
    for number in (np.bool_(True), np.float64("nan")):
        with pytest.raises(SettingsError):
            make_settings(seed=number)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stlye_weight": 1}, "did you mean style_weight"),
        ({"preset": "gatys"}, "no preset 'gatys'"),
        ({"normalisation": "max"}, "relative, paper, mse"),
        ({"optimizer": "sgd"}, "lbfgs, lbfgs-plain, adam"),
        ({"content_weight": -1.0}, "weights are"),
        ({"style_layers": {"relu1_1": float("nan")}}, "weights are"),
        ({"style_layers": []}, "at least one layer"),
        ({"style_weight": "much"}, "weights are"),
        ({"sizes": (512, 256)}, "from coarse to fine"),
        ({"sizes": ()}, "from coarse to fine"),
        ({"sizes": (0,)}, "from coarse to fine"),
        ({"num_steps": -1}, "num_steps"),
        ({"style_blend": (0.0, 0.0)}, "style_blend"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"average": 1.0}, "average"),
        ({"seed": "x"}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"learning_rate": 0.001}, "for L-BFGS at least 0.1"),
        ({"learning_rate_decay": (0.8, 0)}, "learning_rate_decay"),
        ({"learning_rate_decay": 0.8}, "learning_rate_decay"),
        ({"style_layers": {"relu1_1": None}}, "weights are"),
        ({"history": 0}, "history"),
        ({"history": 1500}, "history is a whole number from 1 to 200; not 1500"),
        ({"style_layers": {f"relu{n}": 1.0 for n in range(3000)}}, "3000 layers, and 200 are"),
        ({"sizes": range(1, 18)}, "at most 16"),
        ({"style_weight": 10**400}, "weights are"),
        ({"seed": 10**5000}, "not a number of too many digits"),
        ({"learning_rate_decay": (-1.0, 50)}, "learning_rate_decay"),
        ({"learning_rate_decay": (1.1, 50)}, "learning_rate_decay"),
        ({"pooling": "<b>"}, "pooling is one of max"),
        ({"padding": 5}, "padding is one of zeros"),
        ({"network": "<b>"}, "network is"),
        ({"content_layers": 5}, "content_layers are names"),
        ({"content_layers": "<b>"}, "a layer's name has"),
        ({"style_layers": [["relu1_1"]]}, "style_layers are names"),
        ({"content": "a\x1b[2Jb"}, "content is a picture's path"),
        ({"styles": ["x" * 5000]}, "styles are"),
        ({"preset": []}, "no preset"),
        ({"callback": 1}, "no setting 'callback'"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, words):
    with pytest.raises(SettingsError, match=words):
        make_settings(**changes)
