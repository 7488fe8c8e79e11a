"""Pairs as numbers: what a regrouping needs of pictures and pairs that no threshold changes.

Takes pictures and pairs, gives arrays by number for the kernels; must not choose keepers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.decisions import decided_codes
from deeplens_kit.matching.keep_order import leading_classes
from deeplens_kit.matching.keep_policy import KeepPolicy
from deeplens_kit.matching.likelihood import LIKELIHOOD
from deeplens_kit.matching.policy import withhold_codes
from deeplens_kit.matching.relations import may_be_told, one_view, relation_codes
from deeplens_kit.matching.traits import ComparedTraits, picture_traits
from deeplens_kit.matching.upscales import oriented, outdone_by, resolved_pixels
from deeplens_kit.matching.view_words import relation_towards
from deeplens_kit.schemas import Tier

__all__ = ["EVIDENCE_COLUMNS", "PairEdges", "PictureFacts", "pair_edges"]

EVIDENCE_COLUMNS = ("phash_distance", "pdq_distance", "sscd_small", "sscd", "likelihood")
"""The kernels' evidence in order, the distances first: columns of PAIRS and what the close look at a pair comes to."""

_STORED = EVIDENCE_COLUMNS[:-1]
_KEPT = ("orientation", "resolution", "foreign", "relation", "tier", "hub", "approved_a", "approved_b", "kept")
# Edges at a time while reasons to withhold are looked for: a few hundred MB at most.
_BLOCK = 1 << 19


@dataclass(frozen=True, slots=True)
class PairEdges:
    """The pairs of pictures that objects hold, by number, the better one left where sizes are of one class.

    Attributes:
        left: int32 (m,).
        right: int32 (m,).
        evidence: float32 (m, 4), EVIDENCE_COLUMNS but the likelihood; NaN where missing.
        odds: Columns plain_odds, page_odds, see `likelihood`, and hub.
        orientation: int8 (m,), -1 where unknown.
        same: bool (m,), of the tier `pixels`: no rule is asked.
        approved: uint8 (m,), bit 0 where a person approved that the right one goes for the left one, bit 1 vice versa.
        outdone: uint8 (m,), as `keepers_of` wants it.
        allowed: uint8 (m,), as `keepers_of` wants it.
        proposable: uint8 (m,), as `keepers_of` wants it.
        starts: int64 (n + 1,), where the edges at each picture begin in `incident`.
        incident: int32 (2 m,).
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    evidence: NDArray[np.float32]
    odds: pl.DataFrame
    orientation: NDArray[np.int8]
    same: NDArray[np.bool_]
    approved: NDArray[np.uint8]
    outdone: NDArray[np.uint8]
    allowed: NDArray[np.uint8]
    proposable: NDArray[np.uint8]
    starts: NDArray[np.int64]
    incident: NDArray[np.int32]


class PictureFacts:
    """What is known of each picture by number, as it is and as an upscale.

    Attributes:
        pixels: int64 (n,).
        resolves: int64 (n,), how many of them carry detail.
        pinned: bool (n,), pictures of families, and protected ones: none is taken by another picture.
        alone: int8 (n,), `Decisions.alone` of each.
        soft: bool (n,), pictures that measure like upscales: they alone change when a copy outdoes them.
        classes: int32 (2, n), `leading_classes` as it is and as an upscale; by default those of size.
        traits: Rows of the pictures, and after them those of the soft ones as upscales.
        upscaled_row: int64 (n,), the row of each picture as an upscale.
    """

    def __init__(self, pictures: pl.DataFrame, best: pl.DataFrame, policy: KeepPolicy) -> None:
        outdone = picture_traits(pictures.with_columns(outdone=pl.lit(True)))
        known = best.select("digest").join(resolved_pixels(pictures), on="digest", how="left", maintain_order="left")
        marked = best.select("digest").join(
            outdone.select("digest", "upscaled", "detail", "size_class"), on="digest", maintain_order="left"
        )
        self.pixels = known["pixels"].to_numpy()
        self.resolves = known["resolves"].to_numpy()
        self.soft = marked["upscaled"].to_numpy()
        self.pinned = (best["pinned"] | best["protected"]).to_numpy()
        self.alone = best["alone"].to_numpy()
        self.classes = leading_classes(best, best.with_columns(marked["size_class"]), policy)
        as_upscales = best.with_columns(marked["upscaled"], marked["detail"]).filter(marked["upscaled"])
        self.traits = ComparedTraits.of(pl.concat([best, as_upscales]))
        self.upscaled_row = np.arange(best.height)
        self.upscaled_row[self.soft] = best.height + np.arange(as_upscales.height)


def pair_edges(pairs: pl.DataFrame, numbers: pl.DataFrame, facts: PictureFacts, wanted: frozenset[str]) -> PairEdges:
    """The pairs by number of their pictures, with all that no threshold changes.

    Args:
        pairs: PAIRS that may be proposed or withheld, with the columns of `Decisions.on_pairs`.
        numbers: digest and number of each picture.
        facts: Of the pictures by number.
        wanted: From `relations.allowed_relations`.
    """
    from deeplens_kit.matching.regroup_kernels import adjacency

    # 1. Pairs by number.
    both = (
        pairs.select("digest_a", "digest_b", *_KEPT, *_STORED)
        .hstack(LIKELIHOOD.odds(pairs))
        .join(numbers, left_on="digest_a", right_on="digest")
        .drop("digest_a")
        .join(numbers, left_on="digest_b", right_on="digest", suffix="_b")
        .drop("digest_b")
        .with_columns(swapped=pl.col("number") > pl.col("number_b"))
        .with_columns(left=pl.min_horizontal("number", "number_b"), right=pl.max_horizontal("number", "number_b"))
        .filter(pl.col("left") != pl.col("right"))
        .sort("left", "right")
    )
    left, right = both["left"].to_numpy(), both["right"].to_numpy()
    evidence = both.select(pl.col(_STORED).cast(pl.Float32).fill_null(np.nan)).to_numpy(order="c")
    resolution = both["resolution"].cast(pl.Float32).fill_null(float("nan")).to_numpy()
    foreign = both["foreign"].fill_null(0.0).to_numpy()
    same = (both["tier"] == Tier.PIXELS).to_numpy()
    kept, goes = both["kept"].to_numpy(), [both[f"approved_{end}"].to_numpy() for end in "ab"]
    swapped = both["swapped"].to_numpy()
    resolution = oriented(resolution, swapped)
    # Where a pair is swapped, the right one is a.
    approved = (np.where(swapped, *goes) + 2 * np.where(swapped, *goes[::-1])).astype(np.uint8)
    starts, incident = adjacency(left, right, numbers.height)
    # 2. What the order of two pictures, and each of them as an upscale, would come to.
    sides = both.select(
        # Of the member to its keeper, where the right one is the member and where the left one is.
        right=relation_towards(~pl.col("swapped")),
        left=relation_towards(pl.col("swapped")),
    )
    outdone, allowed = np.zeros(len(left), np.uint8), np.zeros(len(left), np.uint8)
    for first in range(0, len(left), _BLOCK):
        part = slice(first, first + _BLOCK)
        relations = sides["right"][part], sides["left"][part]
        outdone[part], allowed[part] = _cases(
            left[part],
            right[part],
            resolution[part],
            same[part],
            foreign[part],
            approved[part],
            kept[part],
            relations,
            wanted,
            facts,
        )
    right_goes, left_goes = (may_be_told(sides[name], wanted) for name in ("right", "left"))
    proposable = (right_goes + 2 * left_goes).astype(np.uint8)
    orientation = both["orientation"].fill_null(-1).cast(pl.Int8).to_numpy()
    odds = both.select("plain_odds", "page_odds", "hub")
    return PairEdges(
        left, right, evidence, odds, orientation, same, approved, outdone, allowed, proposable, starts, incident
    )


def _cases(
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    resolution: NDArray[np.float32],
    same: NDArray[np.bool_],
    foreign: NDArray[np.float32],
    approved: NDArray[np.uint8],
    kept: NDArray[np.int8],
    relations: tuple[pl.Series, pl.Series],
    wanted: frozenset[str],
    facts: PictureFacts,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """`outdone` and `allowed` of some edges, as `keepers_of` wants them."""
    ends = [(facts.pixels[end], facts.resolves[end]) for end in (left, right)]
    ratios = resolution, oriented(resolution, np.ones(len(resolution), np.bool_))
    whole = one_view(relations[0])
    outdone = (whole & facts.soft[left] & outdone_by(*ends[0], *ends[1], ratios[0])).astype(np.uint8)
    outdone |= (whole & facts.soft[right] & outdone_by(*ends[1], *ends[0], ratios[1])).astype(np.uint8) << 1
    allowed = np.zeros(len(left), np.uint8)
    for upscaled_left in (0, 1):
        for upscaled_right in (0, 1):
            possible = (facts.soft[left] | (upscaled_left == 0)) & (facts.soft[right] | (upscaled_right == 0))
            classes = facts.classes[upscaled_left][left], facts.classes[upscaled_right][right]
            rows = (
                (facts.upscaled_row[left] if upscaled_left else left),
                (facts.upscaled_row[right] if upscaled_right else right),
            )
            for right_keeps, chosen in ((0, classes[0] >= classes[1]), (1, classes[0] < classes[1])):
                at = np.flatnonzero(possible & chosen)
                keepers, members = (rows[right_keeps][at], rows[1 - right_keeps][at])
                ratio, relation = ratios[right_keeps][at], relations[right_keeps].gather(at)
                codes = withhold_codes(facts.traits, keepers, members, ratio, same[at])
                codes = relation_codes(codes, facts.traits, keepers, members, ratio, relation, foreign[at], wanted)
                member = (left, right)[1 - right_keeps][at]
                pinned, alone = facts.pinned[member], facts.alone[member]
                agreed = (approved[at] >> right_keeps) & 1 > 0
                free = (decided_codes(codes, pinned, agreed, kept[at], alone) == 0) & ~pinned
                allowed[at[free]] |= np.uint8(1 << (4 * right_keeps + upscaled_left + 2 * upscaled_right))
    return outdone, allowed
