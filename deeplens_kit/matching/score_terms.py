"""What a score is made of: each piece of evidence with its weight, and the bound of the rule that it meets or not.

Takes pairs with the context of their pictures, gives rows and sentences; must not judge: the weights are those of
`likelihood`, the bounds those of a rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from deeplens_kit.matching.likelihood import LIKELIHOOD
from deeplens_kit.matching.rules import Clause, Rule, tiers_and_scores
from deeplens_kit.matching.sentences import bound_words
from deeplens_kit.schemas import Tier

__all__ = ["rulings", "score_terms"]

_VALUES: Mapping[str, pl.Expr] = {
    "pdq_distance": pl.min_horizontal("pdq_distance", "view_pdq"),
    "points": pl.col("inliers"),
    "inlier_share": pl.col("inlier_share"),
    "difference": pl.col("difference"),
    "agreement": pl.col("agreement"),
    "agreement_low": pl.col("agreement_low"),
    "correlation": pl.col("correlation").abs(),
    "squares": pl.col("cells"),
    "wobble_px": pl.col("wobble_px"),
    "covered": pl.max_horizontal("covered_a", "covered_b"),
}
"""What was measured for each piece of evidence of `likelihood`, in the unit that people read."""


def _number(value: float, digits: int = 3, scale: int = 1) -> str:
    """A number cut off, not rounded, in units of `1 / scale`: what is not all is never said to be."""
    step = 10**digits
    cut = math.floor((abs(value) + _FLOAT32_HALF_DIGIT) * scale * step) / step
    return f"{math.copysign(cut, value):.{digits}f}"


def _percent(share: float) -> str:
    return f"{_number(share, 1, 100)} %"


_WORDS: Mapping[str, Callable[[float], str]] = {
    "pdq_distance": lambda value: f"PDQ differs in {value:.0f} of 256 bits",
    "points": lambda value: f"{value:,.0f} matching points that one geometric model explains",
    "inlier_share": lambda value: f"the model explains {_percent(value)} of the tentative matches",
    "difference": lambda value: f"the aligned pictures differ by {value:.3f} of 1 beyond light, blur and re-encoding",
    "agreement": lambda value: f"small squares agree with a median correlation of {_number(value)}",
    "agreement_low": lambda value: f"one small square in twenty agrees with less than {_number(value)}",
    "correlation": lambda value: f"the aligned pictures as wholes correlate by {_number(value)}",
    "squares": lambda value: f"{value:,.0f} small squares agree",
    "wobble_px": lambda value: f"the squares that agree lie {value:.2f} px from where the model puts them",
    "covered": lambda value: f"{_percent(value)} of one of the two is in the other",
}
_FLOAT32_HALF_DIGIT = 3e-8
_BITS = 256
_TURNED = "once one is turned as the other is, "
_NOT_MEASURED = "{} was not measured: it counts as that of strangers"
_START = {False: "where no evidence speaks for a pair of pictures", True: "where none speaks for a pair of pages"}
_LOW = "a picture holds too little information to be told from others"


def score_terms(pairs: pl.DataFrame) -> pl.DataFrame:
    """What the likelihood of each pair is made of, the weightiest first; nothing of pairs that nothing looked at.

    Args:
        pairs: PAIRS with the columns of `rules.with_context`.

    Returns:
        `row` (of `pairs`), `evidence`, Float32 `value` (null where it was not measured), Float32 `log_odds`, `words`.
        Of each row first the evidence, then what holds for all such pairs: `start`, and `low_information`.
    """
    parts = LIKELIHOOD.parts(pairs)
    values = pairs.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        pl.col("page_like").fill_null(True),
        (pl.col("view_pdq") < pl.col("pdq_distance").fill_null(_BITS)).fill_null(False).alias("turned"),
        *(value.cast(pl.Float32).alias(name) for name, value in _VALUES.items()),
    )
    measured = values.unpivot(index="row", on=list(_VALUES), variable_name="evidence", value_name="value")
    context = values.select("row", "page_like", "turned")
    known = parts.join(measured, on=["row", "evidence"], how="left").join(context, on="row")
    said = [_said(*item) for item in known.select("evidence", "value", "page_like", "turned").iter_rows()]
    return (
        known.with_columns(pl.col("log_odds").cast(pl.Float32), pl.Series("words", said, dtype=pl.String))
        .with_columns(for_all=~pl.col("evidence").is_in(list(_VALUES)))
        .sort("row", "for_all", pl.col("log_odds").abs(), "evidence", descending=[False, False, True, False])
        .select("row", "evidence", "value", "log_odds", "words")
    )


def _said(evidence: str, value: float | None, page_like: bool, turned: bool) -> str:
    if evidence == "start":
        return _START[page_like]
    if evidence == "low_information":
        return _LOW
    if value is None:
        return _NOT_MEASURED.format(evidence)
    return (_TURNED if turned and evidence == "pdq_distance" else "") + _WORDS[evidence](value)


def rulings(pairs: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """What a rule says of each pair.

    Args:
        pairs: As for `score_terms`.
        rule: The bounds.

    Returns:
        Row by row `tier` and `score` by the rule (a stored tier `pixels` stays), Float32 `likelihood` (null where
        nothing looked) and `bound` (the least likelihood that meets the rule, null where it asks none), and `ruled`:
        in words which bounds apply and whether they are met.
    """
    odds = pairs.select("page_like", "low_information").hstack(LIKELIHOOD.odds(pairs))
    by_rule = tiers_and_scores(pairs, rule)
    judged = pairs.with_columns(
        odds.select(likelihood=LIKELIHOOD.probability)["likelihood"], by_rule["tier"].alias("by_rule")
    )
    same = pl.col("tier") == Tier.PIXELS
    said = [_ruling(row, rule) for row in judged.iter_rows(named=True)]
    bounds = [_least(_clauses(row, rule)) for row in judged.iter_rows(named=True)]
    return judged.select(
        pl.when(same).then("tier").otherwise("by_rule").alias("tier"),
        pl.when(same).then("score").otherwise(by_rule["score"]).alias("score"),
        "likelihood",
        pl.Series("bound", bounds, dtype=pl.Float32),
        pl.Series("ruled", said, dtype=pl.String),
    )


def _ruling(pair: Mapping[str, object], rule: Rule) -> str:
    if pair["tier"] == Tier.PIXELS:
        return "Equal samples are proof: no bound is asked."
    likelihood = pair["likelihood"]
    if likelihood is None:
        return "Nothing has looked at the two closely: the score is a first guess from hashes, and proposes nothing."
    clauses = _clauses(pair, rule)
    asked = " or ".join(bound_words(clause) for clause in clauses) or "nothing can meet it"
    least = _least(clauses)
    # As the rule compares them: both as float32.
    is_met = least is not None and float(str(likelihood)) >= np.float32(least)
    met = "" if least is None else ": met" if is_met else ": not met"
    lines = [
        f"The rule {rule.name!r} asks{_of_which(pair)} that {asked}; it is {_number(float(str(likelihood)), 4)}{met}."
    ]
    if pair["other_shots"] and rule.other_shots is not None:
        distance = pair["pdq_distance"]
        differs = "not known" if distance is None else f"{distance}"
        lines.append(
            f"The cameras noted different times: two shots, unless {bound_words(rule.other_shots)}; it is {differs}."
        )
    if pair["low_information"]:
        lines.append("A picture holds too little information: only equal bytes or samples would count.")
    return " ".join(lines)


def _of_which(pair: Mapping[str, object]) -> str:
    if pair["hub"]:
        return " of pictures that are near to a crowd of others"
    return "" if pair["page_like"] is False else " of pages and icons"


def _clauses(pair: Mapping[str, object], rule: Rule) -> tuple[Clause, ...]:
    """The clauses that a pair which was looked at must meet one of."""
    if pair["likelihood"] is None or pair["tier"] == Tier.PIXELS:
        return ()
    return rule.verified if pair["page_like"] is False and not pair["hub"] else rule.verified_page


def _least(clauses: tuple[Clause, ...]) -> float | None:
    bounds = [clause.likelihood_min for clause in clauses]
    return min((bound for bound in bounds if bound is not None), default=None)
