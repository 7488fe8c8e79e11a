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
from deeplens_kit.matching.policy import withhold_codes
from deeplens_kit.matching.relations import may_be_told, one_view, relation_codes
from deeplens_kit.matching.traits import COMPARED_COLUMNS, ComparedTraits, picture_traits
from deeplens_kit.matching.upscales import oriented, outdone_by, resolved_pixels
from deeplens_kit.matching.view_words import relation_towards
from deeplens_kit.schemas import Tier

__all__ = ["EVIDENCE_COLUMNS", "PairEdges", "PictureFacts", "pair_edges"]

EVIDENCE_COLUMNS = ("phash_distance", "pdq_distance", "sscd_small", "sscd", "likelihood")
"""The kernels' evidence in order, the distances first: columns of PAIRS and what the close look at a pair comes to."""

_STORED = EVIDENCE_COLUMNS[:-1]
_ENDS = ("digest_a", "digest_b")
# Edges at a time while reasons to withhold are looked for: some tens of MB.
_BLOCK = 1 << 17


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
        compared = best.select(name for name in COMPARED_COLUMNS if name in best.columns)
        as_upscales = compared.with_columns(marked["upscaled"], marked["detail"]).filter(marked["upscaled"])
        self.traits = ComparedTraits.of(pl.concat([compared, as_upscales]))
        self.upscaled_row = np.arange(best.height)
        self.upscaled_row[self.soft] = best.height + np.arange(as_upscales.height)


def pair_edges(
    pairs: pl.DataFrame, places: NDArray[np.int32], facts: PictureFacts, wanted: frozenset[str]
) -> PairEdges:
    """The pairs by place of their pictures in the order, with all that no threshold changes.

    Args:
        pairs: From `numbered_pairs`, those that may be proposed or withheld, with the columns of `Decisions.marked`.
        places: int32, by number of the digest, -1 where no object holds the picture.
        facts: Of the pictures by place.
        wanted: From `relations.allowed_relations`.
    """
    from deeplens_kit.matching.regroup_kernels import adjacency

    # 1. Pairs by place, in order. One column after the other: the pairs are most of what is in memory.
    rows, left, right, swapped = _in_order(pairs, places)
    starts, incident = adjacency(left, right, len(facts.pixels))

    def ordered(name: str) -> pl.Series:
        return pairs[name].gather(rows)

    evidence = np.empty((len(left), len(_STORED)), np.float32)
    for at, name in enumerate(_STORED):
        evidence[:, at] = ordered(name).fill_null(np.nan).to_numpy()
    odds = pl.DataFrame([ordered(name) for name in ("plain_odds", "page_odds", "hub")])
    orientation = ordered("orientation").fill_null(-1).to_numpy()
    same = (ordered("tier") == Tier.PIXELS).to_numpy()
    goes = [ordered(f"approved_{end}").to_numpy() for end in "ab"]
    # Where a pair is swapped, the right one is a.
    approved = (np.where(swapped, *goes) + 2 * np.where(swapped, *goes[::-1])).astype(np.uint8)
    # 2. What the order of two pictures, and each of them as an upscale, would come to.
    outdone, allowed, proposable = (np.zeros(len(left), np.uint8) for _ in range(3))
    for first in range(0, len(left), _BLOCK):
        part = slice(first, first + _BLOCK)
        block = _Block(left[part], right[part], swapped[part], same[part], approved[part], pairs[rows[part]])
        outdone[part], allowed[part], proposable[part] = block.cases(facts, wanted)
    return PairEdges(
        left, right, evidence, odds, orientation, same, approved, outdone, allowed, proposable, starts, incident
    )


def _in_order(
    pairs: pl.DataFrame, places: NDArray[np.int32]
) -> tuple[NDArray[np.uint32], NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
    """Rows of the pairs of two pictures by their ends: uint32 (m,); left, right, and whether left is b."""
    a, b = (np.append(places, np.int32(-1))[pairs[end].fill_null(len(places)).to_numpy()] for end in _ENDS)
    rows = np.flatnonzero((a >= 0) & (b >= 0) & (a != b)).astype(np.uint32)
    a, b = a[rows], b[rows]
    order = np.argsort((np.minimum(a, b).astype(np.int64) << 32) + np.maximum(a, b), kind="stable")
    a, b = a[order], b[order]
    return rows[order], np.minimum(a, b), np.maximum(a, b), a > b


@dataclass(frozen=True, slots=True)
class _Block:
    """Some edges, as of `PairEdges`; swapped where left is b; and their pairs."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    swapped: NDArray[np.bool_]
    same: NDArray[np.bool_]
    approved: NDArray[np.uint8]
    pairs: pl.DataFrame

    def cases(
        self, facts: PictureFacts, wanted: frozenset[str]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
        """`outdone`, `allowed` and `proposable`, as `keepers_of` wants them."""
        left, right = self.left, self.right
        resolution = oriented(self.pairs["resolution"].fill_null(float("nan")).to_numpy(), self.swapped)
        foreign, kept = self.pairs["foreign"].fill_null(0.0).to_numpy(), self.pairs["kept"].to_numpy()
        swapped = pl.lit(pl.Series(self.swapped))
        # Of the member to its keeper, where the right one is the member and where the left one is.
        sides = self.pairs.select(right=relation_towards(~swapped), left=relation_towards(swapped))
        relations = sides["right"], sides["left"]
        proposable = [may_be_told(relation, wanted).astype(np.uint8) for relation in relations]
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
                    codes = withhold_codes(facts.traits, keepers, members, ratio, self.same[at])
                    codes = relation_codes(codes, facts.traits, keepers, members, ratio, relation, foreign[at], wanted)
                    member = (left, right)[1 - right_keeps][at]
                    pinned, alone = facts.pinned[member], facts.alone[member]
                    agreed = (self.approved[at] >> right_keeps) & 1 > 0
                    free = (decided_codes(codes, pinned, agreed, kept[at], alone) == 0) & ~pinned
                    allowed[at[free]] |= np.uint8(1 << (4 * right_keeps + upscaled_left + 2 * upscaled_right))
        return outdone, allowed, proposable[0] + 2 * proposable[1]
