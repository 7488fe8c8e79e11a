"""When a schedule is run next: what was missed is made good once, what failed is tried again, what runs is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deeplens_kit.ledger import ReportRun, ReportRunState
from deeplens_kit.service.schedules import Schedule, Turn, next_turn
from deeplens_kit.service.schedules.turns import retry_at

SIX = datetime(2026, 11, 30, 6, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
DAILY = Schedule("daily", "savings", {}, "0 6 * * *", "UTC", retries=2, retry_minutes=5)


def run(due_at: datetime | None, state: str, attempt: int = 1, finished_at: datetime | None = None) -> ReportRun:
    ended = finished_at if finished_at is not None else (due_at or SIX) + MINUTE
    delivered = ended if state == "finished" else None
    return ReportRun(
        "0", "savings", "daily", {}, ReportRunState(state), due_at, due_at or SIX, ended, delivered, attempt, "", {},
        "", "a@b", "a@b pid 1",
    )  # fmt: skip


def test_a_new_schedule_waits_for_its_time() -> None:
    assert next_turn(DAILY, [], SIX - DAY / 2, SIX - MINUTE) == Turn(SIX, 1, SIX)
    assert next_turn(DAILY, [], SIX - DAY / 2, SIX) == Turn(SIX, 1, SIX)
    assert next_turn(DAILY, [], None, SIX) == Turn(SIX + DAY, 1, SIX + DAY), "nobody knows since when it is there"


def test_what_was_missed_is_made_good_once() -> None:
    now = SIX + 9 * DAY + 2 * MINUTE
    turn = next_turn(DAILY, [run(SIX, "finished")], None, now)
    assert turn == Turn(SIX + 9 * DAY, 1, now)
    after = [run(SIX + 9 * DAY, "finished", finished_at=now), run(SIX, "finished")]
    assert next_turn(DAILY, after, None, now) == Turn(SIX + 10 * DAY, 1, SIX + 10 * DAY)


def test_a_time_before_a_change_is_not_missed() -> None:
    now = SIX + MINUTE
    assert next_turn(DAILY, [run(SIX - 3 * DAY, "finished")], now, now) == Turn(SIX + DAY, 1, SIX + DAY)
    failed = [run(SIX - DAY, "failed")]
    assert next_turn(DAILY, failed, now, now) == Turn(SIX + DAY, 1, SIX + DAY)


def test_a_run_by_hand_makes_no_time_good() -> None:
    assert next_turn(DAILY, [run(None, "finished")], SIX - MINUTE, SIX) == Turn(SIX, 1, SIX)


@pytest.mark.parametrize(
    ("attempt", "state", "wait"),
    [(1, "failed", 5 * MINUTE), (2, "failed", 10 * MINUTE), (3, "failed", None), (1, "interrupted", 0 * MINUTE),
     (2, "interrupted", 5 * MINUTE), (5, "interrupted", 40 * MINUTE), (6, "interrupted", None), (1, "finished", None)],
)  # fmt: skip
def test_what_failed_is_tried_again_ever_later(attempt: int, state: str, wait: timedelta | None) -> None:
    ended = SIX + 2 * MINUTE
    turn = next_turn(DAILY, [run(SIX, state, attempt, ended)], None, ended)
    assert turn == (Turn(SIX, attempt + 1, ended + wait) if wait is not None else Turn(SIX + DAY, 1, SIX + DAY))


def test_a_later_time_takes_the_place_of_a_try() -> None:
    every = Schedule("m", "savings", {}, "* * * * *", "UTC", retries=2, retry_minutes=5)
    failed = [run(SIX, "failed", 1, SIX + MINUTE / 2)]
    assert next_turn(every, failed, None, SIX + MINUTE / 2) == Turn(SIX + MINUTE, 1, SIX + MINUTE)
    assert retry_at(every, failed[0]) is None and retry_at(DAILY, failed[0]) == SIX + 5.5 * MINUTE


@pytest.mark.parametrize("runs", [[run(SIX, "running")], [run(None, "running"), run(SIX - DAY, "finished")]])
def test_what_runs_or_is_paused_has_no_turn(runs: list[ReportRun]) -> None:
    assert next_turn(DAILY, runs, None, SIX + 3 * DAY) is None
    paused = Schedule("daily", "savings", {}, "0 6 * * *", "UTC", paused=True)
    assert next_turn(paused, [], SIX - DAY, SIX) is None


def test_times_are_of_the_zone_on_the_day_that_has_an_hour_less_or_more() -> None:
    berlin = Schedule("b", "savings", {}, "30 2 * * *", "Europe/Berlin")
    spring = datetime(2026, 3, 28, 12, tzinfo=UTC)
    # 02:30 does not exist on the 29th: cron runs it when the clock has gone on to 03:00.
    assert next_turn(berlin, [], spring, spring) == Turn(*_at(datetime(2026, 3, 29, 1, tzinfo=UTC)))
    autumn = datetime(2026, 10, 25, 0, tzinfo=UTC)
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert next_turn(berlin, [], autumn, autumn) == Turn(*_at(first))
    # In the second 02:00 to 03:00 it was done already, and the next is of the day after.
    again = next_turn(berlin, [run(first, "finished")], None, first + timedelta(minutes=50))
    assert again == Turn(*_at(datetime(2026, 10, 26, 1, 30, tzinfo=UTC)))


def _at(at: datetime) -> tuple[datetime, int, datetime]:
    return at, 1, at
