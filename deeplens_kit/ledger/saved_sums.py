"""What applied plans came to, added up by the database: files in quarantine, emptied, and come back.

Takes a session and a time, gives sums; must not commit or touch a file. There may be millions of rows, so none of them
is brought here to be counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from deeplens_kit.ledger.act_models import JournalRow, QuarantineRow
from deeplens_kit.ledger.act_values import JournalPhase, QuarantineState

__all__ = ["SavedSums", "added_up", "moved_away"]

_EMPTY, _FREED = "empty", "freed_bytes"


@dataclass(frozen=True, slots=True)
class SavedSums:
    """What applied plans did within a time.

    Attributes:
        quarantined_objects: Files moved to quarantine then that did not come back, also where they were emptied since.
        quarantined_bytes: Their sizes.
        emptied_objects: Files removed from quarantine for good then.
        emptied_bytes: What the storages reported free.
        restored_objects: Files moved to quarantine then that came back since.
        restored_bytes: Their sizes.
    """

    quarantined_objects: int = 0
    quarantined_bytes: int = 0
    emptied_objects: int = 0
    emptied_bytes: int = 0
    restored_objects: int = 0
    restored_bytes: int = 0


def added_up(session: Session, since: datetime | None, until: datetime | None) -> SavedSums:
    """The sums of what was done after `since` and up to `until`; None for no end of the time."""
    sizes = func.coalesce(func.sum(QuarantineRow.size_bytes), 0)
    moved = select(func.count(), sizes).where(*_between(QuarantineRow.moved_at, since, until))
    back = QuarantineRow.state == QuarantineState.RESTORED.value
    stayed, restored = (session.execute(moved.where(which)).one() for which in (~back, back))
    # As text first: a storage frees more than the whole numbers of a JSON value hold in some databases.
    freed = cast(JournalRow.facts[_FREED].as_string(), BigInteger)
    query = select(func.count(), func.coalesce(func.sum(freed), 0)).where(
        JournalRow.operation == _EMPTY,
        JournalRow.phase == JournalPhase.DONE.value,
        *_between(JournalRow.at, since, until),
    )
    emptied = session.execute(query).one()
    return SavedSums(*(int(value) for row in (stayed, emptied, restored) for value in row))


def moved_away(session: Session, since: datetime) -> list[tuple[str, str]]:
    """Location and path of each file that was moved to quarantine after a time and did not come back."""
    query = select(QuarantineRow.location_id, QuarantineRow.path).where(
        QuarantineRow.moved_at > since, QuarantineRow.state != QuarantineState.RESTORED.value
    )
    return [(location_id, path) for location_id, path in session.execute(query)]


def _between(
    column: InstrumentedAttribute[datetime], since: datetime | None, until: datetime | None
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if since is not None:
        found.append(column > since)
    if until is not None:
        found.append(column <= until)
    return found
