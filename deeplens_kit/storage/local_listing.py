"""The listing of a folder tree of the local or a mounted file system.

Takes a root folder and gives the LISTING columns of every regular file beneath it; must not open a file, follow a
symbolic link or write. It walks with `os.scandir` on folder handles: fsspec's local listing makes a dictionary per
file and asks for each state by full path, which takes several times as long. Other file systems mounted beneath the
root are crossed.
"""

from __future__ import annotations

import errno
import os
import stat
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from deeplens_kit.schemas import LISTING
from deeplens_kit.storage.base import ListingProblem, ObjectStat, SkippedFolder, SkipReason
from deeplens_kit.storage.facts import in_quarantine
from deeplens_kit.storage.paths import ESCAPE, encode_path
from deeplens_kit.storage.placeholders import names_placeholder

__all__ = ["HOST_ERRORS", "FileIdentity", "TreeWalk", "local_stat"]

FileIdentity = tuple[int, int]
"""Device and inode: what names a file or folder, by whatever path."""

HOST_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""The machine, not the storage, is out of handles or memory: what follows would be wrong, so work stops."""

_ROOT_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER_FLAGS = _ROOT_FLAGS | os.O_NOFOLLOW
_TYPE_MASK, _REGULAR, _FOLDER, _SYMLINK = 0o170000, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK
_INT64_MAX = 2**63 - 1
_CODES = {
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.ENOENT: "gone",
    errno.ENOTDIR: "gone",
    errno.ELOOP: "gone",  # a symbolic link has taken the folder's place
    errno.ENAMETOOLONG: "name_too_long",
}
_MESSAGES = {
    "permission": "permission denied; allow reading to have it listed",
    "gone": "removed or replaced while the location was listed; run `deeplens index` again",
    "name_too_long": "its path is longer than the system allows; move it nearer to the location's root",
}


@dataclass(slots=True)
class TreeWalk:
    """One walk; its arrays grow by one value per file and stay compact (40 bytes and the path).

    Attributes:
        root: Native path of the folder; may itself be a symbolic link.
        hidden: Whether names that start with '.' are listed.
        included: Test of a file's native relative path; None includes all.
        excluded: Test of a file's or (with '/' at the end) folder's native relative path; None excludes none.
        never: Files and folders that are never entered or listed.
    """

    root: str
    hidden: bool = False
    included: Callable[[str], bool] | None = None
    excluded: Callable[[str], bool] | None = None
    never: Collection[FileIdentity] = ()
    problems: list[ListingProblem] = field(default_factory=list)
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    skipped_folders: list[SkippedFolder] = field(default_factory=list)
    _paths: list[str] = field(default_factory=list)
    _sizes: array[int] = field(default_factory=lambda: array("q"))
    _times: array[int] = field(default_factory=lambda: array("q"))
    _inodes: array[int] = field(default_factory=lambda: array("Q"))
    _links: array[int] = field(default_factory=lambda: array("q"))
    _devices: array[int] = field(default_factory=lambda: array("Q"))
    _undated: list[int] = field(default_factory=list)  # rows whose time does not fit in 64 bits

    def run(self) -> None:
        """Walk the whole tree, folder by folder, without recursion.

        Raises:
            OSError: The root itself cannot be listed, or the machine is out of handles or memory (HOST_ERRORS).
        """
        folders = self._folder("", _ROOT_FLAGS)
        while folders:
            path = folders.pop()
            try:
                folders += self._folder(path, _FOLDER_FLAGS)
            except OSError as error:
                self._unlisted(path, error)

    def frame(self) -> pl.DataFrame:
        """The files found so far, as LISTING has them; types and texts are made by column, not by file."""
        sizes, times = (pl.Series(np.array(values, np.int64)) for values in (self._sizes, self._times))
        inodes = pl.Series(np.array(self._inodes, np.uint64))
        modified = (times // 1000).cast(pl.Datetime("us", "UTC"))
        if self._undated:
            modified = modified.scatter(self._undated, None)
        devices = pl.Series(np.array(self._devices, np.uint64))
        # Some file systems have no inodes and say 0 for all.
        link_ids = pl.select(pl.when(inodes != 0).then(pl.format("{}:{}", devices, inodes))).to_series()
        links = pl.Series(np.array(self._links, np.int64)).cast(pl.Int32)
        frame = pl.DataFrame([_encoded(self._paths), sizes, modified, link_ids, links], schema=_COLUMNS)
        tokens = pl.select(pl.format("{}-{}-{}", sizes, times, inodes)).to_series()
        # A file system lists no checksum of what files hold.
        nothing = pl.lit(None, pl.String)
        return LISTING.check(frame.with_columns(tokens.alias("change_token"), checksum=nothing, storage_class=nothing))

    def _folder(self, folder: str, flags: int) -> list[str]:
        """List one folder, given relative to the root with '/' at the end; return the folders to enter."""
        # Without the '/' at the end, which would have the system follow a link in spite of O_NOFOLLOW.
        handle = os.open(f"{self.root}/{folder[:-1]}", flags)
        try:
            with os.scandir(handle) as entries:
                return self._entries(folder, entries)
        finally:
            os.close(handle)

    def _entries(self, folder: str, entries: Iterable[os.DirEntry[str]]) -> list[str]:
        # The one loop that runs per file: local names, and one system call each.
        paths, sizes, times, inodes, links = self._paths, self._sizes, self._times, self._inodes, self._links
        devices = self._devices
        unfiltered, hidden = self.included is None and self.excluded is None, self.hidden
        never = {inode for _, inode in self.never}
        enter: list[str] = []
        for entry in entries:
            name = entry.name
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError as error:
                self._unlisted(folder + name + "/" * entry.is_dir(follow_symlinks=False), error)
                continue
            inode = state.st_ino
            if (
                state.st_mode & _TYPE_MASK != _REGULAR
                or (name[0] == "." and not hidden and not names_placeholder(name))
                or inode in never
                or not unfiltered
            ) and not self._wanted(folder + name, state, enter):
                continue
            try:
                times.append(state.st_mtime_ns)
            except OverflowError:
                times.append(_wrapped(state.st_mtime_ns))
                self._undated.append(len(paths))
            devices.append(state.st_dev)
            paths.append(folder + name)
            sizes.append(state.st_size)
            inodes.append(inode)
            links.append(state.st_nlink)
        return enter

    def _wanted(self, path: str, state: os.stat_result, enter: list[str]) -> bool:
        """Say whether to list an entry as a file; what is not is counted by reason, or is a folder to enter."""
        kind = state.st_mode & _TYPE_MASK
        if kind == _FOLDER:
            path += "/"
        reason = self._reason(path, state)
        if reason is not None:
            self.skipped[reason] += 1
            if kind == _FOLDER:
                self.skipped_folders.append(SkippedFolder(encode_path(path), reason))
        elif kind == _FOLDER:
            enter.append(path)
        return reason is None and kind == _REGULAR

    def _reason(self, path: str, state: os.stat_result) -> SkipReason | None:
        kind = state.st_mode & _TYPE_MASK
        if (state.st_dev, state.st_ino) in self.never:
            return SkipReason.WORKSPACE
        if kind == _FOLDER and in_quarantine(path):
            return SkipReason.QUARANTINE
        if not self.hidden and path[path.rfind("/", 0, -1) + 1] == "." and not names_placeholder(path):
            return SkipReason.HIDDEN
        if self.excluded is not None and self.excluded(path):
            return SkipReason.EXCLUDED
        if kind == _FOLDER:
            return None
        if kind != _REGULAR:
            return SkipReason.SYMLINK if kind == _SYMLINK else SkipReason.SPECIAL
        return SkipReason.EXCLUDED if self.included is not None and not self.included(path) else None

    def _unlisted(self, path: str, error: OSError) -> None:
        if error.errno in HOST_ERRORS:
            raise error
        code = _CODES.get(error.errno or 0, "io")
        if code == "gone" and not path.endswith("/"):
            return  # a file removed between two calls is simply not there
        kind = "folder" if path.endswith("/") else "file"
        message = _MESSAGES.get(code) or f"{(error.strerror or 'input/output error').lower()}; see to the storage"
        self.problems.append(ListingProblem(encode_path(path), code, f"The {kind} cannot be listed: {message}."))


def local_stat(state: os.stat_result) -> ObjectStat:
    """The state of one file, with the same values as its row in a listing."""
    time_ns = _wrapped(state.st_mtime_ns)
    modified = None
    if time_ns == state.st_mtime_ns:
        modified = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)
    return ObjectStat(
        size_bytes=state.st_size,
        change_token=f"{state.st_size}-{time_ns}-{state.st_ino}",
        modified_at=modified,
        link_id=f"{state.st_dev}:{state.st_ino}" if state.st_ino else None,
        link_count=state.st_nlink,
    )


_COLUMNS = ["path", "size_bytes", "modified_at", "link_id", "link_count"]


def _wrapped(time_ns: int) -> int:
    """A time beyond the years 1677..2262, folded into 64 bits: no date any more, but still a token of change."""
    return time_ns if -_INT64_MAX <= time_ns <= _INT64_MAX else (time_ns + 2**63) % 2**64 - 2**63


def _encoded(paths: list[str]) -> pl.Series:
    try:
        column = pl.Series("path", paths, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series("path", [encode_path(path) for path in paths], dtype=pl.String)
    if column.str.contains(ESCAPE, literal=True).any():
        return pl.Series("path", [encode_path(path) for path in paths], dtype=pl.String)
    return column
