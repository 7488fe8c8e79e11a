"""Pictures that are copies of each other, taken together: which of them each is counted with.

Takes digests and the proposed groups, gives positions; must not propose anything: what is taken together here is for
looking at different pictures, and a copy of a copy belongs to the same family although no group holds it.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["counted_with"]


def counted_with(digests: pl.Series, usable: NDArray[np.bool_], groups: pl.DataFrame) -> NDArray[np.int64]:
    """For each picture the one that stands for it and all its copies: of them the keeper of most.

    Args:
        digests: Of the pictures, each once.
        usable: bool (n,), which may stand for others, where any of a family may.
        groups: GROUPS; pictures that are not among the digests are passed over.

    Returns:
        int64 (n,), positions; a picture without copies stands for itself.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(digests)
    numbered = pl.DataFrame({"digest": digests, "position": np.arange(count)})
    keepers = groups.filter("is_keeper").select("group_id", keeper="digest")
    edges = (
        groups.filter(~pl.col("is_keeper"))
        .join(keepers, on="group_id")
        .filter(pl.col("digest") != pl.col("keeper"))
        .select("digest", "keeper")
        .unique()
        .join(numbered, on="digest")
        .join(numbered.rename({"digest": "keeper", "position": "kept"}), on="keeper")
    )
    member, kept = edges["position"].to_numpy(), edges["kept"].to_numpy()
    ways = coo_matrix((np.ones(len(member), np.int8), (member, kept)), shape=(count, count))
    _, family = connected_components(ways, directed=False)
    # The first of each family: what may stand for others, then the keeper of most, then the first by position.
    order = np.lexsort((np.arange(count), -np.bincount(kept, minlength=count), ~usable, family))
    first = order[np.flatnonzero(np.diff(family[order], prepend=-1))]
    return np.asarray(first[family], np.int64)
