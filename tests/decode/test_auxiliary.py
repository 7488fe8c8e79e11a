"""What a file holds beside its picture is named, and what holds nothing beside it is left in peace."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from data.format_samples import (
    COLOURS,
    DEEP,
    PHOTO,
    SIZE,
    box,
    clear,
    heic_with,
    jxl,
    layered,
    movie,
    raw,
    saved,
    tiff,
    ultra_hdr,
    with_segment,
    xmp_jpeg,
)
from deeplens_kit.decode import decode_picture, native_samples
from deeplens_kit.decode.auxiliary import KINDS
from deeplens_kit.decode.behind import picture_end
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()
SOURCE_DATA = [(37724, "B", 40, bytes(40), True)]


def png_with(kind: bytes) -> bytes:
    import zlib

    data, body = saved("PNG"), b"layers"
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return data[:33] + chunk + data[33:]


def mpo(kind: int | None = None) -> bytes:
    """Two pictures in one JPEG; `kind` in the index says what the second is."""
    data = saved("MPO", save_all=True, append_images=[PHOTO.rotate(180)])
    if kind is None:
        return data
    index = data.index(b"MPF\x00") + 4
    entries = data.index(b"\x07\x00\x04\x00\x00\x000100", index)  # the version, after which the entries are named
    at = index + int.from_bytes(data[entries + 30 : entries + 34], "little") + 16
    return data[:at] + struct.pack("<I", kind) + data[at + 4 :]


def with_preview_index() -> bytes:
    """A JPEG with a gain map and one picture more, both named in its index."""
    plain, hdr = saved("JPEG"), ultra_hdr()
    second = picture_end(hdr, 0)
    assert second is not None
    start = hdr.index(b"\xff\xd8\xff", second)
    gain_map = hdr[start : picture_end(hdr, start)]
    # Version, count of pictures and one entry for each, as CIPA DC-007 has it.
    head = b"MM\x00*\x00\x00\x00\x08" + struct.pack(">H", 3)
    head += struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, 3)
    head += struct.pack(">HHII", 0xB002, 7, 48, 50) + bytes(4)
    origin = 2 + 4 + 4
    whole = len(plain) + 4 + 4 + len(head) + 48
    places = ((0x030000, whole, 0), (0, len(gain_map), whole - origin), (0, len(plain), whole + len(gain_map) - origin))
    entries = b"".join(struct.pack(">III4x", *place) for place in places)
    return with_segment(plain, 0xE2, b"MPF\x00" + head + entries) + gain_map + plain


def notes(*blocks: bytes) -> bytes:
    """What phones of Samsung append: blocks, and where each of them stands."""
    body, entries = b"", b""
    for block in blocks:
        entries += struct.pack("<HHII", 0, 0x0A01, sum(map(len, blocks)) - len(body), len(block))
        body += block
    head = b"SEFH" + struct.pack("<II", 106, len(blocks)) + entries
    return body + head + struct.pack("<I", len(head)) + b"SEFT"


def selected_psd() -> bytes:
    """A flat PSD with a saved selection: a fourth channel."""
    data = saved("PSD")
    assert data[12:14] == b"\x00\x03"
    size = SIZE[0] * SIZE[1]
    # Without resources and layers, samples as they are.
    return data[:12] + b"\x00\x04" + data[14:26] + bytes(12) + bytes(2) + np.zeros(4 * size, np.uint8).tobytes()


def layered_psb() -> bytes:
    """A PSB of 16 bits, whose layers stand in a block with the signature of large files."""
    block = b"8B64Lr16" + struct.pack(">Q", 2) + struct.pack(">h", 2)
    layers = bytes(8) + bytes(4) + block
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 2, 3, SIZE[1], SIZE[0], 16, 3) + bytes(8)
    return head + struct.pack(">Q", len(layers)) + layers + bytes(2) + DEEP.astype(">u2").transpose(2, 0, 1).tobytes()


def icon(*sides: int) -> bytes:
    stream = io.BytesIO()
    PHOTO.resize((64, 64)).save(stream, "ICO", sizes=[(side, side) for side in sides])
    return stream.getvalue()


ARCHIVE = b"PK\x03\x04" + bytes(range(1, 60))
NOTE = b"\x00\x00\x01\x0a\x0e\x00\x00\x00Image_UTC_Data1700000000000"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(saved("JPEG") + b"BRCM" + bytes(range(256)), "unknown data", id="RAW of a Raspberry Pi"),
        pytest.param(saved("JPEG") + ARCHIVE, "unknown data", id="JPEG with an archive"),
        pytest.param(saved("JPEG") + saved("JPEG"), "unknown data", id="JPEG behind a JPEG"),
        pytest.param(mpo() + ARCHIVE, "pictures, unknown data", id="MPO with an archive"),
        pytest.param(ultra_hdr() + ARCHIVE, "gain map, unknown data", id="Ultra HDR with an archive"),
        pytest.param(saved("JPEG") + bytes(5000), "", id="JPEG filled up with zeros"),
        pytest.param(saved("JPEG") + b"\xff\xd9\xff\xff\r\n", "", id="JPEG whose end is said twice"),
        pytest.param(mpo(0x010002) + bytes(512), "", id="a preview and filling"),
        pytest.param(saved("JPEG") + notes(NOTE, NOTE), "", id="notes of a Samsung"),
        pytest.param(saved("JPEG") + notes(NOTE, bytes(range(1, 255)) * 9), "unknown data", id="more than notes"),
        pytest.param(saved("JPEG") + ARCHIVE + notes(NOTE), "unknown data", id="an archive before notes"),
        pytest.param(with_preview_index(), "gain map, pictures", id="gain map and a further picture"),
        *(
            pytest.param(saved(kind) + ARCHIVE, "unknown data", id=f"{kind} with an archive")
            for kind in ("PNG", "WEBP", "GIF", "BMP", "HEIF", "AVIF", "PNM")
        ),
        *(
            pytest.param(saved(kind) + bytes(64), "", id=f"{kind} filled up with zeros")
            for kind in ("PNG", "WEBP", "GIF", "BMP", "HEIF", "AVIF", "PNM")
        ),
        pytest.param(saved("HEIF") + box(b"abcd", b"something"), "unknown data", id="HEIC with an unknown box"),
        pytest.param(saved("HEIF") + box(b"sefd", notes(NOTE)), "", id="HEIC with notes of a Samsung"),
        pytest.param(saved("PNM") * 2, "pictures", id="two portable maps"),
        pytest.param(b"P2 2 1 9\n1 0\nP2 2 1 9\n0 1\n", "pictures", id="two portable maps in text"),
        pytest.param(selected_psd(), "channels", id="PSD with a saved selection"),
        pytest.param(
            tiff(np.dstack([COLOURS, COLOURS[:, :, 0]]), photometric="rgb", extrasamples=["unspecified"]),
            "channels",
            id="TIFF with a saved selection",
        ),
        pytest.param(saved("TIFF", clear()), "", id="TIFF with transparency"),
        pytest.param(saved("TIFF", PHOTO.convert("CMYK")), "", id="TIFF of inks"),
        pytest.param(layered_psb(), "layers", id="PSB with layers"),
        pytest.param(icon(64, 32), "sizes", id="icon in two sizes"),
        pytest.param(icon(64), "", id="icon in one size"),
        pytest.param(ultra_hdr(), "gain map", id="Ultra HDR"),
        pytest.param(xmp_jpeg(b'hdrgm:Version="1.0"'), "gain map", id="gain map by XMP"),
        pytest.param(xmp_jpeg(b'GDepth:Format="RangeInverse"'), "depth", id="depth by XMP"),
        pytest.param(xmp_jpeg(b'GAudio:Mime="audio/mp4"'), "sound", id="sound by XMP"),
        pytest.param(xmp_jpeg(b'GCamera:MotionPhoto="1"') + movie(), "video", id="motion photo"),
        pytest.param(xmp_jpeg(b'GCamera:MicroVideo="1"') + movie(), "video", id="micro video"),
        pytest.param(xmp_jpeg(b'GCamera:MotionPhoto="0"'), "", id="motion that was switched off"),
        pytest.param(saved("JPEG") + b"MotionPhoto_Data" + movie(), "video", id="motion photo of Samsung"),
        pytest.param(saved("JPEG") + movie(), "video", id="a video behind a picture"),
        pytest.param(with_segment(saved("JPEG"), 0xE1, b"FLIR\x00\x01"), "thermal", id="temperatures"),
        pytest.param(mpo(), "pictures", id="MPO"),
        pytest.param(mpo(0x010002), "", id="a preview for large screens"),
        pytest.param(heic_with(b"urn:com:apple:hdrgainmap"), "gain map", id="HEIC with a gain map"),
        pytest.param(heic_with(b"urn:mpeg:hevc:2015:auxid:2"), "depth", id="HEIC with depth"),
        pytest.param(heic_with(b"urn:x:semanticskinmatte"), "mattes", id="HEIC with a matte"),
        pytest.param(saved("HEIF") + b"\x00\x00\x00\x10mpvd" + bytes(8), "video", id="HEIC with a video"),
        pytest.param(raw(), "sensor data", id="RAW"),
        pytest.param(layered(), "layers", id="PSD with layers"),
        pytest.param(png_with(b"mkBT"), "layers", id="PNG of Fireworks"),
        pytest.param(tiff(COLOURS, photometric="rgb", extratags=SOURCE_DATA), "layers", id="TIFF with layers"),
        pytest.param(tiff(np.stack([COLOURS] * 3), photometric="rgb"), "pages", id="TIFF of three pages"),
        *(
            pytest.param(saved(kind), "", id=f"plain {kind}")
            for kind in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "HEIF", "AVIF", "PSD", "ICO", "TGA", "PNM", "JXL")
        ),
        pytest.param(saved("HEIF", clear()), "", id="HEIC with transparency"),
        pytest.param(tiff(DEEP, photometric="rgb"), "", id="deep TIFF"),
        pytest.param(jxl(usecontainer=True), "", id="JPEG XL in a container"),
    ],
)
def test_what_is_beside_the_picture_is_named(data, expected):
    found = decode_picture(data, LIMITS).metadata.auxiliary
    assert found == expected
    if expected:
        assert set(found.split(", ")) <= set(KINDS)
        assert native_samples(data, LIMITS) == ""  # equal samples would not make two such files equal


def test_the_words_are_sorted_and_known_to_the_policy():
    from deeplens_kit.matching.traits import beside_bit

    assert list(KINDS) == sorted(KINDS)
    assert len({beside_bit(kind) for kind in KINDS}) == len(KINDS)
    both = ultra_hdr() + movie()
    assert decode_picture(both, LIMITS).metadata.auxiliary == "gain map, video"


def test_the_base_picture_of_a_gain_map_is_what_is_shown():
    plain = ultra_hdr()
    shown = decode_picture(plain, LIMITS).rgb
    assert shown.shape == (64, 96, 3)
    assert np.corrcoef(shown.ravel(), COLOURS.ravel())[0, 1] > 0.9
