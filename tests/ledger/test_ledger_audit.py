"""The audit trail and the journals as chains: what was altered, removed, put in or moved is found, and where."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from deeplens_kit.errors import AuditBrokenError, SettingsError
from deeplens_kit.ledger import AuditVerdict, JournalEntry, JournalPhase, Ledger, NoteChange, audit_check, audit_records
from deeplens_kit.ledger.address import ledger_address
from deeplens_kit.ledger.audit import content
from deeplens_kit.ledger.chain import BEGINNING, line_digest

Maker = Callable[..., Ledger]
DONE = JournalPhase.DONE


TRAIL: list[tuple[list[str], int, str]] = [
    (["UPDATE audit SET who = 'eve@elsewhere' WHERE sequence = 3"], 3, "altered, put in or moved"),
    (["UPDATE audit SET digest = '00' WHERE sequence = 2"], 2, "altered, put in or moved"),
    (["DELETE FROM audit WHERE sequence = 3"], 3, "the line is missing; the next that is there is line 4"),
    (["DELETE FROM audit WHERE sequence >= 4"], 4, "missing, as are all to the last, which is line 5"),
    (["DELETE FROM audit"], 1, "missing, as are all to the last, which is line 5"),
    (
        [
            "UPDATE audit SET sequence = 99 WHERE sequence = 2",
            "UPDATE audit SET sequence = 2 WHERE sequence = 3",
            "UPDATE audit SET sequence = 3 WHERE sequence = 99",
        ],
        2,
        "altered, put in or moved",
    ),
    (
        ["INSERT INTO audit SELECT 99, at, who, action, details, 6, digest FROM audit WHERE sequence = 5"],
        6,
        "altered, put in or moved",
    ),
    (
        ["DELETE FROM audit WHERE sequence = 5", "UPDATE chain_heads SET lines = 4"],
        4,
        "not the one that the head",
    ),
    (["UPDATE audit SET details = '[1]' WHERE sequence = 4"], 4, "cannot be read"),
    (["DELETE FROM chain_heads"], 1, "how many lines there are is gone"),
]
"""What is done to a trail of five lines, the line that is found, and what is said of it."""

JOURNAL: list[tuple[list[str], int, str]] = [
    (["UPDATE journal SET step = 7 WHERE sequence = 1"], 1, "altered, put in or moved"),
    (["UPDATE journal SET phase = 'dnoe' WHERE sequence = 2"], 2, "cannot be read"),
    (["DELETE FROM journal WHERE sequence = 1"], 1, "missing; the next that is there is line 2"),
    (["DELETE FROM journal WHERE sequence = 3"], 3, "missing, as are all to the last, which is line 3"),
    (
        ["DELETE FROM journal WHERE sequence = 3", "UPDATE applications SET journal_lines = 3"],
        3,
        "the audit trail tells of 4 lines",
    ),
    (["UPDATE applications SET journal_digest = '00'"], 3, "not the one that the application has"),
    (["UPDATE applications SET journal_lines = 3"], 3, "put in after the last line, which is line 2"),
]
"""The same of a journal of four lines, of which the trail tells."""


def tampered(engine: Engine, acts: list[str]) -> AuditVerdict:
    """The verdict in a transaction that is taken back."""
    with Session(engine) as session:
        for act in acts:
            session.execute(text(act))
        verdict = audit_check.check(session)
        session.rollback()
    return verdict


class AuditConformance:
    """Inherited once per database."""

    @pytest.fixture
    def ledger(self, url: str, made: Maker) -> Ledger:
        return made(url)

    @pytest.fixture
    def engine(self, url: str, ledger: Ledger) -> Iterator[Engine]:
        """Whoever has the database and knows nothing of us."""
        engine = create_engine(ledger_address(url))
        yield engine
        engine.dispose()

    def opened(self, engine: Engine, table: str) -> None:
        """Somebody takes away what refuses changes."""
        names = [f"{table}_no_update", f"{table}_no_delete"] if engine.dialect.name == "sqlite" else []
        with engine.begin() as connection:
            for name in names:
                connection.execute(text(f"DROP TRIGGER {name}"))
            if not names:
                connection.execute(text(f"DROP TRIGGER {table}_append_only ON {table}"))

    def applied(self, ledger: Ledger) -> str:
        plan = ledger.save_plan("duplicates", {}, [], "5" * 64, 0)
        ledger.approve_plan(plan.plan_id, "5" * 64)
        key = ledger.start_application(plan.plan_id, "5" * 64, {}).application_id
        ledger.append_journal(key, [JournalEntry(step, "quarantine", DONE) for step in range(4)])
        return key

    # --- The trail ---

    def test_each_line_holds_the_digest_of_what_it_says_and_of_the_line_before(self, ledger: Ledger) -> None:
        assert ledger.verify_audit() == AuditVerdict(0, BEGINNING, None, "")
        for number in range(3):
            ledger.record_audit("quarantine.emptied", {"files": number, "share": 0.1, "who": ("é", None)})
        before = BEGINNING
        for place, line in enumerate(ledger.audit_trail(), 1):
            before = line_digest(before, content(place, line.at, line.who, line.action, line.details))
            assert (line.sequence, line.digest) == (place, before)
        assert ledger.audit_head() == (3, before)
        verdict = ledger.verify_audit()
        assert (verdict.intact, verdict.lines, verdict.head) == (True, 3, before)
        with pytest.raises(SettingsError, match="1 to 50"):
            ledger.record_audit("x" * 51, {})

    def test_the_form_that_is_digested_never_changes(self) -> None:
        at = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
        said = content(1, at, "ana@studio", "x", {"b": [1.5, None], "a": "é"})
        # Counted once with hashlib and the text below; another value would break every ledger that there is.
        # {"action":"x","at":"2026-02-03T04:05:06.000789+00:00","details":{"a":"\u00e9","b":[1.5,null]},"sequence":1,...
        assert line_digest(BEGINNING, said) == "69292118e9e9d3183b968bf563322c7336101407a9e027fd128c456a7c70e526"

    def test_the_database_itself_refuses_to_change_or_remove_lines(self, engine: Engine, ledger: Ledger) -> None:
        self.applied(ledger)
        for table in ("audit", "journal"):
            for act in (f"UPDATE {table} SET digest = 'x'", f"DELETE FROM {table}"):
                with pytest.raises(DBAPIError, match="never changed or removed"), engine.begin() as connection:
                    connection.execute(text(act))
        assert ledger.verify_audit().intact

    def test_a_trail_that_was_tampered_with_is_found_with_the_line(self, engine: Engine, ledger: Ledger) -> None:
        for number in range(5):
            ledger.record_audit("quarantine.emptied", {"files": number})
        self.opened(engine, "audit")
        for acts, line, reason in TRAIL:
            verdict = tampered(engine, acts)
            assert (verdict.intact, verdict.first_broken) == (False, line), (acts, verdict)
            assert reason in verdict.reason, acts
        assert ledger.verify_audit().intact

    def test_a_trail_made_anew_lacks_the_digest_that_was_written_down(self, engine: Engine, ledger: Ledger) -> None:
        for number in range(3):
            ledger.record_audit("quarantine.emptied", {"files": number})
        written_down = ledger.audit_head()[1]
        ledger.record_audit("quarantine.emptied", {"files": 9})
        assert ledger.verify_audit(written_down).intact
        self.opened(engine, "audit")
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM audit"))
            connection.execute(text(f"UPDATE chain_heads SET lines = 0, digest = '{BEGINNING}'"))
        for number in range(4):
            ledger.record_audit("quarantine.emptied", {"files": number + 1})
        assert ledger.verify_audit().intact, "it is a chain"
        verdict = ledger.verify_audit(written_down)
        assert not verdict.intact and "made anew" in verdict.reason

    def test_nothing_is_written_without_the_head(self, engine: Engine, ledger: Ledger) -> None:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM chain_heads"))
        with pytest.raises(AuditBrokenError, match="lost its head"):
            ledger.add_location("pics", "/a")
        with pytest.raises(AuditBrokenError):
            ledger.audit_head()
        assert ledger.locations() == []

    def test_writers_beside_each_other_make_one_chain(self, url: str, ledger: Ledger, made: Maker) -> None:
        place = ledger.add_location("pics", "/a")
        for number in range(4):
            ledger.annotate(place, f"{number}.jpg", "d" * 64, NoteChange(f"c{number}"))
        ledgers = [made(url, new=False) for _ in range(4)]
        together = threading.Barrier(4)

        def write(own: Ledger, number: int) -> None:
            together.wait()
            for turn in range(4):
                # The same rows in another order: who locked the head before them would wait for ever.
                own.annotate(place, f"{(turn + number) % 4}.jpg", "d" * 64, NoteChange(f"c{turn}", (f"t{number}",)))

        threads = [threading.Thread(target=write, args=(own, number)) for number, own in enumerate(ledgers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        verdict = ledger.verify_audit()
        assert (verdict.intact, verdict.lines) == (True, 1 + 8 + 16), verdict

    def test_lines_are_found_by_person_action_and_time(self, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        ledger.add_location("pics", "/a")
        ledger.record_audit("plan.saved", {})
        monkeypatch.setattr(audit_records, "current_person", lambda: "eve@elsewhere")
        ledger.record_audit("planet.found", {})
        ledger.record_audit("plan.approved", {})
        assert [line.action for line in ledger.audit_trail(action="plan")] == ["plan.saved", "plan.approved"]
        assert [line.action for line in ledger.audit_trail(action="plan.saved")] == ["plan.saved"]
        assert [line.action for line in ledger.audit_trail(who="eve@elsewhere")] == ["planet.found", "plan.approved"]
        assert [line.sequence for line in ledger.audit_trail(limit=2)] == [3, 4]
        now = datetime.now(UTC)
        assert ledger.audit_trail(since=now + timedelta(hours=1)) == []
        assert len(ledger.audit_trail(since=now - timedelta(hours=1))) == 4

    # --- Journals and approvals ---

    def test_a_journal_that_was_tampered_with_is_found_with_the_line(self, engine: Engine, ledger: Ledger) -> None:
        key = self.applied(ledger)
        ledger.set_application(key, "finished")
        assert ledger.verify_audit().journal_lines == 4
        self.opened(engine, "journal")
        for acts, line, reason in JOURNAL:
            verdict = tampered(engine, acts)
            found = (verdict.intact, verdict.application_id, verdict.first_broken)
            assert found == (False, key, line), (acts, verdict)
            assert reason in verdict.reason, acts
        assert ledger.verify_audit().intact

    def test_a_journal_made_anew_is_found_by_the_trail(self, engine: Engine, ledger: Ledger) -> None:
        key = self.applied(ledger)
        ledger.set_application(key, "finished")
        self.opened(engine, "journal")
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM journal"))
            connection.execute(text(f"UPDATE applications SET journal_lines = 0, journal_digest = '{BEGINNING}'"))
        ledger.append_journal(key, [JournalEntry(step, "place", DONE) for step in range(4)])
        verdict = ledger.verify_audit()
        assert (verdict.application_id, verdict.first_broken) == (key, 3) and "made anew" in verdict.reason

    def test_what_the_trail_does_not_tell_of_is_found(self, engine: Engine, ledger: Ledger) -> None:
        key = self.applied(ledger)
        plan_id = ledger.application(key).plan_id
        at: dict[str, Any] = {"at": "2026-01-01 00:00:00"}
        approval = "INSERT INTO plan_approvals (plan_id, steps_digest, approved, who, at, note) VALUES "
        with engine.begin() as connection:
            connection.execute(text(f"{approval} ('{plan_id}', '{'5' * 64}', true, 'eve@x', :at, '')"), at)
        assert "has an approval of eve@x" in ledger.verify_audit().reason
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM plan_approvals WHERE who = 'eve@x'"))
            connection.execute(
                text("INSERT INTO applications SELECT 'ffff', plan_id, state, who, started_at, finished_at, settings, "
                     "figures, message, journal_lines, journal_digest FROM applications")
            )  # fmt: skip
        assert "application ffff began without a line" in ledger.verify_audit().reason

    def test_an_application_that_is_gone_is_missed(self, engine: Engine, ledger: Ledger) -> None:
        key = self.applied(ledger)
        self.opened(engine, "journal")
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM journal"))
            connection.execute(text("DELETE FROM applications"))
        verdict = ledger.verify_audit()
        assert verdict.first_broken == 3 and f"application {key}, which is gone" in verdict.reason


class TestSqlite(AuditConformance):
    """SQLite in a file."""

    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url

    def test_what_is_no_json_and_no_time_is_found_too(self, engine: Engine, ledger: Ledger) -> None:
        for number in range(5):
            ledger.record_audit("quarantine.emptied", {"files": number})
        self.opened(engine, "audit")
        for column in ("details", "at"):
            verdict = tampered(engine, [f"UPDATE audit SET {column} = '{{' WHERE sequence = 4"])
            assert (verdict.first_broken, verdict.lines) == (4, 5) and "cannot be read" in verdict.reason


class TestPostgres(AuditConformance):
    """A real PostgreSQL server."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url
