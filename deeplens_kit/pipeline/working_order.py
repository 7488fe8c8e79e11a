"""The order in which pairs are looked at, so that a picture in memory meets all its partners before it goes.

Takes pairs, gives their positions in order; must not look at a picture. Candidates of a real library hang together in
one great component, where an order by strength would fetch each picture anew for each pair. Numbering the pictures so
that partners have near numbers (Cuthill and McKee 1969, reversed) keeps few of them in use at a time.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["working_order"]


def working_order(pairs: pl.DataFrame, *, likely_first: bool = False) -> NDArray[np.int64]:
    """Positions of pairs in the order of work; the same for the same pairs in whatever order.

    Args:
        pairs: Columns digest_a, digest_b and score, each pair once.
        likely_first: Those that are more likely copies than not (score of 0.5 and more) before the others, for a run
            that may have no time for all of them.
    """
    if not pairs.height:
        return np.zeros(0, np.int64)
    names = pl.concat([pairs["digest_a"], pairs["digest_b"]]).unique().sort()
    left, right = (names.search_sorted(pairs[end]).to_numpy().astype(np.int64) for end in ("digest_a", "digest_b"))
    place = _places(left, right, len(names))
    later, earlier = np.maximum(place[left], place[right]), np.minimum(place[left], place[right])
    if not likely_first:
        return np.lexsort((earlier, later))
    unlikely = (pairs["score"].fill_null(0.0) < 0.5).to_numpy()
    return np.lexsort((earlier, later, unlikely))


def _places(left: NDArray[np.int64], right: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """A number for each picture, near to those of its partners."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    # Sorted first: the numbering follows the order of the links, which must not come from that of the pairs.
    order = np.lexsort((right, left))
    ends = np.concatenate([left[order], right[order]]), np.concatenate([right[order], left[order]])
    links = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(count, count)).tocsr()
    links.sort_indices()
    numbered = reverse_cuthill_mckee(links, symmetric_mode=True)
    place = np.empty(count, np.int64)
    place[numbered] = np.arange(count)
    return place
