"""What every result cache does, in memory and in a real Redis; a Redis that fails is a cache that is empty."""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import redis

from deeplens_kit.errors import SettingsError
from deeplens_kit.search.result_cache import CacheLimits, ResultCache, open_result_cache, pack, unpack
from deeplens_kit.search.result_cache.memory import MemoryCache
from deeplens_kit.search.result_cache.redis import REST_SECONDS, WAIT_SECONDS, RedisCache
from tests.servers.redis import RedisServer
from tests.servers.redis import running as redis_running

LIMITS = CacheLimits(seconds=60.0, max_entries=3, max_bytes=100)


class CacheConformance(ABC):
    """Inherited once per kind."""

    @abstractmethod
    def made(self, limits: CacheLimits) -> ResultCache:
        """A cache with nothing in it."""

    @pytest.fixture
    def cache(self) -> Iterator[ResultCache]:
        made = self.made(LIMITS)
        yield made
        made.close()

    def test_what_was_put_is_given_until_it_is_put_anew(self, cache: ResultCache) -> None:
        assert cache.get("a") is None
        cache.put("a", b"\x00\xff one")
        assert cache.get("a") == b"\x00\xff one"
        cache.put("a", b"")
        assert cache.get("a") == b""

    def test_of_too_many_the_least_recently_used_goes(self, cache: ResultCache) -> None:
        for name in "abc":
            cache.put(name, name.encode())
        assert cache.get("a") == b"a"
        cache.put("d", b"d")
        assert [cache.get(name) for name in "abcd"] == [b"a", None, b"c", b"d"]

    def test_of_too_much_the_least_recently_used_goes(self, cache: ResultCache) -> None:
        cache.put("a", bytes(60))
        cache.put("b", bytes(40))
        assert cache.get("a") == bytes(60)
        cache.put("c", bytes(1))
        assert [cache.get(name) is None for name in "abc"] == [False, True, False]

    def test_what_has_no_room_by_itself_is_not_kept_and_takes_no_room(self, cache: ResultCache) -> None:
        cache.put("a", bytes(100))
        assert cache.get("a") == bytes(100)
        cache.put("b", bytes(101))
        assert [cache.get(name) is None for name in "ab"] == [False, True]
        cache.put("a", bytes(101))
        assert cache.get("a") is None
        for name in "abc":
            cache.put(name, bytes(33))
        assert all(cache.get(name) is not None for name in "abc")

    def test_everything_is_forgotten_when_asked(self, cache: ResultCache) -> None:
        cache.put("a", bytes(90))
        cache.clear()
        assert cache.get("a") is None
        cache.put("b", bytes(90))
        assert cache.get("b") == bytes(90)

    def test_its_time_is_over(self) -> None:
        cache = self.made(replace(LIMITS, seconds=0.05))
        cache.put("a", bytes(100))
        deadline = time.monotonic() + 10
        while cache.get("a") is not None:
            assert time.monotonic() < deadline
        cache.close()

    def test_threads_share_it(self, cache: ResultCache) -> None:
        wrong: list[bytes] = []

        def work(name: str) -> None:
            for _ in range(20):
                cache.put(name, name.encode())
                found = cache.get(name)
                if found not in (name.encode(), None):
                    wrong.append(found or b"")

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcdef"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class TestMemory(CacheConformance):
    def made(self, limits: CacheLimits) -> ResultCache:
        return MemoryCache(limits)


class TestRedis(CacheConformance):
    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.url = redis_server.url

    def made(self, limits: CacheLimits) -> ResultCache:
        return RedisCache(self.url, secrets.token_hex(8), limits)

    def test_workers_share_it_and_workspaces_do_not(self) -> None:
        namespace = secrets.token_hex(8)
        one, other, elsewhere = (RedisCache(self.url, name, LIMITS) for name in (namespace, namespace, namespace + "x"))
        one.put("a", b"one")
        assert other.get("a") == b"one"
        assert elsewhere.get("a") is None
        elsewhere.put("a", b"else")
        elsewhere.clear()
        assert one.get("a") == b"one"
        for cache in (one, other, elsewhere):
            cache.close()

    def test_nothing_stays_on_the_server_when_the_time_is_over(self) -> None:
        namespace = secrets.token_hex(8)
        cache = RedisCache(self.url, namespace, replace(LIMITS, seconds=0.05))
        cache.put("a", b"one")
        with redis.Redis.from_url(self.url) as client:
            deadline = time.monotonic() + 10
            while client.keys(f"*{namespace}*"):
                assert time.monotonic() < deadline
        cache.close()

    def test_what_is_not_ours_is_passed_over_and_told_once(self, caplog: pytest.LogCaptureFixture) -> None:
        namespace = secrets.token_hex(8)
        cache = RedisCache(self.url, namespace, LIMITS)
        cache.put("a", b"one")
        with redis.Redis.from_url(self.url) as client:
            (key,) = client.keys(f"*{namespace}*:answer:a")
            client.set(key, bytes(101))
            assert cache.get("a") is None
            client.delete(key)
            client.rpush(key, "a list")
            with caplog.at_level(logging.WARNING):
                assert [cache.get("a"), cache.get("a")] == [None, None]
            assert len([line for line in caplog.messages if "result cache not used" in line]) == 1
        cache.put("a", b"two")
        assert cache.get("a") == b"two"
        cache.close()


def test_a_redis_that_goes_is_told_once_left_alone_and_found_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    with redis_running(tmp_path) as server, caplog.at_level(logging.WARNING):
        cache = RedisCache(server.url, "here", LIMITS, clock=lambda: now)
        cache.put("a", b"one")
        assert cache.get("a") == b"one"
        server.kill()
        for _ in range(3):
            assert cache.get("a") is None
            cache.put("a", b"one")
        assert len([line for line in caplog.messages if "result cache not used" in line]) == 1
        server.restart()
        # Left alone until its rest is over.
        cache.put("a", b"two")
        now = REST_SECONDS
        assert cache.get("a") is None
        cache.put("a", b"two")
        assert cache.get("a") == b"two"
        cache.close()


def test_a_server_that_is_silent_holds_up_one_search_for_a_moment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cache = RedisCache(f"redis://:hidden-word@127.0.0.1:{silent.getsockname()[1]}/0", "here", LIMITS)
        started = time.monotonic()
        for _ in range(10):
            cache.put("a", b"one")
            assert cache.get("a") is None
        assert time.monotonic() - started < 5.0
        cache.close()


def test_a_server_that_goes_on_and_on_holds_up_one_search_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deeplens_kit.search.result_cache.redis.MOST_SECONDS", 0.4)
    ended = threading.Event()

    def drip(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.recv(1)
            client.sendall(b"$1000\r\n")
            # Each byte comes in time, all of them never do.
            while not ended.wait(WAIT_SECONDS / 5):
                client.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        cache = RedisCache(f"redis://127.0.0.1:{server.getsockname()[1]}/0", "here", LIMITS)
        started = time.monotonic()
        try:
            assert cache.get("a") is None and cache.get("a") is None
            assert time.monotonic() - started < 5.0
        finally:
            ended.set()
            thread.join()
            cache.close()


def test_a_cache_is_named_by_its_address() -> None:
    assert open_result_cache("", "here", LIMITS) is None
    assert isinstance(open_result_cache("memory", "here", LIMITS), MemoryCache)
    for address in ("memcached://host", "disk", "redis://host:port/0"):
        with pytest.raises(SettingsError, match="redis://"):
            open_result_cache(address, "here", LIMITS)


@dataclass(frozen=True, slots=True)
class Answer:
    rows: pl.DataFrame
    more: pl.DataFrame | None
    names: tuple[str, ...]
    facts: dict[str, object]
    at: datetime | None
    seconds: float


ANSWER = Answer(
    rows=pl.DataFrame({"digest": ["a", "ü"], "box": [[0.0, 0.5], None], "at": [datetime(2024, 5, 6), None]}),
    more=None,
    names=("one", "lone \udcff"),
    facts={"name": "x", "width_px": 3, "nested": (1, 2.5, None, True)},
    at=datetime(2024, 1, 2, 3, 4, 5),
    seconds=0.25,
)


def test_an_answer_comes_back_as_it_was() -> None:
    back = unpack(Answer, pack(ANSWER))
    assert back is not None
    assert back.rows.equals(ANSWER.rows) and back.rows.schema == ANSWER.rows.schema
    assert replace(back, rows=ANSWER.rows) == ANSWER
    empty = unpack(Answer, pack(replace(ANSWER, rows=ANSWER.rows.clear(), more=ANSWER.rows)))
    assert empty is not None and empty.rows.schema == ANSWER.rows.schema
    assert empty.more is not None and empty.more.equals(ANSWER.rows)


@dataclass(frozen=True, slots=True)
class _Later:
    rows: pl.DataFrame
    seconds: int


def test_bytes_that_are_no_such_answer_are_none() -> None:
    whole = pack(ANSWER)
    for garbage in (b"", b"garbage", whole[:-1], whole + b"x", whole[:60] + b"\x00" + whole[61:], b"\x80\x04K\x01."):
        assert unpack(Answer, garbage) is None
    assert unpack(_Later, whole) is None
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        pack(replace(ANSWER, facts={"x": object()}))
