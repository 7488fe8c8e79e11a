"""A folder of the local or a mounted file system as a location.

Takes a path or file:// URL with options and gives its listing, states and bytes; writes only where it is opened for
that, and follows no symbolic link beneath its root. Once used it remembers which folder its root was: when another
stands there later (a disk pulled out, a share unmounted) it stops instead of calling every file gone.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO
from urllib.parse import quote, unquote

from deeplens_kit.errors import (
    LocationReadOnlyError,
    LocationUnavailableError,
    ObjectExistsError,
    SettingsError,
)
from deeplens_kit.storage.base import Listing, LocationCheck, ObjectStat
from deeplens_kit.storage.globs import path_matcher
from deeplens_kit.storage.local_changing import copy_file, create_file, move_file, remove_file
from deeplens_kit.storage.local_listing import HOST_ERRORS, FileIdentity, TreeWalk, local_stat
from deeplens_kit.storage.local_reading import open_regular, read_whole, unreadable
from deeplens_kit.storage.options import LocationOptions, Permission
from deeplens_kit.storage.paths import decode_path, display_path, encode_path

__all__ = ["LocalLocation", "LocalOptions"]

_FILE_URL = re.compile(r"file:(?://([^/]*))?(/.*)", re.DOTALL | re.IGNORECASE)
_ROOT_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class LocalOptions(LocationOptions):
    """What of a folder is listed, and what may be done there; see `storage.options`."""


class LocalLocation:
    """A folder as a location; implements `storage.base.LocationKind`.

    Attributes:
        options_class: The options of the kind.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: Absolute or relative path, '~' allowed, or a file:// URL with %-escapes.
        options: Fields of `LocalOptions`.

    Raises:
        SettingsError: The URL names no local folder.
        UnknownNameError: An option that does not exist.
    """

    options_class: type[LocationOptions] = LocalOptions
    readers: int | None = None
    over_network = False
    lists_checksums = False
    max_bytes_per_second = 0

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        self.location_id, self.name = location_id, name
        self.options = self.options_class.of(options)
        self._named = self._root = _native_root(url)
        if self.options.base_path:
            self._root = os.path.join(self._root, decode_path(self.options.base_path.strip("/")))  # noqa: PTH118
        self._identity: FileIdentity | None = None

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self._root)

    @property
    def url(self) -> str:
        """The canonical file:// URL (RFC 8089): ASCII, %-escaped; without the option `base_path`."""
        return "file://" + quote(os.fsencode(self._named))

    @property
    def place(self) -> str:
        """The folder without symbolic links, encoded as paths are, with '/' at the end."""
        return encode_path(os.path.realpath(self._root)).rstrip("/") + "/"

    @property
    def may_create(self) -> bool:
        """Whether it is opened for new files."""
        return self.options.permissions != Permission.READ

    def check(self) -> LocationCheck:
        """Say what can be done here; raise LocationUnavailableError with the reason when it cannot be listed."""
        self._identity = None  # what stands there now is taken as the location; a disk may come back as another device
        with self._opened_root() as handle:
            try:
                os.scandir(handle).close()
                space = os.fstatvfs(handle)
            except OSError as error:
                raise self._unavailable(error) from error
        remarks = []
        may_write = os.access(self._root, os.W_OK | os.X_OK) if self.may_create else None
        if may_write is False:
            remarks.append("New files cannot be made in the folder: allow writing to it.")
        return LocationCheck(
            may_read=True,  # of a folder; each file has permissions of its own
            may_write=may_write,
            clock_skew_seconds=0.0,
            capacity_bytes=space.f_blocks * space.f_frsize,
            free_bytes=space.f_bavail * space.f_frsize,
            remarks=tuple(remarks),
        )

    def list(self, *, skip: Sequence[Path] = (), exclude: Sequence[str] = ()) -> Listing:
        """List every regular file; see `LocationKind.list`.

        Raises:
            LocationUnavailableError: The folder cannot be listed, lies in the workspace, or vanished meanwhile.
            SettingsError: A glob of `exclude` cannot be read.
        """
        walk = self._walk(self._never(skip), exclude)
        self._identity = None
        self._check_root()
        try:
            walk.run()
        except OSError as error:
            raise self._unavailable(error) from error
        self._check_root()  # a share that drops out halfway leaves a short listing behind
        return Listing(
            frame=walk.frame(),
            problems=tuple(sorted(walk.problems, key=lambda problem: problem.path)),
            skipped=MappingProxyType(dict(walk.skipped)),
            skipped_folders=tuple(sorted(walk.skipped_folders, key=lambda folder: folder.path)),
        )

    def stat(self, path: str) -> ObjectStat:
        """Give the state of one file; see `LocationKind.stat`."""
        with self._opened(path) as file:
            return local_stat(os.fstat(file))

    def read(self, path: str, *, expected: ObjectStat | None = None, max_bytes: int) -> bytes:
        """Read one file whole, without holding the GIL; see `LocationKind.read`."""
        with self._opened(path) as file:
            return read_whole(file, expected=expected, max_bytes=max_bytes)

    def open(self, path: str) -> BinaryIO:
        """Open one file for reading and seeking; see `LocationKind.open`."""
        with self._opened(path) as file:
            return os.fdopen(os.dup(file), "rb")

    def checksum(self, path: str) -> str | None:
        """A file system keeps none."""
        return None

    def create(self, path: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> ObjectStat:
        """Make a new file; see `LocationKind.create`. Metadata is not kept."""
        self._permit(Permission.CREATE)
        with self._opened_root() as root, self._translated():
            create_file(root, decode_path(path), data)
        return self.stat(path)

    def copy(self, path: str, target: str, *, expected: ObjectStat) -> ObjectStat:
        """Copy a file to a free name; see `LocationKind.copy`."""
        self._permit(Permission.CREATE)
        with self._opened_root() as root, self._translated():
            copy_file(root, decode_path(path), decode_path(target), expected)
        return self.stat(target)

    def move(self, path: str, target: str, *, expected: ObjectStat) -> ObjectStat:
        """Give a file a free name; see `LocationKind.move`."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            move_file(root, decode_path(path), decode_path(target), expected)
        return self.stat(target)

    def remove(self, path: str, *, expected: ObjectStat) -> None:
        """Remove a file; see `LocationKind.remove`."""
        self._permit(Permission.CHANGE)
        with self._opened_root() as root, self._translated():
            remove_file(root, decode_path(path), expected)

    def close(self) -> None:
        """Nothing is held open."""

    def _permit(self, wanted: Permission) -> None:
        granted = list(Permission)
        if granted.index(self.options.permissions) < granted.index(wanted):
            raise LocationReadOnlyError(
                self.name,
                f"Location {self.name!r} is opened to {self.options.permissions} only; open it with "
                f"`deeplens locations set {self.name} --option permissions={wanted}`.",
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileExistsError as error:
            raise ObjectExistsError("Something has this name already; it was left as it is.") from error
        except OSError as error:
            if error.errno in HOST_ERRORS:
                raise self._unavailable(error) from error
            raise unreadable(error) from error

    @contextmanager
    def _opened(self, path: str) -> Iterator[int]:
        with self._opened_root() as root:
            try:
                with open_regular(root, decode_path(path)) as file:
                    yield file
            except OSError as error:
                if error.errno in HOST_ERRORS:
                    raise self._unavailable(error) from error
                raise unreadable(error) from error

    @contextmanager
    def _opened_root(self) -> Iterator[int]:
        """Open the root and make sure that it is still the folder that it was."""
        try:
            handle = os.open(self._root, _ROOT_FLAGS)
        except OSError as error:
            raise self._unavailable(error) from error
        try:
            state = os.fstat(handle)
            if self._identity is None:
                self._identity = (state.st_dev, state.st_ino)
            elif self._identity != (state.st_dev, state.st_ino):
                raise LocationUnavailableError(
                    self.name,
                    f"{self._where} is another folder than before: it was replaced, or its disk or share was "
                    "disconnected; connect it and run again. Nothing was marked as gone.",
                )
            yield handle
        finally:
            os.close(handle)

    def _walk(self, never: set[FileIdentity], exclude: Sequence[str]) -> TreeWalk:
        return TreeWalk(
            self._root,
            hidden=self.options.hidden,
            included=path_matcher("include", self.options.include),
            excluded=path_matcher("exclude", (*self.options.exclude, *exclude)),
            never=never,
        )

    def _check_root(self) -> None:
        with self._opened_root():
            pass

    def _never(self, skip: Sequence[Path]) -> set[FileIdentity]:
        """Identify what must not be entered; refuse a root that lies in it."""
        never: set[FileIdentity] = set()
        root = Path(os.path.realpath(self._root))
        for path in skip:
            resolved = Path(os.path.realpath(path))
            try:
                state = resolved.stat()
            except OSError:
                continue  # a store not made yet cannot be entered
            never.add((state.st_dev, state.st_ino))
            if resolved == root or (resolved in root.parents and stat.S_ISDIR(state.st_mode)):
                raise LocationUnavailableError(
                    self.name,
                    f"{self._where} lies in the workspace folder {str(resolved)!r}, which is never indexed; "
                    "keep the workspace in a folder of its own.",
                )
        return never

    @property
    def _where(self) -> str:
        return f"Location {self.name!r} at '{display_path(encode_path(self._root))}'"

    def _unavailable(self, error: OSError) -> LocationUnavailableError:
        if error.errno in HOST_ERRORS:
            reason = f"cannot go on: {(error.strerror or 'no memory').lower()}; use fewer workers or raise `ulimit -n`"
        elif isinstance(error, FileNotFoundError):
            reason = "does not exist; connect its disk or share, or mend the path"
        elif isinstance(error, NotADirectoryError):
            reason = "is not a folder; name the folder that holds the pictures"
        elif isinstance(error, PermissionError):
            reason = "cannot be listed: permission denied; allow reading of the folder"
        else:
            reason = f"cannot be listed: {(error.strerror or 'input/output error').lower()}; see to the storage"
        return LocationUnavailableError(self.name, f"{self._where} {reason}. Nothing was marked as gone.")


def _native_root(url: str) -> str:
    match = _FILE_URL.fullmatch(url)
    if match is not None:
        if (match[1] or "").lower() not in ("", "localhost"):
            # Not repeated: where a computer is named a login may be, too.
            raise SettingsError("The URL names another computer; write file:///PATH, or the path where it is mounted.")
        path = unquote(match[2], errors="surrogateescape")
    else:
        path = os.path.expanduser(url)  # noqa: PTH111 - Path would drop what abspath has to see
    if not path or "\0" in path:
        raise SettingsError(f"{url!r} names no folder; give a path or a file:// URL.")
    # '..' after a symbolic link is not the folder above in the text, so only the system can resolve it.
    return os.path.realpath(path) if ".." in path.split("/") else os.path.abspath(path)  # noqa: PTH100
