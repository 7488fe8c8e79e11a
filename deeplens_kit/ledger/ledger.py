"""The ledger: locations, runs and notes, who works on what, and who changed it.

Takes names, settings and figures and gives frozen values; must not read users' files or know of the catalog. Every
method is one transaction. SQLite by default, PostgreSQL for a team: the same code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from deeplens_kit.errors import WorkspaceError
from deeplens_kit.ledger import locations as location_rows
from deeplens_kit.ledger import notes as note_rows
from deeplens_kit.ledger import runs as run_rows
from deeplens_kit.ledger.access_records import AccessRecords
from deeplens_kit.ledger.act_records import ActRecords
from deeplens_kit.ledger.address import ledger_address, shown
from deeplens_kit.ledger.audit_records import AuditRecords
from deeplens_kit.ledger.backup import back_up
from deeplens_kit.ledger.copies import Copies
from deeplens_kit.ledger.decision_records import DecisionRecords
from deeplens_kit.ledger.engine import open_engine, writing
from deeplens_kit.ledger.faults import translated
from deeplens_kit.ledger.holder import current_holder, current_person
from deeplens_kit.ledger.job_records import JobRecords
from deeplens_kit.ledger.label_records import LabelRecords
from deeplens_kit.ledger.lease import Lease, take
from deeplens_kit.ledger.outbox_records import OutboxRecords
from deeplens_kit.ledger.preference_records import PreferenceRecords
from deeplens_kit.ledger.report_records import ReportRunRecords
from deeplens_kit.ledger.request_records import RequestRecords
from deeplens_kit.ledger.rule_records import RuleRecords
from deeplens_kit.ledger.schema import REVISIONS, SCHEMA_REVISION, migrate, require_current, revision_of
from deeplens_kit.ledger.search_records import SearchRecords
from deeplens_kit.ledger.values import (
    Collection,
    Location,
    NoteChange,
    ObjectNote,
    Run,
    RunState,
)

__all__ = ["STALE_SECONDS", "Ledger"]

# As settings.IndexSettings.lease_stale_seconds: for callers that have no settings.
STALE_SECONDS = 60.0


class Ledger(
    SearchRecords,
    RuleRecords,
    LabelRecords,
    DecisionRecords,
    ActRecords,
    ReportRunRecords,
    RequestRecords,
    AccessRecords,
    PreferenceRecords,
    OutboxRecords,
    AuditRecords,
    JobRecords,
    Copies,
):
    """What people and jobs did; safe to share between threads. Use as a context manager, or `close` it.

    Made by `create` or `open`.

    Attributes:
        schema_version: Revision of the tables that this release uses.
    """

    schema_version = SCHEMA_REVISION

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, shown(engine.url))

    def __repr__(self) -> str:
        return f"Ledger({self._place!r})"

    # --- Opening -----------------------------------------------------------------------------------------

    @classmethod
    def create(cls, url: str) -> Ledger:
        """Make an empty ledger and open it.

        Args:
            url: SQLAlchemy URL; a password is written as `${NAME}` and read from the environment.

        Raises:
            SettingsError: The URL cannot be used.
            WorkspaceError: There is a ledger already, the place cannot be written, or SQLite is on a network
                file system or an object store.
        """
        address = ledger_address(url)
        ledger = cls(open_engine(address))
        try:
            with translated("create", ledger._place):
                if address.get_backend_name() == "sqlite":
                    Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
                with writing(ledger._engine).begin() as connection:
                    if revision_of(connection) is not None:
                        raise WorkspaceError(f"There is a ledger at {ledger._place} already; open it, or name another.")
                    migrate(connection)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def open(cls, url: str) -> Ledger:
        """Open a ledger of this release's schema revision.

        Raises:
            SettingsError: The URL cannot be used.
            WorkspaceMissingError: There is no ledger.
            WorkspaceSchemaError: It is older (run `deeplens upgrade`) or newer.
            WorkspaceError: It cannot be reached.
        """
        ledger, found = cls._opened(url)
        try:
            require_current(found, ledger._place)
        except BaseException:
            ledger.close()
            raise
        return ledger

    @classmethod
    def upgrade(cls, url: str, backup_dir: str | Path) -> tuple[str, ...]:
        """Bring a ledger of an older revision to this release's: a backup, then all migrations or none.

        Returns:
            What was done, step by step; nothing where the ledger has this revision already.

        Raises:
            WorkspaceMissingError: There is no ledger.
            WorkspaceSchemaError: It is newer.
            WorkspaceError: It cannot be written; StoreFullError also when there is no space for the backup.
        """
        ledger, found = cls._opened(url)
        with ledger:
            if found == SCHEMA_REVISION:
                return ()
            if found not in REVISIONS:
                require_current(found, ledger._place)
            with translated("upgrade", ledger._place):
                copy = back_up(ledger._engine, Path(backup_dir), str(found))
                with writing(ledger._engine).begin() as connection:
                    migrate(connection)
        return (f"copied to {copy}", f"schema {found} to {SCHEMA_REVISION}")

    @classmethod
    def _opened(cls, url: str) -> tuple[Ledger, str | None]:
        address = ledger_address(url)
        ledger = cls(open_engine(address))
        try:
            with translated("open", ledger._place):
                # SQLite would make the file.
                if address.get_backend_name() == "sqlite" and not Path(str(address.database)).is_file():
                    return ledger, None
                with ledger._engine.connect() as connection:
                    return ledger, revision_of(connection)
        except BaseException:
            ledger.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- Locations ---------------------------------------------------------------------------------------

    def add_location(
        self, name: str, url: str, options: Mapping[str, object] | None = None, *, active: bool = True
    ) -> Location:
        """Add a location; see `locations.add` for what is refused."""
        with self._writing() as (session, now):
            return location_rows.add(session, name, url, options or {}, active, current_person(), now)

    def rename_location(self, name: str, new_name: str) -> Location:
        """Give a location another name; its id stays."""
        with self._writing() as (session, now):
            return location_rows.rename(session, name, new_name, current_person(), now)

    def set_location_active(self, name: str, active: bool) -> Location:
        """Take a location into the runs over all locations, or leave it out; nothing is forgotten."""
        with self._writing() as (session, now):
            return location_rows.set_active(session, name, active, current_person(), now)

    def set_location_options(
        self, name: str, options: Mapping[str, object], *, active: bool | None = None, new_name: str = ""
    ) -> Location:
        """Give a location other options, and another name, and take it in or leave it out: all of it or nothing."""
        with self._writing() as (session, now):
            who = current_person()
            changed = location_rows.set_options(session, name, options, who, now)
            if active is not None:
                changed = location_rows.set_active(session, name, active, who, now)
            return location_rows.rename(session, name, new_name, who, now) if new_name else changed

    def locations(self, *, inactive: bool = False) -> list[Location]:
        """The active locations by name, or all of them."""
        with self._reading() as session:
            return location_rows.listed(session, inactive=inactive)

    def location(self, name: str) -> Location:
        """The location of a name.

        Raises:
            UnknownNameError: There is none; the nearest name is suggested.
        """
        with self._reading() as session:
            return location_rows.frozen(location_rows.find(session, name))

    # --- Collections and notes ---------------------------------------------------------------------------

    def add_collection(self, name: str, description: str = "") -> Collection:
        """Add a collection; SettingsError where the name is taken or not allowed."""
        with self._writing() as (session, now):
            return note_rows.add_collection(session, name, description, current_person(), now)

    def collections(self) -> list[Collection]:
        """Every collection by name."""
        with self._reading() as session:
            return note_rows.collections(session)

    def annotate(
        self,
        location: Location | str,
        path: str,
        digest: str,
        change: NoteChange,
        *,
        moved_from: ObjectNote | None = None,
    ) -> ObjectNote:
        """Say something of an object, beside what was said of it before.

        Args:
            location: The location or its id.
            path: Its path there, encoded.
            digest: SHA-256 of its content; what was said of other content at this path is forgotten.
            change: What is to be said.
            moved_from: A note of this content whose object is no longer at its place: it comes along.

        Raises:
            SettingsError: A name, tag or text is not allowed.
        """
        with self._writing() as (session, now):
            place = self._found(session, location)
            return note_rows.annotate(session, place, path, digest, change, moved_from, current_person(), now)

    @staticmethod
    def check_note(change: NoteChange) -> None:
        """Refuse what `annotate` would refuse of any object, with a SettingsError; for whoever stores it first."""
        note_rows.check_change(change)

    def notes(self, digests: Iterable[str] | None = None) -> list[ObjectNote]:
        """What was said of objects with these contents, wherever they lie now; of all by default."""
        with self._reading() as session:
            return note_rows.listed(session, digests)

    def notes_version(self) -> tuple[int, ...]:
        """Equal values mean that no note or collection changed in between; under a millisecond."""
        with self._reading() as session:
            return note_rows.version(session)

    # --- Runs --------------------------------------------------------------------------------------------

    def start_run(
        self,
        kind: str,
        location: Location | str | None,
        settings: Mapping[str, object],
        *,
        holder: str | None = None,
        stale_seconds: float = STALE_SECONDS,
    ) -> Run:
        """Record that a run begins; runs there whose process is gone are marked as interrupted.

        Args:
            kind: What is run, for example "index".
            location: The location or its id; None for a run over all.
            settings: Its settings, as JSON can hold them.
            holder: Who runs it; this process by default.
            stale_seconds: A run on another machine whose lease is older than this is taken as gone.
        """
        with self._writing() as (session, now):
            location_id = self._location_id(session, location)
            run_rows.interrupt_dead(session, location_id, now, stale_seconds)
            return run_rows.start(session, kind, location_id, settings, holder or current_holder(), now)

    def finish_run(
        self, run_id: str, state: RunState | str, figures: Mapping[str, object] | None = None, message: str = ""
    ) -> Run:
        """Record the end of a run.

        Args:
            run_id: The run.
            state: How it ended: "finished", "interrupted" or "failed".
            figures: Its counts and coverage, as JSON can hold them.
            message: Why it ended early.

        Raises:
            SettingsError: The state is no end.
            UnknownNameError: There is no such run.
        """
        with self._writing() as (session, now):
            return run_rows.finish(session, run_id, state, figures or {}, message, now)

    def runs(self, location: Location | str | None = None) -> list[Run]:
        """Runs, the latest first; of all locations, or of one (or its id)."""
        with self._reading() as session:
            location_id = self._location_id(session, location)
            return run_rows.listed(session, location_id)

    def last_runs(self, kind: str) -> dict[str, Run]:
        """The run of a kind that began last at each location, by the location's id; reads no other."""
        with self._reading() as session:
            return run_rows.last(session, kind)

    def runs_version(self) -> tuple[int, int, str]:
        """Equal values mean that no run has begun or ended in between; milliseconds, however many there were."""
        with self._reading() as session:
            return run_rows.version(session)

    # --- Leases ------------------------------------------------------------------------------------------

    @contextmanager
    def lease(
        self, location: Location | str, holder: str, run_id: str, stale_seconds: float = STALE_SECONDS
    ) -> Iterator[Lease]:
        """Hold the lease on a location while the block runs.

        Args:
            location: The location or its id.
            holder: `current_holder()`.
            run_id: The run that it is for.
            stale_seconds: A lease without heartbeat for longer than this is taken over; ours beats six times in it.

        Raises:
            LeaseHeldError: A live process has it.
        """
        with self._writing() as (session, now):
            place = self._found(session, location)
            take(session, place, holder, run_id, stale_seconds, now)
        with Lease(self._writing, place, holder, run_id, stale_seconds) as lease:
            yield lease

    @contextmanager
    def leased_run(
        self,
        kind: str,
        location: Location | str,
        settings: Mapping[str, object],
        *,
        stale_seconds: float = STALE_SECONDS,
    ) -> Iterator[tuple[Lease, Run]]:
        """Start a run and hold the lease on its location, both or neither; the caller finishes the run.

        Raises:
            LeaseHeldError: A live process has the lease; no run is recorded.
        """
        holder = current_holder()
        with self._writing() as (session, now):
            place = self._found(session, location)
            run = run_rows.start(session, kind, place.location_id, settings, holder, now)
            take(session, place, holder, run.run_id, stale_seconds, now)
            run_rows.interrupt_dead(session, place.location_id, now, stale_seconds)
        with Lease(self._writing, place, holder, run.run_id, stale_seconds) as lease:
            yield lease, run

    # --- Inside ------------------------------------------------------------------------------------------

    def _location_id(self, session: Session, location: Location | str | None) -> str | None:
        return None if location is None else self._found(session, location).location_id

    def _found(self, session: Session, location: Location | str) -> Location:
        name = location if isinstance(location, str) else location.location_id
        return location_rows.frozen(location_rows.find_any(session, name))
