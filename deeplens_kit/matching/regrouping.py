"""Regrouping: what groups would add up to under other thresholds, fast enough to follow a slider.

Takes objects, pictures and pairs once and turns into numbers all that no threshold changes; then gives, for one rule
after another, exactly the totals that `group` and `savings` would give. Must not make names, sentences or rows of
groups, nor decide by anything that `rules`, `policy` and `groups` do not say.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.family_copies import family_standing
from deeplens_kit.matching.groups import companion_groups, held_objects
from deeplens_kit.matching.likelihood import LIKELIHOOD
from deeplens_kit.matching.policy import (
    ComparedTraits,
    keeper_order,
    picture_traits,
    withhold_codes,
)
from deeplens_kit.matching.regroup_sums import CompanionSums, sum_pictures
from deeplens_kit.matching.relations import (
    allowed_relations,
    may_be_told,
    one_view,
    related_pairs,
    relation_codes,
    same_view,
)
from deeplens_kit.matching.rules import CONTEXT_COLUMNS, Clause, Rule, pair_context, picture_context
from deeplens_kit.matching.upscales import oriented, outdone_by, resolved_pixels, with_resolution
from deeplens_kit.matching.view_words import relation_towards
from deeplens_kit.schemas import Relation, Tier

__all__ = ["EVIDENCE_COLUMNS", "PLAIN", "SITUATIONS", "Regrouper", "Regrouping"]

EVIDENCE_COLUMNS = ("phash_distance", "pdq_distance", "sscd_small", "sscd", "likelihood")
"""The kernels' evidence in order, the distances first: columns of PAIRS and what the close look at a pair comes to."""

SITUATIONS = ("plain", "unmeasured", "page_like", "verified", "verified_page")
"""Which clauses of a rule apply, by number; one more is that none does: too little information."""

PLAIN, _UNMEASURED, _PAGE_LIKE, _VERIFIED, _VERIFIED_PAGE, _LOW_INFORMATION = range(6)
_STORED = EVIDENCE_COLUMNS[:-1]
_BOUNDS = ("phash_max", "pdq_max", "sscd_small_min", "sscd_min", "likelihood_min")
# One unit of a margin in the likelihood, as .05 of a cosine is one.
_LIKELIHOOD_WIDTH = 0.05
# Edges at a time while reasons to withhold are looked for: a few hundred MB at most.
_BLOCK = 1 << 19


@dataclass(frozen=True, slots=True)
class Regrouping:
    """What groups would add up to.

    Attributes:
        by_tier: Columns tier, groups, objects (proposed for removal), gross_bytes, realisable_bytes: one row for each
            tier that was asked for: `bytes`, `pixels`, `copy`.
        largest_group: Objects of the largest group with its keeper; 0 where there is no group.
        withheld: Pairs of a keeper and a copy that is not proposed.
    """

    by_tier: pl.DataFrame
    largest_group: int
    withheld: int


@dataclass(frozen=True, slots=True)
class _Edges:
    """The pairs of pictures that objects hold, by number, the better one left where sizes are of one class.

    Attributes:
        left: int32 (m,).
        right: int32 (m,).
        evidence: float32 (m, 4), EVIDENCE_COLUMNS but the likelihood; NaN where missing.
        odds: Columns plain_odds, page_odds, see `likelihood`, and hub.
        orientation: int8 (m,), -1 where unknown.
        same: bool (m,), of the tier `pixels`: no rule is asked.
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
    outdone: NDArray[np.uint8]
    allowed: NDArray[np.uint8]
    proposable: NDArray[np.uint8]
    starts: NDArray[np.int64]
    incident: NDArray[np.int32]


class Regrouper:
    """Totals of groups by any rule, from frames that were looked at once; safe to use from several threads.

    A picture counts as an upscale only where a copy outdoes it, which a threshold can change; with it change the class
    of its size, its place in keeper order and the reasons to withhold it. Both answers are kept for each picture, and
    both orders for each pair.

    Args:
        objects: As for `group`.
        pictures: As for `group`.
        pairs: PAIRS.
        include: As for `group`.
    """

    def __init__(
        self,
        objects: pl.DataFrame,
        pictures: pl.DataFrame,
        pairs: pl.DataFrame,
        include: Collection[Relation | str] = (),
    ) -> None:
        allowed = allowed_relations(include)
        related = related_pairs(pairs, allowed)
        pictures = with_resolution(pictures, same_view(related))
        plain = pictures.with_columns(outdone=pl.lit(False))
        families = family_standing(objects, pictures["digest"])
        held = held_objects(objects, plain, families).rename({"size_class": "plain_class"})
        # Without the class of size, which is the first key and alone depends on thresholds, this is the order within
        # every class, and of the objects of every picture.
        held = keeper_order(held)
        best = held.unique("digest", keep="first", maintain_order=True).with_row_index("number")
        numbers = best.select("digest", pl.col("number").cast(pl.Int32))
        held = held.join(numbers, on="digest", maintain_order="left")
        self.best = best.select("digest", "path", location="location" if "location" in best.columns else "location_id")
        """One row for each picture, by number: digest, path and location of its best object."""
        self._facts = _Facts(pictures, best)
        self._sums = sum_pictures(held)
        self._companions = CompanionSums.of(companion_groups(families))
        self._edges = _edges(related, numbers, self._facts, allowed)
        context = [name for name in CONTEXT_COLUMNS if name in pictures.columns]
        self._context = best.select("digest").join(
            pictures.select("digest", *context), on="digest", how="left", maintain_order="left"
        )
        self.digest_order: NDArray[np.int64] = best["digest"].rank("ordinal").to_numpy().astype(np.int64)
        """int64 (n,), the place of each picture by its digest."""
        taken = self._context.select("digest", *(name for name in ("taken_at",) if name in context))
        self.other_shots: NDArray[np.bool_] = self._pair_context(picture_context(taken, _ANY))["other_shots"].to_numpy()
        """bool (m,), pairs whose cameras noted different times."""
        self._lock = threading.Lock()
        self._situations: dict[tuple[float, int], tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}
        # Of the last rule: who asks for totals asks for borderline pairs next.
        self._last: tuple[Rule, NDArray[np.float32]] | None = None

    @property
    def pictures(self) -> int:
        """Pictures that an object holds."""
        return self.best.height

    @property
    def edges(self) -> _Edges:
        """The pairs by number of their pictures."""
        return self._edges

    def situations(self, rule: Rule) -> NDArray[np.uint8]:
        """uint8 (m,), number in SITUATIONS of each pair, or one more where it holds too little information."""
        return self._judged_by(rule)[0]

    def evidence(self, rule: Rule) -> NDArray[np.float32]:
        """float32 (m, 5), EVIDENCE_COLUMNS of each pair; NaN where missing."""
        return self._judged_by(rule)[1]

    def _judged_by(self, rule: Rule) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        key = (rule.page_tone_min, rule.pdq_quality_min)
        with self._lock:
            if key not in self._situations:
                seen = self._pair_context(picture_context(self._context, rule)).hstack(self._edges.odds)
                seen = seen.with_columns(likelihood=LIKELIHOOD.probability)
                verified = pl.col("likelihood").is_not_null()
                found = (
                    pl.when("low_information")
                    .then(_LOW_INFORMATION)
                    .when(verified & (pl.col("page_like").fill_null(True) | pl.col("hub")))
                    .then(_VERIFIED_PAGE)
                    .when(verified)
                    .then(_VERIFIED)
                    .when(pl.col("page_like").is_null())
                    .then(_UNMEASURED)
                    .when("page_like")
                    .then(_PAGE_LIKE)
                    .otherwise(PLAIN)
                )
                situation = seen.select(found.cast(pl.UInt8).alias("situation"))["situation"].to_numpy()
                likelihood = seen["likelihood"].fill_null(float("nan")).to_numpy()
                self._situations = {key: (situation, np.column_stack([self._edges.evidence, likelihood]))}
            return self._situations[key]

    def margins(self, rule: Rule) -> NDArray[np.float32]:
        """float32 (m,), how far each pair is from the bounds of the rule that are nearest to it.

        Not negative where the pair is a copy, in units that are comparable between the signals: the widths of the
        rule's own score curve, 8 bits of PDQ and .05 of a cosine. -inf where no evidence could make it one, and where
        equal samples make it more than a copy.
        """
        with self._lock:
            if self._last is not None and self._last[0] == rule:
                return self._last[1]
        found = self._found_margins(rule)
        with self._lock:
            self._last = (rule, found)
        return found

    def _found_margins(self, rule: Rule) -> NDArray[np.float32]:
        from deeplens_kit.matching.regroup_kernels import margins

        clauses = (rule.plain, rule.unmeasured, rule.page_like, rule.verified, rule.verified_page)
        other = () if rule.other_shots is None else (rule.other_shots,)
        found = margins(
            self.evidence(rule),
            self.situations(rule),
            self.other_shots,
            bounds_of([clause for some in clauses for clause in some]),
            np.cumsum([0, *map(len, clauses)]),
            bounds_of(other),
            widths_of(rule),
        )
        found[self._edges.same] = -np.inf
        return found

    def regroup(self, rule: Rule, tiers: Collection[Tier | str] | None = None) -> Regrouping:
        """What `group` and `savings` would add up to.

        Args:
            rule: The bounds.
            tiers: As for `group`.
        """
        from deeplens_kit.matching.regroup_kernels import largest_star

        chosen = {Tier(tier) for tier in (rule.tiers if tiers is None else tiers)}
        keeper, link, withheld = self._stars(rule, chosen)
        taken, sums = keeper >= 0, self._sums
        same = taken & np.append(self._edges.same, False)[link]
        rows: list[tuple[str, int, int, int, int]] = []
        largest = 0
        if Tier.BYTES in chosen:
            again, others = ~taken & (sums.again > 0), self._companions
            objects = sums.again[again]
            largest = max(int(objects.max(initial=-1)) + 1, others.largest)
            gross, freed = int(sums.again_bytes[again].sum()), int(sums.again_freed[again].sum())
            counts = len(objects) + others.groups, int(objects.sum()) + others.objects
            rows.append((str(Tier.BYTES), *counts, gross + others.gross_bytes, freed + others.realisable_bytes))
            withheld += sums.withheld
        for tier, members in ((Tier.PIXELS, same), (Tier.COPY, taken & ~same)):
            if tier in chosen:
                stars, most = largest_star(np.where(members, keeper, np.int32(-1)), sums.objects)
                largest = max(largest, most + 1 if stars else 0)
                gross, freed = int(sums.bytes[members].sum()), int(sums.freed[members].sum())
                rows.append((str(tier), stars, int(sums.objects[members].sum()), gross, freed))
        return Regrouping(pl.DataFrame(rows, schema=_BY_TIER, orient="row"), largest, withheld)

    def _stars(self, rule: Rule, tiers: set[Tier]) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
        from deeplens_kit.matching.regroup_kernels import keepers_of

        edges = self._edges
        accepted = edges.same & (Tier.PIXELS in tiers)
        if Tier.COPY in tiers:
            accepted |= self.margins(rule) >= 0
        return keepers_of(
            accepted,
            edges.left,
            edges.right,
            edges.outdone,
            edges.allowed,
            edges.proposable,
            edges.starts,
            edges.incident,
            self._facts.classes,
        )

    def _pair_context(self, known: pl.DataFrame) -> pl.DataFrame:
        ends = known.drop("digest")
        sides = ends[self._edges.left], ends[self._edges.right].select(pl.all().name.suffix("_other"))
        return pl.concat(sides, how="horizontal").select(pair_context())


_BY_TIER = pl.Schema(
    {
        "tier": pl.String(),
        "groups": pl.Int64(),
        "objects": pl.Int64(),
        "gross_bytes": pl.Int64(),
        "realisable_bytes": pl.Int64(),
    }
)
# Different shots are told by times alone: no bound of a rule matters.
_ANY = Rule(name="any", version=1, plain=(), unmeasured=(), page_like=(), other_shots=None)


def bounds_of(clauses: Collection[Clause]) -> NDArray[np.float64]:
    """float64 (c, 5), the bounds of each clause in the order of EVIDENCE_COLUMNS, NaN where not set."""
    found = np.full((len(clauses), len(_BOUNDS)), np.nan)
    for row, clause in enumerate(clauses):
        for name, bound in clause.bounds.items():
            # A cosine of float32 is compared with the bound as float32, as the rule does.
            found[row, _BOUNDS.index(name)] = int(bound) if name.endswith("_max") else np.float32(bound)
    return found


def widths_of(rule: Rule) -> NDArray[np.float64]:
    """float64 (5,), what is one unit in each of EVIDENCE_COLUMNS, by the rule's curve where it has one."""
    curve = rule.curve
    return np.array(
        [curve.phash_width, curve.pdq_width, curve.sscd_width, curve.sscd_width, _LIKELIHOOD_WIDTH], np.float64
    )


class _Facts:
    """What is known of each picture by number, as it is and as an upscale.

    Attributes:
        pixels: int64 (n,).
        resolves: int64 (n,), how many of them carry detail.
        pinned: bool (n,), pictures of families: none is taken by another picture.
        soft: bool (n,), pictures that measure like upscales: they alone change when a copy outdoes them.
        classes: int32 (2, n), the class of size as it is and as an upscale.
        traits: Rows of the pictures, and after them those of the soft ones as upscales.
        upscaled_row: int64 (n,), the row of each picture as an upscale.
    """

    def __init__(self, pictures: pl.DataFrame, best: pl.DataFrame) -> None:
        outdone = picture_traits(pictures.with_columns(outdone=pl.lit(True)))
        known = best.select("digest").join(resolved_pixels(pictures), on="digest", how="left", maintain_order="left")
        marked = best.select("digest").join(
            outdone.select("digest", "upscaled", "detail", "size_class"), on="digest", maintain_order="left"
        )
        self.pixels = known["pixels"].to_numpy()
        self.resolves = known["resolves"].to_numpy()
        self.soft = marked["upscaled"].to_numpy()
        self.pinned = best["pinned"].to_numpy()
        classes = [best["plain_class"].to_numpy(), marked["size_class"].to_numpy()]
        self.classes = np.ascontiguousarray(np.stack(classes), np.int32)
        as_upscales = best.with_columns(marked["upscaled"], marked["detail"]).filter(marked["upscaled"])
        self.traits = ComparedTraits.of(pl.concat([best, as_upscales]))
        self.upscaled_row = np.arange(best.height)
        self.upscaled_row[self.soft] = best.height + np.arange(as_upscales.height)


def _edges(pairs: pl.DataFrame, numbers: pl.DataFrame, facts: _Facts, wanted: frozenset[str]) -> _Edges:
    from deeplens_kit.matching.regroup_kernels import adjacency

    # 1. Pairs by number.
    both = (
        pairs.select("digest_a", "digest_b", "orientation", "resolution", "relation", "tier", "hub", *_STORED)
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
    resolution = oriented(resolution, both["swapped"].to_numpy())
    same = (both["tier"] == Tier.PIXELS).to_numpy()
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
            left[part], right[part], resolution[part], same[part], relations, wanted, facts
        )
    right_goes, left_goes = (may_be_told(sides[name], wanted) for name in ("right", "left"))
    proposable = (right_goes + 2 * left_goes).astype(np.uint8)
    orientation = both["orientation"].fill_null(-1).cast(pl.Int8).to_numpy()
    odds = both.select("plain_odds", "page_odds", "hub")
    return _Edges(left, right, evidence, odds, orientation, same, outdone, allowed, proposable, starts, incident)


def _cases(
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    resolution: NDArray[np.float32],
    same: NDArray[np.bool_],
    relations: tuple[pl.Series, pl.Series],
    wanted: frozenset[str],
    facts: _Facts,
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
                codes = relation_codes(codes, facts.traits, keepers, members, ratio, relation, wanted)
                free = (codes == 0) & ~facts.pinned[(left, right)[1 - right_keeps][at]]
                allowed[at[free]] |= np.uint8(1 << (4 * right_keeps + upscaled_left + 2 * upscaled_right))
    return outdone, allowed
