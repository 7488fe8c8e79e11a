"""A folder of the local or a mounted file system as a location.

Takes a path or file:// URL with options and gives its listing, states and bytes; must not write, and follows no
symbolic link beneath its root. Once used it remembers which folder its root was: when another stands there later
(a disk pulled out, a share unmounted) it stops instead of calling every file gone.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, Self
from urllib.parse import quote, unquote

from deeplens_kit.errors import LocationUnavailableError, SettingsError, UnknownNameError
from deeplens_kit.storage.base import Listing, ObjectStat
from deeplens_kit.storage.globs import path_matcher
from deeplens_kit.storage.local_listing import HOST_ERRORS, FileIdentity, TreeWalk, local_stat
from deeplens_kit.storage.local_reading import open_regular, read_whole, unreadable
from deeplens_kit.storage.paths import decode_path, display_path, encode_path

__all__ = ["LocalLocation", "LocalOptions"]

_FILE_URL = re.compile(r"file:(?://([^/]*))?(/.*)", re.DOTALL | re.IGNORECASE)
_ROOT_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """What of a folder is listed; globs as `storage.globs` has them.

    Attributes:
        include: Only files that match one of these; none means every file.
        exclude: Files and folders that match one of these are left out, before `include` is asked.
        hidden: Whether names that start with '.' are listed; they are counted otherwise.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    def __post_init__(self) -> None:
        path_matcher("include", self.include)
        path_matcher("exclude", self.exclude)

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Self:
        """Check options as they come from a command line or the ledger.

        Raises:
            UnknownNameError: An option that does not exist.
            SettingsError: A value of the wrong type, or a glob that cannot be read.
        """
        known = [item.name for item in fields(cls)]
        for name in options:
            if name not in known:
                raise UnknownNameError("location option", name, known)
        globs = {name: _globs(name, options[name]) for name in ("include", "exclude") if name in options}
        hidden = options.get("hidden", False)
        if not isinstance(hidden, bool):
            raise SettingsError(f"Location option 'hidden' is {hidden!r}; it must be true or false.")
        return cls(**globs, hidden=hidden)


class LocalLocation:
    """A folder as a location; implements `storage.base.LocationKind`.

    Args:
        location_id: Stable id of the location.
        name: The name that people gave it.
        url: Absolute or relative path, '~' allowed, or a file:// URL with %-escapes.
        options: Fields of `LocalOptions`.

    Raises:
        SettingsError: The URL names no local folder.
        UnknownNameError: An option that does not exist.
    """

    def __init__(self, location_id: str, name: str, url: str, options: Mapping[str, object]) -> None:
        self.location_id, self.name = location_id, name
        self.options = LocalOptions.of(options)
        self._root = _native_root(url)
        self._identity: FileIdentity | None = None

    @property
    def root(self) -> Path:
        """The folder."""
        return Path(self._root)

    @property
    def url(self) -> str:
        """The canonical file:// URL (RFC 8089): ASCII, %-escaped."""
        return "file://" + quote(os.fsencode(self._root))

    @property
    def place(self) -> str:
        """The folder without symbolic links, encoded as paths are, with '/' at the end."""
        return encode_path(os.path.realpath(self._root)).rstrip("/") + "/"

    def check(self) -> None:
        """Raise LocationUnavailableError with the reason when the folder cannot be listed."""
        self._identity = None  # what stands there now is taken as the location; a disk may come back as another device
        with self._opened_root() as handle:
            try:
                os.scandir(handle).close()
            except OSError as error:
                raise self._unavailable(error) from error

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
            raise SettingsError(
                f"URL {url!r} names another computer; write file:///PATH, or the path where it is mounted."
            )
        path = unquote(match[2], errors="surrogateescape")
    else:
        path = os.path.expanduser(url)  # noqa: PTH111 - Path would drop what abspath has to see
    if not path or "\0" in path:
        raise SettingsError(f"{url!r} names no folder; give a path or a file:// URL.")
    # '..' after a symbolic link is not the folder above in the text, so only the system can resolve it.
    return os.path.realpath(path) if ".." in path.split("/") else os.path.abspath(path)  # noqa: PTH100


def _globs(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise SettingsError(f"Location option {name!r} is {value!r}; it must be a list of globs, for example ['*.jpg'].")
