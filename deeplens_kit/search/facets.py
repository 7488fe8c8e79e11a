"""What the filters could be set to, with the number of pictures that each value would leave.

Takes a library, the filters that are set and a mask of what else is asked for, gives SEARCH_FACETS; must not rank. A
facet is counted among the pictures that all filters but its own let through, so that a value which is chosen does not
hide the others beside it. Counts are exact: each is the number that the filter with that value alone would find.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.schemas import SEARCH_FACETS
from deeplens_kit.search.facts import SIZE_BOUNDS
from deeplens_kit.search.filters import COPY_TIERS, SearchFilters
from deeplens_kit.search.library import Library
from deeplens_kit.search.note_facts import Said
from deeplens_kit.search.where import filters_of

__all__ = ["ANY_DUPLICATE", "FACETS", "FACETS_AT_ONCE", "count_facets", "facet_filters"]

FACETS = ("location", "format", "camera", "collection", "tag", "year", "month", "size", "duplicates")
"""All facets, in the order in which they are given."""

FACETS_AT_ONCE = FACETS[:-1]
"""Those that need no groups, which take seconds to make for a million pictures."""

ANY_DUPLICATE = "any"
"""The value of the facet `duplicates` that stands for all tiers."""

_MOST_VALUES = 50
# As SIZE_BOUNDS parts them.
_SIZE_NAMES = ("up to 100 kB", "100 kB to 1 MB", "1 MB to 10 MB", "10 MB to 100 MB", "from 100 MB")
_OWN = {
    "location": ("locations",), "format": ("formats",), "camera": ("cameras", "cameras_with"),
    "collection": ("collections",), "tag": ("tags",), "year": ("taken_from", "taken_to"),
    "month": ("taken_from", "taken_to"), "size": ("min_bytes", "max_bytes"), "duplicates": ("duplicates",),
}  # fmt: skip
_DEFAULTS = {field.name: field.default for field in fields(SearchFilters)}


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a facet is counted among.

    Attributes:
        library: The library.
        filters: All but the facet's own.
        positions: Of the pictures that they and the rest of the question let through, rising; None for all.
    """

    library: Library
    filters: SearchFilters
    positions: NDArray[np.int64] | None

    def of_pictures(self, values: NDArray[np.integer]) -> NDArray[np.integer]:
        """A column by position, of these pictures."""
        return values if self.positions is None else values.take(self.positions)

    def mask(self) -> NDArray[np.bool_] | None:
        """These pictures by position."""
        if self.positions is None:
            return None
        mask = np.zeros(len(self.library), bool)
        mask[self.positions] = True
        return mask


def count_facets(
    library: Library,
    mask: NDArray[np.bool_] | None,
    filters: SearchFilters,
    *,
    names: Collection[str] = FACETS_AT_ONCE,
    most: int = _MOST_VALUES,
) -> pl.DataFrame:
    """SEARCH_FACETS: by facet in the order of FACETS, the most frequent value first, of equal ones by name.

    Args:
        library: The pictures.
        mask: What else is asked for, bool by position, for example what words find; None for nothing.
        filters: As they are set; `min_score` and `tiers` are of the ranking and not looked at.
        names: Facets to count; by default those that need no groups.
        most: Values of each facet at most.

    Raises:
        UnknownNameError: There is no such facet.
    """
    for name in names:
        if name not in FACETS:
            raise UnknownNameError("facet", name, FACETS)
    scopes: dict[SearchFilters, _Scope] = {}
    parts: list[tuple[str, str, int]] = []
    for name in FACETS:
        if name not in names:
            continue
        others = replace(filters, **{own: _DEFAULTS[own] for own in _OWN[name]})  # type: ignore[arg-type]
        if others not in scopes:
            scopes[others] = _scope(library, mask, others)
        counted = [(value, count) for value, count in _COUNTERS[name](scopes[others]) if count]
        counted.sort(key=lambda item: (-item[1], item[0]))
        parts.extend((name, value, count) for value, count in counted[:most])
    return SEARCH_FACETS.check(pl.DataFrame(parts, schema=SEARCH_FACETS.polars, orient="row"))


def facet_filters(facet: str, value: str) -> SearchFilters:
    """The filter that leaves what a row of SEARCH_FACETS counts.

    Raises:
        UnknownNameError: There is no such facet, or size class.
    """
    if facet not in FACETS:
        raise UnknownNameError("facet", facet, FACETS)
    if facet in ("year", "month"):
        return filters_of(f"taken={value}")
    if facet == "duplicates":
        return SearchFilters(duplicates=COPY_TIERS if value == ANY_DUPLICATE else (value,))  # type: ignore[arg-type]
    if facet == "size":
        if value not in _SIZE_NAMES:
            raise UnknownNameError("size class", value, _SIZE_NAMES)
        at = _SIZE_NAMES.index(value)
        bounds = [0, *SIZE_BOUNDS]
        return SearchFilters(min_bytes=bounds[at], max_bytes=bounds[at + 1] - 1 if at + 1 < len(bounds) else None)
    return SearchFilters(**{_OWN[facet][0]: (value,)})  # type: ignore[arg-type]


def _scope(library: Library, mask: NDArray[np.bool_] | None, filters: SearchFilters) -> _Scope:
    wanted = library.wanted(filters)
    if wanted is not None and mask is not None:
        wanted &= mask
    wanted = mask if wanted is None else wanted
    return _Scope(library, filters, None if wanted is None else np.flatnonzero(wanted))


_Counted = Iterable[tuple[str, int]]


def _by_code(scope: _Scope, name: str) -> _Counted:
    codes = getattr(scope.library.picture_facts, name)
    # The last stands for pictures without a name.
    counts = np.bincount(scope.of_pictures(codes.values), minlength=len(codes.names) + 1)
    return zip(codes.names, counts[:-1].tolist(), strict=True)


def _by_location(scope: _Scope) -> _Counted:
    facts, mask = scope.library.place_facts, scope.mask()
    rows = facts.location_begins
    if scope.filters.narrows_places:
        # Of a picture at a location the first place that is let through counts.
        visible = np.flatnonzero(scope.library.places_within(scope.filters))
        codes, owners = facts.locations.values.take(visible), facts.picture_of_place.take(visible)
        begins = np.ones(len(codes), bool)
        begins[1:] = (codes[1:] != codes[:-1]) | (owners[1:] != owners[:-1])
        rows = visible[begins]
    codes = facts.locations.values.take(rows)
    if mask is not None:
        codes = codes[mask.take(facts.picture_of_place.take(rows))]
    return zip(facts.locations.names, np.bincount(codes, minlength=len(facts.locations.names)).tolist(), strict=True)


def _by_note(scope: _Scope, name: str) -> _Counted:
    facts = scope.library.note_facts
    said: Said = getattr(facts, name)
    notes = scope.library.places_within(scope.filters, facts.rows) if scope.filters.narrows_places else None
    return zip(said.names, said.counts(notes, scope.mask()), strict=True)


def _by_date(scope: _Scope, unit: str) -> _Counted:
    months, first = scope.library.picture_facts.months
    values = scope.of_pictures(months)
    counts = np.bincount(values)[1:]  # 0 stands for no date
    named: dict[str, int] = {}
    for at in np.flatnonzero(counts).tolist():
        year, month = divmod(at + first, 12)
        name = f"{year:04d}" if unit == "year" else f"{year:04d}-{month + 1:02d}"
        named[name] = named.get(name, 0) + int(counts[at])
    return named.items()


def _by_size(scope: _Scope) -> _Counted:
    classes = scope.of_pictures(scope.library.picture_facts.size_classes)
    return zip(_SIZE_NAMES, np.bincount(classes, minlength=len(_SIZE_NAMES)).tolist(), strict=True)


def _by_duplicates(scope: _Scope) -> _Counted:
    counts = np.bincount(scope.of_pictures(scope.library.duplicate_facts.tiers), minlength=1 << len(COPY_TIERS))
    sets = np.arange(len(counts))
    yield ANY_DUPLICATE, int(counts[1:].sum())
    for number, tier in enumerate(COPY_TIERS):
        yield str(tier), int(counts[(sets >> number) & 1 == 1].sum())


_COUNTERS: dict[str, Callable[[_Scope], _Counted]] = {
    "location": _by_location,
    "format": partial(_by_code, name="formats"),
    "camera": partial(_by_code, name="cameras"),
    "collection": partial(_by_note, name="collections"),
    "tag": partial(_by_note, name="tags"),
    "year": partial(_by_date, unit="year"),
    "month": partial(_by_date, unit="month"),
    "size": _by_size,
    "duplicates": _by_duplicates,
}
