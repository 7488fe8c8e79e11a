"""Untrusted blocks: no bytes raise, what comes out is bounded, what is broken is told, and the picture is kept."""

from __future__ import annotations

import random
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metadata_blocks import RDF, box, exif_block, iptc_block, jpeg_of, png_with, resource, segment, xmp_packet

from deeplens_kit.decode import decode_picture
from deeplens_kit.decode.tags import PictureTags, read_tags
from deeplens_kit.decode.tags.icc import profile_name
from deeplens_kit.decode.tags.tag import (
    MAX_MAKER_NOTE_BYTES,
    MAX_NAME_CHARACTERS,
    MAX_TAGS,
    MAX_TEXT_CHARACTERS,
    MAX_VALUE_CHARACTERS,
)
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()
SOUND = {
    "exif": exif_block(
        {0x010F: "Canon", 0x0110: "EOS"}, {0x9003: "2019:07:14 18:03:59", 0x927C: b"\x01" * 40}, {1: "N"}
    ),
    "xmp": xmp_packet('xmp:Rating="5"', "<dc:creator><rdf:Seq><rdf:li>Ada</rdf:li></rdf:Seq></dc:creator>"),
    "iptc": iptc_block((80, b"Ada"), (25, b"one"), (55, b"20190714")),
}
STARTS = (
    b"\xff\xd8\xff\xe1", b"\x89PNG\r\n\x1a\n", b"RIFF\x00\x00\x00\x00WEBP", b"GIF89a", b"II*\x00", b"MM\x00*",
    b"II+\x00\x08\x00\x00\x00", b"8BPS\x00\x01", b"\x00\x00\x00\x0cJXL \r\n\x87\n", b"\x00\x00\x00\x0cjP  \r\n\x87\n",
    b"\x00\x00\x00\x18ftypheic", b"FUJIFILMCCD-RAW", b"",
)  # fmt: skip


def bounded(found: PictureTags) -> PictureTags:
    assert len(found.tags) <= MAX_TAGS
    assert sum(len(tag.name) + len(tag.value) for tag in found.tags) <= MAX_TEXT_CHARACTERS
    for tag in found.tags:
        assert 0 < len(tag.value) <= MAX_VALUE_CHARACTERS
        assert len(tag.name) <= MAX_NAME_CHARACTERS
        assert tag.value.isprintable() and tag.name.isprintable()
    assert len(found.problems) <= 40
    assert found.maker_note is None or len(found.maker_note) <= MAX_MAKER_NOTE_BYTES
    assert PictureTags.from_json(found.to_json(), found.maker_note) == found
    return found


@settings(max_examples=300, deadline=None)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=600))
def test_any_bytes(start: bytes, rest: bytes) -> None:
    bounded(read_tags(start + rest, rest)[0])


@settings(max_examples=150, deadline=None)
@given(block=st.sampled_from(["exif", "xmp", "iptc"]), body=st.binary(max_size=400))
def test_any_block(block: str, body: bytes) -> None:
    lead = {"exif": b"Exif\x00\x00MM\x00*\x00\x00\x00\x08", "xmp": b"", "iptc": b"\x1c\x02"}[block]
    bounded(read_tags(jpeg_of(**{block: lead + body}))[0])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("block", ["exif", "xmp", "iptc"])
def test_mutated_blocks_never_cost_the_picture(block: str, seed: int) -> None:
    chance = random.Random(f"{block} {seed}")
    wanted = decode_picture(jpeg_of(), LIMITS).rgb
    for round_number in range(60):
        mutated = bytearray(SOUND[block])
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(mutated))
            mutated[at : at + chance.choice((0, 1, 1, 1, 9))] = chance.randbytes(chance.choice((0, 1, 1, 1, 5)))
        data = jpeg_of(**{**SOUND, block: bytes(mutated)})
        bounded(read_tags(data)[0])
        if round_number % 12 == 0:
            decoded = decode_picture(data, LIMITS)
            # A mutated orientation turns the picture; its samples are there all the same.
            assert decoded.rgb.size == wanted.size
        others = [name for name in SOUND if name != block]
        found = {tag.group for tag in read_tags(data)[0].tags}
        assert {name.upper() for name in others} <= found


def test_what_is_broken_is_told_and_the_rest_is_kept() -> None:
    data = jpeg_of(exif=b"Exif\x00\x00nonsense", xmp=SOUND["xmp"][:-80], iptc=SOUND["iptc"][:-4])
    found = read_tags(data)[0]
    assert set(found.problems) == {"EXIF has no header", "XMP is no XML", "IPTC is cut off"}
    assert found.value("XMP", "xmp:Rating") == "5"
    assert found.value("IPTC", "By-line") == "Ada"
    decoded = decode_picture(data, LIMITS)
    assert np.array_equal(decoded.rgb, decode_picture(jpeg_of(), LIMITS).rgb)
    assert decoded.tags == found


def directory(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    return (
        struct.pack("<H", len(entries))
        + b"".join(struct.pack("<HHII", *e) for e in entries)
        + struct.pack("<I", following)
    )


def exif_of(*entries: tuple[int, int, int, int], more: bytes = b"", following: int = 0) -> bytes:
    return b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + directory(*entries, following=following) + more


@pytest.mark.parametrize(
    "block",
    [
        exif_of((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), following=8),
        exif_of((0x8769, 4, 1, 8), (0xA005, 4, 1, 8)),
        exif_of((0x8769, 4, 1, 0xFFFFFFFF), (0x8825, 9, 1, 0xFFFFFFFF)),
        exif_of((0x8769, 2, 4, 8), (0x8825, 11, 1, 0x7FC00000)),
        exif_of((0x8769, 4, 0xFFFFFFFF, 8)),
    ],
    ids=["all at itself", "loop", "beyond", "of the wrong type", "count"],
)
def test_directories_that_point_at_themselves_or_nowhere(block: bytes) -> None:
    started = time.process_time()
    bounded(read_tags(jpeg_of(exif=block))[0])
    assert time.process_time() - started < 1.0


def test_huge_counts_cost_nothing_and_tell_their_length() -> None:
    body = bytes(3_000_000)
    start = 8 + len(directory(*[(0, 0, 0, 0)] * 4))
    entries = [(0x9000, 3, 1_400_000, start), (0x9001, 5, 370_000, start), (0x9002, 12, 370_000, start),
               (0x927C, 7, 2_900_000, start)]  # fmt: skip
    data = b"II*\x00\x08\x00\x00\x00" + directory(*entries) + body
    started = time.process_time()
    found = bounded(read_tags(data)[0])
    assert time.process_time() - started < 0.5
    assert found.value("EXIF", "ExifVersion").endswith("… (1400000 values)")
    assert "2900000 bytes" in found.value("EXIF", "MakerNote")


def test_many_tags_are_cut_at_the_bound_and_told() -> None:
    entries = [(tag, 4, 1, tag) for tag in range(0xB000, 0xB000 + 4000)]
    found = bounded(read_tags(b"II*\x00\x08\x00\x00\x00" + directory(*entries))[0])
    assert len(found.tags) == MAX_TAGS
    assert found.problems == ("more tags than are kept",)


BOMB = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "packet",
    [
        BOMB + xmp_packet('xmp:Rating="&b;"'),
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + xmp_packet(),
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>' + xmp_packet(inner="<dc:source>&a;</dc:source>"),
    ],
    ids=["entities", "external document type", "external entity"],
)
def test_document_types_and_entities_are_refused(packet: bytes) -> None:
    found = read_tags(jpeg_of(xmp=packet))[0]
    assert found.problems == ("XMP declares a document type or an entity",)
    assert found.tags == ()


def test_an_undeclared_entity_is_no_xml() -> None:
    assert read_tags(jpeg_of(xmp=xmp_packet(inner="<dc:source>&a;</dc:source>")))[0].problems == ("XMP is no XML",)


def test_depth_and_length_of_xmp_are_bounded() -> None:
    deep = f"<x xmlns:dc='d'><rdf:RDF {RDF}>" + "<dc:a>" * 5000
    for packet in (deep.encode(), xmp_packet(inner="<dc:a/>" * 8000)):
        assert len(packet) < 65_000
        started = time.process_time()
        bounded(read_tags(jpeg_of(xmp=packet))[0])
        assert time.process_time() - started < 1.0
    assert read_tags(jpeg_of(xmp=deep.encode()))[0].problems == ("XMP is too long or too deep",)
    long = b"GIF89a" + bytes(7)
    long += b"\x21\xff\x0bXMP DataXMP" + b" " * 2_000_000 + b"\x01\xff\xfe\xfd"
    assert read_tags(long)[0].problems == ("XMP is cut off",)


def test_a_foreign_prefix_hides_nothing() -> None:
    packet = (
        f'<rdf:RDF {RDF}><rdf:Description xmlns:harmless="http://purl.org/dc/elements/1.1/" '
        'xmlns:crs="http://ns.adobe.com/photoshop/1.0/" harmless:creator="Ada" crs:City="Bern"/></rdf:RDF>'
    )
    found = read_tags(jpeg_of(xmp=packet.encode()))[0]
    assert {(tag.name, tag.sensitive) for tag in found.tags} == {("dc:creator", "name"), ("photoshop:City", "position")}


def test_control_characters_and_directions_do_not_reach_a_terminal() -> None:
    packet = xmp_packet('xmp:Label="a\u202eb\u2028c"')
    found = bounded(read_tags(jpeg_of(exif=exif_block({0x0110: "\x1b[31mred\x07"}), xmp=packet))[0])
    assert found.value("EXIF", "Model") == "[31mred"
    assert found.value("XMP", "xmp:Label") == "a b c"


def test_packed_texts_are_inflated_within_a_bound() -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    data = png_with(*[(b"zTXt", b"Comment\x00\x00" + bomb)] * 3, (b"zTXt", b"Software\x00\x00" + zlib.compress(b"ok")))
    started = time.process_time()
    found = bounded(read_tags(data)[0])
    assert time.process_time() - started < 1.0
    assert "a text of the PNG is too long to be read" in found.problems


def test_resources_and_lengths_that_lie() -> None:
    for body in (
        resource(0x0404, SOUND["iptc"])[:-9],
        b"8BIM\x04\x04\xff",
        b"8BIM\x04\x04\x00\x00\xff\xff\xff\xff",
        resource(0x0404, b"\x1c\x02\x50\x80\x04\xff\xff\xff\xffshort"),
        resource(0x0404, b"\x1c\x02\x50\xff\xff"),
    ):
        bounded(read_tags(with_resources(body))[0])


def with_resources(body: bytes) -> bytes:
    return jpeg_of()[:2] + segment(0xED, b"Photoshop 3.0\x00" + body) + jpeg_of()[2:]


@settings(max_examples=200, deadline=None)
@given(count=st.binary(min_size=4, max_size=4), body=st.binary(max_size=200), kind=st.sampled_from([b"desc", b"mluc"]))
def test_any_profile(count: bytes, body: bytes, kind: bytes) -> None:
    profile = bytes(128) + count + b"desc" + struct.pack(">II", 144, 200) + kind + body
    name = profile_name(profile)
    assert name is None or 0 < len(name) <= MAX_NAME_CHARACTERS


def heif_with(extents: int, items: int) -> bytes:
    """A container whose text items each consist of extents that are the whole file."""
    numbers = range(1, items + 1)
    entries = b"".join(box(b"infe", b"\x02\x00\x00\x00" + struct.pack(">HH", n, 0) + b"mime\x00") for n in numbers)
    info = box(b"iinf", bytes(4) + struct.pack(">H", items) + entries)
    places = b"".join(struct.pack(">HHH", n, 0, extents) + struct.pack(">II", 0, 50_000) * extents for n in numbers)
    location = box(b"iloc", bytes(4) + b"\x44\x00" + struct.pack(">H", items) + places)
    return box(b"ftyp", b"heic" + bytes(4)) + box(b"meta", bytes(4) + info + location) + bytes(50_000)


@pytest.mark.parametrize(("extents", "items"), [(5_000, 1), (1, 3_000)])
def test_items_that_repeat_the_file_are_no_bomb(extents: int, items: int) -> None:
    tracemalloc.start()
    started = time.process_time()
    bounded(read_tags(heif_with(extents, items))[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - started < 2.0
    assert peak < 8_000_000
