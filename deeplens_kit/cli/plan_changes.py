"""`deeplens plan trim`, `approve`, `refuse` and `refresh`: what people do with a plan that was made.

Takes ids and choices, gives how the plan stands then; writes to the ledger and touches no file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.plan_commands import PlanId, diff_answer, record_summary
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.words import plural

__all__ = ["approve", "refresh", "refuse", "trim"]


def trim(
    context: typer.Context,
    plan: PlanId,
    drop: Annotated[
        list[int] | None, typer.Option("--drop", metavar="STEP", help="Take this step out; may come again.")
    ] = None,
    drop_group: Annotated[
        list[str] | None,
        typer.Option("--drop-group", metavar="GROUP", help="Take out all steps of this group; may come again."),
    ] = None,
    only_location: Annotated[
        list[str] | None,
        typer.Option("--only-location", metavar="NAME", help="Keep steps on files there alone; may come again."),
    ] = None,
    from_csv: Annotated[
        Path | None,
        typer.Option(
            "--from-csv",
            metavar="FILE",
            help="Keep what an export as CSV still names; take rows out of it first.",
        ),
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Take steps out of a plan. A new plan takes its place, to be approved anew; what belongs together goes along."""
    check_outputs(csv)
    if not (drop or drop_group or only_location or from_csv):
        raise SettingsError("Say what to take out: --drop, --drop-group, --only-location or --from-csv.")
    content = None
    if from_csv is not None:
        try:
            content = from_csv.read_bytes()
        except OSError as error:
            raise SettingsError(f"Cannot read {str(from_csv)!r}: {error.strerror or error}.") from error
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        record = pipeline.trim_plan(
            workspace,
            plan,
            drop=drop or (),
            drop_groups=drop_group or (),
            only_locations=only_location or (),
            from_csv=content,
        )
        found = pipeline.diff_plans(workspace, None, record.plan_id)
        answer = diff_answer(workspace, "plan trim", found)
    summary = {**record_summary(record), **answer.summary}
    lines = [
        f"Plan {record.plan_id} takes the place of {record.replaces}: {plural(record.steps, 'step')} left. It needs "
        f"approval anew: `deeplens plan approve {record.plan_id}`.",
    ]
    give(Answer("plan trim", answer.rows, answer.show, summary, [*answer.closing, *lines]), as_json=as_json, csv=csv)


def approve(
    context: typer.Context,
    plan: PlanId,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="For whoever reads it later.")] = "",
    as_json: Json = False,
) -> None:
    """Approve a plan as it stands, as the person who runs this command; refused where the plan is stale."""
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        record = pipeline.approve_plan(workspace, plan, note)
        answer = Answer(
            "plan approve",
            pipeline.list_plans(workspace).filter(plan_id=record.plan_id),
            None,
            record_summary(record),
            [
                f"Approved plan {record.plan_id}: {plural(record.steps, 'step')}, digest {record.steps_digest[:12]}…",
                f"Next: `deeplens apply {record.plan_id}` says what it would do, without doing it.",
            ],
        )
    give(answer, as_json=as_json, csv=None)


def refuse(
    context: typer.Context,
    plan: PlanId,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for whoever reads it later.")] = "",
    as_json: Json = False,
) -> None:
    """Refuse a plan, also one that was approved: it is not applied any more."""
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        record = pipeline.refuse_plan(workspace, plan, why)
        rows = pipeline.list_plans(workspace).filter(plan_id=record.plan_id)
    lines = [f"Refused plan {record.plan_id}; it stays in the list and is not applied."]
    give(Answer("plan refuse", rows, None, record_summary(record), lines), as_json=as_json, csv=None)


def refresh(context: typer.Context, plan: PlanId, as_json: Json = False, csv: Csv = None) -> None:
    """Make a plan anew from what it was made from, in its place, and show what changed. Steps taken out stay out."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        record, found = pipeline.refresh_plan(workspace, plan)
        answer = diff_answer(workspace, "plan refresh", found)
    lines = [
        f"Plan {record.plan_id} takes the place of {record.replaces}: {plural(record.steps, 'step')}. It needs "
        f"approval anew: `deeplens plan approve {record.plan_id}`."
    ]
    summary = {**record_summary(record), **answer.summary}
    refreshed = Answer("plan refresh", answer.rows, answer.show, summary, [*answer.closing, *lines])
    give(refreshed, as_json=as_json, csv=csv)
