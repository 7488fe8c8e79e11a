"""A query comes back from JSON as it was; what is no query is refused with what is allowed."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.schemas import Tier
from deeplens_kit.search import ImageTerm, Query, SearchBy, SearchFilters, TextTerm, VectorTerm
from deeplens_kit.search.query_json import QUERY_VERSION, query_from_json, query_to_json
from deeplens_kit.search.query_words import query_words

_WEIGHTS = st.floats(-5, 5, allow_nan=False).filter(bool)
_SHARES = st.floats(0, 1)
_CROPS = st.tuples(_SHARES, _SHARES, _SHARES, _SHARES).filter(lambda box: box[0] < box[2] and box[1] < box[3])
_TEXTS = st.text(min_size=1, max_size=30).filter(lambda text: bool(text.split()))
_IMAGES = st.one_of(
    st.binary(max_size=40),
    _TEXTS.map(Path),
    st.sampled_from(
        ["a" * 64, "share:photos/a b.jpg", "https://example.org/a.jpg?size=2", "data:image/png;base64,AA=="]
    ),
    _TEXTS,
)
_TERMS = st.lists(
    st.one_of(
        st.builds(ImageTerm, _IMAGES, _WEIGHTS, st.none() | _CROPS, st.text(max_size=10)),
        st.builds(TextTerm, _TEXTS, _WEIGHTS),
        st.builds(VectorTerm, _TEXTS, st.lists(st.floats(-5, 5), max_size=3).map(lambda rest: [1, *rest]), _WEIGHTS),
    ),
    max_size=4,
).filter(lambda terms: not terms or any(term.weight > 0 for term in terms))
_FILTERS = partial(
    st.builds,
    SearchFilters,
    locations=st.lists(st.sampled_from(["share", "my laptop"]), unique=True).map(tuple),
    formats=st.sampled_from([(), ("JPEG",), ("PNG", "TIFF")]),
    min_bytes=st.integers(0, 100),
    max_bytes=st.none() | st.integers(100, 10**12),
    min_score=_SHARES,
)
_TIERS = st.sampled_from([(), (Tier.COPY,), (Tier.BYTES, Tier.SCENE)])
_QUERIES = partial(
    st.builds,
    Query,
    by=st.sampled_from([None, SearchBy.LIKENESS]),
    weights=st.dictionaries(st.sampled_from(["pdq", "clip", "colour"]), st.floats(0.1, 9), max_size=2),
    words=_TEXTS,
    limit=st.integers(1, 10_000),
    offset=st.integers(0, 10_000),
    allow_private=st.booleans(),
)


@settings(max_examples=50)
@given(_QUERIES(_TERMS.filter(bool).map(tuple), filters=_FILTERS(tiers=_TIERS)) | _QUERIES(filters=_FILTERS()))
def test_a_query_comes_back_as_it_was(query: Query) -> None:
    document = json.loads(json.dumps(query_to_json(query)))
    assert query_from_json(document) == query


def test_the_form_of_a_document() -> None:
    query = Query(
        (
            ImageTerm("share:a.jpg", 0.7, (0, 0, 0.5, 1)),
            ImageTerm(b"\x00\xff", name="upload.png"),
            ImageTerm(Path("/tmp/x.png")),
            ImageTerm("A" * 64),
            ImageTerm("https://example.org/b.jpg"),
            TextTerm("at night", -0.5),
        ),
        weights={"clip": 2, "colour": 1},
        filters=SearchFilters(formats=("JPEG",), tiers=("copy",)),  # type: ignore[arg-type]
        limit=5,
    )
    assert query_to_json(query) == {
        "version": 1,
        "terms": [
            {"image": {"text": "share:a.jpg"}, "weight": 0.7, "crop": [0.0, 0.0, 0.5, 1.0]},
            {"image": {"bytes": "AP8="}, "name": "upload.png"},
            {"image": {"path": "/tmp/x.png"}},
            {"image": {"digest": "A" * 64}},
            {"image": {"link": "https://example.org/b.jpg"}},
            {"text": "at night", "weight": -0.5},
        ],
        "weights": {"clip": 2.0, "colour": 1.0},
        "filters": {"formats": ["JPEG"], "tiers": ["copy"]},
        "limit": 5,
    }
    assert query_to_json(Query(words="a  b")) == {"version": 1, "terms": [], "words": "a b"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"word": "x"}, "no part of query named 'word'; did you mean 'words'"),
        ({"words": "x", "version": QUERY_VERSION + 1}, "install the one that wrote it"),
        ({"words": 3}, "words is 3; it must be a text"),
        ({"words": "x", "limit": "5"}, "limit is '5'; it must be a whole number"),
        ({"words": "x", "limit": True}, "limit is True; it must be a whole number"),
        ({"words": "x", "limit": 0}, "from 1 to 10,000"),
        ({"words": "x", "by": "colour"}, "no by named 'colour'"),
        ({"words": "x", "filters": {"format": ["JPEG"]}}, "did you mean 'formats'"),
        ({"words": "x", "filters": {"formats": "JPEG"}}, "filters.formats is 'JPEG'; it must be a list"),
        ({"words": "x", "filters": {"min_score": 2}}, "from 0 to 1"),
        ({"words": "x", "weights": {"pdq": "1"}}, "weights.pdq is '1'; it must be a number"),
        ({"terms": {}}, "terms is {}; it must be a list"),
        ({"terms": [{}]}, "either 'image', 'text' or 'vector'"),
        ({"terms": [{"vector": [0], "feature": "clip"}]}, "points nowhere"),
        ({"terms": [{"vector": [1]}]}, "not named"),
        ({"terms": [{"text": "x", "crop": [0, 0, 1, 1]}]}, "no part of terms\\[0\\] named 'crop'"),
        ({"terms": [{"image": {}}]}, "with one of 'bytes', 'digest', 'link'"),
        ({"terms": [{"image": {"url": "x"}}]}, "no part of terms\\[0\\].image named 'url'"),
        ({"terms": [{"image": {"bytes": "?"}}]}, "no base64"),
        ({"terms": [{"image": {"digest": "ab"}}]}, "64 hexadecimal digits"),
        ({"terms": [{"image": {"link": "x.jpg"}}]}, "http://"),
        ({"terms": [{"image": {"text": "x"}, "crop": [0, 0, 1]}]}, "has 3 items; it must have 4"),
        ({"terms": [{"image": {"text": "x"}, "weight": 0}]}, "must not be 0"),
        ({}, "nothing to search for"),
    ],
)
def test_what_is_no_query_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        query_from_json(document)


def test_a_misspelt_key_is_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError):
        query_from_json({"words": "x", "ofset": 1})


def test_a_query_in_words_shows_no_bytes_and_no_secret_of_a_link() -> None:
    query = Query(
        (
            ImageTerm("share:a.jpg", 0.5, (0.1, 0, 0.6, 0.5)),
            ImageTerm(b"secret", name=""),
            ImageTerm("https://anna:word@example.org:8443/b.jpg?token=word#word"),
            TextTerm("snow", -1),
        ),
        words="holiday",
        weights={"clip": 2},
    )
    assert query_words(query) == (
        "like share:a.jpg (10–60 % across, 0–50 % down) × 0.5, a picture of 6 bytes, https://example.org:8443/b.jpg; "
        'unlike "snow"; with the words holiday; by clip × 2'
    )
    assert query_words(Query((ImageTerm("AB" * 32), TextTerm("x")))) == 'like picture abababababab, "x"'
