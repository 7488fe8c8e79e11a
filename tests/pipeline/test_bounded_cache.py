"""Values that threads share: made once at a time, and never more of them than the limit."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.pipeline.bounded_cache import BoundedCache


def test_a_value_that_many_threads_want_at_once_is_made_by_one() -> None:
    cache: BoundedCache[bytes] = BoundedCache(1000, len)
    all_ask = threading.Barrier(4)
    made: list[str] = []

    def make() -> bytes:
        made.append("again")
        return b"value"

    def ask(_: int) -> bytes:
        all_ask.wait(30)
        return cache.get("a", make)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(4))) == [b"value"] * 4
    assert made == ["again"]


def test_what_is_held_is_given_without_being_made() -> None:
    cache: BoundedCache[bytes] = BoundedCache(1000, len)
    assert cache.held("a") is None
    made = cache.get("a", lambda: b"value")
    assert cache.held("a") is made


def test_other_keys_do_not_wait() -> None:
    cache: BoundedCache[bytes] = BoundedCache(1000, len)
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> bytes:
        begun.set()
        assert go_on.wait(30)
        return b"slow"

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(cache.get, "slow", slow)
        assert begun.wait(30)
        assert cache.get("fast", lambda: b"fast") == b"fast"
        assert not waiting.done()
        go_on.set()
        assert waiting.result(30) == b"slow"


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 70)), max_size=60))
def test_what_is_kept_stays_within_the_limit(asked: list[tuple[str, int]]) -> None:
    cache: BoundedCache[bytes] = BoundedCache(100, len)
    sizes: dict[str, int] = {}
    for key, size in asked:
        wanted = sizes.setdefault(key, size)
        assert len(cache.get(key, lambda wanted=wanted: bytes(wanted))) == wanted
        assert cache.held_bytes <= 100


def test_the_least_recently_used_goes_first_and_what_is_too_large_is_not_kept() -> None:
    cache: BoundedCache[bytes] = BoundedCache(100, len)
    for key in "ab":
        cache.get(key, lambda: bytes(40))
    cache.get("a", lambda: pytest.fail("it is kept"))
    cache.get("c", lambda: bytes(40))
    cache.get("a", lambda: pytest.fail("it was used after b"))
    assert len(cache.get("large", lambda: bytes(101))) == 101
    assert cache.held_bytes == 80
    assert cache.get("b", lambda: b"made again") == b"made again"


def test_what_could_not_be_made_is_made_by_the_next_who_asks() -> None:
    cache: BoundedCache[bytes] = BoundedCache(100, len)

    def fail() -> bytes:
        raise OSError("no such thing")

    with pytest.raises(OSError, match="no such thing"):
        cache.get("a", fail)
    assert cache.get("a", lambda: b"there") == b"there"
