"""What each person prefers and how they rated what was found; with the other database's tests it runs on both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger import Ledger, RatingVerdict, acting_as

A, B, C, KEY = "a" * 64, "b" * 64, "c" * 64, "f" * 64


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(f"sqlite:///{tmp_path / 'ledger.db'}") as made:
        yield made


def test_preferences_are_each_persons_own(ledger: Ledger) -> None:
    with acting_as("ana"):
        ledger.prefer("search.limit", 100)
        ledger.prefer("search.grid", {"size": "large"})
        ledger.prefer("search.limit", 25)
    with acting_as("ben"):
        assert ledger.preferences() == {}
        ledger.prefer("search.limit", 50)
    with acting_as("ana"):
        assert ledger.preferences() == {"search.grid": {"size": "large"}, "search.limit": 25}
        ledger.prefer("search.limit", None)
        assert ledger.preferences() == {"search.grid": {"size": "large"}}
        assert ledger.forget_preferences() == 1
    with acting_as("ben"):
        assert ledger.preferences() == {"search.limit": 50}
    assert ledger.audit_trail() == []


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("Search", 1, "no name"), ("a b", 1, "no name"), ("x", object(), "JSON"), ("x", float("nan"), "JSON"),
     ("x", "y" * 5000, "at most 4,000")],
)  # fmt: skip
def test_what_is_no_preference_is_refused(ledger: Ledger, name: str, value: object, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        ledger.prefer(name, value)
    assert ledger.preferences() == {}


def test_there_is_an_end_to_preferences(ledger: Ledger) -> None:
    for number in range(200):
        ledger.prefer(f"p{number}", 1)
    with pytest.raises(SettingsError, match="at most 200"):
        ledger.prefer("one.more", 1)
    ledger.prefer("p7", 2)
    assert ledger.preferences()["p7"] == 2


def test_a_rating_takes_the_place_of_the_same_persons_last_one(ledger: Ledger) -> None:
    with acting_as("ana"):
        first = ledger.rate(KEY, A, "same", query={"terms": []}, asked_digest=B, score=0.9)
        again = ledger.rate(KEY, A, RatingVerdict.DIFFERENT, query={"terms": []}, asked_digest=B, score=0.9)
        other = ledger.rate(KEY, C, "same", query={"terms": []}, asked_digest=B, score=0.5, note="a crop")
    assert again.rating_id == first.rating_id and again.verdict is RatingVerdict.DIFFERENT
    with acting_as("ben"):
        theirs = ledger.rate(KEY, A, "same", query={"terms": []})
    assert sorted(item.rating_id for item in ledger.ratings()) == [again.rating_id, other.rating_id, theirs.rating_id]
    assert ledger.ratings(who="ben") == (theirs,)
    assert {item.digest for item in ledger.ratings(asked_key=KEY, who="ana")} == {A, C}
    ledger.rating_became_label(other.rating_id)
    assert [item.rating_id for item in ledger.ratings(labelled=True)] == [other.rating_id]
    with acting_as("ben"):
        assert ledger.withdraw_rating(KEY, C) is None
        assert ledger.withdraw_rating(KEY, A) == theirs
    assert {item.who for item in ledger.ratings()} == {"ana"}


def test_what_is_no_rating_is_refused(ledger: Ledger) -> None:
    with pytest.raises(UnknownNameError, match="rating"):
        ledger.rate(KEY, A, "perhaps", query={})
    with pytest.raises(SettingsError, match="64 hexadecimal"):
        ledger.rate(KEY, "../x", "same", query={})


def test_the_history_of_one_person_is_told_and_cleared_alone(ledger: Ledger) -> None:
    for who in ("ana", "ben", "ana"):
        with acting_as(who):
            ledger.record_search({"words": who}, by="likeness", results=1, seconds=0.1, most=10)
    assert [item.who for item in ledger.search_history(who="ana")] == ["ana", "ana"]
    with acting_as("ana"):
        assert ledger.clear_search_history("ana") == 2
    assert [item.who for item in ledger.search_history()] == ["ben"]
    assert ledger.audit_trail()[-1].details == {"searches": 2, "of": "ana"}
