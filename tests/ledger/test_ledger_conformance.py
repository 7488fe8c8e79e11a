"""What every ledger does, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import JSON, DateTime, bindparam, create_engine, inspect, text

from deeplens_kit.errors import (
    LeaseHeldError,
    SettingsError,
    UnknownNameError,
    WorkspaceError,
    WorkspaceMissingError,
    WorkspaceSchemaError,
)
from deeplens_kit.ledger import (
    SCHEMA_REVISION,
    Ledger,
    NoteChange,
    OutboxEvent,
    RunState,
    current_holder,
    notes,
    searches,
)
from deeplens_kit.ledger.address import ledger_address
from deeplens_kit.ledger.backup import back_up
from deeplens_kit.ledger.engine import open_engine, writing
from deeplens_kit.ledger.holder import acting_as
from deeplens_kit.ledger.models import Base
from deeplens_kit.ledger.outbox import KEPT_DAYS, put
from deeplens_kit.ledger.schema import migrate, revision_of

Maker = Callable[..., Ledger]
STRANGER = "eve@elsewhere pid 7"


class LedgerConformance(ABC):
    """Inherited once per database."""

    @pytest.fixture
    def ledger(self, url: str, made: Maker) -> Ledger:
        return made(url)

    # --- Opening ---

    def test_nothing_there_is_said_and_nothing_is_made(self, url: str) -> None:
        for _ in range(2):
            with pytest.raises(WorkspaceMissingError, match="deeplens init"):
                Ledger.open(url)

    def test_a_ledger_is_made_once(self, url: str, ledger: Ledger) -> None:
        with pytest.raises(WorkspaceError, match="already"):
            Ledger.create(url)
        assert Ledger.schema_version == SCHEMA_REVISION

    def test_migrations_make_what_is_mapped(self, url: str, ledger: Ledger) -> None:
        engine = open_engine(ledger_address(url))
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        engine.dispose()

    def test_a_name_that_a_database_cannot_hold_is_there_nowhere(self, ledger: Ledger) -> None:
        for look in (ledger.location, ledger.job, ledger.rule, ledger.plan, ledger.workflow, ledger.user):
            with pytest.raises(UnknownNameError):
                look("a\0b")
        assert ledger.jobs(kinds=["\0"], who="\0") == () and ledger.report_runs("\0") == []

    def test_another_revision_is_refused_by_age(self, url: str, ledger: Ledger, tmp_path: Path) -> None:
        engine = create_engine(ledger_address(url))
        for revision, newer in (("0001", False), ("9999", True)):
            with engine.begin() as connection:
                connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
            with pytest.raises(WorkspaceSchemaError) as caught:
                Ledger.open(url)
            assert caught.value.newer is newer
            assert (caught.value.found, caught.value.expected) == (revision, SCHEMA_REVISION)
        with pytest.raises(WorkspaceSchemaError, match="newer"):
            Ledger.upgrade(url, tmp_path / "backup")
        assert not (tmp_path / "backup").exists()
        engine.dispose()

    def test_the_first_revision_is_upgraded_after_a_backup(self, url: str, made: Maker, tmp_path: Path) -> None:
        engine = open_engine(ledger_address(url))
        with writing(engine).begin() as connection:
            migrate(connection, "0001")
            assert "leases" not in inspect(connection).get_table_names()
        with writing(engine).begin() as connection:
            connection.execute(
                text("INSERT INTO locations VALUES ('ab12', 'péle mêle', '/a', '{\"x\": 1}', :at, :active)").bindparams(
                    bindparam("at", type_=DateTime())
                ),
                {"at": datetime(2024, 2, 3, tzinfo=UTC).replace(tzinfo=None), "active": True},
            )
            # With a gap, as a transaction that was rolled back leaves one.
            insert = text("INSERT INTO audit VALUES (:n, :at, 'ana@studio', 'x', :details)")
            for number in (1, 3):
                connection.execute(
                    insert.bindparams(bindparam("at", type_=DateTime()), bindparam("details", type_=JSON())),
                    {"n": number, "at": datetime(2024, 2, 3, 4, 5, 6, 789), "details": {"b": [1.5], "a": "é"}},
                )
        with pytest.raises(WorkspaceSchemaError, match="deeplens upgrade"):
            Ledger.open(url)
        copied, migrated = Ledger.upgrade(url, tmp_path / "backups")
        assert migrated == f"schema 0001 to {SCHEMA_REVISION}"
        assert copied.startswith("copied to ")
        rows = self.backed_up(Path(copied.removeprefix("copied to ")))
        assert [(row["location_id"], row["name"]) for row in rows] == [("ab12", "péle mêle")]
        upgraded = made(url, new=False)
        found = upgraded.location("péle mêle")
        assert (found.location_id, found.options, found.active) == ("ab12", {"x": 1}, True)
        assert [line.sequence for line in upgraded.audit_trail()] == [1, 2]
        assert upgraded.verify_audit().intact
        with upgraded.leased_run("index", found, {}) as (lease, _run):
            lease.check()
        assert Ledger.upgrade(url, tmp_path / "backups") == ()
        assert len(list((tmp_path / "backups").iterdir())) == 1
        engine.dispose()

    @abstractmethod
    def backed_up(self, copy: Path) -> list[dict[str, Any]]:
        """Rows of locations in a backup."""

    def test_a_failed_migration_changes_nothing(self, url: str, tmp_path: Path) -> None:
        engine = open_engine(ledger_address(url))
        with writing(engine).begin() as connection:
            migrate(connection, "0001")
            # In the way of the second revision.
            connection.execute(text("CREATE TABLE leases (location_id VARCHAR(32))"))
        with pytest.raises(WorkspaceError, match="already exists"):
            Ledger.upgrade(url, tmp_path / "backups")
        with writing(engine).begin() as connection:
            assert revision_of(connection) == "0001"
            connection.execute(text("DROP TABLE leases"))
        assert Ledger.upgrade(url, tmp_path / "backups")[-1] == f"schema 0001 to {SCHEMA_REVISION}"
        engine.dispose()

    # --- Locations ---

    def test_locations_come_back_with_an_audit_trail(self, url: str, ledger: Ledger, made: Maker) -> None:
        options = {"include": ["*.jpg"], "secret": "${BUCKET_SECRET}"}
        added = ledger.add_location("zwei 📷", "s3://bucket/a b#%", options)
        first = ledger.add_location("eins", "/somewhere", {})
        assert ledger.locations() == [first, added]
        assert made(url, new=False).location("zwei 📷") == added
        assert added.options == options
        assert abs(datetime.now(UTC) - added.created_at) < timedelta(minutes=5)
        renamed = ledger.rename_location("eins", "drei")
        assert (renamed.location_id, renamed.name) == (first.location_id, "drei")
        assert ledger.set_location_active("drei", False).active is False
        assert ledger.locations() == [added]
        assert [item.name for item in ledger.locations(inactive=True)] == ["drei", "zwei 📷"]
        trail = ledger.audit_trail()
        assert [entry.action for entry in trail] == [
            "location.added",
            "location.added",
            "location.renamed",
            "location.deactivated",
        ]
        assert trail[2].details == {"location_id": first.location_id, "name": "drei", "was": "eins"}
        assert "BUCKET_SECRET" not in str(trail[0])
        assert "@" in trail[0].who

    def test_an_unknown_name_is_answered_with_the_nearest(self, ledger: Ledger) -> None:
        ledger.add_location("holidays", "/a", {})
        with pytest.raises(UnknownNameError, match="did you mean 'holidays'"):
            ledger.location("holyday")

    @pytest.mark.parametrize("name", ["", " ", "a/b", "two\nlines", " pics", "x" * 201, "\ud800"])
    def test_names_that_cannot_be_shown_are_refused(self, ledger: Ledger, name: str) -> None:
        with pytest.raises(SettingsError, match="cannot name a location"):
            ledger.add_location(name, "/a", {})

    def test_a_name_is_given_once(self, ledger: Ledger) -> None:
        ledger.add_location("pics", "/a", {})
        ledger.add_location("other", "/a", {})
        with pytest.raises(SettingsError, match="already"):
            ledger.add_location("pics", "/b", {})
        with pytest.raises(SettingsError, match="already"):
            ledger.rename_location("other", "pics")
        assert len(ledger.audit_trail()) == 2, "a change that failed leaves no trace"

    def test_credentials_in_clear_are_refused(self, ledger: Ledger) -> None:
        with pytest.raises(SettingsError) as caught:
            ledger.add_location("a", "sftp://me:hunter22@host/x", {})
        assert "hunter22" not in str(caught.value)
        for option in ("secret", "aws_secret_access_key", "password", "key", "token"):
            with pytest.raises(SettingsError) as caught:
                ledger.add_location("a", "s3://b", {option: "hunter22"})
            assert "hunter22" not in str(caught.value)
        for options in ({"connection_string": "AccountKey=hunter22;"}, {"dsn": "postgresql://u:hunter22@h/d"}):
            with pytest.raises(
                SettingsError, match=r"in clear; write a reference .*\$\{keyring:SERVICE/USER\}"
            ) as caught:
                ledger.add_location("a", "db://b", options)
            assert "hunter22" not in str(caught.value)
        with pytest.raises(SettingsError, match="no URL") as caught:
            ledger.add_location("a", "sftp://me:hunter22\u2100@host/x", {})
        assert "hunter22" not in str(caught.value)
        with pytest.raises(UnknownNameError, match="provider of credentials"):
            ledger.add_location("a", "s3://b", {"secret": "${keyrings:a/b}"})
        assert ledger.locations() == []
        references = {"key": "${KEY}", "password": "${file:/a/b.toml#c}", "connection_string": "AccountKey=${KEY};"}
        ledger.add_location("a", "sftp://me:${keyring:sftp/me}@host/x", references | {"keyboard": "qwertz"})

    # --- Collections and notes ---

    def test_what_is_said_of_an_object_adds_up(self, ledger: Ledger) -> None:
        place, digest = ledger.add_location("pics", "/a", {}), "d" * 64
        first = NoteChange("Péle mêle 📷", ("sea", "cafe\u0301"), description="at noon", category="holiday")
        said = ledger.annotate(place, "a/b.jpg", digest, first)
        assert (said.collection, said.tags, said.description) == ("Péle mêle 📷", ("café", "sea"), "at noon")
        change = NoteChange(add_tags=("sun",), remove_tags=("café",), description="", source="a scan")
        said = ledger.annotate(place.location_id, "a/b.jpg", digest, change)
        assert (said.tags, said.description, said.category, said.source) == (("sea", "sun"), "", "holiday", "a scan")
        assert said.collection == "Péle mêle 📷"
        assert ledger.notes() == ledger.notes([digest]) == [said]
        assert ledger.notes(["e" * 64]) == ledger.notes([]) == []
        assert (said.location_id, said.path, "@" in said.who) == (place.location_id, "a/b.jpg", True)
        actions = [entry.action for entry in ledger.audit_trail()]
        assert actions == ["location.added", "collection.added", "object.annotated", "object.annotated"]
        assert ledger.audit_trail()[-1].details["tags_removed"] == ["café"]

    def test_other_content_at_a_place_has_nothing_said_of_it(self, ledger: Ledger) -> None:
        place = ledger.add_location("pics", "/a", {})
        ledger.annotate(place, "a.jpg", "d" * 64, NoteChange(add_tags=("old",)))
        assert ledger.annotate(place, "a.jpg", "e" * 64, NoteChange(category="new")).tags == ()
        assert [note.digest for note in ledger.notes()] == ["e" * 64]

    def test_a_note_moves_with_its_content(self, ledger: Ledger) -> None:
        old, new, digest = ledger.add_location("old", "/a", {}), ledger.add_location("new", "/b", {}), "d" * 64
        note = ledger.annotate(old, "a.jpg", digest, NoteChange("books", ("kept",)))
        long_path = "f/" * 2000 + "a.jpg"
        moved = ledger.annotate(new, long_path, digest, NoteChange(category="x"), moved_from=note)
        assert (moved.collection, moved.tags, moved.category) == ("books", ("kept",), "x")
        assert ledger.notes([digest]) == [moved]
        ledger.annotate(old, "a.jpg", digest, NoteChange("books"))
        assert [(item.name, item.pictures) for item in ledger.collections()] == [("books", 1)]

    def test_a_collection_that_is_made_beside_us_is_used(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever looked a moment ago has seen none."""
        ledger.add_collection("pets")
        place, find, seen = ledger.add_location("pics", "/a"), notes._find, list[str]()

        def too_early(session: Any, name: str) -> Any:
            seen.append(name)
            return None if len(seen) == 1 else find(session, name)

        monkeypatch.setattr(notes, "_find", too_early)
        assert ledger.annotate(place, "a.jpg", "d" * 64, NoteChange("pets")).collection == "pets"
        assert [(item.name, item.pictures) for item in ledger.collections()] == [("pets", 1)]

    def test_collections_are_listed_with_their_pictures(self, ledger: Ledger) -> None:
        place = ledger.add_location("pics", "/a", {})
        made = ledger.add_collection("zoo", "animals")
        for number in range(3):
            ledger.annotate(place, f"{number}.jpg", f"{number}" * 64, NoteChange("arts" if number else "zoo"))
        ledger.annotate(place, "1.jpg", "1" * 64, NoteChange(""))
        found = ledger.collections()
        assert [(item.name, item.description, item.pictures) for item in found] == [
            ("arts", "", 1),
            ("zoo", "animals", 1),
        ]
        assert found[1].created_at == made.created_at
        with pytest.raises(SettingsError, match="already"):
            ledger.add_collection("zoo")
        assert ledger.notes([f"{number}" * 64 for number in range(2000)]) == ledger.notes()

    @pytest.mark.parametrize("name", ["", " ", "two\nlines", " x", "x" * 201, "\ud800", "a\u202eb"])
    def test_names_of_collections_and_tags_that_cannot_be_shown_are_refused(self, ledger: Ledger, name: str) -> None:
        place = ledger.add_location("pics", "/a", {})
        with pytest.raises(SettingsError, match="cannot name a collection"):
            ledger.add_collection(name)
        with pytest.raises(SettingsError, match="cannot name a tag"):
            ledger.annotate(place, "a.jpg", "d" * 64, NoteChange("made", (name,)))
        for source in ("x" * 10_001, "\0", "\ud800"):
            with pytest.raises(SettingsError, match="source"):
                ledger.annotate(place, "a.jpg", "d" * 64, NoteChange("made", source=source))
        assert ledger.notes() == ledger.collections() == [], "a change that failed leaves nothing"

    # --- What is to be told ---

    def test_what_is_to_be_told_stands_until_it_was_taken(self, ledger: Ledger, tmp_path: Path) -> None:
        assert (ledger.watched(), ledger.undelivered("copies")) == (None, [])
        first, second = (OutboxEvent(f"{n}", "copies", "address", {"n": n}) for n in (1, 2))
        ledger.record_watched(b"\0\xff", [first])
        ledger.record_watched(None, [second, replace(first, payload={"n": 3})])
        assert ledger.watched() == b"\0\xff"
        assert [(event.event_id, event.payload) for event in ledger.undelivered("copies")] == [
            ("1", {"n": 3}), ("2", {"n": 2}),
        ]  # fmt: skip
        assert ledger.begin_delivery("1")
        ledger.end_delivery("1", "said 503, password=hunter2")
        (failed, _) = ledger.undelivered("copies")
        assert (failed.tries, failed.last_error) == (1, "said 503, password=***")
        assert ledger.begin_delivery("1")
        ledger.end_delivery("1")
        assert [event.event_id for event in ledger.undelivered("copies")] == ["2"]
        assert not ledger.begin_delivery("1"), "another process may have sent it"
        with ledger._writing() as (session, now):
            put(session, [], now + timedelta(days=KEPT_DAYS, seconds=5))
        assert ledger.undelivered("copies") == []
        back_up(ledger._engine, tmp_path / "copies", "x")

    # --- Searches ---

    def test_a_search_is_saved_under_a_name_of_its_own(self, url: str, ledger: Ledger, made: Maker) -> None:
        query = {"terms": [{"text": "a red lorry"}], "filters": {"formats": ["JPEG"]}, "limit": 5}
        saved = ledger.save_search("lorries", query, "For the fleet")
        assert (saved.name, saved.query, saved.description) == ("lorries", query, "For the fleet")
        assert made(url, new=False).saved_search("lorries") == saved
        with pytest.raises(SettingsError, match="'lorries' already"):
            ledger.save_search("lorries", {})
        ledger.save_search("Ünder", {"words": "x"})
        assert ledger.save_search("lorries", {"words": "y"}, replace=True).query == {"words": "y"}
        assert [item.name for item in ledger.saved_searches()] == ["lorries", "Ünder"]
        with pytest.raises(UnknownNameError, match="did you mean 'lorries'"):
            ledger.remove_saved_search("lorrys")
        ledger.remove_saved_search("lorries")
        with pytest.raises(UnknownNameError):
            ledger.saved_search("lorries")
        with pytest.raises(UnknownNameError):
            ledger.saved_search("Ünder", of="nobody@here")
        told = [(entry.action, entry.details["name"]) for entry in ledger.audit_trail()]
        assert told == [
            ("search.saved", "lorries"),
            ("search.saved", "Ünder"),
            ("search.saved", "lorries"),
            ("search.removed", "lorries"),
        ]

    def test_each_person_names_saved_searches_for_themselves(self, ledger: Ledger) -> None:
        for who in ("ana@here", "ben@here"):
            with acting_as(who):
                ledger.save_search("red", {"words": who})
        with acting_as("ana@here"):
            assert ledger.saved_search("red").query == {"words": "ana@here"}
            assert ledger.saved_search("red", of="ben@here").query == {"words": "ben@here"}
            assert ledger.save_search("red", {"words": "anew"}, replace=True).who == "ana@here"
            with pytest.raises(SettingsError, match="'red' already"):
                ledger.save_search("red", {})
        with acting_as("cem@here"), pytest.raises(SettingsError, match="'red' of ana@here, ben@here; say whose"):
            ledger.saved_search("red")
        with acting_as("ana@here"):
            ledger.remove_saved_search("red")
            assert ledger.saved_search("red").query == {"words": "ben@here"}, "the only one of others"
            with pytest.raises(SettingsError, match="You have no saved search named 'red'; there is one of ben@here"):
                ledger.remove_saved_search("red")
            assert [(item.name, item.who) for item in ledger.saved_searches()] == [("red", "ben@here")]
            ledger.remove_saved_search("red", of="ben@here")
        assert ledger.saved_searches() == []

    def test_names_and_sizes_of_searches_that_are_not_kept_are_refused(
        self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("", " x", "a\nb", "x" * 201):
            with pytest.raises(SettingsError, match="saved search"):
                ledger.save_search(name, {})
        monkeypatch.setattr(searches, "_LONGEST_QUERY", 100)
        with pytest.raises(SettingsError, match="at most 100 are kept"):
            ledger.save_search("large", {"text": "x" * 100})
        assert ledger.saved_searches() == [] and ledger.audit_trail() == []

    def test_the_latest_searches_are_remembered_and_can_be_forgotten(self, ledger: Ledger) -> None:
        for number in range(5):
            record = ledger.record_search({"words": str(number)}, by="likeness", results=number, seconds=0.5, most=3)
        assert (record.query, record.by, record.results, record.seconds) == ({"words": "4"}, "likeness", 4, 0.5)
        assert [item.query["words"] for item in ledger.search_history()] == ["4", "3", "2"]
        assert ledger.search_history(1) == [record]
        assert ledger.audit_trail() == []
        assert ledger.clear_search_history() == 3
        assert ledger.search_history() == []
        (told,) = ledger.audit_trail()
        assert (told.action, told.details) == ("search_history.cleared", {"searches": 3})
        again = ledger.record_search({"words": "new"}, by="copies", results=0, seconds=0.1, most=3)
        assert ledger.search_history() == [again]

    # --- Runs ---

    def test_a_run_is_recorded_from_start_to_end(self, ledger: Ledger) -> None:
        location = ledger.add_location("pics", "/a", {})
        run = ledger.start_run("index", location.location_id, {"workers": 2})
        assert (run.state, run.finished_at, run.settings) == (RunState.RUNNING, None, {"workers": 2})
        done = ledger.finish_run(run.run_id, "failed", {"objects": 3}, message="no space")
        assert (done.state, done.figures, done.message) == (RunState.FAILED, {"objects": 3}, "no space")
        assert done.finished_at is not None
        assert done.finished_at >= done.started_at
        everywhere = ledger.start_run("match", None, {})
        masked = ledger.finish_run(run.run_id, "failed", {"objects": 3}, message="GET https://h/?sig=hunter22")
        assert masked.message == "GET https://h/?sig=***"
        done = ledger.finish_run(run.run_id, "failed", {"objects": 3}, message="no space")
        assert ledger.runs(location) == [done]
        assert ledger.runs() == [everywhere, done]
        with pytest.raises(SettingsError, match="finished, interrupted, failed"):
            ledger.finish_run(run.run_id, "running", {})
        with pytest.raises(UnknownNameError):
            ledger.finish_run("no such run", "finished", {})
        with pytest.raises(UnknownNameError):
            ledger.start_run("index", "no such location", {})

    def test_a_run_on_another_machine_lives_while_its_lease_is_fresh(self, ledger: Ledger) -> None:
        location = ledger.add_location("pics", "/a", {})
        run = ledger.start_run("index", location, {}, holder=STRANGER)
        ledger.start_run("index", location, {}, stale_seconds=60)
        assert ledger.runs(location)[-1].state == RunState.RUNNING, "it may be about to take the lease"
        with ledger.lease(location, STRANGER, run.run_id, stale_seconds=60):
            ledger.start_run("index", location, {}, stale_seconds=60)
            assert ledger.runs(location)[-1].state == RunState.RUNNING
        ledger.start_run("index", location, {}, stale_seconds=0)
        assert ledger.runs(location)[-1].state == RunState.INTERRUPTED

    # --- Leases ---

    def test_a_held_lease_is_refused_with_name_and_age(self, ledger: Ledger) -> None:
        location = ledger.add_location("pics", "/a", {})
        with ledger.leased_run("index", location, {}) as (lease, run):
            lease.check()
            with (
                pytest.raises(LeaseHeldError) as caught,
                ledger.leased_run("index", location, {}),
            ):
                pytest.fail("two leases on one location")
            assert caught.value.location == "pics"
            assert caught.value.holder == current_holder().partition(" (")[0]
            assert 0 <= caught.value.age_seconds < 60
            assert [item.run_id for item in ledger.runs()] == [run.run_id], "the refused run left no row"
            other = ledger.add_location("other", "/b", {})
            with ledger.leased_run("index", other, {}):
                pass
        with ledger.leased_run("index", location, {}):
            pass

    def test_the_lease_is_given_back_when_the_work_fails(self, ledger: Ledger) -> None:
        location = ledger.add_location("pics", "/a", {})
        with pytest.raises(ZeroDivisionError), ledger.leased_run("index", location, {}):
            raise ZeroDivisionError
        with ledger.leased_run("index", location, {}):
            pass

    def test_the_heartbeat_keeps_a_lease_that_would_go_stale(self, url: str, ledger: Ledger) -> None:
        location = ledger.add_location("pics", "/a", {})
        run = ledger.start_run("index", location, {})
        engine = create_engine(ledger_address(url))
        with ledger.lease(location, STRANGER, run.run_id, stale_seconds=0.6):
            beats = {self.heartbeat(engine)}
            deadline = time.monotonic() + 30
            while len(beats) < 4 and time.monotonic() < deadline:
                beats.add(self.heartbeat(engine))
        assert len(beats) == 4
        engine.dispose()

    @staticmethod
    def heartbeat(engine: Any) -> str:
        with engine.connect() as connection:
            return str(connection.execute(text("SELECT heartbeat_at FROM leases")).scalar_one())

    def test_of_many_processes_exactly_one_wins(self, url: str, ledger: Ledger, worker: Callable[..., Any]) -> None:
        location = ledger.add_location("pics", "/a", {})
        workers = [worker(url, location.location_id) for _ in range(4)]
        assert [each.says() for each in workers] == ["ready"] * 4
        for each in workers:
            each.tell()
        answers = sorted(each.says() for each in workers)
        assert answers[0] == "held"
        assert all(answer.startswith("refused LeaseHeldError: Location 'pics'") for answer in answers[1:])
        states = {run.state for run in ledger.runs()}
        assert states == {RunState.RUNNING}, "none of the living was taken for dead"

    def test_a_killed_holder_is_stale_at_once(self, url: str, ledger: Ledger, worker: Callable[..., Any]) -> None:
        location = ledger.add_location("pics", "/a", {})
        other = worker(url, location.location_id, 3600)
        assert other.says() == "ready"
        other.tell()
        assert other.says() == "held"
        with pytest.raises(LeaseHeldError), ledger.leased_run("index", location, {}, stale_seconds=3600):
            pytest.fail("two leases on one location")
        other.process.send_signal(signal.SIGKILL)
        other.process.wait()
        with ledger.leased_run("index", location, {}, stale_seconds=3600) as (lease, run):
            lease.check()
        killed = ledger.runs()[-1]
        assert killed.run_id != run.run_id
        assert (killed.state, killed.message) == (
            RunState.INTERRUPTED,
            "the process ended without finishing the run",
        )

    def test_a_holder_that_slept_learns_that_it_lost(
        self, url: str, ledger: Ledger, worker: Callable[..., Any]
    ) -> None:
        location = ledger.add_location("pics", "/a", {})
        other = worker(url, location.location_id, 0.9, STRANGER)
        assert other.says() == "ready"
        other.tell()
        assert other.says() == "held"
        other.tell()
        assert other.says() == "ours"
        other.process.send_signal(signal.SIGSTOP)
        run = ledger.start_run("index", location, {})
        deadline = time.monotonic() + 60
        while True:
            try:
                with ledger.lease(location, current_holder(), run.run_id, stale_seconds=0.9) as lease:
                    other.process.send_signal(signal.SIGCONT)
                    other.tell()
                    assert other.says().startswith("lost LeaseHeldError: Location 'pics'")
                    lease.check()
                    assert not lease.lost.is_set()
                break
            except LeaseHeldError:
                assert time.monotonic() < deadline, "a stale lease was never taken over"
        other.end()
        # What the loser does at its end leaves the winner's lease alone.
        with ledger.leased_run("index", location, {}):
            pass

    def test_a_lease_whose_row_is_gone_is_lost(self, url: str, ledger: Ledger) -> None:
        location = ledger.add_location("pics", "/a", {})
        engine = create_engine(ledger_address(url))
        with ledger.leased_run("index", location, {}, stale_seconds=0.06) as (lease, _run):
            with engine.begin() as connection:
                connection.execute(text("DELETE FROM leases"))
            assert lease.lost.wait(30)
            with pytest.raises(WorkspaceError, match="could not be kept"):
                lease.check()
        engine.dispose()


class TestSqlite(LedgerConformance):
    """SQLite in a file."""

    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url

    def backed_up(self, copy: Path) -> list[dict[str, Any]]:
        assert copy.suffix == ".sqlite"
        with closing(sqlite3.connect(copy)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM locations")]


class TestPostgres(LedgerConformance):
    """A real PostgreSQL server."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    def backed_up(self, copy: Path) -> list[dict[str, Any]]:
        names = ["alembic_version.00000.jsonl", "audit.00000.jsonl", "locations.00000.jsonl"]
        assert sorted(path.name for path in copy.iterdir()) == names
        return [json.loads(line) for line in (copy / names[-1]).read_text(encoding="utf-8").splitlines()]
