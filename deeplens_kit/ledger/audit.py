"""Rows of the audit trail: who changed what, each line chained to the one before it.

Takes a session and gives frozen values; must not commit: the ledger does, so that a change and its line are one
transaction. This is the only writer of the trail. Lines wait until their transaction ends and are written then, under
a lock on the head of the chain: whoever writes takes that lock last, so that no two writers wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import AuditBrokenError
from deeplens_kit.ledger.chain import instant, line_digest, plain
from deeplens_kit.ledger.lines import in_order
from deeplens_kit.ledger.models import AuditRow, ChainHeadRow
from deeplens_kit.ledger.values import AuditEntry
from deeplens_kit.telemetry import current_context

__all__ = ["CHAIN", "audit", "content", "head", "settle", "trail", "walk"]

CHAIN = "audit"
"""Names the chain among the heads."""

_WAITING = "deeplens_audit_lines"


def audit(session: Session, who: str, action: str, details: Mapping[str, Any], now: datetime) -> None:
    """Add a line to the audit trail, in the session's transaction, with the correlation id that is bound here."""
    bound = current_context().get("correlation_id")
    told = details if bound is None or "correlation_id" in details else {**details, "correlation_id": bound}
    line = {"at": now, "who": who, "action": action, "details": plain(told)}
    session.info.setdefault(_WAITING, []).append(line)


def settle(session: Session) -> None:
    """Write the lines that wait, at the end of a transaction.

    Raises:
        AuditBrokenError: The head of the chain is gone.
    """
    waiting: list[dict[str, Any]] = session.info.pop(_WAITING, [])
    if not waiting:
        return
    lines, digest = head(session, lock=True)
    for line in waiting:
        lines += 1
        digest = line_digest(digest, content(lines, line["at"], line["who"], line["action"], line["details"]))
        line["sequence"], line["digest"] = lines, digest
    session.execute(insert(AuditRow), waiting)
    session.execute(update(ChainHeadRow).where(ChainHeadRow.name == CHAIN).values(lines=lines, digest=digest))


def head(session: Session, *, lock: bool = False) -> tuple[int, str]:
    """How many lines the trail has, and the digest of the last.

    Raises:
        AuditBrokenError: Nobody knows: the row that says so is gone.
    """
    query = select(ChainHeadRow.lines, ChainHeadRow.digest).where(ChainHeadRow.name == CHAIN)
    found = session.execute(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise AuditBrokenError(
            "The audit trail has lost its head, which says how many lines it has; nothing is written. Restore a backup."
        )
    return found[0], found[1]


def content(sequence: int, at: datetime, who: str, action: str, details: Mapping[str, Any]) -> dict[str, object]:
    """What a line says, as it is digested."""
    return {"sequence": sequence, "at": instant(at), "who": who, "action": action, "details": details}


def trail(
    session: Session,
    *,
    who: str | None = None,
    action: str | None = None,
    since: datetime | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[AuditEntry]:
    """Lines of the trail, the oldest first; with a limit the latest of them."""
    query = select(AuditRow).order_by(AuditRow.sequence.desc()).limit(limit)
    if who is not None:
        query = query.where(AuditRow.who == who)
    if action is not None:
        # "plan" stands for "plan.saved", "plan.approved" ...
        query = query.where((AuditRow.action == action) | AuditRow.action.startswith(f"{action}.", autoescape=True))
    if since is not None:
        query = query.where(AuditRow.at >= since)
    if before is not None:
        query = query.where(AuditRow.sequence < before)
    return [_frozen(row) for row in session.scalars(query)][::-1]


def walk(session: Session) -> Iterator[AuditEntry]:
    """Every line as it is stored, by its place in the trail; see `lines.in_order`."""
    names = (AuditRow.at, AuditRow.who, AuditRow.action, AuditRow.details, AuditRow.sequence, AuditRow.digest)
    return in_order(session, select(*names), AuditRow.sequence, _frozen)


def _frozen(row: AuditRow | Row[Any]) -> AuditEntry:
    return AuditEntry(row.at, row.who, row.action, dict(row.details), row.sequence, row.digest)
