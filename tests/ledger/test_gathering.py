"""Writes of several threads in one transaction: each is written once or not at all, and learns which."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from deeplens_kit.ledger import gathering
from deeplens_kit.ledger.gathering import GatheredWrites


class Store:
    """Keeps what was committed; the first transaction waits until the others have come."""

    def __init__(self, fails_at_commit: int = -1) -> None:
        self.transactions: list[list[object]] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.fails_at_commit = fails_at_commit
        self.number = 0

    @contextmanager
    def transaction(self) -> Iterator[tuple[Any, datetime]]:
        number, self.number = self.number, self.number + 1
        if number == 0:
            self.begun.set()
            assert self.go_on.wait(30)
        written: list[object] = []
        yield written, datetime.now(UTC)
        if number == self.fails_at_commit:
            raise OSError("lost")
        self.transactions.append(written)


def outcomes(store: Store, acts: list[Callable[[Any, datetime], object]]) -> list[object]:
    """What the first act and then, together, the others came to."""
    gathered = GatheredWrites(store.transaction)
    found: list[object] = [None] * len(acts)

    def run(at: int) -> None:
        try:
            found[at] = gathered.run(acts[at])
        except (ValueError, OSError) as error:
            found[at] = str(error)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(acts))]
    threads[0].start()
    assert store.begun.wait(30)
    for thread in threads[1:]:
        thread.start()
    deadline = time.monotonic() + 30
    while len(gathered._waiting) < len(acts) - 1:
        assert time.monotonic() < deadline, "not all came"
    store.go_on.set()
    for thread in threads:
        thread.join(30)
    assert not gathered._busy and gathered._waiting == []
    return found


def writes(number: int) -> Callable[[Any, datetime], object]:
    def act(session: Any, _now: datetime) -> object:
        session.append(number)
        return number

    return act


def refused(session: Any, _now: datetime) -> object:
    session.append("refused")
    raise ValueError("refused")


def test_who_waits_shares_one_transaction() -> None:
    store = Store()
    assert outcomes(store, [writes(number) for number in range(6)]) == list(range(6))
    assert store.transactions[0] == [0]
    assert len(store.transactions) == 2 and sorted(store.transactions[1]) == [1, 2, 3, 4, 5]


def test_one_that_fails_fails_alone() -> None:
    store = Store()
    assert outcomes(store, [writes(0), writes(1), refused, writes(3)]) == [0, 1, "refused", 3]
    assert sorted(item for written in store.transactions for item in written) == [0, 1, 3]


def test_after_a_failed_commit_nothing_is_run_again() -> None:
    store = Store(fails_at_commit=1)
    assert outcomes(store, [writes(0), writes(1), writes(2)]) == [0, "lost", "lost"]
    assert store.transactions == [[0]] and store.number == 2


@pytest.mark.parametrize("named", [False, True])
def test_who_is_interrupted_while_waiting_holds_nobody_up(named: bool) -> None:
    store = Store()
    gathered = GatheredWrites(store.transaction)
    first = threading.Thread(target=gathered.run, args=(writes(0),))
    first.start()
    assert store.begun.wait(30)

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if named:  # after it was told to lead
                store.go_on.set()
                assert super().wait(30)
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(gathering.threading, "Event", Interrupted)
        gathered.run(writes(1))
    store.go_on.set()
    first.join(30)
    assert gathered.run(writes(2)) == 2
    assert store.transactions == [[0], [2]]


def test_the_next_write_goes_on_after_a_failure() -> None:
    store = Store()
    store.go_on.set()
    gathered = GatheredWrites(store.transaction)
    with pytest.raises(ValueError, match="refused"):
        gathered.run(refused)
    assert gathered.run(writes(1)) == 1
