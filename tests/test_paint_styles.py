"""The style pictures' painters, and the pictures they left in data/style."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import paint_styles  # noqa: E402
from styles import PAINTERS  # noqa: E402

SHIPPED = sorted((ROOT / "data" / "style").glob("*.jpg"))
SMALL = 60


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """The picture 50 pixels wide, as floats: brush marks are averaged away."""
    return np.asarray(Image.fromarray(picture).reduce(picture.shape[1] // 50), np.float32)


@pytest.mark.parametrize("name", PAINTERS)
def test_a_painter_repeats_itself_for_a_seed_and_not_for_another(name: str) -> None:
    first = paint_styles.paint(name, seed=3, size=SMALL)
    assert first.dtype == np.uint8
    assert first.shape[1:] == (SMALL, 3)
    assert first.shape[0] in (SMALL, round(0.8 * SMALL))
    assert np.array_equal(first, paint_styles.paint(name, seed=3, size=SMALL))
    assert not np.array_equal(first, paint_styles.paint(name, seed=4, size=SMALL))


def test_every_painter_has_shipped_a_picture() -> None:
    assert [path.stem for path in SHIPPED] == sorted(PAINTERS)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_pictures_are_large_enough_and_light_enough(path: Path) -> None:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        assert min(image.size) >= 640
    assert path.stat().st_size <= paint_styles.MAX_BYTES


def test_the_readme_names_the_pictures_that_are_there() -> None:
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`style/(\w+)\.jpg`", text)) == {path.stem for path in SHIPPED}


slow = pytest.mark.skipif("PAINT_ALL" not in os.environ, reason="minutes; asked for by PAINT_ALL=1")
SLOW = [pytest.param(name, paint_styles.SIZE, marks=slow) for name in PAINTERS if name != "marble"]


# Marbling has no brush marks to count, so half the width shows the same picture in less time
@pytest.mark.parametrize(("name", "size"), [("marble", paint_styles.SIZE // 2), *SLOW])
def test_the_shipped_picture_is_what_the_tool_paints(name: str, size: int) -> None:
    painted = thumbnail(paint_styles.paint(name, size=size))
    with Image.open(ROOT / "data" / "style" / f"{name}.jpg") as image:
        shipped = thumbnail(np.asarray(image))
    assert np.abs(painted - shipped).mean() < 4


def test_the_command_writes_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new"
    arguments = ["paint_styles.py", "marble", "--out", str(out), "--seed", "5", "--size", "64"]
    monkeypatch.setattr(sys, "argv", arguments)
    paint_styles.main()
    with Image.open(out / "marble.jpg") as image:
        assert image.width == 64
    assert "marble.jpg" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["rococo"], ["marble", "--size", "3"]])
def test_the_command_refuses_what_it_cannot_paint(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["paint_styles.py", *wrong])
    with pytest.raises(SystemExit):
        paint_styles.main()
