"""Queries as values: what they hold, what they mean where nothing is said, and what makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.schemas import Tier
from deeplens_kit.search import ImageTerm, Query, SearchBy, SearchFilters, TextTerm
from deeplens_kit.search.query import term_of

PICTURE = ImageTerm(b"bytes")


def test_a_query_is_a_value() -> None:
    one = Query((PICTURE, TextTerm(" at  night ")), weights={"b": 1, "a": 2}, words="  red \n truck ")
    other = Query([PICTURE, TextTerm("at night")], weights=(("a", 2.0), ("b", 1.0)), words="red truck")  # type: ignore[arg-type]
    assert one == other
    assert hash(one) == hash(other)
    assert one.weights == (("a", 2.0), ("b", 1.0))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query((PICTURE,)), SearchBy.COPIES),
        (Query((ImageTerm(b"x", crop=(0, 0, 0.5, 1)),)), SearchBy.PARTS),
        (Query((PICTURE,), weights={"clip": 1}), SearchBy.LIKENESS),
        (Query((PICTURE,), "parts"), SearchBy.PARTS),  # type: ignore[arg-type]
        (Query((TextTerm("snow"),)), SearchBy.LIKENESS),
        (Query((PICTURE, ImageTerm(b"y", -0.5))), SearchBy.LIKENESS),
    ],
)
def test_by_what_it_is_answered_follows_from_what_is_asked(query: Query, expected: SearchBy) -> None:
    assert query.resolved_by is expected


def test_anything_but_a_term_is_a_picture() -> None:
    assert term_of(Path("a.png")) == ImageTerm(Path("a.png"))
    assert term_of(term := TextTerm("snow")) is term


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Query, "nothing to search for"),
        (lambda: Query((TextTerm("snow", -1),)), "Every weight is below 0"),
        (lambda: Query((PICTURE,), limit=0), "limit is 0"),
        (lambda: Query((PICTURE,), offset=-1), "offset is -1"),
        (lambda: Query((PICTURE,), offset=2**64), "from 0 to 1,000,000,000"),
        (lambda: ImageTerm(b"x", crop=(0, 0, 1)), "The crop is"),  # type: ignore[arg-type]
        (lambda: ImageTerm(b"x", crop="10%,10%,90%,90%"), "shares from 0 to 1"),  # type: ignore[arg-type]
        (lambda: Query(words="cat", filters=SearchFilters(tiers=(Tier.COPY,))), "give a picture"),
        (lambda: Query((PICTURE,), weights={"clip": -1}), "'clip' is -1"),
        (lambda: Query((PICTURE,), weights={"clip": float("nan")}), "'clip' is nan"),
        (lambda: Query((PICTURE,), weights={"clip": 0}), "every feature is 0"),
        (lambda: Query((PICTURE,), SearchBy.COPIES, {"clip": 1}), "weighs its evidence itself"),
        (lambda: Query((PICTURE, TextTerm("snow")), SearchBy.COPIES), "takes one picture"),
        (lambda: Query((PICTURE,) * 17), "at most 16"),
        (lambda: Query((PICTURE,), "nearness"), "nearness"),  # type: ignore[arg-type]
        (lambda: TextTerm("  "), "no words"),
        (lambda: TextTerm("a" * 1001), "at most 1,000"),
        (lambda: ImageTerm(b"", 0.0), "must not be 0"),
        (lambda: ImageTerm(b"", 1e308), "nor greater than 1,000,000"),
        (lambda: Query((PICTURE,), weights={"clip": 1e308}), "up to 1,000,000"),
        (lambda: ImageTerm(b"", crop=(0.5, 0, 0.5, 1)), "left less than right"),
        (lambda: ImageTerm(b"", crop=(0, 0, 1.2, 1)), "shares from 0 to 1"),
    ],
)
def test_what_makes_no_sense_is_refused(make: object, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make()  # type: ignore[operator]


def test_words_or_a_filter_are_enough() -> None:
    assert Query(words="truck").resolved_by is SearchBy.LIKENESS
    assert Query(filters=SearchFilters(min_bytes=1)).terms == ()
