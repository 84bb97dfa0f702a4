"""What the command's tests paint."""

import pytest

import nst


@pytest.fixture
def pictures(picture, other, tmp_path, monkeypatch):
    """A content and a style file in an otherwise empty working folder."""
    monkeypatch.chdir(tmp_path)
    nst.save_image(picture, "content.png")
    nst.save_image(other, "style.png")
    return ["content.png", "style.png"]
