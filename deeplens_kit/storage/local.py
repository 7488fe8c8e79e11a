"""A folder of the local or a mounted file system as a location.

Takes a path or file:// URL with options and gives its listing, states and bytes; writes only where it is opened for
that, and follows no symbolic link beneath its root. Once used it remembers which folder its root was: when another
stands there later (a disk pulled out, a share unmounted) it stops instead of calling every file gone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from deeplens_kit.errors import LocationUnavailableError
from deeplens_kit.storage.base import Listing, LocationCheck
from deeplens_kit.storage.globs import path_matcher
from deeplens_kit.storage.listing import refuse_quarantine
from deeplens_kit.storage.local_acting import ActingFolder
from deeplens_kit.storage.local_folder import LocalOptions
from deeplens_kit.storage.local_listing import FileIdentity, TreeWalk

__all__ = ["LocalLocation", "LocalOptions"]


class LocalLocation(ActingFolder):
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
        refuse_quarantine(self.name, os.path.realpath(self._root) + "/")
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

    def close(self) -> None:
        """Nothing is held open."""

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
