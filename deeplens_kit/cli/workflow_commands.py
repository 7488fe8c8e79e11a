"""`deeplens workflows add`, `bounds`, `list`, `show`, `pause`, `resume` and `remove`: clean-ups that recur.

Takes names and choices, gives what the ledger holds, and lines for schedulers; must not touch a file, and installs no
schedule by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.choices import PROPOSED_TIERS, RuleName, chosen
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.policy_command import Policy
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.cli.workflow_options import WorkflowName, given_bounds, shown_bounds
from deeplens_kit.errors import SettingsError

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import Workflow
    from deeplens_kit.pipeline import Workspace

__all__ = ["add", "bounds", "list_all", "pause", "remove", "resume", "show"]

_ACTIONS = ("remove", "hardlink", "symlink", "reflink", "redirect", "move", "storage_class")
_MINUTES = "%Y-%m-%d %H:%M"
_SHOWN_RUNS = 3


def add(
    context: typer.Context,
    name: WorkflowName,
    every: Annotated[
        str,
        typer.Option("--every", metavar="CRON", help="Five fields as in a crontab, or @weekly and its like."),
    ],
    tier: Annotated[
        list[str] | None,
        typer.Option(
            "--tier",
            metavar="|".join(PROPOSED_TIERS),
            help="Act on evidence of this strength; may come again. By default bytes and pixels.",
        ),
    ] = None,
    location: Annotated[
        list[str] | None,
        typer.Option("--location", metavar="NAME", help="Act on files there alone; may come again. By default all."),
    ] = None,
    action: Annotated[
        str, typer.Option("--action", metavar="|".join(_ACTIONS), help="What becomes of each copy.")
    ] = "remove",
    to: Annotated[
        str, typer.Option("--to", metavar="LOCATION[/FOLDER]", help="Where copies are moved, with --action move.")
    ] = "",
    storage_class: Annotated[
        str, typer.Option("--storage-class", metavar="NAME", help="With --action storage_class.")
    ] = "",
    policy: Policy = None,
    rule: RuleName = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Steps of a run at most.")] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="As in Europe/Berlin; by default that of this machine.")
    ] = None,
    objects: Annotated[
        int | None, typer.Option("--auto-approve-objects", metavar="N", help="Approve plans of so many files at most.")
    ] = None,
    size: Annotated[
        str | None, typer.Option("--auto-approve-bytes", metavar="SIZE", help="And of so much at most, as in 20GB.")
    ] = None,
    share: Annotated[
        str | None,
        typer.Option("--auto-approve-share", metavar="SHARE", help="And of so much of a location's files, as in 5%."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option("--auto-approve-precision", metavar="SHARE", help="Copies too, where labels show this precision."),
    ] = None,
    notify: Annotated[
        list[str] | None,
        typer.Option("--notify", metavar="ADDRESS", help="Tell smtp://, smtps:// or https://; may come again."),
    ] = None,
    drift: Annotated[
        float, typer.Option("--drift", metavar="X", help="Pause where a plan is X times the usual one.")
    ] = 5.0,
    as_json: Json = False,
) -> None:
    """Add a clean-up that recurs. Nothing is done before it runs; without bounds its plans wait for a person."""
    from deeplens_kit.reporting.cron import parse_cron
    from deeplens_kit.reporting.schedule import check_zone, local_zone

    limits = given_bounds("--auto-approve-", objects, size, share, precision)
    times = parse_cron(every)
    zone = check_zone(timezone) if timezone is not None else local_zone()
    with opened(context) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.pipeline.workflows import add_workflow

        choice = pipeline.plan_choice(
            workspace,
            tiers=chosen("tier", tier, PROPOSED_TIERS),
            action=(chosen("action", [action], _ACTIONS) or [action])[0],
            rule=pipeline.chosen_rule(workspace, rule),
            policy=policy,
            locations=location or (),
            limit=limit,
            to=to,
            storage_class=storage_class,
        )
        made = add_workflow(
            workspace,
            name,
            choice,
            every=times.text,
            timezone=zone,
            notify=notify or (),
            bounds=limits,
            drift_factor=drift,
        )
        lines = [
            *_told(made),
            f"Next: `deeplens workflows preview {made.name}` says what it would plan now, and `deeplens workflows show "
            f"{made.name} --form crontab` prints the line that makes it recur.",
        ]
        rows = _rows(workspace, made.name)
    give(Answer("workflows add", rows, None, {"workflow_id": made.workflow_id}, lines), as_json=as_json, csv=None)


def bounds(
    context: typer.Context,
    name: WorkflowName,
    objects: Annotated[int | None, typer.Option("--objects", metavar="N", help="Files of a run at most.")] = None,
    size: Annotated[
        str | None, typer.Option("--bytes", metavar="SIZE", help="Their bytes at most, as in 20GB.")
    ] = None,
    share: Annotated[
        str | None, typer.Option("--share", metavar="SHARE", help="Of each location's files at most, as in 5%.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="SHARE", help="Copies too, where labels show this precision.")
    ] = None,
    nothing: Annotated[
        bool, typer.Option("--none", help="Take the bounds away: each plan waits for a person.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say within which bounds plans of a workflow count as approved by you; your name stands by each approval."""
    limits = given_bounds("--", objects, size, share, precision)
    if nothing == (limits is not None):
        raise SettingsError("Give bounds, or --none to take them away.")
    with opened(context) as workspace:
        from deeplens_kit.pipeline.workflows import set_workflow_bounds

        changed = set_workflow_bounds(workspace, name, limits)
        rows = _rows(workspace, name)
    give(Answer("workflows bounds", rows, None, dict(changed.bounds), _told(changed)), as_json=as_json, csv=None)


def list_all(
    context: typer.Context,
    removed: Annotated[bool, typer.Option("--removed", help="Also those that were removed.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the workflows, with how they stand, and of those that are paused why."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.pipeline.workflows import list_workflows

        found = list_workflows(workspace, removed=removed)

    def sheet() -> Sheet:
        columns = (
            Column("workflow", fold=True),
            Column("state"),
            Column("action"),
            Column("tiers"),
            Column("where", fold=True),
            Column("every"),
            Column("bounds by", fold=True),
            Column("why", fold=True),
        )
        lines = [
            (
                shown(row["workflow"]),
                row["state"],
                row["action"],
                ", ".join(row["tiers"]),
                ", ".join(map(shown, row["locations"])) or "all locations",
                f"{row['every']} {row['timezone']}",
                shown(row["bounds_by"] or ""),
                shown(row["reason"] or ""),
            )
            for row in found.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "No workflows; `deeplens workflows add NAME --every '0 3 * * *'` adds one.")

    give(Answer("workflows list", found, sheet, {"workflows": found.height}), as_json=as_json, csv=csv)


def show(
    context: typer.Context,
    name: WorkflowName,
    form: Annotated[
        Literal["crontab", "systemd", "kubernetes"] | None,
        typer.Option(help="Print what makes it recur instead; installs nothing."),
    ] = None,
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="For Kubernetes: the container image that has DeepLens.")
    ] = "deeplens:latest",
    index: Annotated[bool, typer.Option("--index", help="With --form: index its locations first, each time.")] = False,
    as_json: Json = False,
) -> None:
    """Show what a workflow does, within which bounds and who set them, and when; or the line that makes it recur."""
    from deeplens_kit.reporting.cron import next_runs, parse_cron
    from deeplens_kit.reporting.schedule import Job, program, spoken, texts_of

    with opened(context) as workspace:
        from deeplens_kit.pipeline.workflow_settings import WorkflowSettings

        found = workspace.ledger.workflow(name)
        rows, settings = _rows(workspace, name), WorkflowSettings.of(found.document)
        directory = workspace.directory
    times = parse_cron(settings.every)
    coming = next_runs(times, datetime.now(ZoneInfo(settings.timezone)), _SHOWN_RUNS)
    words = ("workflows", "run", found.name, *(("--index",) if index else ()))
    job = Job(times, settings.timezone, program(), words, directory, None, image, "workflow", found.name)
    texts = texts_of(job, form)
    if form is not None:
        lines = "\n".join(text for _, _, text in texts).splitlines()
    else:
        lines = [*_told(found), f"Due: {'; '.join(map(spoken, coming))}, where a scheduler runs it (--form)."]
    summary = {
        "workflow": found.name,
        "bounds": dict(found.bounds),
        "rule": settings.choice.rule.name,
        "policy": settings.choice.policy.name,
        "next_runs": [run.isoformat() for run in coming],
        "schedule": {file: text for _, file, text in texts},
    }
    give(Answer("workflows show", rows, None, summary, lines), as_json=as_json, csv=None)


def pause(
    context: typer.Context,
    name: WorkflowName,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason.")] = "",
) -> None:
    """Pause a workflow: it does nothing until it is resumed. A run that is at work ends after the step it is at."""
    with opened(context) as workspace:
        paused = workspace.ledger.pause_workflow(name, why or "a person paused it.")
    typer.echo("\n".join(_told(paused)))


def resume(
    context: typer.Context,
    name: WorkflowName,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What was looked at; goes on record.")] = "",
) -> None:
    """Let a paused workflow run again, once what paused it was looked at."""
    with opened(context) as workspace:
        resumed = workspace.ledger.resume_workflow(name, note)
    typer.echo("\n".join(_told(resumed)))


def remove(context: typer.Context, name: WorkflowName) -> None:
    """Remove a workflow: it runs no more. What it did stays on record; files stay as they are."""
    with opened(context) as workspace:
        gone = workspace.ledger.remove_workflow(name)
    typer.echo(f"Removed workflow {shown(gone.name)}. Take it out of the scheduler too.")


def _rows(workspace: Workspace, name: str) -> pl.DataFrame:
    from deeplens_kit.pipeline.workflows import list_workflows

    rows = list_workflows(workspace)
    return rows.filter(rows["workflow"] == name)


def _told(found: Workflow) -> Sequence[str]:
    """What a workflow is and how it stands, in sentences."""
    from deeplens_kit.pipeline.notify_targets import label_of
    from deeplens_kit.pipeline.workflow_bounds import WorkflowBounds
    from deeplens_kit.pipeline.workflow_settings import WorkflowSettings
    from deeplens_kit.reporting.plan_words import action_words

    settings = WorkflowSettings.of(found.document)
    choice = settings.choice
    where = ", ".join(map(shown, choice.locations)) or "all locations"
    lines = [
        f"Workflow {shown(found.name)}, {found.state}; added by {shown(found.author)} at "
        f"{found.created_at:{_MINUTES}} UTC.",
        f"To do: {action_words(choice.action)} at {where}, on evidence of {', '.join(choice.tiers)}, by the rule "
        f"{choice.rule.name} and the keep policy {choice.policy.name} as they were then; every {settings.every} "
        f"({settings.timezone}).",
    ]
    limits = WorkflowBounds.of(found.bounds)
    if limits is None or found.bounds_at is None:
        lines.append("Nobody set bounds: each of its plans waits for a person.")
    else:
        lines.append(
            f"Plans within bounds that {shown(found.bounds_by)} set at {found.bounds_at:{_MINUTES}} UTC are applied "
            f"without a person: {shown_bounds(limits)}."
        )
    if settings.notify:
        lines.append(f"It tells {', '.join(label_of(address) for address in settings.notify)}.")
    if found.code:
        lines.append(
            f"Paused by {shown(found.changed_by)} at {found.changed_at:{_MINUTES}} UTC ({found.code}): "
            f"{shown(found.reason)}"
        )
    return lines
