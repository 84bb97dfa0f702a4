"""What the command line reads and writes: lists, names, streams, frames, outlines, kept runs."""

import io
import json
import mimetypes
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import nst
from nst.cli import main
from nst.cli.options import parse_transfer
from nst.cli.targets import is_at

FAST = ("--size", 32, "--steps", 2, "--device", "cpu")


def run(capsys, *arguments):
    status = main([str(a) for a in arguments])
    return status, *capsys.readouterr()


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("--size 48 {}", "sizes", [48]),
        ("--size 48,64 {}", "sizes", [48, 64]),
        ("--size 48 64 {}", "sizes", [48, 64]),
        ("--size=48 64 {}", "sizes", [48, 64]),
        ("--size 48, 64 {}", "sizes", [48, 64]),
        ("{} --size 48 64", "sizes", [48, 64]),
        ("{} --steps 3 4 --size 48", "num_steps", [3, 4]),
        ("--style-blend 0.7 0.3 {}", "style_blend", [0.7, 0.3]),
        ("--style-layers relu1_1 {}", "style_layers", ["relu1_1"]),
        ("--style-layers relu1_1 relu2_1=0.5 {}", "style_layers", ["relu1_1", "relu2_1=0.5"]),
        ("--style-l relu1_1 relu2_1 {}", "style_layers", ["relu1_1", "relu2_1"]),
        ("{} --style-layers relu1_1=2 relu2_1", "style_layers", ["relu1_1=2", "relu2_1"]),
        ("--content-layers layer1.0.relu features.0 {}", "content_layers",
         ["layer1.0.relu", "features.0"]),
        ("--style-layers relu1_1,relu2_1 {}", "style_layers", ["relu1_1", "relu2_1"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("names", ["a.png starry", "http://x.org/a.jpg here/b", "cat - waves"])
def test_lists_do_not_swallow_the_pictures(line, field, value, names):
    options = parse_transfer(line.format(names).split())
    assert vars(options)[field] == value
    assert options.pictures == names.split()


def test_a_picture_between_lists_and_options():
    line = "a --size 48 b --style-layers relu1_1 c.png -o d.png e"
    options = parse_transfer(line.split())
    assert (options.pictures, options.output) == (["a", "b", "c.png", "e"], "d.png")


def test_a_list_that_is_none(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["a", "b", "--size", "large"])
    assert "'large' is no list of whole numbers, as 256,512" in capsys.readouterr().err


def test_names_that_begin_with_a_dash(pictures, capsys, tmp_path):
    (tmp_path / "content.png").rename(tmp_path / "-c.png")
    status, _, err = run(capsys, *FAST, "-o", "out.png", "--", "-c.png", "style.png")
    assert (status, err) == (0, "")
    assert nst.read_settings("out.png")["content"] == "-c.png"
    status, _, err = run(capsys, "style.png", *FAST, "-o=-o.png", "--", "-c.png")
    assert (status, err) == (0, "")
    assert nst.read_settings("-o.png")["styles"] == ["-c.png"]


def test_standard_input_and_output(pictures, tmp_path):
    """Between real pipes, in bytes."""
    command = [sys.executable, "-m", "nst", "-", "style.png", "-o", "-", *map(str, FAST)]
    data = (tmp_path / "content.png").read_bytes()
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    assert done.stderr.decode().startswith("-: loss ")
    expected = nst.style_transfer("content.png", "style.png", sizes=32, num_steps=2, device="cpu")
    with Image.open(io.BytesIO(done.stdout)) as file:
        assert file.format == "PNG"
        settings = json.loads(file.info["nst"])
        found = np.asarray(file)
    assert (settings["content"], settings["styles"]) == (None, ["style.png"])
    assert np.array_equal(found, np.asarray(nst.postprocess_image(expected.image)))
    assert sorted(path.name for path in tmp_path.iterdir()) == pictures


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "-"], "give '-' once"),
        (["content.png", "style.png", "-o", "-", "--sidecar"], "give -o a file"),
        (["content.png", "style.png", "-o", "-", "--quality", "5"], "give -o a file"),
        (["content.png", "style.png", "-o", "-", "--save-every", "1"], "give -o a file"),
        (["content.png", "style.png", "--quality", "50"], "loses nothing"),
        (["content.png", "style.png", "-o", "a.jpg", "--quality", "0"], "from 1 to 100"),
        (["content.png", "style.png", "-o", "a.jpg", "--alpha", "keep"], "keeps no outline"),
        (["frames", "style.png", "-o", "a.png"], "name a folder for them"),
        (["frames", "style.png", "-o", "-"], "name a folder for them"),
        (["frames", "style.png", "-o", "frames"], "would replace the frames"),
        (["frames", "style.png", "--save-every", "2"], "for one picture"),
        (["frames", "style.png", "--resume", "run"], "for one picture"),
        (["frames"], "give a style picture"),
        (["frames", "nowhere.png"], "nowhere.png"),
        (["empty", "style.png"], "no pictures in the folder"),
        (["twins", "style.png"], "both become a.png"),
        (["content.png", "style.png", "--resume", "~nobody-here/x"], "cannot be written"),
        (["--resume", "run"], "give a content and a style picture"),
        (["content.png", "style.png", "--resume", "r" * 300], "cannot be written"),
        (["content.png", "style.png\0"], "styles are paths"),
        (["content.png", "style.png", "-o", "a\0.png"], "zero byte"),
        (["content.png", "style.png", "-o", "."], "no extension"),
        (["content.png", "style.png", "-o", "~nobody-here/a.png"], "cannot be written"),
        (["c" * 5000, "style.png"], "content is a picture's path"),
        (["c" * 400, "style.png"], "cannot be read"),
    ],
)
def test_errors_are_one_line_and_lose_nothing(pictures, capsys, tmp_path, arguments, words):
    for name in ("frames", "empty", "twins"):
        (tmp_path / name).mkdir()
    for name in ("frames/1.png", "twins/a.png", "twins/a.bmp"):
        Image.new("RGB", (40, 40), "red").save(tmp_path / name)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("nst: ")
    assert err.count("\n") == 1
    assert words in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_quality(pictures, capsys, tmp_path):
    for kind in ("jpg", "webp"):
        for quality in (20, 90):
            status, _, err = run(
                capsys, *pictures, *FAST, "-o", f"{quality}.{kind}", "--quality", quality
            )
            assert (status, err) == (0, "")
        sizes = [(tmp_path / f"{quality}.{kind}").stat().st_size for quality in (20, 90)]
        assert sizes[0] < 0.6 * sizes[1]
        with Image.open(tmp_path / f"90.{kind}") as file:
            assert file.size == (32, 23)


def disc(mode="RGBA"):
    """A red disc on nothing, 56×40."""
    y, x = np.mgrid[0:40, 0:56]
    alpha = 255 * ((x - 20) ** 2 + (y - 20) ** 2 < 200).astype(np.uint8)
    image = Image.new("RGBA", (56, 40), "red")
    image.putalpha(Image.fromarray(alpha))
    return image, alpha


@pytest.mark.parametrize("output", ["out.png", "out.webp", "-"])
def test_an_outline_is_kept_if_asked_for(pictures, capsysbinary, tmp_path, output):
    image, alpha = disc()
    image.save(tmp_path / "disc.png")
    outputs = []
    for option in ("white", "keep"):
        arguments = ["disc.png", "style.png", "--steps", "2", "-o", output, "--alpha", option]
        assert main(arguments) == 0
        written = capsysbinary.readouterr().out
        with Image.open(io.BytesIO(written) if output == "-" else tmp_path / output) as file:
            outputs.append(file.copy())
    assert [image.mode for image in outputs] == ["RGB", "RGBA"]
    assert np.array_equal(np.asarray(outputs[1].getchannel("A")), alpha)
    # Outside, the photograph is white, and so is what comes of it without an outline.
    assert np.asarray(outputs[0])[alpha == 0].mean() > 200


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_an_outline_is_upright_and_as_large_as_the_picture(pictures, capsys, tmp_path, turn):
    image, alpha = disc()
    exif = Image.Exif()
    exif[0x0112] = turn
    image.save(tmp_path / "disc.png", exif=exif)
    run(capsys, "disc.png", "style.png", *FAST, "--alpha", "keep")
    with Image.open("out.png") as file:
        found = np.asarray(file.getchannel("A"))
        assert max(file.size) == 32
    quarters = {1: 0, 3: 2, 6: 3, 8: 1}[turn]
    expected = Image.fromarray(np.rot90(alpha, quarters)).resize(found.shape[::-1], 1)
    assert np.abs(found.astype(int) - np.asarray(expected)).max() <= 1


def test_an_opaque_picture_gets_no_outline(pictures, capsys):
    run(capsys, *pictures, *FAST, "--alpha", "keep")
    with Image.open("out.png") as file:
        assert file.mode == "RGB"


@pytest.fixture
def film(picture, pictures, tmp_path):
    """Frames whose names do not sort as their letters, and a file that is none."""
    (tmp_path / "frames").mkdir()
    for number in (1, 2, 10):
        nst.save_image((picture * (1 - number / 40)), tmp_path / f"frames/f{number}.jpg")
    (tmp_path / "frames" / "notes.txt").write_text("no picture")
    return ["frames", "style.png"]


def test_frames_each_start_from_the_last_result(film, capsys, tmp_path):
    status, out, err = run(
        capsys, *film, "-o", "new/painted", "--size", "32,48", "--steps", "2,3", "--device", "cpu"
    )
    assert (status, err) == (0, "")
    lines = [line.partition(":")[0] for line in out.splitlines()]
    assert lines == [f"new/painted/f{number}.jpg" for number in (1, 2, 10)]
    last = nst.style_transfer(
        "frames/f2.jpg", "style.png", init="new/painted/f1.jpg", sizes=48, num_steps=3,
        device="cpu",
    )  # fmt: skip
    nst.save_image(last.image, "expected.jpg")
    expected = nst.load_image("expected.jpg")
    assert torch.equal(nst.load_image("new/painted/f2.jpg"), expected)


@pytest.mark.parametrize("command", [[], ["paint"]])
def test_a_folder_among_the_frames_is_none_of_them(film, capsys, tmp_path, command):
    (tmp_path / "frames" / "more.jpg").mkdir()
    options = FAST[:2] + FAST[4:] if command else FAST
    assert run(capsys, *command, *film, *options, "-o", "painted")[0] == 0
    assert len(list((tmp_path / "painted").glob("*.jpg"))) == 3


@pytest.mark.parametrize("command", [[], ["paint"]])
@pytest.mark.parametrize("output", ["content.png", "./style.png"])
def test_no_picture_is_replaced_by_what_is_made_of_it(pictures, capsys, tmp_path, command, output):
    before = (tmp_path / output).read_bytes()
    status, _, err = run(capsys, *command, *pictures, "-o", output)
    assert (status, err.count("\n")) == (2, 1)
    assert "one of the pictures" in err
    assert (tmp_path / output).read_bytes() == before


@pytest.mark.parametrize(
    "line",
    [
        "train style.png --photos here --steps 1 -o here/a.png",
        "train style.png --photos here --steps 1 -o ./here/../here/b.jpg",
        "content.png style.png --mask here/a.png -o here/a.png",
        "content.png style.png starry --mask left,here/a.png -o ./here/a.png",
        "content.png style.png --style-mask here/a.png -o here/a.png",
        "content.png style.png --init here/a.png -o here/a.png",
        "--resume run -o here/a.png --steps 1",
        "--resume run -o here/b.jpg --steps 1",
        "--resume run -o here_frames/0.png --steps 1",
        "content.png here_frames/0.png -o here.png --save-every 1",
        "--resume run -o here.png --save-every 1 --steps 1",
        "frames style.png here/a.png -o here --steps 1",
        "frames style.png --mask here/a.png -o here --steps 1",
        "paint frames style.png here/a.png -o here",
        "frames style.png -o linked --steps 1",
        "paint frames style.png -o linked",
        "grid here.toml -o grid",
    ],
)
def test_nor_is_any_other_picture_that_it_looks_at(pictures, picture, capsys, tmp_path, line):
    kept = ("here/a.png", "here/b.jpg", "frames/a.png", "here_frames/0.png", "grid/loss_curves.png")
    for name in kept:
        nst.save_image(picture, name)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "a.png").symlink_to(tmp_path / "frames" / "a.png")
    table = (
        '[fixed]\ncontent="starry"\nnum_steps=1\n[axes]\nstyle=["ink", ["grid/loss_curves.png"]]'
    )
    (tmp_path / "here.toml").write_text(table)
    if "--resume" in line:
        given = {"masks": "here/b.jpg", "init": "here_frames/0.png", "num_steps": 0, "sizes": 32}
        nst.style_transfer("here/a.png", "style.png", device="cpu", **given).save("run")
    before = {name: (tmp_path / name).read_bytes() for name in kept}
    status, _, err = run(capsys, *line.split())
    assert (status, err.count("\n")) == (2, 1)
    assert "one of the pictures" in err
    assert {name: (tmp_path / name).read_bytes() for name in kept} == before


def test_a_mask_that_is_its_own_file_is_no_path(monkeypatch):
    monkeypatch.setattr(
        "os.path.realpath", None
    )  # would look at each of its hundred thousand parts
    assert not is_at("data:image/png;base64," + "iVB/" * 10**5, "out.png")


@pytest.mark.parametrize("command", [[], ["paint"]])
def test_a_style_among_an_earlier_films_results_stays(film, capsys, tmp_path, command):
    options = FAST[:2] if command else FAST
    run(capsys, *command, *film, *options, "-o", "painted")
    style = tmp_path / "painted" / "f10.jpg"
    before = style.read_bytes()
    (tmp_path / "frames" / "f10.jpg").unlink()
    assert run(capsys, *command, "frames", style, *options, "-o", "painted")[0] == 0
    assert style.read_bytes() == before


def test_a_shorter_film_leaves_no_frames_of_the_first(film, capsys, tmp_path):
    run(capsys, *film, *FAST, "-o", "painted")
    (tmp_path / "painted" / "mine.png").write_bytes((tmp_path / "style.png").read_bytes())
    (tmp_path / "frames" / "f10.jpg").unlink()
    run(capsys, *film, *FAST, "-o", "painted")
    names = sorted(path.name for path in (tmp_path / "painted").iterdir())
    assert names == ["f1.jpg", "f2.jpg", "frames.json", "mine.png"]


@pytest.mark.parametrize("command", [[], ["paint"]])
def test_a_list_of_frames_that_is_not_ours(film, capsys, tmp_path, command):
    """It names what may be removed."""
    (tmp_path / "painted" / "sub.jpg").mkdir(parents=True)
    kept = tmp_path / "style.png"
    lists = ["5", "[]", "{}", "[" * 10**5, "\x00"]
    lists += [json.dumps({"frames": names}) for names in (5, [5, None], {"a": 1}, ["sub.jpg"])]
    lists += [
        json.dumps({"frames": [name]}) for name in ("../style.png", str(kept), "a\0.png", "\ud800")
    ]
    options = FAST[:2] if command else FAST
    for text in lists if not command else lists[::4]:
        (tmp_path / "painted" / "frames.json").write_text(text)
        status, _, err = run(capsys, *command, *film, *options, "-o", "painted")
        assert (status, "Traceback" in err) == (0, False)
        assert kept.exists()
        assert len(json.loads((tmp_path / "painted" / "frames.json").read_text())["frames"]) == 3


def test_frames_of_every_kind_on_every_system(pictures, capsys, tmp_path, monkeypatch):
    """Where the system has no list of files' kinds, Python knows the older ones only."""
    monkeypatch.setattr(mimetypes, "guess_type", lambda name: (None, None))
    (tmp_path / "film").mkdir()
    for kind in ("webp", "avif"):
        nst.open_image("content.png").save(tmp_path / "film" / f"{kind}.{kind}")
    status, out, _ = run(capsys, "film", "style.png", *FAST, "-o", "done")
    assert status == 0
    assert out.count("loss") == 2


def test_a_shorter_run_leaves_no_frames_of_the_first(pictures, capsys, tmp_path):
    for steps in (4, 2):
        run(capsys, *pictures, "--steps", steps, "--save-every", 1)
        (tmp_path / "out_frames" / "mine.png").touch()
    names = sorted(path.name for path in (tmp_path / "out_frames").iterdir())
    assert names == ["00000.png", "00001.png", "00002.png", "animation.webp", "mine.png"]


def test_a_run_is_kept_and_goes_on(pictures, capsys, tmp_path):
    command = [*pictures, "--size", 32, "--device", "cpu", "--resume", "run", "--style-weight", 90]
    for steps in (3, 6):
        status, out, err = run(capsys, *command, "--steps", steps)
        assert (status, err) == (0, "")
        assert f"{steps + 1} evaluations" in out
    first = (tmp_path / "out.png").read_bytes()
    status, out, _ = run(capsys, "--resume", "run", "-o", "same.png")
    assert status == 0
    run(capsys, *command[:-4], "--style-weight", 90, "--steps", 6, "-o", "whole.png")
    pixels = [nst.load_image(name) for name in ("out.png", "same.png", "whole.png")]
    assert torch.equal(pixels[0], pixels[2])
    assert torch.equal(pixels[0], pixels[1])
    assert first


def test_a_kept_run_of_a_preset_goes_on(pictures, capsys):
    command = [*pictures, *FAST, "--preset", "article", "--pooling", "average", "--resume", "run"]
    for _ in range(2):
        status, out, err = run(capsys, *command)
        assert (status, err) == (0, "")
        assert "3 evaluations" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--style-weight", 5], "another style_weight"),
        (["style.png", "content.png"], "another content"),
        (["content.png", "content.png"], "another styles"),
        (["--preset", "article"], "another "),
        (["--steps", "5,6"], "one number"),
    ],
)
def test_a_kept_run_is_not_mixed_with_another(pictures, capsys, arguments, words):
    assert run(capsys, *pictures, *FAST, "--resume", "run")[0] == 0
    status, out, err = run(capsys, *arguments, "--resume", "run")
    assert (status, out) == (2, "")
    assert words in err


def test_a_kept_run_may_come_from_standard_input(pictures, capsys, tmp_path, monkeypatch):
    for _ in range(2):
        with (tmp_path / "content.png").open() as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            status, out, _ = run(capsys, "-", "style.png", "--resume", "run", *FAST)
        assert status == 0
        assert "3 evaluations" in out
