"""From a query to ranked pictures.

Takes the features of one picture and frames of the pictures that are known, gives those most alike with their scores;
must not open a store, or a file
but those of its own indices, and fetches nothing but the link that a person gave. The names below load their
modules, and with them numba and FAISS, when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.search.facets import FACETS, FACETS_AT_ONCE, count_facets, facet_filters
    from deeplens_kit.search.filters import SearchFilters
    from deeplens_kit.search.library import Library
    from deeplens_kit.search.query import ImageTerm, Query, SearchBy, TextTerm, VectorTerm
    from deeplens_kit.search.ranking import QueryPicture, Ranking, rank
    from deeplens_kit.search.text_index import TextIndex
    from deeplens_kit.search.vectors.shelf import VectorShelf
    from deeplens_kit.search.where import filters_of, text_of

__all__ = [
    "FACETS",
    "FACETS_AT_ONCE",
    "ImageTerm",
    "Library",
    "Query",
    "QueryPicture",
    "Ranking",
    "SearchBy",
    "SearchFilters",
    "TextIndex",
    "TextTerm",
    "VectorShelf",
    "VectorTerm",
    "count_facets",
    "facet_filters",
    "filters_of",
    "rank",
    "text_of",
]

_HOMES = {
    "FACETS": "facets",
    "FACETS_AT_ONCE": "facets",
    "ImageTerm": "query",
    "Library": "library",
    "Query": "query",
    "QueryPicture": "ranking",
    "Ranking": "ranking",
    "SearchBy": "query",
    "SearchFilters": "filters",
    "TextIndex": "text_index",
    "TextTerm": "query",
    "VectorShelf": "vectors.shelf",
    "VectorTerm": "query",
    "count_facets": "facets",
    "facet_filters": "facets",
    "filters_of": "where",
    "rank": "ranking",
    "text_of": "where",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
