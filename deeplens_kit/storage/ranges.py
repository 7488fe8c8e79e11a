"""An object as a file that is read and sought in, range by range.

Takes what reads a range and the object's size; must not know where the bytes come from, nor keep any.
"""

from __future__ import annotations

import io
from collections.abc import Callable

__all__ = ["RangeReader"]


class RangeReader(io.RawIOBase):
    """An object as a file; to be buffered, since each read is a request.

    Args:
        read: Gives the bytes from a start, at most of a length; fewer only at the end.
        size_bytes: Of the object.
    """

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        super().__init__()
        self._read, self._size_bytes, self._at = read, size_bytes, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; reading behind the end gives nothing."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek position {start + offset}")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read on."""
        data = self._read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
