"""What the README says is true: its example's numbers, its files, its commands."""

import re
from pathlib import Path

import pytest

import nst
from nst.cli.options import parse_transfer
from nst.cli.painters import paint_parser, train_parser
from nst.widgets.preview import WHOLE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.?\d*")


def test_the_example_prints_the_numbers_it_says(capsys, tmp_path, monkeypatch):
    """Processors round differently; Adam, unlike L-BFGS, hardly amplifies it: 5 % are plenty."""
    monkeypatch.chdir(tmp_path)
    code, expected = re.search(r"```python\n(.*?)```\n+```\n(.*?)```", README, re.S).groups()
    assert len(code.strip().splitlines()) <= 10
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected)
    for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
        assert float(ours) == pytest.approx(float(theirs), rel=0.05)
    assert (tmp_path / "cat.png").stat().st_size > 10_000


def test_a_painting_in_full_size_is_as_large_as_it_says():
    assert f"full size, up to {WHOLE // 10**6} megapixels" in " ".join(README.split())


def test_every_sample_picture_has_its_source_and_licence():
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in text.splitlines() if "|" in line}
    samples = nst.sample_names()
    for name in [*samples["content"], *(f"style/{name}.jpg" for name in samples["style"])]:
        assert re.search(r"CC0|public domain", rows[name], re.I), name


def test_its_links_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", "data/README.md", "nst/weights/README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert link.startswith("https://") or ((ROOT / name).parent / link).exists(), link


def test_its_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"`?make ([a-z-]+)", (ROOT / name).read_text(encoding="utf-8")):
            if target not in ("a", "is"):
                assert f"\n{target}:" in makefile, target


def test_its_command_lines_are_understood():
    commands = re.findall(r"^nst (.*?)(?:\s+#.*)?$", README, re.M)
    assert len(commands) >= 5
    for command in commands:
        kind, *words = command.split()
        parsers = {"paint": paint_parser, "train": train_parser}
        if kind in parsers:
            parsers[kind]().parse_intermixed_args(words)
        elif command != "--help":
            parse_transfer(command.split())
