"""ZIP archives, by the standard library.

Takes `zip:///PATH/pictures.zip`; must not follow a link in it. A member's CRC-32 shows damage, but not that two are
the same.
"""

from __future__ import annotations

import copy
import lzma
import stat
import struct
import threading
import zipfile
import zlib
from datetime import datetime
from typing import BinaryIO, cast

from deeplens_kit.storage.archive.members import Member, Members, member_time
from deeplens_kit.storage.archive.store import Archive, ArchiveLocation, ArchiveStore
from deeplens_kit.storage.archive.unpacked import Unpacked
from deeplens_kit.storage.resilience import FaultKind, KnownFault

__all__ = ["ZipArchive", "ZipLocation", "ZipStore"]

# Bits of a member's flags, and an extra field (APPNOTE.TXT 4.4.4; Info-ZIP's extrafld.txt, "UT").
_ENCRYPTED, _NAME_IS_UTF8 = 0x1, 0x800
_TIMES = 0x5455
_METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 93: "zstd", 95: "xz", 96: "JPEG", 98: "PPMd", 99: "AES"}
_READ = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_NOT_READ = 0x20 | 0x40  # general purpose flags: patches, strong encryption (APPNOTE.TXT 4.4.4)
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, struct.error)


class ZipArchive(Archive):
    """An open ZIP archive.

    Args:
        file: Of the archive; the caller closes it.
    """

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._zip = zipfile.ZipFile(file)
        except (*_DAMAGED, RuntimeError) as error:  # the latter of an archive that needs a newer zipfile
            raise KnownFault(FaultKind.LOCATION, _why(file, error)) from error
        self.members: Members[zipfile.ZipInfo] = Members()
        self._lock = threading.Lock()
        self._last: tuple[int, BinaryIO | Unpacked] | None = None
        for number, info in enumerate(self._zip.infolist()):
            mode = info.external_attr >> 16
            if info.is_dir():
                continue
            if stat.S_ISLNK(mode):
                self.members.links += 1
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                self.members.special += 1
            else:
                self.members.add(_name(info), Member(number, info.file_size, _modified(info), info))

    def read(self, member: Member[zipfile.ZipInfo], start: int, length: int) -> bytes:
        """Unpack a part; what lies before it is unpacked too."""
        info = member.where
        if info.flag_bits & _ENCRYPTED:
            raise KnownFault(FaultKind.FORBIDDEN, "it is encrypted with a password, which is not asked for")
        if info.compress_type not in _READ or info.flag_bits & _NOT_READ:
            method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
            reason = f"its compression ({method}) is not read; pack it anew with deflate"
            raise KnownFault(FaultKind.BROKEN, reason)
        try:
            data = self._unpacked(member, start, length)
        except _DAMAGED as error:
            raise KnownFault(FaultKind.BROKEN, f"it is damaged in the archive: {error}") from error
        except OSError as error:
            if error.errno is not None:
                raise
            # What bz2 says of data that are none of its own.
            raise KnownFault(FaultKind.BROKEN, f"it is damaged in the archive: {error}") from error
        if len(data) != length:
            reason = f"it is damaged in the archive: it ends after {start + len(data)} of {member.size_bytes} bytes"
            raise KnownFault(FaultKind.BROKEN, reason)
        return data

    def close(self) -> None:
        """Give back what the library holds."""
        self._zip.close()

    def _unpacked(self, member: Member[zipfile.ZipInfo], start: int, length: int) -> bytes:
        # Who reads a member part by part goes on where the last part ended.
        with self._lock:
            kept, self._last = self._last, None
        number, stream = kept or (-1, None)
        if stream is None or number != member.number or stream.tell() > start:
            stream = self._opened(member.where)
        stream.seek(start)
        data = stream.read(length)
        if start + length < member.size_bytes:
            with self._lock:
                self._last = member.number, stream
        return data

    def _opened(self, info: zipfile.ZipInfo) -> BinaryIO | Unpacked:
        if info.compress_type not in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            return cast(BinaryIO, self._zip.open(info))
        # The library unpacks of these all that comes of a piece of input, however much that is.
        packed = copy.copy(info)
        packed.compress_type, packed.file_size = zipfile.ZIP_STORED, info.compress_size
        del packed.CRC  # which is that of what it unpacks to
        return Unpacked(cast(BinaryIO, self._zip.open(packed)), info)


class ZipStore(ArchiveStore):
    """A ZIP archive; see `storage.archive.store.ArchiveStore`."""

    def open_archive(self, file: BinaryIO) -> ZipArchive:
        """Read the directory at its end."""
        return ZipArchive(file)


class ZipLocation(ArchiveLocation):
    """A ZIP archive as a location; see `storage.archive.store.ArchiveLocation`."""

    scheme = "zip"
    example = "pictures.zip"
    store_class = ZipStore


def _why(file: BinaryIO, error: Exception) -> str:
    file.seek(0)
    start = file.read(4)
    if isinstance(error, UnicodeError):
        return "a name in the archive is not the UTF-8 that it is said to be"
    if start[:2] == b"PK":
        return f"the archive is cut off or damaged: {error}"
    return f"the file is no ZIP archive: {error}"


def _name(info: zipfile.ZipInfo) -> str:
    """The name, of which archivers that mark no encoding write UTF-8 or the code page of MS-DOS."""
    if info.flag_bits & _NAME_IS_UTF8 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _modified(info: zipfile.ZipInfo) -> datetime | None:
    """The time in the extra field "UT"; the other one is of an unknown zone."""
    extra, at = info.extra, 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == _TIMES and length >= 5 and at + 9 <= len(extra) and extra[at + 4] & 1:
            return member_time(struct.unpack_from("<i", extra, at + 5)[0])
        at += 4 + length
    return None
