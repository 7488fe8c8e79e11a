"""Jobs that empty the quarantine of an application, or move files back from it.

Takes parameters and an open workspace, gives figures; must not act on a file itself. A try after a kill looks at
what is left; what earlier tries did is counted by the stages that were told for the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deeplens_kit.errors import Interrupted, SettingsError
from deeplens_kit.ledger import QuarantinedFile, QuarantineState
from deeplens_kit.pipeline import Workspace
from deeplens_kit.service.jobs.parameters import Parameters
from deeplens_kit.service.jobs.running import JobRun

__all__ = ["EmptyParameters", "RestoreParameters", "parse_empty", "parse_restore", "run_empty", "run_restore"]

_IN_QUARANTINE = (QuarantineState.HELD, QuarantineState.MISSING)
_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class EmptyParameters:
    """What a job of kind "empty" is told.

    Attributes:
        application_id: Whose files.
        expired_before: UTC: those alone that expired before; None for all. A person said yes to these, and to none
            that expires until the job is begun.
    """

    application_id: str
    expired_before: datetime | None = None


def parse_empty(parameters: Mapping[str, Any]) -> EmptyParameters:
    """Check the parameters of a job of kind "empty"."""
    given = Parameters("empty", parameters, ("application_id", "expired_before"))
    text = given.text("expired_before", "")
    try:
        before = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise SettingsError(
            f"'expired_before' of a job of kind 'empty' is {text!r}; give a time of ISO 8601."
        ) from error
    if before is not None and before.tzinfo is None:
        raise SettingsError(f"'expired_before' of a job of kind 'empty' is {text!r}, which names no time zone.")
    return EmptyParameters(given.text("application_id"), before)


def run_empty(workspace: Workspace, value: EmptyParameters, run: JobRun) -> dict[str, Any]:
    """Remove files from quarantine for good; gives how many went, in all tries, and how many stayed and why."""
    from deeplens_kit.pipeline.quarantining import chosen_items, empty_quarantine

    is_all = value.expired_before is None
    chosen = chosen_items(
        workspace, application_id=value.application_id, expired_only=not is_all, now=value.expired_before
    )
    report = empty_quarantine(workspace, chosen, progress=run.progress, stop=run.stop)
    if report.stopped and run.stop.is_set():
        raise Interrupted("It was ended after the file that it was at; the others are still in quarantine.")
    kept = [item for item in report.items if not item.done]
    return {
        "application_id": value.application_id,
        "removed": max(report.removed, _told(workspace, run, "emptied")),
        "kept": len(kept),
        # Of the last try: what storages told an earlier one is not on record.
        "freed_bytes": report.freed_bytes,
        "troubles": [{"item_id": item.item.item_id, "code": item.code, "message": item.message} for item in kept],
    }


@dataclass(frozen=True, slots=True)
class RestoreParameters:
    """What a job of kind "restore" is told: one of both.

    Attributes:
        application_id: All that it has in quarantine.
        items: These files, by their ids.
    """

    application_id: str = ""
    items: tuple[str, ...] = ()


def parse_restore(parameters: Mapping[str, Any]) -> RestoreParameters:
    """Check the parameters of a job of kind "restore"."""
    given = Parameters("restore", parameters, ("application_id", "items"))
    value = RestoreParameters(given.text("application_id", ""), given.texts("items"))
    if bool(value.application_id) == bool(value.items):
        raise SettingsError("A job of kind 'restore' needs either 'application_id' or 'items'.")
    return value


def run_restore(workspace: Workspace, value: RestoreParameters, run: JobRun) -> dict[str, Any]:
    """Move files back; gives how many came, in all tries, and what could not."""
    from deeplens_kit.pipeline.quarantining import restore_quarantined

    wanted = _wanted(workspace, value, run)
    if not wanted and run.job.turn > 1:
        return {"restored": _told(workspace, run, "restored"), "troubles": [], "left_to_index": 0}
    came = restore_quarantined(workspace, [item.item_id for item in wanted], progress=run.progress, stop=run.stop)
    if came.stopped:
        raise Interrupted("It was ended after the file that it was at; the others are still in quarantine.")
    troubles = [{"step": item.step, "code": item.code, "message": item.message} for item in came.troubles]
    restored = max(len(came.undone), _told(workspace, run, "restored"))
    return {"restored": restored, "troubles": troubles, "left_to_index": came.left_to_index}


def _wanted(workspace: Workspace, value: RestoreParameters, run: JobRun) -> list[QuarantinedFile]:
    ledger = workspace.ledger
    if value.application_id:
        application_id = ledger.application(value.application_id).application_id
        return ledger.quarantined(application_id=application_id, states=_IN_QUARANTINE)
    items = [ledger.quarantined_file(item_id) for item_id in value.items]
    # Those that an earlier try of this job moved back are there; any other that is not in quarantine is a mistake.
    return [item for item in items if run.job.turn == 1 or item.state in _IN_QUARANTINE]


def _told(workspace: Workspace, run: JobRun, stage: str) -> int:
    """How many files came to a stage by this job, in all its tries."""
    if run.job.turn == 1:
        return 0
    found, after = 0, 0
    while told := workspace.ledger.job_events(after, run.job.job_id, limit=_AT_ONCE):
        found += sum(event.stage == stage for event in told)
        after = told[-1].sequence
    return found
