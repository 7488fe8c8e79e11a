"""From filters to the pictures and places that they let through.

Takes a library and filters, gives masks; must not rank. Each condition is a pass over a column of numbers, a fraction
of a millisecond for a million pictures; those on places come last, and look at few places where few pictures are left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.search.facts import NO_TIME, microseconds
from deeplens_kit.search.filters import SearchFilters

if TYPE_CHECKING:
    from datetime import datetime

    from deeplens_kit.search.library import Library

__all__ = ["pictures_within", "places_within"]

# Below this share of the pictures their places are gathered; above, a pass over all places is faster.
_FEW = 0.1


def pictures_within(library: Library, filters: SearchFilters) -> NDArray[np.bool_] | None:
    """Which pictures the filters on facts let through, bool (n,); None for all of them."""
    mask: NDArray[np.bool_] | None = None
    for condition in _picture_conditions(library, filters):
        mask = condition if mask is None else np.logical_and(mask, condition, out=mask)
    if not filters.narrows_places:
        return mask
    facts = library.place_facts
    few = mask is not None and int(np.count_nonzero(mask)) < _FEW * len(library)
    rows = library.places_of(np.flatnonzero(mask)) if few and mask is not None else None
    visible = places_within(library, filters, rows)
    here = np.flatnonzero(visible) if rows is None else rows[visible]
    found = np.zeros(len(library), bool)
    found[facts.picture_of_place[here]] = True
    return found if mask is None or few else np.logical_and(found, mask, out=found)


def places_within(library: Library, filters: SearchFilters, rows: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Which places the filters on places let through.

    Args:
        library: The library.
        filters: Those on pictures are not looked at.
        rows: Rows of `places` to look at; None for all.

    Returns:
        bool, by row.
    """
    mask: NDArray[np.bool_] | None = None
    for condition in _place_conditions(library, filters, rows):
        visible = condition()
        mask = visible.copy() if mask is None else np.logical_and(mask, visible, out=mask)
    if mask is None:
        return np.ones(library.places.height if rows is None else len(rows), bool)
    return mask


def _picture_conditions(library: Library, filters: SearchFilters) -> Iterator[NDArray[np.bool_]]:
    """Masks of their own; each may be written to."""
    facts = library.picture_facts
    if filters.formats:
        formats = facts.formats
        yield formats.among([name in filters.formats for name in formats.names], None)
    yield from _between(lambda: facts.size_bytes, filters.min_bytes, filters.max_bytes)
    yield from _between(lambda: facts.width_px, filters.min_width_px, filters.max_width_px)
    yield from _between(lambda: facts.height_px, filters.min_height_px, filters.max_height_px)
    yield from _between(lambda: facts.short_side_px, filters.min_side_px, filters.max_side_px)
    if filters.taken_from or filters.taken_to:
        yield _within(facts.taken_us, filters.taken_from, filters.taken_to)
    if filters.cameras or filters.cameras_with:
        names = [name.casefold() for name in facts.cameras.names]
        yield facts.cameras.among(_chosen_cameras(names, filters), None)
    if filters.duplicates:
        yield library.duplicate_facts.of_tiers(filters.duplicates)
    if filters.min_saves_bytes:
        yield library.duplicate_facts.saves_bytes >= filters.min_saves_bytes


def _place_conditions(
    library: Library, filters: SearchFilters, rows: NDArray[np.int64] | None
) -> Iterator[Callable[[], NDArray[np.bool_]]]:
    """What gives masks that belong to somebody else."""
    facts = library.place_facts
    if filters.locations:
        names = facts.locations.names
        yield lambda: facts.locations.among([name in filters.locations for name in names], rows)
    if filters.modified_from or filters.modified_to:
        times = facts.modified_us if rows is None else facts.modified_us[rows]
        yield lambda: _within(times, filters.modified_from, filters.modified_to)
    if filters.collections:
        yield lambda: _noted(library, library.note_facts.in_collections(filters.collections), rows)
    if filters.tags:
        yield lambda: _noted(library, library.note_facts.with_tags(filters.tags), rows)
    if filters.paths:
        yield lambda: facts.matching(filters.paths, rows)


def _between(
    column: Callable[[], NDArray[np.integer]], least: int, greatest: int | None
) -> Iterator[NDArray[np.bool_]]:
    # A bound beyond what the column can hold would make numpy refuse it.
    if least:
        values = column()
        yield _at_least(values, least)
    if greatest is not None:
        values = column()
        yield ~_at_least(values, greatest + 1)


def _at_least(values: NDArray[np.integer], bound: int) -> NDArray[np.bool_]:
    if bound > np.iinfo(values.dtype).max:
        return np.zeros(len(values), bool)
    return np.asarray(values >= bound)


def _within(values: NDArray[np.int64], first: datetime | None, last: datetime | None) -> NDArray[np.bool_]:
    mask = np.asarray(values >= (microseconds(first) if first else NO_TIME + 1))
    if last:
        np.logical_and(mask, values <= microseconds(last), out=mask)
    return mask


def _chosen_cameras(names: Sequence[str], filters: SearchFilters) -> list[bool]:
    whole = {name.casefold() for name in filters.cameras}
    parts = [part.casefold() for part in filters.cameras_with]
    return [name in whole or any(part in name for part in parts) for name in names]


def _noted(library: Library, notes: NDArray[np.bool_], rows: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """By row of place, from a mask by note."""
    visible = np.zeros(library.places.height, bool)
    visible[library.note_facts.rows[notes]] = True
    return visible if rows is None else visible[rows]
