"""Members of a ZIP archive that are compressed by bzip2 or LZMA, unpacked forwards.

Takes the compressed bytes of a member and what the archive's directory says of it; must not hold more than a
megabyte of what they unpack to beyond what is asked for: a few hundred bytes can become a gigabyte.
"""

from __future__ import annotations

import bz2
import lzma
import zipfile
import zlib
from typing import Any, BinaryIO

__all__ = ["Unpacked"]

_CHUNK_BYTES = 2**16  # read at once
_MOST_UNPACKED_BYTES = 2**20
_MOST_LZMA_BYTES = 2**28  # of a dictionary, whose size the archive names; usual are at most 64 MiB
# Of a member's flags: its end is marked, and its size need not be known (APPNOTE.TXT 4.4.4).
_HAS_END_MARK = 0x2


class Unpacked:
    """A member as a file that is read and sought in forwards.

    Args:
        packed: Its compressed bytes, from their start.
        info: What the archive says of it.
    """

    def __init__(self, packed: BinaryIO, info: zipfile.ZipInfo) -> None:
        self._packed, self._info = packed, info
        self._decompressor: Any = bz2.BZ2Decompressor() if info.compress_type == zipfile.ZIP_BZIP2 else self._lzma()
        self._position, self._crc = 0, 0

    def tell(self) -> int:
        """Where it stands in what it unpacks to."""
        return self._position

    def seek(self, position: int) -> None:
        """Unpack and forget what lies before a place that follows; stops at the end."""
        while self._position < position and self.read(min(_MOST_UNPACKED_BYTES, position - self._position)):
            pass

    def read(self, length: int) -> bytes:
        """Unpack on; less than `length` only at the end, and never more than the archive says that there is.

        Raises:
            zipfile.BadZipFile: It is not what it was when it was packed.
            OSError, lzma.LZMAError: It is damaged.
        """
        length = min(length, self._info.file_size - self._position)
        data = bytearray()
        while len(data) < length:
            part = self._unpack(min(_MOST_UNPACKED_BYTES, length - len(data)))
            if not part:
                break
            data += part
        self._position += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if data and self._position == self._info.file_size and self._crc != self._info.CRC:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {self._info.filename!r}")
        return bytes(data)

    def _unpack(self, most: int) -> bytes:
        """Some bytes; none at the end."""
        decompressor = self._decompressor
        while not decompressor.eof:
            piece = self._packed.read(_CHUNK_BYTES) if decompressor.needs_input else b""
            ended = decompressor.needs_input and not piece
            data: bytes = decompressor.decompress(piece, most)
            if data or ended:
                return data
        return b""

    def _lzma(self) -> lzma.LZMADecompressor:
        """A decompressor that has the header of an .lzma file, made of that in the archive (APPNOTE.TXT 5.8.8)."""
        head = self._packed.read(4)
        properties = self._packed.read(int.from_bytes(head[2:], "little")) if len(head) == 4 else b""
        if len(properties) != 5:
            raise zipfile.BadZipFile(f"no properties of LZMA for file {self._info.filename!r}")
        marked = self._info.flag_bits & _HAS_END_MARK
        size = b"\xff" * 8 if marked else self._info.file_size.to_bytes(8, "little")
        made = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MOST_LZMA_BYTES)
        made.decompress(properties + size, 0)
        return made
