"""The benchmark at tiny sizes: its rows, its table, and the loops that it compares with."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools/bench"))

import bench
import bench_delivered
import bench_gpu
import bench_gpu_apart
import bench_measure
import bench_painters
import bench_published
import bench_references
import bench_rows
import bench_runs
import bench_together

import nst


@pytest.mark.parametrize(
    ("loop", "preset"),
    [
        ("PyTorch tutorial", "pytorch-tutorial"),
        ("Gatys' notebook", "gatys-notebook"),
        ("neural-style-pt", "neural-style-pt"),
    ],
)
def test_a_published_loop_has_the_loss_and_gradient_of_its_preset(
    quarter, picture, other, loop, preset
):
    """Two ways to the same number: the preset is tested against the formulas in NumPy."""
    start = other[..., :40, :].repeat(1, 1, 1, 2)[..., :56].contiguous()
    loss, gradient = bench_published.LOOPS[loop].evaluation(quarter, picture, other)(start.clone())
    objective = nst.Objective(quarter, picture, [other], nst.make_settings(preset))
    terms, expected = objective.loss_and_gradient(start)
    assert loss.item() == pytest.approx(sum(terms.values()).item(), rel=1e-4)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-4 * expected.abs().max())


def test_d2ls_loop_has_its_loss_and_takes_the_weights_gradients(quarter, picture, other):
    """Its in-place ReLUs turn all its layers but the last into those after the ReLU."""
    start = quarter.normalise(picture.flip(-1)).contiguous()
    loss, _ = bench_references.d2l(quarter, picture, other)(start.clone())
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "conv5_1"]
    seen, content, style = (
        nst.extract_features(quarter, image, ["relu4_4", *layers])
        for image in (picture.flip(-1), picture, other)
    )
    pixels = start.numpy()
    expected = 5 * (np.abs(np.diff(pixels, axis=2)).mean() + np.abs(np.diff(pixels, axis=3)).mean())
    expected += nst.content_loss(seen, content, "relu4_4").item()
    expected += 1e4 * nst.style_loss(seen, style, layers).item()
    assert loss.item() == pytest.approx(expected, rel=1e-4)
    assert not any(p.requires_grad for p in quarter.parameters())


def test_the_bare_networks_gradient(quarter, picture):
    loss, gradient = bench_references.bare(quarter, "relu2_1")(picture.clone())
    image = picture.clone().requires_grad_()
    expected = quarter(image, ["relu2_1"])["relu2_1"].sum()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(gradient, image.grad, rtol=1e-4, atol=1e-4)


def test_the_published_optimiser_starts_where_it_is_told(quarter, picture, other):
    evaluate = bench_references.pytorch_tutorial(quarter, picture, other)
    _, losses = bench_published.torch_lbfgs(evaluate, picture, 7)
    assert len(losses) == 7
    assert losses[0] == evaluate(picture.clone())[0].item()


def test_measures_are_taken_in_turn_and_compared():
    calls = []

    def measure(name, figures):
        return lambda: calls.append(name) or figures.pop(0)

    measures = {
        "ours": measure("ours", [9.0, 1.0, 2.0, 6.0]),
        "theirs": measure("theirs", [9.0, 2.0, 8.0, 3.0]),
    }
    figures = bench_measure.in_turn(measures, 3)
    assert calls == ["ours", "theirs"] * 4
    (row,) = bench_measure.compare("speed", "x", "s", figures, {"theirs": 0.4})
    assert (row.ours, row.reference, row.ratio) == (2.0, 3.0, 0.5)
    assert (row.against, row.verdict) == ("theirs", "falls short")
    (row,) = bench_measure.compare("speed", "x", "s", figures, {"theirs": 0.5})
    assert row.verdict == "pass"
    (row,) = bench_measure.compare("speed", "x", "s", figures, {})
    assert row.verdict == ""


def test_rows_become_a_table_and_json(tmp_path):
    published = list(bench_published.LOOPS)
    rows = bench_rows.one_evaluation("vgg19_quarter", (64, 48), published, turns=1)
    assert [row.against for row in rows] == ["bare network", *published]
    assert all(row.ours > 0 and row.reference > 0 and row.ratio > 0 and row.bar for row in rows)
    bench.write(rows, bench.machine(), tmp_path)
    written = json.loads((tmp_path / "results.json").read_text())
    assert [record["ratio"] for record in written["rows"]] == [row.ratio for row in rows]
    assert written["machine"]["torch"] == torch.__version__
    table = (tmp_path / "RESULTS.md").read_text()
    assert table.count("| vgg19_quarter, 64×48 |") == len(rows)
    assert f"| {rows[0].ratio:.3f} | ≤ 1.05 |" in table


def test_every_machines_rows_are_shown_together(tmp_path):
    """A GPU's file beside the CPU's; until there is one, its rows are called not measured."""
    here, there = (
        bench_measure.Row("speed", name, "x", "s", 1.0, 2.0, 0.5, 1.0) for name in ("here", "there")
    )
    bench.write([here], {"processor": "p"}, tmp_path)
    assert "Not measured." in (tmp_path / "RESULTS.md").read_text()
    bench.write([there], {"gpu": "NVIDIA H200", "torch": "2"}, tmp_path, "results-nvidia-h200")
    table = (tmp_path / "RESULTS.md").read_text()
    assert "| here |" in table
    assert "| there |" in table
    assert "gpu: NVIDIA H200, torch: 2" in table
    assert "Not measured" not in table


def test_what_was_not_measured_is_called_so(tmp_path):
    row = bench_measure.Row("memory", "large", "8 GB", "GB", None, 8.0, None, 1.0)
    bench.write([row], {"gpu": "NVIDIA H200"}, tmp_path, "results-nvidia-h200")
    table = (tmp_path / "RESULTS.md").read_text()
    assert "| large | 8 GB |  | 8 GB |  | ≤ 1 | not measured |" in table
    assert bench.read(tmp_path / "results-nvidia-h200.json")[1] == [row]


def test_a_case_on_a_gpu_that_takes_too_long_loses_itself_alone(monkeypatch, capsys):
    def child(call, folder, environment=None):
        if "limit" in call:
            raise subprocess.TimeoutExpired(call, 40)
        return {"allocated": 1.0, "reserved": 3.0, "seconds": 2.0}

    monkeypatch.setattr(bench_gpu_apart, "child", child)
    found = {row.name: (row.ours, row.verdict) for row in bench_gpu.gpu_memory()}
    assert found["2304×1536, 20 steps"] == (1.0, "pass")
    assert found["4096×3072, limit 8GB"] == (None, "not measured")
    assert found["4096×3072, 12 GB free"] == (3.0, "pass")
    assert "timed out after 40 seconds" in capsys.readouterr().err


def test_chosen_rows_take_the_place_of_their_sections_alone(tmp_path, monkeypatch):
    def row(section, ours):
        return bench_measure.Row(section, "x", "y", "s", ours, 2.0, ours / 2)

    def second():
        yield row("b", 5.0)

    before = [row("a", 1.0), row("b", 2.0), row("b", 3.0), row("c", 4.0)]
    bench.write(before, bench.machine(), tmp_path)
    monkeypatch.setattr(bench, "SHORT", (second,))
    bench.main(["--only", "second", "--out", str(tmp_path)])
    after = bench.read(tmp_path / "results.json")[1]
    assert [(r.section, r.ours) for r in after] == [("a", 1.0), ("b", 5.0), ("c", 4.0)]
    bench.main(["--out", str(tmp_path)])
    assert [r.section for r in bench.read(tmp_path / "results.json")[1]] == ["b"]


def test_a_kind_that_fails_loses_no_other(tmp_path, monkeypatch, capsys):
    def broken():
        raise RuntimeError("a broken row")
        yield

    def whole():
        yield bench_measure.Row("speed", "whole", "x", "s", 1.0, 2.0, 0.5)

    monkeypatch.setattr(bench, "SHORT", (broken, whole))
    with pytest.raises(SystemExit, match="not measured: broken"):
        bench.main(["--out", str(tmp_path)])
    assert "a broken row" in capsys.readouterr().err
    assert "| whole |" in (tmp_path / "RESULTS.md").read_text()


def test_a_run_to_a_loss_ends_there():
    options = {"num_steps": 30, "preset": "pytorch-tutorial"}
    pictures = []
    nst.style_transfer(
        "astronaut",
        "starry",
        sizes=32,
        progress=False,
        callback=lambda step: pictures.append(step.image),
        **options,
    )
    loss = bench_measure.own_loss("astronaut", "starry", 32, **options)
    goal = loss(pictures[20])
    count, seconds = bench_measure.time_to(goal, "astronaut", "starry", [32], **options)
    assert 1 < count <= 21
    assert 0 < seconds < float("inf")
    never = bench_measure.time_to(-1.0, "astronaut", "starry", [32], **options)
    assert never == (float("inf"), float("inf"))
    count, _ = bench_measure.time_to(goal, "astronaut", "starry", [16, 32], **options)
    assert count % 1 == 0.75  # 31 evaluations of a quarter, and whole ones


def test_a_run_is_measured_by_the_picture_with_256_levels():
    """Against the objective itself, of a picture rounded with NumPy."""
    start, content, style = (nst.load_image(n, 32) for n in ("cat", "astronaut", "starry"))
    start = nst.preprocess_image(nst.postprocess_image(start)).roll(3, -1)[..., : content.shape[-1]]
    start = torch.nn.functional.interpolate(start, content.shape[-2:]) * 0.9 + 0.001
    seen = []

    def loss(picture):
        seen.append(picture)
        return float(len(seen) < 3)

    options = {"init": start, "num_steps": 9}
    count, _ = bench_measure.time_to(0.5, "astronaut", "starry", [32], loss, **options)
    assert seen == []  # no step is near: nothing is measured, and it never gets there
    assert count == float("inf")
    count, _ = bench_measure.time_to(1e9, "astronaut", "starry", [32], loss, **options)
    assert count == 1
    levels = np.rint(start.numpy() * 255).astype(np.uint8)
    np.testing.assert_array_equal(seen[0].numpy(), levels.astype(np.float32) / np.float32(255))
    objective = nst.Objective(nst.load_network(), content, [style], nst.make_settings())
    expected = sum(objective(seen[0]).values()).item()
    own = bench_measure.own_loss("astronaut", "starry", 32)
    assert own(start) == own(seen[0]) == pytest.approx(expected, rel=1e-6)


def test_a_photograph_smaller_than_asked_for_has_its_runs_loss(tmp_path):
    """Its style picture has the size that was asked for."""
    small = str(tmp_path / "small.png")
    nst.save_image(nst.load_image("cat", 32), small)
    run = nst.style_transfer(small, "starry", sizes=48, num_steps=6, progress=False)
    goal = run.delivered["total"]
    own = bench_measure.own_loss(small, "starry", 48)
    assert own(run.image) == pytest.approx(goal, rel=1e-6)
    count, _ = bench_measure.time_to(goal, small, "starry", [48], num_steps=6)
    assert count <= 7


@pytest.mark.parametrize("name", bench_published.LOOPS)
def test_a_published_loop_has_our_loss_of_the_picture_that_it_hands_back(picture, name):
    loop = bench_published.LOOPS[name]
    network, other = loop.network(), nst.load_image("starry", 64)
    evaluate = loop.evaluation(network, picture, other)
    handed = loop.run(network, evaluate, picture, 6)
    assert handed.shape == picture.shape
    assert 0 <= handed.min() < handed.max() <= 1
    assert (handed - picture).abs().max() > 0.1
    objective = nst.Objective(network, picture, [other], nst.make_settings(**loop.ours))
    own = sum(objective((handed * 255).round() / 255).values()).item()
    assert loop.loss(network, evaluate, handed) == pytest.approx(own, rel=0.02)


def test_a_loop_that_explodes_has_no_ratio(monkeypatch):
    name = "PyTorch tutorial"
    loop = bench_published.LOOPS[name]
    broken = dataclasses.replace(loop, optimise=lambda _evaluate, start, _n: 0 * start)
    monkeypatch.setattr(bench_delivered, "LOOPS", {"broken": broken, name: loop})
    rows = list(bench_delivered.published_runs([("cat", "starry")], (32, 48), evaluations=8))
    assert [row.against for row in rows] == ["broken", "broken", name, name, "all loops"]
    assert [row.ratio for row in rows[:2]] == [None, None]
    assert rows[0].cells()[-3:] == ["", "", "theirs is no better than the start"]
    assert rows[-1].ours == pytest.approx((rows[2].ratio * rows[3].ratio) ** 0.5)
    assert rows[-1].name == "geometric mean of 2"


def test_what_is_delivered_is_compared_with_the_best_step():
    rows = list(bench_delivered.delivered([("cat", "starry", "content")], 32, early=3, late=6))
    assert len(rows) == 4 * len(bench_delivered.OPTIMIZERS)
    assert all(row.bar and row.ratio and row.section == "Delivered" for row in rows)
    options = {"sizes": 32, "num_steps": 6, "optimizer": "adam", "progress": False}
    run = nst.style_transfer("cat", "starry", **options)
    free = nst.style_transfer("cat", "starry", **options, bounds="end")
    totals, others = ([step["total"] for step in r.history] for r in (run, free))
    mean, _, early, late = (row.ratio for row in rows if row.name.startswith("adam"))
    assert mean == pytest.approx(run.delivered["total"] / min(totals))
    assert early == pytest.approx(min(totals[:4]) / min(others[:4]))
    assert late == pytest.approx(min(totals) / min(others))


def test_memory_is_that_of_the_activations():
    """In-place ReLUs: conv1_1 and conv1_2 of 16 channels alone are 128 bytes a pixel.

    What the process that measures holds itself does not count.
    """
    held = torch.ones(2**27)
    assert 0.128 < bench_rows.memory_measures("vgg19_quarter", (512, 384))["ours"]() < 2
    assert bench_measure.peak_memory() > held.nbytes


def test_slow_waves_are_told_from_fast_ones():
    x = torch.arange(128.0)
    slow, fast = (torch.sin(2 * torch.pi * x / n).expand(1, 3, 128, 128) for n in (64, 8))
    loud = slow + 3 * fast
    assert bench_runs.slow_share(loud, longest=16) == pytest.approx(np.log(0.1), abs=1e-3)


def test_fewer_steps_are_counted_to_the_plain_ones_loss():
    pairs = [("astronaut", "starry")]
    rows = list(bench_runs.fewer_steps(pairs, sizes=(64,), evaluations=20))
    assert [row.unit for row in rows] == 3 * ["evaluations", "s"] + 4 * [""]
    assert all(row.reference <= 20 for row in rows if row.unit == "evaluations")
    content, noise, coarse = (rows[n].ratio for n in (0, 2, 4))
    assert rows[6].ours == pytest.approx((content * noise) ** 0.5)
    assert rows[8].ours == pytest.approx((content * coarse) ** 0.5)


def test_tiles_have_the_same_gradient():
    error, cost = bench_runs.tiles(side=96, tile=32)
    assert error.verdict == "pass"
    assert error.ours > 0
    assert cost.unit == "s"


# As long as it is told to, and no run: two and a half seconds of imports less for each of three.
ANSWERS = """
import sys, time
for line in sys.stdin:
    time.sleep(float(line))
    print({size} * float(line), flush=True)
"""


def test_a_runner_tells_the_seconds_of_a_step():
    with bench_together.Runner(32, ours=True) as runner:
        runner.begin(0.2)
        assert 0 < runner.end() <= 0.4


def test_runs_that_share_the_cores_are_compared_with_one_alone(monkeypatch):
    monkeypatch.setattr(bench_together, "RUNNER", ANSWERS)
    rows = list(bench_together.two_at_once(size=32, seconds=0.2, windows=1))
    assert [(row.ours, row.reference) for row in rows] == [(32 * 0.2, 32 * 0.2)] * 3
    assert [row.name.split(",")[0] for row in rows] == [
        *("one alone", "two at once", "two and a busy loop")
    ]
    assert len({row.reference for row in rows}) == 1
    assert [row.bar for row in rows] == pytest.approx([1 / 0.95, 1 / 0.45, 1 / 0.3])
    assert all(row.ratio == pytest.approx(row.ours / row.reference) for row in rows)


def test_the_reference_is_torchs_own_setting(monkeypatch):
    asked = []
    monkeypatch.setattr(
        bench_together.subprocess, "Popen", lambda command, env, **_: asked.append((command, env))
    )
    for name in bench_together.SAID:
        monkeypatch.setenv(name, "1")
    for ours in (False, True):
        bench_together.Runner(32, ours)
    (theirs, without), (code, with_ours) = ((command[-1], env) for command, env in asked)
    assert not without.keys() & set(bench_together.SAID)
    assert theirs.index("import torch") < theirs.index("import nst")
    assert "import torch" not in code
    assert with_ours.keys() >= set(bench_together.SAID)


def test_one_pass_is_measured_in_steps_of_the_optimiser():
    pair = [("cat", "waves")]
    rows = [*bench_painters.worth(pair, 48, 2), *bench_painters.painted_start(pair, 48, 2)]
    rows += [*bench_painters.any_style(["cat"], ["waves"], 48), *bench_painters.flicker(pair, 48)]
    assert 0 <= rows[0].ours <= 2
    assert all(row.ours is not None and row.ours >= 0 for row in rows)
    content, painting = nst.load_image("cat", 48), nst.paint("cat", "waves", size=48)
    run = nst.style_transfer(content, "waves", init=painting, sizes=48, num_steps=0)
    ours = bench_painters.loss_of(bench_painters.rounded(painting), content, "waves")
    assert ours == pytest.approx(run.delivered["total"], rel=1e-4)
