"""The inner loops of the Hamming index, compiled.

Takes rows of 64-bit words and band tables, fills buffers that the caller owns, and must not allocate in
proportion to what it finds: a query that does not fit is given back to be asked again with more room.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled

__all__ = ["band_keys", "count_links", "fill_links", "row_distance", "search"]

_M1 = np.uint64(0x5555555555555555)
_M2 = np.uint64(0x3333333333333333)
_M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
_H1 = np.uint64(0x0101010101010101)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_ONE, _WORD_BITS = np.uint64(1), 64
_DISTANCE_BITS, _DISTANCE_MASK = 16, 0xFFFF
_ITEM_BITS, _ITEM_MASK = 32, 0xFFFFFFFF


@compiled
def _bits(value: np.uint64) -> np.int64:
    """Ones of a word; the compiler recognises the pattern and emits one instruction."""
    value = value - ((value >> _S1) & _M1)
    value = (value & _M2) + ((value >> _S2) & _M2)
    value = (value + (value >> _S4)) & _M4
    return np.int64((value * _H1) >> _S56)


@compiled
def row_distance(left: NDArray[np.uint64], i: int, right: NDArray[np.uint64], j: int) -> np.int64:
    """Bits in which row i of `left` and row j of `right` differ."""
    total = np.int64(0)
    for word in range(left.shape[1]):
        total += _bits(left[i, word] ^ right[j, word])
    return total


@compiled
def _key(words: NDArray[np.uint64], row: int, low: int, width: int) -> np.uint64:
    """Bits low .. low + width of a row; width is below 64."""
    word, shift = low // _WORD_BITS, low % _WORD_BITS
    value = words[row, word] >> np.uint64(shift)
    if shift + width > _WORD_BITS:
        value |= words[row, word + 1] << np.uint64(_WORD_BITS - shift)
    return np.uint64(value & ((_ONE << np.uint64(width)) - _ONE))


@compiled
def band_keys(words: NDArray[np.uint64], low: int, width: int) -> NDArray[np.int64]:
    """The band of every row as a number: int64 (n,)."""
    keys = np.empty(words.shape[0], np.int64)
    for row in range(words.shape[0]):
        keys[row] = np.int64(_key(words, row, low, width))
    return keys


@compiled
def _settle(items: NDArray[np.int32], distances: NDArray[np.int16], begin: int, end: int, limit: int) -> int:
    """Sort one query's hits by distance and item, each item once at its best, at most `limit`; the new end."""
    if end == begin:
        return end
    keys = np.empty(end - begin, np.int64)
    for at in range(begin, end):
        keys[at - begin] = (np.int64(items[at]) << _DISTANCE_BITS) | np.int64(distances[at])
    keys.sort()
    ranked = np.empty(len(keys), np.int64)
    count, last = 0, np.int64(-1)
    for key in keys:
        item = key >> _DISTANCE_BITS
        if item != last:
            ranked[count] = ((key & _DISTANCE_MASK) << _ITEM_BITS) | item
            count, last = count + 1, item
    ranked = ranked[:count]
    ranked.sort()
    count = min(count, limit)
    for at in range(count):
        distances[begin + at] = ranked[at] >> _ITEM_BITS
        items[begin + at] = ranked[at] & _ITEM_MASK
    return begin + count


@compiled
def search(
    words: NDArray[np.uint64],
    queries: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    bands: NDArray[np.int64],
    starts: NDArray[np.int32],
    order: NDArray[np.int32],
    masks: NDArray[np.uint64],
    radius: int,
    limit: int,
    first: int,
    last: int,
    items: NDArray[np.int32],
    distances: NDArray[np.int16],
    counts: NDArray[np.int64],
) -> tuple[int, int]:
    """Hits of the queries first .. last among the items before `bounds[query]`.

    Args:
        words: uint64 (n, w), the items.
        queries: uint64 (v, q, w), the variants of each query.
        bounds: int64 (q,), items at and after this position are left out.
        bands: int64 (b, 6): low bit, width, offset into starts, first and last mask, radius of the band.
            Without bands every item is compared.
        starts: int32, for each band where each bucket begins in `order`.
        order: int32 (b, n), items by bucket, rising within a bucket.
        masks: uint64, what to flip in a band's key to reach its neighbours.
        radius: bits, inclusive.
        limit: the most hits per query.
        first: First query.
        last: Query to stop before.
        items: int32 buffer, filled.
        distances: int16 buffer, filled.
        counts: int64 (q,), hits of each query, filled.

    Returns:
        The query to go on with (`last` when done) and the used length of the buffers.
    """
    used = 0
    variants = queries.shape[0]
    for q in range(first, last):
        begin = used
        bound = bounds[q]
        for variant in range(variants):
            query = queries[variant]
            if bands.shape[0] == 0:
                for item in range(bound):
                    distance = row_distance(query, q, words, item)
                    if distance <= radius:
                        if used == len(items):
                            return q, begin
                        items[used], distances[used] = item, distance
                        used += 1
            for band in range(bands.shape[0]):
                low, width, offset = bands[band, 0], bands[band, 1], bands[band, 2]
                key = _key(query, q, low, width)
                for mask in range(bands[band, 3], bands[band, 4]):
                    bucket = offset + np.int64(key ^ masks[mask])
                    for at in range(starts[bucket], starts[bucket + 1]):
                        item = order[band, at]
                        if item >= bound:
                            break
                        distance = row_distance(query, q, words, item)
                        if distance > radius:
                            continue
                        # A pair close in several bands is reported by the first of them only.
                        seen = False
                        for other in range(band):
                            here = _key(query, q, bands[other, 0], bands[other, 1])
                            there = _key(words, item, bands[other, 0], bands[other, 1])
                            if _bits(here ^ there) <= bands[other, 5]:
                                seen = True
                                break
                        if seen:
                            continue
                        if used == len(items):
                            return q, begin
                        items[used], distances[used] = item, distance
                        used += 1
        used = _settle(items, distances, begin, used, limit)
        counts[q] = used - begin
    return last, used


@compiled
def count_links(
    hit_starts: NDArray[np.int64],
    hit_items: NDArray[np.int64],
    query_starts: NDArray[np.int64],
    item_starts: NDArray[np.int64],
    own: bool,
    limit: int,
) -> NDArray[np.int64]:
    """How many links each distinct query gives when equal hashes are written out, see `fill_links`."""
    counts = np.zeros(len(query_starts) - 1, np.int64)
    for query in range(len(counts)):
        reachable = 0
        for hit in range(hit_starts[query], hit_starts[query + 1]):
            reachable += item_starts[hit_items[hit] + 1] - item_starts[hit_items[hit]]
        for earlier in range(query_starts[query + 1] - query_starts[query]):
            counts[query] += min(limit, reachable + (earlier if own else 0))
    return counts


@compiled
def fill_links(
    hit_starts: NDArray[np.int64],
    hit_items: NDArray[np.int64],
    hit_distances: NDArray[np.int32],
    query_starts: NDArray[np.int64],
    query_members: NDArray[np.int64],
    item_starts: NDArray[np.int64],
    item_members: NDArray[np.int64],
    own: bool,
    limit: int,
    out: NDArray[np.int64],
) -> None:
    """Write hits between distinct hashes out to hits between positions.

    Each position takes its equal hashes first (only where `own`, and only those before it), then the members of
    the hashes found, nearest first, until it has `limit`.

    Args:
        hit_starts: int64 (distinct queries + 1,), where each query's hits begin.
        hit_items: int64, distinct item of each hit, nearest first.
        hit_distances: int32, bits of each hit.
        query_starts: int64, where the positions of each distinct query begin in `query_members`.
        query_members: int64, positions, rising within a distinct query.
        item_starts: as `query_starts`, of the items.
        item_members: as `query_members`, of the items.
        own: Queries and items are the same positions.
        limit: The most links of a position.
        out: int64 (links, 3), filled with query, item, distance.
    """
    at = 0
    for query in range(len(query_starts) - 1):
        for position in range(query_starts[query], query_starts[query + 1]):
            member, left = query_members[position], limit
            if own:
                for other in range(query_starts[query], position):
                    if left == 0:
                        break
                    out[at, 0], out[at, 1], out[at, 2] = member, query_members[other], 0
                    at, left = at + 1, left - 1
            for hit in range(hit_starts[query], hit_starts[query + 1]):
                for other in range(item_starts[hit_items[hit]], item_starts[hit_items[hit] + 1]):
                    if left == 0:
                        break
                    found = item_members[other]
                    out[at, 0] = max(member, found) if own else member
                    out[at, 1] = min(member, found) if own else found
                    out[at, 2] = hit_distances[hit]
                    at, left = at + 1, left - 1
