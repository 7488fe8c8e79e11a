"""What goes wrong with a ledger is one clear line, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event

from deeplens_kit.errors import StoreFullError, WorkspaceError, WorkspaceMissingError
from deeplens_kit.ledger import Ledger, current_holder
from deeplens_kit.ledger.holder import is_alive, shown_holder

Maker = Callable[..., Ledger]


def test_a_full_disk_is_said_and_keeps_what_was_committed(sqlite_url: str, made: Maker) -> None:
    ledger = made(sqlite_url)
    ledger.add_location("first", "/a", {})
    ledger.close()

    @event.listens_for(ledger._engine, "connect")
    def _no_more_pages(connection: object, _entry: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]

    with pytest.raises(StoreFullError, match="Make room and run again"):
        ledger.add_location("second", "x" * 100_000, {})
    assert [item.name for item in ledger.locations()] == ["first"]


def test_another_kind_of_file_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"JPEG, by mistake" * 100)
    for act in (Ledger.open, Ledger.create):
        with pytest.raises(WorkspaceError, match="not a ledger") as caught:
            act(f"sqlite:///{path}")
        assert "\n" not in str(caught.value)


def test_an_empty_database_is_no_ledger_yet(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.touch()
    with pytest.raises(WorkspaceMissingError):
        Ledger.open(f"sqlite:///{path}")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkspaceError, match=r"Cannot create the ledger at sqlite:///.*file/ledger\.sqlite"):
        Ledger.create(f"sqlite:///{tmp_path}/file/ledger.sqlite")


def test_sqlite_waits_in_wal_mode_with_foreign_keys_on(sqlite_url: str, made: Maker) -> None:
    ledger = made(sqlite_url)
    with ledger._engine.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        ]
    assert values == ["wal", 1, 2, 30_000]


def test_a_ledger_shows_its_place_only(sqlite_url: str, made: Maker) -> None:
    assert repr(made(sqlite_url)) == f"Ledger('{sqlite_url}')"


def test_this_process_is_alive_and_a_later_one_of_the_same_id_is_another() -> None:
    me = current_holder()
    assert is_alive(me) is True
    assert shown_holder(me).endswith(f" pid {os.getpid()}")
    start = me.rpartition(" ")[2]
    assert is_alive(f"{me.removesuffix(start)}{int(start.rstrip(')')) + 1})") is False
    scope = me.rpartition("(")[2].split()[0]
    assert is_alive(me.replace(scope, "another-kernel/1")) is None
    assert is_alive("eve@elsewhere pid 7") is None
    assert shown_holder("eve@elsewhere pid 7") == "eve@elsewhere pid 7"


def test_an_ended_process_is_dead_before_and_after_it_is_reaped() -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from deeplens_kit.ledger.holder import *; print(current_holder(), flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    holder = child.stdout.readline().strip()
    assert is_alive(holder) is True
    child.kill()
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(holder) is False, "a zombie"
    child.wait()
    assert is_alive(holder) is False
    child.stdin.close()
    child.stdout.close()
