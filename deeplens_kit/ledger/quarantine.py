"""Rows of files in quarantine: where each came from, where it is, and what became of it.

Takes a session and gives frozen values; must not commit (the ledger does) or touch a file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import UnknownNameError
from deeplens_kit.ledger.act_models import QuarantineRow
from deeplens_kit.ledger.act_values import QuarantinedFile, QuarantineState
from deeplens_kit.ledger.chain import plain

__all__ = ["change", "find", "hold", "listed"]

_NAMES = tuple(item.name for item in fields(QuarantinedFile))


def hold(session: Session, files: Sequence[QuarantinedFile]) -> None:
    """Add files that were moved to quarantine."""
    rows = [{name: getattr(item, name) for name in _NAMES} for item in files]
    for row in rows:
        row["kept"], row["state"] = plain(row["kept"]), QuarantineState(row["state"]).value
    if rows:
        session.execute(insert(QuarantineRow), rows)


def change(session: Session, states: Mapping[str, QuarantineState]) -> None:
    """Say what became of files, by their ids.

    Raises:
        UnknownNameError: There is no such file; none is changed.
    """
    for item_id in states:
        _row(session, item_id)
    rows = [{"item_id": item_id, "state": QuarantineState(state).value} for item_id, state in states.items()]
    if rows:
        session.execute(update(QuarantineRow), rows)


def find(session: Session, item_id: str) -> QuarantinedFile:
    """The file of an id; UnknownNameError where there is none."""
    return _frozen(_row(session, item_id))


def listed(
    session: Session,
    *,
    application_id: str | None,
    location_id: str | None,
    states: Collection[QuarantineState] | None,
    expired_before: datetime | None,
) -> list[QuarantinedFile]:
    """Files by the time at which they were moved."""
    query = select(QuarantineRow).order_by(QuarantineRow.moved_at, QuarantineRow.step, QuarantineRow.item_id)
    if application_id is not None:
        query = query.where(QuarantineRow.application_id == application_id)
    if location_id is not None:
        query = query.where(QuarantineRow.location_id == location_id)
    if states is not None:
        query = query.where(QuarantineRow.state.in_([QuarantineState(state).value for state in states]))
    if expired_before is not None:
        query = query.where(QuarantineRow.expires_at < expired_before)
    return [_frozen(row) for row in session.scalars(query)]


def _row(session: Session, item_id: str) -> QuarantineRow:
    row = session.get(QuarantineRow, item_id)
    if row is None:
        raise UnknownNameError(
            "file in quarantine", item_id, [], advice="`deeplens quarantine list` has the ids of all that are held."
        )
    return row


def _frozen(row: QuarantineRow) -> QuarantinedFile:
    values = {name: getattr(row, name) for name in _NAMES}
    return QuarantinedFile(**values | {"kept": dict(row.kept), "state": QuarantineState(row.state)})
