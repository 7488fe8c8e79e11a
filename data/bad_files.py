"""Files that a folder of pictures holds in real life and that are no readable picture.

Takes pictures' bytes, gives damaged or hostile bytes; must not read or write files. Each of them has to end as a
row with a reason, never as a crash or a silence.
"""

from __future__ import annotations

import struct
import zlib

__all__ = ["PNG_SIGNATURE", "decompression_bomb", "scrambled_png", "truncated"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def truncated(content: bytes, share: float) -> bytes:
    """The first `share` (0..1) of the bytes, as an interrupted transfer leaves them."""
    return content[: round(len(content) * share)]


def scrambled_png(png: bytes) -> bytes:
    """A PNG whose header stands while its compressed samples are overwritten, as by a failing disk."""
    at = png.index(b"IDAT") + 4
    return png[:at] + bytes((37 * position + 11) % 256 for position in range(len(png) - at))


def decompression_bomb(side_px: int) -> bytes:
    """A PNG of under 200 bytes that claims `side_px` times `side_px` pixels (PNG specification, 11.2.1)."""
    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    return PNG_SIGNATURE + b"".join(
        _chunk(kind, body) for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(64), 9)), (b"IEND", b""))
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
