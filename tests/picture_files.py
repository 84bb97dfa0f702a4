"""Small picture files of every kind, written with Pillow, tifffile, imagecodecs and by hand.

`readable()` are those with one right answer, `refusable()` those that may be refused, and then in
words that say what they are. All are seeded.
"""

import struct
import zlib
from io import BytesIO
from itertools import product

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

HEIGHT, WIDTH = 24, 40


def samples(channels=3, bits=8, seed=0, height=HEIGHT, width=WIDTH):
    """Soft structure from black to white, and a little noise."""
    rng = np.random.default_rng([seed, channels, bits])
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (4 + 2 * c) + c) + np.cos(y / (3 + c)) for c in range(channels)]
    shares = np.clip(0.5 + 0.3 * np.stack(waves, 2) + rng.normal(0, 0.05, (height, width, 1)), 0, 1)
    shares[0, 0], shares[-1, -1] = 0, 1
    kind = np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32
    result = np.rint(shares * float(2**bits - 1)).astype(kind)
    return result[..., 0] if channels == 1 else result


def pillow(image, kind, **options):
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


# PNG, by hand

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
          (1, 0, 2, 1))  # fmt: skip


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def packed(array, depth):
    """Rows of samples as a PNG's unfiltered scan lines."""
    rows = array.reshape(len(array), -1)
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in rows]
    else:
        bits = np.unpackbits(rows.astype(np.uint8)[..., None], axis=2)[..., 8 - depth :]
        lines = [np.packbits(row.reshape(-1)).tobytes() for row in bits]
    return b"".join(b"\0" + line for line in lines)


def png(colour, depth, *extras, interlaced=False):
    array = samples(CHANNELS[colour], depth)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, colour, 0, 0, interlaced)
    parts = [array]
    if interlaced:
        parts = [array[y::dy, x::dx] for y, x, dy, dx in PASSES]
    body = zlib.compress(b"".join(packed(part, depth) for part in parts))
    if colour == 3:
        extras = (*extras, (b"PLTE", samples(3, 8, 5, 1, 2**depth).tobytes()))
    order = {b"PLTE": 1, b"tRNS": 2}  # what tells of colours stands before the palette
    middle = b"".join(chunk(*extra) for extra in sorted(extras, key=lambda e: order.get(e[0], 0)))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + middle + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def transparency(colour, depth):
    """A tRNS chunk: the colour of a pixel, neither black nor white, or a palette that fades."""
    if colour == 3:
        return b"tRNS", bytes(range(0, 256, max(1, 256 // 2**depth)))[: 2**depth]
    pixels = samples(CHANNELS[colour], depth).reshape(HEIGHT * WIDTH, -1)
    pixel = pixels[abs(pixels / (2**depth - 1) - 0.4).max(1).argmin()]
    return b"tRNS", pixel.astype(">u2").tobytes()


COLOURS = {
    "gamma 2.2": [(b"gAMA", struct.pack(">I", 45455))],
    "gamma 1.8": [(b"gAMA", struct.pack(">I", 55556))],
    "linear": [(b"gAMA", struct.pack(">I", 100000))],
    "sRGB over gamma": [(b"gAMA", struct.pack(">I", 100000)), (b"sRGB", b"\0")],
    "primaries alone": [(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000,
                                              15000, 6000))],
    "Display P3": [(b"gAMA", struct.pack(">I", 45455)),
                   (b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000,
                                         15000, 6000))],
    "wide, D50, linear": [(b"gAMA", struct.pack(">I", 100000)),
                          (b"cHRM", struct.pack(">8I", 34570, 35850, 73470, 26530, 15960, 84040,
                                                3660, 10))],
}  # fmt: skip


def pngs():
    for colour, depths in DEPTHS.items():
        for depth in depths:
            yield f"PNG colour {colour}, {depth} bits", png(colour, depth)
            yield f"PNG colour {colour}, {depth} bits, Adam7", png(colour, depth, interlaced=True)
            if colour in (0, 2, 3):
                trns = transparency(colour, depth)
                yield f"PNG colour {colour}, {depth} bits, tRNS", png(colour, depth, trns)
            for name, extras in COLOURS.items():
                yield f"PNG colour {colour}, {depth} bits, {name}", png(colour, depth, *extras)
                if colour in (0, 2, 3):
                    data = png(colour, depth, *extras, transparency(colour, depth))
                    yield f"PNG colour {colour}, {depth} bits, {name}, tRNS", data
    yield "PNG by imagecodecs, 16 bits", imagecodecs.png_encode(samples(3, 16))
    yield "PNG by spng", imagecodecs.spng_encode(samples(4))


# TIFF


def tiff(array, **options):
    file = BytesIO()
    tifffile.imwrite(file, array, **{"photometric": "minisblack", "metadata": None} | options)
    return file.getvalue()


def tag_value(data, tag, value):
    """The TIFF with a number in its first directory changed, or its tag dropped for None."""
    with tifffile.TiffFile(BytesIO(data)) as file:
        found, order = file.pages[0].tags[tag], file.byteorder
    place = found.offset + (0 if value is None else 8)
    kind = "H" if value is None or found.dtype == 3 else "I"
    return (
        data[:place] + struct.pack(order + kind, value or 0) + data[place + struct.calcsize(kind) :]
    )


def white_is_zero(data):
    return tag_value(data, 262, 0)


def tiffs():
    for order in "<>":
        bits = {1: samples(1, 1).astype(bool)} | {b: samples(1, b) for b in (8, 16, 32)}
        for depth, array in bits.items():
            grey = tiff(array, byteorder=order)
            yield f"TIFF {order} grey {depth} bits", grey
            yield f"TIFF {order} grey {depth} bits, white is zero", white_is_zero(grey)
            options = {"compression": "lzw"} if depth > 1 else {"compression": "deflate"}
            grey = tiff(array, byteorder=order, **options)
            yield f"TIFF {order} grey {depth} bits compressed", grey
            yield f"TIFF {order} grey {depth} bits compressed, white is zero", white_is_zero(grey)
        for depth in (2, 4, 10, 12, 14):
            grey = tiff(samples(1, depth), byteorder=order, bitspersample=depth)
            yield f"TIFF {order} grey {depth} bits", grey
            yield f"TIFF {order} grey {depth} bits, white is zero", white_is_zero(grey)
        for kind in (np.float16, np.float32, np.float64):
            shares = (samples(1, 16) / 65535).astype(kind)
            yield f"TIFF {order} grey {kind.__name__}", tiff(shares, byteorder=order)
            yield (
                f"TIFF {order} grey {kind.__name__}, white is zero",
                white_is_zero(tiff(shares, byteorder=order)),
            )
            shares = (samples(3, 16) / 65535).astype(kind)
            yield (
                f"TIFF {order} RGB {kind.__name__}",
                tiff(shares, photometric="rgb", byteorder=order),
            )
        for depth, planar, packing in product(
            (8, 16, 32), ("contig", "separate"), (None, "lzw", "deflate", "packbits")
        ):
            words = f"{depth} bits, {planar}, {packing}"
            options = {"byteorder": order, "compression": packing, "planarconfig": planar}
            for channels, photometric, extras in (
                (3, "rgb", ()), (4, "rgb", ("unassalpha",)), (4, "rgb", ("unspecified",)),
                (5, "rgb", ("unassalpha", "unspecified")), (4, "separated", ()),
                (2, "minisblack", ("unassalpha",)), (2, "minisblack", ("unspecified",)),
            ):  # fmt: skip
                array = samples(channels, depth)
                if planar == "separate":
                    array = np.moveaxis(array, 2, 0)
                yield (
                    f"TIFF {order} {photometric} {channels} {extras}, {words}",
                    tiff(array, photometric=photometric, extrasamples=extras, **options),
                )
            array = samples(4, depth).astype(float)
            array[..., :3] *= array[..., 3:] / (2.0**depth - 1)
            array = np.rint(array).astype(samples(4, depth).dtype)
            if planar == "separate":
                array = np.moveaxis(array, 2, 0)
            data = tiff(array, photometric="rgb", extrasamples=("assocalpha",), **options)
            yield f"TIFF {order} premultiplied, {words}", data
        layouts = (
            {"predictor": True, "compression": "lzw"},
            {"tile": (16, 16)},
            {"rowsperstrip": 5},
            {"tile": (16, 16), "compression": "zlib"},
        )
        for depth, options in product((8, 16), layouts):
            for channels, photometric in ((1, "minisblack"), (3, "rgb")):
                array = samples(channels, depth)
                data = tiff(array, byteorder=order, photometric=photometric, **options)
                yield f"TIFF {order} {photometric} {depth} bits, {options}", data
        palette = samples(3, 16, 7, 1, 256)[0].T
        data = tiff(samples(1), photometric="palette", colormap=palette, byteorder=order)
        yield f"TIFF {order} palette", data
    for name in ("zstd", "lzma", "webp", "lerc", "jpeg", "png", "jpeg2000", "jpegxl", "jpegxr"):
        for channels, photometric in ((1, "minisblack"), (3, "rgb")):
            if name != "webp" or channels == 3:
                data = tiff(samples(channels), photometric=photometric, compression=name)
                yield f"TIFF {photometric} in {name}", data
    yield "TIFF YCbCr in jpeg", tiff(samples(3), photometric="ycbcr", compression="jpeg")
    yield "TIFF signed 8 bits", tiff(samples(1).view(np.int8))
    yield "TIFF signed 16 bits", tiff(samples(1, 16).view(np.int16))
    yield "TIFF signed 32 bits", tiff(samples(1, 32).view(np.int32))
    yield "TIFF 64 bits", tiff(samples(1, 32).astype(np.uint64))
    yield "TIFF complex", tiff(samples(1).astype(np.complex64))
    yield "TIFF floats up to 255", tiff(samples(1).astype(np.float32))
    yield "TIFF volume", tiff(np.stack([samples(1)] * 16), volumetric=True, tile=(16, 16, 16))
    yield "TIFF without photometric", tag_value(tiff(samples(1)), 262, None)
    yield "TIFF big", tiff(samples(3), photometric="rgb", bigtiff=True)
    yield "TIFF of pages", tiff(np.stack([samples(3), 255 - samples(3)]), photometric="rgb")
    yield "TIFF thumbnail first", tiff(samples(3), photometric="rgb", subfiletype=1)
    for turn in range(1, 9):
        data = tiff(samples(3), photometric="rgb", extratags=[(274, "H", 1, turn, True)])
        yield f"TIFF orientation {turn}", data
    bits = Image.fromarray(samples(1, 1) > 0)
    for packing in ("group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw"):
        yield f"TIFF bits in {packing}", pillow(bits, "TIFF", compression=packing)
    lab = samples(3) // np.uint8(8) + np.array([100, 240, 240], np.uint8)  # colours that sRGB has
    yield "TIFF L*a*b*", tiff(lab, photometric="cielab")
    yield "TIFF YCbCr", pillow(Image.fromarray(samples(3), "YCbCr"), "TIFF")


# JPEG and its relatives


def jpegs():
    colours, inks = samples(3), samples(4)
    for space in ("RGB", "YCBCR"):
        data = imagecodecs.jpeg8_encode(colours, level=95, colorspace="RGB", outcolorspace=space)
        yield f"JPEG {space}", data
    for space in ("CMYK", "YCCK"):
        data = imagecodecs.jpeg8_encode(inks, level=95, colorspace="CMYK", outcolorspace=space)
        yield f"JPEG {space}, Adobe", data
        if space == "CMYK":
            yield "JPEG CMYK without Adobe's marker", without_adobe(data)
    yield "JPEG grey", imagecodecs.jpeg8_encode(samples(1), level=95)
    yield "JPEG arithmetic", imagecodecs.jpeg8_encode(colours, level=90, optimize=True)
    for options in ({"progressive": True}, {"subsampling": 2}, {"optimize": True},
                    {"restart_marker_blocks": 3}):  # fmt: skip
        data = pillow(Image.fromarray(colours), "JPEG", quality=90, **options)
        yield f"JPEG {options}", data
        yield f"JPEG {options} without its end", data[:-2]
    yield "JPEG grey without its end", imagecodecs.jpeg8_encode(samples(1), level=95)[:-2]
    yield "JPEG 12 bits", imagecodecs.jpeg8_encode(samples(1, 12), level=95, bitspersample=12)
    yield "JPEG lossless", imagecodecs.ljpeg_encode(samples(1, 12), bitspersample=12)
    yield "JPEG followed by more", pillow(Image.fromarray(colours), "JPEG") + b"more" * 50


def without_adobe(data):
    place = data.index(b"\xff\xee")
    (length,) = struct.unpack(">H", data[place + 2 : place + 4])
    return data[:place] + data[place + 2 + length :]


# The others


def run_length_bmp(width=WIDTH, height=HEIGHT, bits=8, body=None):
    """A BMP of compression RLE8 or RLE4, each row as runs of one."""
    palette = samples(3, 8, 3, 1, 2**bits)[0][:, ::-1]
    table = b"".join(bytes(colour) + b"\0" for colour in palette)
    if body is None:
        rows = samples(1, bits, 0, height, width)[::-1]
        code = (lambda v: v) if bits == 8 else (lambda v: v << 4)
        lines = [b"".join(bytes([1, code(int(v))]) for v in row) + b"\0\0" for row in rows]
        body = b"".join(lines)[:-2] + b"\0\1"
    place = 54 + len(table)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 1 if bits == 8 else 2,
                       len(body), 0, 0, 2**bits, 0)  # fmt: skip
    return struct.pack("<2sIHHI", b"BM", place + len(body), 0, 0, place) + info + table + body


def others():
    grey, colours, alpha = samples(1), samples(3), samples(4)
    for kind in ("BMP", "GIF", "PPM", "TGA", "WEBP", "PCX", "SGI", "JPEG2000", "QOI", "ICO"):
        image = Image.fromarray(alpha if kind == "ICO" else colours)
        options = {"WEBP": {"lossless": True}, "ICO": {"sizes": [(40, 24)]}}.get(kind, {})
        yield f"{kind} of colours", pillow(image, kind, **options)
    yield "BMP grey", pillow(Image.fromarray(grey), "BMP")
    yield "BMP bits", pillow(Image.fromarray(grey > 127), "BMP")
    yield "BMP by imagecodecs", imagecodecs.bmp_encode(colours)
    yield "BMP RLE8", run_length_bmp()
    yield "BMP RLE4", run_length_bmp(bits=4)
    yield "GIF grey", imagecodecs.gif_encode(grey)
    yield "PGM grey", pillow(Image.fromarray(grey), "PPM")
    yield "PGM 16 bits", b"P5 40 24 65535\n" + samples(1, 16).astype(">u2").tobytes()
    yield "PGM 10 bits", b"P5 40 24 1023\n" + samples(1, 10).astype(">u2").tobytes()
    yield "PPM 16 bits", b"P6 40 24 65535\n" + samples(3, 16).astype(">u2").tobytes()
    yield "PPM plain", b"P3 40 24 255\n" + b" ".join(b"%d" % v for v in colours.ravel())
    yield "PFM", b"Pf\n40 24\n-1.0\n" + (grey[::-1] / 255).astype("<f4").tobytes()
    for lossless in (True, False):
        yield f"WebP {lossless}", imagecodecs.webp_encode(colours, lossless=lossless)
        yield f"WebP alpha {lossless}", imagecodecs.webp_encode(alpha, lossless=lossless)
    for depth in (8, 10, 12):
        data = imagecodecs.avif_encode(samples(3, depth), level=100, bitspersample=depth)
        yield f"AVIF {depth} bits", data
    for depth in (8, 12, 16):
        for channels in (1, 3, 4):
            options = {"level": 0, "bitspersample": depth}
            data = imagecodecs.jpeg2k_encode(samples(channels, depth), **options)
            yield f"JPEG 2000 {channels} of {depth} bits", data
    yield "QOI alpha", imagecodecs.qoi_encode(alpha)


def readable():
    """Name and bytes of every file that has one right answer, though it may be refused."""
    return dict((*pngs(), *tiffs(), *jpegs(), *others()))


def box(name, body):
    return struct.pack(">I", 8 + len(body)) + name + body


def foreign():
    """Whole files of kinds that are not read, and the words that name each."""
    colours = samples(3)
    heic = box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"mdat", bytes(64))
    return {
        "HEIC": (heic, "HEIC"),
        "HEIF": (box(b"ftyp", b"mif1\0\0\0\0mif1heic") + bytes(64), "HEIC"),
        "JPEG XL": (imagecodecs.jpegxl_encode(colours), "JPEG XL"),
        "JPEG XL in a box": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(32), "JPEG XL"),
        "JPEG XR": (imagecodecs.jpegxr_encode(colours), "JPEG XR"),
        "JPEG-LS": (imagecodecs.jpegls_encode(colours), "JPEG-LS"),
        "JPEG of 12 bits": (
            imagecodecs.jpeg8_encode(samples(1, 12), level=95, bitspersample=12), "12 bits"),
        "lossless JPEG": (imagecodecs.ljpeg_encode(samples(1, 12), bitspersample=12), "12 bits"),
        "Radiance": (imagecodecs.rgbe_encode(colours.astype(np.float32)), "Radiance"),
        "OpenEXR": (b"\x76\x2f\x31\x01\2\0\0\0" + bytes(40), "OpenEXR"),
        "Photoshop": (b"8BPS\0\1" + bytes(40), "Photoshop"),
        "PDF": (b"%PDF-1.7\n" + bytes(40), "PDF"),
        "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        "EPS with a preview": (b"\xc5\xd0\xd3\xc6" + bytes(40), "PostScript"),
        "SVG": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        "web page": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        "film": (box(b"ftyp", b"isom\0\0\2\0mp41") + bytes(64), "film"),
        "Canon raw": (b"II*\0\x10\0\0\0CR\2\0" + bytes(64), "raw"),
        "Fuji raw": (b"FUJIFILMCCD-RAW 0201" + bytes(64), "raw"),
        "zip": (b"PK\3\4" + bytes(40), "ZIP"),
        "GIMP": (b"gimp xcf v011\0" + bytes(40), "GIMP"),
        "64-bit TIFF": (tiff(colours.astype(np.float64), photometric="rgb"), "64"),
        "signed TIFF": (tiff(samples(1, 16).view(np.int16)), "signed"),
        "TIFF in JPEG XL": (tiff(colours, photometric="rgb", compression="jpegxl"), "compress"),
    }  # fmt: skip
