"""Heavy things that are shared: made once for all who ask, freed when nobody looks, outdated and made anew."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.views.state.shared_states import Shared, SharedStates


class Heavy:
    """Something that weighs much."""


def on_a_loop(asked: Coroutine[Any, Any, Any]) -> Any:
    """On a thread of its own: a browser's driver may have a loop on this one."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, asked).result()


def all_of(*asked: Any) -> list[Any]:
    """What was asked for at once; an error where it failed."""

    async def gathered() -> list[Any]:
        return await asyncio.gather(*asked, return_exceptions=True)

    return on_a_loop(gathered())


def get(shared: SharedStates, name: str, state: object, make: Callable[[], Heavy], **how: bool) -> Shared[Heavy]:
    return on_a_loop(shared.get(name, state, make, **how))


def test_ten_who_ask_at_once_have_one_and_it_is_made_off_the_event_loop() -> None:
    shared, threads = SharedStates(), []

    def make() -> Heavy:
        threads.append(threading.current_thread())
        return Heavy()

    found = all_of(*(shared.get("map", 1, make) for _ in range(10)))
    assert len({id(one.value) for one in found}) == 1
    assert len(threads) == 1 and threads[0].name == "shared map" and threads[0].daemon
    assert not any(one.outdated for one in found)
    assert (get(shared, "map", 1, make)).value is found[0].value


def test_what_nobody_looks_at_is_freed_and_what_somebody_looks_at_is_not() -> None:
    shared = SharedStates()
    found = get(shared, "map", 1, Heavy)
    shared.let_go()
    gc.collect()
    assert shared.holds("map"), "somebody looks at it"
    assert (get(shared, "map", 1, Heavy)).value is found.value
    shared.let_go()
    del found
    gc.collect()
    assert not shared.holds("map")


def test_it_is_kept_for_a_while_and_no_longer() -> None:
    shared, gone = SharedStates(kept_seconds=0.05), threading.Event()

    class Told(Heavy):
        def __del__(self) -> None:
            gone.set()

    get(shared, "map", 1, Told)
    assert gone.wait(20)
    assert not shared.holds("map")


@pytest.mark.parametrize(("quick_seconds", "kept"), [(60.0, False), (-1.0, True)])
def test_what_was_slow_to_make_is_shown_outdated_until_somebody_wants_it_anew(quick_seconds: float, kept: bool) -> None:
    shared = SharedStates(quick_seconds=quick_seconds)
    old = get(shared, "lab", "before", Heavy)
    now = get(shared, "lab", "after", Heavy)
    assert (now.value is old.value, now.outdated) == (kept, kept)
    anew = get(shared, "lab", "after", Heavy, anew=True)
    assert anew.value is not old.value and not anew.outdated
    assert (get(shared, "lab", "after", Heavy)).value is anew.value


def test_all_who_wait_are_told_that_it_failed_and_the_next_one_tries_again() -> None:
    shared = SharedStates()

    def fail() -> Heavy:
        raise SettingsError("no feature of this name")

    failed = all_of(*(shared.get("map", 1, fail) for _ in range(3)))
    assert [str(error) for error in failed] == ["no feature of this name"] * 3
    assert not shared.holds("map")
    assert isinstance((get(shared, "map", 1, Heavy)).value, Heavy)
