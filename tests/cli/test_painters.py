"""The commands `nst paint` and `nst train`."""

import shlex

import pytest
from PIL import Image

import nst
from nst.cli import main


def run(capsys, *arguments):
    status = main([str(a) for a in arguments])
    return status, *capsys.readouterr()


def test_a_picture_in_one_pass(pictures, capsys, tmp_path):
    status, out, err = run(capsys, "paint", *pictures, "-o", "new/out.png", "--strength", 0.8)
    assert (status, err) == (0, "")
    assert "new/out.png" in out
    expected = nst.paint(*pictures, 0.8)
    assert (nst.load_image("new/out.png") - expected).abs().max() < 1 / 255


def test_frames_in_one_pass(pictures, picture, capsys, tmp_path):
    for name in ("2.png", "10.png"):
        nst.save_image(picture, tmp_path / "film" / name)
    status, out, _ = run(capsys, "paint", "film", "starry", "waves", "-o", "done", "--size", 32)
    assert status == 0
    assert "2 pictures" in out
    with Image.open("done/10.png") as file:
        assert max(file.size) == 32


def test_a_painter_of_ones_own(pictures, picture, capsys, tmp_path):
    """The command that it prints can be copied, whatever the files are called."""
    nst.save_image(picture, tmp_path / "photos" / "a.png")
    (tmp_path / "style.png").rename(tmp_path / "it's my style.png")
    line = "--photos photos --steps 2 --size 32 --batch 1 --channels 4,4,4 --blocks 1"
    given = ["it's my style.png", "-o", "my $own.safetensors", *line.split()]
    status, out, _ = run(capsys, "train", *given)
    assert status == 0
    command = shlex.split(out.partition("; ")[2].replace("PHOTO", "content.png"))
    assert command[-1] == "my $own.safetensors"
    assert run(capsys, *command[1:])[0] == 0
    about = {"styles": ["it's my style"], "photographs": 1, "steps": 2}
    assert nst.load_painter("my $own.safetensors").about == about


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("paint content.png", "give a photograph and a style"),
        ("paint content.png starry --shares 1,2", "1 styles and 2 shares"),
        ("paint content.png starry --strength 2", "from 0 to 1"),
        ("paint nowhere.png starry", "nowhere.png"),
        ("paint content.png starry -o out.txt", "out.txt"),
        ("paint content.png starry --painter style.png", "is a picture"),
        ("train style.png --photos nowhere -o own.safetensors", "nowhere"),
        ("train style.png style.png --photos . -o own.safetensors", "a name of its own"),
        ("train style.png --photos . -o style.png", "'style.png' is one of the pictures"),
        ("train style.png --photos . -o ~nobody-here/a", "~nobody-here"),
        ("train style.png --photos . -o a\0b", "zero byte"),
        ("train style.png --photos ~nobody-here -o own.safetensors", "~nobody-here"),
        ("train style.png --photos a\0b -o own.safetensors", r"a\x00b"),
        *(
            (f"train style.png --photos . -o own.safetensors {numbers}", words)
            for numbers, words in (
                ("--steps 0", "1 or more; not 0"),
                ("--steps -1", "1 or more; not -1"),
                ("--batch 0", "batch is a number of crops"),
                ("--batch 1000000000", "batch is a number of crops"),
                ("--size 0", "size is that of the crops"),
                ("--size -5", "size is that of the crops"),
                ("--size 1000000", "size is that of the crops"),
                ("--channels 1,2", "three whole numbers"),
                ("--channels 0,0,0", "three whole numbers"),
                ("--channels 999999,1,1", "three whole numbers"),
                ("--blocks -1", "blocks are a number"),
                ("--blocks 999999", "blocks are a number"),
                ("--style-weight nan", "style_weight is a number"),
                ("--style-weight -1", "style_weight is a number"),
            )
        ),
    ],
)
def test_errors_are_one_line(pictures, capsys, line, words):
    status, _, err = run(capsys, *line.split())
    assert status == 2
    assert words in err
    assert err.count("\n") == 1
