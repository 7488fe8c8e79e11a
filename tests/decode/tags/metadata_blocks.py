"""Blocks of metadata made by hand or by Pillow, and files that hold them."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

RDF = 'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
NAMESPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" xmlns:Iptc4xmpCore="http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/" '
    'xmlns:xmpNote="http://ns.adobe.com/xmp/note/"'
)


def xmp_packet(attributes: str = "", inner: str = "") -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF {RDF}><rdf:Description rdf:about="" {NAMESPACES} {attributes}>{inner}</rdf:Description></rdf:RDF>'
        '</x:xmpmeta>    <?xpacket end="w"?>'
    ).encode()


def iptc_block(*sets: tuple[int, bytes], utf8: bool = True) -> bytes:
    charset = b"\x1c\x01\x5a\x00\x03\x1b%G" if utf8 else b""
    return charset + b"".join(b"\x1c\x02" + struct.pack(">BH", number, len(body)) + body for number, body in sets)


def resource(number: int, body: bytes, name: bytes = b"") -> bytes:
    padded = struct.pack("B", len(name)) + name
    padded += bytes(len(padded) & 1)
    return b"8BIM" + struct.pack(">H", number) + padded + struct.pack(">I", len(body)) + body + bytes(len(body) & 1)


def exif_block(
    main: dict[int, object] | None = None, inner: dict[int, object] | None = None, gps: dict[int, object] | None = None
) -> bytes:
    """An EXIF block with its leading "Exif", written by Pillow."""
    exif = Image.Exif()
    exif.update(main or {})
    exif.get_ifd(0x8769).update(inner or {})
    exif.get_ifd(0x8825).update(gps or {})
    return exif.tobytes()


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*segments: bytes) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(stream, "JPEG")
    data = stream.getvalue()
    return data[:2] + b"".join(segments) + data[2:]


def jpeg_of(*, exif: bytes = b"", xmp: bytes = b"", iptc: bytes = b"") -> bytes:
    parts = [segment(0xE1, exif)] if exif else []
    parts += [segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + xmp)] if xmp else []
    parts += [segment(0xED, b"Photoshop 3.0\x00" + resource(0x0404, iptc))] if iptc else []
    return jpeg_with(*parts)


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(stream, "PNG")
    data = stream.getvalue()
    more = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return data[:33] + more + data[33:]


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body
