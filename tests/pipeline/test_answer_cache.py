"""Answers of searches are given again as long as nothing has changed, and only to the same question."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import polars as pl
import pytest
import redis
import skimage.data
from PIL import Image

from deeplens_kit.errors import CredentialMissingError, SettingsError
from deeplens_kit.pipeline import SearchAnswer, Searcher, Workspace, add_location, index, searching
from deeplens_kit.pipeline.answer_cache import AnswerCache
from deeplens_kit.pipeline.search_library import held_state
from deeplens_kit.schemas import PAIRS
from deeplens_kit.search import SearchFilters
from deeplens_kit.settings import FeatureSettings, SearchSettings
from tests.servers.redis import RedisServer

FEATURES = FeatureSettings(enabled=("phash", "pdq"))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    folder = tmp_path_factory.mktemp("indexed")
    (folder / "pictures").mkdir()
    Image.fromarray(skimage.data.coffee()).save(folder / "pictures" / "cup.png")
    Image.fromarray(skimage.data.coffee()).save(folder / "pictures" / "cup.jpg", quality=90)
    with Workspace.create(folder / "workspace") as made:
        made.settings = replace(made.settings, features=FEATURES)
        add_location(made, "pics", str(folder / "pictures"))
        index(made)
    return folder / "workspace"


@pytest.fixture
def workspace(indexed: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(indexed, tmp_path / "workspace")
    with Workspace.open(tmp_path / "workspace") as opened:
        opened.settings = replace(opened.settings, features=FEATURES)
        yield opened


def _set(workspace: Workspace, **values: object) -> None:
    workspace.settings = replace(workspace.settings, search=SearchSettings(**values))  # type: ignore[arg-type]


def _same(one: SearchAnswer, other: SearchAnswer) -> bool:
    """Equal but for how long it took and whether it was kept."""
    for item in fields(SearchAnswer):
        first, second = getattr(one, item.name), getattr(other, item.name)
        if isinstance(first, pl.DataFrame):
            if not first.equals(second) or first.schema != second.schema:
                return False
        elif item.name not in ("seconds", "cached") and first != second:
            return False
    return True


def test_the_same_question_is_answered_from_the_cache_until_something_changes(workspace: Workspace) -> None:
    searcher = Searcher(workspace)
    first = searcher.search("pics:cup.png")
    again = searcher.search("pics:cup.png")
    assert (first.cached, again.cached) == (False, True)
    assert _same(first, again) and first.results.height == 2
    assert again.seconds != first.seconds
    assert not searcher.search("pics:cup.png", limit=1).cached
    assert not searcher.search("pics:cup.png", filters=SearchFilters(formats=("JPEG",))).cached
    folder = Path(workspace.ledger.location("pics").url.removeprefix("file://"))
    Image.fromarray(skimage.data.coffee()).save(folder / "third.webp")
    index(workspace)
    changed = searcher.search("pics:cup.png")
    assert not changed.cached and changed.results.height == 3


def test_an_answer_that_ended_early_is_not_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says to search again."""
    whole = searching.found_by
    monkeypatch.setattr(searching, "found_by", lambda *given: replace(whole(*given), is_final=False))
    searcher = Searcher(workspace)
    assert not searcher.search("pics:cup.png").is_final
    monkeypatch.setattr(searching, "found_by", whole)
    again = searcher.search("pics:cup.png")
    assert again.is_final and not again.cached
    assert searcher.search("pics:cup.png").cached


def test_a_file_whose_content_changed_is_another_question(workspace: Workspace, tmp_path: Path) -> None:
    searcher, asked = Searcher(workspace), tmp_path / "asked.png"
    Image.fromarray(skimage.data.coffee()).save(asked)
    assert searcher.search(asked).results.height == 2
    assert searcher.search(asked).cached
    Image.fromarray(skimage.data.astronaut()).save(asked)
    other = searcher.search(asked)
    assert not other.cached and other.results.is_empty()


def test_none_is_kept_where_none_is_wanted(workspace: Workspace) -> None:
    _set(workspace, result_cache="")
    searcher = Searcher(workspace)
    searcher.search("pics:cup.png")
    assert not searcher.search("pics:cup.png").cached


def test_workers_share_a_redis_and_its_password_comes_by_reference(
    workspace: Workspace, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.acl_setuser(
            "worker", enabled=True, passwords=["+word: @/%"], categories=["+@all"], keys=["*"], reset=True
        )
    _set(workspace, result_cache=f"redis://worker:${{CACHE_WORD}}@{redis_server.host}:{redis_server.port}/0")
    with pytest.raises(CredentialMissingError, match="CACHE_WORD"):
        Searcher(workspace).search("pics:cup.png")
    monkeypatch.setenv("CACHE_WORD", "word: @/%")
    first, second = (Searcher(workspace).search("pics:cup.png") for _ in range(2))
    assert (first.cached, second.cached) == (False, True)
    assert _same(first, second)


def test_a_redis_that_is_not_there_or_holds_garbage_costs_no_answer(
    workspace: Workspace, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    _set(workspace, result_cache=redis_server.url)
    first = Searcher(workspace).search("pics:cup.png")
    with redis.Redis.from_url(redis_server.url) as client:
        for key in client.scan_iter("deeplens:*:answer:*"):
            client.set(key, b"garbage")
    with caplog.at_level(logging.WARNING):
        assert _same(Searcher(workspace).search("pics:cup.png"), first)
        assert "something else than an answer" in caplog.text
        _set(workspace, result_cache="redis://127.0.0.1:1/0")
        assert _same(Searcher(workspace).search("pics:cup.png"), first)
        assert "searching without it" in caplog.text


def test_whatever_an_answer_depends_on_is_in_its_key(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = AnswerCache(workspace)
    key = cache.key("asked", (1, 2), ["x.png"])
    assert key is not None and key == cache.key("asked", (1, 2), ["x.png"])
    others = [
        cache.key("other", (1, 2), ["x.png"]),
        cache.key("asked", (1, 3), ["x.png"]),
        cache.key("asked", (1, 2), ["y.png"]),
        cache.key("asked", (1, 2), ["x.png", "clip was not used."]),
    ]
    monkeypatch.setattr("deeplens_kit.__version__", "99")
    others.append(cache.key("asked", (1, 2), ["x.png"]))
    assert len({key, *others}) == 1 + len(others)


def test_groups_that_change_make_another_answer(workspace: Workspace) -> None:
    before = held_state(workspace)
    workspace.catalog.replace_pairs(PAIRS.empty(), "another rule")
    assert held_state(workspace) != before


@pytest.mark.parametrize("address", ["disk", "memcached://host", "redis:host"])
def test_a_cache_that_does_not_exist_is_refused_with_those_that_do(address: str) -> None:
    with pytest.raises(SettingsError, match="'memory', or the URL of a Redis server"):
        SearchSettings(result_cache=address)
