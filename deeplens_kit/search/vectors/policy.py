"""How many vectors are held how, and how much of them a search looks at.

Takes numbers of vectors and gives choices; every constant says where it comes from. Measured on two cores with AVX-512
over 512 numbers a vector by `python -m benchmarks.vectors`, families of near copies in broad topics.
"""

from __future__ import annotations

import numpy as np

from deeplens_kit.search.vectors.base import Effort

__all__ = [
    "CANDIDATES_LEAST",
    "CANDIDATES_MOST",
    "FLAT_VECTORS",
    "LEFT_OUT_SHARE",
    "MERGE_LEAST",
    "MERGE_SHARE",
    "SCAN_SHARE",
    "TRAINING_VECTORS_PER_LIST",
    "candidates_for",
    "is_due",
    "lists_for",
    "probes_for",
]

FLAT_VECTORS = 32_768
"""Up to so many (inclusive) all are compared, exactly: one core does it in 2 ms. More would read more memory for each
query than an inverted file does: of 100,000 it finds all the near ones in 1 ms where comparing all takes 7."""

SCAN_SHARE = 0.02
"""Of the vectors wanted, up to this share (inclusive) all are compared: 20,000 of a million in 5.5 ms."""

LEFT_OUT_SHARE = 0.2
"""From this share of the vectors wanted (inclusive) candidates are found among all, and those not wanted left out:
so a list need not be asked of each vector whether it is wanted. Where too few are left it is."""

MERGE_SHARE = 0.05
"""Vectors that came or went, as a share of the base, above which it is made again: at a million 50,000, which are
compared one by one in 3 ms, twice as long as the base itself takes."""

MERGE_LEAST = 1_000
"""As many may always come or go: they cost less than 0.1 ms."""

TRAINING_VECTORS_PER_LIST = 64
"""FAISS asks for 39; more do not move the centroids of 1,024 lists."""

CANDIDATES_LEAST, CANDIDATES_MOST = 64, 512
"""Beside those wanted as many more, one and a half times as many between these, are compared again in sixteen bits a
number: what two bits lose is within them. Of the 256 nearest of a million, 640 candidates give as many as all of eight
bits do (0.55 to 0.56 of them with 128 lists probed), 320 give 0.52."""

_LEAST_LISTS = 1_024
# Of a small base more lists are probed, until so many vectors are looked at, which costs a millisecond at most.
_LOOKED_AT = {Effort.BEST: 65_536, Effort.FAST: 32_768}
# So that few queries find too few; what is wanted is often alike.
_SPARE = 1.5
# Of the lists one in so many is probed: 128 of 1,024 find 0.99 of the near copies of a million in 1.3 ms on one core,
# 64 of them 0.97 at 4,000 queries a second on two.
_ONE_PROBED_OF = {Effort.BEST: 8, Effort.FAST: 16}


def lists_for(vectors: int) -> int:
    """Lists of an inverted file: the power of two nearest to the root, where a probe and a centroid cost the same.

    Of a base that cannot train so many as many as it can.
    """
    trained = 2 ** int(np.log2(max(1, vectors // TRAINING_VECTORS_PER_LIST)))
    return int(min(trained, max(_LEAST_LISTS, 2 ** round(float(np.log2(max(1, vectors))) / 2))))


def probes_for(lists: int, vectors: int, effort: Effort, share: float) -> int:
    """Lists that a search looks at where a share of the vectors is wanted: twice as many where it is small."""
    probed = max(-(-lists // _ONE_PROBED_OF[effort]), -(-lists * _LOOKED_AT[effort] // max(1, vectors)))
    return min(lists, probed if share >= LEFT_OUT_SHARE else 2 * probed)


def candidates_for(k: int, share: float = 1.0) -> int:
    """How many candidates are found to give `k`, where a share of them is wanted."""
    wanted = k + min(max(k + k // 2, CANDIDATES_LEAST), CANDIDATES_MOST)
    return wanted if share >= 1.0 else int(_SPARE * wanted / share)


def is_due(base: int, came: int, gone: int) -> bool:
    """Whether a base of so many vectors is to be made again."""
    return came + gone > max(MERGE_LEAST, MERGE_SHARE * base)
