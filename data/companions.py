"""Files that belong with a picture and are none that is read: a RAW file, a movie, a sidecar.

Takes what they belong with, gives their bytes; must not read or write files. They hold as much as is needed to tell
what they are.
"""

from __future__ import annotations

import struct

import numpy as np

__all__ = ["movie", "raw_file", "sidecar"]


def raw_file(preview: bytes, size: tuple[int, int]) -> bytes:
    """A camera's RAW file as DNG: a TIFF that shows its JPEG preview first and holds the sensor's samples behind."""
    sensor = np.random.default_rng(5).integers(0, 4096, 64 * 48, dtype="<u2").tobytes()
    camera = b"Example Cameras\x00\x00"

    def directory(entries: list[tuple[int, int, int, int]]) -> bytes:
        packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
        return struct.pack("<H", len(entries)) + packed + bytes(4)

    first_at, first_entries = 8, 11
    second_at = first_at + 6 + 12 * first_entries
    second_entries = 9
    maker_at = second_at + 6 + 12 * second_entries
    preview_at = maker_at + len(camera)
    sensor_at = preview_at + len(preview)
    first = directory([
        (254, 4, 1, 1), (256, 4, 1, size[0]), (257, 4, 1, size[1]), (259, 3, 1, 7), (262, 3, 1, 6),
        (271, 2, len(camera) - 1, maker_at), (273, 4, 1, preview_at), (277, 3, 1, 3), (279, 4, 1, len(preview)),
        (330, 4, 1, second_at), (50706, 1, 4, 0x00000401),
    ])  # fmt: skip
    second = directory([
        (254, 4, 1, 0), (256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 32803),
        (273, 4, 1, sensor_at), (277, 3, 1, 1), (279, 4, 1, len(sensor)),
    ])  # fmt: skip
    return b"II*\x00" + struct.pack("<I", first_at) + first + second + camera + preview + sensor


def movie() -> bytes:
    """The start of a QuickTime movie, which is all that tells one."""
    return struct.pack(">I4s4sI4s", 20, b"ftyp", b"qt  ", 0, b"qt  ") + struct.pack(">I4s", 1032, b"mdat") + bytes(1024)


def sidecar(rating: int) -> bytes:
    """An XMP sidecar with what somebody noted about a picture."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{rating}"/></rdf:RDF></x:xmpmeta>\n'
    ).encode()
