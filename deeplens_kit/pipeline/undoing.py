"""Undoing an application: all that it did is made as it was, and what cannot be is told.

Takes an open workspace and the id of an application, gives a report; works after a partial apply, a halt, a crash, and
a crash while undoing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from deeplens_kit.actions import (
    FileAt,
    Ground,
    JournalUnwritable,
    StepHistory,
    UndoReport,
    UndoTrouble,
    Unsettled,
    history_of,
    no_boundary,
    settle_open,
    undo_steps,
)
from deeplens_kit.errors import ActionsHaltedError, PlanStateError
from deeplens_kit.ledger import Application, ApplicationState
from deeplens_kit.pipeline.act_catalog import know_again
from deeplens_kit.pipeline.act_ground import ground_of, leased, opened_kinds, options_of, tidy_quarantine
from deeplens_kit.pipeline.act_roots import locations_of_act, roots_away
from deeplens_kit.pipeline.applying import locations_of
from deeplens_kit.pipeline.planning import load_steps
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.telemetry import redact

__all__ = ["Undone", "undo"]

_FOR_GOOD = frozenset({"emptied", "times_kept"})
"""Troubles that trying again does not mend."""


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of undoing an application.

    Attributes:
        application: As it stands now: undone, or still being undone where trying again may mend what is left.
        report: What was undone, and what could not be.
        left_to_index: Files that came back and that the catalog knows only after the next index run: one that ran
            meanwhile forgot their pictures.
    """

    application: Application
    report: UndoReport
    left_to_index: int = 0

    @property
    def troubles(self) -> tuple[UndoTrouble, ...]:
        """What is not as it was."""
        return self.report.troubles


def undo(
    workspace: Workspace,
    application_id: str,
    *,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    boundary: Callable[[str], None] = no_boundary,
) -> Undone:
    """Undo an application.

    Args:
        workspace: An open workspace.
        application_id: The application, or how its id begins.
        progress: Told how it goes.
        stop: Set it to end after the step that is being undone; undoing again goes on.
        boundary: As for `apply`.

    Raises:
        PlanStateError: It is undone already.
        LeaseHeldError: Another run works at a location of it.
        ActionsHaltedError: A storage cannot be reached in the middle of a step; undoing again goes on.
        WorkspaceError: The journal cannot be written.
    """
    ledger = workspace.ledger
    application = ledger.application(application_id)
    name = application.application_id
    if application.state is ApplicationState.UNDONE:
        raise PlanStateError(f"Application {name} is undone already; there is nothing left to undo.")
    record = ledger.plan(application.plan_id)
    frame = load_steps(workspace, record)
    with (
        leased(workspace, "undo", locations_of(frame)) as leases,
        opened_kinds(workspace, locations_of(frame), inactive=True) as kinds,
    ):
        options = options_of(workspace.settings.actions)
        ground = ground_of(workspace, name, kinds, options, boundary=boundary, may_go_on=leases.check)
        if (emptied := _all_emptied(ground)) is not None:
            return Undone(application, emptied)
        if application.state is not ApplicationState.UNDOING:
            ledger.set_application(name, ApplicationState.UNDOING)
        away = roots_away(workspace, application, frame, kinds, history_of(ledger.journal(name)))
        try:
            settle_open(ground, away)
            histories, left = _without_away(ground, history_of(ledger.journal(name)), away)
            standing = [number for number, history in histories.items() if history.done]
            meter = ProgressMeter(progress, "", "undo", len(standing))
            report = undo_steps(ground, histories, stop=stop, told=lambda _step: meter.advance())
            report = replace(report, troubles=(*report.troubles, *left))
            meter.finish()
        except Unsettled as error:
            raise ActionsHaltedError(
                f"Undoing application {name} stopped: {redact(str(error.cause))} What was undone stands; see to the "
                f"storage, then go on with `deeplens undo {name}`."
            ) from error.cause
        except JournalUnwritable as error:
            raise error.cause from error
        tidy_quarantine({key: kind for key, kind in kinds.items() if key not in away}, name)
        application = _stands(workspace, application, report)
        known = know_again(workspace, report, leases.run_id)
        return Undone(application, report, len(report.back) - known)


def _without_away(
    ground: Ground, histories: Mapping[int, StepHistory], away: Mapping[str, str]
) -> tuple[dict[int, StepHistory], list[UndoTrouble]]:
    """The steps that can be undone now, and what is to be told of each location that is not the one acted on."""
    at = {
        number: set().union(*map(locations_of_act, (act.facts for act in history.done)))
        for number, history in histories.items()
    }
    for line in ground.ledger.open_operations(ground.application_id):
        at.setdefault(line.step, set()).update(locations_of_act(line.facts))
    left = {number for number, places in at.items() if places & away.keys()}
    troubles = []
    for location_id, why in away.items():
        if steps := [number for number in sorted(left) if location_id in at[number]]:
            message = f"{why} Steps that wait for it: {len(steps):,}."
            troubles.append(UndoTrouble(steps[0], "root", FileAt(location_id, ""), "away", message, {}))
    return {number: history for number, history in histories.items() if number not in left}, troubles


def _all_emptied(ground: Ground) -> UndoReport | None:
    """What can be said at once where nothing stands that could be undone, for all was removed for good."""
    if ground.ledger.open_operations(ground.application_id):
        return None
    standing = [
        history for history in history_of(ground.ledger.journal(ground.application_id)).values() if history.done
    ]
    if not standing or not all(history.emptied for history in standing):
        return None
    message = "The quarantine of it was emptied; its bytes are not here any more."
    troubles = [
        UndoTrouble(act.step, "empty", FileAt(act.facts["location_id"], act.facts["path"]), "emptied", message, {})
        for act in (history.done[-1] for history in standing)
    ]
    return UndoReport({}, tuple(troubles))


def _stands(workspace: Workspace, application: Application, report: UndoReport) -> Application:
    name = application.application_id
    left = [trouble for trouble in report.troubles if trouble.code not in _FOR_GOOD]
    figures = {
        **application.figures,
        "undone": len(report.undone) + int(application.figures.get("undone", 0)),
        "not_undone": len([trouble for trouble in report.troubles if trouble.code != "times_kept"]),
        "times_kept": len([trouble for trouble in report.troubles if trouble.code == "times_kept"]),
    }
    state = ApplicationState.UNDOING if report.stopped or left else ApplicationState.UNDONE
    lost = [trouble for trouble in report.troubles if trouble.code in ("emptied", "missing")]
    message = f"{len(left) + len(lost)} files are not as they were" if left or lost else ""
    return workspace.ledger.set_application(name, state, figures, message)
