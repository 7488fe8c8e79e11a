"""Rules: which evidence makes a pair a copy, and how strong all of it is together.

Takes pairs with their distances and cosines, and what is known of the two pictures; gives a tier, a score and
sentences that say why. Must not search or group. A rule is a frozen value: the same pairs under the same rule give
the same tiers, and the stored pairs can be judged again by another rule without touching a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching.likelihood import LIKELIHOOD
from deeplens_kit.schemas import Tier

__all__ = [
    "CONTEXT_COLUMNS",
    "STRICT",
    "Clause",
    "Rule",
    "ScoreCurve",
    "pair_context",
    "picture_context",
    "scores_of",
    "tiers_and_scores",
    "tiers_of",
    "with_context",
]

CONTEXT_COLUMNS = ("low_information", "pdq_quality", "dominant_tone", "taken_at")
"""Columns of `pictures` that a rule looks at where they exist; a missing one counts as never measured."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "phash_max": (0, 64),
    "pdq_max": (0, 256),
    "sscd_small_min": (-1, 1),
    "sscd_min": (-1, 1),
    "likelihood_min": (0, 1),
}
_COLUMN_OF = {
    "phash_max": "phash_distance",
    "pdq_max": "pdq_distance",
    "sscd_small_min": "sscd_small",
    "sscd_min": "sscd",
    "likelihood_min": "likelihood",
}


@dataclass(frozen=True, slots=True)
class Clause:
    """Conditions that must all hold; evidence that is missing meets none. All bounds are inclusive.

    Attributes:
        phash_max: Bits of 64.
        pdq_max: Bits of 256.
        sscd_small_min: Cosine.
        sscd_min: Cosine.
        likelihood_min: Probability, see `likelihood`; a pair that nothing looked at has none.
    """

    phash_max: int | None = None
    pdq_max: int | None = None
    sscd_small_min: float | None = None
    sscd_min: float | None = None
    likelihood_min: float | None = None

    def __post_init__(self) -> None:
        if not self.bounds:
            raise SettingsError(
                "A clause without a bound would call every pair a copy; set at least one of its bounds."
            )
        for name, value in self.bounds.items():
            low, high = _RANGES[name]
            if not low <= value <= high:
                raise SettingsError(f"Bound {name!r} is {value}; it must be from {low:g} to {high:g}.")

    @property
    def bounds(self) -> dict[str, float]:
        """The bounds that are set, by name."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def holds(self) -> pl.Expr:
        """Whether a pair meets every bound."""
        conditions = [
            pl.col(_COLUMN_OF[name]) <= int(bound)
            if name.endswith("_max")
            # As stored: a cosine of float32 is compared with the bound as float32, or 0.9 would not be 0.9.
            else pl.col(_COLUMN_OF[name]) >= pl.lit(bound, pl.Float32)
            for name, bound in self.bounds.items()
        ]
        return pl.all_horizontal(condition.fill_null(False) for condition in conditions)


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """How evidence becomes a score: a logistic of each signal, joined as independent reasons to believe.

    Measured on the development benchmark: micro average precision .92 with both signals, .79 with PDQ alone.

    Attributes:
        pdq_middle: Bits at which a PDQ distance says as much for as against.
        pdq_width: Bits per unit of log odds.
        sscd_middle: Cosine at which SSCD says as much for as against.
        sscd_width: Cosine per unit of log odds.
        phash_middle: As for PDQ, where there is no PDQ distance.
        phash_width: As for PDQ.
        phash_weight: The most that a pHash counts: alone it confuses near-blank pictures at distance 0.
        page_weight: What SSCD counts for where a picture is page-like: it describes the page, not what is on it.
        low_weight: What everything counts for where a picture holds little information.
    """

    pdq_middle: float = 36.0
    pdq_width: float = 8.0
    sscd_middle: float = 0.65
    sscd_width: float = 0.05
    phash_middle: float = 6.0
    phash_width: float = 2.0
    phash_weight: float = 0.3
    page_weight: float = 0.1
    low_weight: float = 0.1


@dataclass(frozen=True, slots=True)
class Rule:
    """When a pair is a copy: any clause of its situation holds, and the clause for other shots where that applies.

    Attributes:
        name: How people name it.
        version: Raised when a bound changes.
        plain: Clauses where neither picture is page-like and nothing looked at the pair closely.
        unmeasured: Clauses where that is not known of both, and likewise.
        page_like: Clauses where a picture is page-like, and likewise.
        other_shots: Must hold as well where both cameras noted a time and the times differ: a burst shot from a
            tripod looks as alike as a re-encoded copy.
        verified: Clauses of a pair that was looked at closely.
        verified_page: The same where a picture is page-like, nobody knows, or it is near to a crowd of others (`hub`).
        page_tone_min: From this share of one tone (inclusive) a picture is page-like: scanned text, receipts, icons
            on a plain ground. Hits .98 of the benchmark's documents and .04 of its photographs.
        pdq_quality_min: Below it (exclusive) a picture holds too little information to be told from others.
        tiers: Tiers that are proposed by default.
        curve: The score.
    """

    name: str
    version: int
    plain: tuple[Clause, ...]
    unmeasured: tuple[Clause, ...]
    page_like: tuple[Clause, ...]
    other_shots: Clause | None
    verified: tuple[Clause, ...] = ()
    verified_page: tuple[Clause, ...] = ()
    page_tone_min: float = 0.50
    pdq_quality_min: int = 20
    tiers: tuple[Tier, ...] = (Tier.BYTES, Tier.PIXELS, Tier.COPY)
    curve: ScoreCurve = field(default_factory=ScoreCurve)

    @property
    def widest_pdq(self) -> int:
        """The greatest PDQ distance, in bits, at which a clause can hold without any vector; -1 for none."""
        clauses = (*self.plain, *self.unmeasured, *self.page_like)
        return max((clause.pdq_max for clause in clauses if clause.pdq_max is not None), default=-1)


STRICT = Rule(
    name="strict",
    version=3,
    # Removal precision of the pairs of the development benchmark .998, of one with frames of films and filled forms
    # .98; see benchmarks/results/copies.json. Only what was looked at closely is ever proposed; the bounds on hashes
    # below say of the others, and of what a search finds, which are copies at first sight.
    verified=(Clause(likelihood_min=0.90),),
    verified_page=(Clause(likelihood_min=0.90),),
    # Removal precision on the development benchmark .998 at a recall of .69; the first wrong pairs of photographs,
    # pages and icons come at 30 and 28 bits. SSCD alone is no ground: a frame shifted by 1 % has a cosine of .98.
    plain=(Clause(pdq_max=24),),
    unmeasured=(Clause(pdq_max=20),),
    page_like=(Clause(pdq_max=16),),
    # The same pixels under a rewritten date differ in 0 bits; 2 allow for another decoder.
    other_shots=Clause(pdq_max=2),
)


def with_context(pairs: pl.DataFrame, pictures: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """Pairs with what the rule wants to know of their pictures.

    Args:
        pairs: PAIRS, or its columns so far.
        pictures: Column `digest` and those of `CONTEXT_COLUMNS` that exist.
        rule: Its bounds define page-like and low information.

    Returns:
        `pairs` in their order with `page_like` (null: unknown), `low_information` and `other_shots`.
    """
    known = picture_context(pictures, rule)
    joined = pairs.join(known, left_on="digest_a", right_on="digest", how="left", maintain_order="left").join(
        known, left_on="digest_b", right_on="digest", how="left", maintain_order="left", suffix="_other"
    )
    return joined.with_columns(pair_context()).select(*pairs.columns, "page_like", "low_information", "other_shots")


def picture_context(pictures: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """What a rule wants to know of each picture, row by row: digest, context_page, context_low, context_taken.

    Args:
        pictures: As for `with_context`.
        rule: As for `with_context`.
    """
    absent = [pl.lit(None).alias(name) for name in CONTEXT_COLUMNS if name not in pictures.columns]
    return pictures.with_columns(absent).select(
        "digest",
        context_page=pl.col("dominant_tone").cast(pl.Float32) >= pl.lit(rule.page_tone_min, pl.Float32),
        context_low=pl.col("low_information").cast(pl.Boolean).fill_null(False)
        | (pl.col("pdq_quality").cast(pl.Int32) < rule.pdq_quality_min).fill_null(False),
        context_taken=pl.col("taken_at").cast(pl.Datetime("us")),
    )


def pair_context() -> list[pl.Expr]:
    """`page_like`, `low_information` and `other_shots` from the context of a picture and (`_other`) the other one."""
    return [
        # Kleene logic: one page-like picture is enough, whatever is unknown of the other.
        (pl.col("context_page") | pl.col("context_page_other")).alias("page_like"),
        (pl.col("context_low") | pl.col("context_low_other")).fill_null(False).alias("low_information"),
        (pl.col("context_taken") != pl.col("context_taken_other")).fill_null(False).alias("other_shots"),
    ]


def tiers_and_scores(pairs: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """Tier and score of each pair by its evidence, and not by those stored with it.

    The tier is `copy` or `scene`. The score is Float32, 0 to 0.999; equal bytes would be 1. Of a pair that was looked
    at closely it is the probability that the two are copies, half of it where other evidence speaks against that. Of
    any other it is a first guess: a copy has 0.5 or more, a scene less. Better evidence never lowers it: smaller
    distances, higher cosines, more that agrees.

    Args:
        pairs: Evidence columns of PAIRS, and those of `with_context` (without them nothing is known of the pictures).
        rule: The bounds and the curve.

    Returns:
        Columns tier and score, in the order of the pairs.
    """
    return _in_context(pairs).select(tier=_tier(rule), score=_score(rule))


def tiers_of(pairs: pl.DataFrame, rule: Rule) -> pl.Series:
    """The tiers alone, as `tiers_and_scores` has them."""
    return _in_context(pairs).select(tier=_tier(rule))["tier"]


def scores_of(pairs: pl.DataFrame, rule: Rule) -> pl.Series:
    """The scores alone, as `tiers_and_scores` has them."""
    return _in_context(pairs).select(score=_score(rule))["score"]


def _tier(rule: Rule) -> pl.Expr:
    return pl.when(_is_copy(rule)).then(pl.lit(str(Tier.COPY))).otherwise(pl.lit(str(Tier.SCENE)))


def _score(rule: Rule) -> pl.Expr:
    belief = _belief(rule.curve)
    guess = pl.when(_is_copy(rule)).then(0.5 + 0.499 * belief).otherwise(0.499 * belief)
    doubted = pl.col("low_information") | ~_other_shots_hold(rule)
    seen = 0.999 * pl.col("likelihood").cast(pl.Float64) * pl.when(doubted).then(0.5).otherwise(1.0)
    return pl.when(pl.col("likelihood").is_not_null()).then(seen).otherwise(guess).cast(pl.Float32)


def _is_copy(rule: Rule) -> pl.Expr:
    any_plain, any_unmeasured, any_page, any_verified, any_verified_page = (
        pl.any_horizontal([clause.holds for clause in clauses]) if clauses else pl.lit(False)
        for clauses in (rule.plain, rule.unmeasured, rule.page_like, rule.verified, rule.verified_page)
    )
    seen = pl.col("likelihood").is_not_null()
    alike = (
        pl.when(seen & (pl.col("page_like").fill_null(True) | pl.col("hub")))
        .then(any_verified_page)
        .when(seen)
        .then(any_verified)
        .when(pl.col("page_like").is_null())
        .then(any_unmeasured)
        .when(pl.col("page_like"))
        .then(any_page)
        .otherwise(any_plain)
    )
    return alike & _other_shots_hold(rule) & ~pl.col("low_information")


def _other_shots_hold(rule: Rule) -> pl.Expr:
    """Whether the clause for other shots holds, or does not apply."""
    return pl.lit(True) if rule.other_shots is None else ~pl.col("other_shots") | rule.other_shots.holds


def _belief(curve: ScoreCurve) -> pl.Expr:
    """0..1 from all the evidence, before the tier is looked at."""
    cosine = pl.max_horizontal("sscd_small", "sscd").cast(pl.Float64)
    sscd = _logistic((cosine - curve.sscd_middle) / curve.sscd_width)
    sscd = sscd * pl.when(pl.col("page_like").fill_null(False)).then(curve.page_weight).otherwise(1.0)
    pdq = _logistic((curve.pdq_middle - pl.col("pdq_distance")) / curve.pdq_width)
    phash = curve.phash_weight * _logistic((curve.phash_middle - pl.col("phash_distance")) / curve.phash_width)
    hashes = pl.coalesce(pdq, phash).fill_null(0.0)
    together = 1.0 - (1.0 - hashes) * (1.0 - sscd.fill_null(0.0))
    return together * pl.when(pl.col("low_information")).then(curve.low_weight).otherwise(1.0)


def _logistic(value: pl.Expr) -> pl.Expr:
    return 1.0 / (1.0 + (-value).exp())


def _in_context(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs with what is unknown of their pictures, and `likelihood` where it is not there yet."""
    unknown = {"page_like": None, "low_information": False, "other_shots": False, "hub": False}
    known = pairs.with_columns(
        pl.lit(value, pl.Boolean).alias(name) for name, value in unknown.items() if name not in pairs.columns
    )
    if "likelihood" in known.columns:
        return known
    return known.hstack(LIKELIHOOD.odds(known)).with_columns(likelihood=LIKELIHOOD.probability)
