"""The loop: the numbers it gives, the ways it ends, and what it hands back."""

import json
import math
import re
import signal
import sys
import types

import pytest
import torch
from PIL import Image

import nst
from nst import SettingsError, reconstruct_content, resume, style_transfer, synthesize_texture
from nst.errors import ImageError
from nst.losses import content_loss, style_loss, total_variation_loss
from nst.optimizers import LBFGS, PlainLBFGS

STANDARD = [f"relu{b}_1" for b in range(1, 6)]
SMALL = {"sizes": 56, "num_steps": 5, "progress": False}


def totals(result):
    return [record["total"] for record in result.history]


@pytest.mark.parametrize("optimizer", ["lbfgs", "lbfgs-plain", "adam"])
def test_the_loss_falls_and_the_picture_is_the_best_one(picture, other, optimizer):
    result = style_transfer(picture, other, optimizer=optimizer, **SMALL | {"num_steps": 15})
    assert result.reason == "finished"
    assert [record["number"] for record in result.history] == list(range(16))
    assert min(totals(result)) < 0.5 * totals(result)[0]
    assert result.image.shape == picture.shape
    assert 0 <= result.image.min() <= result.image.max() <= 1
    for record in result.history:
        assert record["total"] == pytest.approx(sum(record["terms"].values()), rel=1e-5)


def test_the_articles_loop_gives_the_same_numbers(quarter, picture, other):
    """The loop as the course writes it, from the losses alone."""
    with torch.no_grad():
        content = nst.extract_features(quarter, picture, ["relu4_2"])
        style = nst.extract_features(quarter, other, STANDARD)
    image = picture.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=0.001)
    expected = []
    for _ in range(6):
        features = nst.extract_features(quarter, image, ["relu4_2", *STANDARD])
        loss = content_loss(features, content, "relu4_2")
        loss = loss + 1e6 * style_loss(features, style, STANDARD)
        loss = loss + 1e2 * total_variation_loss(image)
        expected.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    result = style_transfer(
        picture,
        other,
        ["relu4_2"],
        STANDARD,
        5,
        0.001,
        network=quarter,
        preset="article",
        progress=False,
    )
    torch.testing.assert_close(totals(result), expected, rtol=1e-4, atol=0)


def test_a_run_is_deterministic_and_a_seed_matters(picture, other):
    first, again, different = (
        style_transfer(picture, other, init="noise", seed=seed, **SMALL) for seed in (1, 1, 2)
    )
    assert torch.equal(first.image, again.image)
    assert totals(first) == totals(again)
    assert not torch.equal(first.image, different.image)


def test_settings_repeat_the_run(picture, other, tmp_path):
    paths = [tmp_path / "content.png", tmp_path / "style.png"]
    for image, path in zip((picture, other), paths, strict=True):
        nst.save_image(image, path)
    result = style_transfer(*paths, seed=4, init="noise", tv_weight=1.0, **SMALL)
    settings = json.loads(json.dumps(result.settings.to_dict()))
    content, styles = settings.pop("content"), settings.pop("styles")
    again = style_transfer(content, styles, **settings)
    assert torch.equal(again.image, result.image)
    assert again.settings == result.settings


def test_starts(picture, other, tmp_path):
    def start(**options):
        return style_transfer(picture, other, **SMALL | {"num_steps": 0} | options).image

    torch.testing.assert_close(start(init="content"), picture)
    torch.testing.assert_close(start(init=picture.flip(-1)), picture.flip(-1))
    torch.testing.assert_close(start(init="style"), nst.images.resize(other, (40, 56)))
    noise = start(init="noise")
    assert noise.mean().item() == pytest.approx(0.5, abs=0.02)
    assert noise.std().item() == pytest.approx(12**-0.5, abs=0.02)
    path = nst.save_image(other, tmp_path / "start.png")
    torch.testing.assert_close(start(init=path), nst.images.resize(nst.load_image(path), (40, 56)))


def test_a_run_that_began_from_a_tensor_cannot_be_repeated_without_it(picture, other):
    result = style_transfer(picture, other, init=other, **SMALL)
    assert result.settings.init == "given"
    with pytest.raises(SettingsError, match="init"):
        style_transfer(picture, other, init=result.settings.init, **SMALL)


def test_coarse_to_fine(picture, other):
    seen = []
    result = style_transfer(
        picture,
        other,
        sizes=(32, 48, 512),
        num_steps=(3, 2),
        progress=False,
        callback=lambda step: seen.append((step.size, step.number, step.of, step.image.shape[-1])),
    )
    expected = [(32, n, 3, 32) for n in range(4)]
    expected += [(48, n, 2, 48) for n in range(3)]
    expected += [(56, n, 2, 56) for n in range(3)]  # never larger than the content picture
    assert seen == expected
    assert result.image.shape == picture.shape


def test_a_callback_sees_a_picture_of_its_own_and_may_stop(picture, other):
    steps = []

    def watch(step):
        step.image.zero_()
        step.terms["number"] = step.number  # as one who makes a table of it
        steps.append(step)
        return step.number == 2

    result = style_transfer(picture, other, callback=watch, **SMALL)
    assert result.reason == "stopped"
    assert [step.number for step in steps] == [0, 1, 2]
    undisturbed = style_transfer(picture, other, **SMALL | {"num_steps": 2})
    assert torch.equal(result.image, undisturbed.image)
    assert steps[1].record() == result.history[1] | {"terms": steps[1].terms}
    assert [step["terms"] for step in result.history] == [
        step["terms"] for step in undisturbed.history
    ]


def test_ctrl_c_hands_back_the_best_picture(picture, other):
    handler = signal.getsignal(signal.SIGINT)

    def interrupt(step):
        if step.number == 2:
            signal.raise_signal(signal.SIGINT)

    result = style_transfer(picture, other, callback=interrupt, **SMALL)
    assert result.reason == "interrupted"
    assert len(result.history) == 3
    assert not torch.equal(result.image, picture)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_stall_ends_the_run(picture, other):
    result = style_transfer(
        picture, other, optimizer="adam", learning_rate=1e-30, **SMALL | {"num_steps": 100}
    )
    assert result.reason == "stalled"
    assert len(result.history) < 30
    torch.testing.assert_close(result.image, picture)


@pytest.mark.parametrize("rate", [1e3, 1e6])
def test_divergence_ends_the_run_with_the_best_picture(picture, other, rate):
    result = style_transfer(
        picture,
        other,
        optimizer="adam",
        learning_rate=rate,
        bounds="end",
        **SMALL | {"num_steps": 100},
    )
    assert result.reason == "diverged"
    assert len(result.history) < 100
    torch.testing.assert_close(result.image, picture)


def test_divergence_of_an_average_hands_back_the_best_picture(picture, other):
    result = style_transfer(
        picture, other, optimizer="adam", learning_rate=1e3, average=0.9, bounds="end", **SMALL
    )
    assert result.reason == "diverged"
    torch.testing.assert_close(result.image, picture)


def test_out_of_memory_keeps_the_picture_of_the_size_before(picture, other, monkeypatch):
    """As a GPU would at the larger size."""
    objective = nst.runs.job.Objective

    def small_gpu(network, content, *others):
        if content.shape[-1] > 40:
            raise torch.cuda.OutOfMemoryError("no memory")
        return objective(network, content, *others)

    monkeypatch.setattr("nst.runs.job.Objective", small_gpu)
    result = style_transfer(picture, other, **SMALL | {"sizes": (40, 56)})
    assert result.reason == "out of memory"
    alone = style_transfer(picture, other, **SMALL | {"sizes": 40})
    torch.testing.assert_close(result.image, nst.images.resize(alone.image, (40, 56)))


def test_a_step_that_is_out_of_memory_goes_on_with_a_shorter_history(
    picture, other, monkeypatch, capsys
):
    """As where the steps that are remembered fill the GPU, from the fourth step on."""
    step, shown = LBFGS.step, []

    def full(self):
        if self.param_groups[0]["history"] > 8 and len(shown) > 3:
            raise torch.cuda.OutOfMemoryError("no memory")
        step(self)

    monkeypatch.setattr(LBFGS, "step", full)
    settings = SMALL | {"sizes": 40, "num_steps": 30}
    result = style_transfer(
        picture, other, callback=lambda step: shown.append(step.number) and None, **settings
    )
    assert result.reason == "finished"
    assert [record["number"] for record in result.history] == list(range(31))
    assert shown == [0, 1, 2, 3, 3, 3, *range(4, 31)]
    (group,) = result.checkpoint["state"]["optimizer"]["param_groups"]
    assert group["history"] == 7
    said = capsys.readouterr().err
    assert "L-BFGS goes on with memory for its last 15 steps only" in said
    assert "L-BFGS goes on with memory for its last 7 steps only" in said
    totals = [record["total"] for record in result.history]
    assert totals[-1] < 0.9 * totals[3]


def test_a_gpu_too_full_for_the_pictures_is_an_error_with_a_sentence(picture, other, monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("no memory")

    monkeypatch.setattr("nst.transfer.as_image", full)
    with pytest.raises(SettingsError, match="too little memory left"):
        style_transfer(picture, other, **SMALL)


CPU_IS_FULL = (
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate"
                 " memory: you tried to allocate 4096000000 bytes. Error code 12"),
    RuntimeError("could not create a primitive"),
)  # fmt: skip


@pytest.mark.parametrize("error", CPU_IS_FULL, ids=["python", "torch", "onednn"])
def test_full_memory_on_the_cpu_ends_as_on_a_gpu(picture, other, monkeypatch, error):
    objective = nst.runs.job.Objective

    def small(network, content, *others):
        if content.shape[-1] > 40:
            raise error
        return objective(network, content, *others)

    monkeypatch.setattr("nst.runs.job.Objective", small)
    result = style_transfer(picture, other, **SMALL | {"sizes": (40, 56)})
    assert result.reason == "out of memory"
    alone = style_transfer(picture, other, **SMALL | {"sizes": 40})
    torch.testing.assert_close(result.image, nst.images.resize(alone.image, (40, 56)))


def test_what_a_callback_raises_goes_through(picture, other):
    with pytest.raises(ZeroDivisionError):
        style_transfer(picture, other, callback=lambda step: 1 / 0, **SMALL)


def test_a_state_moves_to_another_device(picture, other):
    """No GPU is needed to see that nothing of it stays behind."""
    image = picture.clone().requires_grad_()
    optimizer = LBFGS(image)
    for _ in range(3):
        image.grad = torch.rand_like(image)
        optimizer.step()
    moved = LBFGS(picture.to("meta").requires_grad_())
    moved.load_state_dict(optimizer.state_dict())
    (state,) = moved.state.values()
    tensors = [value for value in state.values() if isinstance(value, torch.Tensor)]
    assert len(tensors) > 6
    assert {t.device.type for t in tensors} == {"meta"}


def test_an_already_perfect_picture_stays(picture):
    """L-BFGS gives up where the gradient is 0; the run must end all the same."""
    result = style_transfer(picture, picture, tv_weight=0.0, **SMALL | {"num_steps": 60})
    assert result.reason == "stalled"
    torch.testing.assert_close(result.image, picture)


def test_the_running_average_is_the_weighted_mean_of_the_pictures(picture, other):
    pictures = []
    result = style_transfer(
        picture,
        other,
        optimizer="adam",
        learning_rate=1e-3,
        average=0.5,
        callback=lambda step: pictures.append(step.image),
        **SMALL | {"num_steps": 3},
    )
    weights = torch.tensor([1.0, 2.0, 4.0])
    expected = sum(w * p for w, p in zip(weights / 7, pictures[1:], strict=True))
    torch.testing.assert_close(result.image, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "lbfgs"},
        {"optimizer": "lbfgs", "history": 3},
        {"optimizer": "lbfgs-plain", "history": 3},
        {"optimizer": "adam", "learning_rate": 0.02, "learning_rate_decay": (0.5, 2)},
        {"optimizer": "adam", "learning_rate": 0.02, "average": 0.9},
    ],
)
@pytest.mark.parametrize(("size", "number"), [(40, 5), (56, 0), (56, 4)])
def test_a_run_cut_in_half_and_resumed_is_the_uncut_one(
    picture, other, tmp_path, options, size, number
):
    options = {"sizes": (40, 56), "num_steps": (8, 6), "progress": False} | options
    whole = style_transfer(picture, other, **options)
    half = style_transfer(
        picture, other, callback=lambda s: (s.size, s.number) == (size, number), **options
    )
    assert half.reason == "stopped"
    half.save(tmp_path / "run")
    resumed = resume(tmp_path / "run", progress=False)
    assert resumed.reason == "finished"
    assert torch.equal(resumed.image, whole.image)
    assert totals(resumed) == totals(whole)
    assert resumed.seconds > half.seconds


def test_a_finished_run_can_go_on(picture, other, tmp_path):
    style_transfer(picture, other, **SMALL).save(tmp_path)
    longer = resume(tmp_path, num_steps=9, progress=False)
    whole = style_transfer(picture, other, **SMALL | {"num_steps": 9})
    assert torch.equal(longer.image, whole.image)
    assert longer.settings == whole.settings


def test_more_steps_leave_the_sizes_that_are_done(picture, other, tmp_path):
    options = {"sizes": (40, 56), "progress": False}
    style_transfer(picture, other, num_steps=(3, 2), **options).save(tmp_path)
    longer = resume(tmp_path, num_steps=5, progress=False)
    assert longer.settings.num_steps == (3, 5)
    whole = style_transfer(picture, other, num_steps=(3, 5), **options)
    assert torch.equal(longer.image, whole.image)


def test_a_stall_comes_at_the_same_step_after_a_resume(picture, tmp_path):
    options = SMALL | {"num_steps": 60, "tv_weight": 0.0}
    whole = style_transfer(picture, picture, **options)
    style_transfer(picture, picture, callback=lambda s: s.number == 5, **options).save(tmp_path)
    assert len(resume(tmp_path, progress=False).history) == len(whole.history)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"X")
    with pytest.raises(SettingsError, match="damaged"):
        resume(tmp_path)


def test_every_kind_of_start_and_weights_can_be_saved(picture, other, tmp_path):
    path = nst.save_image(other, tmp_path / "start.png")
    for number, init in enumerate([path, Image.open(path), nst.open_image(path)]):
        result = style_transfer(picture, other, init=init, **SMALL)
        result.save(tmp_path / str(number))
    weights = nst.files.checkpoints.PACKAGED / "vgg19_quarter.safetensors"
    style_transfer(picture, other, weights=weights, **SMALL).save(tmp_path / "w")
    assert resume(tmp_path / "w", progress=False).settings.weights == str(weights)


@pytest.mark.parametrize("preset", nst.settings.PRESETS)
def test_a_loaded_network_is_recorded_as_it_is_whatever_the_preset_says(preset, picture, other):
    """Not as the preset's would be: gatys2016 has another scale than what was loaded."""
    network = nst.load_network()
    options = {"sizes": 40, "num_steps": 1, "progress": False}
    result = style_transfer(picture, other, preset=preset, network=network, **options)
    assert (
        result.settings.made() == nst.settings.settled(nst.make_settings(**network.settings)).made()
    )
    assert resume(result, 2, progress=False).reason == "finished"


def test_a_loaded_network_is_recorded_and_not_changed(picture, other):
    network = nst.load_network(pooling="average")
    result = style_transfer(picture, other, network=network, **SMALL)
    assert result.settings.pooling == "average"
    with pytest.raises(SettingsError, match="loaded already"):
        style_transfer(picture, other, network=network, pooling="max", **SMALL)
    bare = nst.networks.VGG(nst.networks.ARCHITECTURES["vgg19_quarter"])
    result = style_transfer(picture, other, network=bare, **SMALL | {"num_steps": 1})
    assert result.settings.network == "given"


def test_a_saved_run_can_be_read(picture, other, tmp_path):
    result = style_transfer(picture, other, **SMALL)
    folder = result.save(tmp_path / "a" / "b")
    assert nst.read_settings(folder / "picture.png") == json.loads(
        (folder / "settings.json").read_text()
    )
    assert json.loads((folder / "history.json").read_text()) == result.history
    with Image.open(folder / "picture.png") as file:
        assert file.size == (56, 40)
    with pytest.raises(SettingsError, match="no saved run"):
        resume(tmp_path)


@pytest.mark.parametrize("place", ["~nobody-here/run", "a\0b", "c" * 300])
def test_places_that_cannot_be_are_named(picture, other, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = style_transfer(picture, other, **SMALL | {"num_steps": 0})
    for use in (
        lambda: result.save(place),
        lambda: resume(place),
        lambda: nst.save_image(picture, f"{place}.png"),
        lambda: nst.load_image(place),
        lambda: nst.read_settings(place),
        lambda: nst.read_settings(f"{place}.json"),
        lambda: nst.load_network(weights=place),
        lambda: nst.Experiment.load(place),
        lambda: nst.grid(folder=place, content=picture, style=[other], **SMALL),
    ):
        with pytest.raises(nst.NstError) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [torch.nn.Conv2d(3, 3, 3), {"conv1_1": 0}, 3])
def test_a_run_needs_a_network_of_ours(picture, other, bad):
    result = style_transfer(picture, other, **SMALL | {"num_steps": 0})
    for use in (
        lambda: style_transfer(picture, other, network=bad, **SMALL),
        lambda: reconstruct_content(bad, picture, "relu1_1"),
        lambda: synthesize_texture(bad, picture, ["relu1_1"]),
        lambda: resume(result, network=bad),
    ):
        with pytest.raises(SettingsError, match=f"load_network gives, not a {type(bad).__name__}"):
            use()


def test_reconstruction_comes_back_to_the_picture(quarter, picture):
    result = reconstruct_content(quarter, picture, "relu1_1", num_steps=60, progress=False)
    noise = torch.rand(picture.shape, generator=torch.Generator().manual_seed(0))
    before, after = (x.sub(picture).square().mean().sqrt() for x in (noise, result.image))
    assert after < before / 3
    assert list(result.history[0]["terms"]) == ["content relu1_1"]


def test_a_texture_has_the_styles_size_and_statistics(quarter, other):
    result = synthesize_texture(quarter, other, ["relu1_1", "relu2_1"], 30, progress=False)
    assert result.image.shape == other.shape
    assert totals(result)[-1] < 0.05 * totals(result)[0]
    assert list(result.history[0]["terms"]) == ["style relu1_1", "style relu2_1"]


def test_several_styles(picture, other):
    both = style_transfer(picture, [other, other.flip(-1)], style_blend=(1, 0), **SMALL)
    one = style_transfer(picture, other, **SMALL)
    torch.testing.assert_close(both.image, one.image, rtol=0, atol=1e-4)


def test_another_torchvision_network(picture, other):
    network = nst.load_network("squeezenet1_1", weights="random")
    result = style_transfer(
        picture,
        other,
        ["features.3.cat"],
        ["features.1", "features.3.cat"],
        network=network,
        **SMALL,
    )
    assert totals(result)[-1] < totals(result)[0]
    assert result.settings.network == "squeezenet1_1"


def test_every_preset_runs(picture, other):
    for preset in nst.PRESETS:
        result = style_transfer(picture, other, preset=preset, num_steps=2, progress=False)
        assert result.reason == "finished", preset
        assert result.image.isfinite().all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"device": "cuda:99"}, SettingsError, "no device 'cuda:99'"),
        ({"style_wieght": 1}, SettingsError, "did you mean style_weight"),
        ({"content_layers": ["conv9_9"]}, SettingsError, "no layer 'conv9_9'"),
        ({"network": "vgg99"}, SettingsError, "no network 'vgg99'"),
        ({"sizes": 12}, ImageError, "too small"),
        ({"init": "nowhere.png"}, ImageError, "nowhere.png"),
    ],
)
def test_bad_input_is_refused_before_the_run(picture, other, options, error, words):
    with pytest.raises(error, match=words):
        style_transfer(picture, other, **SMALL | options)


def test_sizes_too_small_for_the_network_are_left_out():
    """A panorama: at 256 pixels it has 9 rows, and relu5_1 needs 16."""
    wide, square = torch.rand(1, 3, 20, 600), torch.rand(1, 3, 64, 64)
    options = {"num_steps": (3, 2), "device": "cpu", "progress": False}
    for content, style in ((wide, square), (square.repeat(1, 1, 1, 8), wide)):
        result = style_transfer(content, style, **options)
        assert (result.settings.sizes, result.settings.num_steps) == ((512,), (2,))
        expected = style_transfer(content, style, **options | {"sizes": 512, "num_steps": 2})
        assert torch.equal(result.image, expected.image)
    result = style_transfer(wide, square, style_layers=["relu3_1"], content_layers=["relu3_1"],
                            **options)  # fmt: skip
    assert result.settings.sizes == (256, 512)


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        ((10, 300, 64, 64), {},
         "the content picture of 300×10 pixels is too small for relu5_1, which needs 16 on the "
         "short side: take a size of 480 or more"),
        ((64, 64, 10, 300), {}, "the style picture of 64×2 pixels is too small for relu5_1"),
        ((64, 64, 64, 64), {"style_scale": 0.1}, "the style picture of 6×6 pixels"),
        ((12, 12, 64, 64), {"sizes": (4, 8)}, "the content picture of 8×8 pixels"),
        ((15, 15, 64, 64), {"style_weight": 0}, "too small for relu4_2, which needs 8"),
    ],
)  # fmt: skip
def test_a_picture_too_small_is_named_and_what_to_do(shapes, options, words):
    content, style = torch.rand(1, 3, *shapes[:2]), torch.rand(1, 3, *shapes[2:])
    if "style_weight" in options:  # the style is then looked at by nobody
        style, content = content[..., :4, :4], content[..., :7, :7]
    with pytest.raises(ImageError, match=re.escape(words)):
        style_transfer(content, style, device="cpu", progress=False, **options)


def test_bad_tensors_are_refused(picture, other):
    nan, byte = picture * float("nan"), (picture * 255).byte()
    for bad in (picture[0], picture.repeat(2, 1, 1, 1), nan, byte, picture * 255):
        with pytest.raises(ImageError, match="a picture is a tensor"):
            style_transfer(bad, other, **SMALL)


class Late(nst.hardware.graphs.Reading):
    """Numbers that are read late, as those from a GPU are."""

    def __init__(self, numbers):
        super().__init__(numbers)
        self.late = True


def test_numbers_read_late_are_the_same(picture, other, monkeypatch):
    """As on a GPU, where the loop runs ahead of them."""
    underway, depths = [], []

    class Watched(Late):
        def __init__(self, numbers):
            super().__init__(numbers)
            underway.append(self)

        def read(self):
            underway.remove(self)
            depths.append(len(underway))
            return super().read()

    options = SMALL | {"sizes": (40, 56), "num_steps": 12}
    prompt = style_transfer(picture, other, **options)
    monkeypatch.setattr("nst.loop.Reading", Watched)
    late = style_transfer(picture, other, **options)
    assert max(depths) == nst.loop.LATE
    assert torch.equal(late.image, prompt.image)
    assert totals(late) == totals(prompt)
    assert [r["number"] for r in late.history] == [*range(13), *range(13)]
    depths.clear()
    seen = []
    style_transfer(picture, other, callback=lambda s: seen.append((s.number, s.image)), **options)
    assert max(depths) == 0  # a callback sees the picture that belongs to the number
    assert torch.equal(seen[0][1], nst.images.fit(picture, 40))


@pytest.mark.parametrize(("rate", "reason"), [(1e-30, "stalled"), (1e3, "diverged")])
def test_an_end_noticed_late_hands_back_the_best_picture(picture, other, monkeypatch, rate, reason):
    options = SMALL | {"optimizer": "adam", "learning_rate": rate, "bounds": "end"}
    options["num_steps"] = 100
    prompt = style_transfer(picture, other, **options)
    monkeypatch.setattr("nst.loop.Reading", Late)
    late = style_transfer(picture, other, **options)
    assert late.reason == prompt.reason == reason
    assert len(late.history) - len(prompt.history) == nst.loop.LATE
    torch.testing.assert_close(late.image, picture)
    assert len(late.checkpoint["state"]["totals"]) == len(late.history)


def test_the_first_reason_to_end_counts(picture, other, monkeypatch):
    """Also where the numbers that were under way look well again."""

    def note(state, total):
        state.totals.append(total)
        return "diverged" if len(state.totals) == 4 else None

    monkeypatch.setattr("nst.loop.State.note", note)
    monkeypatch.setattr("nst.loop.Reading", Late)
    result = style_transfer(picture, other, **SMALL | {"num_steps": 30})
    assert result.reason == "diverged"
    assert len(result.history) == 4 + nst.loop.LATE


def test_bfloat16_paints_nearly_the_same_picture(picture, other):
    """With short steps: with the default ones a change of 1e-6 of the start gives 21 dB too."""
    options = SMALL | {"num_steps": 50, "optimizer": "adam", "learning_rate": 0.002}
    exact, rough = (
        style_transfer(picture, other, precision=p, **options) for p in ("float32", "bfloat16")
    )
    assert rough.image.dtype == torch.float32
    assert totals(rough) != totals(exact)
    assert totals(rough) == pytest.approx(totals(exact), rel=0.02)
    error = (rough.image - exact.image).square().mean()
    assert error < 1e-3  # 30 dB


@pytest.mark.parametrize("optimizer", ["lbfgs", "lbfgs-plain", "adam"])
def test_the_first_two_pictures_are_evaluated_exactly(picture, other, optimizer, monkeypatch):
    """Their losses are those of a run in float32 to the bit; later ones, or large ones, are not."""
    options = SMALL | {"num_steps": 4, "optimizer": optimizer}
    exact = style_transfer(picture, other, precision="float32", **options)
    rounded = style_transfer(picture, other, precision="bfloat16", **options)
    assert totals(rounded)[:2] == totals(exact)[:2]
    assert totals(rounded)[2] == pytest.approx(totals(exact)[2], rel=0.02)
    assert totals(rounded)[2] != totals(exact)[2]
    monkeypatch.setattr("nst.runs.job.SMALL", 40**2)
    rounded = style_transfer(picture, other, precision="bfloat16", **options)
    assert all(one != other for one, other in zip(totals(rounded), totals(exact), strict=True))


def test_pictures_are_exact_at_the_first_size_only_and_if_small(picture, other, monkeypatch):
    """By the switch that says whether an NVIDIA GPU rounds to TF32."""
    rounds, real = [], nst.Objective.loss_and_gradient

    def evaluate(self, image):
        rounds.append(torch.backends.cudnn.allow_tf32)
        return real(self, image)

    def run(precision):
        rounds.clear()
        options = {"sizes": (40, 56), "num_steps": 3, "progress": False}
        style_transfer(picture, other, precision=precision, **options)
        return rounds[:4], rounds[4:]  # the second size, and what is handed back

    monkeypatch.setattr(nst.Objective, "loss_and_gradient", evaluate)
    assert run("tf32") == ([False, False, True, True], [True] * 5)
    assert run("float32") == ([False] * 4, [False] * 5)
    monkeypatch.setattr("nst.runs.job.SMALL", 20 * 40)
    assert run("tf32") == ([True] * 4, [True] * 5)


def test_where_only_the_exact_pictures_do_not_fit_a_run_goes_on_without(
    picture, other, monkeypatch, capsys
):
    real = nst.Objective.loss_and_gradient

    def evaluate(self, image):
        if self.network.precision == "float32":
            raise torch.cuda.OutOfMemoryError
        return real(self, image)

    monkeypatch.setattr(nst.Objective, "loss_and_gradient", evaluate)
    result = style_transfer(picture, other, precision="bfloat16", **SMALL)
    assert result.reason == "finished"
    assert [record["number"] for record in result.history] == list(range(6))
    assert "tiles" not in capsys.readouterr().err
    monkeypatch.setattr("nst.runs.job.SMALL", 0)
    assert totals(result) == totals(style_transfer(picture, other, precision="bfloat16", **SMALL))


@pytest.mark.parametrize("num_steps", [0, 1])
def test_what_is_handed_back_is_measured_as_the_pictures_before_it(picture, other, num_steps):
    options = SMALL | {"num_steps": num_steps}
    exact = style_transfer(picture, other, **options)
    rounded = style_transfer(picture, other, precision="bfloat16", **options)
    assert rounded.delivered == exact.delivered


def test_a_loss_of_zero_stays_zero_in_any_precision(picture):
    for precision in ("float32", "bfloat16"):
        options = SMALL | {"tv_weight": 0, "precision": precision}
        result = style_transfer(picture, picture, **options)
        assert result.reason in ("finished", "stalled")
        assert max(totals(result)) == 0


def test_a_run_that_goes_on_is_exact_where_it_would_have_been(picture, other):
    """A run that was stopped after its first step goes on as if it had not been."""
    options = {"sizes": (40, 56), "num_steps": 3, "precision": "bfloat16", "progress": False}
    whole = style_transfer(picture, other, **options)
    for stopped_at in (1, 2):
        stop = {"callback": lambda step, at=stopped_at: step.number == at}
        part = style_transfer(picture, other, **stop, **options)
        rest = nst.resume(part, precision="bfloat16", progress=False)
        assert totals(rest) == totals(whole)
        assert torch.equal(rest.image, whole.image)


def test_a_given_network_stays_as_it_is(picture, other):
    network = nst.load_network()
    style_transfer(picture, other, network=network, precision="bfloat16", **SMALL)
    assert network.precision == "float32"
    assert network.layers["conv2_1"].weight.is_contiguous()
    with pytest.raises(SettingsError, match="precision is one of"):
        style_transfer(picture, other, precision="float16", **SMALL)


def measured(settings, path, content, style):
    """The terms of a saved picture's loss, from the file and the settings alone."""
    image = nst.load_image(path)
    network = nst.load_network(settings.network, None, settings.pooling, settings.padding)
    content = nst.images.resize(content, image.shape[-2:])
    objective = nst.Objective(network, content, [style], settings)
    return {name: term.item() for name, term in objective(image).items()}


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "lbfgs"},
        {"optimizer": "lbfgs-plain"},
        {"optimizer": "adam", "average": 0.9},
        {"sizes": (40, 56), "init": "noise"},
        {"bounds": "end", "num_steps": 15},
        {"preset": "pytorch-tutorial", "sizes": 56},
    ],
)
def test_what_is_delivered_is_the_saved_pictures_loss(picture, other, tmp_path, options):
    result = style_transfer(picture, other, **SMALL | options)
    folder = result.save(tmp_path)
    expected = measured(result.settings, folder / "picture.png", picture, other)
    delivered = dict(result.delivered)
    assert delivered.pop("total") == pytest.approx(sum(expected.values()), rel=1e-4)
    assert delivered == pytest.approx(expected, rel=1e-3, abs=1e-6)
    with Image.open(folder / "picture.png") as file:
        assert json.loads(file.info["nst"])["delivered"] == result.delivered
    assert result.history[-1]["delivered"] == result.delivered
    assert ["delivered" in record for record in result.history].count(True) == 1


@pytest.mark.parametrize("optimizer", ["lbfgs", "lbfgs-plain", "adam"])
@pytest.mark.parametrize("init", ["content", "noise"])
def test_the_best_steps_loss_is_what_one_gets(optimizer, init):
    """Within 2 %; free pixels promise a loss that their clamped picture is far from."""
    options = SMALL | {"sizes": 40, "num_steps": 60, "optimizer": optimizer, "init": init}
    bound = style_transfer("cat", "starry", **options)
    assert bound.delivered["total"] == pytest.approx(min(totals(bound)), rel=0.02)
    free = style_transfer("cat", "starry", bounds="end", **options)
    assert free.delivered["total"] > 1.02 * min(totals(free))
    assert bound.delivered["total"] < free.delivered["total"]


def test_the_share_at_the_bounds_is_recorded(picture, other):
    shares = []

    def watch(step):
        shares.append(((step.image == 0) | (step.image == 1)).float().mean().item())

    result = style_transfer(picture, other, callback=watch, **SMALL)
    assert [record["at_bounds"] for record in result.history] == pytest.approx(shares)
    assert shares[-1] > 0


def test_the_closure_clamps_behind_the_optimisers_back(picture, other):
    """As a loop does that is written out."""
    options = {"preset": "pytorch-tutorial", "sizes": 56, "num_steps": 12, "progress": False}
    result = style_transfer(picture, other, **options)
    settings = result.settings
    network = nst.load_network(settings.network, pooling=settings.pooling, padding=settings.padding)
    objective = nst.Objective(network, picture, [other], settings)
    image, expected = picture.clone().requires_grad_(), []
    optimizer = PlainLBFGS(image, limits=(-math.inf, math.inf))
    for _ in range(13):
        image.data.clamp_(0, 1)
        terms, image.grad = objective.loss_and_gradient(image)
        expected.append(sum(terms.values()).item())
        optimizer.step()
    assert totals(result) == pytest.approx(expected, rel=1e-5)
    free = style_transfer(picture, other, bounds="end", **options)
    assert totals(free)[:2] == pytest.approx(expected[:2], rel=1e-5)
    assert totals(free)[5] != pytest.approx(expected[5], rel=1e-3)


def test_a_picture_a_little_beyond_is_brought_into_its_bounds(picture, other):
    start = picture.clone()
    start[0, :, 0, 0], start[0, :, 1, 1] = -5e-4, 1 + 5e-4
    result = style_transfer(picture, other, init=start, **SMALL | {"num_steps": 0})
    torch.testing.assert_close(result.image, start.clamp(0, 1), rtol=0, atol=0)


def test_a_run_saved_by_an_older_version_is_refused(picture, other, tmp_path):
    style_transfer(picture, other, **SMALL | {"num_steps": 1}).save(tmp_path)
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    saved["state"]["average_weight"] = 0.0
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(SettingsError, match="another version"):
        resume(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t * 255, r"goes from \d.* to 2\d\d.*; divide it by 255"),
        (lambda t: t * 4 - 2, r"goes from -1.* to 1.*; undo its normalisation"),
        (lambda t: t * torch.nan, "holds NaN"),
        (lambda t: t * torch.inf, "inf"),
        (lambda t: (t * 255).byte(), r"is of torch\.uint8; divide it by 255"),
        (lambda t: t[..., :0], "is empty"),
        (lambda t: t[0], r"is of shape \(3, 40, 56\)"),
    ],
)
def test_a_tensor_is_named_for_what_it_is(picture, other, change, words):
    with pytest.raises(ImageError, match=words):
        style_transfer(change(picture), other, **SMALL)
    with pytest.raises(ImageError, match=words):
        style_transfer(picture, change(picture), **SMALL)


@pytest.mark.parametrize("network", [torch.nn.Linear(2, 2), 3, torch.relu, {"a": 1}])
def test_a_network_of_another_kind_is_refused(picture, other, network):
    for call in (
        lambda: style_transfer(picture, other, **SMALL | {"network": network}),
        lambda: nst.extract_features(network, picture, ["relu1_1"]),
    ):
        with pytest.raises(SettingsError, match=r"what nst\.load_network gives"):
            call()


@pytest.mark.parametrize("image", ["cat", None, (torch.zeros(1, 3, 8, 8) * 255).byte()])
def test_features_of_something_else(quarter, image):
    with pytest.raises(ImageError, match="an image"):
        nst.extract_features(quarter, image, ["relu1_1"])


def test_a_bar_is_shown_in_a_kernel_and_not_where_one_could_be_started(monkeypatch):
    class Shell:
        pass

    shell, ipython = Shell(), types.ModuleType("IPython")
    ipython.get_ipython = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    assert not nst.loop.in_notebook()
    shell.kernel = object()
    assert nst.loop.in_notebook()


def test_a_run_knows_how_many_megapixels_it_evaluates(picture, other, quarter):
    """By which a GPU's kernels are loaded: each size's pixels at its start and after each step."""
    settings = nst.make_settings(sizes=(28, 56), num_steps=(3, 2))
    job = nst.runs.job.Job(settings, quarter, picture, [other])
    assert job.megapixels() == pytest.approx((20 * 28 * 4 + 40 * 56 * 3) / 1e6)
