"""What people say of files: collections, tags and texts, read and written by the name of a file.

Takes an open workspace and "location:path", gives the note in the ledger; must not touch a file. A note follows its
content: where the file was moved it is found, and it moves along with the next change.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import ObjectUnreadableError, UnknownNameError
from deeplens_kit.ledger import NoteChange, ObjectNote
from deeplens_kit.pipeline.file_listing import active_files
from deeplens_kit.pipeline.subjects import file_named
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["NotedFile", "annotate_file", "note_at", "note_of_file"]


@dataclass(frozen=True, slots=True)
class NotedFile:
    """A file with what is said of it.

    Attributes:
        location: Name of its location.
        path: Encoded.
        digest: Its content.
        note: None where nothing was said.
    """

    location: str
    path: str
    digest: str
    note: ObjectNote | None


def note_of_file(workspace: Workspace, what: str) -> NotedFile:
    """What is said of an indexed file.

    Args:
        workspace: An open workspace.
        what: "location:path", or its path on this machine.

    Raises:
        UnknownNameError: No indexed file has that name.
        ObjectUnreadableError: It could not be read so far, so that its content is not known.
    """
    location_id, location, path, digest = _found(workspace, what)
    return NotedFile(location, path, digest, note_at(workspace, location_id, path, digest))


def annotate_file(workspace: Workspace, what: str, change: NoteChange) -> NotedFile:
    """Say something of an indexed file, beside what was said before.

    Raises as `note_of_file`; SettingsError where a name, tag or text is not allowed.
    """
    location_id, location, path, digest = _found(workspace, what)
    before = note_at(workspace, location_id, path, digest)
    note = workspace.ledger.annotate(location_id, path, digest, change, moved_from=before)
    return NotedFile(location, path, digest, note)


def _found(workspace: Workspace, what: str) -> tuple[str, str, str, str]:
    files = active_files(workspace)
    object_id = file_named(what, files, workspace)
    if object_id is None:
        raise UnknownNameError(
            "indexed file", what, [], advice="give location:path; if it is new, run `deeplens index`."
        )
    row = files.filter(pl.col("object_id") == object_id).row(0, named=True)
    if row["digest"] is None:
        raise ObjectUnreadableError(f"{what!r} could not be read so far; `deeplens failures` says why.")
    return row["location_id"], row["location"], row["path"], row["digest"]


def note_at(workspace: Workspace, location_id: str, path: str, digest: str) -> ObjectNote | None:
    """The note of a file: of its place, else the latest of its content at a place where that no longer lies.

    Args:
        workspace: An open workspace.
        location_id: Where it lies.
        path: Encoded.
        digest: Its content.
    """
    notes = workspace.ledger.notes([digest])
    for note in notes:
        if (note.location_id, note.path) == (location_id, path):
            return note
    for note in sorted(notes, key=lambda item: item.at, reverse=True):
        row = workspace.catalog.object_at(note.location_id, note.path)
        if row is None or row["digest"] != digest:
            return note
    return None
