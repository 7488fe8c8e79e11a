"""Likelihood: how probable it is that two pictures are copies, from all that a close look at them found.

Takes the evidence columns of PAIRS, gives a probability 0..1; must not decide anything: rules set the bound. It is a
logistic model whose terms can only rise as evidence gets better, so that it is monotone in each. Pages (scanned text,
forms, icons on a plain ground) have terms of their own: what they have in common is printed on thousands of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

__all__ = ["LIKELIHOOD", "Likelihood", "Term"]

WITHOUT_PDQ = 128
"""Bits that count as the distance where a hash is missing: that of strangers."""


@dataclass(frozen=True, slots=True)
class Term:
    """Log odds that a piece of evidence adds.

    Attributes:
        evidence: Its name in `_EVIDENCE`.
        rising: Whether more of it is better.
        slopes: Knot and log odds per unit beyond it, knot after knot; what lies before a knot adds nothing for it.
    """

    evidence: str
    rising: bool
    slopes: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A model of the evidence.

    Fitted on 2,551 candidate pairs of the development benchmark and, at half the weight, 4,365 of a second one of
    other pictures with frames of films a thirtieth of a second to some seconds apart, filled forms and other edits;
    without SSCD, by which most candidates were found: among them it tells nothing that the close look does not.

    Attributes:
        plain_odds: Log odds where no evidence speaks for a pair of plain pictures.
        plain: Terms of plain pictures.
        page_odds: As plain_odds, where a picture is page-like.
        page: Terms where a picture is page-like.
        low_odds: Added where a picture holds little information.
    """

    plain_odds: float
    plain: tuple[Term, ...]
    page_odds: float
    page: tuple[Term, ...]
    low_odds: float

    def odds(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Log odds of each pair: Float32 `plain_odds` and `page_odds`, null where nothing looked at it.

        Args:
            pairs: Evidence columns of PAIRS; without `verification` none was looked at.
        """
        if "verification" not in pairs.columns:
            names = {"plain_odds": pl.Float32(), "page_odds": pl.Float32()}
            return pl.DataFrame(schema=names).clear(pairs.height)
        seen = pl.col("verification").is_not_null()
        return _with_view_pdq(pairs).select(
            pl.when(seen).then(odds + _sum(terms)).cast(pl.Float32).alias(name)
            for name, odds, terms in (
                ("plain_odds", self.plain_odds, self.plain),
                ("page_odds", self.page_odds, self.page),
            )
        )

    def parts(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """What the log odds of each pair add up from: one row for each of its terms, none where nothing looked at it.

        Args:
            pairs: Evidence columns of PAIRS, `page_like` (null counts as true) and `low_information`.

        Returns:
            `row` (of `pairs`), `evidence` (a name in `_EVIDENCE`; `start` for the odds where no evidence speaks for it,
            `low_information` for what that takes off) and Float64 `log_odds`. The log odds of a row add up to the
            logit of its `probability`.
        """
        numbered = _with_view_pdq(pairs).with_row_index("row").filter(pl.col("verification").is_not_null())
        is_page = pl.col("page_like").fill_null(True)
        found = []
        for rows, odds, terms in (
            (numbered.filter(~is_page), self.plain_odds, self.plain),
            (numbered.filter(is_page), self.page_odds, self.page),
        ):
            adds = {"start": pl.lit(odds)} | {term.evidence: _sum((term,)) for term in terms}
            found += [_part(rows, name, added) for name, added in adds.items()]
        found.append(_part(numbered.filter("low_information"), "low_information", pl.lit(self.low_odds)))
        return pl.concat(found)

    @property
    def probability(self) -> pl.Expr:
        """Float32 0..1 from `plain_odds`, `page_odds`, `page_like` (null counts as true) and `low_information`."""
        odds = pl.when(pl.col("page_like").fill_null(True)).then("page_odds").otherwise("plain_odds").cast(pl.Float64)
        odds = odds + pl.when(pl.col("low_information").fill_null(False)).then(self.low_odds).otherwise(0.0)
        return (1.0 / (1.0 + (-odds).exp())).cast(pl.Float32)


_EVIDENCE: dict[str, pl.Expr] = {
    # Of turned pictures the hashes of the turned views tell, where there are any; those from bits alone err.
    "pdq_distance": pl.min_horizontal("pdq_distance", "view_pdq").cast(pl.Float64).fill_null(WITHOUT_PDQ),
    "points": (pl.col("inliers").cast(pl.Float64).fill_null(0.0) + 1.0).log(),
    "inlier_share": pl.col("inlier_share").cast(pl.Float64).fill_null(0.0),
    "difference": pl.col("difference").cast(pl.Float64).fill_null(1.0),
    "agreement": pl.col("agreement").cast(pl.Float64).fill_null(0.0),
    "agreement_low": pl.col("agreement_low").cast(pl.Float64).fill_null(0.0),
    "correlation": pl.col("correlation").cast(pl.Float64).abs().fill_null(0.0),
    "squares": (pl.col("cells").cast(pl.Float64).fill_null(0.0) + 1.0).log(),
    "wobble_px": pl.col("wobble_px").cast(pl.Float64).fill_null(1.0),
    "covered": pl.max_horizontal("covered_a", "covered_b").cast(pl.Float64).fill_null(0.0),
}


def _with_view_pdq(pairs: pl.DataFrame) -> pl.DataFrame:
    if "view_pdq" in pairs.columns:
        return pairs
    return pairs.with_columns(view_pdq=pl.lit(None, pl.Int32))


def _part(rows: pl.DataFrame, evidence: str, log_odds: pl.Expr) -> pl.DataFrame:
    return rows.select("row", evidence=pl.lit(evidence), log_odds=log_odds.cast(pl.Float64))


def _sum(terms: tuple[Term, ...]) -> pl.Expr:
    parts = []
    for term in terms:
        value = _EVIDENCE[term.evidence]
        for knot, slope in term.slopes:
            beyond = value - knot if term.rising else knot - value
            parts.append(slope * beyond.clip(lower_bound=0.0))
    return pl.sum_horizontal(parts)


LIKELIHOOD = Likelihood(
    plain_odds=-5.66,
    plain=(
        Term("pdq_distance", False, ((8, 0.22), (16, 0.09))),
        Term("agreement", True, ((0.30, 1.32), (0.50, 0.60), (0.95, 25.1))),
        Term("correlation", True, ((0.80, 7.14), (0.88, 7.76), (0.94, 2.35))),
        Term("squares", True, ((1.5, 0.22), (3.0, 0.18), (4.5, 0.42))),
        Term("wobble_px", False, ((0.15, 21.8), (0.25, 0.28))),
        Term("covered", True, ((0.95, 42.3),)),
    ),
    page_odds=-7.97,
    page=(
        Term("pdq_distance", False, ((8, 0.27), (16, 0.12))),
        Term("points", True, ((1.5, 0.08), (4.3, 0.21))),
        Term("inlier_share", True, ((0.20, 2.13), (0.40, 4.93), (0.60, 2.52))),
        Term("difference", False, ((0.03, 20.5),)),
        Term("agreement_low", True, ((0.20, 1.19), (0.50, 3.11), (0.70, 2.41))),
        Term("correlation", True, ((0.88, 7.45), (0.94, 13.7))),
        Term("squares", True, ((1.5, 0.11), (3.0, 0.31), (4.5, 0.15))),
        Term("wobble_px", False, ((0.25, 8.53), (0.50, 3.76))),
        Term("covered", True, ((0.95, 33.4),)),
    ),
    low_odds=-3.0,
)
