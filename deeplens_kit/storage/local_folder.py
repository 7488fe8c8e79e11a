"""A folder of the local or a mounted file system: its root, states and bytes.

Takes a path or file:// URL with options; must not list it or change anything beneath it: `local` and `local_acting` do.
Once used it remembers which folder its root was: when another stands there later (a disk pulled out, a share unmounted)
it stops instead of calling every file gone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from deeplens_kit.errors import (
    LocationReadOnlyError,
    LocationUnavailableError,
    ObjectExistsError,
    SettingsError,
)
from deeplens_kit.storage.base import ObjectStat
from deeplens_kit.storage.local_listing import HOST_ERRORS, FileIdentity, local_stat
from deeplens_kit.storage.local_reading import open_regular, read_whole, unreadable
from deeplens_kit.storage.options import LocationOptions, Permission
from deeplens_kit.storage.paths import decode_path, display_path, encode_path
from deeplens_kit.storage.root_identity import root_identity

__all__ = ["LocalFolder", "LocalOptions"]

_FILE_URL = re.compile(r"file:(?://([^/]*))?(/.*)", re.DOTALL | re.IGNORECASE)
_ROOT_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class LocalOptions(LocationOptions):
    """What of a folder is listed, and what may be done there; see `storage.options`."""


class LocalFolder:
    """What of `storage.base.LocationKind` reads single files; see `local.LocalLocation`.

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
    def takes_writing(self) -> bool:
        """A folder does."""
        return True

    @property
    def may_create(self) -> bool:
        """Whether it is opened for new files."""
        return self.options.permissions != Permission.READ

    @property
    def may_change(self) -> bool:
        """Whether it is opened for changes."""
        return self.options.permissions == Permission.CHANGE

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

    def root_id(self) -> str | None:
        """File system and folder; see `LocationKind.root_id`."""
        with self._opened_root() as root:
            return root_identity(root)

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
