"""Names that things are about to be stored under, noted so that a try after a kill knows its own.

Takes a folder of its own, gives paths; must not store anything at a location. Only needed where a picture is stored
although it is there already: nothing else tells what an earlier try stored from what was there before.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

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

    def note(self, given: str, path: str) -> None:
        """Note a path before anything is stored under it; on the disk when this returns."""
        self._folder.mkdir(parents=True, exist_ok=True)
        note = self._note(given)
        part = note.with_suffix(".part")
        with part.open("w", encoding="utf-8") as stream:
            stream.write(path)
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(note)

    def _note(self, given: str) -> Path:
        return self._folder / hashlib.sha256(given.encode()).hexdigest()
