"""Colours come out as sRGB on white from every mode, depth and profile."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from deeplens_kit.decode import decode_picture
from deeplens_kit.decode.colour import to_srgb


def _profile_with_swapped_primaries() -> bytes:
    """sRGB whose red and blue colorants are swapped: red samples must come out blue."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {}
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        tags[bytes(profile[at : at + 4])] = at + 4
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    profile[red : red + 8], profile[blue : blue + 8] = profile[blue : blue + 8], profile[red : red + 8]
    return bytes(profile)


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_profiles_are_applied(format_name, encode, limits):
    profile = _profile_with_swapped_primaries()
    image = Image.new("RGB", (64, 64), (220, 30, 30))
    image.info["icc_profile"] = profile
    options = {} if format_name == "HEIF" else {"icc_profile": profile}
    decoded = decode_picture(encode(image, format_name, **options), limits)
    red, _, blue = decoded.rgb[32, 32].tolist()
    assert decoded.metadata.has_icc
    assert blue > 200
    assert red < 60


def test_an_srgb_profile_changes_nothing(small_photo, encode, limits):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    decoded = decode_picture(encode(small_photo, "PNG", icc_profile=profile), limits)
    assert np.array_equal(decoded.rgb, np.asarray(small_photo))
    assert decoded.metadata.has_icc


@pytest.mark.parametrize("damage", ["short", "garbage", "wrong space", "tags"])
@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_broken_profile_is_ignored(format_name, damage, small_photo, encode, limits):
    profile = bytearray(_profile_with_swapped_primaries())
    if damage == "short":
        profile = profile[:100]
    elif damage == "garbage":
        profile = bytearray(range(256)) * 4
    elif damage == "wrong space":
        profile[16:20] = b"CMYK"
    else:
        profile[132:] = bytes(len(profile) - 132)
    plain = decode_picture(encode(small_photo, format_name), limits).rgb
    assert np.array_equal(
        decode_picture(encode(small_photo, format_name, icc_profile=bytes(profile)), limits).rgb, plain
    )


def test_transforms_are_shared_by_threads(small_photo, encode, limits):
    data = encode(small_photo, "PNG", icc_profile=_profile_with_swapped_primaries())
    expected = decode_picture(data, limits).rgb
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(10):
            if not np.array_equal(decode_picture(data, limits).rgb, expected):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_cmyk_of_adobe_and_of_others(small_photo, encode, limits, difference):
    ink = small_photo.convert("CMYK")
    data = encode(ink, "JPEG", quality=95)
    assert b"Adobe" in data
    assert difference(decode_picture(data, limits).rgb, small_photo) <= 4
    # Without Adobe's marker the samples are plain ink: the same bytes then mean the negative.
    marker = data.index(b"\xff\xee")
    plain = data[:marker] + data[marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big") :]
    negative = Image.fromarray(255 - np.asarray(ink), "CMYK").convert("RGB")
    assert difference(decode_picture(plain, limits).rgb, negative) <= 4


def test_cmyk_tiff(small_photo, encode, limits, difference):
    data = encode(small_photo.convert("CMYK"), "TIFF")
    decoded = decode_picture(data, limits)
    assert difference(decoded.rgb, small_photo) <= 2
    assert decoded.metadata.mode == "CMYK"


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(format_name, encode, limits):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[np.newaxis].repeat(20, axis=0)
    decoded = decode_picture(encode(Image.fromarray(ramp), format_name), limits)
    assert decoded.rgb[5, :, 0].tolist() == list(range(256))
    assert (decoded.rgb == decoded.rgb[..., :1]).all()


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_sixteen_bit_colour_tiff_is_scaled(byteorder, limits):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[np.newaxis, :, np.newaxis].repeat(20, axis=0).repeat(3, axis=2)
    ramp[..., 1] = 65535 - ramp[..., 1]
    stream = io.BytesIO()
    tifffile.imwrite(stream, ramp, photometric="rgb", byteorder=byteorder)
    decoded = decode_picture(stream.getvalue(), limits)
    assert decoded.rgb[5, :, 0].tolist() == list(range(256))
    assert decoded.rgb[5, :, 1].tolist() == list(range(255, -1, -1))


def _png_16_bit(samples: np.ndarray, colour_type: int) -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width = samples.shape[:2]
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bit_colour_png_is_scaled(limits):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[np.newaxis, :, np.newaxis].repeat(4, axis=0).repeat(3, axis=2)
    assert decode_picture(_png_16_bit(ramp, 2), limits).rgb[2, :, 0].tolist() == list(range(256))


def test_sixteen_bit_grey_with_alpha_png(limits):
    samples = np.full((4, 4, 2), 65535, dtype=np.uint16)
    samples[:, :2, 0] = 0
    samples[0, 0, 1] = 0
    decoded = decode_picture(_png_16_bit(samples, 4), limits)
    assert decoded.metadata.has_alpha
    assert decoded.rgb[0, 0].tolist() == [255, 255, 255]
    assert decoded.rgb[1, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.0, 255.0), (0.0, 65535.0), (-3.0, 9.0)], ids=["unit", "byte", "word", "free"]
)
def test_float_tiff_uses_its_natural_range(low, high, limits):
    ramp = np.linspace(low, high, 200, dtype=np.float32)[np.newaxis].repeat(8, axis=0)
    stream = io.BytesIO()
    tifffile.imwrite(stream, ramp)
    row = decode_picture(stream.getvalue(), limits).rgb[3, :, 0].astype(int)
    assert row[0] == 0
    assert row[-1] == 255
    assert (np.diff(row) >= 0).all()


def test_float_tiff_with_holes(limits):
    samples = np.full((8, 8), 0.5, dtype=np.float32)
    samples[0, 0], samples[0, 1] = np.nan, np.inf
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples)
    decoded = decode_picture(stream.getvalue(), limits)
    assert decoded.rgb[0, :2, 0].tolist() == [0, 255]
    assert decoded.rgb[4, 4, 0] == 128


@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_alpha_lies_on_white(format_name, encode, limits):
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((0, 0, 255, 255), (32, 0, 64, 64))
    options = {"lossless": True} if format_name == "WEBP" else {}
    decoded = decode_picture(encode(image, format_name, **options), limits)
    assert decoded.metadata.has_alpha
    assert np.abs(decoded.rgb[32, 8].astype(int) - 255).max() <= 3
    assert np.abs(decoded.rgb[32, 56].astype(int) - (0, 0, 255)).max() <= 6


def test_transparent_palettes_lie_on_white(encode, limits):
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.paste(1, (10, 0, 20, 20))
    for format_name in ("PNG", "GIF"):
        decoded = decode_picture(encode(image, format_name, transparency=0), limits)
        assert decoded.metadata.has_alpha
        assert decoded.rgb[5, 2].tolist() == [255, 255, 255]
        assert decoded.rgb[5, 15].tolist() == [200, 0, 0]


def test_one_transparent_colour_lies_on_white(encode, limits):
    for mode, hidden, shown in (("RGB", (1, 2, 3), (200, 0, 0)), ("L", 7, 90)):
        image = Image.new(mode, (20, 20), hidden)
        image.paste(shown, (10, 0, 20, 20))
        decoded = decode_picture(encode(image, "PNG", transparency=hidden), limits)
        assert decoded.metadata.has_alpha
        assert decoded.rgb[5, 2].tolist() == [255, 255, 255]
        assert decoded.rgb[5, 15].tolist() == list(shown if mode == "RGB" else (shown,) * 3)


def test_transparent_pixels_do_not_bleed_when_reduced(encode, limits):
    samples = np.zeros((800, 800, 4), dtype=np.uint8)
    samples[:, 400:] = (0, 255, 0, 255)
    samples[:, :400, 0] = 255  # invisible red
    decoded = decode_picture(encode(Image.fromarray(samples), "PNG"), limits)
    assert decoded.rgb[..., 1].min() >= 250  # white and green both have full green; red would darken the seam


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_modes_of_png(mode, small_photo, encode, limits, difference):
    image = small_photo.convert("L").convert("I").point(lambda v: v * 257).convert("I;16") if mode == "I;16" else None
    image = image or small_photo.convert(mode)
    decoded = decode_picture(encode(image, "PNG"), limits)
    expected = small_photo.convert("L").convert("RGB") if mode in ("L", "LA", "I;16") else image.convert("RGB")
    assert difference(decoded.rgb, expected) <= 0.5
    assert decoded.metadata.mode == mode


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_modes_of_bmp(mode, small_photo, encode, limits, difference):
    image = small_photo.convert(mode)
    assert difference(decode_picture(encode(image, "BMP"), limits).rgb, image.convert("RGB")) == 0


def test_lab_without_a_profile_is_understood():
    lab = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (255, 128, 128)])
    assert np.abs(np.asarray(to_srgb(lab, None)).astype(int) - 255).max() <= 2
