"""What a picture file says, read without Pillow: by tifffile, imagecodecs and the formats' texts.

`read_picture` gives float64 RGB of shape (H, W, 3) in [0, 1], laid on white, as sRGB; or it raises
`UnreadError` where this reader has no opinion.
"""

import struct
import zlib
from io import BytesIO

import imagecodecs
import numpy as np
import tifffile


class UnreadError(Exception):
    """The reader cannot say what the file holds."""


def read_picture(data):
    readers = {
        b"\x89PNG": read_png, b"II*\0": read_tiff, b"MM\0*": read_tiff, b"\xff\xd8": read_jpeg,
        b"RIFF": read_webp, b"GIF8": read_gif, b"BM": read_bmp, b"qoif": read_qoi,
        b"\0\0\0\x0cjP": read_jpeg2000, b"II+\0": read_tiff, b"MM\0+": read_tiff,
        b"P5 ": read_pnm, b"P6 ": read_pnm,
    }  # fmt: skip
    if data[4:12] == b"ftypavif":
        readers[data[:1]] = read_avif
    for start, reader in readers.items():
        if data.startswith(start):
            try:
                result = reader(data)
            except Exception as error:
                raise UnreadError(str(error)) from error
            if result.ndim != 3 or result.shape[2] != 3 or not np.isfinite(result).all():
                raise UnreadError(f"shape {result.shape}")
            return result
    raise UnreadError("format")


def on_white(samples, convert=lambda colours: colours):
    """(H, W), or (H, W, 1 to 4) with the last of an even number as alpha, in [0, 1]."""
    samples = np.atleast_3d(np.asarray(samples, float))
    count = samples.shape[2]
    colours = convert(samples[..., : count - 1 + count % 2].repeat(3 if count < 3 else 1, axis=2))
    alpha = 1 if count % 2 else samples[..., -1:]
    return colours * alpha + 1 - alpha


def share(samples):
    """Integers as shares of the largest value of their type."""
    return samples / np.iinfo(samples.dtype).max


def encoded(v):
    """IEC 61966-2-1: linear light to sRGB."""
    v = np.clip(v, 0, 1)
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)


def decoded(v):
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


# PNG


def chunks_of(data):
    place, found = 8, {}
    while place + 12 <= len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if data[place + 8 + length :][:4] == struct.pack(">I", zlib.crc32(name + body)):
            found.setdefault(name, body)
        place += 12 + length
        if name == b"IEND":
            return found
    raise UnreadError("cut off")


SRGB_XY = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def to_xyz(white, *primaries):
    """SMPTE RP 177: the matrix from linear RGB to XYZ of these chromaticities."""
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    target = np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])
    return columns * np.linalg.solve(columns, target)


BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def primaries_to_srgb(*chromaticities):
    source, target = to_xyz(*chromaticities), to_xyz(*SRGB_XY)
    ratio = BRADFORD @ target.sum(1) / (BRADFORD @ source.sum(1))
    adapt = np.linalg.inv(BRADFORD) @ np.diag(ratio) @ BRADFORD
    return np.linalg.inv(target) @ adapt @ source


def read_png(data):
    chunks = chunks_of(data)
    if {b"iCCP", b"cICP", b"acTL"} & chunks.keys():
        raise UnreadError("a profile or an animation")
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    if width * height > 1_000_000:
        raise UnreadError("large")
    samples = share(imagecodecs.png_decode(data))
    convert = lambda colours: colours  # noqa: E731
    if b"gAMA" in chunks and b"sRGB" not in chunks:
        gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 1e5
        matrix = np.eye(3)
        if b"cHRM" in chunks:
            xy = np.array(struct.unpack(">8I", chunks[b"cHRM"])).reshape(4, 2) / 1e5
            if abs(xy - SRGB_XY).max() > 0.005:
                matrix = primaries_to_srgb(*xy)
        if abs(gamma * 2.2 - 1) > 0.05 or not np.array_equal(matrix, np.eye(3)):
            power = None if abs(gamma * 2.2 - 1) <= 0.05 else 1 / gamma
            light = (lambda v: v**power) if power else decoded
            convert = lambda colours: encoded(light(colours) @ matrix.T)  # noqa: E731
    return on_white(samples, convert)


# TIFF


def read_tiff(data):
    with tifffile.TiffFile(BytesIO(data)) as file:
        page = file.pages[0]
        if page.imagewidth * page.imagelength > 1_000_000 or page.imagedepth != 1:
            raise UnreadError("large")
        if 34675 in page.tags or page.compression in (6, 34892, 33007):
            raise UnreadError("a profile, or JPEG within TIFF")
        if 0 in page.databytecounts or not {279, 325} & {tag.code for tag in page.tags.values()}:
            raise UnreadError("sparse")
        if page.photometric == 2 and page.samplesperpixel == 4 and not page.extrasamples:
            raise UnreadError("a fourth number without a meaning")
        samples = page.asarray()
        result = meaning(page, samples)
        turn = page.tags[274].value if 274 in page.tags else 1
    return turned(result, turn)


def meaning(page, samples):
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        samples = samples.reshape(page.samplesperpixel, page.imagelength, page.imagewidth)
        samples = np.moveaxis(samples, 0, 2)
    kind, bits, photometric = page.sampleformat, page.bitspersample, int(page.photometric)
    if kind not in (1, 3) or isinstance(bits, tuple):
        raise UnreadError("samples of several kinds")
    extras = page.extrasamples
    if kind == 3:
        samples = samples.astype(float)
        if not (samples.min() >= -1e-3 and samples.max() <= 1 + 1e-3):
            raise UnreadError("floats beyond black and white")
    elif photometric != 3:
        samples = samples.astype(float) / (2**bits - 1)
    if photometric in (0, 1):
        grey = np.atleast_3d(samples)
        grey = 1 - grey if photometric == 0 else grey
        return lay(grey[..., :1].repeat(3, 2), grey[..., 1:], extras)
    if photometric == 2 or (photometric == 6 and page.compression == 7):
        return lay(samples[..., :3], samples[..., 3:], extras)
    if photometric == 3:
        table = np.asarray(page.colormap, float).T / 65535
        return table[samples if samples.ndim == 2 else samples[..., 0]]
    if photometric == 5 and samples.shape[2] == 4:
        return (1 - samples[..., :3]) * (1 - samples[..., 3:])
    if photometric == 6 and bits == 8 and page.samplesperpixel == 3:
        return from_ycbcr(samples * 255)
    if photometric == 8 and bits == 8 and page.samplesperpixel == 3:
        return from_lab(np.rint(samples * 255).astype(np.uint8))
    raise UnreadError(f"photometric {photometric}")


def from_ycbcr(samples):
    """ITU-R BT.601, with black at 0 and white at 255."""
    y, b, r = np.moveaxis(samples, 2, 0)
    b, r = b - 128, r - 128
    rgb = np.stack([y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b], 2)
    return np.clip(rgb / 255, 0, 1)


def from_lab(samples):
    """CIE L*a*b* under D50, the last two signed (TIFF 6.0, section 23)."""
    lightness, a, b = samples[..., 0] / 2.55, *np.moveaxis(samples[..., 1:].view(np.int8), 2, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500.0, y, y - b / 200.0], 2)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * (0.9642, 1, 0.8249)
    d65 = to_xyz(*SRGB_XY)
    ratio = BRADFORD @ d65.sum(1) / (BRADFORD @ (0.9642, 1, 0.8249))
    adapt = np.linalg.inv(BRADFORD) @ np.diag(ratio) @ BRADFORD
    light = xyz @ (np.linalg.inv(d65) @ adapt).T
    if light.min() < 0 or light.max() > 1:
        raise UnreadError("colours that sRGB does not have")
    return encoded(light)


def lay(colours, others, extras):
    for index, extra in enumerate(extras[: others.shape[2]]):
        alpha = others[..., index : index + 1]
        if extra == 1:
            return np.clip(colours + 1 - alpha, 0, 1)
        if extra == 2:
            return colours * alpha + 1 - alpha
    return colours


def turned(array, orientation):
    if orientation in (5, 6, 7, 8):
        array = array.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array[:, ::-1] if orientation in (2, 3, 6, 7) else array


# The others


def read_jpeg(data):
    samples = share(imagecodecs.jpeg8_decode(data).astype(np.uint8))
    if b"Exif" in data or b"ICC_PROFILE" in data or b"MPF" in data or b"http" in data:
        raise UnreadError("metadata")
    if samples.ndim == 2 or samples.shape[2] == 3:
        return on_white(samples)
    if b"\xff\xee\0\x0eAdobe" not in data:
        return (1 - samples[..., :3]) * (1 - samples[..., 3:])
    return samples[..., :3] * samples[..., 3:]


def read_webp(data):
    if b"ICCP" in data or b"EXIF" in data or b"ANMF" in data:
        raise UnreadError("metadata, or an animation")
    return on_white(share(imagecodecs.webp_decode(data)))


def read_gif(data):
    if b"\x21\xf9" in data or b"NETSCAPE" in data:
        raise UnreadError("transparency, or an animation")
    samples = imagecodecs.gif_decode(data)
    samples = samples[0] if samples.ndim == 4 else samples
    table = np.frombuffer(data[13:], np.uint8, 3 * 2 ** ((data[10] & 7) + 1)).reshape(-1, 3)
    frame = data.index(b",", 13 + table.size)
    left, top, width, height = struct.unpack("<4H", data[frame + 1 : frame + 9])
    if data[10] & 128:  # what no image covers has the background's colour (GIF89a, 18)
        screen = np.empty_like(samples)
        screen[...] = table[data[11]]
        inside = slice(top, top + height), slice(left, left + width)
        screen[inside] = samples[inside]
        samples = screen
    return on_white(share(samples))


def read_bmp(data):
    return on_white(share(imagecodecs.bmp_decode(data, asrgb=True)))


def read_qoi(data):
    return on_white(share(imagecodecs.qoi_decode(data)))


def read_jpeg2000(data):
    samples = imagecodecs.jpeg2k_decode(data)
    depth = data[data.index(b"\xff\x4f\xff\x51") + 42] + 1
    if samples.dtype.kind != "u" or depth > 16 or b"jp2c" not in data:
        raise UnreadError("signed")
    return on_white(samples / (2.0**depth - 1))


def read_avif(data):
    samples = imagecodecs.avif_decode(data)
    return on_white(
        samples / (255 if samples.dtype == np.uint8 else float(2 ** (data_depth(data)) - 1))
    )


def data_depth(data):
    """The depth in an AVIF's pixi box."""
    return data[data.index(b"pixi") + 9]


def read_pnm(data):
    """Of one header line, without comments."""
    head, _, body = data.partition(b"\n")
    kind, width, height, white = head.split()
    shape = (int(height), int(width), {b"P5": 1, b"P6": 3}[kind])
    values = np.frombuffer(body, np.uint8 if int(white) < 256 else ">u2", np.prod(shape))
    if values.max() > int(white):
        raise UnreadError("whiter than white")
    return on_white(values.reshape(shape) / int(white))
