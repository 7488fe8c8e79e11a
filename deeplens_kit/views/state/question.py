"""A question as the page of search holds it: a picture, words, a part, filters; and as the address of the page.

Takes what a person gives, holds it as a frozen value, gives the query to be answered and the text of a link; must not
search or import Panel. A picture that is not indexed stands in a link by its digest alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from deeplens_kit.errors import DeepLensError, SettingsError
from deeplens_kit.search.filters import SearchFilters
from deeplens_kit.search.link import is_link
from deeplens_kit.search.query import Box, ImageTerm, Query, SearchBy, TextTerm
from deeplens_kit.search.where import filters_of, text_of

__all__ = ["LIMITS", "Question", "question_of_address", "question_of_query"]

LIMITS = (25, 50, 100, 200)
"""Results that can be shown at once."""

_DEFAULT_LIMIT = 50
_EVEN = 0.5
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CROP_DIGITS = 4
_MOST_FIELDS = 50
_BY_NAMES = tuple(str(item) for item in SearchBy)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        image: Bytes, a link, or the digest of an indexed picture; empty where no picture is asked for.
        digest: Of `image` where it is bytes.
        name: What to call the picture.
        shows: What results are to show, as a caption would say it; empty for nothing.
        words: Of paths, names, tags, descriptions and metadata; empty for none.
        balance: Share of the picture, 0..1, where a picture and `shows` are mixed.
        crop: The part of the picture that counts; None for all of it.
        by: A `SearchBy`; empty for what the question asks for by itself.
        weights: Feature and how much it counts; none for those that the question can be compared by.
        filters: What may be found.
        limit: Results at most.
    """

    image: bytes | str = ""
    digest: str = ""
    name: str = ""
    shows: str = ""
    words: str = ""
    balance: float = _EVEN
    crop: Box | None = None
    by: str = ""
    weights: tuple[tuple[str, float], ...] = ()
    filters: SearchFilters = field(default_factory=SearchFilters)
    limit: int = _DEFAULT_LIMIT

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for: no picture, no words, no filter on facts."""
        return not (self.image or self.shows or self.words) and replace(self.filters, min_score=0.0) == SearchFilters()

    @property
    def is_one_picture(self) -> bool:
        """Whether a picture is asked for as a whole, so that results are that picture or are not."""
        return bool(self.image) and not self.shows and self.crop is None

    def query(self) -> Query:
        """What is to be answered, with what the filters could be set to.

        Raises:
            SettingsError: A value is not allowed, or nothing is asked for.
        """
        terms: list[ImageTerm | TextTerm] = []
        mixed = bool(self.image and self.shows)
        if self.image and (not mixed or self.balance > 0):
            terms.append(ImageTerm(self.image, self.balance if mixed else 1.0, self.crop, self.name))
        if self.shows and (not mixed or self.balance < 1):
            terms.append(TextTerm(self.shows, 1 - self.balance if mixed else 1.0))
        if len(terms) == 1:
            terms = [replace(terms[0], weight=1.0)]
        is_picture = len(terms) == 1 and isinstance(terms[0], ImageTerm)
        by = SearchBy(self.by) if self.by and (is_picture or self.by == SearchBy.LIKENESS) and terms else None
        weights = self.weights if by is SearchBy.LIKENESS or (terms and not is_picture) else ()
        return Query(
            tuple(terms), by=by, weights=weights, words=self.words, filters=self.filters, limit=self.limit, facets=True
        )

    def address(self) -> str:
        """The question as what stands behind the question mark of a link; empty where nothing is asked."""
        parts: dict[str, str] = {}
        if self.digest:
            parts["asked"] = self.digest
        elif isinstance(self.image, str) and self.image:
            parts["link" if is_link(self.image) else "like"] = self.image
        if self.name and parts:
            parts["name"] = self.name
        for name in ("shows", "words", "by"):
            if getattr(self, name):
                parts[name] = getattr(self, name)
        if self.image and self.shows and self.balance != _EVEN:
            parts["balance"] = f"{self.balance:g}"
        if self.crop is not None:
            parts["crop"] = ",".join(f"{side:.{_CROP_DIGITS}g}" for side in self.crop)
        if self.weights:
            parts["weights"] = ",".join(f"{name}:{weight:g}" for name, weight in self.weights)
        if where := text_of(self.filters):
            parts["where"] = where
        if self.limit != _DEFAULT_LIMIT:
            parts["limit"] = str(self.limit)
        return urlencode(parts)

    def narrowed(self, facet: str, value: str, *, on: bool) -> Question:
        """The question with a value of a facet added to the filters, or taken out.

        Raises:
            UnknownNameError: There is no such facet.
        """
        from deeplens_kit.search.facets import facet_filters

        own = facet_filters(facet, value)
        changed: dict[str, Any] = {}
        default = SearchFilters()
        for item in fields(SearchFilters):
            wanted = getattr(own, item.name)
            if wanted == getattr(default, item.name):
                continue
            if isinstance(wanted, tuple):
                has = getattr(self.filters, item.name)
                rest = tuple(name for name in has if name not in wanted)
                changed[item.name] = (*rest, *wanted) if on else rest
            else:
                changed[item.name] = wanted if on else getattr(default, item.name)
        if facet == "size" and on:
            changed = {"min_bytes": own.min_bytes, "max_bytes": own.max_bytes}
        return replace(self, filters=replace(self.filters, **changed))

    def has(self, facet: str, value: str) -> bool:
        """Whether a value of a facet is chosen."""
        from deeplens_kit.search.facets import facet_filters

        own, default = facet_filters(facet, value), SearchFilters()
        for item in fields(SearchFilters):
            wanted, mine = getattr(own, item.name), getattr(self.filters, item.name)
            if wanted == getattr(default, item.name):
                if facet == "size" and item.name in ("min_bytes", "max_bytes") and mine != wanted:
                    return False
                continue
            if (not set(wanted) <= set(mine)) if isinstance(wanted, tuple) else mine != wanted:
                return False
        return True


def question_of_address(text: str) -> tuple[Question, str]:
    """The question that a link asks, and what of it is not understood, in a sentence; empty where all is.

    Args:
        text: What stands behind the question mark; of a picture by its digest the bytes are still to be found.
    """
    try:
        given = {name: value for name, value in parse_qsl(text, max_num_fields=_MOST_FIELDS) if value}
        return _read(given), ""
    except (DeepLensError, ValueError) as error:
        return Question(), f"This link cannot be read in full: {error}"


def question_of_query(query: Query) -> Question | None:
    """The question that asks a query on the page; None where the page has no room for it: several, unlike, a vector.

    Args:
        query: For example one that was saved.
    """
    pictures = [term for term in query.terms if isinstance(term, ImageTerm)]
    texts = [term for term in query.terms if isinstance(term, TextTerm)]
    if len(pictures) + len(texts) < len(query.terms):
        return None
    if len(pictures) > 1 or len(texts) > 1 or query.offset or any(term.weight <= 0 for term in query.terms):
        return None
    total = sum(term.weight for term in query.terms)
    values: dict[str, Any] = {
        "words": query.words,
        "filters": query.filters,
        "weights": tuple(dict(query.weights).items()),
    }
    for picture in pictures:
        image = picture.image.strip() if isinstance(picture.image, str) else picture.image
        if isinstance(image, Path) or (isinstance(image, str) and not _is_known_picture(image)):
            return None
        digest = hashlib.sha256(image).hexdigest() if isinstance(image, bytes) else ""
        values |= {"image": image, "digest": digest, "name": picture.name, "crop": picture.crop}
        values["balance"] = picture.weight / total
    for text in texts:
        values["shows"] = text.text
    if query.by is not None and query.by is not replace(query, by=None).resolved_by:
        values["by"] = str(query.by)
    elif query.weights and pictures and not texts:
        values["by"] = str(SearchBy.LIKENESS)
    if query.limit in LIMITS:
        values["limit"] = query.limit
    return Question(**values)


def _is_known_picture(text: str) -> bool:
    """Whether a text is a link or a digest; any other could name a file of this machine."""
    return _DIGEST.fullmatch(text) is not None or is_link(text)


def _read(given: Mapping[str, str]) -> Question:
    values: dict[str, Any] = {name: given[name] for name in ("name", "shows", "words") if name in given}
    for name in ("like", "link", "asked"):
        if name in given:
            if is_link(given[name]) != (name == "link") or not _is_known_picture(given[name]):
                raise SettingsError(
                    f"{given[name][:80]!r} is no {'link' if name == 'link' else 'digest of a picture'}."
                )
            values["image"] = given[name]
    if "asked" in given:
        values["digest"] = given["asked"]
    if given.get("by") in _BY_NAMES:
        values["by"] = given["by"]
    if "balance" in given:
        values["balance"] = min(1.0, max(0.0, float(given["balance"])))
    if "crop" in given:
        left, top, right, bottom = (float(side) for side in given["crop"].split(","))
        values["crop"] = ImageTerm("x", crop=(left, top, right, bottom)).crop
    if "weights" in given:
        pairs = (part.rpartition(":") for part in given["weights"].split(","))
        values["weights"] = tuple((name, float(weight)) for name, _, weight in pairs)
    if "where" in given:
        values["filters"] = filters_of(given["where"])
    if given.get("limit", "").isdigit() and int(given["limit"]) in LIMITS:
        values["limit"] = int(given["limit"])
    return Question(**values)
