"""Settings: presets, changes, and the way to JSON and back."""

import json

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
    assert make_settings(optimizer="adam").step_length(9) == 0.02
    assert make_settings("article").step_length(0) == 0.001
    assert make_settings("article", optimizer="lbfgs").step_length(0) == 1.0
    decaying = make_settings(optimizer="adam", learning_rate=1.0, learning_rate_decay=(0.5, 10))
    assert [decaying.step_length(n) for n in (9, 10, 25)] == [1.0, 0.5, 0.25]


def test_none_changes_nothing():
    assert make_settings("d2l", seed=None, sizes=None) == PRESETS["d2l"].settings


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
    ],
)
def test_what_makes_no_sense_is_refused(changes, words):
    with pytest.raises(SettingsError, match=words):
        make_settings(**changes)
