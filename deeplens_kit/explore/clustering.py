"""Clusters of pictures that are alike and no copies of each other.

Takes vectors of one feature, gives for each picture its cluster or none; must not open a store, and nothing decides on
what it gives: what lies in a cluster is alike, not the same. Copies are one picture here, whatever their number, so
that a cluster is one of different pictures. What is found depends on the vectors alone, not on their order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError
from deeplens_kit.explore.density import dense_groups
from deeplens_kit.explore.nearest import along_axes, nearest_others
from deeplens_kit.explore.usable_vectors import usable_rows

__all__ = ["CLUSTERING_VERSION", "LEAST_PICTURES", "Clustering", "cluster"]

CLUSTERING_VERSION = 1
"""Raised when the same vectors would give other clusters."""

LEAST_PICTURES = 5
"""Different pictures of a cluster; as HDBSCAN has it in scikit-learn."""

# Neighbours that a picture is held to, as on the map.
_NEIGHBOURS = 15
# Inclusive.
_FEWEST_LEAST = 2
_KEY_BYTES = 16

ClusterProgress = Callable[[int, int], None]
"""Told how many vectors have been looked at, of how many."""


@dataclass(frozen=True, slots=True, eq=False)
class Clustering:
    """Clusters of vectors, numbered from 0, that of the most different pictures first.

    Attributes:
        labels: (n,) int32, the cluster of each vector, -1 for none.
        probability: (n,) float32, 0..1, how surely it is of it; 0 where it is in none.
        medoids: (c,) int64, of each cluster the row that is most like all others of it.
    """

    labels: NDArray[np.int32]
    probability: NDArray[np.float32]
    medoids: NDArray[np.int64]


def cluster(
    vectors: NDArray[np.floating],
    *,
    stands_for: NDArray[np.int64] | None = None,
    least: int = LEAST_PICTURES,
    progress: ClusterProgress | None = None,
) -> Clustering:
    """Find clusters.

    Args:
        vectors: (n, d) float16 or float32; compared by cosine. Those of no length, or with NaN, are in no cluster.
        stands_for: (n,) for each row the row of the picture that it is a copy of, itself for a picture of its own; the
            row named must name itself. None: none is a copy. Equal vectors are taken for copies in any case.
        least: Different pictures of a cluster, at least 2.
        progress: Told how many have been looked at.

    Raises:
        SettingsError: A value out of range.
        ExtraMissingError: scikit-learn is not installed, and there are enough pictures for a cluster.
    """
    if least < _FEWEST_LEAST:
        raise SettingsError(f"A cluster of at least {least} pictures is not possible; take at least {_FEWEST_LEAST}.")
    tell = progress or (lambda _done, _total: None)
    tell(0, len(vectors))
    stands = np.arange(len(vectors)) if stands_for is None else stands_for
    # 1. Every different picture once, in an order of its own.
    rows, place = _different(vectors, stands)
    # 2. Where they lie dense.
    group = np.full(len(rows), -1, np.int64)
    surely = np.zeros(len(rows))
    medoids = np.zeros(0, np.int64)
    if len(rows) > least:
        laid = along_axes(vectors, rows)
        share = len(vectors) / len(rows)
        near, cosine = nearest_others(
            laid, min(_NEIGHBOURS, len(rows) - 1), lambda n: tell(int(n * share), len(vectors))
        )
        # Of vectors of length one the distance in space, which unlike one less the cosine is a metric.
        distance = np.sqrt(np.maximum(2.0 - 2.0 * cosine, 0.0))
        core, farthest = min(least, near.shape[1]), float(distance.max())
        found, surely = dense_groups(near, distance, least=least, core=core, farthest=farthest)
        group, medoids = _numbered(found, laid)
    # 3. Every picture with what stands for it.
    known = place[stands]
    labels = np.where(known >= 0, group[known] if len(rows) else -1, -1)
    probability = np.where(labels >= 0, surely[known] if len(rows) else 0.0, 0.0)
    tell(len(vectors), len(vectors))
    return Clustering(labels.astype(np.int32), probability.astype(np.float32), rows[medoids])


def _different(vectors: NDArray[np.floating], stands: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of different pictures in the order of what their vectors hold, and by row the number of its vector there.

    The number is -1 where a row stands for none, or cannot be compared.
    """
    ones = np.unique(stands)
    ones = ones[usable_rows(vectors)[ones]]
    keys = [blake2b(vectors[row].tobytes(), digest_size=_KEY_BYTES).digest() for row in ones]
    _, first, number = np.unique(np.array(keys, dtype=f"S{_KEY_BYTES}"), return_index=True, return_inverse=True)
    place = np.full(len(vectors), -1, np.int64)
    place[ones] = number
    return ones[first], place


def _numbered(found: NDArray[np.int64], laid: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Groups numbered anew, the greatest first, and of each the point that is most like all of it."""
    order = np.argsort(found, kind="stable")
    order = order[int((found < 0).sum()) :]
    starts = np.flatnonzero(np.diff(found[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    numbered = np.full(len(found), -1, np.int64)
    medoids = np.empty(len(starts), np.int64)
    for number, at in enumerate(np.argsort(starts - ends, kind="stable")):
        members = order[starts[at] : ends[at]]
        numbered[members] = number
        # The sum of the cosines with all of them is the product with their sum.
        medoids[number] = members[int((laid[members] @ laid[members].sum(axis=0)).argmax())]
    return numbered, medoids
