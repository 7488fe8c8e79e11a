"""The greedy pass that makes stars, compiled.

Takes pictures as numbers, best first, with their links to later ones; gives each picture's keeper. Must not know
why two pictures match or why a member is withheld: a code says whether it may be taken.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.matching.compiled import compiled

__all__ = ["stars"]


@compiled
def stars(
    starts: NDArray[np.int64], others: NDArray[np.int64], codes: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Visit pictures best first; one that nobody has taken takes every free picture it is linked to and may take.

    Args:
        starts: int64 (n + 1,), where each picture's links begin.
        others: int64 (m,), the later picture of each link.
        codes: int8 (m,), 0 where the later picture may be taken.

    Returns:
        int64 (n,) keeper of each picture, -1 for none, and int64 (n,) the link by which it was taken, -1 for none.
    """
    count = len(starts) - 1
    keeper, link = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    for picture in range(count):
        if keeper[picture] >= 0:
            continue
        for at in range(starts[picture], starts[picture + 1]):
            other = others[at]
            if codes[at] == 0 and keeper[other] < 0:
                keeper[other], link[other] = picture, at
    return keeper, link
