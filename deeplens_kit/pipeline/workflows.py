"""Standing workflows of a workspace: added, bounded, looked at, paused, resumed, removed.

Takes an open workspace, names and what is wanted, gives frozen values and frames; must not run one or touch a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from deeplens_kit.actions import PlanDraft
from deeplens_kit.ledger import Workflow
from deeplens_kit.pipeline.notify_targets import check_target, label_of
from deeplens_kit.pipeline.plan_choices import PlanChoice
from deeplens_kit.pipeline.plan_evidence import copy_evidence
from deeplens_kit.pipeline.planning import check_choice, draft_plan
from deeplens_kit.pipeline.workflow_bounds import PlanSize, WorkflowBounds, plan_size
from deeplens_kit.pipeline.workflow_settings import DRIFT_FACTOR, WorkflowSettings
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import Tier

__all__ = [
    "WorkflowPreview",
    "add_workflow",
    "list_workflows",
    "preview_workflow",
    "set_workflow_bounds",
    "workflow_history",
]

_TIME = pl.Datetime("us", "UTC")
_WORKFLOWS = pl.Schema(
    {
        "workflow_id": pl.String(),
        "workflow": pl.String(),
        "state": pl.String(),
        "action": pl.String(),
        "tiers": pl.List(pl.String()),
        "locations": pl.List(pl.String()),
        "every": pl.String(),
        "timezone": pl.String(),
        "bounds_by": pl.String(),
        "bounds_at": _TIME,
        "notify": pl.List(pl.String()),
        "author": pl.String(),
        "created_at": _TIME,
        "code": pl.String(),
        "reason": pl.String(),
        "changed_by": pl.String(),
        "changed_at": _TIME,
    }
)
_RUNS = pl.Schema(
    {
        "run_id": pl.String(),
        "workflow": pl.String(),
        "state": pl.String(),
        "started_at": _TIME,
        "finished_at": _TIME,
        "who": pl.String(),
        "plan_id": pl.String(),
        "application_id": pl.String(),
        "steps": pl.Int64(),
        "done": pl.Int64(),
        "skipped": pl.Int64(),
        "failed": pl.Int64(),
        "frees_bytes": pl.Int64(),
        "message": pl.String(),
    }
)


@dataclass(frozen=True, slots=True)
class WorkflowPreview:
    """What a workflow would plan now.

    Attributes:
        draft: The steps, and what is left out.
        size: What bounds are held against.
        waits: Why a person would have to approve it; empty where nobody would.
    """

    draft: PlanDraft
    size: PlanSize
    waits: tuple[str, ...]


def add_workflow(
    workspace: Workspace,
    name: str,
    choice: PlanChoice,
    *,
    every: str,
    timezone: str,
    notify: Sequence[str] = (),
    bounds: WorkflowBounds | None = None,
    drift_factor: float = DRIFT_FACTOR,
) -> Workflow:
    """Add a workflow; nothing is planned or done before it is run.

    Args:
        workspace: An open workspace.
        name: Of the workflow.
        choice: What its plans are made from, as `plan_choice` gives it: kept as it is now.
        every: When it should run, as cron says it, checked by the caller. Only kept: whoever runs it is a scheduler.
        timezone: Of these times, by its IANA name.
        notify: Addresses that are told what a run came to; every credential in them is a reference.
        bounds: Within which its plans count as approved by this person; None: each plan waits for a person.
        drift_factor: See `WorkflowSettings`.

    Raises:
        SettingsError: A value is not allowed, or an address holds a credential in clear.
        PlanNotApprovedError: Bounds are given, and setting actions.other_approver asks for somebody else's; the
            workflow is not added.
    """
    for address in notify:
        check_target(address)
    settings = WorkflowSettings(choice, every, timezone, tuple(dict.fromkeys(notify)), drift_factor)
    check_choice(workspace, choice)
    made = workspace.ledger.add_workflow(name, settings.to_json())
    if bounds is None:
        return made
    try:
        return set_workflow_bounds(workspace, made.name, bounds)
    except BaseException:
        workspace.ledger.remove_workflow(made.name)
        raise


def set_workflow_bounds(workspace: Workspace, name: str, bounds: WorkflowBounds | None) -> Workflow:
    """Say within which bounds plans of a workflow count as approved by this person; None takes the bounds away.

    Raises:
        UnknownNameError: There is no such workflow.
        PlanNotApprovedError: This person added it, and setting actions.other_approver asks for somebody else.
    """
    return workspace.ledger.set_workflow_bounds(
        name,
        {} if bounds is None else bounds.to_json(),
        other_approver=workspace.settings.actions.other_approver,
    )


def preview_workflow(workspace: Workspace, name: str) -> WorkflowPreview:
    """What a workflow would plan now, and whether that would wait for a person; nothing is saved.

    Raises:
        UnknownNameError: There is no such workflow.
        SettingsError: The workspace does not allow what it does any more.
    """
    workflow = workspace.ledger.workflow(name)
    choice = WorkflowSettings.of(workflow.document).choice
    draft = draft_plan(workspace, choice)
    evidence = copy_evidence(workspace, choice.rule) if Tier.COPY in choice.tiers else None
    size = plan_size(workspace, evidence, draft.steps)
    bounds = WorkflowBounds.of(workflow.bounds)
    if draft.steps.is_empty():
        waits: list[str] = []
    elif bounds is None:
        waits = ["nobody set bounds"]
    else:
        waits = bounds.exceeded(size)
    return WorkflowPreview(draft, size, tuple(waits))


def list_workflows(workspace: Workspace, *, removed: bool = False) -> pl.DataFrame:
    """Workflows by name; `notify` has scheme and host alone. `removed`: also those that were removed."""
    rows = []
    for item in workspace.ledger.workflows(removed=removed):
        settings = WorkflowSettings.of(item.document)
        choice = settings.choice
        rows.append(
            {
                "workflow_id": item.workflow_id,
                "workflow": item.name,
                "state": str(item.state),
                "action": str(choice.action),
                "tiers": [str(tier) for tier in choice.tiers],
                "locations": list(choice.locations),
                "every": settings.every,
                "timezone": settings.timezone,
                "bounds_by": item.bounds_by or None,
                "bounds_at": item.bounds_at,
                "notify": [label_of(address) for address in settings.notify],
                "author": item.author,
                "created_at": item.created_at,
                "code": item.code or None,
                "reason": item.reason or None,
                "changed_by": item.changed_by,
                "changed_at": item.changed_at,
            }
        )
    return pl.DataFrame(rows, schema=_WORKFLOWS)


def workflow_history(workspace: Workspace, name: str | None = None) -> pl.DataFrame:
    """Runs, the latest first: of one workflow, or of all, removed ones too.

    Raises:
        UnknownNameError: There is no such workflow.
    """
    names = {item.workflow_id: item.name for item in workspace.ledger.workflows(removed=True)}
    rows = [
        {
            "run_id": run.run_id,
            "workflow": names[run.workflow_id],
            "state": str(run.state),
            "started_at": run.started_at,
            "finished_at": run.finished_at,
            "who": run.who,
            "plan_id": run.plan_id or None,
            "application_id": run.application_id or None,
            **{key: run.figures.get(key) for key in ("steps", "done", "skipped", "failed", "frees_bytes")},
            "message": run.message,
        }
        for run in workspace.ledger.workflow_runs(name)
    ]
    return pl.DataFrame(rows, schema=_RUNS)
