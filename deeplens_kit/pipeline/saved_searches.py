"""Searches that people saved, and what was searched for.

Takes an open workspace, gives queries and frames; must not search. What is remembered of a search holds no bytes and no
secret; remembering it never fails the search.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit.errors import DeepLensError, SettingsError
from deeplens_kit.ledger import SavedSearch
from deeplens_kit.pipeline.query_records import query_for_history, query_for_saving
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import SAVED_SEARCHES, SEARCH_HISTORY
from deeplens_kit.search.query import Query
from deeplens_kit.search.query_json import query_from_json, query_to_json
from deeplens_kit.search.query_words import query_words
from deeplens_kit.telemetry import get_logger

if TYPE_CHECKING:
    from deeplens_kit.pipeline.searching import SearchAnswer

__all__ = [
    "clear_search_history",
    "list_saved_searches",
    "record_search",
    "remove_saved_search",
    "save_search",
    "saved_query",
    "search_history",
]

_log = get_logger(__name__)


def save_search(
    workspace: Workspace, name: str, query: Query, description: str = "", *, replace: bool = False
) -> SavedSearch:
    """Keep a query under a name, with the bytes of uploaded pictures up to `search.saved_picture_max_bytes` each.

    Args:
        workspace: An open workspace.
        name: Unique among those of this person.
        query: What is asked; a path is kept in full.
        description: What it is for.
        replace: Put it in the place of one of this person's that has the name.

    Raises:
        SettingsError: This person has one of the name, it is not allowed, a picture is too large, or a link holds a
            credential.
    """
    kept = query_for_saving(query, _locations(workspace), workspace.settings.search.saved_picture_max_bytes)
    return workspace.ledger.save_search(name, query_to_json(kept), description, replace=replace)


def saved_query(workspace: Workspace, name: str, of: str | None = None) -> Query:
    """The query that was saved under a name: by this person, else by the only other one.

    Args:
        workspace: An open workspace.
        name: Under which it was saved.
        of: Who saved it, where that is to be said.

    Raises:
        UnknownNameError: There is none of the name; the nearest is suggested.
        SettingsError: Several others have one of the name, or it was saved by a newer DeepLens.
    """
    saved = workspace.ledger.saved_search(name, of)
    try:
        return query_from_json(saved.query)
    except SettingsError as error:
        raise SettingsError(f"The saved search {name!r} cannot be read: {error}") from error


def list_saved_searches(workspace: Workspace) -> pl.DataFrame:
    """Every saved search by name, as SAVED_SEARCHES."""
    rows = []
    for item in workspace.ledger.saved_searches():
        asked, by = _said(item.query)
        rows.append((item.name, asked, by, item.description, item.who, item.at))
    return SAVED_SEARCHES.check(pl.DataFrame(rows, schema=SAVED_SEARCHES.polars, orient="row"))


def remove_saved_search(workspace: Workspace, name: str, of: str | None = None) -> None:
    """Forget a saved search: one's own, or that of whoever is named; raises as `Ledger.remove_saved_search`."""
    workspace.ledger.remove_saved_search(name, of)


def record_search(workspace: Workspace, query: Query, answer: SearchAnswer) -> None:
    """Remember that something was searched for, where the settings ask for a history; a ledger that fails is logged."""
    most = workspace.settings.search.history_entries
    if most == 0:
        return
    digests = [term["digest"] for term in answer.terms] or [answer.query["digest"]]
    texts = [None if digest is None else str(digest) for digest in digests]
    try:
        document = query_to_json(query_for_history(query, texts, _locations(workspace)))
        workspace.ledger.record_search(
            document, by=str(query.resolved_by), results=answer.found, seconds=answer.seconds, most=most
        )
    except DeepLensError as error:
        _log.warning("search not remembered", error=str(error))


def search_history(workspace: Workspace, limit: int | None = None, who: str | None = None) -> pl.DataFrame:
    """What was searched for, the latest first, by everybody or by one person, as SEARCH_HISTORY."""
    rows = [
        (item.at, item.who, _said(item.query)[0], item.by, item.results, item.seconds)
        for item in workspace.ledger.search_history(limit, who)
    ]
    return SEARCH_HISTORY.check(pl.DataFrame(rows, schema=SEARCH_HISTORY.polars, orient="row"))


def clear_search_history(workspace: Workspace, who: str | None = None) -> int:
    """Forget what was searched for, by everybody or by one person; how many searches that were. Saved ones stay."""
    return workspace.ledger.clear_search_history(who)


def _locations(workspace: Workspace) -> list[str]:
    return [item.name for item in workspace.ledger.locations(inactive=True)]


def _said(document: Mapping[str, Any]) -> tuple[str, str]:
    """A query in words, and what makes a picture a result; of one that cannot be read why not."""
    try:
        query = query_from_json(document)
    except SettingsError as error:
        return f"(cannot be read: {error})", ""
    return query_words(query), str(query.resolved_by)
