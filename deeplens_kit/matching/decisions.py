"""Decisions of people, laid on what a rule finds: which pairs they approved, and which pictures they keep.

Takes DECISIONS, gives them as columns of pairs and pictures, and what they change of the reasons to withhold; must not
judge evidence. They stand by digests, so that they hold wherever the files lie and whatever the thresholds. What a
person keeps is never proposed. What they approved counts as a copy whatever the bounds and doubts; that families stay
together, what a policy protects, and that a relation has to be asked for, holds for it as for all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.numbered_pairs import DigestNumbers
from deeplens_kit.matching.policy import REASONS, Withhold
from deeplens_kit.schemas import DECISIONS, PAIRS, DecisionKind, Relation, Tier

__all__ = ["APPROVED_SCORE", "Decisions", "decided_codes", "decided_reason", "with_missing"]

APPROVED_SCORE = 1.0
"""Of a pair that a person approved and that is not among the stored ones: nothing else is known of it."""

_CODE_OF = {
    str(DecisionKind.KEEP_BOTH): int(Withhold.KEEP_BOTH),
    str(DecisionKind.ALTERNATES): int(Withhold.ALTERNATES),
    str(DecisionKind.NEVER_PROPOSE): int(Withhold.NEVER_PROPOSE),
}
_DATED = {
    Withhold.KEEP_BOTH: "a person decided on {} to keep both",
    Withhold.ALTERNATES: "a person decided on {} that both stay, as alternates",
    Withhold.NEVER_PROPOSE: "a person decided on {} that it is never proposed",
}
_ENDS = ["digest_a", "digest_b"]
_PAIR_COLUMNS = pl.Schema(
    {
        "digest_a": pl.String(),
        "digest_b": pl.String(),
        "approved_a": pl.Boolean(),
        "approved_b": pl.Boolean(),
        "kept": pl.Int8(),
        "decided_at": pl.Datetime("us", "UTC"),
    }
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions as grouping needs them; those that were withdrawn are left out.

    Attributes:
        pairs: One row for each pair with the smaller digest first: digest_a, digest_b, approved_a (a may go for b),
            approved_b (b may go for a), kept (a `Withhold` code, 0 where neither is kept for the other), decided_at.
        alone: One row for each picture whose equal files all stay: digest, alone (a `Withhold` code), alone_at.
            No file of it goes for another picture either.
    """

    pairs: pl.DataFrame
    alone: pl.DataFrame

    @classmethod
    def of(cls, decisions: pl.DataFrame | None) -> Decisions:
        """Take DECISIONS; None for none."""
        given = DECISIONS.empty() if decisions is None else decisions
        held = given.filter(pl.col("withdrawn_at").is_null()).select(
            "member_digest",
            keeper_digest=pl.col("keeper_digest").fill_null(pl.col("member_digest")),
            code=pl.col("kind").replace_strict(_CODE_OF, default=0, return_dtype=pl.Int8),
            at="at",
        )
        # Of several on one pair the latest; what is kept is kept, whatever was approved besides.
        kept = pl.col("code") > 0
        pairs = (
            held.filter(pl.col("keeper_digest") != pl.col("member_digest"))
            .with_columns(
                digest_a=pl.min_horizontal("keeper_digest", "member_digest"),
                digest_b=pl.max_horizontal("keeper_digest", "member_digest"),
            )
            .sort("at", "code")
            .group_by(_ENDS, maintain_order=True)
            .agg(
                approved_a=((pl.col("member_digest") == pl.col("digest_a")) & ~kept).any() & ~kept.any(),
                approved_b=((pl.col("member_digest") == pl.col("digest_b")) & ~kept).any() & ~kept.any(),
                kept=pl.col("code").filter(kept).last().fill_null(0),
                decided_at=pl.coalesce(pl.col("at").filter(kept).last(), pl.col("at").last()),
            )
        )
        alone = (
            held.filter((pl.col("keeper_digest") == pl.col("member_digest")) & kept)
            .sort(pl.col("code") == int(Withhold.NEVER_PROPOSE), "at")
            .unique("member_digest", keep="last", maintain_order=True)
            .select(digest="member_digest", alone="code", alone_at="at")
        )
        return cls(pairs.match_to_schema(_PAIR_COLUMNS), alone)

    @property
    def staying(self) -> pl.Series:
        """Digests of which all equal files stay."""
        return self.alone["digest"]

    def on_pairs(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """PAIRS with approved_a, approved_b, kept and decided_at, and approved pairs that were not among them."""
        pairs = PAIRS.filled(pairs)
        return self.marked(with_missing(pairs, self.approved_pairs().select(pairs.columns)))

    def approved_pairs(self) -> pl.DataFrame:
        """PAIRS of those that a person approved, of which nothing else is known."""
        return PAIRS.filled(
            self.pairs.filter(pl.col("approved_a") | pl.col("approved_b")).select(
                *_ENDS,
                pl.lit("").alias("found_by"),
                pl.lit(False).alias("hub"),
                pl.lit(str(Tier.COPY)).alias("tier"),
                pl.lit(str(Relation.WHOLE)).alias("relation"),
                pl.lit(APPROVED_SCORE, pl.Float32).alias("score"),
                pl.lit("").alias("run_id"),
            )
        )

    def numbered(self, numbers: DigestNumbers) -> Decisions:
        """The same by number, without those of digests that have none."""
        pairs, alone = numbers.on(self.pairs, *_ENDS), numbers.on(self.alone, "digest")
        return Decisions(pairs.drop_nulls(_ENDS), alone.drop_nulls("digest"))

    def marked(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Rows with digest_a and digest_b, with approved_a, approved_b, kept and decided_at."""
        if self.pairs.is_empty():
            return pairs.with_columns(
                pl.lit(False).alias("approved_a"),
                pl.lit(False).alias("approved_b"),
                pl.lit(0, pl.Int8).alias("kept"),
                pl.lit(None, _PAIR_COLUMNS["decided_at"]).alias("decided_at"),
            )
        return pairs.join(self.pairs, on=_ENDS, how="left", maintain_order="left").with_columns(
            pl.col("approved_a", "approved_b").fill_null(False), pl.col("kept").fill_null(0)
        )

    def on_pictures(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows with a digest, with `alone` (0 where nothing was decided) and `alone_at`."""
        joined = frame.join(self.alone, on="digest", how="left", maintain_order="left")
        return joined.with_columns(pl.col("alone").fill_null(0))


def with_missing(pairs: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Pairs, and after them those of others that are not among them; both with the same columns."""
    return pl.concat([pairs, others.join(pairs, on=_ENDS, how="anti")]) if others.height else pairs


def decided_codes(
    codes: NDArray[np.int8],
    pinned: NDArray[np.bool_],
    approved: NDArray[np.bool_],
    kept: NDArray[np.int8],
    alone: NDArray[np.int8],
) -> NDArray[np.int8]:
    """The reasons to withhold with what people decided on them.

    Args:
        codes: int8 (m,), from `relations.relation_codes`.
        pinned: bool (m,), members that are in families.
        approved: bool (m,), where a person approved that the member goes for the keeper, and no policy protects it.
        kept: int8 (m,), the code of a decision to keep both, 0 for none.
        alone: int8 (m,), `Decisions.alone` of the members, 0 for none.
    """
    found = codes.copy()
    told = found != Withhold.RELATION
    approved = approved & told
    found[approved] = Withhold.NO
    found[approved & pinned] = Withhold.FAMILY
    found[told & (kept > 0)] = kept[told & (kept > 0)]
    found[told & (alone > 0)] = alone[told & (alone > 0)]
    return found


def decided_reason(code: pl.Expr, at: pl.Expr) -> pl.Expr:
    """The sentence of each code, with the day where it is a decision."""
    sentences = {int(name): sentence for name, sentence in REASONS.items()}
    plain = code.replace_strict(sentences, default=None, return_dtype=pl.String)
    day = at.dt.strftime("%Y-%m-%d")
    dated = [pl.when(code == int(name)).then(pl.format(words, day)) for name, words in _DATED.items()]
    return pl.coalesce(*dated, plain)
