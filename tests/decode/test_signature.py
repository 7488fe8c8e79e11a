"""Files are recognised by their bytes."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from deeplens_kit.decode.signature import FORMATS, describe, require_format, sniff
from deeplens_kit.decode.tga import tga_header
from deeplens_kit.errors import UnsupportedFormatError


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format_is_recognised(format_name, small_photo, encode):
    data = encode(small_photo, format_name)
    # A TGA has no signature, and a RAW that is a TIFF too is told from its directories.
    at_a_glance = {"TGA": None, "RAW": "TIFF"}.get(format_name, format_name)
    assert sniff(data[:512]) == at_a_glance
    assert sniff(data[:32]) == at_a_glance
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


def _zip(name: str = "a.txt", content: str = "a") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty file"),
        (b"\x00" * 600, "nothing but zero bytes"),
        (b"%PDF-1.7\n", "PDF document"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG drawing"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", "MP4 video"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00", "QuickTime video"),
        (b"\x00\x00\x00\x1cftyp3gp5\x00\x00\x03\x00", "3GPP video"),
        (b"\x00\x00\x00\x1cftypM4V \x00\x00\x03\x00", "MPEG-4 video"),
        (b"\x00\x00\x00\x1cftypM4A \x00\x00\x03\x00", "MPEG-4 audio"),
        (b"II\xbc\x01\x20\x00\x00\x00", "JPEG XR"),
        (b"v/1\x01\x02\x00\x00\x00", "OpenEXR picture"),
        (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n", "Radiance HDR picture"),
        (bytes(128) + b"DICM\x02\x00", "DICOM picture"),
        (b"\xd7\xcd\xc6\x9a\x00\x00", "Windows metafile"),
        (b"\x01\x00\x00\x00\x58\x00\x00\x00" + bytes(80), "Windows metafile (EMF)"),
        (b"%!PS-Adobe-3.0 \n%%Creator: Adobe Illustrator(R) 24.0\n", "Illustrator drawing"),
        (b"\x06\x06\xed\xf5\xd8\x1d\x46\xe5\xbd\x31\xef\xe7\xfe\x74\xb7\x1dDOCUMENT", "InDesign document"),
        (b"\x00\xffKA\x0a\x00", "Affinity document"),
        (_zip("mimetype", "application/vnd.oasis.opendocument.text"), "OpenDocument document"),
        (_zip("[Content_Types].xml", "<Types/>"), "Office document"),
        (_zip("word/document.xml", "<w/>"), "Word document"),
        (_zip("mimetype", "application/x-krita"), "Krita picture"),
        (b"G" + bytes(187) + b"G" + bytes(187) + b"G", "MPEG transport stream"),
        (_zip(), "ZIP archive or office document"),
        (b"P5 was the name of the fifth player", "text"),
        (b"P6\nis no picture, and 1 2 3 does not make it one", "text"),
        (b"P5 2 players, 3 rounds each", "text"),
        (b"\x00\x00\x01\x00" + bytes(60), "unknown format"),
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
    assert str(caught.value) in (f"unsupported: {kind}.", f"no picture: {kind}.")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7", "unsupported"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00", "unsupported"),
        (b"v/1\x01\x02\x00\x00\x00", "unsupported"),
        (bytes(range(7, 200)), "unsupported"),
        (b"a text", "not_a_picture"),
        (b"PK\x03\x04", "not_a_picture"),
        (b"MZ\x90\x00", "not_a_picture"),
        (b"SQLite format 3\x00", "not_a_picture"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not_a_picture"),
        (bytes(600), "not_a_picture"),
    ],
)
def test_what_shows_something_is_told_from_what_does_not(data, kind):
    with pytest.raises(UnsupportedFormatError) as caught:
        require_format(data)
    assert caught.value.code == kind


@pytest.mark.parametrize(
    "head",
    [
        b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01",
        b"II*\x00\x10\x00\x00\x00CR\x02\x00",
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\x00\x00\x00",
        b"MMOR\x00\x00\x00\x08",
        b"IIU\x00\x18\x00\x00\x00",
        b"FOVb\x00\x00\x02\x00",
        b"\x00MRM\x00\x00\x00\x08",
        b"II\x1a\x00\x00\x00HEAPCCDR",
    ],
)
def test_cameras_have_their_own_signatures(head):
    assert sniff(head) == "RAW"


@pytest.mark.parametrize("brand", [b"jxl ", b"jp2 "])
def test_containers_of_other_pictures(brand):
    start = {b"jxl ": b"JXL ", b"jp2 ": b"jP  "}[brand]
    data = b"\x00\x00\x00\x0c" + start + b"\r\n\x87\n\x00\x00\x00\x14ftyp" + brand
    assert sniff(data) == {b"jxl ": "JXL", b"jp2 ": "JPEG2000"}[brand]


@pytest.mark.parametrize("size", [18, 19, 64, 600, 5000])
def test_data_of_any_kind_is_no_tga(size):
    generator = np.random.default_rng(size)
    for _ in range(2000):
        # The first bytes of a TGA are the likeliest ones of any binary file: small numbers.
        head = generator.choice([0, 0, 0, 1, 2, 3, 8, 9, 10, 11, 16, 24, 32], 18).astype(np.uint8).tobytes()
        data = head + generator.integers(0, 256, size - 18, dtype=np.uint8).tobytes()
        found = tga_header(data)
        if found:  # then the samples end where the file does, to four bytes
            assert found.compressed or 0 <= size - found.samples_at - found.width * found.height * found.bits // 8 <= 4


@pytest.mark.parametrize("text", [b"\x00\x01\x02 notes", b"a,b,c\n1,2,3\n" * 40, b"\x00" * 5000, b"\x02" * 800])
def test_text_and_plain_data_are_no_tga(text):
    assert tga_header(text) is None


def test_a_tga_is_known_with_and_without_its_footer(small_photo, encode):
    whole = encode(small_photo, "TGA")
    for data in (whole, whole[:-26], encode(small_photo, "TGA", compression="tga_rle")[:-26]):
        assert require_format(data) == "TGA"
    for data in (whole[:-27], whole[:-26] + bytes(5), whole[:2000], whole[1:]):
        with pytest.raises(UnsupportedFormatError):
            require_format(data)


def test_text_cut_inside_a_character_stays_text():
    assert describe(("x" + "ü" * 600).encode()[:512]) == "text"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PN", "unknown format"),  # a PNG of which three bytes are left
        (b"caf\xe9", "unknown format"),
        (b"\xff\xfe\x00\xa3\x01\x00\x02\x00\x07\xe0", "unknown format"),
        (b"\xff\xfe" + bytes(range(256)), "unknown format"),
        ("Grüße, Welt".encode(), "text"),
        (("ä" * 400).encode(), "text"),  # the head ends within a character
        (("x" + "ä" * 400).encode(), "text"),
        ("Grüße, Welt\r\n".encode("utf-16"), "text"),
        ("日本語の文章です。".encode("utf-16"), "text"),
        (("a" + "😀" * 200).encode("utf-16"), "text"),
    ],
)
def test_text_has_characters_that_people_write(data, kind):
    assert describe(data) == kind
