"""The commands for jobs: which there are, one of them, its stages, cancel, try again, and a worker.

Takes ids and filters, gives rows; must not do a job but by a worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.tables import Column, Sheet, print_lines, shown
from deeplens_kit.ledger import Job, JobState
from deeplens_kit.reporting.words import plural

if TYPE_CHECKING:
    import polars as pl

__all__ = ["cancel", "events", "list_all", "retry", "show", "work"]

_JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job, or how its id begins.", show_default=False)]


def list_all(
    context: typer.Context,
    state: Annotated[
        list[JobState] | None, typer.Option("--state", help="Only those that stand so; may come again.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND", help="Only these; may come again.")
    ] = None,
    who: Annotated[str, typer.Option(metavar="WHO", help="Only those that this person asked for.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest.")] = 50,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List jobs, the latest first: `--state dead` for those that were tried as often as they may be."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        jobs = workspace.ledger.jobs(state or (), kind or (), who, limit=limit)
        counts = {str(name): number for name, number in workspace.ledger.job_counts().items()}
    said = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "no job yet"
    answer = Answer("jobs list", _frame(jobs), lambda: _sheet(jobs), counts, [f"In all: {said}."])
    give(answer, as_json=as_json, csv=csv)


def show(context: typer.Context, job: _JobId, as_json: Json = False) -> None:
    """Show a job: what it was told, how far it is, what came of it."""
    with opened(context) as workspace:
        found = workspace.ledger.job(job)
    give(Answer("jobs show", _frame([found]), None, _document(found), _lines(found)), as_json=as_json, csv=None)


def events(
    context: typer.Context,
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="Of this job alone; by default of all.")] = None,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Only what comes after this sequence.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List to what stages images and jobs came, in order: whoever goes on after the last sequence misses none."""
    import polars as pl

    check_outputs(csv)
    with opened(context, csv) as workspace:
        job_id = workspace.ledger.job(job).job_id if job else ""
        found = workspace.ledger.job_events(after, job_id, limit=limit)
        first, last = workspace.ledger.job_event_bounds()
    rows = [(item.sequence, item.at, item.job_id, item.image_id, item.stage) for item in found]
    texts = dict.fromkeys(("job_id", "image_id", "stage"), pl.String())
    schema = {"sequence": pl.Int64(), "at": pl.Datetime("us", "UTC"), **texts}
    columns = (Column("no.", "right"), Column("at"), Column("job"), Column("stage"), Column("file", fold=True))
    lines = [
        (
            f"{item.sequence}",
            f"{item.at:%Y-%m-%d %H:%M:%S}",
            item.job_id or "-",
            item.stage,
            shown(item.image_id) or "-",
        )
        for item in found
    ]
    answer = Answer(
        "jobs events",
        pl.DataFrame(rows, schema=schema, orient="row"),
        lambda: Sheet(columns, lines, "Nothing was told after that."),
        {"first_kept": first, "last": last, "next_after": found[-1].sequence if found else after},
        [],
    )
    give(answer, as_json=as_json, csv=csv)


def cancel(context: typer.Context, job: _JobId, as_json: Json = False) -> None:
    """End a job that waits, or have its worker end it after the step that it is at; what was done is kept."""
    with opened(context) as workspace:
        found = workspace.ledger.cancel_job(job)
    said = "It ends after the step that it is at." if found.cancel_asked else "It is cancelled."
    give(Answer("jobs cancel", _frame([found]), None, _document(found), [said]), as_json=as_json, csv=None)


def retry(
    context: typer.Context,
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="JOB...", help="The jobs, or how their ids begin.", show_default=False)
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that were tried as often as they may be.")] = False,
    as_json: Json = False,
) -> None:
    """Try jobs again that failed, are dead or were cancelled; what they had done is not done twice."""
    from deeplens_kit.errors import JobStateError, SettingsError

    if bool(jobs) == dead:
        raise SettingsError("Name jobs, or give --dead for all that are dead.")
    with opened(context) as workspace:
        ledger = workspace.ledger
        again, left = [], []
        for job in jobs or [found.job_id for found in ledger.jobs((JobState.DEAD,), limit=100_000)]:
            try:
                again.append(ledger.retry_job(job))
            except JobStateError as error:
                # Of two dead ones that would do the same the first is enough, and the others go on.
                if not dead:
                    raise
                left.append(str(error))
    said = f"{plural(len(again), 'job')} queued again."
    figures = {"queued": len(again), "left": len(left)}
    give(
        Answer("jobs retry", _frame(again), lambda: _sheet(again), figures, [said, *left]),
        as_json=as_json,
        csv=None,
    )


def work(
    context: typer.Context,
    cpu: Annotated[int | None, typer.Option(min=0, help="Jobs at a time that take most of the processor.")] = None,
    gpu: Annotated[int | None, typer.Option(min=0, help="The same of an accelerator.")] = None,
    io: Annotated[int | None, typer.Option(min=0, help="The same of storage and network.")] = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End when no job is due.")] = False,
) -> None:
    """Do jobs until Ctrl-C: what a worker is at when it ends, or is killed, another one goes on with."""
    with opened(context) as workspace:
        directory = workspace.directory
    from deeplens_kit.ledger import Resource
    from deeplens_kit.service.jobs import run_worker

    asked = {Resource.CPU: cpu, Resource.GPU: gpu, Resource.IO: io}
    places = {resource: number for resource, number in asked.items() if number is not None}
    run_worker(
        directory,
        places,
        until_idle=until_idle,
        on_ready=lambda: print_lines(["Doing jobs (Ctrl-C ends it)."]),
    )
    print_lines(["Stopped."])


def _frame(jobs: Sequence[Job]) -> pl.DataFrame:
    import polars as pl

    texts = dict.fromkeys(("job_id", "kind", "state", "who", "resource"), pl.String())
    times = dict.fromkeys(("created_at", "started_at", "finished_at"), pl.Datetime("us", "UTC"))
    schema = {
        **texts, **times, "attempts": pl.Int64(), "priority": pl.Int64(), "processed": pl.Int64(), "total": pl.Int64(),
        "failed": pl.Int64(), "code": pl.String(), "error": pl.String(), "correlation_id": pl.String(),
    }  # fmt: skip
    rows = [
        (
            job.job_id, job.kind, str(job.state), job.who, str(job.resource), job.created_at, job.started_at,
            job.finished_at, job.attempts, job.priority, job.progress.processed, job.progress.total,
            job.progress.failed, job.error_code or None, job.error or None, job.correlation_id or None,
        )
        for job in jobs
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _sheet(jobs: Sequence[Job]) -> Sheet:
    columns = (
        Column("job"), Column("kind"), Column("state"), Column("by"), Column("asked, UTC"), Column("done", "right"),
        Column("", fold=True),
    )  # fmt: skip
    lines = [
        (
            job.job_id, job.kind, str(job.state), shown(job.who), f"{job.created_at:%Y-%m-%d %H:%M}", _done(job),
            shown(job.error or job.progress.message),
        )
        for job in jobs
    ]  # fmt: skip
    return Sheet(columns, lines, "No job.")


def _done(job: Job) -> str:
    total = job.progress.total
    return f"{job.progress.processed:,}" if total is None else f"{job.progress.processed:,} of {total:,}"


def _document(job: Job) -> dict[str, Any]:
    from deeplens_kit.telemetry.redaction import redact_value

    parameters, result = redact_value(dict(job.parameters)), redact_value(dict(job.result))
    return {"parameters": parameters, "result": result, "progress": job.progress.to_json(), "state": str(job.state)}


def _lines(job: Job) -> list[str]:
    from deeplens_kit.telemetry.redaction import redact

    lines = [
        f"Job {job.job_id}: {job.kind}, {job.state}.",
        f"Asked for by {shown(job.who)} at {job.created_at:%Y-%m-%d %H:%M} UTC.",
        f"Begun {job.attempts} of at most {job.max_attempts} times; {_done(job)} done, {job.progress.failed:,} failed.",
    ]
    if job.error:
        lines.append(f"{job.error_code}: {shown(redact(job.error))}")
    return lines
