"""What a score is made of adds up to the score, and the words say the numbers and the bounds that decided."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from test_likelihood import EVIDENCE, NONE, SHEET, SURE

from deeplens_kit.matching import STRICT, Thresholds
from deeplens_kit.matching.score_terms import rulings, score_terms
from deeplens_kit.schemas import PAIRS
from tests.examples import IN_FULL

CONTEXT = {"page_like": pl.Boolean(), "low_information": pl.Boolean(), "other_shots": pl.Boolean()}


def pairs(*rows: dict[str, object]) -> pl.DataFrame:
    known = {"verification": "v", "tier": "copy", "relation": "whole", "score": 0.5, "hub": False, "other_shots": False}
    filled = [known | row | {"low_information": bool(row.get("low_information"))} for row in rows]
    names = [*PAIRS.names, *CONTEXT]
    return pl.DataFrame([{name: row.get(name) for name in names} for row in filled], schema={**PAIRS.polars, **CONTEXT})


@pytest.mark.skipif(not IN_FULL, reason="costly: `make test` runs it")
@given(EVIDENCE)
def test_the_terms_of_a_pair_add_up_to_its_likelihood(row: dict[str, object]) -> None:
    frame = pairs(row)
    terms, found = score_terms(frame), rulings(frame, STRICT)
    odds = terms["log_odds"].cast(pl.Float64).sum()
    assert found["likelihood"][0] == pytest.approx(1 / (1 + math.exp(-odds)), abs=1e-5)
    assert found["score"][0] == pytest.approx(
        0.999 * found["likelihood"][0] * (0.5 if row["low_information"] else 1), abs=1e-5
    )
    evidence = terms.filter(~pl.col("evidence").is_in(["start", "low_information"]))["log_odds"].to_list()
    assert evidence == sorted(evidence, reverse=True)
    assert all(value >= 0 for value in evidence)
    assert terms["evidence"].to_list()[len(evidence)] in ("start", "low_information")


def test_the_words_say_what_was_measured() -> None:
    said = dict(score_terms(pairs(SURE)).select("evidence", "words").iter_rows())
    assert said["pdq_distance"] == "PDQ differs in 2 of 256 bits"
    assert said["squares"] == "500 small squares agree"
    assert said["correlation"] == "the aligned pictures as wholes correlate by 0.970"
    assert said["covered"] == "100.0 % of one of the two is in the other"
    assert said["start"] == "where no evidence speaks for a pair of pictures"
    sheet = dict(score_terms(pairs(SHEET | {"low_information": True})).select("evidence", "words").iter_rows())
    assert sheet["inlier_share"] == "the model explains 45.0 % of the tentative matches"
    assert sheet["points"] == "60 matching points that one geometric model explains"
    assert sheet["low_information"] == "a picture holds too little information to be told from others"
    unmeasured = dict(score_terms(pairs(SURE | {"pdq_distance": None})).select("evidence", "words").iter_rows())
    assert unmeasured["pdq_distance"] == "pdq_distance was not measured: it counts as that of strangers"


def test_what_is_not_all_is_never_said_to_be() -> None:
    said = dict(
        score_terms(pairs(SURE | {"covered_a": 0.9999, "covered_b": 0.5, "correlation": 0.9999}))
        .select("evidence", "words")
        .iter_rows()
    )
    assert said["covered"].startswith("99.9 % ")
    assert said["correlation"].endswith("by 0.999")


def test_several_pairs_keep_their_terms_apart() -> None:
    apart = [score_terms(pairs(row)).drop("row") for row in (NONE, SURE)]
    together = score_terms(pairs(NONE, SURE))
    for at, terms in enumerate(apart):
        assert together.filter(row=at).drop("row").equals(terms)


def test_the_ruling_names_the_bound_that_decides() -> None:
    sure, none, crowd, sheet = rulings(pairs(SURE, NONE, SURE | {"hub": True}, SHEET), STRICT).rows(named=True)
    assert (sure["tier"], none["tier"]) == ("copy", "scene")
    assert sure["ruled"].startswith("The rule 'strict' asks that likelihood is at least 0.9; it is 0.99")
    assert sure["ruled"].endswith(": met.")
    assert none["ruled"].endswith(": not met.")
    assert "of pictures that are near to a crowd of others" in crowd["ruled"]
    assert "of pages and icons" in sheet["ruled"]
    assert sure["bound"] == pytest.approx(0.9)


def test_the_ruling_tells_the_circumstances_and_other_rules() -> None:
    tight = Thresholds(likelihood_min=1.0).rule()
    ((moved,), (shots,), (low,), (same,), (unseen,)) = (
        rulings(pairs(row), rule).rows(named=True)
        for row, rule in (
            (SURE, tight),
            (SURE | {"other_shots": True, "pdq_distance": 9}, STRICT),
            (SURE | {"low_information": True}, STRICT),
            (SURE | {"tier": "pixels", "score": 0.9999}, STRICT),
            (SURE | {"verification": None}, STRICT),
        )
    )
    assert (moved["tier"], moved["bound"]) == ("scene", 1.0)
    assert "at least 1; it is 0.99" in moved["ruled"]
    assert shots["tier"] == "scene"
    assert "two shots, unless pdq is at most 2; it is 9." in shots["ruled"]
    assert low["tier"] == "scene"
    assert "only equal bytes or samples would count" in low["ruled"]
    assert (same["tier"], same["bound"], same["score"]) == ("pixels", None, pytest.approx(0.9999))
    assert unseen["likelihood"] is None
    assert unseen["ruled"].startswith("Nothing has looked at the two closely")
