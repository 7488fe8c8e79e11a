"""Spans and counters: sums over threads, own time of nested spans, next to nothing when off."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.telemetry import StageClock, StageTimes, collect_stage_times, count, span


def _burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_off_means_nothing_is_kept_and_almost_nothing_is_paid() -> None:
    assert span("decode") is span("read")

    def best(work: object) -> float:
        assert callable(work)
        times = []
        for _ in range(5):
            start = time.thread_time()
            for _ in range(20_000):
                work()
            times.append(time.thread_time() - start)
        return min(times) / 20_000

    def spanned() -> None:
        with span("decode"):
            pass

    def bare() -> None:
        pass

    assert best(spanned) - best(bare) < 2e-6  # a picture takes 10,000 times that


def test_counts_cpu_and_wall_of_a_stage() -> None:
    with collect_stage_times() as clock:
        for _ in range(3):
            with span("decode"):
                _burn(0.01)
        count("pictures", 3)
        count("pictures")
    with span("decode"):
        count("pictures")  # after the block: not collected
    times = clock.times()["decode"]
    assert times.count == 3
    assert 0.03 <= times.cpu_seconds < 0.2
    assert times.wall_seconds >= times.cpu_seconds * 0.9
    assert clock.counters() == {"pictures": 4}


def test_waiting_is_wall_and_not_cpu() -> None:
    with collect_stage_times() as clock, span("wait"):
        threading.Event().wait(0.05)
    times = clock.times()["wait"]
    assert times.wall_seconds >= 0.05 > 0.02 > times.cpu_seconds


def test_a_span_inside_another_counts_once() -> None:
    with collect_stage_times() as clock, span("picture"):
        _burn(0.02)
        with span("decode"):
            _burn(0.06)
    times = clock.times()
    assert times["decode"].cpu_seconds >= 0.06
    assert 0.02 <= times["picture"].cpu_seconds < 0.05


def test_threads_are_summed_and_told_apart() -> None:
    def work(number: int) -> None:
        for _ in range(200):
            with span("decode"):
                count("pictures")
        barrier.wait()

    barrier = threading.Barrier(4)
    with collect_stage_times() as clock, ThreadPoolExecutor(4, thread_name_prefix="reader") as pool:
        list(pool.map(work, range(4)))
    assert clock.times()["decode"].count == 800
    assert clock.counters() == {"pictures": 800}
    assert [(stage, item.count) for (stage, _), item in clock.times_by_thread().items()] == [("decode", 200)] * 4


def test_an_error_is_timed_and_passes() -> None:
    with collect_stage_times() as clock, pytest.raises(KeyError), span("decode"):
        raise KeyError
    assert clock.times()["decode"].count == 1
    with collect_stage_times() as second, span("outer"):
        pass
    assert second.times()["outer"].cpu_seconds >= 0  # no open span was left behind by the error


def test_collecting_nests_and_overlaps() -> None:
    with collect_stage_times() as outer:
        with span("a"):
            pass
        with collect_stage_times() as inner, span("b"):
            pass
    assert list(outer.times()) == ["a", "b"]
    assert list(inner.times()) == ["b"]


_times = st.builds(
    StageTimes, st.integers(0, 1000), st.integers(0, 64).map(float), st.integers(0, 64).map(float)
)  # whole floats add exactly


@given(st.lists(st.dictionaries(st.sampled_from("abc"), _times), max_size=4))
def test_merging_worker_processes_is_addition_in_any_order(parts: list[dict[str, StageTimes]]) -> None:
    forwards, backwards = StageClock(), StageClock()
    for number, part in enumerate(parts):
        forwards.merge(part, {"pictures": number}, source=f"p{number}")
    for number, part in reversed(list(enumerate(parts))):
        backwards.merge(part, {"pictures": number}, source="one")
    assert forwards.times() == backwards.times()
    assert forwards.counters() == backwards.counters()
    assert sum(item.count for item in forwards.times().values()) == sum(t.count for p in parts for t in p.values())
