"""A question as a value: what it asks, and that a link to it asks the same again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deeplens_kit.search import SearchFilters
from deeplens_kit.search.query import ImageTerm, Query, SearchBy, TextTerm
from deeplens_kit.views.state.question import Question, question_of_address, question_of_query

A = "ab" * 32
QUESTIONS = (
    Question(image=A, name="größe & co.jpg"),
    Question(image="https://pictures.example/a?b=c&d=e"),
    Question(shows="a red car in snow"),
    Question(words="beach 2019", limit=200),
    Question(image=A, shows="at night", balance=0.7),
    Question(image=A, crop=(0.1, 0.25, 0.5, 1.0)),
    Question(image=A, by="likeness", weights=(("colour", 0.5), ("edges", 2.0))),
    Question(filters=SearchFilters(locations=("a b", 'c"d'), formats=("JPEG",), min_score=0.25, max_bytes=10)),
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_link_asks_the_same_question(question: Question) -> None:
    assert question_of_address(question.address()) == (question, "")


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_query_asks_the_same_question(question: Question) -> None:
    found = question_of_query(question.query())
    assert found is not None
    mixed = replace(found, balance=question.balance) if not (question.image and question.shows) else found
    assert mixed == question


def test_an_upload_stands_in_its_link_by_digest_alone() -> None:
    asked = Question(image=b"bytes", digest=A, name="x.jpg")
    again, problem = question_of_address(asked.address())
    assert (again.image, again.digest, problem) == (A, A, "")
    assert again.address() == asked.address()


@pytest.mark.parametrize(
    "address",
    ["like=/etc/passwd", "like=https://x.example/a", "link=picture.jpg", "asked=../x", "where=size>", "crop=1,2",
     "crop=0,0,2,2", "balance=much", "weights=colour:much", "where=nothing=1", "a=1&" * 60],
)  # fmt: skip
def test_a_link_that_cannot_be_read_asks_nothing_and_says_so(address: str) -> None:
    question, problem = question_of_address(address)
    assert question.is_empty
    assert "cannot be read" in problem


def test_what_a_link_does_not_know_is_passed_over() -> None:
    assert question_of_address("utm=1&limit=7&by=magic&words=x") == (Question(words="x"), "")


def test_how_a_question_is_answered() -> None:
    assert Question(image=A).query().resolved_by is SearchBy.COPIES
    assert Question(image=A, crop=(0, 0, 0.5, 0.5)).query().resolved_by is SearchBy.PARTS
    mixed = Question(image=A, shows="night", balance=0.25).query()
    assert [term.weight for term in mixed.terms] == [0.25, 0.75]
    assert Question(image=A, shows="night", balance=1.0).query().terms == (ImageTerm(A),)
    assert Question(image=A, shows="night", balance=0.0).query().terms == (TextTerm("night"),)
    assert Question(image=A, shows="night", by="copies").query().by is None, "words cannot be copied"
    assert Question(words="x", by="copies").query().by is None
    assert Question().is_empty and not Question(image=A).is_empty
    assert Question(filters=SearchFilters(min_score=0.5)).is_empty
    assert Question(image=A).is_one_picture and not Question(image=A, shows="x").is_one_picture


@pytest.mark.parametrize(
    "query",
    [
        Query((ImageTerm(A), ImageTerm("cd" * 32))),
        Query((ImageTerm(A), TextTerm("snow", -1.0))),
        Query((ImageTerm(Path("/x/y.jpg")),)),
        Query((ImageTerm("share:a.jpg"),)),
        Query(words="x", offset=5),
    ],
)
def test_what_the_page_has_no_room_for_is_no_question(query: Query) -> None:
    assert question_of_query(query) is None


def test_values_of_facets_are_chosen_and_taken_back() -> None:
    question = Question(words="x")
    for facet, value in (
        ("location", "a"),
        ("location", "b"),
        ("format", "PNG"),
        ("year", "2019"),
        ("duplicates", "any"),
    ):
        question = question.narrowed(facet, value, on=True)
        assert question.has(facet, value)
    assert question.filters.locations == ("a", "b")
    question = question.narrowed("location", "a", on=False).narrowed("year", "2019", on=False)
    assert not question.has("location", "a") and question.has("location", "b") and not question.has("year", "2019")
    small = question.narrowed("size", "up to 100 kB", on=True)
    large = small.narrowed("size", "from 100 MB", on=True)
    assert small.has("size", "up to 100 kB") and not large.has("size", "up to 100 kB")
    assert large.has("size", "from 100 MB")
    assert large.narrowed("size", "from 100 MB", on=False).filters == question.filters
