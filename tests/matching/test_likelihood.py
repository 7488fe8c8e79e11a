"""Likelihood: it rises with every piece of evidence, stays between 0 and 1, and is unknown where nothing looked."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.matching.likelihood import LIKELIHOOD

NUMBERS = {
    "inliers": pl.Int32, "inlier_share": pl.Float32, "difference": pl.Float32, "agreement": pl.Float32,
    "agreement_low": pl.Float32, "correlation": pl.Float32, "cells": pl.Int32, "wobble_px": pl.Float32,
    "covered_a": pl.Float32, "covered_b": pl.Float32, "pdq_distance": pl.Int32, "view_pdq": pl.Int32,
}  # fmt: skip
BETTER_WHEN_LESS = {"difference", "wobble_px", "pdq_distance", "view_pdq"}
SCHEMA = {"verification": pl.Utf8, "page_like": pl.Boolean, "low_information": pl.Boolean, **NUMBERS}
SHARE = st.floats(0, 1, width=32)
EVIDENCE = st.fixed_dictionaries(
    {
        "inliers": st.integers(0, 250), "inlier_share": SHARE, "difference": SHARE,
        "agreement": st.floats(-1, 1, width=32), "agreement_low": st.floats(-1, 1, width=32), "correlation": SHARE,
        "cells": st.integers(0, 3000), "wobble_px": st.floats(0, 2, width=32), "covered_a": SHARE,
        "covered_b": SHARE, "pdq_distance": st.one_of(st.none(), st.integers(0, 256)),
        "view_pdq": st.one_of(st.none(), st.integers(0, 256)),
        "page_like": st.one_of(st.none(), st.booleans()), "low_information": st.one_of(st.none(), st.booleans()),
    }
)  # fmt: skip


def likelihoods(*rows: dict[str, object]) -> list[float | None]:
    frame = pl.DataFrame([{"verification": "v", **row} for row in rows], schema=SCHEMA)
    odds = LIKELIHOOD.odds(frame)
    return pl.concat([frame, odds], how="horizontal").select(LIKELIHOOD.probability.alias("found"))["found"].to_list()


@settings(deadline=None)
@given(EVIDENCE, EVIDENCE, st.sampled_from(sorted(NUMBERS)))
def test_it_rises_with_every_piece_of_evidence(row: dict[str, object], other: dict[str, object], name: str) -> None:
    values = [128 if value is None else value for value in (row[name], other[name])]
    worse, better = sorted(values, reverse=name in BETTER_WHEN_LESS)  # type: ignore[type-var]
    low, high = likelihoods(row | {name: worse}, row | {name: better})
    assert low is not None and high is not None
    assert 0 <= low <= high + 1e-6 <= 1 + 2e-6


@settings(deadline=None)
@given(EVIDENCE)
def test_little_information_never_helps(row: dict[str, object]) -> None:
    plain, little = likelihoods(row | {"low_information": False}, row | {"low_information": True})
    assert plain is not None and little is not None
    assert little <= plain


def test_nothing_is_said_where_nothing_looked() -> None:
    row = {"verification": None, "page_like": False, "low_information": False, "inliers": 200, "agreement": 1.0}
    assert likelihoods(row) == [None]
    without = LIKELIHOOD.odds(pl.DataFrame({"inliers": [3, 4]}))
    assert without.rows() == [(None, None), (None, None)]


SURE = {
    "inliers": 200, "inlier_share": 0.95, "difference": 0.01, "agreement": 0.98, "agreement_low": 0.9,
    "correlation": 0.97, "cells": 500, "wobble_px": 0.05, "covered_a": 1.0, "covered_b": 1.0, "pdq_distance": 2,
    "page_like": False, "low_information": False,
}  # fmt: skip
NONE = {
    "inliers": 3, "inlier_share": 0.03, "difference": 0.97, "agreement": 0.1, "agreement_low": -0.2,
    "correlation": 0.1, "cells": 4, "wobble_px": 1.0, "covered_a": 0.6, "covered_b": 0.7, "pdq_distance": 120,
    "page_like": False, "low_information": False,
}  # fmt: skip
SHEET = SURE | {
    "page_like": True, "inliers": 60, "inlier_share": 0.45, "difference": 0.3, "agreement": 0.9,
    "agreement_low": 0.1, "correlation": 0.8, "wobble_px": 0.5, "pdq_distance": 40,
}  # fmt: skip


def test_three_known_pairs_are_judged_as_ever() -> None:
    copy, strangers, sheets = likelihoods(SURE, NONE, SHEET)
    assert copy == pytest.approx(0.9995, abs=0.001)
    assert strangers == pytest.approx(0.0036, abs=0.002)
    assert sheets == pytest.approx(0.028, abs=0.01)
