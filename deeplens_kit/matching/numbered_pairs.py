"""Pairs and pictures by number: a digest takes eighty bytes, its place among all digests four.

Takes frames with digests, gives the same rows with numbers in their stead, and of PAIRS no more than regrouping looks
at. Must not judge. The numbers are in the order of the digests, so that whatever is sorted by the one is sorted by the
other alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from deeplens_kit.matching.likelihood import LIKELIHOOD
from deeplens_kit.schemas import PAIRS, Relation, Tier

__all__ = ["PAIR_COLUMNS", "DigestNumbers", "numbered_pairs", "pair_parts"]

_ENDS = ("digest_a", "digest_b")
_KEPT: dict[str, pl.DataType] = {
    "phash_distance": pl.Float32(),
    "pdq_distance": pl.Float32(),
    "sscd_small": pl.Float32(),
    "sscd": pl.Float32(),
    "orientation": pl.Int8(),
    "hub": pl.Boolean(),
    "foreign": pl.Float32(),
    "covered_a": pl.Float32(),
    "covered_b": pl.Float32(),
    "resolution": pl.Float32(),
    "turn_degrees": pl.Float32(),
    "view_pdq": pl.Int16(),
    "tier": pl.Enum([str(tier) for tier in Tier]),
    "relation": pl.Enum([str(relation) for relation in Relation]),
}
_SEEN = ("verification", "inliers", "inlier_share", "difference", "agreement", "agreement_low", "correlation", "cells")

PAIR_COLUMNS = (*_ENDS, *_KEPT, *_SEEN, "wobble_px")
"""Columns of PAIRS that regrouping looks at; the rest need not be read."""

# Pairs at a time: what their log odds are computed with takes a few hundred bytes each.
_ROWS = 1 << 18


class DigestNumbers:
    """The place of each digest among all of them.

    Args:
        digests: In any order, also more than once.

    Attributes:
        digests: Each once, rising.
    """

    def __init__(self, digests: pl.Series) -> None:
        self.digests = digests.drop_nulls().unique().sort().alias("digest")
        # A join would hash all digests anew for every part of the pairs. Two with one hash: with another seed they
        # have not.
        self._seed = 0
        while self.digests.hash(self._seed).n_unique() < len(self.digests):
            self._seed += 1
        hashes = self.digests.hash(self._seed).to_numpy()
        self._order = np.argsort(hashes).astype(np.uint32)
        self._hashes = hashes[self._order]

    def of(self, digests: pl.Series) -> pl.Series:
        """UInt32, the number of each digest; null where it is none of these."""
        if self.digests.is_empty():
            return pl.repeat(None, len(digests), dtype=pl.UInt32, eager=True)
        places = np.searchsorted(self._hashes, digests.hash(self._seed).to_numpy())
        numbers = pl.Series(self._order[np.minimum(places, len(self._order) - 1)])
        return numbers.set(~(self.digests.gather(numbers) == digests).fill_null(False), None)

    def on(self, frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
        """The frame with numbers in columns of digests."""
        return frame.with_columns(self.of(frame[name]).alias(name) for name in columns)


def pair_parts(pairs: pl.DataFrame | Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """PAIRS, or parts of it, in parts of bounded size with `PAIR_COLUMNS`; nullable ones that were missing are null."""
    for frame in [pairs] if isinstance(pairs, pl.DataFrame) else pairs:
        for part in frame.iter_slices(_ROWS):
            yield PAIRS.filled(part).select(PAIR_COLUMNS)


def numbered_pairs(parts: Iterable[pl.DataFrame], numbers: DigestNumbers) -> pl.DataFrame:
    """Pairs by number, with what no threshold changes of their evidence.

    Args:
        parts: From `pair_parts`.
        numbers: Of the pictures.

    Returns:
        digest_a, digest_b (UInt32, null where it is no picture's; never both), the evidence of hashes and vectors
        (Float32), orientation, hub, foreign, covered_a, covered_b, resolution, turn_degrees, view_pdq, tier and
        relation (Enum), plain_odds and page_odds as `Likelihood.odds` gives them.
    """
    found = [_numbered(part, numbers) for part in parts]
    return pl.concat(found) if found else _numbered(PAIRS.empty(), numbers)


def _numbered(part: pl.DataFrame, numbers: DigestNumbers) -> pl.DataFrame:
    known = numbers.on(part.select(_ENDS), *_ENDS)
    kept = part.select(pl.col(name).cast(dtype) for name, dtype in _KEPT.items())
    # Gathered, which copies: a column that is as it was read would hold on to all that was read with it.
    rows = known.select(pl.any_horizontal(pl.col(_ENDS).is_not_null())).to_series().arg_true()
    return pl.concat([known, kept, LIKELIHOOD.odds(part)], how="horizontal").select(pl.all().gather(rows))
