"""The tool that trains the shipped painters, where it goes on from what it has kept."""

import sys
from pathlib import Path

import pytest
import torch

import nst
from nst.painters import Photographs, StylesPainter, Training

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from train_painters import cached, go_on, keep


def test_other_photographs_are_decoded_anew(picture, tmp_path, capsys):
    kept = tmp_path / "out" / "kept.pt"
    for folder, light in (("one", 1.0), ("two", 0.5)):
        nst.save_image(picture * light, tmp_path / folder / "a.png")
        files = [tmp_path / folder / "a.png"]
        for _ in range(2):
            (found,) = cached(files, kept).pictures
            assert (found / 255 - picture * light).abs().max() < 1.01 / 255
    assert capsys.readouterr().out.count("decoded anew") == 1
    files[0].unlink()
    with pytest.raises(FileNotFoundError):
        cached(files, kept)
    torch.save([found], kept)  # as it was kept before, without the files' names
    nst.save_image(picture, files[0])
    (found,) = cached(files, kept).pictures
    assert (found / 255 - picture).abs().max() < 1.01 / 255


def test_kept_photographs_are_not_decoded_again(picture, tmp_path, monkeypatch):
    nst.save_image(picture, tmp_path / "a.png")
    cached([tmp_path / "a.png"], tmp_path / "kept.pt")
    monkeypatch.setattr("train_painters.read_photographs", None)
    assert len(cached([tmp_path / "a.png"], tmp_path / "kept.pt").pictures) == 1


def test_other_styles_are_another_training(picture, tmp_path):
    def training(*styles):
        painter = StylesPainter(styles, (4, 4, 4), 1)
        return Training(painter, Photographs([picture]), [picture] * 2, size=32, batch=1)

    one, state = training("starry", "waves"), tmp_path / "a.state.pt"
    next(one.run(5))
    keep(one, state)
    again = training("starry", "waves")
    go_on(again, state)
    assert again.number == 1
    with pytest.raises(SystemExit, match="take another --out"):
        go_on(training("ink", "waves"), state)
