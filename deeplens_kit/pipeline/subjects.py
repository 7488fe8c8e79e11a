"""What a text names: a group, by its id or how that begins, or a file that a location lists.

Takes a text with what is known of groups and files, gives the one that is meant; must not read a file. A text that
names none is an error with what is nearest to it.
"""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass

import polars as pl

from deeplens_kit.errors import ObjectError, SettingsError, UnknownNameError
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage import encode_path
from deeplens_kit.storage.paths import ESCAPE, display_path

__all__ = ["Subject", "file_named", "named"]

_GROUP = re.compile(r"[0-9a-f]{1,16}", re.IGNORECASE)
_SUGGESTED = 3
# Of more names only those are looked through that share the first letter or the last part.
_MOST_COMPARED = 20_000
_ALLOWED = "the id of a group as `deeplens duplicates` shows it, location:path of an indexed file, or a path"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is asked about: one of the two.

    Attributes:
        group_id: The group.
        object_id: The file, as `active_files` has it.
    """

    group_id: str | None = None
    object_id: str | None = None


def named(text: str, group_ids: pl.Series, files: pl.DataFrame, workspace: Workspace) -> Subject:
    """Recognise a group or a file: the id of a group first, then "location:path", then a path of this machine.

    Args:
        text: What was given.
        group_ids: The groups there are.
        files: As `active_files` gives them: object_id, location, path, place.
        workspace: Whose locations are meant.

    Raises:
        UnknownNameError: Nothing has this name, and something has one that is near to it.
        SettingsError: It names several groups, nothing at all, or what is not indexed.
    """
    text = text.strip()
    if not text:
        raise SettingsError(f"No group or file is named; give {_ALLOWED}.")
    # 1. A group.
    known = group_ids.unique().sort()
    if _GROUP.fullmatch(text):
        begin_so = known.filter(known.str.starts_with(text.lower()))
        if len(begin_so) == 1:
            return Subject(group_id=begin_so[0])
        if len(begin_so) > 1:
            raise SettingsError(
                f"{text!r} begins the ids of {len(begin_so):,} groups ({_listed(begin_so)}); give more of the id."
            )
    # 2. A file by its location, as the file system or as an answer spells it, or by its path on this machine.
    if object_id := file_named(text, files, workspace):
        return Subject(object_id=object_id)
    raise _refused(text, known, files, workspace)


def file_named(text: str, files: pl.DataFrame, workspace: Workspace) -> str | None:
    """The object id of the file that "location:path" or a path of this machine names; None where there is none.

    Args:
        text: What was given.
        files: As for `named`.
        workspace: As for `named`.
    """
    at_location = [
        found
        for at, letter in enumerate(text)
        if letter == ":" and (found := _at_location(text[:at], text[at + 1 :], files, workspace))
    ]
    subject = at_location[0] if at_location else _at_path(text, files)
    return subject.object_id if subject else None


def _at_location(name: str, path: str, files: pl.DataFrame, workspace: Workspace) -> Subject | None:
    """The file of a location at a path; also where another location lists it too, and stands for it."""
    for location in workspace.ledger.locations():
        if name not in (location.name, display_path(location.name)):
            continue
        here = files.filter(location=location.name)
        place = workspace.kind_of(location).place
        for spelt in _spellings(path):
            if subject := _first(here.filter(path=spelt)) or _first(files.filter(_file() == place + spelt)):
                return subject
        # As tables show it: only of what holds something that is shown otherwise.
        odd = here.filter(pl.col("path").str.contains(rf"[\p{{C}}\\{ESCAPE}]"))
        return _first(odd.filter(pl.Series([display_path(item) == path for item in odd["path"]], dtype=pl.Boolean)))
    return None


def _at_path(text: str, files: pl.DataFrame) -> Subject | None:
    try:
        given = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111 - no file need be there
        # The folder without links, as places are; a link itself is not followed, as no location follows it.
        spelt = encode_path(os.path.join(os.path.realpath(os.path.dirname(given)), os.path.basename(given)))  # noqa: PTH118, PTH119, PTH120
    except (ObjectError, OSError, ValueError):
        return None
    return _first(files.filter(_file() == spelt))


def _spellings(path: str) -> list[str]:
    try:
        spelt = encode_path(path)
    except ObjectError:
        return []  # no file has such a name
    # As the file system has it, or as an answer has it, where it is encoded already.
    return list(dict.fromkeys((spelt, spelt.replace(f"{ESCAPE}00", ESCAPE))))


def _file() -> pl.Expr:
    return pl.col("place") + pl.col("path")


def _first(found: pl.DataFrame) -> Subject | None:
    return Subject(object_id=found["object_id"][0]) if found.height else None


def _refused(text: str, group_ids: pl.Series, files: pl.DataFrame, workspace: Workspace) -> SettingsError:
    """What is wrong with a text that names nothing, and what is nearest to it."""
    is_there = os.path.lexists(text)
    locations = {item.name: item for item in workspace.ledger.locations(inactive=True)}
    name, colon, path = text.partition(":")
    if _GROUP.fullmatch(text) and not is_there:
        near = _nearest(text.lower(), group_ids)
        return UnknownNameError("group", text, near, advice="`deeplens duplicates` lists those there are.")
    if colon and name in locations:
        if not locations[name].active:
            return SettingsError(
                f"Location {name!r} is left out; take it in again with `deeplens locations activate {name}`."
            )
        near = [f"{name}:{display_path(item)}" for item in _nearest(path, files.filter(location=name)["path"])]
        return UnknownNameError("indexed file", text, near, advice="if it is new, run `deeplens index`.")
    if is_there:
        return SettingsError(
            f"{text!r} is not indexed: no location lists it, or it came after the last run; `deeplens locations add` "
            "adds its folder, `deeplens index` reads what is new."
        )
    if colon and (alike := difflib.get_close_matches(name, locations, n=1)):
        return UnknownNameError("location", name, alike)
    places = files.select(place=pl.format("{}:{}", "location", "path"))["place"]
    near = [display_path(item) for item in _nearest(text, places)]
    return UnknownNameError("group or indexed file", text, near, advice=f"give {_ALLOWED}.")


def _nearest(text: str, names: pl.Series) -> list[str]:
    """Names that a person may have meant, the likeliest first: of the same last part, else spelt alike."""
    last = text.rpartition("/")[2].rpartition(":")[2]
    same = names.filter(names.str.ends_with(last)) if last else names.clear()
    if len(same) and len(text) > 1:
        return same.sort().head(_SUGGESTED).to_list()
    if len(names) > _MOST_COMPARED:
        names = names.filter(names.str.starts_with(text[:1])).head(_MOST_COMPARED)
    return difflib.get_close_matches(text, names.to_list(), n=_SUGGESTED, cutoff=0.5)


def _listed(names: pl.Series) -> str:
    more = "" if len(names) <= _SUGGESTED else ", …"
    return ", ".join(names.head(_SUGGESTED)) + more
