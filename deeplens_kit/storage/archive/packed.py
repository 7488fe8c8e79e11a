"""Compressed files that are read from any place on: gzip, bzip2 and xz, also several streams behind one another.

Takes an open file, gives readers of what it unpacks to; must not know what that is. A compressed file can only be
unpacked forwards. Two things keep reading from becoming quadratic: readers that stopped are kept, and the one that
stopped last before a place goes on from there; and on the way through the file the states of the decompressor are
noted, where it can be copied (gzip), as in "zran" of zlib's examples.
"""

from __future__ import annotations

import bz2
import io
import lzma
import os
import threading
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["CutOffError", "PackedFile", "PackedReader", "compression_of"]

_CHUNK_BYTES = 2**18  # read at once
_MOST_UNPACKED_BYTES = 2**20  # held at once, however well it is compressed
_MOST_STATES = 1000
_FIRST_STEP_BYTES = 2**22
_MOST_KEPT = 4  # readers that wait where they stopped

_MAGIC = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
_MAKE: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),  # 31: with the header and CRC-32 of gzip
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
}


class CutOffError(EOFError):
    """The compressed file ends before what it holds does."""


@dataclass(frozen=True, slots=True)
class _State:
    """Where unpacking can go on.

    Attributes:
        position: In what is unpacked.
        offset: In the file.
        waiting: What was read of the file and not unpacked.
        decompressor: A copy; None to begin a new one.
    """

    position: int
    offset: int
    waiting: bytes
    decompressor: Any


def compression_of(start: bytes) -> str:
    """How a file is compressed, by its first bytes; empty where it is not."""
    return next((name for magic, name in _MAGIC if start.startswith(magic)), "")


class PackedFile:
    """A compressed file that several threads read.

    Args:
        descriptor: Of the open file; the caller closes it.
        compression: "gzip", "bzip2" or "xz".
    """

    def __init__(self, descriptor: int, compression: str) -> None:
        self.descriptor, self.make = descriptor, _MAKE[compression]
        self._lock = threading.Lock()
        self._states = [_State(0, 0, b"", None)]
        self._step = _FIRST_STEP_BYTES
        self._kept: list[PackedReader] = []

    @contextmanager
    def reader_at(self, position: int) -> Iterator[PackedReader]:
        """A reader that stands at `position` of what is unpacked, or will when it reads."""
        with self._lock:
            before = [reader for reader in self._kept if reader.position <= position]
            reader = max(before, key=lambda reader: reader.position, default=None)
            states = self._states
            state = states[bisect_right(states, position, key=lambda state: state.position) - 1]
            if reader is not None and reader.position >= state.position:
                self._kept.remove(reader)
            else:
                reader = PackedReader(self, state)
        reader.skip(position - reader.position)
        yield reader
        with self._lock:
            self._kept = [*self._kept, reader][-_MOST_KEPT:]

    def note(self, reader: PackedReader) -> None:
        """Keep the state of a reader, where none is near; fewer and farther apart the larger the file is."""
        if reader.position < self._states[-1].position + self._step:
            return
        state = reader.state()
        with self._lock:
            if state is None or state.position < self._states[-1].position + self._step:
                return
            self._states.append(state)
            if len(self._states) > _MOST_STATES:
                self._states, self._step = self._states[::2], 2 * self._step


class PackedReader(io.RawIOBase):
    """What a compressed file unpacks to, from a place on; for one thread at a time.

    Args:
        file: The compressed file.
        state: Where to begin.
    """

    def __init__(self, file: PackedFile, state: _State) -> None:
        super().__init__()
        self._file, self._offset, self._waiting = file, state.offset, state.waiting
        self._decompressor = file.make() if state.decompressor is None else state.decompressor.copy()
        self._fresh = state.decompressor is None
        self._unpacked, self._at = b"", 0  # and how much of it was read
        self._ended = False
        self.position = state.position

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Unpack the next bytes.

        Raises:
            CutOffError: The file ends too early.
            zlib.error, OSError, lzma.LZMAError: It is damaged.
        """
        while not self._left and not self._ended:
            self._file.note(self)
            self._unpack()
        count = min(len(buffer), self._left)
        buffer[:count] = self._unpacked[self._at : self._at + count]
        self._take(count)
        return count

    def skip(self, count: int) -> None:
        """Unpack and forget; stops at the end."""
        while count > 0:
            if not self._left:
                self._file.note(self)
                self._unpack()
                if self._ended:
                    return
            taken = min(count, self._left)
            self._take(taken)
            count -= taken

    def state(self) -> _State | None:
        """Where another reader can go on from; None in the middle of a stream whose decompressor cannot be copied."""
        if self._left or self._ended:
            return None
        if self._fresh:
            return _State(self.position, self._offset, self._waiting, None)
        if not hasattr(self._decompressor, "copy"):
            return None
        return _State(self.position, self._offset, self._waiting, self._decompressor.copy())

    @property
    def _left(self) -> int:
        return len(self._unpacked) - self._at

    def _take(self, count: int) -> None:
        self._at += count
        self.position += count

    def _unpack(self) -> None:
        """Unpack at most so much as may be held; sets `_ended` at the end of the last stream."""
        decompressor = self._decompressor
        if decompressor.eof:
            self._waiting = decompressor.unused_data
            self._decompressor = decompressor = self._file.make()
            self._fresh = True
        if not self._waiting and getattr(decompressor, "needs_input", True):
            self._waiting = os.pread(self._file.descriptor, _CHUNK_BYTES, self._offset)
            self._offset += len(self._waiting)
            if self._fresh:
                # Zeros behind the last stream only fill a block of a tape.
                self._waiting = self._waiting.lstrip(b"\0")
            if not self._waiting:
                if not self._fresh:
                    raise CutOffError("the compressed file is cut off")
                self._ended = not os.pread(self._file.descriptor, 1, self._offset)
                return
        elif self._fresh:
            self._waiting = self._waiting.lstrip(b"\0")
            if not self._waiting:
                return
        self._fresh = False
        self._at, self._unpacked = 0, decompressor.decompress(self._waiting, _MOST_UNPACKED_BYTES)
        # zlib gives back what it did not use, the others keep it.
        self._waiting = getattr(decompressor, "unconsumed_tail", b"")
