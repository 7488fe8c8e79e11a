"""A query with everything that its answer depends on settled, and the fingerprint of that.

Takes what was read and planned, holds it; must not read or search. Two spellings of one question have one fingerprint.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields

from deeplens_kit.pipeline.query_plan import PlannedPart
from deeplens_kit.pipeline.query_terms import ReadTerm
from deeplens_kit.pipeline.query_tools import CopyTools
from deeplens_kit.pipeline.search_library import Held
from deeplens_kit.search.query import Query, SearchBy

__all__ = ["ResolvedQuery", "fingerprint_of"]

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedQuery:
    """A query that can be answered.

    Attributes:
        query: As it was asked.
        by: What makes a picture a result; None where there are no terms.
        held: The library that it is asked of; its `state` tells whether an answer is still true.
        terms: What was asked for, recognised.
        parts: Of a search by likeness.
        tools: Of a search for copies or by parts.
        notes: What cannot be used, a sentence each.
        fingerprint: Of all that the answer depends on but the state of the library and the names of pictures.
    """

    query: Query
    by: SearchBy | None
    held: Held
    terms: tuple[ReadTerm, ...]
    parts: tuple[PlannedPart, ...]
    tools: CopyTools | None
    notes: tuple[str, ...]
    fingerprint: str

    @property
    def said(self) -> tuple[str, ...]:
        """Names and notes that the answer repeats."""
        return (*(term.name for term in self.terms), *self.notes)

    @property
    def name(self) -> str:
        """What all of it is called."""
        return " + ".join(term.name for term in self.terms) or self.query.words or "all pictures"


def fingerprint_of(query: Query, by: SearchBy | None, terms: Sequence[ReadTerm], marks: Sequence[str]) -> str:
    """SHA-256 in hexadecimal of a question.

    Args:
        query: Gives weights, words, filters, limit and offset.
        by: How it is answered.
        terms: Their contents count, not how they were spelt.
        marks: Of features, calibrations and rules.
    """
    filters = [(item.name, _ordered(getattr(query.filters, item.name))) for item in fields(query.filters)]
    asked = (
        _VERSION,
        None if by is None else str(by),
        tuple(term.identity for term in terms),
        query.weights,
        query.words,
        tuple(filters),
        query.limit,
        query.offset,
        query.facets,
        tuple(marks),
    )
    return hashlib.sha256(repr(asked).encode()).hexdigest()


def _ordered(value: object) -> object:
    """Values of which any will do, in one order."""
    return tuple(sorted(map(str, value))) if isinstance(value, tuple) else value
