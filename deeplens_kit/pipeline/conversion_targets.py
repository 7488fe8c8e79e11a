"""Where converted copies may go, and how they are called.

Takes a folder and the names of sources, gives the folder to write to and a name for each copy; must not write.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage import decode_path
from deeplens_kit.storage.paths import display_path, encode_path

__all__ = ["check_folder", "names_of_copies"]


def check_folder(folder: Path | str, workspace: Workspace | None) -> str:
    """Say early whether copies may go into a folder.

    Args:
        folder: As the user named it.
        workspace: Its locations and its own files are never written to; None where there is none.

    Returns:
        The folder without symbolic links, native.

    Raises:
        SettingsError: It is not there, no folder, cannot be written to, or belongs to the workspace or a location.
    """
    given = str(folder)
    try:
        place = os.path.realpath(os.path.expanduser(given))  # noqa: PTH111 - Path.resolve raises on loops
        problem = _problem_of(place)
    except (OSError, ValueError) as error:
        raise SettingsError(f"Cannot write into {given!r}: {error}; name a folder that is there.") from error
    if not problem and workspace is not None:
        problem = _owner_of(place, workspace)
    if problem:
        raise SettingsError(f"Cannot write into {given!r}: {problem}.")
    return place


def names_of_copies(names: Sequence[str], ending: str) -> list[str]:
    """A name for each copy: that of its source with another ending.

    The second of two sources of one name becomes "name (2)", in the order given; names that differ in case alone
    count as one, because some file systems hold them for one.

    Args:
        names: Of the sources, without folders, native.
        ending: Of the copies, with the point.
    """
    given: dict[str, None] = {}
    copies = []
    for name in names:
        stem = os.path.splitext(name)[0] or name  # noqa: PTH122 - a name, no path
        found = next(item for item in _numbered(stem, ending) if item.casefold() not in given)
        given[found.casefold()] = None
        copies.append(found)
    return copies


def _numbered(stem: str, ending: str) -> Iterator[str]:
    yield f"{stem}{ending}"
    number = 2
    while True:
        yield f"{stem} ({number}){ending}"
        number += 1


def _problem_of(place: str) -> str:
    if not os.path.isdir(place):  # noqa: PTH112 - Path.is_dir raises where the name is too long
        return "it is no folder; name a folder" if os.path.lexists(place) else "there is no such folder; make it first"
    if not os.access(place, os.W_OK | os.X_OK):
        return "there is no permission to write there; name another folder"
    return ""


def _owner_of(place: str, workspace: Workspace) -> str:
    """Whose a folder is; empty for nobody's. Locations are read-only, those that are left out too."""
    for own in workspace.own_paths():
        if _lies_in(place, os.path.realpath(own)):
            return f"it is part of the workspace ({display_path(encode_path(own.name))}); name a folder elsewhere"
    for location in workspace.ledger.locations(inactive=True):
        if _lies_in(place, decode_path(workspace.kind_of(location).place)):
            name = display_path(location.name)
            return f"it lies in the location {name!r}, and locations are read-only; name a folder elsewhere"
    return ""


def _lies_in(place: str, folder: str) -> bool:
    """Whether a folder is another or lies beneath it, by whatever name (mounted twice, or where case is one)."""
    folder = folder.rstrip("/") or "/"
    above = [Path(place), *Path(place).parents]
    if Path(folder) in above:
        return True
    identity = _identity(folder)
    return identity is not None and identity in map(_identity, map(str, above))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - a native path
    except OSError:
        return None
    return found.st_dev, found.st_ino
