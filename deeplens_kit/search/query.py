"""What is asked: pictures, words, vectors, crops and their weights, how they are compared, and what may be found.

Takes and holds values, refuses those that make no sense; must not read a file, follow a link or look at a picture. A
query is frozen, so that it may be kept, shared between threads, and answered again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.search.filters import SearchFilters

__all__ = ["LONGEST_LIMIT", "Box", "ImageTerm", "Query", "SearchBy", "Term", "TextTerm", "VectorTerm", "term_of"]

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom of a part of an upright picture, shares 0..1."""

LONGEST_LIMIT = 10_000
"""Results of one answer at most, inclusive."""

# More pictures than a library has; ranks are numbers of 32 bits.
_GREATEST_OFFSET = 1_000_000_000
# Weights are shares of their sum, which must stay a number.
_GREATEST_WEIGHT = 1_000_000
_MOST_TERMS = 16
_LONGEST_TEXT = 1_000  # characters
# Of a vector: what numbers of 32 bits can square and divide by.
_LEAST_LENGTH, _GREATEST_LENGTH = 1e-15, 1e15


class SearchBy(StrEnum):
    """What makes a picture a result.

    Attributes:
        COPIES: The evidence for a copy of one picture: have we got it? Scores and tiers are those of stored pairs.
        LIKENESS: Features, each calibrated, weighted and added up: what is like it, where is such a thing?
        PARTS: A part in common, seen by a closer look: where a crop or a part of a collage comes from, and which
            collages, screenshots and frames hold a picture.
    """

    COPIES = "copies"
    LIKENESS = "likeness"
    PARTS = "parts"


@dataclass(frozen=True, slots=True)
class ImageTerm:
    """A picture, or a part of one, that results are to be like, or unlike.

    Attributes:
        image: The bytes of a file, or a path; or a text, which is, in this order, a link (http, https), a data URI or
            base64 of a file, the digest of an indexed picture, "location:path" of an indexed object, or a path.
        weight: Its share among the terms; below 0: results are to be unlike it.
        crop: The part that counts, of the upright picture; None for all of it.
        name: What to call it in the answer; empty for what it is called where it comes from.
    """

    image: bytes | Path | str
    weight: float = 1.0
    crop: Box | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _check_weight(self.weight)
        if self.crop is None:
            return
        try:
            object.__setattr__(self, "crop", tuple(float(side) for side in self.crop))
        except (TypeError, ValueError):
            is_part = False
        else:
            is_part = _is_part(self.crop)
        if not is_part:
            raise SettingsError(
                f"The crop is {self.crop!r}; left, top, right and bottom are shares from 0 to 1 of the upright "
                "picture, left less than right and top less than bottom."
            )


@dataclass(frozen=True, slots=True)
class TextTerm:
    """Words for what a picture shows, understood by a model that knows both; "a red truck in snow".

    Attributes:
        text: As a caption would say it.
        weight: As of `ImageTerm`.
    """

    text: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", " ".join(self.text.split()))
        if not self.text:
            raise SettingsError("There are no words to search for; say what the picture shows.")
        if len(self.text) > _LONGEST_TEXT:
            raise SettingsError(f"The words have {len(self.text):,} characters; at most {_LONGEST_TEXT:,} are read.")
        _check_weight(self.weight)


@dataclass(frozen=True, slots=True)
class VectorTerm:
    """Numbers that a model made elsewhere, as it makes them of a picture; compared by that feature alone.

    Attributes:
        feature: What they are of, as "sscd_small".
        values: As many as the feature has; of any length but none.
        weight: As of `ImageTerm`.
    """

    feature: str
    values: Sequence[float]
    weight: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(float(value) for value in self.values))
        if not self.feature:
            raise SettingsError("The feature that the vector is of is not named; name it, as 'sscd_small'.")
        if not all(map(math.isfinite, self.values)):
            raise SettingsError("The vector holds what is no finite number; give finite numbers alone.")
        # Beyond 32 bits a number is none, and the length is a sum of squares.
        length = math.hypot(*self.values)
        if not _LEAST_LENGTH <= length <= _GREATEST_LENGTH:
            raise SettingsError(
                f"The vector has the length {length:g}, so it points nowhere that can be compared; its length must be "
                f"from {_LEAST_LENGTH:g} to {_GREATEST_LENGTH:g}."
            )
        _check_weight(self.weight)


Term: TypeAlias = ImageTerm | TextTerm | VectorTerm
"""One thing that results are to be like, or unlike."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question.

    Attributes:
        terms: Pictures, words and vectors. None: everything that the filters let through, by `words` or else by place.
        by: What makes a picture a result; None: COPIES for one picture without weights, PARTS for a part of one, else
            LIKENESS.
        weights: Feature and how much its likeness counts, at least 0, in pairs or as a mapping; none: those that the
            terms can be compared by. Naming any makes the search one by LIKENESS.
        words: Full text over paths, names, tags, descriptions and what files say of themselves; a filter, and where
            there are no terms the order.
        filters: What may be found; its `min_score` is the threshold.
        limit: Results at most.
        offset: Results left out before the first.
        facets: Whether to count what each filter could be set to.
        allow_private: Whether a link may lead to an address that is not public. Not for links of strangers.
    """

    terms: tuple[Term, ...] = ()
    by: SearchBy | None = None
    weights: tuple[tuple[str, float], ...] | Mapping[str, float] = ()
    words: str = ""
    filters: SearchFilters = field(default_factory=SearchFilters)
    limit: int = 50
    offset: int = 0
    facets: bool = False
    allow_private: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(self.terms))
        weights = tuple(sorted((name, float(weight)) for name, weight in dict(self.weights).items()))
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "words", " ".join(self.words.split()))
        if self.by is not None:
            object.__setattr__(self, "by", _kind(self.by))
        if len(self.terms) > _MOST_TERMS:
            raise SettingsError(f"The query has {len(self.terms)} pictures and texts; at most {_MOST_TERMS} are mixed.")
        if self.terms and all(term.weight <= 0 for term in self.terms):
            raise SettingsError("Every weight is below 0; give one picture or text that results are to be like.")
        if not (self.terms or self.words or self.facets) and self.filters == SearchFilters():
            raise SettingsError("There is nothing to search for; give a picture, words, or a filter.")
        if not self.terms and self.filters.tiers:
            raise SettingsError(
                "A tier is how strong the evidence is for a copy of the picture asked for; give a picture, or list "
                "pictures that have copies by the filter `duplicates`."
            )
        for name, weight in weights:
            if not 0 <= weight <= _GREATEST_WEIGHT:
                raise SettingsError(
                    f"The weight of {name!r} is {weight:g}; it must be 0 or more, up to {_GREATEST_WEIGHT:,}."
                )
        if weights and not any(weight for _, weight in weights):
            raise SettingsError("The weight of every feature is 0; give one that counts.")
        if not 1 <= self.limit <= LONGEST_LIMIT:
            raise SettingsError(f"The limit is {self.limit}; it must be from 1 to {LONGEST_LIMIT:,}.")
        if not 0 <= self.offset <= _GREATEST_OFFSET:
            raise SettingsError(f"The offset is {self.offset}; it must be from 0 to {_GREATEST_OFFSET:,}.")
        if self.by in (SearchBy.COPIES, SearchBy.PARTS) and not self._is_one_picture:
            raise SettingsError(f"A search by {self.by} takes one picture, of weight 1 and without other terms.")
        if self.by in (SearchBy.COPIES, SearchBy.PARTS) and weights:
            raise SettingsError(f"A search by {self.by} weighs its evidence itself; leave the weights out.")

    @property
    def resolved_by(self) -> SearchBy:
        """`by`, or what it is where none was said."""
        if self.by is not None:
            return self.by
        if not self._is_one_picture or self.weights:
            return SearchBy.LIKENESS
        # Whoever points at a part asks where it comes from: as a copy of the whole it would seldom count.
        (term,) = self.terms
        is_part = isinstance(term, ImageTerm) and term.crop is not None
        return SearchBy.PARTS if is_part else SearchBy.COPIES

    @property
    def _is_one_picture(self) -> bool:
        return len(self.terms) == 1 and isinstance(self.terms[0], ImageTerm) and self.terms[0].weight > 0


def term_of(what: Term | bytes | Path | str) -> Term:
    """A term as it is, anything else as a picture."""
    return what if isinstance(what, ImageTerm | TextTerm | VectorTerm) else ImageTerm(what)


def _is_part(crop: tuple[float, ...]) -> bool:
    if len(crop) != len(("left", "top", "right", "bottom")):
        return False
    left, top, right, bottom = crop
    return 0.0 <= left < right <= 1.0 and 0.0 <= top < bottom <= 1.0


def _kind(by: SearchBy | str) -> SearchBy:
    if by not in set(SearchBy):
        raise UnknownNameError("kind of search", str(by), map(str, SearchBy))
    return SearchBy(by)


def _check_weight(weight: float) -> None:
    if not 0 < abs(weight) <= _GREATEST_WEIGHT:
        raise SettingsError(
            f"The weight of a picture or text is {weight:g}; it must not be 0, nor greater than "
            f"{_GREATEST_WEIGHT:,} either way; below 0 means unlike."
        )
