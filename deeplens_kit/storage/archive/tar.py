"""Tar archives, plain or compressed by gzip, bzip2 or xz; by the standard library.

Takes `tar:///PATH/backup.tar.gz`, whose compression its first bytes tell; must not follow a link in it. An archive that
does not end as one should is not listed at all: what is missing behind the damage would be taken for gone.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import zlib
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from deeplens_kit.storage.archive.members import Member, Members, member_time
from deeplens_kit.storage.archive.packed import PackedFile, PackedReader, compression_of
from deeplens_kit.storage.archive.store import Archive, ArchiveLocation, ArchiveStore
from deeplens_kit.storage.resilience import FaultKind, KnownFault
from deeplens_kit.storage.store import Probe

__all__ = ["TarArchive", "TarLocation", "TarStore"]

_BLOCK_BYTES = 512
_MOST_HEADER_BYTES = 2**24  # of what is no member's content: names and attributes
_TAIL_BYTES = 2**20  # zeros behind the end of an archive that are looked at; usual are less than 10 KiB
_SLOW = (
    "A file of an archive compressed by {} is read by unpacking all that lies before it, unless the files are read in "
    "their order; pack it anew as .tar, .tar.gz or .zip where its pictures are looked at often."
)
_DAMAGED = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError)


class _Piece(NamedTuple):
    """A stretch of a member that lies in one piece; a sparse member has several, with zeros between them."""

    start: int
    length: int
    offset: int


class _Source(Protocol):
    """What the archive's bytes are read from, forwards."""

    position: int

    def readinto(self, buffer: memoryview) -> int: ...

    def skip(self, count: int) -> None: ...


class TarArchive(Archive):
    """An open tar archive.

    Args:
        file: Of the archive; the caller closes it.

    Attributes:
        compression: "gzip", "bzip2" or "xz"; empty where there is none.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        compression = compression_of(os.pread(self._descriptor, 8, 0))
        if compression == "zstd":
            raise KnownFault(FaultKind.LOCATION, "archives compressed by Zstandard are not read; pack it anew with xz")
        self.compression = compression
        self._packed = PackedFile(self._descriptor, compression) if compression else None
        self.members: Members[tuple[_Piece, ...]] = Members()
        try:
            with self._source_at(0) as source:
                self._list(source)
                source.skip(_TAIL_BYTES)  # behind it is the checksum of gzip and of xz
        except _DAMAGED as error:
            raise KnownFault(FaultKind.LOCATION, f"the archive is cut off or damaged: {error}") from error
        except OSError as error:
            if error.errno is not None:
                raise
            # What bz2 says of data that are none of its own.
            raise KnownFault(FaultKind.LOCATION, f"the archive is damaged: {error}") from error

    def read(self, member: Member[tuple[_Piece, ...]], start: int, length: int) -> bytes:
        """Read a part; of a compressed archive what lies before it is unpacked too, at most once by one reader."""
        data, end = bytearray(length), start + length
        view = memoryview(data)
        try:
            for piece in member.where:
                first, last = max(start, piece.start), min(end, piece.start + piece.length)
                if first < last:
                    with self._source_at(piece.offset + first - piece.start) as source:
                        _fill(source, view[first - start : last - start])
        except _DAMAGED as error:
            raise KnownFault(FaultKind.BROKEN, f"it is damaged in the archive: {error}") from error
        except OSError as error:
            if error.errno is not None:
                raise
            raise KnownFault(FaultKind.BROKEN, f"it is damaged in the archive: {error}") from error
        return bytes(data)

    def _source_at(self, position: int) -> AbstractContextManager[_Source]:
        if self._packed is None:
            return nullcontext(_Plain(self._descriptor, position))
        return cast(AbstractContextManager[_Source], self._packed.reader_at(position))

    def _list(self, source: _Source) -> None:
        stream = _Forward(source)
        tar = tarfile.open(  # noqa: SIM115 - closing it would close nothing
            fileobj=cast(BinaryIO, stream), mode="r:", encoding="utf-8", errors="surrogateescape"
        )
        number = 0
        while (info := tar.next()) is not None:
            cast(Any, tar).members.clear()  # which it keeps otherwise: a kilobyte each
            if info.issym() or info.islnk():
                self.members.links += 1
            elif info.isreg():
                self.members.add(info.name, Member(number, info.size, member_time(info.mtime), _pieces(info)))
            elif not info.isdir():
                self.members.special += 1
            number += 1
        if len(stream.last) != _BLOCK_BYTES or any(stream.last):
            raise tarfile.ReadError(f"after {number} members there is neither another nor the end of an archive")


class TarStore(ArchiveStore):
    """A tar archive; see `storage.archive.store.ArchiveStore`."""

    def open_archive(self, file: BinaryIO) -> TarArchive:
        """Read it from its beginning to its end: it has no directory."""
        return TarArchive(file)

    def probe(self) -> Probe:
        """Whether its members can be read out of their order without unpacking all that lies before."""
        with self._lent() as opened:
            compression = opened.archive.compression if isinstance(opened.archive, TarArchive) else ""
        slow = compression in ("bzip2", "xz")
        return Probe(remarks=(_SLOW.format(compression),) if slow else ())


class TarLocation(ArchiveLocation):
    """A tar archive as a location; see `storage.archive.store.ArchiveLocation`."""

    scheme = "tar"
    example = "backup.tar"
    store_class = TarStore

    @property
    def readers(self) -> int | None:
        """One of a compressed archive, in the order of its listing: each more would unpack all of it once more."""
        assert isinstance(self.store, TarStore)
        try:
            with open(self.store.file, "rb") as file:  # noqa: PTH123 - a native path
                return 1 if compression_of(file.read(8)) else None
        except OSError:
            return None  # which is told when it is listed


class _Plain:
    """An archive that is not compressed, from a place on."""

    def __init__(self, descriptor: int, position: int) -> None:
        self._descriptor, self.position = descriptor, position

    def readinto(self, buffer: memoryview) -> int:
        count = os.preadv(self._descriptor, [buffer], self.position)
        self.position += count
        return count

    def skip(self, count: int) -> None:
        self.position += count


class _Forward:
    """A source as tarfile reads it; remembers the last block, by which it is told how an archive ended."""

    def __init__(self, source: _Source) -> None:
        self._source, self.last = source, b""

    def read(self, count: int) -> bytes:
        if count > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {count} bytes")
        buffer = bytearray(count)
        self.last = bytes(buffer[: _fill(self._source, memoryview(buffer), whole=False)])
        return self.last

    def seek(self, position: int) -> None:
        self._source.skip(position - self._source.position)

    def tell(self) -> int:
        return self._source.position


def _fill(source: _Source | PackedReader, buffer: memoryview, *, whole: bool = True) -> int:
    filled = 0
    while filled < len(buffer):
        count = source.readinto(buffer[filled:])
        if not count:
            if whole:
                raise EOFError("the archive ends too early")
            break
        filled += count
    return filled


def _pieces(info: tarfile.TarInfo) -> tuple[_Piece, ...]:
    sparse = cast("list[tuple[int, int]] | None", info.sparse)
    if sparse is None:
        return (_Piece(0, info.size, info.offset_data),)
    pieces, offset = [], info.offset_data
    for start, length in sparse:
        pieces.append(_Piece(start, length, offset))
        offset += length
    return tuple(pieces)
