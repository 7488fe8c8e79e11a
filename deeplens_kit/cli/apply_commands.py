"""`deeplens apply` and `deeplens undo`: what a plan would do, doing it, and taking it back.

Takes the id of a plan or an application, gives what became of each step. Without --really nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.confirming import confirm
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.errors import ActionsHaltedError, Interrupted, PlanError, SettingsError
from deeplens_kit.reporting.plan_words import moved_to
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.index_progress import progress_listener

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.act_report import ApplyReport
    from deeplens_kit.pipeline.undoing import Undone

__all__ = ["apply", "left_to_index_words", "undo"]

_SHOWN = 50


def apply(
    context: typer.Context,
    plan: Annotated[
        str | None, typer.Argument(metavar="[PLAN]", help="The id of a plan, or how it begins.", show_default=False)
    ] = None,
    really: Annotated[bool, typer.Option("--really", help="Do it; else only say what would be done.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Without --really: read no file; what only reading tells is not told.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="APPLICATION", help="Go on after a pause, a halt or a crash.")
    ] = None,
    pause: Annotated[
        str | None, typer.Option("--pause", metavar="APPLICATION", help="Have it stop after the step that it is at.")
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say what a plan would do to each file now, or with --really do it. Every file goes to quarantine first."""
    check_outputs(csv)
    if [plan, resume, pause].count(None) != 2:
        raise SettingsError("Name a plan, or --resume or --pause with an application; one of the three.")
    if quick and (really or resume or pause):
        raise SettingsError("--quick goes with looking alone: what is done is always proved.")
    if really and pause:
        raise SettingsError("--really goes with a plan, or with --resume, which does what was begun in any case.")
    if pause is not None:
        _pause(context, pause)
        return
    quiet = as_json or invocation(context).json_logs
    halted: ActionsHaltedError | None = None
    with opened(context, csv) as workspace, stop_on_signals(steps=True) as stop:
        from deeplens_kit.pipeline import applying

        with progress_listener(quiet=quiet) as listener:
            try:
                if resume is not None:
                    report = applying.resume(workspace, resume, progress=listener, stop=stop)
                elif really:
                    report = applying.apply(workspace, str(plan), progress=listener, stop=stop)
                else:
                    report = applying.rehearse(workspace, str(plan), quick=quick, progress=listener, stop=stop)
            except ActionsHaltedError as error:
                if not error.reports:
                    raise
                halted, report = error, _report(error)
        answer = _answer(workspace, report, quick=quick)
    give(answer, as_json=as_json, csv=csv)
    if halted is not None:
        raise halted
    if report.stopped:
        name = report.application.application_id if report.application else ""
        then = f"`deeplens apply --resume {name}` goes on." if name else "Nothing was changed."
        raise Interrupted(f"Stopped after a whole step. {then}")


def undo(
    context: typer.Context,
    application: Annotated[
        str,
        typer.Argument(metavar="APPLICATION", help="The id of an application, or how it begins.", show_default=False),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Make all that an application did as it was before: paths, bytes, and times where the storage can set them."""
    check_outputs(csv)
    quiet = as_json or invocation(context).json_logs
    with opened(context, csv) as workspace, stop_on_signals(steps=True) as stop:
        from deeplens_kit.pipeline import undoing

        found = workspace.ledger.application(application)
        if not yes:
            confirm(
                f"Undo application {found.application_id} of plan {found.plan_id}, begun "
                f"{found.started_at:%Y-%m-%d %H:%M} UTC by {shown(found.who)}?"
            )
        with progress_listener(quiet=quiet) as listener:
            undone = undoing.undo(workspace, found.application_id, progress=listener, stop=stop)
        answer = _undo_answer(workspace, undone)
    give(answer, as_json=as_json, csv=csv)
    if undone.report.stopped:
        raise Interrupted(f"Stopped after a whole step; `deeplens undo {found.application_id}` goes on.")
    if not undone.report.complete:
        raise PlanError(
            f"{plural(answer.rows.height, 'file')} of application {found.application_id} could not be made as they "
            f"were; each is told above with the reason{_lost_words(answer.rows)}."
        )


def _lost_words(troubles: pl.DataFrame) -> str:
    """How many cannot come back, or were not found."""
    emptied, missing = (troubles.filter(troubles["code"] == code)["path"].len() for code in ("emptied", "missing"))
    words = f"; {emptied:,} cannot come back, for the quarantine was emptied of them" if emptied else ""
    words += f"; {missing:,} were not found and are looked for again whenever it is undone" if missing else ""
    return words or ", and none is lost by that"


def _pause(context: typer.Context, application: str) -> None:
    with opened(context) as workspace:
        from deeplens_kit.pipeline import applying

        found = applying.pause(workspace, application)
    typer.echo(
        f"Application {found.application_id} stops after the step that it is at; `deeplens apply --resume "
        f"{found.application_id}` goes on."
    )


def _report(error: ActionsHaltedError) -> ApplyReport:
    from deeplens_kit.pipeline.act_report import ApplyReport

    (report,) = (item for item in error.reports if isinstance(item, ApplyReport))
    return report


def _answer(workspace: Workspace, report: ApplyReport, *, quick: bool) -> Answer:
    rows = _named(workspace, report.results)
    told = rows.filter(rows["outcome"].is_in(["skipped", "failed"]))
    summary: dict[str, object] = {
        "plan_id": report.plan.plan_id,
        "application_id": report.application.application_id if report.application else None,
        "state": str(report.application.state) if report.application else None,
        "dry_run": report.dry_run,
        **report.figures,
        "halted": report.halted,
    }
    shown_rows = told.head(_SHOWN)

    def sheet() -> Sheet:
        columns = (Column("step", "right"), Column("file", fold=True), Column("outcome"), Column("why", fold=True))
        lines = [
            (
                str(row["step"]),
                place(row["location"] or "", row["path"]),
                row["outcome"],
                f"{row['message']} [{row['code']}]",
            )
            for row in shown_rows.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "")

    show = sheet if told.height else None
    return Answer("apply", rows, show, summary, _closing(report, told.height, quick=quick))


def _closing(report: ApplyReport, told: int, *, quick: bool) -> list[str]:
    figures: Mapping[str, Any] = report.figures
    lines = [f"Showing {_SHOWN} of {told:,} steps that were not done; all with --csv."] if told > _SHOWN else []
    left = ", ".join(f"{figures[name]:,} {name}" for name in ("skipped", "failed") if figures[name])
    read = f", {format_bytes(figures['read_bytes'])} read for proof" if figures["read_bytes"] else ""
    frees, to = format_bytes(figures["frees_bytes"]), moved_to(report.plan)
    if report.application is None:
        could = plural(figures["possible"], "step")
        lines.append(f"{could} could be done now{f', {left}' if left else ''}{read}. Nothing was changed.")
        if quick:
            lines.append("With --quick no file was read; a step may still be skipped when it is done.")
        then = "" if str(report.plan.state) == "approved" else f"`deeplens plan approve {report.plan.plan_id}`, then "
        comes = (
            f"As much would be taken at {shown(to)} as would come free." if to else f"It would free {frees} in the end."
        )
        lines.append(f"{comes} Next: {then}`deeplens apply {report.plan.plan_id} --really`.")
        return lines
    name = report.application.application_id
    done = plural(figures["done"], "step")
    lines.append(f"Application {name} is {report.application.state}: {done} done{f', {left}' if left else ''}{read}.")
    if figures["not_tried"]:
        lines.append(f"{plural(figures['not_tried'], 'step')} not tried.")
    comes = f"no more than is taken at {shown(to)} now" if to else frees
    lines.append(f"Emptying the quarantine of it will free {comes}; until then `deeplens undo {name}` takes all back.")
    lines.append(f"Next: `deeplens certificate {name}` says what was proved of each file.")
    return lines


def _undo_answer(workspace: Workspace, undone: Undone) -> Answer:
    import polars as pl

    name, report = undone.application.application_id, undone.report
    names = dict(workspace.location_names().iter_rows())
    rows = [
        (
            trouble.step,
            names.get(trouble.file.location_id, trouble.file.location_id),
            trouble.file.path,
            trouble.operation,
            trouble.code,
            trouble.message,
        )
        for trouble in report.troubles
    ]
    texts = dict.fromkeys(("location", "path", "operation", "code", "message"), pl.String())
    frame = pl.DataFrame(rows, schema={"step": pl.Int64(), **texts}, orient="row")

    def sheet() -> Sheet:
        columns = (Column("step", "right"), Column("file", fold=True), Column("what", fold=True))
        lines = [
            (str(row["step"]), place(row["location"], row["path"]), f"{row['message']} [{row['code']}]")
            for row in frame.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "")

    gone = len([row for row in rows if row[4] == "emptied"])
    but = f", but for {plural(gone, 'file')} that {'is' if gone == 1 else 'are'} gone for good" if gone else ""
    state = undone.application.state
    lines = [f"Application {name}: {plural(len(report.undone), 'step')} undone; it is {state}{but}."]
    if not rows:
        lines.append("Every file is at its place again, with its bytes and its time.")
    if undone.left_to_index:
        lines.append(left_to_index_words(undone.left_to_index))
    summary = {"application_id": name, "state": str(undone.application.state), "undone": len(report.undone)}
    summary["left_to_index"] = undone.left_to_index
    summary |= {"not_undone": len([row for row in rows if row[4] != "times_kept"])}
    return Answer("undo", frame, sheet if rows else None, summary, lines)


def left_to_index_words(count: int) -> str:
    """What is to be done for pictures that came back and that the catalog forgot meanwhile."""
    are = "is" if count == 1 else "are"
    return (
        f"Next: `deeplens index`: {plural(count, 'picture')} left the catalog meanwhile, and {are} in no group, saving "
        "or search until then."
    )


def _named(workspace: Workspace, results: pl.DataFrame) -> pl.DataFrame:
    """Results with names of locations: location, path, keeper_location, keeper_path."""
    import polars as pl

    names = dict(workspace.location_names().iter_rows())

    def name(column: str) -> pl.Expr:
        return pl.col(column).replace_strict(names, default=None, return_dtype=pl.String)

    return results.select(
        "step",
        "action",
        name("victim_location_id").alias("location"),
        pl.col("victim_path").alias("path"),
        name("keeper_location_id").alias("keeper_location"),
        "keeper_path",
        "tier",
        "outcome",
        "code",
        "message",
        "frees_bytes",
        "read_bytes",
    )
