"""What people said of one picture, taken out of the ledger for good.

Takes a session and a digest and gives counts; must not commit (the ledger does), or touch the audit trail, a journal or
a plan: those tell what was done, by digests and places, and would not hold any more. They never hold what a picture
shows or what people said of it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CursorResult, Delete, Text, Update, cast, delete, func, or_, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError
from deeplens_kit.ledger.act_models import HoldRow, JournalRow, QuarantineRow
from deeplens_kit.ledger.act_values import JournalPhase, QuarantineState
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.digests import DIGEST
from deeplens_kit.ledger.job_models import JobEventRow, JobRow, StageIntentRow
from deeplens_kit.ledger.job_values import FINISHED_STATES, JobState
from deeplens_kit.ledger.models import (
    DecisionRow,
    LabelItemRow,
    LabelRow,
    NoteRow,
    OutboxRow,
    SavedSearchRow,
    SearchRecordRow,
)
from deeplens_kit.ledger.preference_models import RatingRow
from deeplens_kit.ledger.request_models import RequestRow

__all__ = ["BLANK", "forget", "require_forgettable"]

BLANK = "0" * 64
"""Stands in the place of a forgotten picture in decisions."""


def forget(session: Session, digest: str, who: str, now: datetime, why: str = "") -> dict[str, int]:
    """Take a picture out; see `Forgetting.forget_digest`."""
    if DIGEST.fullmatch(digest) is None or digest == BLANK:
        raise SettingsError(f"digest is {digest!r}; a digest has 64 hexadecimal digits, in lower case.")
    require_forgettable(session, digest)
    counts = {
        "labels": _done(session, delete(LabelRow).where(or_(LabelRow.digest_a == digest, LabelRow.digest_b == digest))),
        "label_sample_items": _done(
            session, delete(LabelItemRow).where(or_(LabelItemRow.digest_a == digest, LabelItemRow.digest_b == digest))
        ),
        "decisions": _blank_decisions(session, digest, now),
        "notes": _done(session, delete(NoteRow).where(NoteRow.digest == digest)),
        "searches": sum(
            _done(session, delete(table).where(cast(table.query, Text).contains(digest)))
            for table in (SearchRecordRow, SavedSearchRow)
        ),
        "ratings": _done(
            session,
            delete(RatingRow).where(or_(RatingRow.digest == digest, cast(RatingRow.query, Text).contains(digest))),
        ),
        "events": _done(session, delete(OutboxRow).where(cast(OutboxRow.payload, Text).contains(digest))),
        "jobs": _blank_jobs(session, digest),
        "requests": _done(session, delete(RequestRow).where(cast(RequestRow.content, Text).contains(digest))),
        "quarantine": _blank_quarantine(session, digest),
    }
    audit(session, who, "picture.forgotten", {"digest": digest, **({"why": why} if why else {}), **counts}, now)
    return counts


def require_forgettable(session: Session, digest: str) -> None:
    """Refuse where the ledger has to know where a picture is; see `ActRecords.require_forgettable`."""
    held = (QuarantineRow.digest == digest) | (QuarantineRow.keeper_digest == digest)
    # What is missing may lie on a disk that is not plugged in.
    there = QuarantineRow.state.in_([QuarantineState.HELD.value, QuarantineState.MISSING.value])
    if items := sorted(session.scalars(select(QuarantineRow.item_id).where(held, there))):
        raise SettingsError(
            f"Picture {digest[:12]}… is in quarantine, or stands for what is, as {', '.join(items[:5])}; restore or "
            "empty that first, and connect its disk or share where it is missing, so that the ledger knows where it is "
            "until then."
        )
    if begun := _at_work(session, digest):
        raise SettingsError(
            f"Application {begun} was moving or removing picture {digest[:12]}… when it broke off, so nobody knows "
            f"where it is; go on with it by `deeplens apply --resume {begun}` or `deeplens undo {begun}` first, or "
            "empty its quarantine again."
        )
    named = cast(JobRow.parameters, Text).contains(digest)
    waiting = JobRow.state.in_([JobState.QUEUED.value, JobState.RUNNING.value])
    if jobs := sorted(session.scalars(select(JobRow.job_id).where(named & waiting))):
        raise SettingsError(
            f"Job {jobs[0]} is to work on picture {digest[:12]}…; wait for it, or end it by `deeplens jobs cancel`."
        )
    holds = select(HoldRow.hold_id).where(HoldRow.digest == digest, HoldRow.released_at.is_(None))
    if found := sorted(session.scalars(holds)):
        raise SettingsError(f"Picture {digest[:12]}… is under hold {found[0]}; release that first, if you may.")


def _at_work(session: Session, digest: str) -> str | None:
    """An application with an operation on the picture that began and has no end; None where there is none."""
    begun = JournalRow.phase == JournalPhase.BEGUN.value
    found = session.execute(
        select(JournalRow.application_id, JournalRow.step, JournalRow.operation, func.max(JournalRow.sequence))
        .where(begun & cast(JournalRow.facts, Text).contains(digest))
        .group_by(JournalRow.application_id, JournalRow.step, JournalRow.operation)
    )
    for application_id, step, operation, sequence in found:
        same = (JournalRow.application_id == application_id) & (JournalRow.step == step)
        later = same & (JournalRow.operation == operation) & (JournalRow.sequence > sequence)
        if session.scalar(select(JournalRow.sequence).where(later).limit(1)) is None:
            return str(application_id)
    return None


def _blank_decisions(session: Session, digest: str, now: datetime) -> int:
    # Blanked and not deleted: readers tell by the number of decisions, and of those withdrawn, whether any changed.
    on = or_(DecisionRow.keeper_digest == digest, DecisionRow.member_digest == digest)
    held = on & DecisionRow.withdrawn_at.is_(None)
    number = len(list(session.scalars(select(DecisionRow.decision_id).where(on))))
    session.execute(update(DecisionRow).where(held).values(withdrawn_at=now))
    session.execute(update(DecisionRow).where(on).values(why=""))
    for column in (DecisionRow.keeper_digest, DecisionRow.member_digest):
        session.execute(update(DecisionRow).where(column == digest).values({column: BLANK}))
    return number


def _blank_quarantine(session: Session, digest: str) -> int:
    mine = QuarantineRow.digest == digest
    blank = {"path": "", "quarantine_path": "", "token": "", "kept": {}}
    kept = update(QuarantineRow).where(QuarantineRow.keeper_digest == digest).values(keeper_path="", keeper_token="")
    return _done(session, update(QuarantineRow).where(mine).values(blank)) + _done(session, kept.where(~mine))


def _blank_jobs(session: Session, digest: str) -> int:
    # Rows stay: who reads the stages tells by their numbers that none is missing, and a job that was done was done.
    events = update(JobEventRow).where(cast(JobEventRow.details, Text).contains(digest)).values(details={})
    done = JobRow.state.in_([state.value for state in FINISHED_STATES])
    jobs = [
        update(JobRow).where(done & cast(column, Text).contains(digest)).values({column: {}})
        for column in (JobRow.parameters, JobRow.result, JobRow.progress)
    ]
    errors = update(JobRow).where(done & JobRow.error.contains(digest)).values(error="")
    intents = delete(StageIntentRow).where(cast(StageIntentRow.stages, Text).contains(digest))
    statements: list[Update | Delete] = [events, *jobs, errors, intents]
    return sum(_done(session, statement) for statement in statements)


def _done(session: Session, statement: Delete | Update) -> int:
    result = session.execute(statement)
    return int(result.rowcount) if isinstance(result, CursorResult) else 0
