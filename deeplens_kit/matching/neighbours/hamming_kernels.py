"""The inner loops of the Hamming index, compiled.

Takes rows of 64-bit words, fills buffers that the caller owns, and must not allocate in proportion to what it
finds: a query that does not fit is given back, to be asked again when there is room.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled

__all__ = ["band_keys", "by_bucket", "count_links", "differing", "fill_links", "probe", "row_distance", "scan"]

_M1 = np.uint64(0x5555555555555555)
_M2 = np.uint64(0x3333333333333333)
_M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
_H1 = np.uint64(0x0101010101010101)
_S1, _S2, _S4, _S56 = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_ONE, _WORD_BITS = np.uint64(1), 64


@compiled
def _bits(value: np.uint64) -> np.int64:
    """Ones of a word; the compiler recognises the pattern and emits one instruction."""
    value = value - ((value >> _S1) & _M1)
    value = (value & _M2) + ((value >> _S2) & _M2)
    value = (value + (value >> _S4)) & _M4
    return np.int64((value * _H1) >> _S56)


@compiled
def differing(left: np.uint64, right: np.uint64) -> np.int64:
    """Bits in which two words differ."""
    return _bits(left ^ right)


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
def by_bucket(keys: NDArray[np.int64], buckets: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counting sort: where each bucket begins, int64 (buckets + 1,), and the rows by bucket, rising within one."""
    starts = np.zeros(buckets + 1, np.int64)
    for key in keys:
        starts[key + 1] += 1
    for bucket in range(buckets):
        starts[bucket + 1] += starts[bucket]
    place, order = starts[:-1].copy(), np.empty(len(keys), np.int64)
    for row in range(len(keys)):
        order[place[keys[row]]] = row
        place[keys[row]] += 1
    return starts, order


@compiled
def scan(
    words: NDArray[np.uint64],
    queries: NDArray[np.uint64],
    bounds: NDArray[np.int64],
    radius: int,
    first: int,
    hits: NDArray[np.int64],
) -> tuple[int, int]:
    """Compare the queries from `first` on with every item before their bound.

    Args:
        words: uint64 (n, w), the items.
        queries: uint64 (q, w).
        bounds: int64 (q,), items at and after this position are left out.
        radius: Bits, inclusive.
        first: First query.
        hits: int64 (room, 3), filled with query, item, distance.

    Returns:
        The query to go on with and the used length of `hits`: a query that does not fit is left for the next call.
    """
    used = 0
    for query in range(first, len(queries)):
        begin = used
        for item in range(bounds[query]):
            distance = row_distance(queries, query, words, item)
            if distance <= radius:
                if used == len(hits):
                    return query, begin
                hits[used, 0], hits[used, 1], hits[used, 2] = query, item, distance
                used += 1
    return len(queries), used


@compiled
def probe(
    words: NDArray[np.uint64],
    names: NDArray[np.int64],
    starts: NDArray[np.int64],
    queries: NDArray[np.uint64],
    asked: NDArray[np.int64],
    bounds: NDArray[np.int64],
    bands: NDArray[np.int64],
    band: int,
    masks: NDArray[np.uint64],
    radius: int,
    first: int,
    hits: NDArray[np.int64],
) -> tuple[int, int]:
    """Compare queries with the items whose band is near theirs.

    Items and queries both lie in the order of their band, so that memory is read forwards: with rows in their own
    order nearly every look is a cache miss, which is twenty times slower at a million.

    Args:
        words: uint64 (n, w), the items by bucket.
        names: int64 (n,), their positions, rising within a bucket.
        starts: int64, where each bucket begins.
        queries: uint64 (q, w), the queries by bucket.
        asked: int64 (q,), their positions.
        bounds: int64, by the query's position: items at and after this one are left out.
        bands: int64 (b, 3): low bit, width and radius of every band.
        band: The band in whose order all this is.
        masks: uint64, what to flip in a key to reach its neighbours.
        radius: Bits, inclusive.
        first: First query, in the order given.
        hits: int64 (room, 3), filled with query, item, distance.

    Returns:
        As `scan`.
    """
    used = 0
    for at in range(first, len(queries)):
        begin = used
        key, bound = _key(queries, at, bands[band, 0], bands[band, 1]), bounds[asked[at]]
        for mask in masks:
            bucket = np.int64(key ^ mask)
            for row in range(starts[bucket], starts[bucket + 1]):
                if names[row] >= bound:
                    break
                distance = row_distance(queries, at, words, row)
                if distance > radius or _met_before(queries, at, words, row, bands, band):
                    continue
                if used == len(hits):
                    return at, begin
                hits[used, 0], hits[used, 1], hits[used, 2] = asked[at], names[row], distance
                used += 1
    return len(queries), used


@compiled
def _met_before(
    queries: NDArray[np.uint64],
    at: int,
    words: NDArray[np.uint64],
    row: int,
    bands: NDArray[np.int64],
    band: int,
) -> bool:
    """Whether an earlier band reports the pair: one close in several bands is reported by the first of them."""
    for other in range(band):
        low, width = bands[other, 0], bands[other, 1]
        if _bits(_key(queries, at, low, width) ^ _key(words, row, low, width)) <= bands[other, 2]:
            return True
    return False


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
