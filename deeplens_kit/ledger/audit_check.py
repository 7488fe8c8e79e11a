"""Whether the audit trail and the journals are as they were written.

Takes a session that sees one moment, gives a verdict; must not write. A chain shows that a line was altered, removed,
put in or moved. Whoever can write to the database can make a whole chain anew: against that stands the digest of its
head, written down elsewhere, and the heads of journals that stand in the trail.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from deeplens_kit.errors import AuditBrokenError
from deeplens_kit.ledger import audit as audit_rows
from deeplens_kit.ledger import journal as journal_rows
from deeplens_kit.ledger.act_models import ApplicationRow, PlanApprovalRow
from deeplens_kit.ledger.act_values import AuditVerdict
from deeplens_kit.ledger.chain import BEGINNING, line_digest
from deeplens_kit.ledger.lines import UnreadableLineError
from deeplens_kit.ledger.values import AuditEntry
from deeplens_kit.ledger.workflow_models import WorkflowRow

__all__ = ["check"]

_UNREADABLE = "it cannot be read: it was altered"
_ALTERED = "it does not follow from the line before it: one of the two was altered, put in or moved"


@dataclass
class _Told:
    """What the trail tells of other tables."""

    approvals: set[tuple[str, str, str]] = field(default_factory=set)
    # Of each application the latest head of its journal: lines and digest.
    journals: dict[str, tuple[int, str]] = field(default_factory=dict)
    # Of each workflow the latest bounds: who set them, and what they are.
    bounds: dict[str, tuple[str, object]] = field(default_factory=dict)
    # The line of the trail that tells so.
    places: dict[str, int] = field(default_factory=dict)


def check(session: Session, *, head: str = "") -> AuditVerdict:
    """Walk over every line.

    Args:
        session: At one moment.
        head: The digest of a line that was written down before; empty for none.
    """
    told = _Told()
    try:
        lines, last, broken, reason = _trail(session, told, head)
    except UnreadableLineError as error:
        return AuditVerdict(*audit_rows.head(session), error.sequence, _UNREADABLE)
    if broken is not None:
        return AuditVerdict(lines, last, broken, reason)
    for row in session.scalars(select(PlanApprovalRow).order_by(PlanApprovalRow.approval_id)):
        if row.approved and (row.plan_id, row.steps_digest, row.who) not in told.approvals:
            reason = f"plan {row.plan_id} has an approval of {row.who} of which no line tells"
            return AuditVerdict(lines, last, lines, reason)
    for flow in session.scalars(select(WorkflowRow).where(WorkflowRow.bounds_by != "")):
        if told.bounds.get(flow.workflow_id) != (flow.bounds_by, flow.bounds):
            reason = f"workflow {flow.name} has bounds of {flow.bounds_by} of which no line tells"
            return AuditVerdict(lines, last, lines, reason)
    return _journals(session, told, lines, last)


def _trail(session: Session, told: _Told, wanted: str) -> tuple[int, str, int | None, str]:
    """Lines, the last digest, the first line that does not hold and why."""
    try:
        lines, head = audit_rows.head(session)
    except AuditBrokenError:
        return 0, BEGINNING, 1, "the row that says how many lines there are is gone"
    digest, place, seen = BEGINNING, 0, wanted in ("", BEGINNING)
    for line in audit_rows.walk(session):
        place += 1
        if line.sequence > place:
            return lines, head, place, f"the line is missing; the next that is there is line {line.sequence}"
        if line.sequence < place:
            return lines, head, line.sequence, "there are several lines of this place: one was put in"
        digest = line_digest(digest, audit_rows.content(place, line.at, line.who, line.action, line.details))
        if digest != line.digest:
            return lines, head, place, _ALTERED
        if place > lines:
            return lines, head, place, f"it was put in after the last line, which is line {lines}"
        seen = seen or digest == wanted
        _note(told, line)
    if place < lines:
        return lines, head, place + 1, f"the line is missing, as are all to the last, which is line {lines}"
    if digest != head:
        return lines, head, max(place, 1), "its digest is not the one that the head of the trail has"
    if not seen:
        return lines, head, max(place, 1), "no line has the digest that was written down: the trail was made anew"
    return lines, head, None, ""


def _note(told: _Told, line: AuditEntry) -> None:
    details = line.details
    application_id = str(details.get("application_id"))
    if line.action == "plan.approved":
        told.approvals.add((str(details.get("plan_id")), str(details.get("steps_digest")), line.who))
    elif line.action == "plan.auto_approved":
        who = str(details.get("approved_by"))
        told.approvals.add((str(details.get("plan_id")), str(details.get("steps_digest")), who))
    elif line.action == "workflow.bounds_set":
        told.bounds[str(details.get("workflow_id"))] = (line.who, details.get("bounds"))
    elif line.action == "application.started":
        told.journals[application_id], told.places[application_id] = (0, BEGINNING), line.sequence
    elif "journal_digest" in details:
        told.journals[application_id] = (details["journal_lines"], details["journal_digest"])
        told.places[application_id] = line.sequence


def _journals(session: Session, told: _Told, lines: int, head: str) -> AuditVerdict:
    """The verdict where the trail holds."""
    heads = select(ApplicationRow.application_id, ApplicationRow.journal_lines, ApplicationRow.journal_digest)
    number = 0
    found = set()
    for application_id, count, last in session.execute(heads.order_by(ApplicationRow.started_at)).all():
        found.add(application_id)
        anchor = told.journals.get(application_id)
        if anchor is None:
            reason = f"application {application_id} began without a line that tells of it"
            return AuditVerdict(lines, head, lines, reason, journal_lines=number)
        try:
            broken, reason = _journal(session, application_id, count, last, anchor)
        except UnreadableLineError as error:
            broken, reason = error.sequence, _UNREADABLE
        if broken is not None:
            return AuditVerdict(lines, head, broken, reason, application_id, number)
        number += count
    for application_id in sorted(set(told.journals) - found):
        reason = f"it tells of application {application_id}, which is gone with its journal"
        return AuditVerdict(lines, head, told.places[application_id], reason, journal_lines=number)
    return AuditVerdict(lines, head, None, "", journal_lines=number)


def _journal(
    session: Session, application_id: str, count: int, last: str, anchor: tuple[int, str]
) -> tuple[int | None, str]:
    """The first line of a journal that does not hold and why."""
    digest, place = BEGINNING, 0
    for line, stored in journal_rows.walk(session, application_id):
        if line.sequence != place:
            return place, f"the line is missing; the next that is there is line {line.sequence}"
        digest = line_digest(digest, journal_rows.content(application_id, line))
        if digest != stored:
            return place, _ALTERED
        place += 1
        if place > count:
            return place - 1, f"it was put in after the last line, which is line {count - 1}"
        if place == anchor[0] and digest != anchor[1]:
            return place - 1, "the audit trail has another digest of it: the journal was made anew"
    if place < count:
        return place, f"the line is missing, as are all to the last, which is line {count - 1}"
    if place < anchor[0]:
        return place, f"the line is missing; the audit trail tells of {anchor[0]} lines"
    if digest != last:
        return max(place - 1, 0), "its digest is not the one that the application has as its last"
    return None, ""
