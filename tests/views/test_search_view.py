"""The page of search without a browser: what it says, and that a slow search holds nobody up."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime
from typing import Any

import param
import polars as pl
import pytest
from test_cards import HOSTILE, Reader

from deeplens_kit.errors import QueryError
from deeplens_kit.pipeline.searching import SearchAnswer
from deeplens_kit.schemas import SEARCH_PLACES, SEARCH_RESULTS
from deeplens_kit.search.query import Query
from deeplens_kit.storage.paths import display_path
from deeplens_kit.views.result_cards import result_card
from deeplens_kit.views.search_view import SearchView
from deeplens_kit.views.state.duplicates_state import Findings
from deeplens_kit.views.state.search_state import SearchState

DIGEST = "ab" * 32
FACETS = pl.DataFrame({"location": ["a"], "format": ["JPEG"], "pictures": [1]})


def row(path: str, **values: object) -> dict[str, Any]:
    return {
        "rank": 1,
        "digest": DIGEST,
        "score": 0.93,
        "tier": "copy",
        "pdq_distance": 4,
        "phash_distance": 0,
        "orientation": 0,
        "sscd_small": 0.9,
        "sscd": None,
        "why": "PDQ differs in 4 of 256 bits",
        "objects": 1,
        "location": "a",
        "path": path,
        "size_bytes": 2000,
        "width_px": 640,
        "height_px": 480,
        "format": "JPEG",
        "taken_at": datetime(2019, 5, 12, 8, 30),
        "camera": path,
    } | values


def place(path: str, location: str = "a") -> dict[str, Any]:
    return {
        "digest": DIGEST,
        "location": location,
        "path": path,
        "size_bytes": 2000,
        "modified_at": None,
        "object_id": f"{location}/{path}",
    }


def answer(paths: list[str], **values: Any) -> SearchAnswer:
    query = {"name": "q.jpg", "digest": "cd" * 32, "width_px": 9, "height_px": 8, "format": "JPEG", "size_bytes": 7}
    return SearchAnswer(
        **{
            "results": SEARCH_RESULTS.check(pl.DataFrame([row(paths[0])], schema=SEARCH_RESULTS.polars)),
            "places": SEARCH_PLACES.check(pl.DataFrame(list(map(place, paths)), schema=SEARCH_PLACES.polars)),
            "query": query | {"is_indexed": False},
            "searched": 5,
            "found": 1,
            "found_all": True,
            "current": True,
            "missing": (),
            "seconds": 0.0421,
            "terms": ({"kind": "picture", "name": "q.jpg", "digest": "cd" * 32, "weight": 1.0, "crop": None},),
            **values,
        }
    )


def view_of(search: Any) -> tuple[SearchState, SearchView]:
    def findings() -> Findings:
        raise AssertionError("nobody asked for groups")

    state = SearchState(search, FACETS)
    return state, SearchView(state, findings, lambda digest, side: f"/{digest}/{side}.webp")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_in_a_result(name: str) -> None:
    html = result_card(row(name), [place(name), place(name, name)], lambda *_: "x")
    reader = Reader(html)
    assert reader.open == []
    assert "script" not in reader.elements
    assert reader.elements.count("img") == 1
    assert not [attribute for attribute, _ in reader.attributes if attribute.startswith("on")]
    assert "".join(reader.texts).count(display_path(name.rpartition("/")[2])) >= 3
    for hidden in ("\n", "\u202e", "\ufdd0"):
        assert hidden not in html


def test_every_place_is_told_and_the_others_unfold() -> None:
    html = result_card(row("a.jpg"), [place(f"{n}.jpg") for n in range(4)], lambda *_: "x")
    assert "and 3 more places" in html
    assert [f"<bdi>{n}.jpg</bdi>" in html for n in range(4)] == [True] * 4
    many = result_card(row("a.jpg"), [place(f"{n}.jpg") for n in range(1000)], lambda *_: "x")
    assert "and 999 more places" in many
    assert "and 899 further ones" in many


def test_a_result_says_what_its_score_means_and_when_it_was_taken() -> None:
    said = " ".join(Reader(result_card(row("a.jpg", camera="Box 1"), [place("a.jpg")], lambda *_: "x")).texts)
    for words in ("0.930", "Strong evidence", "PDQ differs in 4", "640 × 480 px", "taken 12 May 2019, 08:30, Box 1"):
        assert words in said
    same = Reader(result_card(row("a.jpg", tier="bytes", score=1.0), [place("a.jpg")], lambda *_: "x")).texts
    assert "Byte for byte the same" in same


def test_what_limits_an_answer_is_said_beside_it() -> None:
    limits = {"current": False, "missing": ("sscd_small was not used.",), "found": 900, "found_all": False}
    state, view = view_of(lambda *_, **__: answer(["a.jpg"], **limits))
    state.ask(b"content", "q.jpg")
    state.run()
    html = view._results.html
    assert "run `deeplens index`" in html
    assert "sscd_small was not used." in html
    assert "The best 1 of at least 900 pictures" in html
    assert "5 pictures compared in 42 ms" in html


def test_a_slow_search_holds_nobody_up_and_shows_that_it_is_under_way() -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(*_: object, **__: object) -> SearchAnswer:
        started.set()
        assert go_on.wait(30)
        return answer(["a.jpg"])

    state, view = view_of(slow)

    async def visit() -> None:
        state.ask(b"content", "q.jpg")
        searching = asyncio.create_task(view._search())
        while not started.is_set():
            await asyncio.sleep(0)
        # The loop turns while the search waits.
        assert state.loading
        assert view._results.busy
        assert "Searching" in view._results.html
        go_on.set()
        await searching

    asyncio.run(visit())
    assert not state.loading
    assert "a.jpg" in view._results.html


def test_only_what_was_found_is_searched_for_again() -> None:
    asked: list[object] = []

    def search(query: Query, **_: object) -> SearchAnswer:
        asked.append(query.terms[0].image)  # type: ignore[union-attr]
        return answer(["holiday/a.jpg"])

    state, view = view_of(search)
    state.ask(b"content", "q.jpg")
    state.run()

    async def visit() -> None:
        for value in ("/etc/hostname", "a:a.jpg", "http://127.0.0.1/", "cd" * 32, "", DIGEST):
            view._results._handle_msg({"act": "again", "value": value})
        while state.asked is None or state.asked.name != "a.jpg":
            await asyncio.sleep(0)

    asyncio.run(visit())
    assert asked == [b"content", DIGEST]


def test_groups_that_are_read_anew_hold_nobody_up_nor_replace_what_came_meanwhile() -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow() -> Any:
        started.set()
        assert go_on.wait(30)

    state = SearchState(lambda *_, **__: answer(["a.jpg"]), FACETS)
    view = SearchView(state, slow, lambda *_: "x")

    async def visit() -> None:
        state.ask(b"content", "q.jpg")
        state.run()
        opening = asyncio.create_task(view._open_groups(DIGEST))
        while not started.is_set():
            await asyncio.sleep(0)
        state.clear()
        go_on.set()
        await opening

    asyncio.run(visit())
    assert "Have we got this picture?" in view._results.html


def test_the_answer_to_a_question_takes_the_focus_and_what_a_filter_changed_does_not() -> None:
    state, view = view_of(lambda *_, **__: answer(["a.jpg"], searched=int(100 * state.question.filters.min_score)))
    state.ask(b"content", "q.jpg")
    state.run()
    assert "data-focus" in view._results.html
    with param.parameterized.discard_events(state):
        state.narrow(min_score=0.5)
    state.run()
    assert "50 pictures compared" in view._results.html
    assert "data-focus" not in view._results.html
    state.ask(b"content", "q.jpg")
    state.run()
    assert "data-focus" in view._results.html


def test_a_picture_and_words_are_mixed_by_a_slider_and_nobody_is_asked_for_a_verdict_who_cannot_give_one() -> None:
    state, view = view_of(lambda *_, **__: answer(["a.jpg"]))
    state.ask(b"content", "q.jpg")
    state.run()
    assert 'id="balance"' not in view._asked.html
    state.change(shows="at night", balance=0.7)
    state.run()
    assert 'id="balance"' in view._asked.html and "70 % picture, 30 % words" in view._asked.html
    assert [term.weight for term in state.question.query().terms] == [0.7, pytest.approx(0.3)]
    assert "Is it?" not in view._results.html


def test_from_whatever_went_wrong_there_is_a_way_back() -> None:
    def broken(*_: object, **__: object) -> SearchAnswer:
        raise QueryError("no feature understands words")

    state, view = view_of(broken)
    state.change(shows="a red car")
    state.run()
    assert "no feature understands words" in view._results.html
    assert 'data-act="clear"' in view._asked.html


def test_where_words_alone_find_nothing_no_filter_is_blamed() -> None:
    state, view = view_of(
        lambda *_, **__: answer(["a.jpg"], results=SEARCH_RESULTS.empty(), places=SEARCH_PLACES.empty(), searched=0)
    )
    state.change(words="zeppelin")
    state.run()
    assert "No name or tag has these words" in view._results.html
    state.narrow(locations=("share",))
    state.run()
    assert "No picture fits the filters" in view._results.html


def test_a_result_is_called_by_the_score_that_it_shows() -> None:
    found = SEARCH_RESULTS.check(pl.DataFrame([row("a.jpg", score=0.9989)], schema=SEARCH_RESULTS.polars))
    state, view = view_of(lambda *_, **__: answer(["a.jpg"], results=found))
    state.ask(b"content", "q.jpg")
    state.run()
    assert ', score 0.998"' in view._results.html and "<b>0.998</b>" in view._results.html
