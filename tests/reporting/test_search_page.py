"""The page of a search: what was asked and found, with reasons, places and regions; one file that asks for nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
import skimage.data
from PIL import Image

from deeplens_kit.decode import encode_thumbnail
from deeplens_kit.pipeline.searching import SearchAnswer
from deeplens_kit.reporting.search_page import render_search_page
from deeplens_kit.reporting.search_view import SearchView, describe_search
from deeplens_kit.schemas import SEARCH_FACETS, SEARCH_PARTS, SEARCH_PLACES, SEARCH_RESULTS
from deeplens_kit.search import ImageTerm, Query, SearchBy, TextTerm

CUP, CAT, ROCKET = "a" * 64, "b" * 64, "c" * 64
EVIL = "evil/<script>alert(1)</script>.jpg"
NOTE = "Folders were left out."
MADE_AT = datetime(2026, 3, 9, 6, 0, tzinfo=UTC)
QUERY = Query(
    (
        ImageTerm("share:cup.png", 0.7, (0.1, 0.2, 0.6, 0.9)),
        ImageTerm(b"bytes", name="mine & <b>yours</b>.png"),
        TextTerm("at night", 0.3),
        TextTerm("snow", -0.5),
    ),
    weights={"clip": 2, "colour": 1},
    words="holiday",
    offset=20,
)


@pytest.fixture(scope="module")
def thumbnails() -> Mapping[str, bytes]:
    pictures = {CUP: skimage.data.coffee(), CAT: skimage.data.chelsea()}
    return {
        digest: encode_thumbnail(np.asarray(Image.fromarray(picture).resize((300, 200))), 300)
        for digest, picture in pictures.items()
    }


def _row(rank: int, digest: str, path: str, **values: object) -> dict[str, object]:
    row: dict[str, object] = {
        "rank": rank, "digest": digest, "score": 0.82, "tier": "scene", "why": "alike under clip and colour",
        "objects": 1, "location": "share", "path": path, "size_bytes": 1_500_000, "width_px": 1200, "height_px": 800,
        "format": "JPEG",
    }  # fmt: skip
    return {**dict.fromkeys(SEARCH_RESULTS.names), **row, **values}


@pytest.fixture(scope="module")
def answer() -> SearchAnswer:
    rows = [
        _row(21, CUP, "photos/cup.png", score=1.0, tier="bytes", saves_bytes=2_000_000, camera="Nikon D5",
             taken_at=datetime(2024, 5, 6, 7, 8)),
        _row(22, CAT, EVIL, relation="composite", region_found=[0.1, 0.2, 0.5, 0.6], region_asked=[0.0, 0.0, 1.0, 1.0]),
        _row(23, ROCKET, "rocket.tif", saves_bytes=0),
    ]  # fmt: skip
    places = [(CUP, "share", "photos/cup.png"), (CUP, "Shop & <Web>", "cup.png"), (CAT, "share", EVIL)]
    places += [(ROCKET, "share", f"copies/rocket {number}.tif") for number in range(20)]
    parts = [(CUP, 0, "clip", 0.9, 0.9, 0.4), (CUP, 2, "clip", 0.7, 0.6, 0.3), (CUP, 3, "clip", 0.2, 0.1, -0.3)]
    facets = [("format", "JPEG", 12), ("format", "PNG", 30), *(("camera", f"Camera {at}", at) for at in range(1, 15))]
    return SearchAnswer(
        results=SEARCH_RESULTS.check(pl.DataFrame(rows, schema=SEARCH_RESULTS.polars)),
        places=SEARCH_PLACES.check(
            pl.DataFrame(
                [(*place, 100, None, str(at)) for at, place in enumerate(places)],
                schema=SEARCH_PLACES.polars,
                orient="row",
            )
        ),
        query={"name": "cup.png", "digest": CUP},
        searched=1_234,
        found=60,
        found_all=False,
        current=True,
        missing=(),
        seconds=0.0123,
        parts=SEARCH_PARTS.check(pl.DataFrame(parts, schema=SEARCH_PARTS.polars, orient="row")),
        facets=SEARCH_FACETS.check(pl.DataFrame(facets, schema=SEARCH_FACETS.polars, orient="row")),
        by=SearchBy.LIKENESS,
        offset=20,
        terms=(
            {"kind": "picture", "name": "share:cup.png", "digest": CUP},
            {"kind": "picture", "name": "mine & <b>yours</b>.png", "digest": CAT},
            {"kind": "words", "name": "“at night”", "digest": None},
            {"kind": "words", "name": "“snow”", "digest": None},
        ),
    )


def view_of(answer: SearchAnswer, query: Query = QUERY, **values: object) -> SearchView:
    return describe_search(
        query,
        answer,
        workspace="team <1>",
        made_at=MADE_AT,
        version="1.2.3",
        notes=["Folders were left out."],
        **values,
    )  # type: ignore[arg-type]


def page_of(view: SearchView, thumbnails: Mapping[str, bytes]) -> str:
    asked = {0: thumbnails[CUP], 1: thumbnails[CAT]}
    return b"".join(render_search_page(view, thumbnails.get, asked.get)).decode()


def test_the_view_says_what_was_asked_and_found(answer: SearchAnswer) -> None:
    view = view_of(answer)
    assert view.heading == "At least 60 pictures are like what was asked for"
    assert (view.by, view.words, view.weights) == ("likeness", "holiday", ("clip × 2", "colour × 1"))
    cup, mine, night, snow = view.terms
    assert (cup.name, cup.weight, cup.crop_says) == ("share:cup.png", "× 0.7", "10–60 % across, 20–90 % down")
    assert cup.crop is not None and (cup.crop.left_percent, cup.crop.height_percent) == (10.0, 70.0)
    assert (mine.is_picture, mine.weight, night.name, night.is_picture) == (True, "", "at night", False)
    assert (night.is_unlike, snow.is_unlike, snow.weight) == (False, True, "× 0.5")
    assert view.seconds == "12 ms"


def test_a_result_says_why_and_where(answer: SearchAnswer) -> None:
    first, second, third = view_of(answer).results
    assert first.facts == ("1,200 × 800 px, JPEG, 1.50 MB", "taken 6 May 2024, 07:08, Nikon D5")
    assert [(place.location, place.folder, place.name) for place in first.places] == [
        ("share", "photos/", "cup.png"),
        ("Shop & <Web>", "", "cup.png"),
    ]
    assert [(part.term, part.feature, round(part.weight, 1)) for part in first.parts] == [
        ("share:cup.png", "clip", 0.4),
        ("at night", "clip", 0.3),
        ("snow", "clip", -0.3),
    ]
    (region,) = second.regions
    assert (region.left_percent, region.width_percent) == (10.0, 40.0)
    # Likeness is no evidence for a copy, nor against one; only the very bytes are certain.
    assert (first.tier, first.says, second.tier, second.says) == ("bytes", "Byte for byte the same", "", "")
    assert (len(third.places), third.hidden_places, third.saves_bytes) == (6, 15, 0)


def test_tiers_are_told_by_the_searches_that_find_them(answer: SearchAnswer) -> None:
    second = view_of(replace(answer, by=SearchBy.COPIES)).results[1]
    assert (second.tier, second.says) == ("scene", "Alike, not a copy: never counted as a saving")
    second = view_of(replace(answer, by=SearchBy.PARTS)).results[1]
    assert (second.tier, second.says) == ("scene", "")


def test_what_results_show_of_the_picture_asked_for_is_drawn_once(
    answer: SearchAnswer, thumbnails: Mapping[str, bytes]
) -> None:
    corner, elsewhere = [0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]
    near = [0.02, 0.0, 0.51, 0.5]
    asked = pl.Series("region_asked", [corner, near, elsewhere], SEARCH_RESULTS.polars["region_asked"])
    view = view_of(
        replace(answer, by=SearchBy.PARTS, results=answer.results.with_columns(asked)),
        Query((ImageTerm("share:cup.png"),), by=SearchBy.PARTS),
    )
    (term,) = view.terms
    assert [(rank, region.left_percent) for rank, region in term.regions] == [(21, 0.0), (23, 50.0)]
    html = page_of(view, thumbnails)
    assert re.search(r'href="#result-23" aria-label="Result 23: [^"]*matches rocket.tif"', html)


def test_what_has_no_room_is_counted(answer: SearchAnswer) -> None:
    view = view_of(answer, max_results=1)
    assert (len(view.results), view.results_in_answer) == (1, 3)
    camera, form = sorted(view.facets, key=lambda facet: facet.name)
    assert (camera.values[0], camera.hidden) == (("Camera 14", 14), 4)
    assert form.values == (("PNG", 30), ("JPEG", 12))


def test_the_page_shows_it_and_hostile_names_stay_text(answer: SearchAnswer, thumbnails: Mapping[str, bytes]) -> None:
    html = page_of(view_of(answer), thumbnails)
    assert "<script" not in html and "<b>yours" not in html
    words = re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", "", html, flags=re.DOTALL))
    for text in (
        "At least 60 pictures are like what was asked for",
        "1,234 pictures were compared in 12 ms.",
        "Folders were left out.",
        "Showing 21 to 23 of at least 60.",
        "mine &amp; &lt;b&gt;yours&lt;/b&gt;.png",
        "with the words holiday",
        "Deduplicating it would save 2.00 MB",
        "&lt;script&gt;alert(1)&lt;/script&gt;.jpg",
        "clip with at night0.600 &times; 0.30",
        "clip with snow0.100 &times; &minus;0.30",
        "and 15 more places",
    ):
        assert text in words, text
    assert html.count('class="region"') == 2
    # The picture asked for, the one that was uploaded, and two of three results; of the third there is no preview.
    assert html.count("data:image/webp;base64,") == 4
    assert html.count("No preview") == 1


def test_the_page_asks_for_nothing(answer: SearchAnswer, thumbnails: Mapping[str, bytes]) -> None:
    html = page_of(view_of(answer), thumbnails)
    assert "default-src 'none'" in html
    for name, value in re.findall(r'\b(src|href|srcset|action)="([^"]*)"', html):
        assert value.startswith(("data:", "#")), f"{name}={value[:80]}"
    assert "url(" not in html and "@import" not in html and not re.search(r"\son[a-z]+=", html)


def test_an_answer_from_the_cache_and_an_empty_one_say_so(
    answer: SearchAnswer, thumbnails: Mapping[str, bytes]
) -> None:
    kept = page_of(view_of(replace(answer, cached=True)), thumbnails)
    assert "from an answer that was kept" in kept
    empty = replace(answer, results=SEARCH_RESULTS.empty(), places=SEARCH_PLACES.empty(), found=0, offset=0)
    html = page_of(view_of(empty, Query((TextTerm("x"),))), thumbnails)
    assert "<h1>Nothing found</h1>" in html and "None of the 1,234 pictures" in html
