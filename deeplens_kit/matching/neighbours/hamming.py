"""Exact Hamming search by multi-index hashing: all pairs of a million hashes, or the neighbours of a few.

Takes hashes of 64 bits or of several 64-bit words and gives every hit within a radius, the same as brute force.
Equal hashes are folded into one before anything is compared and written out at the end, so that ten thousand
blank pages cost one comparison, and no more links than asked for. Must not decide what a small distance means.
Small radii are probed in bands; where that would cost more than comparing everything, everything is compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.neighbours.band_plan import BandPlan, plan_bands
from deeplens_kit.matching.neighbours.base import HammingHits, hash_words

__all__ = ["HammingIndex"]

_Hashes = NDArray[np.uint8] | NDArray[np.uint64]

# Hits a kernel may write before they are taken over; it grows where one query alone has more.
_BUFFER_HITS = 1 << 18
# Hits held, 24 bytes each, before all but the nearest of each query are let go.
_HELD_HITS = 1 << 22
_NO_LIMIT = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class _Folded:
    """Distinct hashes in order of their first position, and the positions of each, rising."""

    words: NDArray[np.uint64]
    starts: NDArray[np.int64]
    members: NDArray[np.int64]


class HammingIndex:
    """Multi-index hashing over `hashes`, see `HammingSearch`.

    The order of the items is a ranking: with a `limit`, `all_pairs` gives every item its nearest among the items
    *before* it, so that the first item of a large cluster is linked to all of it at a bounded number of links.

    Args:
        hashes: uint64 (n,) or uint8 (n, 8 * words).
    """

    def __init__(self, hashes: _Hashes) -> None:
        self._size = len(hashes)
        self._items = _fold(hash_words(hashes))

    def __len__(self) -> int:
        return self._size

    def query(self, hashes: _Hashes, radius: int, *, limit: int | None = None) -> HammingHits:
        """Items within `radius` bits of each query.

        Args:
            hashes: As those indexed.
            radius: Bits, inclusive.
            limit: At most so many hits per query, nearest first, then by position.
        """
        queries = _fold(hash_words(hashes))
        bounds = np.full(len(queries.words), len(self._items.words), np.int64)
        hits = self._search(queries.words[None], bounds, radius, limit)
        return _written_out(hits, queries, self._items, own=False, limit=limit)

    def all_pairs(self, radius: int, *, variants: _Hashes | None = None, limit: int | None = None) -> HammingHits:
        """Every pair of items within `radius` bits, once, `query` being the later item.

        Args:
            radius: Bits, inclusive.
            variants: uint64 (v, n) or uint8 (v, n, 8 * words): what each item may look like, itself first; the
                distance of a pair is the least over the variants of one of the two. The variants must be an
                isometry group (as the eight orientations are), so that it does not matter of which.
            limit: Each item has at most so many links that it owns, nearest first; it owns those to earlier
                items and, where hashes are equal, to the items whose hash came first.
        """
        words = self._items.words
        first = self._items.members[self._items.starts[:-1]]
        queries = words[None] if variants is None else np.ascontiguousarray(hash_words(variants)[:, first])
        hits = self._search(queries, np.arange(len(words), dtype=np.int64), radius, limit)
        return _written_out(hits, self._items, self._items, own=True, limit=limit)

    def _search(
        self, queries: NDArray[np.uint64], bounds: NDArray[np.int64], radius: int, limit: int | None
    ) -> HammingHits:
        """Hits of distinct queries (v, q, w) among the distinct items before each query's bound."""
        words = self._items.words
        plan = plan_bands(len(words), 64 * words.shape[1], radius)
        found = _Found(limit)
        if plan.scans:
            for variant in queries:
                _scan(words, variant, bounds, radius, found)
        else:
            for number in range(len(plan.bands)):
                _probe_band(words, queries, bounds, plan, number, radius, found)
        return found.hits()


class _Found:
    """Hits as they come, cut down to the nearest of each query whenever there are many."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._parts: list[NDArray[np.int64]] = []
        self._rows, self._most = 0, _HELD_HITS

    def take(self, hits: NDArray[np.int64]) -> None:
        """Add rows of query, item, distance; the same pair may come again at another distance."""
        self._parts.append(hits.copy())
        self._rows += len(hits)
        if self._rows > self._most:
            self._settle()

    def hits(self) -> HammingHits:
        """Each pair once at its least distance, sorted by query, distance, item."""
        rows = self._settle()
        return HammingHits(rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2].astype(np.int32))

    def _settle(self) -> NDArray[np.int64]:
        rows = np.concatenate([np.zeros((0, 3), np.int64), *self._parts])
        rows = rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=1)
        rows = rows[new]
        rows = rows[np.lexsort((rows[:, 1], rows[:, 2], rows[:, 0]))]
        if self._limit is not None:
            place = np.arange(len(rows)) - np.searchsorted(rows[:, 0], rows[:, 0])
            rows = rows[place < self._limit]
        self._parts, self._rows = [rows], len(rows)
        self._most = max(self._most, 2 * len(rows))
        return rows


def _scan(
    words: NDArray[np.uint64], queries: NDArray[np.uint64], bounds: NDArray[np.int64], radius: int, found: _Found
) -> None:
    from deeplens_kit.matching.neighbours.hamming_kernels import scan

    _drain(lambda at, hits: scan(words, queries, bounds, radius, at, hits), len(queries), found)


def _probe_band(
    words: NDArray[np.uint64],
    queries: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    plan: BandPlan,
    number: int,
    radius: int,
    found: _Found,
) -> None:
    """Everything that one band finds, the items and each variant of the queries in the order of the band."""
    from deeplens_kit.matching.neighbours.hamming_kernels import band_keys, by_bucket, probe

    band = plan.bands[number]
    bands = np.array([(item.low, item.width, item.radius) for item in plan.bands], np.int64)
    masks = band.masks()
    starts, names = by_bucket(band_keys(words, band.low, band.width), 1 << band.width)
    near = words[names]
    for variant in queries:
        _, asked = by_bucket(band_keys(variant, band.low, band.width), 1 << band.width)
        rows = variant[asked]
        _drain(partial(probe, near, names, starts, rows, asked, bounds, bands, number, masks, radius), len(rows), found)


def _drain(ask: Callable[[int, NDArray[np.int64]], tuple[int, int]], queries: int, found: _Found) -> None:
    """Ask from query 0 on until all are answered, with more room where one query alone needs it."""
    room, at = _BUFFER_HITS, 0
    buffer = np.empty((room, 3), np.int64)
    while at < queries:
        done, used = ask(at, buffer)
        if done == at:
            room *= 2
            buffer = np.empty((room, 3), np.int64)
        found.take(buffer[:used])
        at = done


def _fold(words: NDArray[np.uint64]) -> _Folded:
    """Equal rows together, in order of the first of each."""
    order = np.lexsort(words.T)
    ordered = words[order]
    new = np.ones(len(words), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    # `lexsort` is stable, so the first of equal rows is the one with the smallest position.
    firsts = order[new]
    number = np.empty(len(firsts), np.int64)
    number[np.argsort(firsts)] = np.arange(len(firsts))
    group = np.empty(len(words), np.int64)
    group[order] = number[np.cumsum(new) - 1]
    members = np.argsort(group, kind="stable")
    starts = np.zeros(len(firsts) + 1, np.int64)
    np.cumsum(np.bincount(group, minlength=len(firsts)), out=starts[1:])
    return _Folded(np.ascontiguousarray(words[np.sort(firsts)]), starts, members)


def _written_out(hits: HammingHits, queries: _Folded, items: _Folded, *, own: bool, limit: int | None) -> HammingHits:
    """Hits between distinct hashes as hits between positions, in canonical order."""
    from deeplens_kit.matching.neighbours.hamming_kernels import count_links, fill_links

    most = _NO_LIMIT if limit is None else limit
    starts = np.zeros(len(queries.words) + 1, np.int64)
    np.cumsum(np.bincount(hits.query, minlength=len(queries.words)), out=starts[1:])
    counts = count_links(starts, hits.item, queries.starts, items.starts, own, most)
    links = np.empty((int(counts.sum()), 3), np.int64)
    fill_links(
        starts,
        hits.item,
        hits.distance,
        queries.starts,
        queries.members,
        items.starts,
        items.members,
        own,
        most,
        links,
    )
    links = links[np.lexsort((links[:, 1], links[:, 2], links[:, 0]))]
    return HammingHits(links[:, 0].copy(), links[:, 1].copy(), links[:, 2].astype(np.int32))
