"""Full text held against reading every text, and the words that people and paths are made of."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from deeplens_kit.errors import QueryError
from deeplens_kit.search import TextIndex
from deeplens_kit.search.text_segment import SegmentBuilder, TextSegment
from deeplens_kit.search.text_words import FIELD_END, PART_END, word_query, words_of
from deeplens_kit.search.vectors.digests import digest_bytes

Document = tuple[str, str, str]
"""What people say, names, metadata."""


def segment(documents: list[Document], first: int = 0, batch: int = 3) -> TextSegment:
    builder = SegmentBuilder()
    for start in range(0, len(documents), batch):
        part = documents[start : start + batch]
        names = pl.Series([hashlib.sha256(str(first + start + at).encode()).hexdigest() for at in range(len(part))])
        frame = pl.DataFrame(part, schema=["said", "names", "metadata"], orient="row")
        builder.add(digest_bytes(names), np.arange(len(part), dtype=np.uint64), frame)
    return builder.segment()


def index(documents: list[Document]) -> TextIndex:
    return TextIndex((segment(documents),), (np.arange(len(documents)),), len(documents))


def found(documents: list[str], words: str) -> list[int]:
    return index([("", text, "") for text in documents]).search(words)[0].tolist()


# --- Held against reading every text -------------------------------------------------------------------------

_WORDS = st.sampled_from(["red", "truck", "snow", "re", "trucks"])
_TEXT = st.lists(_WORDS, max_size=4).map(" ".join)
_DOCUMENTS = st.lists(st.tuples(_TEXT, st.lists(_TEXT, max_size=2).map(PART_END.join), _TEXT), min_size=1, max_size=8)
_TERM = st.one_of(_WORDS, st.lists(_WORDS, min_size=2, max_size=3).map(lambda words: f'"{" ".join(words)}"'),
                  st.sampled_from(["re*", "truck*", "s*"]))  # fmt: skip
_ASKED = st.tuples(st.lists(st.lists(_TERM, min_size=1, max_size=2), max_size=3), st.lists(_TERM, max_size=2)).filter(
    any
)


def holds(document: Document, term: str) -> bool:
    words = term.strip('"*').split()
    for part in PART_END.join(document).split(PART_END):
        given_words = part.split()
        for at in range(len(given_words) - len(words) + 1):
            row = given_words[at : at + len(words)]
            if row == words or (term.endswith("*") and row[-1].startswith(words[-1])):
                return True
    return False


@given(_DOCUMENTS, _ASKED)
@example_settings(max_examples=80)
def test_the_same_is_found_as_by_reading_every_text(
    documents: list[Document], asked: tuple[list[list[str]], list[str]]
) -> None:
    clauses, excluded = asked
    words = " ".join([" OR ".join(clause) for clause in clauses] + [f"-{term}" for term in excluded])
    expected = [
        at
        for at, document in enumerate(documents)
        if all(any(holds(document, term) for term in clause) for clause in clauses)
        and not any(holds(document, term) for term in excluded)
    ]
    positions, relevance = index(documents).search(words)
    assert positions.tolist() == expected
    assert relevance.dtype == np.float32 and ((relevance >= 0) & (relevance <= 1)).all()
    assert not clauses or (relevance > 0).all()
    wanted = np.arange(len(documents)) % 2 == 0
    assert index(documents).search(words, wanted)[0].tolist() == [at for at in expected if wanted[at]]


@given(_DOCUMENTS, _DOCUMENTS, st.sampled_from(["red", "truck*", '"red truck"', "snow OR red -re", "-snow"]))
@example_settings(max_examples=40)
def test_the_parts_that_it_is_kept_in_make_no_difference(
    some: list[Document], more: list[Document], words: str
) -> None:
    """Two segments, one of them with a document that is no longer true, and what they are joined to."""
    count = len(some) + len(more)
    whole = index([*some, *more]).search(words)
    gone = [*some, ("red truck snow re", "", "")]
    parts = segment(gone), segment(more, len(gone))
    positions = np.append(np.arange(len(some)), -1), np.arange(len(some), count)
    split = TextIndex(parts, positions, count).search(words)
    builder = SegmentBuilder()
    for part, owners in zip(parts, positions, strict=True):
        builder.add_segment(part, owners >= 0)
    joined = TextIndex((builder.segment(),), (np.arange(count),), count).search(words)
    for answer in (split, joined):
        assert answer[0].tolist() == whole[0].tolist()
        assert np.allclose(answer[1], whole[1], atol=1e-6)


# --- Words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("photos/2020-Holiday_IMG.0012.JPG", ["photos", "2020", "holiday", "img", "0012", "jpg"]),
        ("myHolidayPhoto JPEGImage", ["my", "holiday", "photo", "jpeg", "image"]),
        ("Café Ångström ﬁsh Ⅳ", ["cafe", "angstrom", "fish", "iv"]),
        ("Cafe\u0301", ["cafe"]),
        ("雪の中", ["雪", "の", "中"]),
        ("ガ", ["ガ"]),
        ("Снег İstanbul", ["снег", "istanbul"]),
        ("हिन्दी", ["हिन्दी"]),
        ("— & ()", []),
        ("", []),
    ],
)
def test_words_are_spelt_in_one_way(text: str, words: list[str]) -> None:
    assert words_of(pl.Series([text]))[0].to_list() == words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("HOLIDAY", [0]), ("holiday photo", [0]), ("my-holiday", [0]), ("iphone", [1]), ("iPhone", [1]), ("phone", [1]),
        ("cafe", [2]), ("CAFÉ", [2]), ("雪", [3]), ("雪の", [3]), ("の雪", []), ("img_12*", [4]), ("img_2*", []),
        ('"red truck', [5]), ('"truck red"', []), ("OR red OR", [5]), ("or", [6]), ("-red -or -雪", [0, 1, 2, 4]),
    ],
)  # fmt: skip
def test_what_people_ask_finds_what_they_mean(words: str, expected: list[int]) -> None:
    texts = ["trips/myHolidayPhoto.jpg", "iPhone 12", "café.png", "雪の中.jpg", "IMG_1234.jpg", "a red truck", "and or"]
    assert found(texts, words) == expected


def test_a_phrase_does_not_run_from_one_path_into_the_next() -> None:
    assert found([f"a/red{PART_END}truck/b", "red/truck"], '"red truck"') == [1]


@pytest.mark.parametrize(
    "words",
    ['"', "'; DROP TABLE t; --", "NEAR(red truck)", "names:red", "red AND", "^red", "{said} : red", "*", "red)", "\x1f",
     f"red{FIELD_END}{PART_END}truck", "re" * 400, "-", "--red", "((((", "\ud800 red"],
)  # fmt: skip
def test_no_text_is_a_command(words: str) -> None:
    """It finds something, nothing, or is said to hold no word."""
    try:
        positions = found(["red truck", "near names and said"], words)
    except QueryError as error:
        assert "no word" in str(error)
        return
    assert set(positions) <= {0, 1}


@pytest.mark.parametrize(("words", "said"), [("", "no word"), (" -- & ", "no word"), ("a " * 40, "More than 32"),
                                             ("a" * 1001, "1,000")])  # fmt: skip
def test_what_cannot_be_asked_is_told(words: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        word_query(words)


def test_rare_words_and_those_that_people_say_count_for_more() -> None:
    documents = [("", "snow", "x y"), ("snow", "", "x y"), ("", "", "snow y"), ("", "fog", "x y"), ("", "a b", "x y")]
    positions, relevance = index(documents).search("snow")
    assert positions[np.argsort(-relevance)].tolist() == [1, 0, 2]
    _, either = index(documents).search("fog OR snow")
    assert either[np.argmax(positions == 3)] >= 0 and index(documents).search("fog OR y")[1].argmax() == 3


def test_nothing_is_found_in_nothing() -> None:
    empty = TextIndex((), (), 0)
    assert [part.tolist() for part in empty.search("red")] == [[], []]
    assert (
        len(segment([])) == 0 and TextIndex((segment([]),), (np.zeros(0, np.int64),), 0).search("a*")[0].tolist() == []
    )


def test_what_is_tagged_with_a_word_comes_before_what_is_merely_named_so() -> None:
    said = "coffee\na cup of coffee on a wooden table, for the autumn brochure, chosen by the editors"
    tagged = (said, "coffee png", "")
    named = [("", f"coffee {number} jpg", "") for number in range(20)]
    positions, relevance = index([*named, tagged]).search("coffee")
    assert len(positions) == 21
    assert relevance[-1] > relevance[:-1].max()
