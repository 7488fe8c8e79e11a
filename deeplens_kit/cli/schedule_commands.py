"""`deeplens schedule example`, `list`, `history`, `export`: what recurs, what came of it, texts for other schedulers.

Takes the file of schedules, gives what it says and what the ledger knows of it; must not run or install anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.tables import Column, Sheet, shown

if TYPE_CHECKING:
    from deeplens_kit.reporting.schedule import Job
    from deeplens_kit.service.schedules import Schedule

__all__ = ["ScheduleFile", "ScheduleName", "example", "export", "file_of", "history", "list_all"]

_MINUTES = "%Y-%m-%d %H:%M"
_SHOWN = 50

ScheduleFile = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="The schedules; by default reports/schedules.yaml of the workspace."),
]
ScheduleName = Annotated[
    str, typer.Argument(metavar="NAME", help="The schedule, as `schedule list` shows it.", show_default=False)
]


def file_of(context: typer.Context, file: Path | None) -> Path:
    """The file of schedules, absolute."""
    from deeplens_kit.service.schedules import SCHEDULES_FILE

    return (file if file is not None else invocation(context).workspace / SCHEDULES_FILE).expanduser().absolute()


def example(as_json: Json = False) -> None:
    """Print a file of schedules to fill in: every key with its meaning."""
    import polars as pl

    from deeplens_kit.reporting.bundled import bundled

    name = "schedules.yaml"
    text = (bundled("reports") / name).read_text(encoding="utf-8")
    rows = pl.DataFrame({"name": [name], "text": [text]})
    give(Answer("schedule example", rows, None, closing=text.splitlines()), as_json=as_json, csv=None)


def list_all(context: typer.Context, file: ScheduleFile = None, as_json: Json = False, csv: Csv = None) -> None:
    """List the schedules, when each is due next, and what came of its last run. Ends with 2 where the file is wrong."""
    check_outputs(csv)
    from deeplens_kit.service.schedules import list_schedules, read_schedules

    place = file_of(context, file)
    with opened(context, csv) as workspace:
        found = list_schedules(workspace, read_schedules(place), datetime.now(UTC))

    def sheet() -> Sheet:
        columns = (
            Column("schedule", fold=True),
            Column("what", fold=True),
            Column("every"),
            Column("next"),
            Column("where to", fold=True),
            Column("last run", fold=True),
        )
        lines = [
            (
                shown(row["schedule"]),
                shown(row["what"]),
                f"{row['cron']} {row['timezone']}",
                "paused" if row["paused"] else _local(row["next_at"], row["timezone"]),
                shown(row["to"] or ""),
                _last(row["last_state"], row["last_started_at"], row["timezone"]),
            )
            for row in found.iter_rows(named=True)
        ]
        return Sheet(columns, lines, f"No schedules in {str(place)!r}.")

    summary = {"file": str(place), "schedules": found.height}
    give(Answer("schedule list", found, sheet, summary), as_json=as_json, csv=csv)


def history(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of this schedule; else of all.", show_default=False)
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the runs of a schedule, or of all, the latest first, with what came of each."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.service.schedules import schedule_history

        # A file gets all; a terminal shows no more than this.
        found = schedule_history(workspace, name, limit=None if as_json or csv else _SHOWN)
        in_all = workspace.ledger.count_report_runs(schedule=name, scheduled=True)

    def sheet() -> Sheet:
        columns = (
            Column("schedule", fold=True),
            Column("began (UTC)"),
            Column("state"),
            Column("try", "right"),
            Column("what came of it", fold=True),
            Column("where", fold=True),
        )
        lines = [
            (
                shown(row["schedule"]),
                f"{row['started_at']:{_MINUTES}}",
                row["state"],
                str(row["attempt"]),
                shown(row["message"]),
                shown(row["out"]) if row["state"] == "finished" else "",
            )
            for row in found.head(_SHOWN).iter_rows(named=True)
        ]
        return Sheet(columns, lines, "No schedule ran yet.")

    closing = [f"Showing {_SHOWN} of {in_all:,} runs; all with --csv."] if in_all > _SHOWN else []
    give(Answer("schedule history", found, sheet, {"runs": in_all}, closing), as_json=as_json, csv=csv)


def export(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these; else all that are not paused.")
    ] = None,
    cron: Annotated[bool, typer.Option("--cron", help="Lines for crontab.")] = False,
    systemd: Annotated[bool, typer.Option("--systemd", help="Services and timers of systemd.")] = False,
    k8s: Annotated[bool, typer.Option("--k8s", help="CronJobs of Kubernetes.")] = False,
    image: Annotated[
        str, typer.Option(metavar="IMAGE", help="For Kubernetes: the container image that has DeepLens.")
    ] = "deeplens:latest",
    file: ScheduleFile = None,
    as_json: Json = False,
) -> None:
    """Print what makes schedules recur without `schedule run`, in all forms or those asked for. Installs nothing."""
    import polars as pl

    from deeplens_kit.reporting.schedule import local_zone, texts_of
    from deeplens_kit.service.schedules import read_schedules, schedule_named

    place, directory = file_of(context, file), invocation(context).workspace.expanduser().absolute()
    schedules = read_schedules(place)
    chosen = [schedule_named(schedules, name) for name in names] if names else [x for x in schedules if not x.paused]
    forms = [form for form, wanted in (("crontab", cron), ("systemd", systemd), ("kubernetes", k8s)) if wanted]
    # CRON_TZ holds for all lines below it: those of the machine's own zone come first.
    chosen.sort(key=lambda item: item.zone != local_zone() if "crontab" in (forms or ["crontab"]) else False)
    rows = []
    for item in chosen:
        job = _job(item, place, directory, image, default=file is None)
        texts = [text for form in forms for text in texts_of(job, form)] if forms else texts_of(job, None)
        rows += [(item.name, *text) for text in texts]
    rows.sort(key=lambda row: ("crontab", "systemd", "kubernetes").index(row[1]))
    frame = pl.DataFrame(rows, schema=["schedule", "form", "name", "text"], orient="row")
    lines = "\n".join(text for *_, text in rows).splitlines()
    give(Answer("schedule export", frame, None, {"schedules": len(chosen)}, lines), as_json=as_json, csv=None)


def _job(item: Schedule, file: Path, directory: Path, image: str, *, default: bool) -> Job:
    from deeplens_kit.reporting.schedule import Job, program
    from deeplens_kit.service.schedules.values import WORKFLOW

    words = ("schedule", "run-now", item.name, "--if-due", *(() if default else ("--file", str(file))))
    out = Path(item.to) if item.to and not item.in_store else None
    role: Literal["report", "workflow"] = "workflow" if item.report == WORKFLOW else "report"
    return Job(item.times, item.zone, program(), words, directory, out, image, role, item.name)


def _local(at: datetime | None, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):{_MINUTES}}" if at is not None else "never"


def _last(state: str | None, at: datetime | None, zone: str) -> str:
    return f"{state} {_local(at, zone)}" if state is not None else "none yet"
