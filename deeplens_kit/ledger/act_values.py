"""What the ledger gives of plans and of what was done by them: frozen values without a connection behind them.

Takes nothing from other modules; must not read or write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = [
    "LIVE_PLANS",
    "Application",
    "ApplicationState",
    "AuditVerdict",
    "Hold",
    "JournalEntry",
    "JournalPhase",
    "PlanApproval",
    "PlanRecord",
    "PlanState",
    "QuarantineState",
    "QuarantinedFile",
]


class PlanState(StrEnum):
    """How a plan stands. `SUPERSEDED`: another one, refreshed or trimmed, took its place."""

    DRAFT = "draft"
    APPROVED = "approved"
    REFUSED = "refused"
    APPLYING = "applying"
    APPLIED = "applied"
    UNDONE = "undone"
    SUPERSEDED = "superseded"


LIVE_PLANS = frozenset(PlanState) - {PlanState.SUPERSEDED}
"""How a plan stands whose place no other took."""


class ApplicationState(StrEnum):
    """How the application of a plan stands. `HALTED`: too many failures or skips. `UNDOING`: it is being undone."""

    RUNNING = "running"
    PAUSED = "paused"
    HALTED = "halted"
    FINISHED = "finished"
    UNDOING = "undoing"
    UNDONE = "undone"


class JournalPhase(StrEnum):
    """What a line of the journal says of an operation. Only `BEGUN` leaves open what the storage holds now."""

    BEGUN = "begun"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class QuarantineState(StrEnum):
    """What became of a file in quarantine. `MISSING`: it is not where it was put, and nobody here took it."""

    HELD = "held"
    RESTORED = "restored"
    EMPTIED = "emptied"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class PlanApproval:
    """A person's yes or no to a plan exactly as it stood.

    Attributes:
        plan_id: The plan.
        steps_digest: SHA-256 of its steps then; it counts only while they have it.
        approved: Yes or no.
        who: As user@host.
        at: UTC.
        note: May be empty.
    """

    plan_id: str
    steps_digest: str
    approved: bool
    who: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan without its steps.

    Attributes:
        plan_id: 8 hexadecimal digits, random; how people name it.
        kind: duplicates, retention, references, storage ...
        state: How it stands.
        author: Who made it, as user@host.
        created_at: UTC.
        document: What it was made from (rule, keep policy, tiers, locations, versions), totals; as JSON can hold it.
        steps_digest: SHA-256 of its steps.
        steps: How many.
        replaces: The plan that it was refreshed or trimmed from; empty for none.
        approvals: Every yes and no, the oldest first.
        replaced_by: Of one that is superseded, the plan that stands in its place now; else empty.
    """

    plan_id: str
    kind: str
    state: PlanState
    author: str
    created_at: datetime
    document: Mapping[str, Any]
    steps_digest: str
    steps: int
    replaces: str = ""
    approvals: tuple[PlanApproval, ...] = ()
    replaced_by: str = ""


@dataclass(frozen=True, slots=True)
class Application:
    """One applying of a plan.

    Attributes:
        application_id: 8 hexadecimal digits, random.
        plan_id: The plan.
        state: How it stands.
        who: As user@host.
        started_at: UTC.
        finished_at: UTC; None while it runs, or where its process is gone.
        figures: Counts and bytes, as JSON can hold them.
        message: Why it ended early; may be empty.
        settings: By which it is applied.
    """

    application_id: str
    plan_id: str
    state: ApplicationState
    who: str
    started_at: datetime
    finished_at: datetime | None
    figures: Mapping[str, Any]
    message: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A line of the journal: of one operation of one step, before it happens (`BEGUN`) and after it.

    Attributes:
        step: Of the plan.
        operation: What is done: quarantine, place, create, empty, restore ... and "undo." before what undoes one.
        phase: Before or after, and how it went.
        code: Of a skip or failure, stable; else empty.
        message: Why, in a sentence; else empty.
        facts: What it takes to finish or undo it (paths, tokens, digests, times, metadata), as JSON can hold it.
        sequence: Of the application, from 0; given by the ledger.
        at: UTC; given by the ledger.
    """

    step: int
    operation: str
    phase: JournalPhase
    code: str = ""
    message: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = -1
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A file that was moved to quarantine.

    Attributes:
        item_id: 16 hexadecimal digits, random: there may be millions.
        application_id: Which moved it.
        step: Of its plan.
        location_id: Where it is, and was.
        path: Where it was, encoded.
        quarantine_path: Where it is, encoded.
        digest: SHA-256 of its bytes.
        size_bytes: Bytes.
        token: Its change token in quarantine.
        keeper_location_id: Of the copy that stays; None where the step had none.
        keeper_path: Of it.
        keeper_digest: Of it.
        keeper_token: Its change token when the file was moved.
        kept: What the original had beside its bytes (times, permissions, metadata, tags), as JSON can hold it.
        state: What became of it.
        moved_at: UTC.
        expires_at: UTC; None: never by itself.
    """

    item_id: str
    application_id: str
    step: int
    location_id: str
    path: str
    quarantine_path: str
    digest: str
    size_bytes: int
    token: str
    keeper_location_id: str | None
    keeper_path: str | None
    keeper_digest: str | None
    keeper_token: str | None
    kept: Mapping[str, Any]
    state: QuarantineState
    moved_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: what it covers is never acted on, whatever a plan says.

    Attributes:
        hold_id: 8 hexadecimal digits, random.
        location_id: The location that it covers; None for all.
        glob: Of paths, as the option `include` of a location has it; empty for all of the location.
        digest: One picture, wherever it lies; empty for any.
        collection: A collection by name; empty for any.
        why: The reason.
        who: As user@host.
        at: UTC.
        released_at: UTC; None while it holds.
        released_by: Who; None while it holds.
    """

    hold_id: str
    location_id: str | None
    glob: str
    digest: str
    collection: str
    why: str
    who: str
    at: datetime
    released_at: datetime | None = None
    released_by: str | None = None


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Whether the audit trail and the journals are as they were written.

    Attributes:
        lines: Of the audit trail.
        head: The digest of its last line; 64 zeros where it has none.
        first_broken: The first line that does not hold: its place in the trail from 1, or its sequence in the journal
            of `application_id`; None where every line holds.
        reason: What is wrong there, in a sentence; empty where nothing is.
        application_id: The application whose journal is broken; empty where the trail is, or nothing.
        journal_lines: Lines of all journals.
    """

    lines: int
    head: str
    first_broken: int | None
    reason: str
    application_id: str = ""
    journal_lines: int = 0

    @property
    def intact(self) -> bool:
        """Whether every line does."""
        return self.first_broken is None
