"""Names that things are about to be stored under, noted so that a try after a kill knows its own.

Takes a folder of its own, gives paths; must not store anything at a location. Only needed where a picture is stored
although it is there already: nothing else tells what an earlier try stored from what was there before.
"""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

from deeplens_kit.errors import ObjectGoneError, StoreFullError, WorkspaceError
from deeplens_kit.search.cache_files import fsync_folder, write_bytes
from deeplens_kit.storage import LocationKind

__all__ = ["NameClaims"]


class NameClaims:
    """The last name that each thing was to be stored under.

    Args:
        folder: For the notes; made where there is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, given: str) -> str | None:
        """The path that a thing was to have; None where it was not come to."""
        note = self._note(given)
        return note.read_text(encoding="utf-8") if note.is_file() else None

    def note_if_free(self, given: str, path: str, storage: LocationKind) -> bool:
        """Note a path before anything is stored under it; on the disk when this returns.

        Where something lies already it is left, and False: after a kill that would count as stored by this try.

        Raises:
            StoreFullError: There is no room.
            WorkspaceError: The folder cannot be written.
            ObjectError: The location cannot say what lies there.
        """
        try:
            storage.stat(path)
        except ObjectGoneError:
            self._keep(given, path)
            return True
        return False

    def _keep(self, given: str, path: str) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self._note(given), path.encode())
            fsync_folder(self._folder)
        except OSError as error:
            said = "Nothing was stored: where to store it cannot be noted in the workspace"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreFullError(f"{said}, for the disk or quota is full. Make room and try again.") from error
            raise WorkspaceError(f"{said}: {error.strerror or error}.") from error

    def _note(self, given: str) -> Path:
        return self._folder / hashlib.sha256(given.encode()).hexdigest()
