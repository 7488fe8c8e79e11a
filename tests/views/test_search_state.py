"""What is asked and answered, without a widget; the answers are a real searcher's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import skimage.data
from PIL import Image

from deeplens_kit.errors import LinkRefusedError, QueryError
from deeplens_kit.pipeline import Workspace, add_location, index
from deeplens_kit.pipeline.searching import SearchAnswer, Searcher
from deeplens_kit.search import SearchFilters
from deeplens_kit.search.query import Query
from deeplens_kit.views.state.question import question_of_address
from deeplens_kit.views.state.search_state import UNEXPECTED, SearchState, originals_first


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A cat, two copies of it, and a cup; at two locations."""
    folder = tmp_path_factory.mktemp("library")
    cat, cup = Image.fromarray(skimage.data.chelsea()), Image.fromarray(skimage.data.coffee())
    for name in ("archive", "shop"):
        (folder / name).mkdir()
    cat.save(folder / "archive" / "cat.png")
    cat.save(folder / "shop" / "cat.jpg", quality=85)
    cat.resize((300, 200)).save(folder / "shop" / "small.jpg", quality=70)
    cup.save(folder / "shop" / "cup.png")
    with Workspace.create(folder / "workspace") as opened:
        for name in ("archive", "shop"):
            add_location(opened, name, str(folder / name))
        index(opened)
        yield opened


@pytest.fixture(scope="module")
def searcher(workspace: Workspace) -> Searcher:
    return Searcher(workspace)


def cat_again(quality: int = 60) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(skimage.data.chelsea()).resize((338, 225)).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def facet(state: SearchState, name: str) -> dict[str, int]:
    counted = state.facets.filter(pl.col("facet") == name)
    return dict(counted.select("value", "pictures").iter_rows())


def state_of(searcher: Searcher, **options: Any) -> SearchState:
    return SearchState(searcher.search, searcher.facets(), **options)


def test_a_picture_is_asked_for_and_answered(searcher: Searcher) -> None:
    state = state_of(searcher, preview=lambda content: content[:4])
    assert state.run() is None
    assert state.problem == ""
    state.ask(cat_again(), "cat.jpg")
    answer = state.run()
    assert answer is not None
    assert set(answer.results["path"]) == {"cat.png", "cat.jpg", "small.jpg"}
    assert state.answer is answer
    assert not state.loading
    assert state.problem == ""
    assert state.asked is not None
    assert (state.asked.name, state.preview) == ("cat.jpg", b"\xff\xd8\xff\xe0")


def test_filters_and_threshold_go_with_the_question_and_are_counted(searcher: Searcher) -> None:
    state = state_of(searcher)
    assert facet(state, "location") == {"archive": 1, "shop": 3}
    assert facet(state, "format") == {"JPEG": 2, "PNG": 2}
    state.ask(cat_again(), "cat.jpg")
    state.question = state.question.narrowed("location", "shop", on=True)
    assert set(state.run().results["path"]) == {"cat.jpg", "small.jpg"}  # type: ignore[union-attr]
    assert facet(state, "location") == {"archive": 1, "shop": 3}, "the others can still be chosen"
    assert facet(state, "format") == {"JPEG": 2, "PNG": 1}
    state.narrow(max_bytes=10_000)
    assert state.run().results["path"].to_list() == ["small.jpg"]  # type: ignore[union-attr]
    state.narrow(min_score=1.0)
    assert state.run().results.is_empty()  # type: ignore[union-attr]


def test_filters_alone_list_what_they_let_through(searcher: Searcher) -> None:
    state = state_of(searcher)
    state.question = state.question.narrowed("format", "PNG", on=True)
    assert set(state.run().results["path"]) == {"cat.png", "cup.png"}  # type: ignore[union-attr]
    state.question = state.question.narrowed("format", "PNG", on=False)
    assert state.run() is None
    assert state.asked is None


def test_filters_that_exclude_each_other_are_told_and_the_question_stays(searcher: Searcher) -> None:
    state = state_of(searcher)
    state.ask(cat_again(), "cat.jpg")
    state.run()
    state.narrow(min_bytes=1_000_000)
    state.narrow(max_bytes=10_000)
    assert "nothing fits" in state.problem
    state.narrow(min_bytes=0)
    assert state.run() is not None
    assert state.problem == ""


def test_what_is_wrong_with_the_picture_is_told(searcher: Searcher) -> None:
    state = state_of(searcher)
    state.ask(b"no picture", "story.jpg")
    assert state.run() is None
    assert "story.jpg" in state.problem
    assert state.answer is None
    assert not state.loading


def test_a_picture_above_the_limit_is_not_looked_at(searcher: Searcher) -> None:
    state = state_of(searcher, max_upload_bytes=1000)
    state.ask(cat_again(), "cat.jpg")
    state.run()
    assert "up to 1.00 kB can be uploaded" in state.problem


def test_a_link_is_fetched_once_and_then_its_bytes_are_asked_for(searcher: Searcher) -> None:
    fetched: list[str] = []

    def fetch(link: str) -> tuple[bytes, str]:
        fetched.append(link)
        return cat_again(), "cat from afar.jpg"

    state = state_of(searcher, fetch=fetch)
    state.ask(" https://pictures.example/cat.jpg ", "link")
    assert state.run() is not None
    state.narrow(min_score=0.5)
    assert state.run() is not None
    assert fetched == ["https://pictures.example/cat.jpg"]
    assert state.asked is not None
    assert state.asked.name == "cat from afar.jpg"


def test_a_refused_link_says_why(searcher: Searcher) -> None:
    def fetch(_link: str) -> tuple[bytes, str]:
        raise LinkRefusedError("The link is not followed.")

    state = state_of(searcher, fetch=fetch)
    state.ask("http://127.0.0.1/x.jpg", "link")
    state.run()
    assert state.problem == "The link is not followed."


def test_of_searches_that_overlap_the_last_begun_shows(searcher: Searcher) -> None:
    state = state_of(searcher)
    state.ask(cat_again(), "first.jpg")
    first = state.begin()
    state.ask(cat_again(70), "second.jpg")
    second = state.begin()
    assert state.finish(second, state.compute(second))
    assert not state.finish(first, state.compute(first))
    assert state.asked is not None
    assert state.asked.name == "second.jpg"


def test_a_picture_that_comes_while_the_page_counts_is_not_lost(searcher: Searcher) -> None:
    state = state_of(searcher)
    counting = state.begin()
    counted = state.compute(counting)
    state.ask(cat_again(), "cat.jpg")
    assert not state.finish(counting, counted)
    assert state.question.name == "cat.jpg"
    assert state.run() is not None


def test_what_was_overtaken_before_it_began_is_not_searched_for() -> None:
    asked: list[float] = []

    def search(query: Query, **_: object) -> SearchAnswer:
        asked.append(query.filters.min_score)
        raise QueryError("enough is known")

    state = SearchState(search)
    state.ask(b"content", "cat.jpg")
    requests = []
    for threshold in (0.1, 0.2, 0.3):
        state.narrow(min_score=threshold)
        requests.append(state.begin())
    for request in requests:
        state.finish(request, state.compute(request))
    assert asked == [0.3]
    assert state.problem == "enough is known"


def test_what_is_cleared_or_refused_meanwhile_stays_so(searcher: Searcher) -> None:
    state = state_of(searcher)
    for interrupt in (state.clear, lambda: state.refuse("Too large.", "x.jpg")):
        state.ask(cat_again(), "cat.jpg")
        request = state.begin()
        interrupt()
        assert not state.finish(request, state.compute(request))
        assert state.answer is None
        assert not state.loading
    assert state.problem == "Too large."


def test_a_defect_is_raised_and_said_calmly(searcher: Searcher) -> None:
    def broken(*_: object, **__: object) -> SearchAnswer:
        raise ZeroDivisionError

    state = SearchState(broken, searcher.facets())
    state.ask(cat_again(), "cat.jpg")
    with pytest.raises(ZeroDivisionError):
        state.run()
    assert state.problem == UNEXPECTED
    assert not state.loading


def test_an_empty_workspace_has_nothing_to_search(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "empty") as workspace:
        state = state_of(Searcher(workspace))
        assert not state.has_pictures
        state.ask(cat_again(), "cat.jpg")
        answer = state.run()
        assert answer is not None
        assert answer.results.is_empty()


def test_what_stays_comes_first_among_equals_and_only_among_them(searcher: Searcher) -> None:
    answer = searcher.search(cat_again(), filters=SearchFilters(), name="cat.jpg")
    scores = pl.Series("score", [0.998, 0.995, 0.7], pl.Float32)
    answer = SearchAnswer(
        **{name: getattr(answer, name) for name in SearchAnswer.__slots__ if name != "results"},
        results=answer.results.with_columns(scores),
    )
    in_order = answer.results["digest"].to_list()
    ids = {row["digest"]: row["object_id"] for row in answer.places.iter_rows(named=True)}
    second_stays = originals_first(answer, [ids[in_order[1]]]).results
    assert second_stays["digest"].to_list() == [in_order[1], in_order[0], in_order[2]]
    assert second_stays["stays"].to_list() == [True, False, False]
    assert second_stays["rank"].to_list() == [1, 2, 3]
    last_stays = originals_first(answer, [ids[in_order[2]]]).results
    assert last_stays["digest"].to_list() == in_order
    nobody = originals_first(answer, []).results
    assert nobody["digest"].to_list() == in_order


def test_the_very_file_is_before_what_stays(searcher: Searcher, workspace: Workspace) -> None:
    shop = workspace.kind_of(next(item for item in workspace.ledger.locations() if item.name == "shop"))
    content = shop.read("cat.jpg", expected=None, max_bytes=10**9)
    answer = searcher.search(content, name="cat.jpg")
    ids = answer.places.filter(pl.col("path") == "cat.png")["object_id"].to_list()
    results = originals_first(answer, ids).results
    assert results["tier"][0] == "bytes"
    assert results["path"].to_list()[:2] == ["cat.jpg", "cat.png"]


def test_a_text_that_is_neither_link_nor_digest_is_not_looked_up(searcher: Searcher) -> None:
    state = state_of(searcher)
    for text in ("/etc/hostname", "archive:cat.png", "cat.png"):
        state.ask(text, text)
        assert state.run() is None
        assert "no picture of this workspace, and no link" in state.problem


def test_what_was_kept_is_found_again_by_its_digest_and_what_is_gone_is_told(searcher: Searcher) -> None:
    kept: dict[str, bytes] = {}

    def keep(content: bytes) -> str:
        kept["ab" * 32] = content
        return "ab" * 32

    state = state_of(searcher, keep=keep, kept=kept.get)
    state.ask(cat_again(), "cat.jpg")
    assert state.run() is not None
    assert state.question.address() == f"asked={'ab' * 32}&name=cat.jpg"
    again = state_of(searcher, keep=keep, kept=kept.get)
    again.question = question_of_address(state.question.address())[0]
    assert again.run().results["path"].to_list() == state.answer.results["path"].to_list()  # type: ignore[union-attr]
    kept.clear()
    again.question = question_of_address(state.question.address())[0]
    assert again.run() is None
    assert "Give it again" in again.problem


def test_a_question_is_remembered_once_however_its_filters_move(searcher: Searcher) -> None:
    told: list[str] = []
    state = state_of(searcher, told=lambda query, _answer: told.append(query.words or query.terms[0].name))
    state.ask(cat_again(), "cat.jpg")
    for threshold in (0.0, 0.2, 0.4):
        state.narrow(min_score=threshold)
        state.run()
    state.clear()
    state.change(words="cup")
    state.run()
    assert told == ["cat.jpg", "cup"]


def test_only_results_are_selected_and_in_their_order(searcher: Searcher) -> None:
    state = state_of(searcher)
    state.select(["ab" * 32], on=True)
    assert state.selected == ()
    state.ask(cat_again(), "cat.jpg")
    state.run()
    digests = state.answer.results["digest"].to_list()
    state.select([digests[2], digests[0], "cd" * 32], on=True)
    assert state.selected == (digests[0], digests[2])
    state.narrow(locations=("shop",))
    state.run()
    assert set(state.selected) <= set(state.answer.results["digest"])
    state.select(state.selected, on=False)
    assert state.selected == ()
