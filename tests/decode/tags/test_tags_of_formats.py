"""Every block of every format that is read is found, whoever wrote it."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable

import pillow_heif
import pytest
from metadata_blocks import (
    box,
    exif_block,
    iptc_block,
    jpeg_of,
    jpeg_with,
    png_with,
    resource,
    segment,
    xmp_packet,
)
from PIL import Image, ImageCms

from deeplens_kit.decode import decode_picture
from deeplens_kit.decode.tags import PictureTags, read_tags
from deeplens_kit.settings import DecodeSettings

EXIF = exif_block({0x010F: "Canon", 0x013B: "Ada"}, {0x9003: "2019:07:14 18:03:59"}, {1: "N", 2: (47.0, 22.0, 1.5)})
XMP = xmp_packet('xmp:Rating="5"', "<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li></rdf:Seq></dc:creator>")
IPTC = iptc_block((80, "Ada Löwe".encode()), (25, b"one"), (25, b"two"))
GIF_TRAILER = b"\x01" + bytes(range(255, -1, -1)) + b"\x00;"
XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
PICTURE = Image.new("RGB", (16, 12), "red")


def of(data: bytes) -> PictureTags:
    return read_tags(data)[0]


def saved(format_name: str, **options: object) -> bytes:
    stream = io.BytesIO()
    if format_name == "HEIF":
        pillow_heif.from_pillow(PICTURE).save(stream, **options)
    else:
        PICTURE.save(stream, format_name, **options)
    return stream.getvalue()


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_exif_and_xmp_of_what_libraries_write(format_name: str) -> None:
    if format_name == "TIFF":
        exif = Image.Exif()
        exif.load(EXIF)
        exif[700] = XMP
        data = saved("TIFF", exif=exif)
    elif format_name == "PNG":
        data = png_with((b"eXIf", EXIF[6:]), (b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + XMP))
    else:
        data = saved(format_name, exif=EXIF, xmp=XMP)
    found = of(data)
    assert found.value("EXIF", "Make") == "Canon"
    assert found.value("EXIF", "DateTimeOriginal") == "2019:07:14 18:03:59"
    assert found.value("GPS", "GPSLatitude") == "47 22 1.5"
    assert (found.value("XMP", "xmp:Rating"), found.value("XMP", "dc:creator")) == ("5", "Ada")
    assert found.problems == ()


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF", "BMP"])
def test_nothing_private_is_invented(format_name: str) -> None:
    found, dates = read_tags(saved(format_name))
    assert [tag for tag in found.tags if tag.sensitive] == []
    assert (found.problems, found.maker_note, dates.dated_at) == ((), None, None)


WRAPPED: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: jpeg_of(iptc=IPTC),
    "JPEG in two segments": lambda: jpeg_with(
        segment(0xED, b"Photoshop 3.0\x00" + resource(0x0404, IPTC)[:20]),
        segment(0xED, b"Photoshop 3.0\x00" + resource(0x0404, IPTC)[20:]),
    ),
    "JPEG behind a named resource": lambda: jpeg_with(
        segment(0xED, b"Photoshop 3.0\x00" + resource(0x03ED, b"odd", b"name") + resource(0x0404, IPTC))
    ),
    "TIFF": lambda: saved("TIFF", tiffinfo={33723: IPTC}),
    "TIFF in resources": lambda: saved("TIFF", tiffinfo={34377: resource(0x0404, IPTC), 33723: IPTC}),
    "PNG of ImageMagick": lambda: png_with(
        (b"zTXt", b"Raw profile type iptc\x00\x00" + zlib.compress(b"\niptc\n %7d\n" % len(IPTC) + IPTC.hex().encode()))
    ),
    "PSD": lambda: (
        b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, 12, 16, 8, 3) + bytes(4)
        + struct.pack(">I", len(resource(0x0404, IPTC))) + resource(0x0404, IPTC)
    ),
    "JPEG 2000": lambda: (
        box(b"jP  ", b"\r\n\x87\n") + box(b"uuid", bytes.fromhex("33C7A4D2B81D4723A0BAF1A3E097AD38") + IPTC)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPPED)
def test_iptc_wherever_it_lies(name: str) -> None:
    found = of(WRAPPED[name]())
    assert [(tag.name, tag.value, tag.sensitive) for tag in found.tags if tag.group == "IPTC"] == [
        ("By-line", "Ada Löwe", "name"),
        ("Keywords", "one; two", "free text"),
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("GIF", b"GIF89a" + bytes(7) + b"\x21\xff\x0bXMP DataXMP" + XMP + GIF_TRAILER),
        ("JPEG XL", box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl ") + box(b"xml ", XMP)),
        ("JPEG 2000", box(b"jP  ", b"\r\n\x87\n") + box(b"uuid", XMP_UUID + XMP)),
        ("PNG of ImageMagick", png_with((b"tEXt", b"Raw profile type xmp\x00\nxmp\n  9\n" + XMP.hex().encode()))),
        ("RAF", b"FUJIFILMCCD-RAW ".ljust(84, b"0") + struct.pack(">II", 92, 5000) + jpeg_of(xmp=XMP)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_xmp_wherever_it_lies(name: str, data: bytes) -> None:
    assert of(data).value("XMP", "dc:creator") == "Ada", name


def test_exif_in_a_box_of_jpeg_xl_and_in_a_raw_profile_of_png() -> None:
    boxes = box(b"JXL ", b"\r\n\x87\n") + box(b"Exif", struct.pack(">I", 6) + EXIF)
    profile = b"Raw profile type exif\x00\nexif\n  9\n" + EXIF.hex().encode()
    for data in (boxes, png_with((b"tEXt", profile))):
        assert of(data).value("EXIF", "Make") == "Canon"


def test_extended_xmp_is_put_together_whatever_the_order_of_its_parts() -> None:
    whole = xmp_packet('photoshop:City="Bern"')
    guid = hashlib.md5(whole, usedforsecurity=False).hexdigest().upper().encode()
    head = b"http://ns.adobe.com/xmp/extension/\x00" + guid
    parts = [
        segment(0xE1, head + struct.pack(">II", len(whole), at) + whole[at : at + 300])
        for at in range(0, len(whole), 300)
    ]
    named = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + xmp_packet(f'xmpNote:HasExtendedXMP="{guid.decode()}"'))
    assert of(jpeg_with(named, *reversed(parts))).value("XMP", "photoshop:City") == "Bern"
    assert of(jpeg_with(named, *parts[1:])).problems == ("extended XMP is cut off",)
    assert of(jpeg_with(*parts)).problems == ("extended XMP that nothing names",)


def test_the_profile_is_called_by_its_name_in_the_tags_and_in_the_facts() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for format_name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"):
        decoded = decode_picture(saved(format_name, icc_profile=profile), DecodeSettings())
        assert decoded.metadata.icc_name == "sRGB built-in"
        assert decoded.tags.value("ICC", "ProfileDescription") == "sRGB built-in"


def test_texts_of_png_and_a_comment_of_jpeg() -> None:
    found = of(
        png_with((b"tEXt", b"Software\x00GIMP"), (b"tEXt", b"parameters\x00a cat"), (b"iTXt", b"Author\0\0\0\0\0Ada"))
    )
    assert [(tag.name, tag.value, tag.sensitive) for tag in found.tags] == [
        ("Software", "GIMP", ""),
        ("parameters", "a cat", "free text"),
        ("Author", "Ada", "name"),
    ]
    assert of(saved("JPEG", comment=b"hello")).value("JPEG", "Comment") == "hello"


def test_a_maker_note_is_kept_raw_and_a_long_one_by_its_digest() -> None:
    note = bytes(range(256)) * 3
    found = of(jpeg_of(exif=exif_block(inner={0x927C: note})))
    assert (found.maker_note, found.value("EXIF", "MakerNote")) == (note, "768 bytes")
    assert b"\x01\x02" not in repr(found).encode() and "\\x01" not in repr(found)
    long = bytes(65_537)
    found = of(saved("WEBP", exif=exif_block(inner={0x927C: long})))
    assert found.maker_note is None
    assert hashlib.sha256(long).hexdigest() in found.value("EXIF", "MakerNote")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"ASCII\x00\x00\x00plain", "plain"),
        (b"UNICODE\x00" + "größer".encode("utf-16-le"), "größer"),
        (b"UNICODE\x00" + "größer".encode("utf-16-be"), "größer"),
        (bytes(8) + "größer".encode(), "größer"),
        (b"ASCII\x00\x00\x00" + b" " * 30, ""),
    ],
)
def test_comments_in_every_alphabet(raw: bytes, said: str) -> None:
    assert of(jpeg_of(exif=exif_block(inner={0x9286: raw}))).value("EXIF", "UserComment") == said


def test_tags_travel_as_json() -> None:
    found = of(jpeg_of(exif=EXIF, xmp=XMP, iptc=IPTC))
    assert PictureTags.from_json(found.to_json(), found.maker_note) == found
    with pytest.raises(ValueError, match="no tags"):
        PictureTags.from_json({"problems": []})
