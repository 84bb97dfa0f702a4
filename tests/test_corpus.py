"""Picture files of every kind, whole and broken: read right, or refused in a sentence.

With FAULTS=long the broken ones are 20,000 and more; `make test-faults` sets it.
"""

import os
import zlib
from io import BytesIO

import numpy as np
import pytest
from picture_files import chunk, foreign, png, readable, run_length_bmp, samples, tag_value
from picture_reader import UnreadError, on_white, read_picture

import nst
from nst.errors import ImageError

LONG = os.environ.get("FAULTS") == "long"


@pytest.fixture(scope="module")
def files():
    return readable()


def opened(data):
    """The picture as (H, W, 3), or the refusal; anything else goes through."""
    try:
        return nst.load_image(data)[0].permute(1, 2, 0).double().numpy()
    except ImageError as error:
        message = str(error)
        assert "\n" not in message
        assert ";" in message  # what is wrong; what to do
        return message


def difference(found, expected):
    """In 256ths of white; without bound where the shapes differ."""
    return abs(found - expected).max() * 255 if found.shape == expected.shape else np.inf


def tolerance(name):
    """What 16 bits lose in 8, and what decoders of lossy formats may differ by."""
    for words, levels in {"L*a*b*": 4, "16 bits": 2.3, "AVIF": 4, "in jpeg": 4}.items():
        if words in name:
            return levels
    return 1.6


def test_every_file_is_read_right_or_refused(files, capfd):
    expected, wrong, refused, right = {}, {}, {}, 0
    for name, data in files.items():
        try:
            expected[name] = read_picture(data)
        except UnreadError as error:
            expected[name] = str(error)
    capfd.readouterr()
    for name, data in files.items():
        found = opened(data)
        if isinstance(found, str):
            refused[name] = found
        elif not isinstance(expected[name], str):
            levels = difference(found, expected[name])
            right += levels <= tolerance(name)
            if levels > tolerance(name):
                wrong[name] = levels
    assert not wrong
    assert capfd.readouterr() == ("", "")  # nor does a library's word come before the sentence
    with capfd.disabled():
        print(f"\n{len(files)} kinds of pictures: {right} read right, {len(refused)} refused")
    assert right > 500
    assert not [words for words in refused.values() if "damaged" in words]
    for name in refused:
        assert name.startswith(("TIFF", "QOI", "JPEG 2000", "JPEG 12", "JPEG lossless")), name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PCX of colours", samples(3) / 255),
        ("SGI of colours", samples(3) / 255),
        ("TGA of colours", samples(3) / 255),
        ("PPM plain", samples(3) / 255),
        ("PPM of colours", samples(3) / 255),
        ("ICO of colours", samples(4) / 255),
        ("PGM grey", samples(1) / 255),
        ("PFM", samples(1) / 255),
        ("BMP RLE8", samples(3, 8, 3, 1, 256)[0][samples(1)] / 255),
        ("BMP RLE4", samples(3, 8, 3, 1, 16)[0][samples(1, 4)] / 255),
        ("TIFF < grey 12 bits", samples(1, 12) / 4095),
        ("TIFF < grey 16 bits, white is zero", 1 - samples(1, 16) / 65535),
        ("TIFF < grey 32 bits", samples(1, 32) / (2**32 - 1)),
        ("TIFF < grey float32, white is zero", 1 - samples(1, 16) / 65535),
        ("TIFF thumbnail first", samples(3) / 255),
        ("TIFF of pages", samples(3) / 255),
    ],
)
def test_what_was_written_is_read(name, expected, files):
    found = opened(files[name])
    assert not isinstance(found, str), found
    assert difference(found, on_white(expected)) <= 1.1


def test_a_thumbnail_is_passed_over():
    import tifffile

    file = BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(samples(3)[::4, ::4], photometric="rgb", subfiletype=1)
        writer.write(samples(3), photometric="rgb")
    assert difference(opened(file.getvalue()), samples(3) / 255) < 0.01


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("more", [0, 0xBC00])
def test_a_transparent_grey_of_few_bits(depth, more):
    """Every level; bits beyond the depth do not count (PNG specification, 11.3.1.1)."""
    grey = samples(1, depth).astype(int)
    for level in range(0, 2**depth, max(1, 2**depth // 16)):
        found = opened(png(0, depth, (b"tRNS", (more | level).to_bytes(2, "big"))))
        expected = np.where(grey == level, 1, grey / (2**depth - 1))[..., None].repeat(3, 2)
        assert difference(found, expected) < 0.01


@pytest.mark.parametrize("more", [0, 0xBC00])
def test_a_transparent_colour_of_eight_bits(more):
    colours = samples(3).astype(int)
    clear = colours[7, 9]
    found = opened(png(2, 8, (b"tRNS", (more | clear).astype(">u2").tobytes())))
    same = (colours == clear).all(2, keepdims=True)
    assert same.any()
    assert difference(found, np.where(same, 1, colours / 255)) < 0.01


NOTES = ("transparency", "gamma", "chromaticity", "srgb", "icc_profile", "interlace", "exif", "xmp",
         "background", "default_image", "dpi", "")  # fmt: skip
LONG_TEXT = b"x" * 2_000_000


def text(keyword, value, kind=b"tEXt"):
    between = {b"tEXt": b"\0", b"zTXt": b"\0\0", b"iTXt": b"\0\1\0\0\0"}[kind]
    return kind, keyword.encode() + between + (value if kind == b"tEXt" else zlib.compress(value))


def behind(data, extra):
    """The PNG with a chunk between its pixels and its end."""
    return data[:-12] + chunk(*extra) + data[-12:]


@pytest.mark.parametrize("colour", [0, 2, 3])
def test_a_pngs_texts_change_nothing(colour):
    """Pillow keeps them, by their keywords, among its own notes on the picture."""
    true = [(b"gAMA", (100_000).to_bytes(4, "big"))]
    extras = [text(note, value) for note in NOTES for value in (b"0", b"12345678")]
    extras += [text("Comment", LONG_TEXT, kind) for kind in (b"tEXt", b"zTXt", b"iTXt")]
    whole = png(colour, 8, *true, interlaced=True)
    expected = opened(whole)
    assert not isinstance(expected, str)
    for extra in extras:
        for data in (png(colour, 8, *true, extra, interlaced=True), behind(whole, extra)):
            assert difference(opened(data), expected) == 0, extra[1][:20]
    with_all = png(colour, 8, *true, *extras, text("nst", b"{}"), interlaced=True)
    assert difference(opened(with_all), expected) == 0


def test_texts_that_are_read_stay(tmp_path):
    data = png(2, 8, text("gamma", b"x"), text("nst", b'{"seed": 3}'), text("srgb", b"x"))
    (tmp_path / "a.png").write_bytes(data)
    assert nst.read_settings(tmp_path / "a.png") == {"seed": 3}


def test_a_profile_too_large_for_the_reader_is_named():
    found = opened(png(2, 8, (b"iCCP", b"x\0\0" + zlib.compress(LONG_TEXT))))
    assert "colour profile or a text of more than a megabyte" in found
    assert "damaged" not in found


@pytest.mark.parametrize("numbers", [0, 1, 2, 150])
def test_a_transparent_colour_of_another_length(numbers):
    for colour in (0, 2, 3):
        opened(png(colour, 8, (b"tRNS", b"\0\7" * numbers)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "F", "CMYK"])
def test_images_with_any_notes(mode, capfd):
    """Notes are what the caller's program has put there."""
    from PIL import Image

    for name, values in {
        "transparency": ("x", b"", (1, 2), -5, 10**30, None),
        "gamma": ("x", float("nan"), -1.0, 1e-300, 1e300),
        "chromaticity": ("x", (0,) * 8, (float("nan"),) * 8),
        "icc_profile": ("x", b"x", 5),
        "exif": ("x", b"x", 5),
    }.items():
        for value in values:
            image = Image.new(mode, (9, 7))
            image.info = {"gamma": 0.45, name: value}
            try:
                assert nst.open_image(image).size == (9, 7)
            except ImageError as error:
                assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("coloured", [False, True])
def test_what_a_gifs_image_does_not_cover_is_its_background(coloured):
    from PIL import Image

    file = BytesIO()
    image = Image.fromarray(samples(1))
    table = samples(3, 8, 3, 1, 256)[0] if coloured else np.arange(256).repeat(3).reshape(-1, 3)
    image.putpalette(table.astype(np.uint8).tobytes())
    image.save(file, "GIF", optimize=False)
    data = bytearray(file.getvalue())
    data[8], data[11] = 30, 5  # the screen's height; the background's place in the palette
    found = opened(bytes(data))
    assert found.shape == (30, 40, 3)
    assert difference(found[24:], np.tile(np.array(list(data[28:31])) / 255, (6, 40, 1))) < 0.01
    assert difference(found, read_picture(bytes(data))) < 0.01


def test_a_marker_that_is_not_adobes_inverts_no_inks():
    data = readable()["JPEG CMYK, Adobe"]
    foreign_marker = data.replace(b"\xff\xee\0\x0eAdobe", b"\xff\xee\0\x0eAdAdo")
    inks = difference(opened(foreign_marker), read_picture(foreign_marker))
    assert inks <= 1.6
    assert difference(opened(data), opened(foreign_marker)) > 100


@pytest.mark.parametrize("place", [0, 7])
def test_a_tiff_whose_parts_lie_in_its_header_is_damaged(place):
    tiled = tag_value(readable()["TIFF < grey 8 bits"], 273, place)
    assert "parts are missing" in opened(tiled)


@pytest.mark.parametrize("name", foreign())
def test_what_is_not_read_is_named(name, capfd):
    data, words = foreign()[name]
    message = opened(data)
    assert isinstance(message, str)
    assert words in message
    assert "damaged" not in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_refused_only_if_pixels_are_missing(progressive):
    from PIL import Image

    file = BytesIO()
    image = Image.fromarray(samples(3, height=200, width=300))
    image.save(file, "JPEG", quality=90, progressive=progressive)
    data = file.getvalue()
    assert difference(opened(data[:-2]), opened(data)) == 0
    scans = [place for place in range(len(data) - 1) if data[place : place + 2] == b"\xff\xda"]
    assert len(scans) == (10 if progressive else 1)
    for cut in (3, 4, 6, 20, len(data) // 3, *(len(data) - scan for scan in scans[1:])):
        assert "cut short" in opened(data[:-cut])


def test_run_lengths_are_bounded():
    assert "takes very long" in opened(run_length_bmp(9000, 9000, body=b"\0\0"))


# Broken files


def broken(data, rng):
    """The file with a fault: bytes changed, lost, moved or added, with a PNG's sums made good."""
    data, size = bytearray(data), len(data)
    near = min(size, int(rng.choice([40, 300, size])))  # most of what means something is in front
    place = int(rng.integers(near))
    length = int(rng.integers(1, 2 + min(size - place, int(rng.choice([4, 40])))))
    kind = int(rng.integers(6))
    if kind <= 1:
        data[place] = int(rng.integers(256)) if kind else data[place] ^ 1 << int(rng.integers(8))
    elif kind == 2:
        del data[place : place + length]
    elif kind == 3:
        data[place : place + length] = bytes(rng.integers(0, 256, length, dtype=np.uint8))
    elif kind == 4:
        data[place:place] = data[place : place + length]
    else:
        del data[int(rng.integers(size)) :]
    if data.startswith(b"\x89PNG") and rng.integers(2):
        return summed(bytes(data))
    return bytes(data)


def summed(data):
    """A PNG whose chunks have their sums right, as far as it can be followed."""
    result, place = data[:8], 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        result += chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + length])
        place += 12 + length
    return result


def test_broken_files_are_read_right_or_refused(files, capfd):
    names = sorted(name for name, data in files.items() if not isinstance(opened(data), str))
    rng = np.random.default_rng(16)
    count = dict.fromkeys(("right", "refused", "unjudged"), 0)
    wrong = []
    for number in range(22_000 if LONG else 400):
        name = names[int(rng.integers(len(names)))] if LONG else names[number * 37 % len(names)]
        data = broken(files[name], rng)
        found = opened(data)
        if isinstance(found, str):
            count["refused"] += 1
            continue
        try:
            if "TIFF bits in" in name:
                raise UnreadError("fax codes have no sums: readers guess on from a fault")
            expected = read_picture(data)
        except UnreadError:
            count["unjudged"] += 1
            continue
        if difference(found, expected) <= max(4, tolerance(name)):
            count["right"] += 1
        else:
            wrong.append((number, name, difference(found, expected)))
            if folder := os.environ.get("FAULTS_FOLDER"):
                with open(f"{folder}/{number}", "wb") as file:  # noqa: PTH123
                    file.write(data)
    with capfd.disabled():
        print(f"\nbroken pictures: {count}, {len(wrong)} wrong")
    assert not wrong
