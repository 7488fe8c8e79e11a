"""The ledger written out while it is used, and made again in either database."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import create_engine, text

from deeplens_kit.errors import WorkspaceError, WorkspaceSchemaError
from deeplens_kit.ledger import (
    SCHEMA_REVISION,
    JournalEntry,
    JournalPhase,
    Ledger,
    NoteChange,
    OutboxEvent,
    restore_ledger,
    table_files,
)
from deeplens_kit.ledger.address import ledger_address
from deeplens_kit.ledger.engine import open_engine, writing
from deeplens_kit.ledger.schema import migrate

Maker = Callable[..., Ledger]
A, B = "a" * 64, "b" * 64


def filled(ledger: Ledger) -> str:
    """Something in every table; the id of an application."""
    place = ledger.add_location("péle mêle 📷", "s3://b", {"include": ["*.jpg"]})
    ledger.annotate(place, "a.jpg", A, NoteChange("sea", ("tag",), "at noon"))
    ledger.record_watched(b"\0\xff", [OutboxEvent("1", "copies", "address", {"n": 1})])
    ledger.save_search("lorries", {"words": "x"})
    ledger.record_search({"words": "x"}, by="likeness", results=1, seconds=0.1, most=9)
    ledger.save_rule("archive", {"x": 0.1})
    pair = pl.DataFrame({"digest_a": [A], "digest_b": [B], "verdict": ["same"]})
    ledger.record_labels(pair)
    ledger.add_label_sample("drawn", -(2**40), {}, pair.select("digest_a", "digest_b", stratum=pl.lit("x")))
    ledger.record_decisions(pl.DataFrame({"kind": ["approved"], "keeper_digest": [A], "member_digest": [B]}))
    ledger.add_hold(digest=A, why="case 7")
    plan = ledger.save_plan("duplicates", {"é": 1}, [b"PAR1\0\xff"], A, 1)
    ledger.approve_plan(plan.plan_id, A)
    application = ledger.start_application(plan.plan_id, A, {})
    lines = [JournalEntry(step, "quarantine", JournalPhase.DONE, facts={"share": 0.1}) for step in range(3)]
    ledger.append_journal(application.application_id, lines)
    ledger.start_run("index", place, {})
    return application.application_id


def content(ledger: Ledger) -> list[object]:
    return [
        ledger.locations(), ledger.notes(), ledger.collections(), ledger.watched(), ledger.undelivered("copies"),
        ledger.saved_searches(), ledger.search_history(), ledger.rules(), ledger.labels().rows(),
        ledger.label_samples(), ledger.decisions().rows(), ledger.holds(), ledger.plans(), ledger.applications(),
        ledger.runs(), ledger.audit_trail(),
    ]  # fmt: skip


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgres"), ("postgres", "sqlite"), ("sqlite", "sqlite")])
def test_a_ledger_is_made_again_in_either_database(
    source: str, target: str, postgres_url: str, tmp_path: Path, made: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "_ROWS_PER_FILE", 2)
    urls = {"sqlite": f"sqlite:///{tmp_path}/{{}}.sqlite", "postgres": postgres_url}
    first = made(urls[source].format("first"))
    key = filled(first)
    with first.leased_run("index", "péle mêle 📷", {}):
        assert first.export(tmp_path / "out") == SCHEMA_REVISION
    assert (tmp_path / "out" / "journal.00001.jsonl").exists()
    before = content(first)
    restore_ledger(urls[target].format("second"), tmp_path / "out", SCHEMA_REVISION)
    second = made(urls[target].format("second"), new=False)
    assert content(second) == before
    assert list(second.journal(key)) == list(first.journal(key))
    assert list(second.plan_parts(second.plans()[0].plan_id)) == [b"PAR1\0\xff"]
    verdict = second.verify_audit(first.audit_head()[1])
    assert verdict.intact and verdict.journal_lines == 3, verdict
    # Nobody who held a lease holds it here, and new rows are numbered after those taken in.
    with second.leased_run("index", "péle mêle 📷", {}):
        second.add_collection("land")
        second.save_rule("archive", {"x": 0.2})
        second.append_journal(key, [JournalEntry(9, "place", JournalPhase.DONE)])
    assert second.verify_audit().intact


def test_what_was_only_added_to_shares_its_files(
    sqlite_url: str, tmp_path: Path, made: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "_ROWS_PER_FILE", 4)
    ledger = made(sqlite_url)
    for turn in ("first", "second"):
        for number in range(5):
            ledger.record_audit("x", {"number": number})
        ledger.export(tmp_path / turn)
    names = {turn: sorted(path.name for path in (tmp_path / turn).glob("audit.*")) for turn in ("first", "second")}
    assert len(names["first"]) == 2 and len(names["second"]) == 3
    whole = names["first"][0]
    assert (tmp_path / "first" / whole).read_bytes() == (tmp_path / "second" / whole).read_bytes()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_an_export_is_of_one_moment(
    database: str, postgres_url: str, sqlite_url: str, tmp_path: Path, made: Maker
) -> None:
    url = sqlite_url if database == "sqlite" else postgres_url
    ledger, other = made(url), made(url, new=False)
    stop = threading.Event()
    written = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            other.add_collection(f"c{number}")
            number += 1
            written.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(30)
        for turn in range(3):
            ledger.export(tmp_path / str(turn))
    finally:
        stop.set()
        thread.join()
    for turn in range(3):
        restore_ledger(f"sqlite:///{tmp_path}/{turn}.sqlite", tmp_path / str(turn), SCHEMA_REVISION)
        found = made(f"sqlite:///{tmp_path}/{turn}.sqlite", new=False)
        verdict = found.verify_audit()
        assert verdict.intact and verdict.lines == len(found.collections()), verdict


def test_an_older_export_is_taken_in_as_it_is_and_upgraded(tmp_path: Path, made: Maker, sqlite_url: str) -> None:
    engine = open_engine(ledger_address(sqlite_url))
    with writing(engine).begin() as connection:
        migrate(connection, "0005")
        at = datetime(2024, 2, 3).isoformat(sep=" ")
        connection.execute(text("INSERT INTO audit VALUES (1, :at, 'ana@studio', 'x', '{}')"), {"at": at})
    assert table_files.export_tables(engine, tmp_path / "out") == "0005"
    engine.dispose()
    url = f"sqlite:///{tmp_path}/second.sqlite"
    restore_ledger(url, tmp_path / "out", "0005")
    with pytest.raises(WorkspaceSchemaError, match="deeplens upgrade"):
        Ledger.open(url)
    Ledger.upgrade(url, tmp_path / "backups")
    second = made(url, new=False)
    assert second.audit_trail()[0].at == datetime(2024, 2, 3, tzinfo=UTC)
    assert second.verify_audit().intact


def test_a_ledger_is_restored_where_there_is_none_or_not_at_all(sqlite_url: str, tmp_path: Path, made: Maker) -> None:
    ledger = made(sqlite_url)
    ledger.add_collection("sea")
    ledger.export(tmp_path / "out")
    with pytest.raises(WorkspaceError, match="already"):
        restore_ledger(sqlite_url, tmp_path / "out", SCHEMA_REVISION)
    with pytest.raises(WorkspaceSchemaError, match="newer"):
        restore_ledger(f"sqlite:///{tmp_path}/b.sqlite", tmp_path / "out", "9999")
    twice = tmp_path / "out" / "collections.00001.jsonl"
    twice.write_bytes((tmp_path / "out" / "collections.00000.jsonl").read_bytes())
    url = f"sqlite:///{tmp_path}/c.sqlite"
    with pytest.raises(WorkspaceError, match="UNIQUE"):
        restore_ledger(url, tmp_path / "out", SCHEMA_REVISION)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar() == 0, "all or nothing"
    engine.dispose()
    twice.rename(tmp_path / "out" / "strange.00000.jsonl")
    with pytest.raises(WorkspaceError, match="'strange'"):
        restore_ledger(url, tmp_path / "out", SCHEMA_REVISION)
    lines = (tmp_path / "out" / "collections.00000.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["name"] == "sea"
