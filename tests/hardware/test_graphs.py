"""Runs on a GPU: recorded steps, precision, memory, devices. All but the switches need one."""

import gc
import os
import signal
from bisect import bisect_left
from functools import partial

import pytest
import torch

import nst
from nst.devices import arithmetic, pick_precision
from nst.hardware.graphs import Recorded
from nst.hardware.memory import Plan
from nst.objective import total
from nst.statistics import STATISTICS

CUDA = torch.device("cuda")
needs_gpu = pytest.mark.needs_gpu
OPTIMIZERS = ["lbfgs", "lbfgs-plain", "adam"]


def test_the_default_precision_is_the_devices():
    assert pick_precision(None, torch.device("cpu")) == "float32"
    assert pick_precision(None, CUDA) == "tf32"
    assert pick_precision("bfloat16", torch.device("cpu")) == "bfloat16"


def test_the_switches_of_the_process_are_put_back():
    def switches():
        backends = torch.backends
        return (
            backends.cudnn.allow_tf32,
            backends.cuda.matmul.allow_tf32,
            backends.cudnn.benchmark,
        )

    before = switches()
    for precision, rounded in (("float32", False), ("tf32", True), ("bfloat16", True)):
        with pytest.raises(ZeroDivisionError), arithmetic(precision):
            assert switches() == (rounded, rounded, False)
            raise ZeroDivisionError
        assert switches() == before


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_a_graph_gives_what_it_recorded(picture, other, precision):
    network = nst.networks.fit_out(nst.load_network(), CUDA, precision)
    image, style = picture.to(CUDA), other.to(CUDA)
    objective = nst.Objective(network, None, [style], nst.make_settings(content_weight=0.0))
    with arithmetic(precision):
        for pictures in ([image, image.flip(-1), image * 0.5, image], [style] * 3):  # two shapes
            shown = pictures[0].clone()
            recorded = Recorded(lambda shown=shown: objective.loss_and_gradient(shown))
            for wanted in pictures:
                shown.copy_(wanted)
                terms, gradient = recorded()
                expected_terms, expected = objective.loss_and_gradient(wanted)
                torch.testing.assert_close(terms, expected_terms, rtol=1e-3, atol=1e-6)
                torch.testing.assert_close(
                    gradient, expected, rtol=1e-2, atol=1e-3 * expected.abs().max()
                )
            assert recorded.graph is not None


@needs_gpu
@pytest.mark.parametrize("statistic", STATISTICS)
def test_what_is_computed_beside_is_what_is_computed_in_turn(
    picture, other, statistic, monkeypatch
):
    """Also of layers that nothing else holds until then; again and again, as memory is reused."""
    network = nst.networks.fit_out(nst.load_network(), CUDA, "float32")
    image, style = (nst.images.resize(x, (256, 256)).to(CUDA) for x in (picture, other))
    layers = ["conv1_1", "relu1_2", "pool1", "conv2_2", "pool2"]
    settings = nst.make_settings(
        content_layers=["conv2_1"], style_layers=layers, statistic=statistic
    )
    objective = nst.Objective(network, image, [style], settings)
    shown = image.flip(-1).clone()
    with arithmetic("float32"):
        recorded = Recorded(lambda: objective.loss_and_gradient(shown))
        found = [objective.loss_and_gradient(shown) for _ in range(5)]
        found += [[part.clone() for part in recorded()[1:]] for _ in range(5)]
        monkeypatch.setattr("nst.devices.SMALL", 0)
        _, expected = objective.loss_and_gradient(shown)
    for *_, gradient in found:
        assert (gradient - expected).norm() < 1e-3 * expected.norm()


@needs_gpu
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_on_a_gpu_finds_the_loss_of_one_on_the_cpu(picture, other, optimizer):
    options = {"sizes": (40, 56), "num_steps": 40, "optimizer": optimizer, "progress": False}
    there = nst.style_transfer(picture, other, device="cuda", **options)
    here = nst.style_transfer(picture, other, device="cpu", **options)
    assert [r["number"] for r in there.history] == [r["number"] for r in here.history]
    first, second = (r.history[0]["total"] for r in (there, here))
    assert first == pytest.approx(second, rel=0.02)
    assert there.history[-1]["total"] == pytest.approx(here.history[-1]["total"], rel=0.2)
    assert not there.image.is_cuda


@needs_gpu
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer": "adam", "learning_rate_decay": (0.5, 2)},
        {"optimizer": "lbfgs-plain"},
        {"average": 0.8},
        {"bounds": "closure"},
        {"bounds": "end", "optimizer": "adam"},
        {"padding": "replicate", "pooling": "average"},
    ],
)
def test_recorded_steps_are_those_that_are_not(picture, other, options, monkeypatch):
    """Learning rates, averages and bounds among them; in float32 they differ by rounding only."""
    recorded = []

    class Noted(Recorded):
        def __call__(self):
            recorded.append(self)
            return super().__call__()

    class Unrecorded:
        def __init__(self, work):
            self.work = work

        def __call__(self):
            return self.work()

    def run(kind):
        monkeypatch.setattr("nst.loop.Recorded", kind)
        settings = {"sizes": 56, "num_steps": 6, "progress": False, "precision": "float32"}
        return nst.style_transfer(picture, other, device="cuda", **settings | options)

    with_graph, without = run(Noted), run(Unrecorded)
    assert recorded[-1].graph is not None
    for one, two in zip(with_graph.history, without.history, strict=True):
        assert one["total"] == pytest.approx(two["total"], rel=5e-3)
    torch.testing.assert_close(with_graph.image, without.image, rtol=0, atol=0.02)


@needs_gpu
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_no_step_waits_for_the_gpu(picture, other, optimizer, monkeypatch):
    """PyTorch raises at every such wait once the step is recorded."""
    calls, set_rate = [], nst.loop.set_rate

    def strict(*arguments):
        calls.append(arguments)
        torch.cuda.set_sync_debug_mode("error" if 4 <= len(calls) < 20 else "default")
        set_rate(*arguments)

    monkeypatch.setattr("nst.loop.set_rate", strict)
    try:
        result = nst.style_transfer(
            *(picture, other),
            sizes=56,
            num_steps=20,
            optimizer=optimizer,
            device="cuda",
            progress=False,
        )
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(calls) == 20
    assert result.reason == "finished"


@needs_gpu
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_goes_on_on_another_device(picture, other, optimizer, tmp_path):
    options = {"sizes": 56, "optimizer": optimizer, "progress": False, "precision": "float32"}
    whole = nst.style_transfer(picture, other, num_steps=12, device="cpu", **options)
    nst.style_transfer(picture, other, num_steps=4, device="cuda", **options).save(tmp_path / "a")
    second = nst.resume(tmp_path / "a", 8, device="cpu", precision="float32", progress=False)
    second.save(tmp_path / "b")
    third = nst.resume(tmp_path / "b", 12, device="cuda", precision="float32", progress=False)
    assert [r["number"] for r in third.history] == list(range(13))
    for one, two in zip(third.history[:7], whole.history[:7], strict=True):
        assert one["total"] == pytest.approx(two["total"], rel=0.02)
    assert third.history[-1]["total"] == pytest.approx(whole.history[-1]["total"], rel=0.2)


@needs_gpu
def test_a_run_on_a_gpu_can_be_stopped(picture, other):
    options = {"sizes": 56, "num_steps": 50, "device": "cuda", "progress": False}
    stopped = nst.style_transfer(picture, other, callback=lambda step: step.number == 7, **options)
    assert stopped.reason == "stopped"
    assert [r["number"] for r in stopped.history] == list(range(8))

    def interrupt(step):
        if step.number == 5:
            os.kill(os.getpid(), signal.SIGINT)

    interrupted = nst.style_transfer(picture, other, callback=interrupt, **options)
    assert interrupted.reason == "interrupted"
    assert len(interrupted.history) <= 7
    assert interrupted.image.isfinite().all()


@needs_gpu
def test_a_callback_sees_the_picture_of_its_step(picture, other):
    """Played back, a step changes the picture in place."""
    seen = []
    options = {"sizes": 56, "num_steps": 8, "device": "cuda", "progress": False}
    nst.style_transfer(
        picture, other, callback=lambda step: seen.append((step.total, step.image)), **options
    )
    network = nst.networks.fit_out(nst.load_network(), CUDA, "tf32")
    content, style = picture.to(CUDA), nst.images.fit(other.to(CUDA), 56)
    objective = nst.Objective(network, content, [style], nst.make_settings())
    with arithmetic("tf32"):
        for loss, image in seen:
            found = total(objective.loss_and_gradient(image)[0]).item()
            assert found == pytest.approx(loss, rel=1e-2)


@needs_gpu
def test_a_run_leaves_no_memory_behind(picture, other):
    def held():
        gc.collect()
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()

    options = {"sizes": (40, 56), "num_steps": 5, "device": "cuda", "progress": False}
    for optimizer in OPTIMIZERS:
        nst.style_transfer(picture, other, optimizer=optimizer, **options)  # sets libraries up
        before = held()
        nst.style_transfer(picture, other, optimizer=optimizer, **options)
        assert held() <= before


@pytest.fixture
def large(picture, other):
    return [nst.images.resize(image, (768, 1024)) for image in (picture, other)]


@pytest.fixture
def full_gpu():
    """Lets the process take so many bytes more than it has."""
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.mem_get_info()[1]

    def leave(room):
        gc.collect()
        torch.cuda.empty_cache()  # else it would have what it holds in reserve besides
        most = torch.cuda.memory_reserved() + room
        torch.cuda.set_per_process_memory_fraction(most / total)

    yield leave
    torch.cuda.set_per_process_memory_fraction(1.0)


LARGE = {"sizes": 1024, "num_steps": 4, "device": "cuda", "progress": False}


@needs_gpu
def test_a_gpu_that_is_full_goes_on_in_tiles(large, full_gpu, monkeypatch, capsys):
    """What was planned for does not fit: there is room for three quarters of what that takes."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    whole = nst.style_transfer(*large, **LARGE)
    monkeypatch.setattr("nst.runs.job.plan_for_gpu", lambda *_: Plan(None, LARGE["num_steps"]))
    full_gpu((torch.cuda.max_memory_allocated() - before) * 3 // 4)
    result = nst.style_transfer(*large, **LARGE)
    assert result.reason == "finished"
    assert "out of memory: " in capsys.readouterr().err
    assert [r["number"] for r in result.history] == list(range(5))
    assert result.history[0]["total"] == pytest.approx(whole.history[0]["total"], rel=1e-2)


@needs_gpu
def test_a_gpus_plan_is_made_from_what_is_free(large, full_gpu, capsys):
    assert nst.style_transfer(*large, **LARGE).reason == "finished"
    assert capsys.readouterr().err == ""
    # Halfway from the least that a plan can be made for to the least that holds all at once.
    network = nst.networks.fit_out(nst.load_network(), CUDA, "tf32")
    pixels, settings = 768 * 1024, nst.make_settings(history=LARGE["num_steps"])
    parts = network, settings, (768, 1024), [pixels], 2 * pixels

    def possible(megabytes, whole):
        try:
            found = nst.hardware.memory.plan(megabytes * 10**6, *parts)
        except nst.SettingsError:
            return False
        return not whole or found == Plan(None, settings.history)

    least, most = (bisect_left(range(10**5), True, key=partial(possible, whole=w)) for w in (0, 1))
    full_gpu(int((least + most) / 2 * 10**6 / nst.hardware.memory.SPARE))
    assert nst.style_transfer(*large, **LARGE).reason == "finished"
    said = capsys.readouterr().err
    assert "memory" in said
    assert "out of memory" not in said


@needs_gpu
def test_a_limit_is_held_by_the_allocator(large):
    share = nst.hardware.memory.gpu_share(CUDA)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    limit = torch.cuda.memory_reserved() + 900 * 10**6
    result = nst.style_transfer(*large, memory_limit=limit, **LARGE)
    assert result.reason == "finished"
    assert torch.cuda.max_memory_reserved() <= limit
    assert nst.hardware.memory.gpu_share(CUDA) == share


@needs_gpu
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_tiles_on_a_gpu_have_the_gradient_of_the_whole(large, pooling):
    """But where rounding decides which of near equals is the largest, or what is above 0.

    In a picture as smooth as this it does so for one pixel in a hundred. Against float64 it moves
    a CPU's gradient by 1.3 % of its length with max pooling, and 0.8 % of the pixels by more than
    a hundredth; by 0.1 % with average pooling; but the middle pixel by less than a millionth.
    """
    network = nst.networks.fit_out(nst.load_network(pooling=pooling), CUDA, "float32")
    content, style = (image.to(CUDA) for image in large)
    settings = nst.make_settings()
    whole = nst.Objective(network, content, [style], settings)
    tiles = nst.hardware.scales.TiledObjective(network, content, [style], settings, 384)
    with arithmetic("float32"):
        terms, gradient = tiles.loss_and_gradient(content.flip(-1))
        expected_terms, expected = whole.loss_and_gradient(content.flip(-1))
    assert total(terms).item() == pytest.approx(total(expected_terms).item(), rel=1e-4)
    error = (gradient - expected).abs() / expected.square().mean().sqrt()
    assert error.median() < 1e-5
    assert (error > 1e-2).float().mean() < 0.03
    assert (gradient - expected).norm() < (0.05 if pooling == "max" else 0.01) * expected.norm()


@needs_gpu
@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_other_precisions_paint_the_same(picture, other, precision):
    options = {"sizes": 56, "num_steps": 20, "device": "cuda", "progress": False}
    exact = nst.style_transfer(picture, other, precision="float32", **options)
    rounded = nst.style_transfer(picture, other, precision=precision, **options)
    first, last = ([run.history[at]["total"] for run in (rounded, exact)] for at in (0, -1))
    assert first[0] == pytest.approx(first[1], rel=1e-5)  # which is evaluated exactly in all
    assert last[0] == pytest.approx(last[1], rel=0.2)  # L-BFGS makes much of the last digit
