"""`deeplens workflows preview`, `run` and `history`: what a workflow would do, does, and did.

Takes the name of a workflow, gives steps or what came of runs. Only `run` acts, by plans that were approved.
"""

from __future__ import annotations

from typing import Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.plan_commands import named_steps
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.cli.workflow_options import WorkflowName
from deeplens_kit.errors import WorkflowPausedError
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.index_progress import progress_listener

__all__ = ["history", "preview", "run"]

_SHOWN = 50
_MINUTES = "%Y-%m-%d %H:%M"


def preview(context: typer.Context, name: WorkflowName, as_json: Json = False, csv: Csv = None) -> None:
    """Say what a workflow would plan now, and whether that would wait for a person. Nothing is saved or done."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.pipeline.workflows import preview_workflow

        found = preview_workflow(workspace, name)
        steps = named_steps(workspace, found.draft.steps)
    size = found.size

    def sheet() -> Sheet:
        columns = (Column("tier"), Column("file", fold=True), Column("frees", "right"), Column("keeper", fold=True))
        lines = [
            (
                row["tier"] or "",
                place(row["victim_location"] or "", row["victim_path"]),
                format_bytes(row["frees_bytes"]),
                "" if row["keeper_path"] is None else place(row["keeper_location"] or "", row["keeper_path"]),
            )
            for row in steps.head(_SHOWN).iter_rows(named=True)
        ]
        return Sheet(columns, lines, "There is nothing to do.")

    lines = [f"Showing {_SHOWN} of {steps.height:,} steps; all of them with --csv."] if steps.height > _SHOWN else []
    if steps.height:
        told = [f"{share:.1%} of the files of {shown(where)}" for where, share in sorted(size.shares.items())]
        lines.append(f"{plural(size.objects, 'file')}, {format_bytes(size.size_bytes)}; {', '.join(told)}.")
        lines.append(
            f"It would wait for a person: {'; '.join(found.waits)}."
            if found.waits
            else "It is within the bounds, so a run would apply it."
        )
    summary = {
        "steps": steps.height,
        "bytes": size.size_bytes,
        "shares": dict(size.shares),
        "copy_precision": size.copy_precision,
        "waits": list(found.waits),
    }
    give(Answer("workflows preview", steps, sheet, summary, lines), as_json=as_json, csv=csv)


def run(
    context: typer.Context,
    name: WorkflowName,
    index: Annotated[bool, typer.Option("--index", help="Index its locations first.")] = False,
    as_json: Json = False,
) -> None:
    """Run a workflow once, as a scheduler does: plan, approve within bounds or wait, quarantine, certify, tell.

    Ends with 7 where it is paused, or paused itself. It never empties a quarantine.
    """
    import polars as pl

    with opened(context) as workspace, stop_on_signals() as stop:
        from deeplens_kit.pipeline.workflow_running import run_workflow
        from deeplens_kit.pipeline.workflows import workflow_history

        # Nobody looks on where a scheduler runs it, and cron mails whatever is on standard error.
        with progress_listener(quiet=True) as listener:
            came = run_workflow(workspace, name, index_first=index, progress=listener, stop=stop)
        history_rows = workflow_history(workspace, name)
        rows = history_rows.filter(pl.col("run_id") == came.run.run_id)
    for sent in came.sent:
        if sent.reason or sent.warning:
            typer.echo(f"Notice to {sent.target}: {sent.reason or sent.warning}", err=True)
    state, message = str(came.run.state), came.run.message
    paused = state == "anomaly"
    # What waits for a person is news for whoever reads the mails of cron, which are of standard error.
    if state == "waiting" and not as_json:
        typer.echo(shown(message), err=True)
    lines = [] if paused or state == "waiting" else [shown(message)]
    summary = {
        "workflow": came.workflow.name,
        "state": state,
        "paused": paused,
        "message": message,
        "plan_id": came.run.plan_id or None,
        "application_id": came.run.application_id or None,
        "figures": dict(came.run.figures),
        "notices": [{"target": sent.target, "reason": sent.reason} for sent in came.sent],
    }
    give(Answer("workflows run", rows, None, summary, lines), as_json=as_json, csv=None)
    if paused:
        raise WorkflowPausedError(
            f"Workflow {came.workflow.name!r} paused itself: {message} It does nothing until `deeplens workflows "
            f"resume {came.workflow.name}`."
        )


def history(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of this workflow; else of all.", show_default=False)
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the runs of a workflow, or of all, the latest first, with what came of each."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.pipeline.workflows import workflow_history

        found = workflow_history(workspace, name)

    def sheet() -> Sheet:
        columns = (
            Column("workflow", fold=True),
            Column("began (UTC)"),
            Column("state"),
            Column("plan"),
            Column("done", "right"),
            Column("what came of it", fold=True),
        )
        lines = [
            (
                shown(row["workflow"]),
                row["started_at"].strftime(_MINUTES),
                row["state"],
                row["plan_id"] or "",
                "" if row["done"] is None else f"{row['done']:,} of {row['steps']:,}",
                shown(row["message"]),
            )
            for row in found.head(_SHOWN).iter_rows(named=True)
        ]
        return Sheet(columns, lines, "No workflow ran yet.")

    closing = [f"Showing {_SHOWN} of {found.height:,} runs; all with --csv."] if found.height > _SHOWN else []
    give(Answer("workflows history", found, sheet, {"runs": found.height}, closing), as_json=as_json, csv=csv)
