"""Rows of journals: what was about to be done and what was done, each line chained to the one before it.

Takes a session and gives frozen values; must not commit: the ledger does. Lines are added and never changed; the row
of the application holds the head of its chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import PlanStateError, UnknownNameError
from deeplens_kit.ledger.act_models import ApplicationRow, JournalRow
from deeplens_kit.ledger.act_values import ApplicationState, JournalEntry, JournalPhase
from deeplens_kit.ledger.chain import instant, line_digest, plain
from deeplens_kit.ledger.lines import in_order
from deeplens_kit.telemetry import redact

__all__ = ["append", "content", "entry", "opened", "page", "walk"]

_COLUMNS = (
    JournalRow.sequence,
    JournalRow.step,
    JournalRow.operation,
    JournalRow.phase,
    JournalRow.code,
    JournalRow.message,
    JournalRow.facts,
    JournalRow.at,
    JournalRow.digest,
)
_PAGE = 1_000
_OVER = frozenset(
    state.value for state in (ApplicationState.FINISHED, ApplicationState.UNDOING, ApplicationState.UNDONE)
)
_UNDO, _EMPTY, _BY_HAND = "undo.", "empty", "by_hand"


def append(session: Session, application_id: str, entries: Sequence[JournalEntry], now: datetime) -> list[JournalEntry]:
    """Add lines to the journal of an application, in the session's transaction.

    Raises:
        UnknownNameError: There is no such application.
        PlanStateError: A step would begin in one that is finished or undone, or is being undone.
    """
    # Core statements: this is on the way of every single file that is acted on.
    mine = ApplicationRow.application_id == application_id
    columns = (ApplicationRow.journal_lines, ApplicationRow.journal_digest, ApplicationRow.state)
    head = select(*columns).where(mine).with_for_update()
    found = session.execute(head).one_or_none()
    if found is None:
        known = session.scalars(select(ApplicationRow.application_id))
        raise UnknownNameError("application", application_id, known)
    if not entries:
        return []
    lines, digest, state = found
    if state in _OVER and any(_acts(item) for item in entries):
        raise PlanStateError(
            f"Application {application_id} is {state}, so no step of it begins any more: another process went on with "
            "it meanwhile. Nothing was touched."
        )
    rows, given = [], []
    for item in entries:
        done = replace(item, message=redact(item.message), facts=plain(item.facts), sequence=lines, at=now)
        digest = line_digest(digest, content(application_id, done))
        rows.append({**_values(done), "application_id": application_id, "digest": digest})
        given.append(done)
        lines += 1
    session.execute(insert(JournalRow), rows)
    session.execute(update(ApplicationRow).where(mine).values(journal_lines=lines, journal_digest=digest))
    return given


def _acts(line: JournalEntry) -> bool:
    """Whether a line begins something that applying does: a step, or its taking back where the rest cannot be done."""
    by_hand = line.operation.startswith(_UNDO) and bool(line.facts.get(_BY_HAND))
    return line.phase is JournalPhase.BEGUN and not by_hand and line.operation != _EMPTY


def content(application_id: str, line: JournalEntry) -> dict[str, object]:
    """What a line says, as it is digested."""
    if line.at is None:
        raise TypeError("a line of a journal without its time; the ledger gives it")
    return {**_values(line), "application_id": application_id, "at": instant(line.at)}


def page(session: Session, application_id: str, after: int) -> list[tuple[JournalEntry, str]]:
    """Some lines of a journal with their digests, those after a sequence number; none at its end."""
    query = select(*_COLUMNS).where(JournalRow.application_id == application_id, JournalRow.sequence > after)
    rows = session.execute(query.order_by(JournalRow.sequence).limit(_PAGE))
    return [(entry(row), row.digest) for row in rows]


def walk(session: Session, application_id: str) -> Iterator[tuple[JournalEntry, str]]:
    """Every line of a journal as it is stored, with its digest; see `lines.in_order`."""
    query = select(*_COLUMNS).where(JournalRow.application_id == application_id)
    return in_order(session, query, JournalRow.sequence, lambda row: (entry(row), row.digest))


def opened(session: Session, application_id: str) -> list[JournalEntry]:
    """The last line of each operation of a step that began and has no end, in the order in which they began."""
    mine = JournalRow.application_id == application_id
    last = select(func.max(JournalRow.sequence)).where(mine).group_by(JournalRow.step, JournalRow.operation)
    query = select(*_COLUMNS).where(mine, JournalRow.sequence.in_(last), JournalRow.phase == JournalPhase.BEGUN.value)
    return [entry(row) for row in session.execute(query.order_by(JournalRow.sequence))]


def entry(row: Row[Any]) -> JournalEntry:
    """The value of a row."""
    phase = JournalPhase(row.phase)
    return JournalEntry(row.step, row.operation, phase, row.code, row.message, dict(row.facts), row.sequence, row.at)


def _values(line: JournalEntry) -> dict[str, Any]:
    return {
        "sequence": line.sequence,
        "step": line.step,
        "operation": line.operation,
        "phase": line.phase.value,
        "code": line.code,
        "message": line.message,
        "facts": line.facts,
        "at": line.at,
    }
