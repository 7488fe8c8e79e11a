"""One connection to a share, in requests as large as the server takes.

Takes paths of the share with backslashes, gives rows of folders, states and bytes; must not be imported before a share
is used, because it loads smbprotocol. One thread uses it at a time. Layouts after MS-SMB2 and MS-FSCC.
"""

from __future__ import annotations

import contextlib
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from smbprotocol.exceptions import (
    EndOfFile,
    InvalidDeviceRequest,
    NoMoreFiles,
    NoSuchFile,
    NotSupported,
    SMBException,
    SMBResponseException,
)
from smbprotocol.file_info import (
    FileBasicInformation,
    FileDispositionInformation,
    FileFsFullSizeInformation,
    FileInformationClass,
    FileInternalInformation,
    FileLinkInformation,
    FileRenameInformation,
)
from smbprotocol.ioctl import (
    CtlCode,
    IOCTLFlags,
    SMB2IOCTLRequest,
    SMB2IOCTLResponse,
    SMB2SrvCopyChunk,
    SMB2SrvCopyChunkCopy,
    SMB2SrvCopyChunkResponse,
    SMB2SrvRequestResumeKey,
)
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FileAttributes,
    ImpersonationLevel,
    Open,
    QueryDirectoryFlags,
    SMB2QueryDirectoryRequest,
    SMB2QueryInfoRequest,
    SMB2QueryInfoResponse,
    SMB2SetInfoRequest,
)
from smbprotocol.open import FilePipePrinterAccessMask as Access

from deeplens_kit.storage.smb_rows import FolderRow, folder_rows
from deeplens_kit.storage.smb_session import Asked, SmbSession

__all__ = ["Access", "OpenFile", "Share"]

_EVERYBODY = 7  # others may read, write and remove what we have open
_READERS = 5  # others may read and remove it, but not write
_FIRST_ROWS_BYTES = 2**16  # what a server gives for one credit
_COPY_CHUNK_BYTES, _COPY_BYTES = 2**20, 2**24  # the most that a server must take, MS-SMB2 3.3.3
_FILE = CreateOptions.FILE_NON_DIRECTORY_FILE | CreateOptions.FILE_OPEN_NO_RECALL
# The same place in the answers to CREATE (MS-SMB2 2.2.14) and CLOSE (2.2.16).
_WRITTEN, _WRITTEN_AT = struct.Struct("<q"), 24


class OpenFile:
    """A file that is open.

    Attributes:
        written: Last modification, as that of a row, when it was opened or closed.
        file_id: As that of a row.
    """

    def __init__(self, opened: Open, written: int, file_id: int) -> None:
        self._open, self.written, self.file_id = opened, written, file_id

    @property
    def size_bytes(self) -> int:
        """When it was opened, or closed."""
        size: int = self._open.end_of_file
        return size

    @property
    def attributes(self) -> int:
        """Of Windows."""
        attributes: int = self._open.file_attributes
        return attributes


class Share:
    """A share, connected to.

    Args:
        server: Its name or address.
        port: Where it listens.
        share: Name of the share.
        user: With its domain, or nothing for a Kerberos ticket.
        password: Of it.
        encrypt: Whether everything is encrypted; it is signed in any case.
        timeout_seconds: How long any answer may take.
    """

    def __init__(
        self, server: str, port: int, share: str, user: str, password: str, *, encrypt: bool, timeout_seconds: float
    ) -> None:
        self._session = SmbSession(
            server, port, share, user, password, encrypt=encrypt, timeout_seconds=timeout_seconds
        )
        self._tree = self._session.tree
        self.told, self.connected_at = self._session.told, self._session.connected_at

    @property
    def encrypted(self) -> bool:
        """Whether what goes over the line is encrypted."""
        return self._session.encrypted

    def close(self) -> None:
        """Leave; the server closes what is open."""
        self._session.close()

    def folder(self, path: str) -> Iterator[FolderRow]:
        """The entries of a folder, itself among them as '.' where the server tells it."""
        opened = Open(self._tree, path)
        access = Access.FILE_READ_DATA | Access.FILE_READ_ATTRIBUTES  # of a folder: to list it
        create = self._create(opened, access, CreateOptions.FILE_DIRECTORY_FILE)
        with self._closed_after(opened):
            # Opened and, where it is small, read to its end in one trip.
            made, *answers = self._session.ask(
                create,
                self._query_folder(opened, _FIRST_ROWS_BYTES, QueryDirectoryFlags.SMB2_RESTART_SCANS),
                self._query_folder(opened, _FIRST_ROWS_BYTES, 0),
            )
            _raise(made)
            answers.reverse()
            while True:
                answer = answers.pop() if answers else self._next_rows(opened)
                if isinstance(answer, (NoMoreFiles, NoSuchFile)):
                    return
                _raise(answer)
                yield from folder_rows(answer)

    def stat(self, path: str) -> OpenFile:
        """The state of a file, in one trip."""
        opened = Open(self._tree, path)
        with self._closed_after(opened):
            create = self._create(opened, Access.FILE_READ_ATTRIBUTES, _FILE)
            answers = self._session.ask(create, self._query(opened, FileInternalInformation), opened.close(send=False))
            for answer in answers:
                _raise(answer)
            return OpenFile(opened, answers[0], answers[1]["index_number"].get_value())

    @contextmanager
    def opened(self, path: str, access: int, *, writers: bool = True) -> Iterator[OpenFile]:
        """A file that is there; `writers` lets others write it meanwhile. Nothing is called back from a cloud."""
        opened = Open(self._tree, path)
        with self._closed_after(opened):
            sharing = _EVERYBODY if writers else _READERS
            create = self._create(opened, access | Access.FILE_READ_ATTRIBUTES, _FILE, sharing=sharing)
            answers = self._session.ask(create, self._query(opened, FileInternalInformation))
            for answer in answers:
                _raise(answer)
            file = OpenFile(opened, answers[0], answers[1]["index_number"].get_value())
            yield file

    @contextmanager
    def made(self, path: str) -> Iterator[OpenFile]:
        """A new file, which the server removes again unless all went well, also where this process or the line dies."""
        opened = Open(self._tree, path)
        access = Access.FILE_WRITE_DATA | Access.FILE_READ_ATTRIBUTES | Access.DELETE
        with self._closed_after(opened):
            create = self._create(opened, access, _FILE, sharing=0, disposition=CreateDisposition.FILE_CREATE)
            for answer in self._session.ask(create, self._set_info(opened, _disposed(True))):
                _raise(answer)
            yield OpenFile(opened, 0, 0)
            self._session.one(opened.flush(send=False))
            self._session.one(self._set_info(opened, _disposed(False)))

    def read(self, file: OpenFile, start: int, length: int) -> bytes:
        """Bytes of an open file; fewer only at its end."""
        opened, end = file._open, start + length
        parts: list[bytes] = []
        wanted: deque[int] = deque()

        def requests(at: int) -> Iterator[Asked]:
            while at < end:
                size = min(end - at, self._session.most("read"))
                wanted.append(size)
                yield opened.read(at, size, send=False)
                at += size

        with contextlib.suppress(EndOfFile):
            while start < end:
                wanted.clear()
                with closing(self._session.pipelined(requests(start))) as answers:
                    for data in answers:
                        if not data:
                            return b"".join(parts)
                        parts.append(data)
                        start += len(data)
                        if len(data) < wanted.popleft():
                            break  # what follows is asked for anew, from here
        return b"".join(parts)

    def write(self, file: OpenFile, data: bytes) -> None:
        """Write a new file whole."""
        opened, view = file._open, memoryview(data)

        def requests() -> Iterator[Asked]:
            at = 0
            while at < len(view):
                size = min(len(view) - at, self._session.most("write"))
                yield opened.write(bytes(view[at : at + size]), at, send=False)
                at += size

        written = sum(self._session.pipelined(requests()))
        if written != len(data):
            raise SMBException(f"{written} bytes were written of {len(data)}")

    def copy(self, source: OpenFile, target: OpenFile) -> bool:
        """Copy within the server; False where it cannot."""
        key = SMB2SrvRequestResumeKey()
        try:
            key.unpack(self._control(source, CtlCode.FSCTL_SRV_REQUEST_RESUME_KEY, b"", 32))
            for at in range(0, source.size_bytes, _COPY_BYTES):
                chunks = []
                for start in range(at, min(source.size_bytes, at + _COPY_BYTES), _COPY_CHUNK_BYTES):
                    chunk = SMB2SrvCopyChunk()
                    chunk["source_offset"] = chunk["target_offset"] = start
                    chunk["length"] = min(_COPY_CHUNK_BYTES, source.size_bytes - start)
                    chunks.append(chunk)
                wanted = SMB2SrvCopyChunkCopy()
                wanted["source_key"], wanted["chunks"] = key["resume_key"].get_value(), chunks
                told = SMB2SrvCopyChunkResponse()
                told.unpack(self._control(target, CtlCode.FSCTL_SRV_COPYCHUNK_WRITE, wanted, 12))
                if told["chunks_written"].get_value() != len(chunks):
                    raise SMBException("the server copied a part only")
        except (NotSupported, InvalidDeviceRequest):
            return False
        return True

    def rename(self, file: OpenFile, path: str) -> None:
        """Give an open file another name, which must be free."""
        renamed = FileRenameInformation()
        renamed["replace_if_exists"], renamed["file_name"] = False, path
        self._session.one(self._set_info(file._open, renamed))

    def link(self, file: OpenFile, path: str) -> None:
        """Give an open file a second name, which must be free."""
        linked = FileLinkInformation()
        linked["replace_if_exists"], linked["file_name"] = False, path
        self._session.one(self._set_info(file._open, linked))

    def remove(self, file: OpenFile) -> None:
        """Remove an open file; it is gone when it is closed."""
        self._session.one(self._set_info(file._open, _disposed(True)))

    def set_written(self, file: OpenFile, ticks: int) -> None:
        """Set the time of the last modification of an open file; its other times stay."""
        times = FileBasicInformation()
        times["last_write_time"] = ticks
        self._session.one(self._set_info(file._open, times))

    def settle(self, file: OpenFile) -> None:
        """Close a file, and take its state from that moment."""
        asked, receive = file._open.close(get_attributes=True, send=False)
        file.written = self._session.one((asked, _written(receive)))

    def make_folder(self, path: str) -> None:
        """Make one folder."""
        opened = Open(self._tree, path)
        with self._closed_after(opened):
            options, disposition = CreateOptions.FILE_DIRECTORY_FILE, CreateDisposition.FILE_CREATE
            self._session.one(self._create(opened, Access.FILE_READ_ATTRIBUTES, options, disposition=disposition))

    def space(self, path: str) -> tuple[int, int]:
        """Bytes of the volume of a folder, and those that the user may still write."""
        opened = Open(self._tree, path)
        with self._closed_after(opened):
            create = self._create(opened, Access.FILE_READ_ATTRIBUTES, CreateOptions.FILE_DIRECTORY_FILE)
            answers = self._session.ask(create, self._query(opened, FileFsFullSizeInformation))
            for answer in answers:
                _raise(answer)
        told = {name: answers[1][name].get_value() for name in answers[1].fields}
        unit = told["sectors_per_unit"] * told["bytes_per_sector"]
        return told["total_allocation_units"] * unit, told["caller_available_units"] * unit

    def _create(
        self,
        opened: Open,
        access: int,
        options: int,
        *,
        sharing: int = _EVERYBODY,
        disposition: int = CreateDisposition.FILE_OPEN,
    ) -> Asked:
        asked, receive = opened.create(
            ImpersonationLevel.Impersonation,
            access,
            FileAttributes.FILE_ATTRIBUTE_NORMAL,
            sharing,
            disposition,
            options,
            send=False,
        )
        return asked, _written(receive)

    def _query(self, opened: Open, wanted: Any) -> Asked:
        info, asked = wanted(), SMB2QueryInfoRequest()
        asked["info_type"], asked["file_info_class"] = info.INFO_TYPE, info.INFO_CLASS
        asked["file_id"], asked["output_buffer_length"] = opened.file_id, len(info)

        def unpack(request: Any) -> Any:
            answer = SMB2QueryInfoResponse()
            answer.unpack(self._session.receive(request)["data"].get_value())
            return answer.parse_buffer(wanted)

        return asked, unpack

    def _set_info(self, opened: Open, info: Any) -> Asked:
        asked = SMB2SetInfoRequest()
        asked["info_type"], asked["file_info_class"] = info.INFO_TYPE, info.INFO_CLASS
        asked["file_id"], asked["buffer"] = opened.file_id, info
        return asked, self._session.receive

    def _query_folder(self, opened: Open, size: int, flags: int) -> Asked:
        asked = SMB2QueryDirectoryRequest()
        asked["file_information_class"] = FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION
        asked["flags"], asked["file_id"], asked["output_buffer_length"] = flags, opened.file_id, size
        asked["buffer"] = "*".encode("utf-16-le")

        def unpack(request: Any) -> bytes:
            data: bytes = self._session.receive(request)["data"].get_value()
            offset, length = struct.unpack_from("<HI", data, 2)
            return data[offset - 64 : offset - 64 + length]  # the offset counts the header of the message

        return asked, unpack

    def _next_rows(self, opened: Open) -> Any:
        try:
            return self._session.one(self._query_folder(opened, self._session.most("transact"), 0))
        except (NoMoreFiles, NoSuchFile) as end:
            return end

    def _control(self, file: OpenFile, code: int, data: Any, answer_bytes: int) -> bytes:
        asked = SMB2IOCTLRequest()
        asked["ctl_code"], asked["file_id"], asked["buffer"] = code, file._open.file_id, data
        asked["max_output_response"], asked["flags"] = answer_bytes, IOCTLFlags.SMB2_0_IOCTL_IS_FSCTL

        def unpack(request: Any) -> bytes:
            answer = SMB2IOCTLResponse()
            answer.unpack(self._session.receive(request)["data"].get_value())
            told: bytes = answer["buffer"].get_value()
            return told

        told: bytes = self._session.one((asked, unpack))
        return told

    @contextmanager
    def _closed_after(self, opened: Open) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            # After anything but an answer nobody is there to be asked.
            lost = isinstance(error, (OSError, SMBException)) and not isinstance(error, SMBResponseException)
            if opened.connected and not lost:
                with contextlib.suppress(Exception):  # what went wrong before is what has to be told
                    opened.close()
            raise
        if opened.connected:
            opened.close()


def _written(receive: Callable[[Any], Any]) -> Callable[[Any], int]:
    """Give the time of the last modification, which the library rounds, at the end of receiving a file's state."""

    def unpack(request: Any) -> int:
        receive(request)
        ticks: int = _WRITTEN.unpack_from(request.response["data"].get_value(), _WRITTEN_AT)[0]
        return ticks

    return unpack


def _disposed(removed: bool) -> Any:
    info = FileDispositionInformation()
    info["delete_pending"] = removed
    return info


def _raise(answer: Any) -> None:
    if isinstance(answer, BaseException):
        raise answer
