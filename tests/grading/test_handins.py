"""Archives, names of files and folders: everything handed in is found, and nothing harms others."""

import gzip
import io
import os
import tarfile
import zipfile
from datetime import datetime, timezone

import pytest

from nst.errors import NstError
from nst_grading.handins import archives
from nst_grading.handins.archives import unpack
from nst_grading.handins.names import who
from nst_grading.handins.submissions import collect

py7zr = pytest.importorskip("py7zr")
TEXT = b'{"cells": []}'


def make_zip(path, names):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in names.items():
            file.writestr(name, data)
    return path


def make_tar(path, names, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return path


def make_7z(path, names, password=None):
    with py7zr.SevenZipFile(path, "w", password=password) as file:
        for name, data in names.items():
            file.writestr(data, name)
    return path


def found(root, scratch):
    return {hand_in.student: hand_in for hand_in in collect(root, "ps", scratch)}


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("a.zip", make_zip),
        ("a.ZIP", make_zip),
        ("a.tar.gz", make_tar),
        ("a.tgz", make_tar),
        ("a.tar", lambda path, names: make_tar(path, names, "w")),
        ("a.tar.xz", lambda path, names: make_tar(path, names, "w:xz")),
        ("a.7z", make_7z),
        ("a.zip", make_tar),  # not what its name says
    ],
)
def test_archives_of_all_kinds_hold_a_notebook(tmp_path, name, make):
    (tmp_path / "in").mkdir()
    make(tmp_path / "in" / name, {"deep/er/PS.IPYNB": TEXT, "deep/readme.txt": b"x"})
    hand_in = found(tmp_path / "in", tmp_path / "scratch")["a"]
    assert hand_in.path.read_bytes() == TEXT


def test_a_compressed_notebook_and_archives_in_archives(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    (root / "gina.ipynb.gz").write_bytes(gzip.compress(TEXT))
    inner = make_7z(tmp_path / "inner.7z", {"ps.ipynb": TEXT}).read_bytes()
    make_zip(root / "zoe.zip", {"ps.7z": inner})
    for _ in range(5):
        inner = make_zip(tmp_path / "x.zip", {"x.zip": inner}).read_bytes()
    (root / "deep.zip").write_bytes(inner)
    hand_ins = found(root, tmp_path / "scratch")
    assert hand_ins["zoe"].path.read_bytes() == TEXT
    assert hand_ins["gina"].path.read_bytes() == TEXT
    assert "too many" in hand_ins["deep"].reason


def test_an_archive_writes_into_its_own_folder_only(tmp_path):
    names = {
        "../up.ipynb": TEXT,
        "/root.ipynb": TEXT,
        "C:\\windows.ipynb": TEXT,
        "a\\..\\..\\back.ipynb": TEXT,
        "..": TEXT,
    }
    for make, suffix in ((make_zip, "zip"), (make_tar, "tar")):
        folder = unpack(make(tmp_path / f"x.{suffix}", names), tmp_path / suffix / "out")
        assert sorted(p.name for p in folder.parent.iterdir()) == ["out"]
        files = sorted(p.name for p in folder.rglob("*") if p.is_file())
        assert files == ["back.ipynb", "root.ipynb", "unnamed", "up.ipynb", "windows.ipynb"]


def test_links_are_not_unpacked_and_not_followed(tmp_path):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(TEXT)
    root = tmp_path / "in"
    root.mkdir()
    with tarfile.open(root / "tar.tar", "w") as file:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"{kind.decode()}.ipynb")
            info.type, info.linkname = kind, str(secret)
            file.addfile(info)
    info = zipfile.ZipInfo("link.ipynb")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    make_zip(root / "zip.zip", {info: str(secret)})
    (root / "file.ipynb").symlink_to(secret)
    (root / "folder").symlink_to(tmp_path)
    (root / "inside").mkdir()
    (root / "inside" / "ps.ipynb").symlink_to(secret)
    (root / "inside" / "there").symlink_to(tmp_path)
    os.mkfifo(root / "pipe.ipynb")
    hand_ins = found(root, tmp_path / "scratch")
    assert len(hand_ins) == 6
    assert [h.student for h in hand_ins.values() if h.path] == []
    for name in ("file", "folder", "inside"):
        assert "symbolic link, which is not followed" in hand_ins[name].reason


def test_what_cannot_be_used_is_named_and_stops_nobody(tmp_path, monkeypatch):
    root = tmp_path / "in"
    root.mkdir()
    monkeypatch.setattr(archives, "MOST", 10**6)
    monkeypatch.setattr(archives, "MOST_FILES", 100)
    (root / "good.ipynb").write_bytes(TEXT)
    with zipfile.ZipFile(root / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("ps.ipynb", b" " * 10**7)
    make_tar(root / "tarbomb.tar.gz", {"ps.ipynb": b" " * 10**7})
    make_7z(root / "sevenbomb.7z", {"ps.ipynb": b" " * 10**7})
    make_zip(root / "many.zip", {f"{n}.txt": b"" for n in range(200)})
    make_7z(root / "locked.7z", {"ps.ipynb": TEXT}, password="x")
    data = make_zip(root / "encrypted.zip", {"ps.ipynb": TEXT}).read_bytes()
    data = data.replace(b"PK\x03\x04\x14\0\0\0", b"PK\x03\x04\x14\0\1\0")
    data = data.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0")
    (root / "encrypted.zip").write_bytes(data)
    make_zip(root / "cut.zip", {"ps.ipynb": TEXT * 100})
    (root / "cut.zip").write_bytes((root / "cut.zip").read_bytes()[:100])
    (root / "cut7.7z").write_bytes(make_7z(tmp_path / "7", {"ps.ipynb": TEXT}).read_bytes()[:50])
    (root / "rar.rar").write_bytes(b"Rar!\x1a\x07\x00")
    (root / "empty.zip").write_bytes(b"")
    make_zip(root / "pictures.zip", {"a.png": b"x"})
    make_zip(root / "thesis.docx", {"word/document.xml": b"x"})
    (root / "nothing").mkdir()
    (root / b"gr\xfcn.pdf".decode("utf-8", "surrogateescape")).write_bytes(b"%PDF")
    (root / ".DS_Store").write_bytes(b"")
    (root / "__MACOSX").mkdir()
    hand_ins = found(root, tmp_path / "scratch")
    said = {student: hand_in.reason for student, hand_in in hand_ins.items()}
    assert said.pop("good") == "" and hand_ins["good"].path
    words = {
        "bomb": "unpacks to more than 1 MB",
        "tarbomb": "unpacks to more than 1 MB",
        "sevenbomb": "unpacks to more than 1 MB",
        "many": "more than 100 files",
        "locked": "encrypted",
        "encrypted": "encrypted",
        "cut": "cannot be unpacked",
        "cut7": "cannot be unpacked",
        "rar": "is rar: ask for a zip",
        "empty": "empty.zip is no notebook",
        "pictures": "a.png is no notebook",
        "thesis.docx": "is no notebook",
        "nothing": "There is no notebook in nothing",
        "gr?n.pdf": "is no notebook",
    }
    assert set(said) == set(words)
    assert {name: words[name] in text for name, text in said.items()} == dict.fromkeys(words, True)


CANVAS = "doejane_12_345_ps.ipynb", "doejane_LATE_12_399_ps-1.ipynb", "doejane_12_350_notes.pdf"
MOODLE = "Jane Doe_77_assignsubmission_file_", "Jane Doe_78_assignsubmission_file"


def test_a_platforms_names_are_students(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for name in (*CANVAS, "roe_13_9_x.IPYNB", "kim.ipynb.txt", "kim (1).ipynb", "lee.html"):
        (root / name).write_bytes(TEXT + name.encode())
    for name in MOODLE:
        (root / name).mkdir()
        (root / name / "work.ipynb").write_bytes(TEXT)
    (root / "Ada_5_assignsubmission_onlinetext_").mkdir()
    (root / "Ada_5_assignsubmission_onlinetext_" / "onlinetext.html").write_text("<p>")
    (root / "Ada_5_assignsubmission_file_ps.zip").write_bytes(
        make_zip(tmp_path / "ada.zip", {"ps.ipynb": TEXT}).read_bytes()
    )
    hand_ins = found(root, tmp_path / "scratch")
    students = {"Ada", "Jane Doe 77", "Jane Doe 78", "doejane", "kim", "lee", "roe"}
    assert set(hand_ins) == students
    jane = hand_ins["doejane"]
    assert jane.path.name == CANVAS[1] and jane.who.late and jane.attempts == 3
    assert sorted(jane.others) == [CANVAS[0], f"{CANVAS[2]} is no notebook."]
    assert (jane.who.platform, jane.who.number) == ("Canvas", "12")
    assert hand_ins["kim"].path.name == "kim (1).ipynb" and hand_ins["kim"].attempts == 2
    assert hand_ins["Ada"].path.name == "ps.ipynb" and hand_ins["Ada"].who.number == "5"


@pytest.mark.parametrize(
    ("name", "student", "number"),
    [
        ("o_brien.ipynb", "o_brien", ""),
        (
            "Group A-Jean-Luc Picard_4_assignsubmission_file_ps2.ipynb",
            "Group A-Jean-Luc Picard",
            "4",
        ),
        ("ps2_2026_11_final.ipynb", "ps2", "2026"),
        ("李雷_8_assignsubmission_file_作业.ipynb", "李雷", "8"),
        (".ipynb", ".ipynb", ""),
    ],
)
def test_names_of_all_sorts(name, student, number):
    assert (who(name).student, who(name).number) == (student, number)


def test_nbgraders_note_of_the_time_is_read(tmp_path):
    folder = tmp_path / "in" / "alice" / "ps"
    folder.mkdir(parents=True)
    (folder / "ps.ipynb").write_bytes(TEXT)
    (folder / "timestamp.txt").write_text("2026-11-26 18:00:00.5 UTC")
    hand_in = found(tmp_path / "in", tmp_path / "scratch")["alice"]
    assert hand_in.when == datetime(2026, 11, 26, 18, 0, 0, 500000, timezone.utc)


@pytest.mark.parametrize(
    ("folder", "student", "number"),
    [
        ("Kim Lee_5_assignsubmission_file_", "Kim Lee", "5"),  # the only one who handed in
        ("class_2026_11_26", "work", ""),  # the class's folder was packed
    ],
)
def test_an_archive_of_one_folder_is_a_students_or_the_classes(tmp_path, folder, student, number):
    make_zip(tmp_path / "all.zip", {f"{folder}/work.ipynb": TEXT})
    ((name, hand_in),) = found(tmp_path / "all.zip", tmp_path / "scratch").items()
    assert (name, hand_in.who.number) == (student, number)
    assert hand_in.path.read_bytes() == TEXT


def test_an_archive_of_all_that_is_damaged_is_an_error(tmp_path):
    (tmp_path / "all.zip").write_text("no zip")
    with pytest.raises(NstError, match="no archive"):
        collect(tmp_path / "all.zip", "ps", tmp_path / "scratch")
    with pytest.raises(NstError, match="no folder"):
        collect(tmp_path / "none", "ps", tmp_path / "scratch")
