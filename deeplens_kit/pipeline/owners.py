"""Who answers for which files: the owners that somebody named in a file beside the workspace.

Takes an open workspace in whose folder `owners.yaml` may lie, and files, gives the owner of each; must not ask a
storage who a file belongs to there: a share knows accounts, and a bucket the one that wrote it, but not who can say
that a picture may go.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.pipeline.price_file import plain_yaml
from deeplens_kit.search.path_globs import matches_of
from deeplens_kit.storage.globs import path_expression

if TYPE_CHECKING:
    from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["OWNERS_FILE", "OwnerEntry", "owners_of", "parse_owners", "workspace_owners"]

OWNERS_FILE = "owners.yaml"
"""What a workspace's list of owners is called; it lies beside `workspace.toml`."""

_KEYS = ("owner", "location", "paths")


@dataclass(frozen=True, slots=True)
class OwnerEntry:
    """Who answers for what.

    Attributes:
        owner: A person or a team, as people call them.
        location: Name of a location; empty for all.
        paths: Globs, as the option `include` of a location has them; none for every path.
    """

    owner: str
    location: str = ""
    paths: tuple[str, ...] = ()


def workspace_owners(workspace: Workspace) -> tuple[OwnerEntry, ...]:
    """The owners of a workspace in their order; none where it has no list.

    Raises:
        SettingsError: The list cannot be read, or says what is not allowed; UnknownNameError for a key or a location
            that there is none of.
    """
    path = workspace.directory / OWNERS_FILE
    if not path.exists():
        return ()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingsError(f"Cannot read the owners {str(path)!r}: {reason}.") from error
    entries = parse_owners(plain_yaml(text, path), path)
    known = [item.name for item in workspace.ledger.locations(inactive=True)]
    for entry in entries:
        if entry.location and entry.location not in known:
            raise UnknownNameError(f"location in {str(path)!r}", entry.location, known)
    return entries


def parse_owners(values: object, path: Path) -> tuple[OwnerEntry, ...]:
    """Owners from what the file said.

    Args:
        values: Mappings and lists of texts.
        path: Where it was read, for errors.

    Raises:
        SettingsError: A value that is not allowed; UnknownNameError for a key that does not exist.
    """
    listed = values.get("owners") if isinstance(values, Mapping) and set(values) == {"owners"} else None
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise SettingsError(
            f"In {str(path)!r} there must be one key 'owners' with a list, for example "
            "'owners: [{owner: studio, location: share, paths: [\"2025/**\"]}]'."
        )
    return tuple(_entry(entry, number, path) for number, entry in enumerate(listed, start=1))


def _entry(entry: Any, number: int, path: Path) -> OwnerEntry:
    if not isinstance(entry, Mapping):
        raise SettingsError(f"Entry {number} of {str(path)!r} is {entry!r}; it must hold 'owner' and what is theirs.")
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1, cutoff=0.5)
            raise UnknownNameError(f"key in entry {number} of {str(path)!r}", str(key), near or _KEYS)
    owner, location, paths = (entry.get(key) for key in _KEYS)
    texts = {"owner": owner, "location": "" if location is None else location}
    for key, value in texts.items():
        if not isinstance(value, str) or (key == "owner" and not value.strip()):
            raise SettingsError(f"In entry {number} of {str(path)!r} {key!r} is {value!r}; it must be a name.")
    globs = [] if paths is None else [paths] if isinstance(paths, str) else paths
    if not isinstance(globs, Sequence) or not all(isinstance(glob, str) for glob in globs):
        raise SettingsError(f"In entry {number} of {str(path)!r} 'paths' is {paths!r}; it must be a list of globs.")
    path_expression("paths", list(globs))
    return OwnerEntry(str(owner).strip(), str(texts["location"]), tuple(globs))


def owners_of(files: pl.DataFrame, entries: Sequence[OwnerEntry]) -> pl.Series:
    """The owner of each file: that of the first entry that fits; null where none does.

    Args:
        files: Columns location (a name) and path.
        entries: As `workspace_owners` has them.
    """
    found = pl.Series("owner", [None] * files.height, pl.String)
    for entry in reversed(entries):
        fits = pl.Series([True], dtype=pl.Boolean).new_from_index(0, files.height)
        if entry.location:
            fits = (files["location"] == entry.location).fill_null(False)
        if entry.paths:
            fits &= pl.Series(matches_of(files["path"], entry.paths), dtype=pl.Boolean)
        theirs = pl.Series([entry.owner], dtype=pl.String).new_from_index(0, files.height)
        found = theirs.zip_with(fits, found)
    return found.rename("owner")
