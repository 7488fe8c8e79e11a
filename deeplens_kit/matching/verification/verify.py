"""Verification of pairs: a frame of candidates in, the same pairs with what a close look at each found out.

Takes PAIRS and a `PixelSource`; gives PAIRS with the evidence columns filled, in the same order; must not give tiers
or scores: rules do, from what stands in the columns. Works on a batch, keeps nothing between batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import polars as pl

from deeplens_kit.matching.verification.base import VERIFICATION, Look, PixelSource
from deeplens_kit.matching.verification.comparison import Findings, compare_looks
from deeplens_kit.matching.verification.resolution import resolution_ratio
from deeplens_kit.matching.verification.shares import pixel_matrix, shares_of
from deeplens_kit.schemas import PAIRS, Relation

__all__ = ["EVIDENCE_COLUMNS", "look_evidence", "measure_resolution", "verify_pairs"]

EVIDENCE_COLUMNS = (
    "verification",
    "inliers",
    "inlier_share",
    "difference",
    "agreement",
    "agreement_low",
    "correlation",
    "cells",
    "wobble_px",
    "foreign",
    "covered_a",
    "covered_b",
    "mirrored",
    "turn_degrees",
    "region_a",
    "region_b",
    "transform",
    "view_pdq",
    "relation",
)
"""Columns of PAIRS that `verify_pairs` fills."""


def verify_pairs(pairs: pl.DataFrame, source: PixelSource) -> pl.DataFrame:
    """Look closely at every pair.

    Args:
        pairs: PAIRS.
        source: Where the pictures come from.

    Returns:
        PAIRS in the same order; a pair of which a picture cannot be read stays as it was.
    """
    rows = [
        {column: pair[column] for column in EVIDENCE_COLUMNS}
        if (found := _looked_at(pair["digest_a"], pair["digest_b"], source)) is None
        else found
        for pair in pairs.select("digest_a", "digest_b", *EVIDENCE_COLUMNS).iter_rows(named=True)
    ]
    schema = {name: PAIRS.polars[name] for name in EVIDENCE_COLUMNS}
    return PAIRS.check(pairs.with_columns(pl.DataFrame(rows, schema=schema)))


def look_evidence(a: Look, b: Look) -> Mapping[str, object]:
    """What a close look at two pictures, or parts of them, says: EVIDENCE_COLUMNS by name."""
    return _row(compare_looks(a, b), a, b)


def measure_resolution(pairs: pl.DataFrame, source: PixelSource) -> pl.DataFrame:
    """Measure at full size which picture of each pair resolves more of what both show.

    Args:
        pairs: PAIRS that verification looked at; without `transform` nothing is measured.
        source: As for `verify_pairs`.

    Returns:
        PAIRS in the same order; `resolution` null where it cannot be told.
    """
    columns = ["digest_a", "digest_b", "transform", "resolution"]
    measured = [
        _resolution(digest_a, digest_b, transform, known, source)
        for digest_a, digest_b, transform, known in pairs.select(columns).iter_rows()
    ]
    return PAIRS.check(pairs.with_columns(pl.Series("resolution", measured, PAIRS.polars["resolution"])))


def _looked_at(digest_a: str, digest_b: str, source: PixelSource) -> Mapping[str, object] | None:
    a, b = source.look(digest_a), source.look(digest_b)
    return None if a is None or b is None else look_evidence(a, b)


def _row(found: Findings | None, a: Look, b: Look) -> Mapping[str, object]:
    if found is None:
        # Looked at, and nothing of one found in the other.
        nothing = dict.fromkeys(EVIDENCE_COLUMNS)
        numbers = {"inliers": 0, "inlier_share": 0.0, "difference": 1.0, "agreement": 0.0, "agreement_low": 0.0}
        more = {"correlation": 0.0, "cells": 0, "wobble_px": 1.0, "foreign": 0.0, "covered_a": 0.0, "covered_b": 0.0}
        return {**nothing, **numbers, **more, "verification": VERIFICATION, "relation": str(Relation.UNVERIFIED)}
    agreement = found.agreement
    return {
        "verification": VERIFICATION,
        "inliers": found.inliers,
        "inlier_share": found.inlier_share,
        "difference": agreement.difference,
        "agreement": agreement.agreement,
        "agreement_low": agreement.agreement_low,
        "correlation": found.correlation,
        "cells": agreement.cells,
        "wobble_px": agreement.wobble_px,
        "foreign": agreement.foreign,
        "covered_a": found.covered_a,
        "covered_b": found.covered_b,
        "mirrored": found.mirrored,
        "turn_degrees": found.turn_degrees,
        "region_a": list(found.region_a),
        "region_b": list(found.region_b),
        "transform": list(shares_of(found.matrix, (a.width, a.height), (b.width, b.height))),
        "view_pdq": found.view_pdq,
        "relation": str(found.relation),
    }


def _resolution(
    digest_a: str, digest_b: str, transform: Sequence[float] | None, known: float | None, source: PixelSource
) -> float | None:
    if transform is None:
        return known
    luma_a, luma_b = source.luma(digest_a), source.luma(digest_b)
    if luma_a is None or luma_b is None:
        return known
    sizes = ((luma.shape[1], luma.shape[0]) for luma in (luma_a, luma_b))
    ratio = resolution_ratio(luma_a, luma_b, pixel_matrix(transform, *sizes))
    return float(ratio) if math.isfinite(ratio) else None
