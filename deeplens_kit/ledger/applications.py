"""Rows of applications: a plan that is applied, how that stands, and what came of it.

Takes a session and gives frozen values; must not commit: the ledger does. The line of the audit trail on each change
holds the head of the journal, so that whoever rewrote a journal would have to rewrite the trail too.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from deeplens_kit.errors import PlanStateError, SettingsError, UnknownNameError
from deeplens_kit.ledger import plans
from deeplens_kit.ledger.act_models import ApplicationRow, PlanRow
from deeplens_kit.ledger.act_values import Application, ApplicationState, PlanState
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.chain import BEGINNING, plain
from deeplens_kit.telemetry import redact

__all__ = ["find", "frozen", "listed", "set_state", "start"]

_ID_BYTES = 4
# What an application may not become any more.
_NEVER = {
    ApplicationState.FINISHED: {ApplicationState.RUNNING, ApplicationState.PAUSED, ApplicationState.HALTED},
    ApplicationState.UNDOING: {ApplicationState.RUNNING},
    ApplicationState.UNDONE: set(ApplicationState) - {ApplicationState.UNDONE},
}
_AT_WORK = (ApplicationState.RUNNING, ApplicationState.UNDOING)
_OF_PLAN = {ApplicationState.FINISHED: PlanState.APPLIED, ApplicationState.UNDONE: PlanState.UNDONE}


def start(
    session: Session,
    plan_id: str,
    steps_digest: str,
    settings: Mapping[str, object],
    who: str,
    now: datetime,
    *,
    other_approver: bool,
) -> Application:
    """Begin to apply a plan; see `ApplicationRecords.start_application`."""
    plan = plans.find(session, plan_id, lock=True)
    plans.require_approved(session, plan, steps_digest, other_approver=other_approver)
    plan.state = PlanState.APPLYING.value
    row = ApplicationRow(
        application_id=secrets.token_hex(_ID_BYTES),
        plan_id=plan.plan_id,
        state=ApplicationState.RUNNING.value,
        who=who,
        started_at=now,
        finished_at=None,
        settings=plain(settings),
        figures={},
        message="",
        journal_lines=0,
        journal_digest=BEGINNING,
    )
    session.add(row)
    session.flush()
    details = {"application_id": row.application_id, "plan_id": row.plan_id, "steps_digest": steps_digest}
    audit(session, who, "application.started", details, now)
    return frozen(row)


def find(session: Session, application_id: str, *, lock: bool = False) -> ApplicationRow:
    """The row of an application by its id, or by the beginning of it where only one begins so.

    Raises:
        UnknownNameError: There is none.
        SettingsError: Several begin so.
    """
    begins = ApplicationRow.application_id.startswith(application_id, autoescape=True)
    query = select(ApplicationRow).where(begins).execution_options(populate_existing=True)
    found = list(session.scalars(query.with_for_update() if lock else query)) if application_id else []
    exact = [row for row in found if row.application_id == application_id]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        names = ", ".join(sorted(row.application_id for row in found))
        raise SettingsError(f"{application_id!r} is the beginning of several applications: {names}; write more of it.")
    raise UnknownNameError("application", application_id, session.scalars(select(ApplicationRow.application_id)))


def listed(session: Session, plan_id: str | None) -> list[Application]:
    """Applications, the latest first; of one plan, or all."""
    query = select(ApplicationRow).order_by(ApplicationRow.started_at.desc(), ApplicationRow.application_id)
    if plan_id is not None:
        query = query.where(ApplicationRow.plan_id == plans.find(session, plan_id).plan_id)
    return [frozen(row) for row in session.scalars(query)]


def set_state(
    session: Session,
    application_id: str,
    state: ApplicationState | str,
    figures: Mapping[str, object] | None,
    message: str,
    who: str,
    now: datetime,
) -> Application:
    """Say how an application stands; see `ApplicationRecords.set_application`."""
    row = find(session, application_id, lock=True)
    was, becomes = ApplicationState(row.state), ApplicationState(state)
    if becomes in _NEVER.get(was, set()):
        raise PlanStateError(f"Application {row.application_id} is {was}, so it cannot become {becomes}.")
    row.state, row.message = becomes.value, redact(message)
    row.finished_at = None if becomes in _AT_WORK else now
    if figures is not None:
        row.figures = plain(figures)
    plan = session.get_one(PlanRow, row.plan_id, with_for_update=True)
    if becomes in _OF_PLAN:
        plan.state = _OF_PLAN[becomes].value
    details: dict[str, object] = {"application_id": row.application_id, "plan_id": row.plan_id, "message": row.message}
    details |= {"journal_lines": row.journal_lines, "journal_digest": row.journal_digest}
    audit(session, who, f"application.{becomes}", details, now)
    session.flush()
    return frozen(row)


def frozen(row: ApplicationRow) -> Application:
    """A row without its session."""
    return Application(
        application_id=row.application_id,
        plan_id=row.plan_id,
        state=ApplicationState(row.state),
        who=row.who,
        started_at=row.started_at,
        finished_at=row.finished_at,
        figures=dict(row.figures),
        message=row.message,
        settings=dict(row.settings),
    )
