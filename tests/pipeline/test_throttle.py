"""A run that is held back takes no more of the machine than it was given, and leaves the settings as they were."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.decode import close_decoders
from deeplens_kit.errors import SettingsError
from deeplens_kit.pipeline import Throttle, Workspace, index, location_run
from deeplens_kit.pipeline.analysis import analyse
from deeplens_kit.pipeline.throttle import RateLimit, held_back, step_back


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@given(st.lists(st.integers(0, 1_000_000), min_size=2, max_size=20), st.integers(100_000, 10_000_000))
def test_reading_keeps_to_the_rate_from_the_second_file_on(sizes: list[int], rate: int) -> None:
    clock = Clock()
    limit = RateLimit(rate, clock, clock.sleep)
    for size in sizes:
        limit.wait(size, lambda: False)
    # The last file begins when all before it are paid for, and not later.
    assert clock.now == pytest.approx(sum(sizes[:-1]) / rate, rel=1e-9, abs=1e-6)


def test_no_rate_is_no_wait_and_a_stop_ends_one() -> None:
    stopped = threading.Event()
    RateLimit(0).wait(10**12, stopped.is_set)
    stopped.set()
    limit = RateLimit(1)
    for _ in range(3):
        limit.wait(10**9, stopped.is_set)


@given(ceiling=st.integers(939_524_096, 64_000_000_000), workers=st.integers(1, 64))
def test_what_a_run_may_hold_stays_below_its_ceiling(ceiling: int, workers: int) -> None:
    from deeplens_kit.pipeline.throttle import _throttled
    from deeplens_kit.settings import WorkspaceSettings

    settings, given_workers = _throttled(
        WorkspaceSettings("", "", ""), Throttle(max_memory_bytes=ceiling, workers=workers)
    )
    assert 1 <= given_workers <= workers
    decoders = given_workers * (settings.decode.max_memory_bytes + 96 * 2**20)
    assert decoders + settings.index.max_waiting_bytes + 512 * 2**20 <= ceiling


def test_a_ceiling_too_low_is_refused_and_says_what_is_needed(workspace: Workspace) -> None:
    with pytest.raises(SettingsError, match=r"939,524,096 at least"):
        index(workspace, throttle=Throttle(max_memory_bytes=500_000_000))
    with pytest.raises(SettingsError, match="at most 19"):
        index(workspace, throttle=Throttle(niceness=20))


def test_settings_are_as_they_were_after_a_run(workspace: Workspace) -> None:
    before = workspace.settings
    with held_back(workspace, Throttle(niceness=3, max_memory_bytes=2**31, workers=1)) as (held, workers):
        assert workers == 1
        assert held.settings.index.niceness == 3
        assert held.decoder.niceness == 3
        assert workspace.settings is before


def test_threads_and_decoders_of_a_run_step_back_and_its_caller_does_not(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_decoders()
    own, caller = os.getpriority(os.PRIO_PROCESS, 0), threading.get_native_id()
    threads: set[int] = set()
    decoders: set[int] = set()

    def watched(*arguments: Any) -> Any:
        found = analyse(*arguments)
        threads.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        for child in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                if "isolation.child" in " ".join(child.cmdline()):
                    decoders.add(child.nice())
        return found

    monkeypatch.setattr(location_run, "analyse", watched)
    index(workspace, and_match=False, throttle=Throttle(niceness=own + 5))
    close_decoders()
    assert threads == {own + 5}
    assert decoders == {own + 5}
    assert os.getpriority(os.PRIO_PROCESS, caller) == own


def test_reading_is_slowed_down_to_the_limit(workspace: Workspace, pictures: Path) -> None:
    sizes = sorted(path.stat().st_size for path in pictures.rglob("*") if path.is_file())
    rate = sum(sizes)  # all of it in a second, the largest file at most not waited for
    (report,) = index(workspace, and_match=False, throttle=Throttle(max_read_bytes_per_second=rate, workers=1))
    assert report.seconds >= (sum(sizes) - sizes[-1]) / rate * 0.9


def test_a_thread_that_cannot_step_back_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    step_back(5)


def test_the_settings_of_a_workspace_throttle_too(workspace: Workspace) -> None:
    workspace.settings = replace(workspace.settings, index=replace(workspace.settings.index, niceness=4, workers=1))
    with held_back(workspace, Throttle()) as (held, workers):
        assert (workers, held.settings.index.niceness) == (1, 4)
    with held_back(workspace, Throttle(niceness=0)) as (held, _):
        assert held.settings.index.niceness == 0


def test_an_error_does_not_wait_for_the_turn_of_files(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a defect")

    monkeypatch.setattr(location_run, "analyse", broken)
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="a defect"):
        # The second file would have to wait for hours.
        index(workspace, and_match=False, throttle=Throttle(max_read_bytes_per_second=10, workers=2))
    assert time.monotonic() - began < 60
