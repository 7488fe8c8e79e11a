"""Equal samples: who is looked at, and that nothing but equal digests makes a pair of tier `pixels`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from matching_worlds import digest_of, pair, picture
from polars.testing import assert_frame_equal

from deeplens_kit.matching import PIXELS_SCORE, mark_pixels, worth_comparing
from deeplens_kit.matching.equal_samples import mark_sources
from deeplens_kit.matching.traits import picture_traits
from deeplens_kit.schemas import PAIRS, PICTURES

PNG = {"format": "PNG", "lossless": True, "jpeg_quality": None}


def chosen(left: Mapping[str, Any], right: Mapping[str, Any], **link: Any) -> bool:
    pictures = pl.DataFrame([picture("a", **left), picture("b", **right)], schema=PICTURES.polars)
    pairs = pl.DataFrame([pair("a", "b", **{"pdq": 0} | link)], schema=PAIRS.polars)
    found = worth_comparing(pairs, pictures).to_list()
    assert found in ([], sorted([digest_of("a"), digest_of("b")]))
    return bool(found)


@pytest.mark.parametrize(
    ("left", "right", "link", "expected"),
    [
        ({}, {}, {}, True),
        ({}, {}, {"pdq": 8}, True),
        ({}, {}, {"pdq": 9}, False),
        ({}, {}, {"pdq": None, "phash_distance": 2}, True),
        ({}, {}, {"pdq": None, "phash_distance": 3}, False),
        ({}, {}, {"pdq": None, "phash_distance": None}, False),
        ({}, {}, {"pdq": 9, "phash_distance": 0}, False),
        ({}, {}, {"orientation": 1}, False),
        ({}, {}, {"orientation": None}, True),
        ({}, {"width_px": 3999}, {}, False),
        ({"width_px": 3000, "height_px": 4000}, {}, {}, False),
        ({"frames": 3}, {}, {}, False),
        ({"has_icc": True}, {}, {}, False),
        ({}, {"jpeg_quality": 89}, {}, False),
        ({}, PNG, {}, True),
        (PNG, {"format": "TIFF", "lossless": True, "jpeg_quality": None}, {}, True),
        ({}, {"format": "WEBP", "jpeg_quality": None}, {}, False),
        ({"format": "WEBP", "jpeg_quality": None}, {"format": "WEBP", "jpeg_quality": None}, {}, True),
    ],
)
def test_only_pictures_that_may_have_equal_samples_are_decoded(
    left: Mapping[str, Any], right: Mapping[str, Any], link: Mapping[str, Any], expected: bool
) -> None:
    assert chosen(left, right, **link) is expected


def test_each_picture_is_named_once() -> None:
    pictures = pl.DataFrame([picture(name) for name in "abcd"], schema=PICTURES.polars)
    pairs = pl.DataFrame([pair("a", "b"), pair("a", "c"), pair("c", "d", 30)], schema=PAIRS.polars)
    assert worth_comparing(pairs, pictures).to_list() == sorted(map(digest_of, "abc"))


def test_equal_digests_alone_make_the_tier() -> None:
    pairs = pl.DataFrame(
        [
            pair("a", "b", tier="scene", relation="composite", score=0.1),
            pair("a", "c"),
            pair("c", "d"),
            pair("e", "f"),
            pair("a", "z"),
        ],
        schema=PAIRS.polars,
    )
    told = pl.DataFrame(
        {
            "digest": [digest_of(name) for name in "abcdef"],
            "samples": ["1-x", "1-x", "1-y", None, "", ""],
        }
    )
    marked = PAIRS.check(mark_pixels(pairs, told))
    first = marked.row(0, named=True)
    assert (first["tier"], first["relation"], first["score"]) == ("pixels", "whole", pytest.approx(PIXELS_SCORE))
    changed = ["tier", "relation", "score"]
    assert_frame_equal(marked.drop(changed), pairs.drop(changed))
    assert_frame_equal(marked[1:], pairs[1:])
    assert_frame_equal(mark_pixels(marked, told), marked)
    assert_frame_equal(mark_pixels(pairs, told.clear()), pairs)


def test_no_copy_scores_as_high() -> None:
    assert 0.999 < PIXELS_SCORE < 1


def test_a_lossless_file_is_worth_what_it_was_made_from() -> None:
    webp = {"format": "WEBP", "jpeg_quality": None}
    pictures = pl.DataFrame(
        [
            picture("jpeg", size_bytes=900),
            picture("optimised", size_bytes=800),
            picture("png", size_bytes=9_000, **PNG),
            picture("webp", size_bytes=700, **webp),
            picture("bmp", size_bytes=8_000, **PNG),
            picture("tiff", size_bytes=7_000, **PNG),
            picture("alone", size_bytes=6_000, **PNG),
        ],
        schema=PICTURES.polars,
    )
    same = [("jpeg", "optimised"), ("jpeg", "png"), ("optimised", "png"), ("webp", "bmp"), ("tiff", "alone")]
    rows = [pair(left, right, tier="pixels") for left, right in same] + [pair("jpeg", "alone")]
    marked = mark_sources(pictures, pl.DataFrame(rows, schema=PAIRS.polars))
    assert_frame_equal(marked.select(pictures.columns), pictures)
    assert marked.select("source_format", "source_quality", "source_bytes").rows() == [
        *[("JPEG", 90, 800)] * 3,
        *[("WEBP", None, 700)] * 2,
        *[(None, None, None)] * 2,
    ]
    # Codes and plans in two tones come through JPEG unchanged: which of the two was first nobody knows.
    plain = mark_sources(pictures.with_columns(dominant_tone=pl.lit(0.5, pl.Float32)), pl.DataFrame(rows, PAIRS.polars))
    assert plain["source_format"].null_count() == plain.height
    traits = picture_traits(marked)
    assert traits["lossless"].to_list() == [False] * 5 + [True] * 2
    assert traits["native"].to_list() == [True, True, False, True, False, True, True]
    assert traits["quality_class"][0] == traits["quality_class"][2]
    assert traits["density_class"][3] == traits["density_class"][4]
    assert traits["codec"].to_list()[2:5] == ["PNG", "WEBP", "PNG"]
