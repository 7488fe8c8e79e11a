"""When each location is due: pure arithmetic on a clock of the test's own."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from deeplens_kit.pipeline.rounds import (
    FIRST_RETRY_SECONDS,
    LONGEST_SETTLE_SECONDS,
    SETTLE_SECONDS,
    Rounds,
)

INTERVAL = 900.0


def settled(*names: str) -> Rounds:
    """Rounds of which each name was looked at, at the moment 0, at no cost."""
    rounds = Rounds(INTERVAL)
    rounds.keep(names, 0.0)
    for name in names:
        rounds.begun(name)
        rounds.done(name, 0.0, took_seconds=0.0)
    return rounds


def test_all_are_due_at_first_and_again_after_the_interval() -> None:
    rounds = Rounds(INTERVAL)
    assert rounds.seconds_left(5.0) is None
    rounds.keep(["b", "a"], 5.0)
    assert rounds.due(5.0) == ("b", "a")
    rounds.begun("b")
    rounds.done("b", 6.0, took_seconds=1.0)
    assert rounds.due(6.0) == ("a",)
    rounds.begun("a")
    rounds.done("a", 7.0, took_seconds=1.0)
    assert rounds.seconds_left(7.0) == INTERVAL - 1
    assert rounds.due(6.0 + INTERVAL) == ("b",)


def test_a_change_brings_one_location_forward_when_it_has_settled() -> None:
    rounds = settled("a", "b")
    rounds.changed("a", 100.0)
    assert rounds.seconds_left(100.0) == SETTLE_SECONDS
    rounds.changed("a", 100.5)
    assert rounds.due(100.0 + SETTLE_SECONDS) == ()
    assert rounds.due(100.5 + SETTLE_SECONDS) == ("a",)
    rounds.begun("a")
    rounds.done("a", 102.0, took_seconds=0.5)
    assert rounds.due(110.0) == ()


def test_changes_without_end_are_looked_at_in_time() -> None:
    rounds = settled("a")
    for tenth in range(int(LONGEST_SETTLE_SECONDS * 10)):
        assert rounds.due(50 + tenth / 10) == ()
        rounds.changed("a", 50 + tenth / 10)
    assert rounds.due(50 + LONGEST_SETTLE_SECONDS) == ("a",)


def test_a_change_during_a_look_is_looked_at_after_a_rest_as_long_as_the_look() -> None:
    rounds = settled("a")
    rounds.changed("a", 100.0)
    rounds.begun("a")
    rounds.changed("a", 110.0)
    rounds.done("a", 130.0, took_seconds=30.0)
    assert rounds.due(159.9) == ()
    assert rounds.due(160.0) == ("a",)


def test_failures_are_tried_again_ever_later_up_to_the_interval() -> None:
    rounds = settled("a")
    now, waits = 0.0, []
    for _ in range(8):
        rounds.begun("a")
        waits.append(rounds.failed("a", now))
        rounds.changed("a", now)  # no change makes it come sooner
        assert rounds.due(now + waits[-1] - 0.1) == ()
        now += waits[-1]
        assert rounds.due(now) == ("a",)
    assert waits[:3] == [FIRST_RETRY_SECONDS, 2 * FIRST_RETRY_SECONDS, 4 * FIRST_RETRY_SECONDS]
    assert waits[-1] == INTERVAL
    rounds.begun("a")
    rounds.done("a", now, took_seconds=0.0)
    assert rounds.failed("a", now) == FIRST_RETRY_SECONDS


def test_locations_come_and_go() -> None:
    rounds = settled("a", "b")
    rounds.keep(["b", "c"], 10.0)
    assert rounds.names == ("b", "c")
    assert rounds.due(10.0) == ("c",)
    rounds.changed("a", 10.0)
    assert rounds.due(20.0) == ("c",)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 2000), st.sampled_from(["changed", "look", "fail"])), max_size=40))
def test_no_location_waits_longer_than_the_interval(steps: list[tuple[int, str]]) -> None:
    rounds, now = settled("a"), 0
    for seconds, what in steps:
        now += seconds
        if what == "changed":
            rounds.changed("a", now)
        else:
            rounds.begun("a")
            if what == "look":
                rounds.done("a", now, took_seconds=seconds)
            else:
                rounds.failed("a", now)
        left = rounds.seconds_left(now)
        assert left is not None
        assert 0.0 <= left <= INTERVAL
        assert (left == 0.0) == (rounds.due(now) == ("a",))
