"""Rows of plans, with their steps as they were saved and what people said of them, each change told in the trail.

Takes a session and gives frozen values; must not commit (the ledger does) or know what a step says. Steps never
change: another plan takes the place of one that is refreshed or trimmed.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from deeplens_kit.errors import (
    PlanNotApprovedError,
    PlanStaleError,
    PlanStateError,
    SettingsError,
    UnknownNameError,
)
from deeplens_kit.ledger.act_models import PlanApprovalRow, PlanPartRow, PlanRow
from deeplens_kit.ledger.act_values import PlanApproval, PlanRecord, PlanState
from deeplens_kit.ledger.asking import note_made
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.chain import plain
from deeplens_kit.ledger.notes import check_change
from deeplens_kit.ledger.values import NoteChange

__all__ = [
    "approve",
    "count",
    "find",
    "frozen",
    "listed",
    "part",
    "parts",
    "refuse",
    "require_approved",
    "save",
]

# 32 bits: a workspace has some thousand plans; a clash is refused by the primary key.
_ID_BYTES = 4
_LONGEST_KIND = 50
# What another plan may take the place of; one that was applied stays what it is.
_REPLACEABLE = (PlanState.DRAFT, PlanState.APPROVED, PlanState.REFUSED)


def save(
    session: Session,
    kind: str,
    document: Mapping[str, object],
    pieces: Sequence[bytes],
    steps_digest: str,
    steps: int,
    replaces: str,
    who: str,
    now: datetime,
) -> PlanRecord:
    """Save a plan; see `PlanRecords.save_plan`."""
    if not kind or len(kind) > _LONGEST_KIND:
        raise SettingsError(f"A plan cannot be of kind {kind!r}; use 1 to {_LONGEST_KIND} letters.")
    older = find(session, replaces, lock=True) if replaces else None
    if older is not None and older.state == PlanState.APPLYING:
        raise PlanStateError(
            f"Plan {older.plan_id} is being applied, so none can take its place; finish it with `deeplens apply "
            "--resume`, or undo it."
        )
    row = PlanRow(
        plan_id=secrets.token_hex(_ID_BYTES),
        kind=kind,
        state=PlanState.DRAFT.value,
        author=who,
        created_at=now,
        document=plain(document),
        steps_digest=steps_digest,
        steps=steps,
        replaces=older.plan_id if older is not None else "",
    )
    session.add(row)
    session.flush()
    # One at a time, as rows that the session does not keep: all of a large plan would be held twice.
    for position, content in enumerate(pieces):
        session.execute(insert(PlanPartRow), {"plan_id": row.plan_id, "position": position, "content": content})
    details = {"plan_id": row.plan_id, "kind": kind, "steps": steps, "steps_digest": steps_digest}
    if older is not None:
        details["replaces"] = older.plan_id
        if older.state in _REPLACEABLE:
            older.state = PlanState.SUPERSEDED.value
    audit(session, who, "plan.saved", details, now)
    note_made(session, "plan", row.plan_id)
    return frozen(session, row)


def find(session: Session, plan_id: str, *, lock: bool = False) -> PlanRow:
    """The row of a plan by its id, or by the beginning of it where only one begins so.

    Raises:
        UnknownNameError: There is none.
        SettingsError: Several begin so.
    """
    query = select(PlanRow).where(PlanRow.plan_id.startswith(plan_id, autoescape=True)).order_by(PlanRow.plan_id)
    # Fresh: another process may have changed it since this session looked.
    query = query.execution_options(populate_existing=True)
    found = list(session.scalars(query.with_for_update() if lock else query)) if plan_id else []
    exact = [row for row in found if row.plan_id == plan_id]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        names = ", ".join(row.plan_id for row in found)
        raise SettingsError(f"{plan_id!r} is the beginning of several plans: {names}; write more of it.")
    raise UnknownNameError("plan", plan_id, session.scalars(select(PlanRow.plan_id)))


def listed(
    session: Session,
    states: Collection[PlanState] | None,
    kind: str | None,
    until: datetime | None,
    limit: int | None,
    offset: int,
) -> list[PlanRecord]:
    """Plans, the latest first."""
    query = select(PlanRow).order_by(PlanRow.created_at.desc(), PlanRow.plan_id)
    if kind is not None:
        query = query.where(PlanRow.kind == kind)
    if until is not None:
        query = query.where(PlanRow.created_at <= until)
    rows = list(session.scalars(_standing(query, states).limit(limit).offset(offset)))
    said = _approvals(session, None if limit is None else [row.plan_id for row in rows])
    replaced = any(row.state == PlanState.SUPERSEDED for row in rows)
    newer = _successors(session) if replaced else {}
    return [_record(row, said.get(row.plan_id, ()), newer) for row in rows]


def count(session: Session, states: Collection[PlanState] | None) -> int:
    """How many plans there are."""
    return session.scalar(_standing(select(func.count()).select_from(PlanRow), states)) or 0


def parts(session: Session, plan_id: str) -> int:
    """How many parts the steps of a plan were saved in; UnknownNameError where there is none."""
    row = find(session, plan_id)
    query = select(PlanPartRow.position).where(PlanPartRow.plan_id == row.plan_id)
    return len(list(session.scalars(query)))


def part(session: Session, plan_id: str, position: int) -> bytes:
    """One part of the steps of a plan."""
    row = find(session, plan_id)
    query = select(PlanPartRow.content)
    query = query.where(PlanPartRow.plan_id == row.plan_id, PlanPartRow.position == position)
    return session.scalars(query).one()


def approve(
    session: Session, plan_id: str, steps_digest: str, note: str, who: str, now: datetime, *, other_approver: bool
) -> PlanRecord:
    """Say yes to a plan; see `PlanRecords.approve_plan`."""
    row = find(session, plan_id, lock=True)
    check_change(NoteChange(description=note))
    if row.state not in (PlanState.DRAFT, PlanState.APPROVED):
        raise PlanStateError(f"Plan {row.plan_id} is {row.state}, so it cannot be approved; {_anew(session, row)}.")
    if row.steps_digest != steps_digest:
        raise PlanStaleError(
            f"Plan {row.plan_id} has other steps ({row.steps_digest[:12]}…) than those that were looked at "
            f"({steps_digest[:12]}…); look at it again with `deeplens plan show {row.plan_id}`."
        )
    if other_approver and row.author == who:
        raise PlanNotApprovedError(
            f"Plan {row.plan_id} was made by {row.author}; setting actions.other_approver asks for the approval of "
            "somebody else."
        )
    _say(session, row, True, note, who, now)
    row.state = PlanState.APPROVED.value
    details = {"plan_id": row.plan_id, "steps_digest": steps_digest, "note": note}
    audit(session, who, "plan.approved", details, now)
    return frozen(session, row)


def refuse(session: Session, plan_id: str, why: str, who: str, now: datetime) -> PlanRecord:
    """Say no to a plan; see `PlanRecords.refuse_plan`."""
    row = find(session, plan_id, lock=True)
    check_change(NoteChange(description=why))
    if row.state not in (PlanState.DRAFT, PlanState.APPROVED):
        raise PlanStateError(f"Plan {row.plan_id} is {row.state}, so it cannot be refused; {_anew(session, row)}.")
    _say(session, row, False, why, who, now)
    row.state = PlanState.REFUSED.value
    details = {"plan_id": row.plan_id, "steps_digest": row.steps_digest, "why": why}
    audit(session, who, "plan.refused", details, now)
    return frozen(session, row)


def require_approved(session: Session, row: PlanRow, steps_digest: str, *, other_approver: bool) -> None:
    """Raise unless a plan may be applied as it is at hand.

    Raises:
        PlanNotApprovedError: Nobody who may approved these steps, or somebody refused them.
        PlanStateError: It was applied, or is.
    """
    if row.state in (PlanState.DRAFT, PlanState.REFUSED):
        how = "was refused" if row.state == PlanState.REFUSED else "is not approved"
        raise PlanNotApprovedError(
            f"Plan {row.plan_id} {how}, so nothing was touched; look at it with `deeplens plan show {row.plan_id}` "
            f"and approve it with `deeplens plan approve {row.plan_id}`, or make it anew."
        )
    if row.state != PlanState.APPROVED:
        raise PlanStateError(f"Plan {row.plan_id} is {row.state}, so it cannot be applied; {_anew(session, row)}.")
    said = _approvals(session, [row.plan_id]).get(row.plan_id, ())
    yes = [item for item in said if item.approved and item.steps_digest == steps_digest == row.steps_digest]
    if not yes:
        raise PlanNotApprovedError(
            f"Plan {row.plan_id} was approved with other steps than those at hand ({steps_digest[:12]}…), so nothing "
            f"was touched; look at it again with `deeplens plan show {row.plan_id}`."
        )
    if other_approver and all(item.who == row.author for item in yes):
        raise PlanNotApprovedError(
            f"Plan {row.plan_id} was approved by its author {row.author} alone, so nothing was touched; setting "
            "actions.other_approver asks for the approval of somebody else."
        )


def frozen(session: Session, row: PlanRow) -> PlanRecord:
    """A row without its session."""
    session.flush()
    said = _approvals(session, [row.plan_id]).get(row.plan_id, ())
    return _record(row, said, _successors(session) if row.state == PlanState.SUPERSEDED else {})


def _say(session: Session, row: PlanRow, approved: bool, note: str, who: str, now: datetime) -> None:
    session.add(
        PlanApprovalRow(
            plan_id=row.plan_id, steps_digest=row.steps_digest, approved=approved, who=who, at=now, note=note
        )
    )


def _standing(query: Select[Any], states: Collection[PlanState] | None) -> Select[Any]:
    return query if states is None else query.where(PlanRow.state.in_([state.value for state in states]))


def _approvals(session: Session, plan_ids: Sequence[str] | None) -> dict[str, tuple[PlanApproval, ...]]:
    query = select(PlanApprovalRow).order_by(PlanApprovalRow.approval_id)
    if plan_ids is not None:
        query = query.where(PlanApprovalRow.plan_id.in_(plan_ids))
    found: dict[str, tuple[PlanApproval, ...]] = {}
    for row in session.scalars(query):
        said = PlanApproval(row.plan_id, row.steps_digest, row.approved, row.who, row.at, row.note)
        found[row.plan_id] = (*found.get(row.plan_id, ()), said)
    return found


def _successors(session: Session) -> dict[str, str]:
    """Of each plan in the place of which another was made, that other one; of several the latest."""
    query = select(PlanRow.replaces, PlanRow.plan_id).where(PlanRow.replaces != "")
    rows = session.execute(query.order_by(PlanRow.created_at, PlanRow.plan_id))
    return {row.replaces: row.plan_id for row in rows}


def _last_of(newer: Mapping[str, str], plan_id: str) -> str:
    """The plan that stands in the place of one, after however many; empty for none."""
    last = ""
    # No plan is made in the place of a later one, so this ends.
    while plan_id in newer:
        plan_id = last = newer[plan_id]
    return last


def _record(row: PlanRow, approvals: tuple[PlanApproval, ...], newer: Mapping[str, str]) -> PlanRecord:
    return PlanRecord(
        plan_id=row.plan_id,
        kind=row.kind,
        state=PlanState(row.state),
        author=row.author,
        created_at=row.created_at,
        document=dict(row.document),
        steps_digest=row.steps_digest,
        steps=row.steps,
        replaces=row.replaces,
        approvals=approvals,
        replaced_by=_last_of(newer, row.plan_id) if row.state == PlanState.SUPERSEDED else "",
    )


def _anew(session: Session, row: PlanRow) -> str:
    if row.state == PlanState.APPLYING:
        return "finish it with `deeplens apply --resume`, or undo it"
    if row.state == PlanState.SUPERSEDED:
        last = _last_of(_successors(session), row.plan_id)
        return f"plan {last} took its place: look at it with `deeplens plan show {last}`"
    return f"make it anew with `deeplens plan refresh {row.plan_id}`"
