"""The vectors of one feature, searched: an interface, what compares everything, and what does not have to.

Takes digests with float16 vectors and gives rows with their scores; writes nothing but its own files, in a folder that
the caller names. Must not know of pictures.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.search.vectors.base import Effort, Metric, Neighbours, VectorIndex
    from deeplens_kit.search.vectors.brute_force import BruteForceIndex
    from deeplens_kit.search.vectors.digests import digest_bytes, digest_texts, leading_numbers, rows_of
    from deeplens_kit.search.vectors.folder import IndexFolder
    from deeplens_kit.search.vectors.shelf import VectorShelf

__all__ = [
    "BruteForceIndex",
    "Effort",
    "IndexFolder",
    "Metric",
    "Neighbours",
    "VectorIndex",
    "VectorShelf",
    "digest_bytes",
    "digest_texts",
    "leading_numbers",
    "rows_of",
]

_HOMES = {
    "BruteForceIndex": "brute_force",
    "Effort": "base",
    "IndexFolder": "folder",
    "Metric": "base",
    "Neighbours": "base",
    "VectorIndex": "base",
    "VectorShelf": "shelf",
    "digest_bytes": "digests",
    "digest_texts": "digests",
    "leading_numbers": "digests",
    "rows_of": "digests",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
