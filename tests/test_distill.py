"""The arithmetic that makes the built-in network, on small pictures."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import distill
from distillation import pictures, student, training
from distillation.exam import explained_share
from distillation.teachers import CONVOLUTIONS

from nst.files.checkpoints import fit_weights
from nst.files.weights import read_weights
from nst.networks import load_network
from nst.networks.scaling import mean_activations

OUTPUTS = dict(zip(CONVOLUTIONS, (16, 16, 32, 32, *[64] * 4, *[128] * 5), strict=True))


def made_up(side, count=4):
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, side, side, generator=generator) for _ in range(count)]


def untrained():
    made = student.new_student().requires_grad_(False)
    made.load_state_dict(load_network(weights="random").state_dict())
    return made


def test_ridge_regression_without_a_ridge_is_least_squares():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(50, 4)), generator.normal(size=(50, 3))
    weight, bias = student.regress(torch.from_numpy(x), torch.from_numpy(y), ridge=0.0)
    expected = np.linalg.lstsq(np.c_[x, np.ones(50)], y, rcond=None)[0]
    np.testing.assert_allclose(weight.numpy(), expected[:4].T, rtol=1e-5)
    np.testing.assert_allclose(bias.numpy(), expected[4], rtol=1e-4, atol=1e-6)


def test_the_explained_share_is_all_of_a_linear_map_and_none_of_noise():
    generator = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(4000, 3, generator=generator).double() for _ in range(2))
    y = x @ torch.tensor([[1.0, 2], [0, 3], [-1, 1]]).double() + 5
    assert explained_share(x[:3000], x[3000:], y[:3000], y[3000:]) == pytest.approx(1, abs=1e-5)
    assert abs(explained_share(x[:3000], x[3000:], noise[:3000], noise[3000:])) < 0.01


def test_telling_channels_span_the_others():
    generator = torch.Generator().manual_seed(0)
    loud = torch.randn(500, 3, generator=generator)
    copies = torch.cat([0.9 * loud, loud, 0.1 * loud[:, :1] + 5], dim=1)
    assert sorted(student.telling_channels(copies, 3).tolist()) == [3, 4, 5]


def test_crops_and_the_learning_rate():
    bytes_of = torch.randint(0, 256, (3, 400, 500), dtype=torch.uint8)
    gallery = pictures.Gallery([bytes_of], torch.device("cpu"))
    batch = pictures.random_batch([gallery], 2**16)
    assert batch.shape[-1] in pictures.SIZES
    assert 0 <= batch.min() <= batch.max() <= 1
    rates = [training.rate(*at) for at in ((0, 0.0), (79, 0.1), (400, 0.55), (700, 1.0))]
    assert rates == pytest.approx([1 / training.WARM_UP, 1, 0.5, 0], abs=1e-6)


@torch.no_grad()
def test_a_student_as_wide_as_its_teacher_starts_as_good():
    """The first weights alone explain a made-up teacher of the student's own width."""
    teacher, images = untrained(), made_up(128)

    def teachers(image):
        found = teacher(image, [f"conv{n}" for n in CONVOLUTIONS])
        pre = {name.removeprefix("conv"): value for name, value in found.items()}
        return pre, {name: value.relu() for name, value in pre.items()}

    torch.manual_seed(0)
    made = student.new_student().requires_grad_(False)
    heads, unit = student.Heads(made, OUTPUTS), dict.fromkeys(CONVOLUTIONS, torch.ones(()))
    everything = {n: torch.ones(count, dtype=torch.bool) for n, count in OUTPUTS.items()}
    student.first_weights(made, heads, teachers, images, unit, everything)
    seen = made(images[0], ["relu1_1", "relu2_1"])
    for n, most in (("1_1", 0.01), ("2_1", 0.05)):
        target = student.rows(teachers(images[0])[1][n])
        lost = heads.features[n](student.rows(seen[f"relu{n}"])) - target
        assert lost.square().mean() < most * target.var(0).mean()


@torch.no_grad()
def test_evening_out_changes_no_prediction():
    made, images = untrained(), made_up(48)
    heads = student.Heads(made, OUTPUTS)

    def predictions():
        seen = made(images[0], [f"relu{n}" for n in CONVOLUTIONS])
        return [heads.features[n](student.rows(seen[f"relu{n}"], 1)) for n in ("1_1", "4_2")]

    before, means_before = predictions(), mean_activations(made, images)
    student.even_out(made, heads, images)
    for old, new in zip(before, predictions(), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-3, atol=1e-4)
    for n, means in mean_activations(made, images).items():
        assert means.mean().item() == pytest.approx(1, abs=1e-4)
        was = means_before[n]
        real = was > 1e-3 * was.mean()  # those below are lifted as far as is safe
        lifted = was.clamp(min=was.mean() / 2)
        torch.testing.assert_close(
            (means / lifted)[real], (means / lifted)[real][:1].expand(real.sum()), rtol=1e-3, atol=0
        )


def test_only_the_layers_asked_for_learn(tmp_path):
    torch.manual_seed(0)
    unit = dict.fromkeys(CONVOLUTIONS, torch.ones(()))
    made = training.Training(tmp_path / "w", OUTPUTS, unit, torch.device("cpu"), "float32")
    made.begin(1e-2, ["3_1", "3_2"])
    modules = made.student, made.heads
    before = [{k: v.clone() for k, v in module.state_dict().items()} for module in modules]
    image = made_up(64, 1)[0]
    targets = {n: torch.rand(1, OUTPUTS[n], 16, 16) for n in ("3_1", "3_2")}  # of nobody else
    for _ in range(2):  # SOAP's first step only looks
        made.learn(image, targets, 0.1)
    moved = {
        name
        for module, old in zip(modules, before, strict=True)
        for name, value in module.state_dict().items()
        if not torch.equal(value, old[name])
    }
    assert {name for name in moved if "3_1" in name or "3_2" in name} == moved
    assert {"layers.conv3_1.weight", "layers.conv3_2.bias", "features.3_2.weight"} <= moved


def test_weakness_is_the_squared_shortfall():
    means = torch.tensor([1.0, 1.0, 0.1, 1.9]).view(1, 4, 1, 1)  # their mean is 1
    found = training.weakness(means.expand(2, 4, 3, 3)).item()
    assert found == pytest.approx((training.HEALTHY - 0.1) ** 2, rel=1e-5)


@torch.no_grad()
def test_a_stretch_goes_on_from_what_was_saved_and_ships_layers_of_mean_1(tmp_path):
    images, cpu = made_up(48), torch.device("cpu")
    unit = dict.fromkeys(CONVOLUTIONS, torch.ones(()))
    first, again = (
        training.Training(tmp_path / f"{name}.safetensors", OUTPUTS, unit, cpu, "float32")
        for name in ("first", "again")
    )
    first.student.load_state_dict(untrained().state_dict())
    first.steps, first.seconds = 7, 3.5
    first.save(images)
    again.load(first.state)
    assert (again.steps, again.seconds) == (7, 3.5)
    for name in ("student", "heads"):
        found, expected = getattr(again, name).state_dict(), getattr(first, name).state_dict()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
    shipped = untrained()
    state = read_weights(first.out)
    assert {value.dtype for value in state.values()} == {torch.float16}
    fit_weights(shipped.layers, state, "it")
    for n, means in mean_activations(shipped, images).items():
        assert means.mean().item() == pytest.approx(1, abs=0.01), n


def test_two_stretches_are_joined_by_layer(tmp_path):
    keys = [
        key.format(n)
        for n in CONVOLUTIONS
        for key in ("student.layers.conv{}.weight", "heads.features.{}.bias", "heads.grams.{}.w")
    ]
    for name, value in (("old", 1.0), ("new", 2.0)):
        save_file({k: torch.tensor([value]) for k in keys}, tmp_path / name)
    joined = training.join(tmp_path / "old", tmp_path / "new", "3_2")
    assert joined.keys() == load_file(tmp_path / "new").keys()
    earlier = {"1_1", "1_2", "2_1", "2_2", "3_1"}
    for key, value in joined.items():
        is_earlier = any(n in key for n in earlier)
        assert value.item() == (1.0 if is_earlier else 2.0), key


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--resume", "nowhere"], "there is no state nowhere"),
        (["--only", "4_1", "2_1"], "--only names the first convolution, then the last"),
    ],
)
def test_a_training_that_makes_no_sense_is_not_begun(options, said, tmp_path, monkeypatch):
    usual = ["distill.py", "train", "--teacher", "t", "--pictures", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*usual, "--out", str(tmp_path / "new" / "w"), *options])
    with pytest.raises(SystemExit, match=said):
        arguments = distill.parse_arguments()
        arguments.command(arguments)
    assert not list(tmp_path.iterdir())


def test_weights_are_no_state_of_a_training(tmp_path):
    save_file({"conv1_1.weight": torch.ones(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(SystemExit, match="no state of a training"):
        training.Training.load(None, tmp_path / "weights.safetensors")


@pytest.mark.parametrize("count", [50, 96, 191, 467])
def test_the_scale_is_measured_on_pictures_from_all_of_the_alphabet(count, monkeypatch):
    monkeypatch.setattr(distill, "read_square", lambda path: torch.tensor(int(path.name)))
    names = [Path(f"{number:03}") for number in range(count)]
    found = distill.measured([names], torch.device("cpu"))
    numbers = [int(one) for one in found]
    assert len(set(numbers)) == len(numbers) == min(count, distill.MEASURED)
    steps = {b - a for a, b in pairwise(numbers)}
    assert max(steps) - min(steps) <= 1
    assert count - numbers[-1] <= max(steps)
