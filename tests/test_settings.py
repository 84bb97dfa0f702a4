"""Settings: presets, changes, and the way to JSON and back."""

import json

import pytest

from nst import PRESETS, SettingsError, make_settings


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_survive_json(preset):
    settings = make_settings(preset, seed=3, content="cat", styles=("starry", "waves"))
    again = make_settings(**json.loads(json.dumps(settings.to_dict())))
    assert again == settings


def test_layers_by_name_share_a_weight_of_one():
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


def test_none_changes_nothing():
    assert make_settings("d2l", seed=None, sizes=None) == PRESETS["d2l"].settings


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stlye_weight": 1}, "did you mean style_weight"),
        ({"preset": "gatys"}, "no preset 'gatys'"),
        ({"normalisation": "max"}, "relative, paper, mse"),
        ({"optimizer": "sgd"}, "lbfgs, adam"),
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
    ],
)
def test_what_makes_no_sense_is_refused(changes, words):
    with pytest.raises(SettingsError, match=words):
        make_settings(**changes)
