"""The command line, driven as a person would."""

import csv
import itertools
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

import nst
from nst.cli import main
from nst.grids import pools


def run(capsys, *arguments):
    status = main([str(a) for a in arguments])
    return status, *capsys.readouterr()


def test_a_transfer(pictures, capsys, tmp_path):
    status, out, err = run(capsys, *pictures, "-o", "new/out.png", "--steps", 3)
    assert (status, err) == (0, "")
    with Image.open("new/out.png") as file:
        loss = json.loads(file.info["nst"])["delivered"]["total"]
    assert f"new/out.png: loss {loss:.4g}, 4 evaluations" in out
    assert "finished" in out
    with Image.open("new/out.png") as file:
        assert file.size == (56, 40)
    settings = nst.read_settings("new/out.png")
    assert (settings["content"], settings["styles"]) == ("content.png", ["style.png"])


def test_a_picture_repeats_its_own_run(pictures, capsys, tmp_path):
    run(capsys, *pictures, "-o", "a.png", "--steps", 3, "--init", "noise", "--seed", 5, "--sidecar")
    for source in ("a.png", "a.json"):
        status, _, _ = run(capsys, "--settings", source, "-o", "b.png")
        assert status == 0
        assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    run(capsys, "--settings", "a.json", "--seed", 6, "-o", "c.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()
    assert nst.read_settings("c.png") | {"seed": 5} == nst.read_settings("a.json")


def test_another_network_takes_nothing_that_was_made_for_the_first(pictures, capsys):
    """Its own pooling, padding, weights and edition; the rest of the settings stays."""
    run(capsys, *pictures, "-o", "a.png", "--steps", 1, "--size", 40, "--tv-weight", 7)
    for network, layer in (("vgg16", "relu2_1"), ("squeezenet1_1", "features.3.cat")):
        options = ["--network", network, "--weights", "random"]
        options += ["--content-layers", layer, "--style-layers", layer]
        status, _, _ = run(capsys, "--settings", "a.png", *options, "-o", "b.png")
        assert status == 0
        found = nst.read_settings("b.png")
        made = [found[name] for name in ("network", "pooling", "padding", "edition", "tv_weight")]
        assert made == [network, "max", "zeros", None, 7]
    run(capsys, "--settings", "b.png", "--network", "vgg19_quarter", "--content-layers", "relu4_2",
        "--style-layers", "relu1_1", "-o", "c.png")  # fmt: skip
    found = nst.read_settings("c.png")
    assert [found[name] for name in ("pooling", "padding", "weights")] == [
        "average", "replicate", None,
    ]  # fmt: skip


def test_every_option_reaches_the_run(pictures, capsys):
    status, _, err = run(
        capsys, *pictures, "content.png", "-o", "out.webp", "--preset", "article",
        "--size", 32, 48, "--steps", 2, 1, "--network", "vgg16", "--weights", "random",
        "--pooling", "average", "--padding", "reflect", "--content-layers", "relu3_1",
        "--style-layers", "relu1_1=2", "relu2_1", "--content-weight", 2,
        "--style-weight", 3, "--tv-weight", 4,
        "--style-blend", 0.7, 0.3, "--style-scale", 0.9, "--init", "style", "--seed", 9,
        "--optimizer", "adam", "--learning-rate", 0.01, "--average", 0.5, "--device", "cpu",
        "--sidecar",
    )  # fmt: skip
    assert (status, err) == (0, "")
    expected = {
        "network": "vgg16", "weights": "random", "pooling": "average", "padding": "reflect",
        "content_layers": {"relu3_1": 1.0}, "style_layers": {"relu1_1": 2.0, "relu2_1": 1.0},
        "content_weight": 2.0, "style_weight": 3.0, "tv_weight": 4.0, "style_blend": [0.7, 0.3],
        "style_scale": 0.9, "init": "style", "seed": 9, "optimizer": "adam",
        "learning_rate": 0.01, "average": 0.5, "sizes": [32, 48], "num_steps": [2, 1],
        "styles": ["style.png", "content.png"], "normalisation": "mse",
    }  # fmt: skip
    settings = nst.read_settings("out.json")
    assert {name: settings[name] for name in expected} == expected


def test_the_controls_of_style_reach_the_run(pictures, capsys):
    status, _, err = run(
        capsys, *pictures, "content.png", "-o", "out.webp", "--size", 48, "--steps", 1,
        "--statistic", "mean-std", "--colour", "match", "--mask", "left,content.png",
        "--style-mask", "all,centre", "--mask-weights", "1,0.5", "--style-scale", "1,0.9",
        "--layers-by-style", "relu1_1+relu2_1,all", "--sidecar", "--device", "cpu",
    )  # fmt: skip
    assert status == 0, err
    expected = {
        "statistic": "mean-std", "colour": "match", "masks": ["left", "content.png"],
        "style_masks": ["all", "centre"], "mask_weights": [1.0, 0.5], "style_scale": [1.0, 0.9],
        "layers_by_style": [["relu1_1", "relu2_1"], []],
    }  # fmt: skip
    settings = nst.read_settings("out.json")
    assert {name: settings[name] for name in expected} == expected
    assert nst.make_settings(**settings).to_dict()["layers_by_style"] == (
        ("relu1_1", "relu2_1"),
        (),
    )


def test_options_may_stand_between_the_pictures(pictures, capsys):
    arguments = ["--steps", 1, "-o", "o.png", "content.png", "--seed", 1, "style.png"]
    status, _, err = run(capsys, *arguments, "--tv-weight", 1, "content.png")
    assert (status, err) == (0, "")
    assert nst.read_settings("o.png")["styles"] == ["style.png", "content.png"]


def test_a_settings_file_by_hand(pictures, capsys, tmp_path):
    (tmp_path / "mine.json").write_text('{"preset": "article", "num_steps": 2}')
    status, _, _ = run(capsys, *pictures, "--settings", "mine.json", "-o", "o.png")
    assert status == 0
    assert nst.read_settings("o.png")["normalisation"] == "mse"


def test_frames_that_cannot_be_written_cost_no_picture(pictures, capsys, tmp_path):
    (tmp_path / "o_frames").write_text("in the way")
    status, _, err = run(capsys, *pictures, "-o", "o.png", "--steps", 3, "--save-every", 1)
    assert status == 2
    assert "o_frames" in err
    assert (tmp_path / "o.png").exists()


def test_frames_and_an_animation(pictures, capsys, tmp_path):
    status, _, _ = run(
        capsys, *pictures, "-o", "o.jpg", "--size", 32, 56, "--steps", 4, "--save-every", 2
    )
    assert status == 0
    frames = sorted((tmp_path / "o_frames").glob("*.png"))
    assert len(frames) == 5
    with Image.open(tmp_path / "o_frames" / "animation.webp") as animation:
        assert 1 < animation.n_frames <= 5  # WebP merges frames that look alike
        assert animation.size == (56, 40)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.png", "style.png"], "nowhere.png"),
        (["content.png"], "give a content and a style picture"),
        (["content.png", "style.png", "-o", "out.xyz"], "extension"),
        (["content.png", "style.png", "-o", "content.png/out.png"], "cannot be written"),
        (["content.png", "style.png", "--network", "vgg99"], "no network 'vgg99'"),
        (["content.png", "style.png", "--style-layers", "relu1_1=a"], "relu1_1=a"),
        (["content.png", "style.png", "--size", "8"], "too small"),
        (["content.png", "style.png", "--save-every", "-1"], "save-every"),
        (["content.png", "style.png", "--style-layers", "relu1_1=0"], "at least one layer"),
        (["--settings", "content.png", "--preset", "d2l"], "exclude each other"),
        (["--settings", "content.png"], "no settings"),
        (["layers", "vgg99"], "no network 'vgg99'"),
        (["layers", "vgg19", "vgg16"], "one network"),
    ],
)
def test_errors_are_one_line_and_status_2(pictures, capsys, arguments, words):
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("nst: ")
    assert err.count("\n") == 1
    assert words in err


def test_unknown_options_exit_with_2(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["a", "b", "--nonsense"])


def test_ctrl_c_writes_the_best_picture_and_exits_with_130(pictures, tmp_path):
    """A real process and a real signal, sent after the first frame is on the disk."""
    command = [sys.executable, "-m", "nst", *pictures, "-o", "out.png", "--steps", "100000"]
    process = subprocess.Popen(
        [*command, "--save-every", "1"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "out_frames" / "00001.png").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in out
    with Image.open(tmp_path / "out.png") as file:
        assert file.size == (56, 40)


def test_lists(capsys):
    status, out, _ = run(capsys, "samples")
    assert status == 0
    assert "astronaut" in out
    assert "starry" in out
    _, out, _ = run(capsys, "layers", "vgg19")
    assert [line.split()[0] for line in out.splitlines()[1:4]] == ["conv1_1", "relu1_1", "conv1_2"]
    assert "relu4_2" in out
    _, out, _ = run(capsys, "presets")
    assert [line.split()[0] for line in out.splitlines()[:-1]] == list(nst.PRESETS)


GRID = """
[fixed]
content = "content.png"
sizes = [32, 40]
num_steps = 1
device = "cpu"
[axes]
style = ["style.png", "content.png"]
[axes.style_layers]
fine = ["relu1_1", "relu2_1"]
coarse = "relu3_1"
"""


@pytest.fixture
def threads(monkeypatch):
    """A thread in the place of worker processes, which load torch for seconds."""

    @contextmanager
    def process_pool(_workers):
        with ThreadPoolExecutor(1) as executor:
            yield executor

    monkeypatch.setattr(pools, "process_pool", process_pool)


def test_a_grid(pictures, threads, capsys, tmp_path):
    pytest.importorskip("loky")  # brings the processes
    (tmp_path / "mine.toml").write_text(GRID)
    status, out, err = run(capsys, "grid", "mine.toml")
    assert (status, err) == (0, "")
    assert out == "mine: 4 cells, 4 finished\n"
    experiment = nst.Experiment.load("mine")
    assert experiment.axes == {"style": ["style", "content"], "style_layers": ["fine", "coarse"]}
    assert {cell.settings.sizes for cell in experiment.cells} == {(32, 40)}
    assert list(experiment["style", "fine"].settings.style_layers) == ["relu1_1", "relu2_1"]
    for name in ("contact_sheet.png", "loss_curves.png"):
        with Image.open(tmp_path / "mine" / name) as file:
            assert file.size[0] > 1000
    with (tmp_path / "mine" / "results.csv").open(newline="", encoding="utf-8") as file:
        assert [row["reason"] for row in csv.DictReader(file)] == ["finished"] * 4


def test_a_grid_with_a_failed_cell(pictures, threads, capsys, tmp_path):
    (tmp_path / "mine.toml").write_text(GRID + 'none = "relu9_1"')
    status, out, err = run(
        capsys, "grid", "mine.toml", "-o", "new/folder", "--executor", "processes:2"
    )
    assert (status, err) == (1, "")
    assert out.startswith("new/folder: 6 cells, 4 finished, 2 failed\n")
    assert "\n  content, none: vgg19_quarter has no layer 'relu9_1'" in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[fixed", "is not TOML"),
        ("a=" + "[" * 10**5, "is not TOML"),
        ("content = 'a.png'", "move all into them"),
        ("fixed = 3", "move all into them"),
        ("[axes]\nseed = 3", "seed is no list of alternatives"),
        ("[axes]\nseed = []", "seed has no alternatives"),
        ("[fixed]\nseed = 3\n[axes]\nseed = [4]", "seed is under [fixed] and under [axes]"),
        ("[fixed]\nfolder = 'a'", "folder is no setting"),
        ("[fixed]\ncontent = 'content.png'", "content=… and style=…"),
        ("[fixed]\ncontent = 'a.png'\nstyle = 'style.png'", "a.png"),
        ("[fixed]\ncontent = 'content.png'\nstyle = 'style.png'\nsteps = 3", "no setting 'steps'"),
    ],
)
def test_a_grid_file_that_is_wrong(pictures, capsys, tmp_path, text, words):
    (tmp_path / "mine.toml").write_text(text)
    status, out, err = run(capsys, "grid", "mine.toml")
    assert (status, out) == (2, "")
    assert err.startswith("nst: ")
    assert err.count("\n") == 1
    assert words in err
    assert not (tmp_path / "mine").exists()


def test_a_grid_file_that_is_not_there(pictures, capsys):
    status, _, err = run(capsys, "grid", "nowhere.toml")
    assert (status, err) == (
        2,
        "nst: 'nowhere.toml' cannot be read (No such file or directory); check it\n",
    )


def test_a_grid_without_matplotlib(pictures, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nst.plots", None)
    monkeypatch.delattr(nst, "plots", raising=False)
    (tmp_path / "mine.toml").write_text(GRID)
    status, _, err = run(capsys, "grid", "mine.toml")
    assert status == 2
    assert "pip install 'nst[notebooks]'" in err
    assert not (tmp_path / "mine").exists()


def test_ctrl_c_keeps_the_cells_of_a_grid_that_are_finished(pictures, tmp_path):
    """A real signal, to the command and its workers as a terminal sends it."""
    pytest.importorskip("loky")  # brings the processes
    (tmp_path / "mine.toml").write_text(
        "[fixed]\ncontent = 'content.png'\nstyle = 'style.png'\n"
        "[axes]\nnum_steps = [1, 1000000]"  # the second takes hours
    )
    command = [sys.executable, "-m", "nst", "grid", "mine.toml", "--executor", "processes:1"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Which a shell without job control has told what it runs in the background to ignore.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("mine/cells/*.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    reasons = [cell.reason for cell in nst.Experiment.load(tmp_path / "mine").cells]
    assert set(reasons) == {"finished", "not run"}
    assert f"{reasons.count('not run')} not run" in out
    assert (tmp_path / "mine" / "contact_sheet.png").exists()


# Output that takes nothing more


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")
def test_a_closed_or_full_output_costs_no_picture_and_no_traceback(pictures, tmp_path):
    paints = "content.png style.png --size 32 --steps 1 -o"
    full = "nst: the output cannot be written (No space left on device)\n"
    expected = {  # by the command, its output and its errors' output
        ("samples", "gone", "gone"): (141, "", ""),
        ("samples", "full", "heard"): (2, "", full),
        ("samples", "gone", "heard"): (141, "", ""),
        (f"{paints} full.png", "full", "heard"): (0, "", ""),
        (f"{paints} gone.png", "gone", "heard"): (0, "", ""),
        (f"{paints} closed.png", "closed", "heard"): (0, "", ""),
    }
    narrow = f"{paints} käse.png", "heard", "heard"
    cases = [(line.split(), *outputs) for line, *outputs in [*expected, narrow]]
    command = [sys.executable, Path(__file__).with_name("forked.py"), json.dumps(cases)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    *others, (status, out, err) = map(tuple, json.loads(done.stdout))
    assert others == list(expected.values())
    assert all((tmp_path / f"{name}.png").exists() for name in ("full", "gone", "closed"))
    assert (status, err) == (0, "")
    assert out.startswith(r"k\xe4se.png: loss")


@pytest.mark.parametrize(
    "arguments",
    [
        ["~nobody-here/content.png", "style.png"],
        ["content.png", "a\0b"],
        ["content.png", "style.png", "-o", "~nobody-here/out.png"],
        ["content.png", "style.png", "-o", "a\0b.png"],
        ["--settings", "~nobody-here/a.json"],
        ["content.png", "style.png", "--weights", "~nobody-here/a.pt"],
        ["content.png", "style.png", "--resume", "a\0b"],
        ["grid", "~nobody-here/a.toml"],
        ["grid", "a\0b"],
    ],
)
def test_paths_that_cannot_be_are_one_sentence(pictures, capsys, arguments):
    status, out, err = run(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("nst: ")


def test_a_run_that_diverges_at_once_says_so(pictures, capsys):
    options = ["--optimizer", "adam", "--bounds", "end", "--learning-rate", 1e6, "--size", 32]
    status, out, err = run(capsys, *pictures, *options, "--steps", 9)
    assert (status, err) == (1, "")
    assert "diverged at once: the picture is still its start" in out


def test_an_interrupt_while_the_animation_is_written_leaves_the_picture(
    pictures, capsys, monkeypatch
):
    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("nst.cli.paint.Frames.animate", interrupt)
    status, out, err = run(capsys, *pictures, "-o", "o.png", "--steps", 1, "--save-every", 1)
    assert status == 130
    assert out.startswith("o.png: loss")
    assert err == "nst: interrupted; the picture is written, its animation is not\n"
    assert nst.open_image("o.png").size == (56, 40)


@pytest.mark.parametrize(
    ("place", "nth", "arguments", "written"),
    [
        ("nst.transfer.load_network", 0, "content.png style.png", ""),
        ("nst.runs.results.Result.save", 0, "content.png style.png --resume run", "out.png"),
        ("nst.cli.paint.open_image", 0, "content.png style.png --save-every 1", "out.png"),
        ("nst.cli.film.clear", 0, "film style.png -o done", ""),
        ("nst.cli.film.style_transfer", 1, "film style.png -o done", "done/1.png"),
        ("nst.cli.painters.paint", 1, "paint film starry -o done", "done/1.png"),
        ("nst.plots.contact_sheet", 0, "grid mine.toml", "mine"),
    ],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_end_at_any_moment_says_what_is_written(
    pictures, capsys, tmp_path, monkeypatch, threads, place, nth, arguments, written, error
):
    if arguments.startswith("grid"):
        pytest.importorskip("loky")
    (tmp_path / "film").mkdir()
    for number in (1, 2):
        nst.open_image("content.png").save(tmp_path / "film" / f"{number}.png")
    (tmp_path / "mine.toml").write_text(
        "[fixed]\ncontent = 'content.png'\nstyle = 'style.png'\nsizes = 32\nnum_steps = 1"
    )
    name, _, attribute = place.rpartition(".")
    target = pkgutil.resolve_name(name)
    real, calls = getattr(target, attribute), itertools.count()

    def interrupted(*given, **options):
        if next(calls) == nth:
            raise error
        return real(*given, **options)

    monkeypatch.setattr(target, attribute, interrupted)
    fast = "" if arguments.startswith("grid") else " --size 32"
    fast += " --steps 1" if arguments.startswith(("content", "film")) else ""
    status, out, err = run(capsys, *f"{arguments}{fast}".split())
    assert status == (130 if error is KeyboardInterrupt else 2)
    assert len([line for line in err.splitlines() if line.startswith("nst: ")]) == 1
    assert ("no picture was written" in err) == (not written)
    assert written in out + err
    assert not written or (tmp_path / written).exists()
    assert "Traceback" not in err


def test_a_run_that_cannot_be_kept_has_its_picture_and_says_where(pictures, capsys, monkeypatch):
    def full(*_):
        raise nst.ImageError("'run' cannot be written (No space left on device)")

    monkeypatch.setattr("nst.runs.results.Result.save", full)
    status, out, err = run(capsys, *pictures, "--size", 32, "--steps", 1, "--resume", "run")
    assert (status, err) == (2, "nst: 'run' cannot be written (No space left on device)\n")
    assert out.startswith("out.png: loss")


@pytest.mark.parametrize(
    ("closed", "arguments", "words"),
    [
        ("stdin", "- style.png", "standard input is closed"),
        ("stdin", "paint - starry", "standard input is closed"),
        ("stdout", "content.png style.png -o -", "standard output is closed"),
        ("stdout", "paint content.png starry -o -", "standard output is closed"),
    ],
)
def test_streams_that_are_closed_from_the_start(
    pictures, capsys, monkeypatch, closed, arguments, words
):
    monkeypatch.setattr(sys, closed, None)
    status = main(arguments.split())
    err = capsys.readouterr().err
    assert (status, err.count("\n")) == (2, 1)
    assert words in err


@pytest.mark.parametrize(
    "arguments",
    [
        "content.png style.png --size 32 --steps 1 -o done.png",
        "paint film starry -o done",
        "train style.png --photos film --size 32 --batch 1 --steps 1 -o done.png "
        "--channels 4,4,4 --blocks 1",
        "nowhere.png style.png",
    ],
)
def test_without_any_output(pictures, tmp_path, monkeypatch, arguments):
    """As a program without a console has it; what is painted is written all the same."""
    (tmp_path / "film").mkdir()
    nst.open_image("content.png").save(tmp_path / "film" / "a.png")
    if arguments.startswith("train"):
        (tmp_path / "film" / "none.png").write_text("none")
    with monkeypatch.context() as patched:
        for name in ("stdin", "stdout", "stderr"):
            patched.setattr(sys, name, None)
        status = main(arguments.split())
        nst.runs.job.say("no one hears it")
    fails = arguments.startswith("nowhere")
    assert status == 2 * fails
    assert fails or list(tmp_path.glob("done*"))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory")]
)
def test_full_memory_before_the_run_is_one_sentence(pictures, capsys, monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr("nst.transfer.load_network", full)
    status, out, err = run(capsys, *pictures)
    assert (status, out) == (2, "")
    assert err.startswith("nst: memory is full")


def test_too_few_files_are_named_for_what_they_are(pictures, capsys, monkeypatch):
    def refuse(*_, **__):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("nst.transfer.load_network", refuse)
    status, _, err = run(capsys, *pictures)
    assert (status, err) == (2, "nst: the system refuses (Too many open files)\n")
