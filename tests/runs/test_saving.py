"""A folder with a run holds all of one saving, whatever happens while it is written."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys

import pytest
import torch
from PIL import Image

import nst
from nst import ImageError, SettingsError, resume, style_transfer
from nst.files import sealed, temporary, together
from nst.files.temporary import MACHINE

NAMES = ["checkpoint.pt", "history.json", "picture.png", "settings.json"]
LONG = os.environ.get("FAULTS") == "long"
RUN = {"sizes": 40, "num_steps": 2, "init": "noise", "progress": False}


@pytest.fixture
def two(picture, other):
    """Two runs that differ in their seeds."""
    return [style_transfer(picture, other, seed=seed, **RUN) for seed in (1, 2)]


def seeds(folder):
    """The seeds in the four files, of those that are there."""
    found = {}
    if (folder / "picture.png").exists():
        found["picture.png"] = nst.read_settings(folder / "picture.png")["seed"]
    if (folder / "settings.json").exists():
        found["settings.json"] = json.loads((folder / "settings.json").read_text())["seed"]
    if (folder / "history.json").exists():
        found["history.json"] = json.loads((folder / "history.json").read_text())[0]["total"]
    if (folder / "checkpoint.pt").exists():
        found["checkpoint.pt"] = sealed.unseal(folder / "checkpoint.pt")["settings"]["seed"]
    return found


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_four_files_and_no_others(two, tmp_path):
    for result in two:
        assert result.save(tmp_path) == tmp_path
        assert names(tmp_path) == NAMES
        assert seeds(tmp_path)["checkpoint.pt"] == result.settings.seed


def test_other_files_in_the_folder_stay(two, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "frames").mkdir()
    for result in two:
        result.save(tmp_path)
    assert names(tmp_path) == [*NAMES[:1], "frames", *NAMES[1:2], "notes.txt", *NAMES[2:]]


# Processes that save two runs over each other in turn, each killed at a time of its own.
KILLS = """
import itertools, os, random, signal, sys, time, torch, nst
torch.set_num_threads(1)
picture, other = (torch.rand(1, 3, 40, 56) for _ in range(2))
runs = [nst.style_transfer(picture, other, seed=seed, sizes=40, num_steps=2, init="noise",
        progress=False) for seed in (1, 2)]
chance = random.Random(0)
for number in range(int(sys.argv[2])):
    began, begin = os.pipe()
    process = os.fork()
    if not process:
        for count, run in enumerate(itertools.cycle(runs)):
            run.save(f"{sys.argv[1]}/{number}")
            count == 1 and os.write(begin, b"x")
    os.read(began, 1)
    time.sleep(chance.uniform(0, 0.2))
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are copied, to be many")
def test_a_process_killed_while_it_saves_leaves_one_run(tmp_path):
    """What is there is of one run, and can be gone on from."""
    kills = 200 if LONG else 10
    subprocess.run([sys.executable, "-c", KILLS, tmp_path, str(kills)], check=True)
    between = 0
    for folder in tmp_path.iterdir():
        found = seeds(folder)
        found.pop("history.json", None)  # has no seed; its hash is in the checkpoint
        assert len(set(found.values())) <= 1, found
        between += len(found) < 3
        went_on = resume(folder, progress=False)
        assert went_on.settings.seed in (1, 2)
        assert set(seeds(folder)) == set(NAMES)
        went_on.save(folder)
        assert names(folder) == NAMES
    assert len(names(tmp_path)) == kills
    print(f"{kills} kills in save, {between} of them between two files, no mixed folder")


@pytest.mark.parametrize("nth", range(14))
def test_whichever_step_is_the_last_the_folder_holds_one_run(two, tmp_path, monkeypatch, nth):
    """Stopped before every single change of names, as by a kill."""
    first, second = two
    first.save(tmp_path)
    steps = iter(range(100))

    class Killed(BaseException):
        pass

    def counted(change):
        def call(*arguments, **options):
            if next(steps) == nth:
                raise Killed
            return change(*arguments, **options)

        return call

    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "unlink", "rmdir"):
            patched.setattr(together.Path, name, counted(getattr(together.Path, name)))
        patched.setattr(together, "remove", lambda path: None)
        killed = False
        try:
            second.save(tmp_path)
        except Killed:
            killed = True
    found = seeds(tmp_path)
    history = found.pop("history.json", None)
    assert len(set(found.values())) <= 1
    for result in two:
        if history == result.history[0]["total"]:
            assert set(found.values()) <= {result.settings.seed}
    went_on = resume(tmp_path, progress=False)
    assert set(seeds(tmp_path)) == set(NAMES)
    if not killed:
        assert went_on.settings.seed == 2


@pytest.mark.parametrize("room", [0, 5000, 20_000, 100_000])
def test_a_full_disk_leaves_the_earlier_run(two, tmp_path, room):
    first, second = two
    first.save(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in NAMES}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        with pytest.raises(ImageError, match=r"cannot be written \(File too large\); choose"):
            second.save(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert names(tmp_path) == NAMES
    assert before == {name: (tmp_path / name).read_bytes() for name in NAMES}


def test_a_folder_that_cannot_be_is_one_sentence(two, tmp_path):
    (tmp_path / "file").write_text("kept")
    for place in (tmp_path / "file", tmp_path / "file" / "a", "~nobody-here/a", "a\0b", "/proc/a"):
        with pytest.raises(ImageError, match="cannot be written"):
            two[0].save(place)
        with pytest.raises(SettingsError):
            resume(place)


def test_files_of_two_runs_are_not_taken_for_one(two, tmp_path):
    for result, name in zip(two, "ab", strict=True):
        result.save(tmp_path / name)
    for name in NAMES:
        mixed = two[0].save(tmp_path / "mixed")
        (mixed / name).write_bytes((tmp_path / "b" / name).read_bytes())
        with pytest.raises(SettingsError, match=r"is not what the run in checkpoint\.pt had saved"):
            resume(mixed)
        if name != "checkpoint.pt":
            (mixed / name).unlink()
            assert resume(mixed, progress=False).settings.seed == 1


def test_what_a_killed_process_left_is_removed(two, tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [f".{MACHINE}-{dead.pid}-{'0' * 32}.tmp", f".{MACHINE}-{dead.pid}-{'1' * 32}.tmp"]
    others = [
        ".mine.tmp",
        f".{MACHINE}-{os.getpid()}-{'0' * 32}.tmp",  # alive
        f".{'0' * 8}-{dead.pid}-{'0' * 32}.tmp",  # another machine's
    ]
    for write in (
        lambda folder: two[0].save(folder),
        lambda folder: nst.save_image(torch.zeros(1, 3, 4, 4), folder / "a.png"),
    ):
        folder = tmp_path / str(len(names(tmp_path)))
        (folder / left[0]).mkdir(parents=True)
        (folder / left[0] / "picture.png").write_text("half")
        for name in [*left[1:], *others]:
            (folder / name).write_text("half")
        write(folder)
        assert set(others) <= set(names(folder))
        assert not set(left) & set(names(folder))


@pytest.mark.parametrize("name", [together.READY, together.MOVING])
def test_what_only_has_the_name_of_a_stage_is_not_followed(two, tmp_path, name):
    """A link in a folder that somebody sends leads to any place of the reader's."""
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "picture.png").write_text("mine")
    for strange in ("link", "file"):
        for use in (lambda folder: resume(folder, progress=False), two[1].save):
            folder = two[0].save(tmp_path / "run")
            if strange == "link":
                (folder / name).symlink_to(mine)
            else:
                (folder / name).write_text("x")
            use(folder)
            assert names(folder) == NAMES
            assert names(mine) == ["picture.png"]


def test_whether_a_process_runs(monkeypatch):
    assert temporary.is_running(os.getpid())
    assert temporary.is_running(1)
    assert not temporary.is_running(9_999_999_999)

    def refuse(process, number):
        raise OSError(errno.ESRCH, "")

    monkeypatch.setattr(os, "kill", refuse)
    assert not temporary.is_running(os.getpid())


def test_a_symbolic_link_stays_and_its_target_is_written(picture, tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    for name, target in (("old.png", "there/old.png"), ("new.png", "there/new.png")):
        (tmp_path / "here" / name).symlink_to(tmp_path / target)
    nst.save_image(1 - picture, tmp_path / "there" / "old.png")
    for name in ("old.png", "new.png"):
        path = tmp_path / "here" / name
        assert nst.save_image(picture, path) == path
        assert path.is_symlink()
        with Image.open(tmp_path / "there" / name) as written:
            assert written.size == (56, 40)
            assert written.getpixel((0, 0)) == nst.open_image(path).getpixel((0, 0))
    assert names(tmp_path / "here") == names(tmp_path / "there") == ["new.png", "old.png"]
    (tmp_path / "here" / "loop.png").symlink_to("loop.png")
    nst.save_image(picture, tmp_path / "there" / "last.png")
    (tmp_path / "there").chmod(0o500)
    (tmp_path / "here" / "shut.png").symlink_to(tmp_path / "there" / "shut.png")
    try:
        if not os.access(tmp_path / "there", os.W_OK):  # root may write anywhere
            with pytest.raises(ImageError, match="not a writable folder"):
                nst.images.check_output(tmp_path / "here" / "shut.png")
    finally:
        (tmp_path / "there").chmod(0o700)
