"""What strangers with other habits give: taken as it is meant, or refused by one sentence."""

import dataclasses
import io
import itertools
import os
import zipfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import nst
from nst import ImageError, NstError, SettingsError, WeightsError, make_settings
from nst.control import load_mask
from nst.hardware.memory import parse_bytes

RUN = {"sizes": 56, "num_steps": 2, "device": "cpu", "progress": False}
LEVELS = np.arange(40 * 56 * 3, dtype=np.uint8).reshape(40, 56, 3)


def refusal(call, error=NstError):
    """The sentence with which a call is refused."""
    with pytest.raises(error) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


class Named:
    """A path of another library."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


class Stream:
    """Something with bytes in it, of which no more is known."""

    def __init__(self, data):
        self.data = data

    def read(self, *_):
        if isinstance(self.data, Exception):
            raise self.data
        return self.data


@pytest.fixture
def file(tmp_path):
    Image.fromarray(LEVELS).save(tmp_path / "p.png")
    return tmp_path / "p.png"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("sizes", 64.0, (64,)),
        ("sizes", (n for n in (64, 128)), (64, 128)),
        ("sizes", np.linspace(64, 128, 2), (64, 128)),
        ("sizes", torch.Size([64]), (64,)),
        ("num_steps", map(int, "12"), (1, 2)),
        ("seed", Fraction(6, 2), 3),
        ("style_weight", Fraction(1, 4), 0.25),
        ("style_weight", Decimal("0.5"), 0.5),
        ("style_weight", np.longdouble(0.5), 0.5),
        ("style_blend", (Fraction(1, 2), Decimal(2)), (0.5, 2.0)),
        ("style_scale", iter([1, 0.5]), (1, 0.5)),
        ("style_layers", (name for name in ["relu1_1"]), {"relu1_1": 1.0}),
        ("style_layers", {"relu1_1": Fraction(1, 2)}, {"relu1_1": 0.5}),
        ("learning_rate_decay", (Fraction(1, 2), 10.0), (0.5, 10)),
        ("layers_by_style", iter([iter(["relu1_1"])]), (("relu1_1",),)),
        ("content", Named(b"a.png"), "a.png"),
    ],
)
def test_numbers_and_lists_of_every_kind_are_plain_settings(field, value, expected):
    found = getattr(make_settings(**{field: value}), field)
    assert found == expected
    assert type(found) is type(expected)
    if isinstance(found, tuple):
        assert list(map(type, found)) == list(map(type, expected))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": itertools.count(1)}, "at most 16"),
        ({"sizes": {64, 128}}, "from coarse to fine"),
        ({"seed": 3.5}, "seed is a whole number"),
        ({"sizes": np.bool_(True)}, "sizes are whole"),
        ({"style_weight": Decimal("sNaN")}, "weights are numbers"),
        ({"style_weight": Fraction(10**400)}, "weights are numbers"),
        ({"steps": 3}, "did you mean num_steps"),
        ({"layers_by_style": (("relu2_2",),)}, "none of the style's layers: take some of relu1_1"),
    ],
)
def test_other_values_are_refused_by_their_rule(changes, words):
    assert words in refusal(lambda: make_settings(**changes), SettingsError)


def test_numbers_elsewhere(picture, tmp_path):
    for size in (np.int8(20), Fraction(20), Decimal(20), torch.tensor(20), 20.0):
        assert nst.load_image(LEVELS, size).shape == (1, 3, 14, 20)
    for size in (10**400, float("inf")):
        assert nst.load_image(LEVELS, size).shape == (1, 3, 40, 56)
    for size in (True, np.True_, float("nan"), "20", (20,), 0):
        assert "size is the long side" in refusal(lambda s=size: nst.load_image(LEVELS, s))
        refusal(lambda s=size: nst.paint(picture, "starry", size=s, device="cpu"))
    whole = nst.save_image(picture, tmp_path / "a.jpg", quality=80).read_bytes()
    for quality in (np.int64(80), 80.0):
        assert nst.save_image(picture, tmp_path / "b.jpg", quality=quality).read_bytes() == whole
    half = nst.paint(picture, {"starry": 1, "waves": 1}, 0.5, device="cpu")
    other = {"starry": np.float32(1), "waves": Fraction(1)}
    assert torch.equal(nst.paint(picture, other, np.float32(0.5), device="cpu"), half)
    assert parse_bytes(1e9) == parse_bytes("1G") == 10**9
    assert parse_bytes("1TiB") == parse_bytes("1 TI") == 2**40
    refusal(lambda: parse_bytes(10**400))


def test_paths_and_streams_of_every_kind(file):
    data = file.read_bytes()
    with os.scandir(file.parent) as folder:
        entry = next(folder)
    with zipfile.ZipFile(file.with_name("p.zip"), "w") as archive:
        archive.write(file, "p.png")
    with zipfile.ZipFile(file.with_name("p.zip")) as archive, archive.open("p.png") as inside:
        for source in (Named(str(file)), Named(bytes(file)), entry, Stream(data), inside):
            assert np.array_equal(np.asarray(nst.open_image(source)), LEVELS)


def test_streams_that_cannot_be_read(file):
    closed = io.BytesIO()
    closed.close()
    with file.with_name("new").open("wb") as writing, file.open(encoding="latin1") as text:
        for stream in (closed, writing, text, Stream("text"), Stream(None), Stream(EOFError())):
            assert "mode 'rb'" in refusal(lambda s=stream: nst.load_image(s), ImageError)


def test_pictures_that_are_none():
    assert "is empty" in refusal(lambda: nst.load_image(Image.new("RGB", (0, 8))))
    assert refusal(lambda: nst.load_image(".")) == "'.' is a folder; name a picture in it"
    assert len(refusal(lambda: nst.load_image("data:" + "A" * 10**5))) < 200
    for image in (None, LEVELS, torch.zeros(1, 3, 8, 8, device="meta")):
        assert "tensor" in refusal(lambda i=image: nst.postprocess_image(i), ImageError)


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "", []])
def test_devices_that_are_none(device):
    for call in (nst.load_image, nst.load_network):
        name = {nst.load_image: LEVELS, nst.load_network: "vgg19_quarter"}[call]
        said = refusal(lambda c=call, n=name: c(n, device=device), SettingsError)
        assert "there is no device" in said


def test_nothing_runs_without_memory(picture, other):
    options = RUN | {"device": "meta"}
    said = refusal(lambda: nst.style_transfer(picture, other, **options), SettingsError)
    assert "nothing is computed" in said


def test_tensors_of_other_kinds(picture, other):
    class Own(torch.Tensor):
        pass

    usual = nst.style_transfer(picture, other, **RUN).image
    image = nst.style_transfer(picture.as_subclass(Own), other, **RUN).image
    assert type(image) is torch.Tensor
    assert torch.equal(image, usual)
    assert nst.style_transfer(picture.to(torch.float8_e4m3fn), other, **RUN).image.isfinite().all()
    for strange in (picture.to_sparse(), picture.to("meta")):
        assert "no pixels" in refusal(lambda t=strange: nst.style_transfer(t, other, **RUN))


def test_arrays_as_masks(picture):
    half = np.zeros((40, 56), bool)
    half[:, :28] = True
    for mask in (
        half[::-1],
        half.astype(">f8"),
        half.astype(np.uint16) * 65535,
        half.astype(np.longdouble),
        np.asfortranarray(half),
    ):
        assert torch.equal(load_mask(mask, picture)[0, 0], torch.from_numpy(half).float())
    stream = io.BytesIO()
    Image.fromarray(half).save(stream, "PNG")
    for source in (stream, Stream(stream.getvalue()), bytearray(stream.getvalue())):
        found = load_mask(source, picture)[0, 0]
        torch.testing.assert_close(found, torch.from_numpy(half).float())  # a mean of three
    for mask in (half.astype(object), half.astype(str), half.astype(complex)):
        assert "a mask holds numbers" in refusal(lambda m=mask: load_mask(m, picture), ImageError)
    assert "did you mean centre" in refusal(lambda: load_mask("center", picture), ImageError)


def test_what_a_callback_gives_and_sets(picture, other):
    def runs(callback):
        return nst.style_transfer(picture, other, callback=callback, **RUN)

    usual = runs(None)
    for answer in ("path", [1], torch.ones(2), 1, None, False):  # as a lambda happens to end
        assert len(runs(lambda _, a=answer: a).history) == len(usual.history)
    for answer in (True, np.True_, torch.tensor(True)):
        assert runs(lambda _, a=answer: a).reason == "stopped"

    def meddle(_):
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)

    assert torch.equal(runs(meddle).image, usual.image)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32
    assert "callback is a function" in refusal(lambda: runs(3), SettingsError)


def test_pictures_as_a_glob_gives_them_and_settings_of_another_run(picture, tmp_path):
    for name in "ab":
        nst.save_image(picture, tmp_path / f"{name}.png")
    found = nst.style_transfer(picture, tmp_path.glob("*.png"), **RUN)
    assert sorted(found.settings.styles) == [str(tmp_path / f"{name}.png") for name in "ab"]
    again = nst.style_transfer(
        picture, "starry", device="cpu", progress=False, **found.settings.to_dict()
    )
    assert again.settings == dataclasses.replace(found.settings, styles=("starry",))
    assert "needs a style picture" in refusal(lambda: nst.style_transfer(picture, [], **RUN))


def test_what_is_saved_and_read(picture, tmp_path):
    settings = make_settings(seed=3)
    path = nst.save_image(picture, tmp_path / "a.png", settings, sidecar=True)
    assert make_settings(**nst.read_settings(path)) == settings
    assert make_settings(**nst.read_settings(path.with_suffix(".json"))) == settings
    nst.save_image(picture, path, {"a": np.int64(3), "b": Path("x"), "c": np.float32(0.5)})
    assert nst.read_settings(path) == {"a": 3, "b": "x", "c": 0.5}
    assert nst.save_image(picture, Named(bytes(path))) == path
    for place in (None, 3, b"a.png", io.BytesIO(), picture):
        assert "named by paths" in refusal(lambda p=place: nst.save_image(picture, p), ImageError)
        refusal(lambda p=place: nst.read_settings(p), SettingsError)
        refusal(lambda p=place: nst.resume(p, device="cpu"), SettingsError)
        refusal(lambda p=place: nst.load_painter(p), WeightsError)
    opaque = np.asarray(Image.open(nst.save_image(picture, path, outline=Image.new("RGB", (9, 9)))))
    assert opaque.shape == (40, 56, 4)
    assert not opaque[..., 3].any()
    refusal(lambda: nst.save_image(picture, path, outline=np.zeros((40, 56))), ImageError)
    assert "give the folder" in refusal(lambda: nst.resume(path), SettingsError)


def test_every_sentence_is_one_line(tmp_path):
    (tmp_path / "a\nb\x1b[31m.pth").write_bytes(b"junk")
    said = refusal(lambda: nst.load_network("vgg19", weights=tmp_path / "a\nb\x1b[31m.pth"))
    assert said.isprintable()
    assert r"a\nb\x1b[31m.pth" in said


def test_there_is_no_other_norm(picture):
    assert "l2, l1, l1-sum" in refusal(lambda: nst.total_variation_loss(picture, "l3"))


def test_one_layer_by_its_name(quarter, picture):
    expected = nst.extract_features(quarter, picture, ["relu1_1"])["relu1_1"]
    for layers in ("relu1_1", iter(["relu1_1"])):
        found = nst.extract_features(quarter, picture, layers)
        assert torch.equal(found["relu1_1"], expected)
