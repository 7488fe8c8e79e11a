"""From a query to ranked pictures.

Takes the features of one picture and frames of the pictures that are known, gives those most alike with their scores;
must not open a store or a file, and fetches nothing but the link that a person gave. The names below load their
modules, and with them numba and FAISS, when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.search.filters import SearchFilters
    from deeplens_kit.search.library import Library
    from deeplens_kit.search.query import ImageTerm, Query, SearchBy, TextTerm
    from deeplens_kit.search.ranking import QueryPicture, Ranking, rank
    from deeplens_kit.search.vector_shelf import VectorShelf

__all__ = [
    "ImageTerm",
    "Library",
    "Query",
    "QueryPicture",
    "Ranking",
    "SearchBy",
    "SearchFilters",
    "TextTerm",
    "VectorShelf",
    "rank",
]

_HOMES = {
    "ImageTerm": "query",
    "Library": "library",
    "Query": "query",
    "QueryPicture": "ranking",
    "Ranking": "ranking",
    "SearchBy": "query",
    "SearchFilters": "filters",
    "TextTerm": "query",
    "VectorShelf": "vector_shelf",
    "rank": "ranking",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
