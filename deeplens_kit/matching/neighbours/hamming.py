"""Exact Hamming search by multi-index hashing: all pairs of a million hashes, or the neighbours of a few.

Takes hashes of 64 bits or of several 64-bit words and gives every hit within a radius, the same as brute force.
Equal hashes are folded into one before anything is compared and written out at the end, so that ten thousand
blank pages cost one comparison, and no more links than asked for. Must not decide what a small distance means.
Small radii are probed in bands; where that would cost more than comparing everything, everything is compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.neighbours.band_plan import BandPlan, plan_bands
from deeplens_kit.matching.neighbours.base import HammingHits, hash_words

__all__ = ["HammingIndex"]

_Hashes = NDArray[np.uint8] | NDArray[np.uint64]

# Hits held at once before they are copied out; it grows where one query alone has more.
_BUFFER_HITS = 1 << 18
_NO_LIMIT = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class _Folded:
    """Distinct hashes in order of their first position, and the positions of each, rising."""

    words: NDArray[np.uint64]
    starts: NDArray[np.int64]
    members: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Tables:
    """The bands of a plan, their buckets and what to flip, as the kernel reads them."""

    bands: NDArray[np.int64]
    starts: NDArray[np.int32]
    order: NDArray[np.int32]
    masks: NDArray[np.uint64]


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
        self._tables: dict[BandPlan, _Tables] = {}

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
        from deeplens_kit.matching.neighbours.hamming_kernels import search

        count = queries.shape[1]
        tables = self._tables_for(plan_bands(len(self._items.words), 64 * queries.shape[2], radius))
        counts = np.zeros(count, np.int64)
        parts: list[tuple[NDArray[np.int32], NDArray[np.int16]]] = []
        room, at = _BUFFER_HITS, 0
        while at < count:
            buffers = np.empty(room, np.int32), np.empty(room, np.int16)
            done, used = search(
                self._items.words,
                queries,
                bounds,
                tables.bands,
                tables.starts,
                tables.order,
                tables.masks,
                radius,
                _NO_LIMIT if limit is None else limit,
                at,
                count,
                *buffers,
                counts,
            )
            if done == at:
                room *= 2
            parts.append((buffers[0][:used].copy(), buffers[1][:used].copy()))
            at = done
        item = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in parts)])
        distance = np.concatenate([np.zeros(0, np.int32), *(part[1] for part in parts)])
        return HammingHits(np.repeat(np.arange(count, dtype=np.int64), counts), item, distance)

    def _tables_for(self, plan: BandPlan) -> _Tables:
        if plan not in self._tables:
            self._tables[plan] = _build(self._items.words, plan)
        return self._tables[plan]


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


def _build(words: NDArray[np.uint64], plan: BandPlan) -> _Tables:
    """Counting sort of the items into the buckets of each band."""
    from deeplens_kit.matching.neighbours.hamming_kernels import band_keys

    bands = np.zeros((len(plan.bands), 6), np.int64)
    starts: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    masks: list[NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
    order = np.empty((len(plan.bands), len(words)), np.int32)
    offset = flips = 0
    for number, band in enumerate(plan.bands):
        keys = band_keys(words, band.low, band.width)
        order[number] = np.argsort(keys, kind="stable")
        begins = np.zeros((1 << band.width) + 1, np.int32)
        np.cumsum(np.bincount(keys, minlength=1 << band.width), out=begins[1:])
        mask = band.masks()
        bands[number] = band.low, band.width, offset, flips, flips + len(mask), band.radius
        starts.append(begins)
        masks.append(mask)
        offset, flips = offset + len(begins), flips + len(mask)
    return _Tables(bands, np.concatenate(starts), order, np.concatenate(masks))


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
