"""Rows of legal holds, each change with its line in the audit trail.

Takes a session and gives frozen values; must not commit (the ledger does) or know which objects a hold covers.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.act_models import HoldRow
from deeplens_kit.ledger.act_values import Hold
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.digests import DIGEST
from deeplens_kit.ledger.locations import find_any
from deeplens_kit.ledger.models import CollectionRow
from deeplens_kit.ledger.notes import check_change
from deeplens_kit.ledger.values import NoteChange

__all__ = ["add", "listed", "release"]

_ID_BYTES = 4


def add(
    session: Session,
    location: str | None,
    glob: str,
    digest: str,
    collection: str,
    why: str,
    who: str,
    now: datetime,
) -> Hold:
    """Add a hold; see `HoldRecords.add_hold`."""
    place = find_any(session, location) if location is not None else None
    if not (place or glob or digest or collection):
        raise SettingsError(
            "A hold must say what it covers: a location, a pattern of paths, a digest or a collection; the pattern "
            "'**' covers every file."
        )
    if digest and not DIGEST.fullmatch(digest):
        raise SettingsError(f"digest is {digest!r}; a digest has 64 hexadecimal digits, in lower case.")
    if collection and session.scalar(select(CollectionRow).where(CollectionRow.name == collection)) is None:
        raise UnknownNameError("collection", collection, session.scalars(select(CollectionRow.name)))
    if not why.strip():
        raise SettingsError("A hold must say why: whoever meets it later has to know whom to ask.")
    check_change(NoteChange(description=why, source=glob))
    row = HoldRow(
        hold_id=secrets.token_hex(_ID_BYTES),
        location_id=place.location_id if place is not None else None,
        glob=glob,
        digest=digest,
        collection=collection,
        why=why,
        who=who,
        at=now,
        released_at=None,
        released_by=None,
    )
    session.add(row)
    session.flush()
    covers = {"location_id": row.location_id, "glob": glob, "digest": digest, "collection": collection}
    details = {"hold_id": row.hold_id, "why": why} | {name: value for name, value in covers.items() if value}
    audit(session, who, "hold.added", details, now)
    return _frozen(row)


def listed(session: Session, *, released: bool) -> list[Hold]:
    """Holds, the earliest first: those that hold, or all."""
    query = select(HoldRow).order_by(HoldRow.at, HoldRow.hold_id)
    if not released:
        query = query.where(HoldRow.released_at.is_(None))
    return [_frozen(row) for row in session.scalars(query)]


def release(session: Session, hold_id: str, who: str, now: datetime) -> Hold:
    """Release a hold; one that is released already stays as it is.

    Raises:
        UnknownNameError: There is none of the id.
    """
    row = session.get(HoldRow, hold_id)
    if row is None:
        raise UnknownNameError("hold", hold_id, session.scalars(select(HoldRow.hold_id)))
    if row.released_at is None:
        row.released_at, row.released_by = now, who
        audit(session, who, "hold.released", {"hold_id": hold_id}, now)
    return _frozen(row)


def _frozen(row: HoldRow) -> Hold:
    return Hold(
        hold_id=row.hold_id,
        location_id=row.location_id,
        glob=row.glob,
        digest=row.digest,
        collection=row.collection,
        why=row.why,
        who=row.who,
        at=row.at,
        released_at=row.released_at,
        released_by=row.released_by,
    )
