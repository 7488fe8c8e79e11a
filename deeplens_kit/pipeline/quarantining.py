"""The quarantine of a workspace: what lies there, what of it goes back, and what is removed for good.

Takes an open workspace and ids of files, gives frames and reports; a file is removed only where a person said so, after
its keeper was read. Everything is written to the journal of the application that moved the file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from deeplens_kit.actions import (
    Emptied,
    FileAt,
    Ground,
    JournalUnwritable,
    UndoReport,
    UndoTrouble,
    Unsettled,
    empty_items,
    history_of,
    no_boundary,
    settle_open,
    undo_steps,
)
from deeplens_kit.errors import ActionsHaltedError, PlanStateError, SettingsError
from deeplens_kit.ledger import ApplicationState, QuarantinedFile, QuarantineState
from deeplens_kit.pipeline.act_catalog import know_again
from deeplens_kit.pipeline.act_ground import (
    Protection,
    ground_of,
    leased,
    opened_kinds,
    options_of,
    tidy_quarantine,
)
from deeplens_kit.pipeline.act_roots import locations_of_act, roots_away
from deeplens_kit.pipeline.applying import locations_of
from deeplens_kit.pipeline.missing_files import look_for_missing
from deeplens_kit.pipeline.planning import load_steps
from deeplens_kit.pipeline.progress import ProgressListener, ProgressMeter
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage import LocationKind
from deeplens_kit.telemetry import redact

__all__ = ["EmptyReport", "Restored", "chosen_items", "empty_quarantine", "list_quarantine", "restore_quarantined"]

_LISTED = pl.Schema(
    {
        "item_id": pl.String(),
        "application_id": pl.String(),
        "step": pl.Int64(),
        "location": pl.String(),
        "path": pl.String(),
        "size_bytes": pl.Int64(),
        "digest": pl.String(),
        "keeper_location": pl.String(),
        "keeper_path": pl.String(),
        "state": pl.String(),
        "moved_at": pl.Datetime("us", "UTC"),
        "expires_at": pl.Datetime("us", "UTC"),
        "expired": pl.Boolean(),
        "quarantine_path": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class EmptyReport:
    """What came of emptying.

    Attributes:
        items: What became of each file.
        stopped: Whether somebody asked it to stop before its end.
    """

    items: tuple[Emptied, ...]
    stopped: bool = False

    @property
    def removed(self) -> int:
        """Files that were removed."""
        return sum(item.done for item in self.items)

    @property
    def freed_bytes(self) -> int:
        """Bytes that the storages say are free now."""
        return sum(item.freed_bytes for item in self.items)

    @property
    def promised_bytes(self) -> int:
        """Bytes of the files that were removed."""
        return sum(item.item.size_bytes for item in self.items if item.done)


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of moving files back.

    Attributes:
        undone: Files that are as they were.
        troubles: What is not.
        left_to_index: Files that came back and that the catalog knows only after the next index run.
        stopped: Whether somebody asked it to stop before its end.
    """

    undone: tuple[FileAt, ...]
    troubles: tuple[UndoTrouble, ...]
    left_to_index: int = 0
    stopped: bool = False

    @property
    def complete(self) -> bool:
        """Whether all is as it was before, but for times that a storage cannot set."""
        return all(trouble.code == "times_kept" for trouble in self.troubles)


def list_quarantine(
    workspace: Workspace,
    application_id: str | None = None,
    *,
    every: bool = False,
    now: datetime | None = None,
) -> pl.DataFrame:
    """Files in quarantine, those that were moved first at the top. Missing ones are looked for again first.

    Args:
        workspace: An open workspace.
        application_id: Of one application, or how its id begins; None for all.
        every: Also those that were restored or removed.
        now: UTC; by default the time.
    """
    names = dict(workspace.location_names().iter_rows())
    moment, application = now or datetime.now(UTC), _whole_id(workspace, application_id)
    look_for_missing(workspace, application)
    rows = [
        {
            "item_id": item.item_id,
            "application_id": item.application_id,
            "step": item.step,
            "location": names.get(item.location_id, item.location_id),
            "path": item.path,
            "size_bytes": item.size_bytes,
            "digest": item.digest,
            "keeper_location": None if item.keeper_location_id is None else names.get(item.keeper_location_id),
            "keeper_path": item.keeper_path,
            "state": str(item.state),
            "moved_at": item.moved_at,
            "expires_at": item.expires_at,
            "expired": item.expires_at is not None and item.expires_at <= moment,
            "quarantine_path": item.quarantine_path,
        }
        for item in workspace.ledger.quarantined(
            application_id=application,
            states=None if every else (QuarantineState.HELD, QuarantineState.MISSING),
        )
    ]
    return pl.DataFrame(rows, schema=_LISTED, orient="row")


def chosen_items(
    workspace: Workspace,
    *,
    application_id: str | None = None,
    item_ids: Collection[str] = (),
    expired_only: bool = True,
    now: datetime | None = None,
) -> list[QuarantinedFile]:
    """The files in quarantine that emptying would look at; missing ones are looked for again first.

    Args:
        workspace: An open workspace.
        application_id: Of one application, or how its id begins; None for all.
        item_ids: These alone; they need not have expired.
        expired_only: Those alone that have expired.
        now: UTC; by default the time.

    Raises:
        UnknownNameError: There is no such application or file.
    """
    if item_ids:
        look_for_missing(workspace)
        return [workspace.ledger.quarantined_file(item_id) for item_id in item_ids]
    expired = (now or datetime.now(UTC)) if expired_only else None
    application = _whole_id(workspace, application_id)
    look_for_missing(workspace, application)
    return workspace.ledger.quarantined(application_id=application, expired_before=expired)


def empty_quarantine(
    workspace: Workspace,
    items: Sequence[QuarantinedFile],
    *,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    boundary: Callable[[str], None] = no_boundary,
) -> EmptyReport:
    """Remove files from quarantine for good. Each keeper is read first; whatever is in doubt stays.

    Args:
        workspace: An open workspace.
        items: As `chosen_items` gives them; a person said yes to them.
        progress: Told how it goes.
        stop: Set it to end after the file at hand.
        boundary: As for `apply`.

    Raises:
        PlanStateError: An application of theirs is at work.
        LeaseHeldError: Another run works at a location of theirs.
        ActionsHaltedError: A storage cannot be reached in the middle of an act.
        WorkspaceError: The journal cannot be written.
    """
    if not items:
        return EmptyReport(())
    _require_quiet(workspace, items)
    locations = {item.location_id for item in items} | {
        item.keeper_location_id for item in items if item.keeper_location_id is not None
    }
    meter = ProgressMeter(progress, "", "empty", len(items))
    came: list[Emptied] = []
    with (
        leased(workspace, "empty", locations) as leases,
        opened_kinds(workspace, locations, inactive=True) as kinds,
    ):
        grounds = _grounds(workspace, items, kinds, boundary, leases.check)
        protection = Protection(workspace)

        def ends() -> bool:
            leases.check()
            return stop is not None and stop.is_set()

        try:
            for ground in grounds.values():
                settle_open(ground, _elsewhere(ground))
            for item in empty_items(grounds.__getitem__, items, protection.held, ends=ends):
                came.append(item)
                meter.advance(skipped=not item.done, bytes_read=item.item.size_bytes)
        except Unsettled as error:
            raise _halted("Emptying the quarantine", str(error.cause)) from error.cause
        except JournalUnwritable as error:
            raise error.cause from error
        meter.finish()
        for application_id in grounds:
            tidy_quarantine(kinds, application_id)
        report = EmptyReport(tuple(came), stopped=len(came) < len(items))
        details = {"files": report.removed, "kept": len(came) - report.removed, "freed_bytes": report.freed_bytes}
        workspace.ledger.record_audit("quarantine.emptied", {"applications": sorted(grounds), **details})
    return report


def restore_quarantined(
    workspace: Workspace,
    item_ids: Sequence[str],
    *,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
    boundary: Callable[[str], None] = no_boundary,
) -> Restored:
    """Undo the steps that put some files in quarantine, and those that are done together with them.

    Args:
        workspace: An open workspace.
        item_ids: Of the files.
        progress: Told how it goes.
        stop: Set it to end after the step at hand.
        boundary: As for `apply`.

    Raises:
        UnknownNameError: There is no such file; nothing was restored.
        SettingsError: None is named.
        PlanStateError: An application of theirs is at work.
        LeaseHeldError: Another run works at a location of theirs.
        ActionsHaltedError: A storage cannot be reached in the middle of an act.
        WorkspaceError: The journal cannot be written.
    """
    if not item_ids:
        raise SettingsError("Name the files to restore by their ids, as `deeplens quarantine list` shows them.")
    items = [workspace.ledger.quarantined_file(item_id) for item_id in item_ids]
    _require_quiet(workspace, items)
    meter = ProgressMeter(progress, "", "undo", len(items))
    reports: list[UndoReport] = []
    left = 0
    locations = {
        name for item in {item.application_id: item for item in items}.values() for name in _places(workspace, item)
    }
    with leased(workspace, "restore", locations) as leases, opened_kinds(workspace, locations, inactive=True) as kinds:
        grounds = _grounds(workspace, items, kinds, boundary, leases.check)
        try:
            for application_id, ground in grounds.items():
                settle_open(ground, _elsewhere(ground))
                mine = [item for item in items if item.application_id == application_id]
                steps = _with_their_like(workspace, application_id, {item.step for item in mine})
                histories = history_of(workspace.ledger.journal(application_id))
                wanted = {number: history for number, history in histories.items() if number in steps}
                report = undo_steps(ground, wanted, stop=stop, told=lambda _step: meter.advance())
                reports.append(report)
                left += len(report.back) - know_again(workspace, report, leases.run_id)
                tidy_quarantine(kinds, application_id)
        except Unsettled as error:
            raise _halted("Restoring from quarantine", str(error.cause)) from error.cause
        except JournalUnwritable as error:
            raise error.cause from error
    meter.finish()
    undone = tuple(file for report in reports for file in report.undone.values())
    stopped = any(report.stopped for report in reports)
    return Restored(undone, tuple(trouble for report in reports for trouble in report.troubles), left, stopped)


def _grounds(
    workspace: Workspace,
    items: Iterable[QuarantinedFile],
    kinds: Mapping[str, LocationKind],
    boundary: Callable[[str], None],
    may_go_on: Callable[[], object],
) -> dict[str, Ground]:
    """What each application stands on: the locations that are the ones that it acted on."""
    grounds = {}
    for application_id in dict.fromkeys(item.application_id for item in items):
        application = workspace.ledger.application(application_id)
        plan = workspace.ledger.plan(application.plan_id)
        options = options_of(workspace.settings.actions)
        away = roots_away(workspace, application, load_steps(workspace, plan), kinds)
        there = {location_id: kind for location_id, kind in kinds.items() if location_id not in away}
        grounds[application_id] = ground_of(
            workspace, application_id, there, options, boundary=boundary, may_go_on=may_go_on
        )
    return grounds


def _elsewhere(ground: Ground) -> set[str]:
    """Locations of operations without an end that are away, or not asked for: they wait, and nothing else for them."""
    opened = ground.ledger.open_operations(ground.application_id)
    return set().union(*(locations_of_act(line.facts) for line in opened)) - ground.kinds.keys()


def _places(workspace: Workspace, item: QuarantinedFile) -> set[str]:
    """Every location of the plan that moved a file."""
    plan = workspace.ledger.plan(workspace.ledger.application(item.application_id).plan_id)
    return locations_of(load_steps(workspace, plan))


def _with_their_like(workspace: Workspace, application_id: str, steps: set[int]) -> set[int]:
    """Steps with those that are done all or none with them: a picture comes back with its sidecars."""
    frame = load_steps(workspace, workspace.ledger.plan(workspace.ledger.application(application_id).plan_id))
    names = frame.filter(pl.col("step").is_in(list(steps)))["together"].drop_nulls().unique()
    return steps | set(frame.filter(pl.col("together").is_in(names.implode()))["step"])


def _require_quiet(workspace: Workspace, items: Iterable[QuarantinedFile]) -> None:
    for application_id in {item.application_id for item in items}:
        state = workspace.ledger.application(application_id).state
        if state is ApplicationState.RUNNING:
            raise PlanStateError(
                f"Application {application_id} is {state}, or its process ended; let it end, or go on with `deeplens "
                f"apply --resume {application_id}` or `deeplens undo {application_id}` first."
            )


def _halted(what: str, why: str) -> ActionsHaltedError:
    return ActionsHaltedError(
        f"{what} stopped: {redact(why)} What was done stands; see to the storage and do it again."
    )


def _whole_id(workspace: Workspace, application_id: str | None) -> str | None:
    return None if application_id is None else workspace.ledger.application(application_id).application_id
