"""What people said of a picture is taken out of the ledger, and what was done stays proved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger import JournalEntry, JournalPhase, Ledger, NoteChange, OutboxEvent, QuarantineState
from deeplens_kit.ledger.forgetting import BLANK
from tests.ledger.test_ledger_acts import held, started

Maker = Callable[..., Ledger]
A, B, C = (letter * 64 for letter in "abc")
BEGUN, DONE, _, FAILED = JournalPhase


class ForgettingConformance:
    """Inherited once per database."""

    @pytest.fixture
    def ledger(self, url: str, made: Maker) -> Ledger:
        return made(url)

    def test_a_picture_is_forgotten_and_others_are_not(self, ledger: Ledger) -> None:
        place = ledger.add_location("pics", "/a")
        for name, digest in (("a.jpg", A), ("b.jpg", B)):
            ledger.annotate(place, name, digest, NoteChange("sea", ("tag",), f"shown: {name}", source="a scan"))
        pairs = pl.DataFrame({"digest_a": [A, B], "digest_b": [B, C]})
        ledger.record_labels(pairs.with_columns(verdict=pl.lit("same"), note=pl.lit("private")))
        sample = ledger.add_label_sample("drawn", 1, {}, pairs.with_columns(stratum=pl.lit("x")))
        ordered = pairs.rename({"digest_a": "keeper_digest", "digest_b": "member_digest"})
        ledger.record_decisions(ordered.with_columns(kind=pl.lit("approved"), why=pl.lit("private")))
        ledger.save_search("like a", {"terms": [{"digest": A}]})
        ledger.save_search("like b", {"terms": [{"digest": B}]})
        ledger.record_search({"terms": [{"digest": A}]}, by="likeness", results=1, seconds=0.1, most=9)
        ledger.record_watched(None, [OutboxEvent("1", "copies", "x", {"d": A}), OutboxEvent("2", "copies", "x", {})])
        application = started(ledger)
        gone = replace(held(application, place.location_id, "1" * 16), digest=A, keeper_digest=B)
        other = replace(held(application, place.location_id, "2" * 16), digest=B, keeper_digest=A)
        done = JournalEntry(1, "quarantine", DONE, facts={"digest": A})
        ledger.append_journal(application.application_id, [done], held=[gone, other])
        ledger.append_journal(
            application.application_id,
            [done],
            changed={gone.item_id: QuarantineState.EMPTIED, other.item_id: QuarantineState.RESTORED},
        )
        ledger.rate("f" * 64, A, "fits", query={"terms": []})
        ledger.rate("f" * 64, B, "fits", query={"terms": []})
        job = ledger.enqueue("thumbnails", {"digests": [A]})
        with pytest.raises(SettingsError, match=job.job_id):
            ledger.forget_digest(A)
        ledger.cancel_job(job.job_id)
        before = ledger.decisions_version()

        counts = ledger.forget_digest(A)
        assert counts == {
            "labels": 1, "label_sample_items": 1, "decisions": 1, "notes": 1, "searches": 2, "ratings": 1,
            "events": 1, "jobs": 1, "requests": 0, "quarantine": 2,
        }  # fmt: skip
        assert [note.digest for note in ledger.notes()] == [B]
        assert [rating.digest for rating in ledger.ratings()] == [B]
        assert ledger.labels()["digest_b"].to_list() == [C]
        assert ledger.label_items(sample.sample_id)["position"].to_list() == [1]
        assert ledger.decisions()["keeper_digest"].to_list() == [B]
        assert ledger.decisions_version() != before, "what was made from them is made anew"
        blanked = ledger.decisions(withdrawn=True).filter(pl.col("keeper_digest") == BLANK)
        assert blanked["why"].to_list() == [""] and blanked["withdrawn_at"].null_count() == 0
        assert [item.name for item in ledger.saved_searches()] == ["like b"] and ledger.search_history() == []
        assert [event.event_id for event in ledger.undelivered("copies")] == ["2"]
        found = ledger.quarantined_file(gone.item_id)
        assert (found.path, found.quarantine_path, found.kept, found.digest) == ("", "", {}, A)
        found = ledger.quarantined_file(other.item_id)
        assert (found.path, found.keeper_path, found.digest) == (other.path, "", B)
        assert ledger.audit_trail()[-1].details == {"digest": A, **counts}
        assert ledger.verify_audit().intact and ledger.verify_audit().journal_lines == 2
        assert set(ledger.forget_digest(A).values()) == {0, 2}, "again: nothing but the blank rows"

    def test_traces_are_found_column_by_column(self, ledger: Ledger) -> None:
        place = ledger.add_location("pics", "/a")
        ledger.annotate(place, "a.jpg", A, NoteChange(description="her"))
        ledger.record_search({"terms": [A, A]}, by="likeness", results=1, seconds=0.1, most=9)
        before = {(item.table, item.column): (item.rows, item.times) for item in ledger.traces(A)}
        assert before["search_history", "query"] == (1, 2) and before["object_notes", "digest"] == (1, 1)
        assert ledger.traces(C) == []
        ledger.forget_digest(A, "asked for")
        ledger.purge()
        assert {item.table for item in ledger.traces(A)} == {"audit"}
        assert ledger.audit_trail()[-1].details["why"] == "asked for"

    def test_the_trail_holds_nothing_that_people_said(self, ledger: Ledger) -> None:
        place = ledger.add_location("pics", "/a")
        said = NoteChange(description="Ana, asleep", category="family", source="her phone")
        ledger.annotate(place, "a.jpg", A, said)
        ledger.record_labels(pl.DataFrame({"digest_a": [A], "digest_b": [B], "verdict": ["same"], "note": ["of Ana"]}))
        ledger.record_decisions(pl.DataFrame({"kind": ["never_propose"], "member_digest": [A], "why": ["of Ana"]},
                                             ).with_columns(keeper_digest=pl.lit(None, pl.String)))  # fmt: skip
        trail = str([line.details for line in ledger.audit_trail()])
        assert "Ana" not in trail and "family" not in trail and "her phone" not in trail
        assert ledger.audit_trail()[1].details["texts"] == ["description", "category", "source"]

    def test_what_is_held_is_not_forgotten(self, ledger: Ledger) -> None:
        place = ledger.add_location("pics", "/a")
        ledger.annotate(place, "a.jpg", A, NoteChange("sea"))
        hold = ledger.add_hold(digest=A, why="case 7")
        with pytest.raises(SettingsError, match=f"under hold {hold.hold_id}"):
            ledger.forget_digest(A)
        ledger.release_hold(hold.hold_id)
        application = started(ledger)
        item = replace(held(application, place.location_id, "1" * 16), digest=B, keeper_digest=A)
        ledger.append_journal(application.application_id, [JournalEntry(1, "quarantine", DONE)], held=[item])
        for digest in (A, B):
            with pytest.raises(SettingsError, match=item.item_id):
                ledger.forget_digest(digest)
        ledger.append_journal(application.application_id, [], changed={item.item_id: QuarantineState.RESTORED})
        # Killed in the middle of a move: the file may lie in quarantine already, and no row tells of it.
        for facts in ({"digest": A}, {"digest": C, "keeper": {"digest": A}}):
            ledger.append_journal(application.application_id, [JournalEntry(2, "quarantine", BEGUN, facts=facts)])
            for act in (ledger.require_forgettable, ledger.forget_digest):
                with pytest.raises(SettingsError, match=f"--resume {application.application_id}"):
                    act(A)
            ledger.append_journal(application.application_id, [JournalEntry(2, "quarantine", FAILED)])
        ledger.require_forgettable(A)
        for wrong in ("x", A.upper(), BLANK):
            with pytest.raises(SettingsError, match="64 hexadecimal digits"):
                ledger.forget_digest(wrong)
        assert len(ledger.notes()) == 1


class TestSqlite(ForgettingConformance):
    """SQLite in a file."""

    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


class TestPostgres(ForgettingConformance):
    """A real PostgreSQL server."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
