"""The blind vote, and its files: who voted goes on, many are pooled, and bad ones are said."""

import itertools

import pytest
import torch

from nst.errors import ImageError, SettingsError
from nst.files.votes import Vote, add_vote, decided, pool_votes, read_votes
from nst.widgets import BlindVote
from nst.widgets.vote import order

NAMES = ["gram 4", "a, with a comma", "sliced", "grey"]


@pytest.fixture(scope="module")
def paintings():
    return {name: torch.full((1, 3, 6, 9), shade / 4) for shade, name in enumerate(NAMES)}


@pytest.fixture
def vote(paintings, tmp_path):
    """A function that begins, or goes on, as a voter."""
    begun = []

    def begin(voter="anna", file="votes.csv", **options):
        begun.append(BlindVote(paintings, tmp_path / file, voter, synchronous=True, **options))
        return begun[-1]

    yield begin
    for view in begun:
        view.close()


def shades(view):
    """The names of the pictures that are shown, from their pixels."""
    found = []
    for data in (view.ballot.left, view.ballot.right):
        (name,) = [n for n, p in view.pictures.items() if p.getpixel((0, 0)) == pixel(data)]
        found.append(name)
    return tuple(found)


def pixel(data):
    from nst.widgets import Picture

    picture = Picture(data=data)
    try:
        return picture.image().getpixel((0, 0))
    finally:
        picture.close()


def press(view, choice):
    """As the page does: the number of the pair, and the choice."""
    view.ballot.choice = (view.ballot.pair, choice)


def test_every_pair_is_asked_about_once_and_the_choice_written(vote):
    view, shown = vote(), []
    for choice in ("left", "neither", "right", "left", "left", "right"):
        shown.append(shades(view))
        press(view, choice)
        assert read_votes(view.file)[-1] == Vote("anna", *shown[-1], choice)
    assert {frozenset(p) for p in shown} == {frozenset(p) for p in itertools.combinations(NAMES, 2)}
    assert not view.ballot.asking
    assert "All 6 pairs are done" in view.note.value
    press(view, "left")
    assert len(read_votes(view.file)) == 6


def test_a_vote_that_could_not_be_written_can_be_cast_again(vote, monkeypatch):
    """The page sends a pair's choice once: unless the kernel has taken it back."""
    view = vote()
    shown = shades(view)

    def full(*_):
        raise ImageError("votes.csv cannot be written (No space left on device)")

    with monkeypatch.context() as patch, pytest.raises(ImageError):
        patch.setattr("nst.widgets.vote.add_vote", full)
        press(view, "left")
    assert view.ballot.choice[0] != view.ballot.pair
    assert "cannot be written" in view.error
    assert shades(view) == shown
    press(view, "left")
    assert read_votes(view.file) == [Vote("anna", *shown, "left")]


def test_nothing_says_what_is_what(vote, paintings):
    view = vote(beside={"photograph": paintings["grey"]})
    values = [getattr(part, "value", "") for part in view.children]
    assert not [name for name in NAMES for value in values if name in str(value)]
    assert "gram" not in view.still_alt()
    orders = [order(NAMES, voter) for voter in ("anna", "ben", "anna")]
    assert orders[0] == orders[2] != orders[1]
    firsts = [left for voter in range(60) for left, _ in order(NAMES, str(voter))]
    shares = [firsts.count(name) / len(firsts) for name in NAMES]
    assert max(shares) - min(shares) < 0.1  # no picture is mostly on the left


def test_who_comes_back_goes_on_and_others_begin_anew(vote):
    first = vote()
    press(first, "left")
    press(first, "left")
    again, other = vote(), vote("ben")
    assert shades(again) == order(NAMES, "anna")[2]
    assert again.ballot.pair == 2
    assert shades(other) == order(NAMES, "ben")[0]
    press(first, "left")
    first.ballot.choice = (2, "right")  # a second click on what was chosen already
    assert len(read_votes(first.file)) == 3


def test_a_file_of_other_pictures_or_of_none_is_kept_and_said(vote, tmp_path):
    file = tmp_path / "votes.csv"
    add_vote(file, Vote("anna", "gram 4", "stranger", "left"))
    before = file.read_bytes()
    with pytest.raises(SettingsError, match="other pictures, such as 'stranger'"):
        vote()
    file.write_text("to,do\nbuy,milk\n")
    with pytest.raises(SettingsError, match="no file of votes"):
        vote()
    file.write_bytes(before)
    assert read_votes(file)[0].right == "stranger"


def test_a_vote_needs_two_pictures_and_a_place(vote, paintings, tmp_path):
    with pytest.raises(SettingsError, match="two pictures"):
        BlindVote({"grey": paintings["grey"]}, tmp_path / "v.csv")
    view = vote(file="missing/votes.csv")
    with pytest.raises(SettingsError, match="cannot be written"):
        press(view, "left")
    assert "cannot be written" in view.error
    assert len(view.waiting) == 6


def test_a_class_pools_its_files_and_bad_ones_get_a_sentence(tmp_path):
    lines = ["voter,left,right,choice", "anna,a,b,left", "anna,b,c,neither"]
    texts = {
        "anna.csv": "\n".join(lines),
        "anna again.csv": "\n".join(lines),  # handed in twice
        "ben.csv": "\ufeff" + "\r\n".join(lines).replace(",", ";").replace("anna", "ben"),
        "no name.csv": "voter,left,right,choice\n,a,b,right\n,b,a,left\n\n",
        "damaged.csv": "voter,left,right,choice\neva,a,b,left\neva,a",
        "other.csv": "voter,left,right,choice\nfay,a,x,left",
        "list.csv": "name,mark\nanna,1\n",
        "empty.csv": "",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG\xff\x00")
    (tmp_path / "folder.csv").mkdir()
    votes, complaints = pool_votes(tmp_path.glob("*.csv"), ["a", "b", "c"])
    assert sorted(votes) == [
        ("anna", "a", "b", "left"),
        ("anna", "b", "c", "neither"),
        ("ben", "a", "b", "left"),
        ("ben", "b", "c", "neither"),
        ("no name", "b", "a", "left"),  # changed their mind
    ]
    assert sorted(decided(votes)) == [("a", "b"), ("a", "b"), ("b", "a")]
    assert decided([Vote("", "a", "b", "right"), Vote("", "a", "b", "neither")]) == [("b", "a")]
    assert len(complaints) == 6
    for name in ("damaged", "other", "list", "empty", "picture", "folder"):
        (said,) = [c for c in complaints if f"{name}.csv'" in c]
        assert said.endswith("; it is left out")
    assert "line 3" in next(c for c in complaints if "damaged" in c)
