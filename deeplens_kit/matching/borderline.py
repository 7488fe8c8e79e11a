"""Borderline pairs: those that a rule only just calls copies, and those that it only just does not.

Takes a regrouper and a rule, gives the pairs that were looked at closely and whose likelihood lies nearest to the
bounds, some on each side, for a person to look at. Must not judge by anything but the rule. What nothing looked at is
left out: no bound proposes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.errors import SettingsError
from deeplens_kit.matching.regrouping import EVIDENCE_COLUMNS, SITUATIONS, Regrouper, bounds_of, widths_of
from deeplens_kit.matching.rules import Clause, Rule, scores_of
from deeplens_kit.schemas import Column, TableSchema

__all__ = ["BORDERLINE", "HISTOGRAM", "LIKELIHOOD_BINS", "borderline_pairs", "count_pairs"]

_TEXT, _SHORT, _COSINE = pl.String(), pl.Int32(), pl.Float32()

BORDERLINE = TableSchema(
    "borderline",
    (
        Column("digest_a", _TEXT, "the smaller digest"),
        Column("digest_b", _TEXT, "the greater digest"),
        Column("score", _COSINE, "0..1, by the rule"),
        Column("pdq_distance", _SHORT, "as in pairs", nullable=True),
        Column("phash_distance", _SHORT, "as in pairs", nullable=True),
        Column("orientation", _SHORT, "as in pairs", nullable=True),
        Column("sscd_small", _COSINE, "as in pairs", nullable=True),
        Column("sscd", _COSINE, "as in pairs", nullable=True),
        Column("likelihood", _COSINE, "probability of a copy, 0..1, from all that the close look found"),
        Column("situation", _TEXT, "which bounds apply: verified or verified_page"),
        Column("accepted", pl.Boolean(), "a copy by the rule"),
        Column(
            "margin", _COSINE, "from the nearest bound, in units of .05 of likelihood or 8 bits of PDQ; below 0 not met"
        ),
        Column("path_a", _TEXT, "the best object of the picture"),
        Column("location_a", _TEXT, "its location"),
        Column("path_b", _TEXT, "the best object of the picture"),
        Column("location_b", _TEXT, "its location"),
        Column("why", _TEXT, "the evidence that decides, and its bound"),
    ),
    key=("digest_a", "digest_b"),
)

HISTOGRAM = TableSchema(
    "pair histogram",
    (
        Column("signal", _TEXT, "likelihood (0..1) or other_shots (bits of PDQ where cameras noted different times)"),
        Column("value", pl.Float64(), "bits, or the lower edge of a bin, see `LIKELIHOOD_BINS`"),
        Column("situation", _TEXT, "verified or verified_page"),
        Column("pairs", pl.Int64(), "pairs that were looked at; without those of pictures with too little information"),
    ),
    key=("signal", "value", "situation"),
)

LIKELIHOOD_BINS = 50
"""Bins of a likelihood are .02 wide; 1 is in the last one."""

_FLOAT32_HALF_DIGIT = 3e-8
_NAMES = {
    "phash_distance": ("pHash", 64),
    "pdq_distance": ("PDQ", 256),
    "sscd_small": ("small SSCD", 0),
    "sscd": ("SSCD", 0),
    "likelihood": ("likelihood", 0),
}
_LOOKED_AT = (SITUATIONS.index("verified"), SITUATIONS.index("verified_page"))


def borderline_pairs(regrouper: Regrouper, rule: Rule, limit: int = 12) -> pl.DataFrame:
    """The pairs nearest to the bounds: half of them copies by the rule and half not, more of one where the other lacks.

    Each pair of pictures once, with the best object of each; of equally near ones those with the smaller digests,
    which is as good as by chance and always the same. Pictures with too little information have no bounds.

    Args:
        regrouper: The pairs.
        rule: The bounds.
        limit: The most rows.

    Returns:
        BORDERLINE, the clearest copy first.

    Raises:
        SettingsError: The limit is below 0.
    """
    from deeplens_kit.matching.regroup_kernels import nearest

    if limit < 0:
        raise SettingsError(f"The limit is {limit}; it cannot be below 0.")
    edges = regrouper.edges
    margins = np.where(np.isin(regrouper.situations(rule), _LOOKED_AT), regrouper.margins(rule), np.float32(-np.inf))
    limit = min(limit, len(margins))
    half = (limit + 1) // 2
    ends = margins, edges.left, edges.right, regrouper.digest_order
    yes, no = nearest(*ends, limit, True), nearest(*ends, limit, False)
    yes = yes[: max(half, limit - len(no))]
    no = no[: limit - len(yes)]
    return _described(regrouper, rule, np.concatenate([yes[::-1], no]), margins)


def count_pairs(regrouper: Regrouper, rule: Rule) -> pl.DataFrame:
    """How many pairs there are at each likelihood, and at each distance of other shots: HISTOGRAM."""
    evidence, situation = regrouper.evidence(rule), regrouper.situations(rule)
    likelihood = evidence[:, EVIDENCE_COLUMNS.index("likelihood")].astype(np.float64)
    # Rounded before it is cut, so that .9 stored as .8999999 stays in its bin.
    bins = np.minimum(np.floor(np.round(likelihood * LIKELIHOOD_BINS, 4)), LIKELIHOOD_BINS - 1)
    bits = evidence[:, EVIDENCE_COLUMNS.index("pdq_distance")].astype(np.float64)
    signals = {"likelihood": (bins, LIKELIHOOD_BINS), "other_shots": (np.where(regrouper.other_shots, bits, np.nan), 1)}
    parts = [HISTOGRAM.empty()]
    for signal, (values, steps) in signals.items():
        for number in _LOOKED_AT:
            counts = np.bincount(values[(situation == number) & ~np.isnan(values)].astype(np.int64))
            found = np.flatnonzero(counts)
            parts.append(
                pl.DataFrame(
                    {"signal": [signal] * len(found), "value": found / steps,
                     "situation": [SITUATIONS[number]] * len(found), "pairs": counts[found].astype(np.int64)},
                    schema=HISTOGRAM.polars,
                )
            )  # fmt: skip
    return HISTOGRAM.check(pl.concat(parts).sort("signal", "value", "situation"))


def _described(regrouper: Regrouper, rule: Rule, rows: NDArray[np.int64], margins: NDArray[np.float32]) -> pl.DataFrame:
    edges = regrouper.edges
    left, right = edges.left[rows], edges.right[rows]
    swap = regrouper.digest_order[left] > regrouper.digest_order[right]
    sides = {"a": np.where(swap, right, left), "b": np.where(swap, left, right)}
    values = {
        f"{name}_{end}": regrouper.best[name][side] for end, side in sides.items() for name in regrouper.best.columns
    }
    numbers = regrouper.evidence(rule)[rows]
    evidence = {name: pl.Series(numbers[:, at], nan_to_null=True) for at, name in enumerate(EVIDENCE_COLUMNS)}
    situation = regrouper.situations(rule)[rows]
    frame = pl.DataFrame(values | evidence).with_columns(
        pl.col("pdq_distance", "phash_distance").cast(pl.Int32),
        pl.col("sscd_small", "sscd", "likelihood").cast(pl.Float32),
        orientation=pl.Series(edges.orientation[rows]).cast(pl.Int32).replace(-1, None),
        situation=pl.Series([SITUATIONS[number] for number in situation], dtype=pl.String),
        page_like=pl.Series(situation == _LOOKED_AT[1], dtype=pl.Boolean),
        low_information=pl.lit(False),
        other_shots=pl.Series(regrouper.other_shots[rows], dtype=pl.Boolean),
        margin=pl.Series(margins[rows], dtype=pl.Float32),
        accepted=pl.Series(margins[rows] >= 0, dtype=pl.Boolean),
    )
    said = [_why(row, rule) for row in frame.iter_rows(named=True)]
    described = frame.with_columns(scores_of(frame, rule), pl.Series("why", said, dtype=pl.String))
    return BORDERLINE.check(described.select(BORDERLINE.names))


def _why(row: dict[str, object], rule: Rule) -> str:
    """The bound that decides on a pair: the nearest of the clause that comes nearest to holding."""
    clauses: Sequence[Clause] = getattr(rule, str(row["situation"]))
    margin, name, bound = max((_deciding(row, clause, rule) for clause in clauses), key=lambda found: found[0])
    circumstance = " for page-like pictures and crowds" if row["situation"] == "verified_page" else ""
    if row["other_shots"] and rule.other_shots is not None:
        stricter = _deciding(row, rule.other_shots, rule)
        if stricter[0] < margin:
            margin, name, bound = stricter
            circumstance = " where the cameras noted different times"
    said, bits = _NAMES[name]
    value = float(str(row[name]))
    # A cosine is cut, not rounded: 0.8999 must not read as if it met 0.9, but 0.9 of float32 must.
    cut = math.floor((value + _FLOAT32_HALF_DIGIT) * 1000) / 1000
    found = (
        f"differs in {value:g} of {bits} bits" if bits else f"{'is' if name == 'likelihood' else 'cosine is'} {cut:.3f}"
    )
    met = "at most" if bits else "at least"
    verdict = "a copy" if margin >= 0 else "not a copy"
    return f"{said[0].upper()}{said[1:]} {found}; {met} {bound:g} counts as a copy{circumstance}: {verdict}."


def _deciding(row: dict[str, object], clause: Clause, rule: Rule) -> tuple[float, str, float]:
    """Margin, column and bound of the condition of a clause that is hardest to meet."""
    from deeplens_kit.matching.regroup_kernels import distance_columns, margin_of

    bounds, widths = bounds_of([clause])[0], widths_of(rule)
    found = []
    for at, name in enumerate(EVIDENCE_COLUMNS):
        if math.isnan(bounds[at]):
            continue
        value = row[name]
        near = (
            -math.inf if value is None else margin_of(float(str(value)), bounds[at], widths[at], at < distance_columns)
        )
        found.append((near, name, float(f"{bounds[at]:.6g}")))
    return min(found)
