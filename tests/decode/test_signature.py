"""Files are recognised by their bytes."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from deeplens_kit.decode.signature import FORMATS, describe, require_format, sniff
from deeplens_kit.errors import UnsupportedFormatError


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_is_recognised(format_name, small_photo, encode):
    data = encode(small_photo, format_name)
    assert sniff(data[:512]) == format_name
    assert sniff(data[:32]) == format_name
    assert require_format(data) == format_name


def test_big_tiff_is_recognised(small_photo, encode):
    assert sniff(encode(small_photo, "TIFF", big_tiff=True)) == "TIFF"


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        (b"mif1\x00\x00\x00\x00mif1heic", "HEIF"),
        (b"mif1\x00\x00\x00\x00mif1avifmiaf", "AVIF"),
        (b"msf1\x00\x00\x00\x00msf1hevc", "HEIF"),
        (b"avis\x00\x00\x00\x00avismsf1", "AVIF"),
        (b"isom\x00\x00\x02\x00isommp41", None),
        (b"qt  \x00\x00\x00\x00qt  ", None),
    ],
)
def test_brands_tell_heif_from_avif_from_video(brands, expected):
    assert sniff((8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + b"\x00\x00\x00\x08mdat") == expected


def _zip() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "a")
    return stream.getvalue()


def _saved(format_name: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, format_name)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty file"),
        (b"\x00" * 600, "nothing but zero bytes"),
        (b"%PDF-1.7\n", "PDF document"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG drawing"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n\x00\x00\x00\x14ftypjxl ", "JPEG XL"),
        (b"8BPS\x00\x01", "Photoshop PSD"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", "MP4 video"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00", "QuickTime video"),
        (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01", "camera RAW (Canon CR3)"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "camera RAW (Canon CR2)"),
        (b"FUJIFILMCCD-RAW 0201", "camera RAW (Fujifilm RAF)"),
        (_zip(), "ZIP archive or office document"),
        (_saved("ICO"), "Windows icon"),
        (_saved("JPEG2000"), "JPEG 2000"),
        (_saved("PPM"), "portable bitmap (PNM)"),
        ("Grüße, this is a note.\n".encode() * 60, "text"),
        (b"BM is how this note begins, and it is not a bitmap", "text"),
        (b"<!DOCTYPE html><html></html>", "HTML page"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "WAV audio"),
        (bytes(range(7, 200)), "unknown format"),
    ],
)
def test_other_files_are_named(data, kind):
    assert sniff(data) is None
    assert describe(data) == kind
    with pytest.raises(UnsupportedFormatError) as caught:
        require_format(data)
    assert str(caught.value).startswith(f"unsupported: {kind};")


def test_text_cut_inside_a_character_stays_text():
    assert describe(("x" + "ü" * 600).encode()[:512]) == "text"
