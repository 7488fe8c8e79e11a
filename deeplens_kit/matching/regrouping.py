"""Regrouping: what groups would add up to under other thresholds, fast enough to follow a slider.

Takes objects, pictures and pairs once and turns into numbers all that no threshold changes; then gives, for one rule
after another, exactly the totals that `group` and `savings` would give. Must not make names, sentences or rows of
groups, nor decide by anything that `rules`, `policy` and `groups` do not say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.decisions import Decisions, with_missing
from deeplens_kit.matching.equal_samples import mark_sources
from deeplens_kit.matching.family_copies import family_standing
from deeplens_kit.matching.groups import OBJECT_COLUMNS, companion_groups, held_objects, with_sizes
from deeplens_kit.matching.hubs import CROWD_PICTURES, crowded_members
from deeplens_kit.matching.keep_order import keeper_order, numbered_order
from deeplens_kit.matching.keep_policy import DEFAULT_POLICY, KeepPolicy
from deeplens_kit.matching.likelihood import LIKELIHOOD
from deeplens_kit.matching.numbered_pairs import DigestNumbers, numbered_pairs, pair_parts
from deeplens_kit.matching.regroup_edges import EVIDENCE_COLUMNS, PairEdges, PictureFacts, pair_edges
from deeplens_kit.matching.regroup_sums import SUMMED_COLUMNS, CompanionSums, kinds_frame, sum_pictures
from deeplens_kit.matching.relations import (
    allowed_relations,
    mark_foreign,
    mark_tilted,
    related_pairs,
    same_view,
)
from deeplens_kit.matching.rules import CONTEXT_COLUMNS, Clause, Rule, pair_context, picture_context
from deeplens_kit.matching.upscales import with_resolution
from deeplens_kit.schemas import Relation, Tier

__all__ = ["EVIDENCE_COLUMNS", "PLAIN", "SITUATIONS", "Regrouper", "Regrouping"]

SITUATIONS = ("plain", "unmeasured", "page_like", "verified", "verified_page")
"""Which clauses of a rule apply, by number; one more is that none does: too little information."""

PLAIN, _UNMEASURED, _PAGE_LIKE, _VERIFIED, _VERIFIED_PAGE, _LOW_INFORMATION = range(6)
_BOUNDS = ("phash_max", "pdq_max", "sscd_small_min", "sscd_min", "likelihood_min")
# One unit of a margin in the likelihood, as .05 of a cosine is one.
_LIKELIHOOD_WIDTH = 0.05


@dataclass(frozen=True, slots=True)
class Regrouping:
    """What groups would add up to.

    Attributes:
        by_tier: Columns tier, groups, objects (proposed for removal), gross_bytes, realisable_bytes: one row for each
            tier that was asked for: `bytes`, `pixels`, `copy`.
        largest_group: Objects of the largest group with its keeper; 0 where there is no group.
        withheld: Pairs of a keeper and a copy that is not proposed.
        by_kind: Columns tier, kind, frees_bytes, what is realised of each `kind` of objects; None where they have none.
    """

    by_tier: pl.DataFrame
    largest_group: int
    withheld: int
    by_kind: pl.DataFrame | None = None


class Regrouper:
    """Totals of groups by any rule, from frames that were looked at once; safe to use from several threads.

    A picture counts as an upscale only where a copy outdoes it, which a threshold can change; with it change the class
    of its size, its place in keeper order and the reasons to withhold it. Both answers are kept for each picture, and
    both orders for each pair.

    Args:
        objects: As for `group`, or what reads them: then no more of them than is needed stays in memory meanwhile.
            With a column `kind`, whole numbers from 0, what is freed is told by kind as well.
        pictures: As for `group`, or what reads them.
        pairs: PAIRS, or parts of it, which are then in memory one after the other; of its columns `PAIR_COLUMNS`.
        include: As for `group`.
        policy: As for `group`.
        decisions: As for `group`.
        crowd_pictures: As for `group`.
    """

    def __init__(
        self,
        objects: pl.DataFrame | Callable[[], pl.DataFrame],
        pictures: pl.DataFrame | Callable[[], pl.DataFrame],
        pairs: pl.DataFrame | Iterable[pl.DataFrame],
        include: Collection[Relation | str] = (),
        policy: KeepPolicy = DEFAULT_POLICY,
        *,
        decisions: pl.DataFrame | None = None,
        crowd_pictures: int = CROWD_PICTURES,
    ) -> None:
        allowed, decided = allowed_relations(include), Decisions.of(decisions)
        # 1. Families by digests, all else by the numbers of these: a million pictures have five million pairs.
        files, seen = _read(objects), _read(pictures)
        families = family_standing(files, seen["digest"], decided.staying)
        others = companion_groups(families)
        self._companions = CompanionSums.of(others)
        going = None
        if "kind" in files.columns:
            going = others.filter(~pl.col("is_keeper")).join(files.select("object_id", "kind"), on="object_id")
        numbers = DigestNumbers(seen["digest"])
        named = ["location_id"] if "location" in files.columns else []
        kept = [name for name in OBJECT_COLUMNS if name in files.columns and name not in named]
        files = numbers.on(files.select(kept).filter(pl.col("digest").is_not_null()), "digest")
        seen = with_sizes(numbers.on(seen, "digest"), files)
        related, seen = _numbered(pairs, seen, numbers, decided, allowed)
        decided = decided.numbered(numbers)
        # 2. The order of the objects of every picture: what thresholds change is the same for all of them.
        held = held_objects(files, seen.with_columns(outdone=pl.lit(False)), families)
        del files
        held = decided.on_pictures(keeper_order(held, policy))
        # That of the pictures where all that thresholds change is equal: within every class of `PictureFacts`.
        best = held.unique("digest", keep="first", maintain_order=True)
        held = held.select(*SUMMED_COLUMNS, *([] if going is None else ["kind"]))
        best = numbered_order(best, policy)
        places = np.full(len(numbers.digests), -1, np.int32)
        places[best["digest"].to_numpy()] = np.arange(best.height)
        self._sums = sum_pictures(held, places, going)
        del held
        # 3. What is kept of the pictures.
        facts = PictureFacts(seen, best, policy)
        self._classes = facts.classes
        self.digest_order: NDArray[np.int64] = best["digest"].to_numpy().astype(np.int64)
        """int64 (n,), the place of each picture by its digest."""
        self.best = best.select(
            numbers.digests.gather(best["digest"]),
            "path",
            location="location" if "location" in best.columns else "location_id",
        )
        """One row for each picture, by number: digest, path and location of its best object."""
        context = [name for name in CONTEXT_COLUMNS if name in seen.columns]
        self._context = best.select("digest").join(
            seen.select("digest", *context), on="digest", how="left", maintain_order="left"
        )
        del best, seen, numbers, families
        # 4. The pairs.
        self._edges = pair_edges(related, places, facts, allowed)
        del related, facts
        self._crowd_pictures = crowd_pictures
        taken = self._context.select("digest", *(name for name in ("taken_at",) if name in context))
        self.other_shots: NDArray[np.bool_] = self._pair_context(picture_context(taken, _ANY))["other_shots"].to_numpy()
        """bool (m,), pairs whose cameras noted different times."""
        self._lock = threading.Lock()
        self._situations: dict[tuple[float, int], tuple[NDArray[np.uint8], NDArray[np.float32]]] = {}
        # Of the last rule: who asks for totals asks for borderline pairs next.
        self._last: tuple[Rule, NDArray[np.float32]] | None = None
        self._last_stars: tuple[Rule, set[Tier], tuple[NDArray[np.int32], NDArray[np.int32], int]] | None = None

    @property
    def pictures(self) -> int:
        """Pictures that an object holds."""
        return self.best.height

    @property
    def edges(self) -> PairEdges:
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
        aside = self._aside(keeper, link)
        keeper = np.where(aside, np.int32(-1), keeper)
        withheld += int(aside.sum())
        taken, sums = keeper >= 0, self._sums
        same = taken & np.append(self._edges.same, False)[link]
        rows: list[tuple[str, int, int, int, int]] = []
        kinds: dict[Tier, NDArray[np.int64]] = {}
        largest = 0
        if Tier.BYTES in chosen:
            again, others = ~taken & (sums.again > 0), self._companions
            objects = sums.again[again]
            largest = max(int(objects.max(initial=-1)) + 1, others.largest)
            gross, freed = int(sums.again_bytes[again].sum()), int(sums.again_freed[again].sum())
            counts = len(objects) + others.groups, int(objects.sum()) + others.objects
            rows.append((str(Tier.BYTES), *counts, gross + others.gross_bytes, freed + others.realisable_bytes))
            withheld += sums.withheld
            if sums.by_kind is not None:
                kinds[Tier.BYTES] = sums.by_kind.of_again(again) + sums.by_kind.companions
        for tier, members in ((Tier.PIXELS, same), (Tier.COPY, taken & ~same)):
            if tier in chosen:
                stars, most = largest_star(np.where(members, keeper, np.int32(-1)), sums.objects)
                largest = max(largest, most + 1 if stars else 0)
                gross, freed = int(sums.bytes[members].sum()), int(sums.freed[members].sum())
                rows.append((str(tier), stars, int(sums.objects[members].sum()), gross, freed))
                if sums.by_kind is not None:
                    kinds[tier] = sums.by_kind.of_members(members)
        by_kind = None if sums.by_kind is None else kinds_frame(kinds)
        return Regrouping(pl.DataFrame(rows, schema=_BY_TIER, orient="row"), largest, withheld, by_kind)

    @property
    def objects(self) -> NDArray[np.int64]:
        """int64 (n,), objects that hold each picture."""
        return self._sums.objects

    @property
    def freed_bytes(self) -> NDArray[np.int64]:
        """int64 (n,), what removing all objects of each picture frees."""
        return self._sums.freed

    def keepers(self, rule: Rule) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """The keeper of each picture that is proposed by the tiers of a rule, and the edge by which it was taken:
        int32 (n,), -1 for none."""
        keeper, link, _ = self._stars(rule, set(rule.tiers))
        aside = self._aside(keeper, link)
        none = np.int32(-1)
        return np.where(aside, none, keeper), np.where(aside, none, link)

    def _stars(self, rule: Rule, tiers: set[Tier]) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
        with self._lock:
            if self._last_stars is not None and self._last_stars[:2] == (rule, tiers):
                return self._last_stars[2]
        found = self._found_stars(rule, tiers)
        with self._lock:
            self._last_stars = rule, tiers, found
        return found

    def _found_stars(self, rule: Rule, tiers: set[Tier]) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
        from deeplens_kit.matching.regroup_kernels import keepers_of

        edges = self._edges
        accepted = edges.same & (Tier.PIXELS in tiers)
        if Tier.COPY in tiers:
            accepted |= self.margins(rule) >= 0
        allowed, proposable = edges.allowed, edges.proposable
        # What no rule says but a person, holds for the member that they approved, and not the other way round.
        agreed = np.flatnonzero((edges.approved > 0) & ~edges.same & ~accepted) if Tier.COPY in tiers else _NONE
        if len(agreed):
            accepted[agreed] = True
            goes = edges.approved[agreed]
            allowed, proposable = allowed.copy(), proposable.copy()
            allowed[agreed] &= (goes & 1) * np.uint8(0x0F) | (goes >> 1) * np.uint8(0xF0)
            proposable[agreed] &= goes
        return keepers_of(
            accepted,
            edges.left,
            edges.right,
            edges.outdone,
            allowed,
            proposable,
            edges.starts,
            edges.incident,
            self._classes,
        )

    def _aside(self, keeper: NDArray[np.int32], link: NDArray[np.int32]) -> NDArray[np.bool_]:
        """bool (n,), pictures that were taken with a crowd."""
        edges, taken = self._edges, keeper >= 0
        if not taken.any():
            return taken
        # Which of the two ends keeps is the bit that says whether a person approved it.
        bit = (edges.left[link] != keeper).astype(np.uint8)
        approved = (edges.approved[link] >> bit) & 1 > 0
        return crowded_members(keeper, taken & ~edges.same[link], approved, self._crowd_pictures)

    def _pair_context(self, known: pl.DataFrame) -> pl.DataFrame:
        ends = known.drop("digest")
        sides = ends[self._edges.left], ends[self._edges.right].select(pl.all().name.suffix("_other"))
        return pl.concat(sides, how="horizontal").select(pair_context())


def _read(given: pl.DataFrame | Callable[[], pl.DataFrame]) -> pl.DataFrame:
    return given if isinstance(given, pl.DataFrame) else given()


def _numbered(
    pairs: pl.DataFrame | Iterable[pl.DataFrame],
    pictures: pl.DataFrame,
    numbers: DigestNumbers,
    decided: Decisions,
    allowed: frozenset[str],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pairs that may be proposed or withheld, and the pictures with all that pairs show of them."""
    approved = numbered_pairs(pair_parts(decided.approved_pairs()), numbers).drop_nulls(["digest_a", "digest_b"])
    every = with_missing(numbered_pairs(pair_parts(pairs), numbers), approved)
    pictures = mark_tilted(mark_sources(pictures, every), every)
    every = every.drop("turn_degrees", "view_pdq")
    related = related_pairs(every, allowed)
    del every
    pictures = with_resolution(pictures, same_view(related.select(*_VIEWS, "relation")))
    pictures = mark_foreign(pictures, related, allowed)
    return decided.numbered(numbers).marked(related.drop("covered_a", "covered_b")), pictures


_VIEWS = ("digest_a", "digest_b", "resolution", "covered_a", "covered_b")
_BY_TIER = pl.Schema(
    {
        "tier": pl.String(),
        "groups": pl.Int64(),
        "objects": pl.Int64(),
        "gross_bytes": pl.Int64(),
        "realisable_bytes": pl.Int64(),
    }
)
_NONE = np.zeros(0, np.int64)
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
