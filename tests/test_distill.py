"""The arithmetic that makes the built-in network, and a miniature run of it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

import distill

import nst


def test_ridge_regression_without_a_ridge_is_least_squares():
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(50, 4)), generator.normal(size=(50, 3))
    weight, bias = distill.regress(torch.from_numpy(x), torch.from_numpy(y), ridge=0.0)
    expected = np.linalg.lstsq(np.c_[x, np.ones(50)], y, rcond=None)[0]
    np.testing.assert_allclose(weight.numpy(), expected[:4].T, rtol=1e-5)
    np.testing.assert_allclose(bias.numpy(), expected[4], rtol=1e-4, atol=1e-6)


def test_telling_channels_span_the_others():
    generator = torch.Generator().manual_seed(0)
    loud = torch.randn(500, 3, generator=generator)
    copies = torch.cat([0.9 * loud, loud, 0.1 * loud[:, :1] + 5], dim=1)
    assert sorted(distill.telling_channels(copies, 3).tolist()) == [3, 4, 5]


def test_crops_and_the_learning_rate():
    pictures = [torch.randint(0, 256, (3, 200, 300), dtype=torch.uint8)]
    batch = distill.random_batch(pictures)
    assert batch.shape[-1] in distill.CROPS
    assert 0 <= batch.min() <= batch.max() <= 1
    rates = [distill.rate(step, 1000) for step in (0, 99, 400, 700, 1000)]
    assert rates == pytest.approx([0.01, 1, 1, 0.5, 0], abs=1e-3)


@torch.no_grad()
def test_a_student_as_wide_as_its_teacher_starts_as_good(monkeypatch):
    """The first weights alone explain a made-up teacher of the student's own width."""
    teacher = nst.load_network("vgg19_quarter", weights="random")
    monkeypatch.setattr(distill, "PIXELS_A_BATCH", 128 * 128)

    def teach(_, image):
        conv = teacher(image, [f"conv{n}" for n in distill.CONVOLUTIONS])
        pre = {name.removeprefix("conv"): value for name, value in conv.items()}
        return pre, {name: value.relu() for name, value in pre.items()}

    monkeypatch.setattr(distill, "teach", teach)
    torch.manual_seed(0)
    images = [torch.rand(1, 3, 128, 128) for _ in range(4)]
    lesson = (images[0], teach(None, images[0])[1])
    unit = distill.units([lesson[1]])
    student = nst.load_network("vgg19_quarter", weights="random")
    layers = {n: distill.convolution(student, n) for n in distill.CONVOLUTIONS}
    heads = torch.nn.ModuleDict(
        {n: torch.nn.Linear(c.out_channels, c.out_channels) for n, c in layers.items()}
    )
    distill.first_weights(student, heads, [], images, unit)
    lost = distill.unexplained(student, heads, lesson, unit)
    assert lost["1_1"] < 0.01
    assert lost["2_1"] < 0.05
    before = {name: value.clone() for name, value in student.state_dict().items()}
    for head in heads.values():
        torch.nn.init.zeros_(head.weight)
    distill.first_weights(student, heads, [], images, unit, trained=True)
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    assert distill.unexplained(student, heads, lesson, unit)["1_1"] < 0.01
