"""What is kept of a picture beside its samples."""

from __future__ import annotations

import io
import struct
from dataclasses import fields
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from deeplens_kit.decode import PictureMetadata, decode_picture
from deeplens_kit.decode.exif import ExifFacts, parse_exif
from deeplens_kit.decode.formats.jpeg_quality import estimate_quality
from deeplens_kit.schemas import PICTURES

MAKE, MODEL, DATE_TIME, EXIF_IFD, GPS_IFD, DATE_TIME_ORIGINAL = 0x010F, 0x0110, 0x0132, 0x8769, 0x8825, 0x9003


def _exif(
    *,
    make: str | None = None,
    model: str | None = None,
    date: str | None = None,
    original: str | None = None,
    gps: dict[int, object] | None = None,
) -> Image.Exif:
    exif = Image.Exif()
    for tag, value in ((MAKE, make), (MODEL, model), (DATE_TIME, date)):
        if value is not None:
            exif[tag] = value
    if original is not None:
        exif.get_ifd(EXIF_IFD)[DATE_TIME_ORIGINAL] = original
    if gps is not None:
        exif.get_ifd(GPS_IFD).update(gps)
    return exif


def test_fields_are_the_columns_of_pictures():
    names = [column.name for column in PICTURES.columns]
    expected = names[names.index("format") : names.index("auxiliary") + 1]
    assert [field.name for field in fields(PictureMetadata)] == expected


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_exif_is_read_from_every_format_that_carries_it(format_name, small_photo, encode, limits):
    gps = {1: "S", 2: (33.0, 51.0, 54.0), 3: "E", 4: (151.0, 12.0, 36.0)}
    exif = _exif(make="Canon", model="Canon EOS 5D", original="2019:07:14 18:03:59", gps=gps)
    metadata = decode_picture(encode(small_photo, format_name, exif=exif.tobytes()), limits).metadata
    assert metadata.camera == "Canon EOS 5D"
    assert metadata.taken_at == datetime(2019, 7, 14, 18, 3, 59)
    assert metadata.gps_latitude == pytest.approx(-33.865)
    assert metadata.gps_longitude == pytest.approx(151.21)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF", "BMP"])
def test_nothing_is_invented(format_name, small_photo, encode, limits):
    metadata = decode_picture(encode(small_photo, format_name), limits).metadata
    assert (metadata.taken_at, metadata.camera, metadata.gps_latitude, metadata.gps_longitude) == (None,) * 4
    assert (metadata.orientation, metadata.frames, metadata.has_alpha, metadata.has_icc) == (1, 1, False, False)


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Apple", "iPhone 12", "Apple iPhone 12"),
        ("SONY", None, "SONY"),
        (None, "DMC-FZ50", "DMC-FZ50"),
        ("  Canon \x00junk", "Canon  PowerShot\x07 ", "Canon PowerShot"),
        ("", "", None),
    ],
)
def test_camera_names_the_maker_once(make, model, expected):
    assert parse_exif(_exif(make=make, model=model).tobytes()).camera == expected


@pytest.mark.parametrize(
    ("date", "original", "expected"),
    [
        ("2020:01:02 03:04:05", None, datetime(2020, 1, 2, 3, 4, 5)),
        ("2020:01:02 03:04:05", "2018:01:02 03:04:05", datetime(2018, 1, 2, 3, 4, 5)),
        ("2020:01:02 03:04:05", "0000:00:00 00:00:00", datetime(2020, 1, 2, 3, 4, 5)),
        ("2020-01-02T03:04:05", None, datetime(2020, 1, 2, 3, 4, 5)),
        ("    :  :     :  :  ", None, None),
        ("2020:13:45 99:99:99", None, None),
        ("0001:01:01 00:00:00", None, None),
        ("yesterday", None, None),
    ],
)
def test_dates(date, original, expected):
    assert parse_exif(_exif(date=date, original=original).tobytes()).taken_at == expected


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (181.0, 0.0, 0.0)},
        {1: "N", 3: "E"},
    ],
)
def test_impossible_positions_are_none(gps):
    facts = parse_exif(_exif(gps=gps).tobytes())
    assert (facts.gps_latitude, facts.gps_longitude) == (None, None)


def test_a_position_over_zero_is_none():
    # One directory with a GPS pointer; latitude 0/0, as receivers write without a fix.
    gps = struct.pack("<HHHI4sHHIII", 2, 1, 2, 2, b"N\x00\x00\x00", 2, 5, 3, 56, 0) + struct.pack("<6I", *(0,) * 6)
    block = struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, GPS_IFD, 4, 1, 26, 0) + gps
    assert parse_exif(block).gps_latitude is None
    sound = block[:-24] + struct.pack("<6I", 10, 1, 30, 1, 0, 1)
    assert parse_exif(sound).gps_latitude == 10.5


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), max_size=8))
def test_broken_exif_is_never_an_error(cut, flips):
    block = bytearray(
        _exif(make="A", model="B", original="2019:07:14 18:03:59", gps={1: "S", 2: (3.0, 5.0, 5.0)}).tobytes()
    )
    for at, value in flips:
        block[at % len(block)] = value
    facts = parse_exif(bytes(block[:cut]))
    assert isinstance(facts, ExifFacts)
    assert facts.orientation in range(1, 9)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_broken_exif_does_not_cost_the_picture(format_name, small_photo, encode, limits, difference):
    sound = _exif(make="Maker", model="Model", original="2019:07:14 18:03:59").tobytes()
    for block in (sound[:20], sound[:8] + b"\xff" * 40, b"Exif\x00\x00" + b"\x00" * 30, b"II*\x00\xff\xff\xff\x7f"):
        # Pillow will not write a block that it cannot read, so the sound one is overwritten in place.
        data = encode(small_photo, format_name, exif=sound)
        payload = sound.removeprefix(b"Exif\x00\x00")
        assert payload in data
        broken = block.removeprefix(b"Exif\x00\x00").ljust(len(payload), b"\x00")[: len(payload)]
        decoded = decode_picture(data.replace(payload, broken), limits)
        assert difference(decoded.rgb, small_photo) <= 9
        assert decoded.metadata.taken_at is None


@pytest.mark.parametrize("quality", range(5, 101))
def test_quality_of_pillow_is_exact(quality, encode, limits):
    picture = Image.effect_mandelbrot((24, 24), (-2, -1.5, 1, 1.5), 50).convert("RGB")
    assert decode_picture(encode(picture, "JPEG", quality=quality), limits).metadata.jpeg_quality == quality


@pytest.mark.parametrize("quality", [10, 50, 75, 92, 100])
def test_quality_of_grey_and_progressive(quality, small_photo, encode, limits):
    for image, options in ((small_photo.convert("L"), {}), (small_photo, {"progressive": True, "subsampling": 0})):
        data = encode(image, "JPEG", quality=quality, **options)
        assert decode_picture(data, limits).metadata.jpeg_quality == quality


def test_quality_of_foreign_tables_is_ordered(small_photo, encode, limits):
    found = []
    for name in ("web_low", "web_medium", "web_high", "web_very_high", "web_maximum"):
        found.append(decode_picture(encode(small_photo, "JPEG", quality=name), limits).metadata.jpeg_quality)
    assert found == sorted(found)
    assert len(set(found)) == len(found)


def test_quality_needs_tables():
    assert estimate_quality([]) is None


@pytest.mark.parametrize(
    ("format_name", "options", "lossless"),
    [
        ("JPEG", {}, False),
        ("PNG", {}, True),
        ("BMP", {}, True),
        ("GIF", {}, True),
        ("WEBP", {"lossless": True}, True),
        ("WEBP", {"lossless": False}, False),
        ("AVIF", {}, False),
        ("HEIF", {}, False),
        ("TIFF", {"compression": "tiff_lzw"}, True),
        ("TIFF", {"compression": "jpeg"}, False),
    ],
)
def test_lossless(format_name, options, lossless, small_photo, encode, limits):
    assert decode_picture(encode(small_photo, format_name, **options), limits).metadata.lossless is lossless


def test_lossless_of_animated_webp(small_photo, encode, limits):
    for lossless in (True, False):
        data = encode(small_photo, "WEBP", save_all=True, append_images=[small_photo.rotate(9)], lossless=lossless)
        metadata = decode_picture(data, limits).metadata
        assert (metadata.lossless, metadata.frames) == (lossless, 2)


def test_alpha_of_webp(small_photo, encode, limits):
    faded = small_photo.copy()
    faded.putalpha(120)
    for lossless in (True, False):
        assert decode_picture(encode(faded, "WEBP", lossless=lossless), limits).metadata.has_alpha
        assert not decode_picture(encode(small_photo, "WEBP", lossless=lossless), limits).metadata.has_alpha


def test_multi_picture_jpeg_is_a_still(small_photo, limits):
    stream = io.BytesIO()
    small_photo.save(stream, "MPO", save_all=True, append_images=[small_photo])
    metadata = decode_picture(stream.getvalue(), limits).metadata
    assert (metadata.format, metadata.frames) == ("JPEG", 1)
