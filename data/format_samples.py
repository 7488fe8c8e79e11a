"""A sample of every format and of every special kind of file, made by the libraries that the world makes them with."""

from __future__ import annotations

import base64
import io
import struct
from dataclasses import dataclass

import imagecodecs
import numpy as np
import pillow_heif
import skimage.data
import tifffile
from PIL import Image, ImageCms
from psd_tools import PSDImage

from data.picture_files import camera_raw, encode_picture
from deeplens_kit.decode.formats.boxes import boxes_of

SIZE = (96, 64)
PHOTO = Image.fromarray(skimage.data.coffee()).resize(SIZE, Image.Resampling.LANCZOS)
COLOURS = np.asarray(PHOTO)
DEEP = COLOURS.astype(np.uint16) * 257
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CAMERA = "Example One"

ARITHMETIC_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PT"
    "gyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/yQARCAAQ"
    "ABgDASIAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/AG2fXyWnnpDhyBUzyCgZk+cmS2VnLucZZJAm9lwiXwYkEMmar0BWKmtc/A"
    "n8MZDsOse7GX81M5cuzoUaKC/fxDIsKNHJHfK+4q43rE4L/wDWsRFRD1TB8na+GtBoSw9CxqZ2vFmNpiBU39WHgoY4ZW451r4pKeMmjX+B2g0s"
    "RsvL/ZG8hG7p8Z/hoIf/AH1ZHIlS09yckvF//VO3yonCsu42YHK0V7yFKjIvOGiOF76w/9k="
)
"""24 x 16 of the same photograph, made with jpegtran, which alone writes arithmetic coding."""

ODD_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYaHSUfGhsjHBYWICwgIyYnKSopGR8tMC"
    "0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCj/wAARCAAQ"
    "ABgDAREAAiIBAxEB/8QAFAABAAAAAAAAAAAAAAAAAAAABv/EACIQAAIBAgUFAAAAAAAAAAAAAAECAwURBhIhMUEABCJxgf/EABgBAAMBAQAAAA"
    "AAAAAAAAAAAAADBAYF/8QAHREAAgIDAAMAAAAAAAAAAAAAAQIAAxESMSFh4f/aAAwDAQACEQMRAD8AMx4ijwPVJKStNJjFio0UZSt/O6tmU/N+"
    "eM/ZcbhkxCMznDclVVYsOwlbIpGq9mpY1BQEHz3ENGxVNF2KFIowHAa5JAPrXbrkKMQjrF1hH2IrNlD4n//Z"
)
"""The same, with luma sampled less finely than one of the colours: made with cjpeg, which alone is asked for that."""


def exif() -> bytes:
    """An EXIF block that names the camera."""
    found = Image.Exif()
    found[0x010F], found[0x0110] = "Example", CAMERA
    return found.tobytes()


def clear() -> Image.Image:
    """The photograph with a transparent corner."""
    image = PHOTO.convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 20, 20))
    return image


def saved(format_name: str, image: Image.Image = PHOTO, **options: object) -> bytes:
    """A picture in a format, as `encode_picture` makes it."""
    return encode_picture(image, format_name, **options)


def tiff(samples: np.ndarray, **options: object) -> bytes:
    """A TIFF of samples, with the options of tifffile."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, **options)
    return stream.getvalue()


def box(kind: bytes, body: bytes) -> bytes:
    """A box of an ISO base media file."""
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, body: bytes) -> bytes:
    """A box with version and flags, both zero."""
    return box(kind, bytes(4) + body)


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment at its start."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def xmp_jpeg(words: bytes) -> bytes:
    """A JPEG with an XMP packet that holds these words."""
    return with_segment(saved("JPEG"), 0xE1, b"http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta " + words + b"/>")


def movie() -> bytes:
    """The start of an MP4, as behind the still of a Motion Photo."""
    return box(b"ftyp", b"mp42" + bytes(4) + b"mp42isom") + box(b"mdat", bytes(600))


def ultra_hdr() -> bytes:
    """An Ultra HDR JPEG: a base picture and a gain map."""
    light = np.dstack([COLOURS.astype(np.float16) / 100, np.ones(COLOURS.shape[:2], np.float16)])
    return bytes(imagecodecs.ultrahdr_encode(light))


def layered(layers: int = 2) -> bytes:
    """A PSD with layers."""
    document = PSDImage.new("RGB", SIZE)
    for number in range(layers):
        document.create_pixel_layer(PHOTO.rotate(180 * number), name=str(number))
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def without_composite() -> bytes:
    """As Photoshop saves without "maximise compatibility": it notes so in a resource, and the picture is white."""
    data = layered()
    start = 26 + 4 + int.from_bytes(data[26:30], "big")
    resource = b"8BIM" + struct.pack(">H2xI", 1057, 5) + struct.pack(">IB", 1, 0) + b"\x00"
    length = int.from_bytes(data[start : start + 4], "big")
    return data[:start] + struct.pack(">I", length + len(resource)) + resource + data[start + 4 :]


def heic_sequence(pictures: int = 2) -> bytes:
    """A HEIC that is a track alone, without a cover, as bursts may be."""
    coded = [saved("HEIF", PHOTO.rotate(180 * number), quality=90) for number in range(pictures)]
    found = coded[0].index(b"hvcC")
    configuration = coded[0][found - 4 : found - 4 + int.from_bytes(coded[0][found - 4 : found], "big")]
    samples = [data[at:end] for data in coded for kind, at, end in boxes_of(data) if kind == b"mdat"]
    entry = box(
        b"hvc1",
        bytes(6) + struct.pack(">H16xHHII4xH32xHh", 1, *SIZE, 72 << 16, 72 << 16, 1, 24, -1) + configuration,
    )

    def track(offset: int) -> bytes:
        count = len(samples)
        table = full_box(b"stsd", struct.pack(">I", 1) + entry)
        table += full_box(b"stts", struct.pack(">III", 1, count, 100))
        table += full_box(b"stsc", struct.pack(">IIII", 1, 1, count, 1))
        table += full_box(b"stsz", struct.pack(">II", 0, count) + b"".join(struct.pack(">I", len(s)) for s in samples))
        table += full_box(b"stco", struct.pack(">II", 1, offset))
        media = full_box(b"mdhd", bytes(20)) + full_box(b"hdlr", bytes(4) + b"pict" + bytes(13))
        media += box(b"minf", box(b"stbl", table))
        return box(b"moov", full_box(b"mvhd", bytes(96)) + box(b"trak", box(b"mdia", media)))

    start = box(b"ftyp", b"msf1" + bytes(4) + b"msf1hevc")
    return start + track(len(start) + len(track(0)) + 8) + box(b"mdat", b"".join(samples))


def heic_with(auxiliary: bytes) -> bytes:
    """A HEIC whose second picture says what it holds: its alpha channel under another name."""
    data = saved("HEIF", clear())
    name = b"urn:mpeg:hevc:2015:auxid:1\x00"
    assert name in data
    return data.replace(name, auxiliary.ljust(len(name), b"\x00")[: len(name)])


def jpeg2000_with_metadata() -> bytes:
    """A JP2 with a colour profile and EXIF."""
    data = saved("JPEG2000")
    at = data.index(b"colr") - 4
    old = data[at : at + int.from_bytes(data[at : at + 4], "big")]
    new = box(b"colr", b"\x02\x00\x00" + ICC)
    head = data.index(b"jp2h") - 4
    size = int.from_bytes(data[head : head + 4], "big") + len(new) - len(old)
    changed = data[:head] + struct.pack(">I", size) + data[head + 4 : at] + new + data[at + len(old) :]
    return changed + box(b"uuid", b"JpgTiffExif->JP2" + exif().removeprefix(b"Exif\x00\x00"))


def jxl(samples: np.ndarray = COLOURS, **options: object) -> bytes:
    """A JPEG XL, with the options of imagecodecs."""
    return bytes(imagecodecs.jpegxl_encode(samples, **options))


def jxl_with_exif(*, packed: bool = False) -> bytes:
    """A JPEG XL in boxes, one of them EXIF, as it is or packed."""
    body = bytes(4) + exif().removeprefix(b"Exif\x00\x00")
    added = box(b"brob", b"Exif" + imagecodecs.brotli_encode(body)) if packed else box(b"Exif", body)
    return jxl(usecontainer=True) + added


def ppm_16() -> bytes:
    """A portable map of 16 bits."""
    return b"P6\n%d %d\n65535\n" % SIZE + DEEP.astype(">u2").tobytes()


def two_pictures() -> bytes:
    """A HEIC with two pictures of equal rank."""
    stream = io.BytesIO()
    file = pillow_heif.from_pillow(PHOTO)
    file.add_from_pillow(PHOTO.rotate(180))
    file.save(stream)
    return stream.getvalue()


def raw(**options: object) -> bytes:
    """A DNG; the options are those of `camera_raw`."""
    return camera_raw(PHOTO, **options)


@dataclass(frozen=True, slots=True)
class Sample:
    """A whole file that is read, under the name of its format in the catalog."""

    format_name: str
    data: bytes


def samples() -> tuple[Sample, ...]:
    """Every way in which a file of each format is laid out that a decoder treats apart."""
    grey, ink = PHOTO.convert("L"), PHOTO.convert("CMYK")
    turning = {"save_all": True, "append_images": [PHOTO.rotate(180)], "duration": 100}
    made: tuple[tuple[str, tuple[bytes, ...]], ...] = (
        (
            "JPEG",
            (
                *(saved("JPEG"), saved("JPEG", progressive=True), saved("JPEG", grey), saved("JPEG", ink)),
                *(saved("JPEG", icc_profile=ICC, exif=exif(), subsampling=0), ARITHMETIC_JPEG, ultra_hdr()),
                bytes(imagecodecs.ljpeg_encode(DEEP[:, :, 0])),
                bytes(imagecodecs.jpeg8_encode(DEEP[:, :, 0] >> 4, bitspersample=12)),
            ),
        ),
        (
            "PNG",
            (
                *(saved("PNG", exif=exif(), icc_profile=ICC), saved("PNG", clear()), saved("PNG", PHOTO.convert("P"))),
                *(saved("PNG", grey.convert("1")), bytes(imagecodecs.png_encode(DEEP)), saved("PNG", **turning)),
            ),
        ),
        ("GIF", (saved("GIF"), saved("GIF", **turning))),
        (
            "WEBP",
            (
                *(saved("WEBP", exif=exif(), icc_profile=ICC), saved("WEBP", lossless=True)),
                *(saved("WEBP", clear()), saved("WEBP", **turning)),
            ),
        ),
        ("BMP", (saved("BMP"), saved("BMP", grey), saved("BMP", PHOTO.convert("P")))),
        (
            "TIFF",
            (
                *(saved("TIFF", compression=name) for name in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits")),
                *(saved("TIFF", grey.convert("1"), compression="group4"), saved("TIFF", ink), saved("TIFF", **turning)),
                *(tiff(DEEP, photometric="rgb"), tiff(DEEP, bigtiff=True, byteorder=">", photometric="rgb")),
                *(tiff(COLOURS, tile=(16, 16), photometric="rgb"), tiff(COLOURS.astype(np.float32), photometric="rgb")),
                tiff(DEEP, photometric="rgb", planarconfig="separate", compression="zstd"),
            ),
        ),
        ("HEIF", (saved("HEIF", exif=exif()), saved("HEIF", clear()), two_pictures(), heic_sequence())),
        ("AVIF", (saved("AVIF", exif=exif()), saved("AVIF", clear()), saved("AVIF", **turning))),
        ("JXL", (jxl(), jxl(lossless=True), jxl(DEEP), jxl_with_exif(), jxl_with_exif(packed=True))),
        ("JPEG2000", (saved("JPEG2000"), jpeg2000_with_metadata(), saved("JPEG2000", no_jp2=True))),
        ("RAW", (raw(), raw(preview=saved("JPEG")))),
        ("PSD", (saved("PSD"), layered())),
        ("ICO", (saved("ICO"), saved("ICO", clear()))),
        ("TGA", (saved("TGA"), saved("TGA", clear(), compression="tga_rle"), saved("TGA", grey))),
        ("PNM", (saved("PNM"), saved("PNM", grey), ppm_16())),
    )
    return tuple(Sample(name, data) for name, files in made for data in files)
