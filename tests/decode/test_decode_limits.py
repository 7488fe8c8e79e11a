"""Limits are inclusive and are checked before anything is inflated."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import pytest
from PIL import Image

from deeplens_kit.decode import decode_picture
from deeplens_kit.decode.formats.jpeg import MAX_SCANS
from deeplens_kit.decode.signature import FORMATS
from deeplens_kit.errors import LimitExceededError, UnsupportedFormatError
from deeplens_kit.settings import DecodeSettings

MODEST_BYTES = 16 * 2**20  # neither a refused bomb nor an ignored one may allocate more than this


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def _gif(width: int, height: int) -> bytes:
    screen = struct.pack("<HHBBB", 10, 10, 0x80, 0, 0) + bytes(6)
    return b"GIF89a" + screen + b"," + struct.pack("<4HB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00;"


def _webp(width: int, height: int) -> bytes:
    body = (
        b"WEBPVP8X" + struct.pack("<II", 10, 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _bmp(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    )


def _tiff(width: int, height: int, tile: int = 0) -> bytes:
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    tags += (
        [(322, 4, tile), (323, 4, tile), (324, 4, 8), (325, 4, 4)]
        if tile
        else [(273, 4, 8), (278, 4, height), (279, 4, 4)]
    )
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in sorted(tags))
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags)) + entries + bytes(4)


def _jpeg(width: int, height: int, encode) -> bytes:
    data = bytearray(encode(Image.new("RGB", (16, 16)), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def _psd(width: int, height: int) -> bytes:
    return struct.pack(">4sH6xHIIHH", b"8BPS", 2, 3, height, width, 8, 3) + bytes(16 + 4) + b"\x00\x01" + bytes(64)


def _tga(width: int, height: int) -> bytes:
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, width, height, 24, 0)
    return header + b"\xff\x01\x02\x03" + bytes(8) + b"TRUEVISION-XFILE.\x00"


def _jpeg2000(width: int, height: int, encode) -> bytes:
    data = bytearray(encode(Image.new("RGB", (16, 16)), "JPEG2000", no_jp2=True))
    data[8:16] = struct.pack(">II", width, height)
    data[24:32] = struct.pack(">II", width, height)
    return bytes(data)


def _jxl(width: int, height: int) -> bytes:
    bits = 0 | 3 << 1 | (height - 1) << 3 | 0 << 33 | 3 << 36 | (width - 1) << 38 | 1 << 68
    return b"\xff\x0a" + bits.to_bytes(16, "little") + bytes(64)


def _icon(width: int, height: int) -> bytes:
    picture = _png(width, height)
    return b"\x00\x00\x01\x00\x01\x00" + struct.pack("<4BHHII", 0, 0, 0, 0, 1, 32, len(picture), 22) + picture


def _refused(data: bytes, settings: DecodeSettings) -> str:
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceededError) as caught:
            decode_picture(data, settings)
        assert tracemalloc.get_traced_memory()[1] < MODEST_BYTES
    finally:
        tracemalloc.stop()
    return str(caught.value)


def test_bombs_are_refused_by_their_header(limits, encode):
    for data in (
        _png(50_000, 50_000),
        _png(2**31 - 1, 2**31 - 1),
        _gif(65_535, 65_535),
        _webp(2**24, 2**24),
        _webp(16_383, 16_384),
        _bmp(60_000, 60_000),
        _tiff(100_000, 100_000),
        _tiff(64, 64, tile=60_000),
        _jpeg(65_000, 65_000, encode),
        _psd(300_000, 300_000),
        _tga(65_535, 65_535),
        _jpeg2000(100_000, 100_000, encode),
        _jpeg2000(2**31 - 1, 2**31 - 1, encode),
        _jxl(2**30, 2**30),
        _icon(50_000, 50_000),
        b"P6\n100000 100000\n255\n",
        b"P1\n100000 100000\n1 0 1",
        b"PF\n100000 100000\n-1.0\n",
    ):
        assert "pixels" in _refused(data, limits)


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_pixel_limit_is_inclusive(format_name, small_photo, encode):
    data = encode(small_photo, format_name)
    pixels = small_photo.width * small_photo.height
    assert decode_picture(data, DecodeSettings(max_pixels=pixels)).rgb.shape == (80, 120, 3)
    message = _refused(data, DecodeSettings(max_pixels=pixels - 1))
    assert "9,600 pixels" in message
    assert "max_pixels allows 9,599" in message


def test_the_byte_limit_is_inclusive(small_photo, encode):
    data = encode(small_photo, "PNG")
    assert decode_picture(data, DecodeSettings(max_bytes=len(data))).metadata.format == "PNG"
    with pytest.raises(LimitExceededError, match=r"max_bytes.*deeplens failures retry"):
        decode_picture(data, DecodeSettings(max_bytes=len(data) - 1))


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_frame_limit_is_inclusive(format_name, small_photo, encode):
    data = encode(small_photo, format_name, save_all=True, append_images=[small_photo.rotate(n) for n in (3, 6)])
    assert decode_picture(data, DecodeSettings(max_frames=3)).metadata.frames == 3
    with pytest.raises(LimitExceededError, match="3 frames"):
        decode_picture(data, DecodeSettings(max_frames=2))


def test_an_inflating_text_or_profile_does_not_matter(small_photo, encode, limits):
    data = encode(small_photo, "PNG")
    bomb = zlib.compress(bytes(200 * 2**20))
    for kind, head in ((b"zTXt", b"Comment\x00\x00"), (b"iCCP", b"profile\x00\x00")):
        body = head + bomb
        chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        tracemalloc.start()
        try:
            assert not decode_picture(data[:33] + chunk + data[33:], limits).metadata.has_icc
            assert tracemalloc.get_traced_memory()[1] < MODEST_BYTES
        finally:
            tracemalloc.stop()


def test_progressive_scans_are_limited(small_photo, encode, limits):
    data = encode(small_photo, "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    bomb = data[:-2] + data[scan:-2] * MAX_SCANS + data[-2:]
    with pytest.raises(LimitExceededError, match="scans"):
        decode_picture(bomb, limits)


def test_pictures_of_pillow_bomb_size_pass_without_a_warning(encode):
    # 100 megapixels: beyond Pillow's own warning, below our limit. Grey and compressible, so it is quick.
    image = Image.new("1", (10_000, 10_000), 1)
    settings = DecodeSettings()
    for format_name, options in (("PNG", {}), ("TIFF", {"compression": "group4"})):
        decoded = decode_picture(encode(image, format_name, **options), settings)
        assert decoded.rgb.shape == (384, 384, 3)
        assert decoded.rgb.min() == 255


def test_pillow_settings_are_left_alone(small_photo, encode, limits):
    before = Image.MAX_IMAGE_PIXELS
    decode_picture(encode(small_photo, "PNG"), limits)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_raw_file_that_libraw_does_not_read_is_named(limits):
    dng = struct.pack("<HHII", 50706, 1, 4, 1)
    page = _tiff(8, 8)
    count = struct.unpack_from("<H", page, 8)[0]
    data = page[:8] + struct.pack("<H", count + 1) + page[10 : 10 + 12 * count] + dng + bytes(4)
    with pytest.raises(UnsupportedFormatError, match="DNG"):
        decode_picture(data, limits)
