"""Where points lie dense: groups of them in a graph of neighbours, by HDBSCAN.

Takes the nearest others of each point with their distances, gives a group and how surely a point is of it; must not
know what the points are. Of all distances only those to near neighbours are looked at, so that time and memory grow
with the number of points: the tree of mutual reachability (Campello, Moulavi and Sander, 2013) is spanned here over
the graph, parts of it without a way to each other are joined at the greatest distance there is, and scikit-learn
chooses the groups from that tree. What lies far outside a group that it was given to is taken out of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.errors import ExtraMissingError

__all__ = ["dense_groups"]

# A weight of nothing would be no edge in a sparse matrix.
_TINY = 1e-9

# Farther from the median than so many times what lies between it and the lower quartile a point is "far out",
# exclusive: where the halves are alike that is the outer fence of Tukey (Exploratory Data Analysis, 1977, section 2D),
# and what lies far out does not move it. The least spread is a share of the median: small groups fall apart at once, so
# that most of their points have one distance.
_FENCE, _LEAST_SPREAD = 7.0, 0.05


def dense_groups(
    near: NDArray[np.int64], distance: NDArray[np.float32], *, least: int, core: int, farthest: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Group points.

    Args:
        near: (n, k), positions of others, the nearest first, -1 for none; n at least 2.
        distance: (n, k), how far they are, at least 0, rising along each row.
        least: Points of a group, at least 2.
        core: A point lies as dense as its distance to the one of this number is short, 1..k.
        farthest: Distance of points that have no way to each other in the graph, at least the greatest given.

    Returns:
        For each point the number of its group, -1 for none, and how surely it is of it, 0..1.

    Raises:
        ExtraMissingError: scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError as error:
        raise ExtraMissingError("Finding clusters", "workbench") from error
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

    count = len(near)
    # 1. Two points are as far as they are, and no nearer than the sparser of the two lies dense.
    own = np.where(near[:, core - 1] >= 0, distance[:, core - 1], farthest)
    row, column = np.nonzero(near >= 0)
    other = near[row, column]
    weight = np.maximum.reduce([distance[row, column], own[row], own[other], np.full(len(row), _TINY)])
    tree = minimum_spanning_tree(coo_matrix((weight, (row, other)), shape=(count, count)).tocsr()).tocoo()
    # 2. One tree of all parts.
    _, part = connected_components(tree, directed=False)
    _, first = np.unique(part, return_index=True)
    ends = np.concatenate([tree.row, np.full(len(first) - 1, first[0])])
    others = np.concatenate([tree.col, first[1:]])
    weights = np.concatenate([tree.data, np.full(len(first) - 1, farthest)]).astype(np.float64)
    both = (np.concatenate([ends, others]), np.concatenate([others, ends]))
    joined = coo_matrix((np.concatenate([weights, weights]), both), shape=(count, count)).tocsr()
    # 3. The groups; the weights are mutual already, so that the nearest of a point says nothing more.
    found = HDBSCAN(min_cluster_size=least, min_samples=1, metric="precomputed", copy=False).fit(joined)
    return _without_far_out(found.labels_.astype(np.int64), found.probabilities_, least)


def _without_far_out(
    group: NDArray[np.int64], surely: NDArray[np.float64], least: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Groups without the points that are far out, and without the groups of which too few points are left.

    A point that lies between groups belongs to the one that it meets first, however far that is: the distance at which
    it does is the inverse of how surely it is of it.
    """
    group, left = group.copy(), 0
    order = np.argsort(group, kind="stable")
    order = order[int((group < 0).sum()) :]
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(order) else ():
        distance = 1.0 / np.maximum(surely[members], _TINY)
        low, middle = np.percentile(distance, (25, 50))
        inside = members[distance <= middle + _FENCE * max(middle - low, _LEAST_SPREAD * middle)]
        group[members] = -1
        if len(inside) >= least:
            group[inside] = left
            left += 1
    return group, np.where(group >= 0, surely, 0.0)
