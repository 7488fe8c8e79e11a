"""`deeplens quarantine list`, `restore` and `empty`: files that were moved away, until somebody removes them for good.

Takes ids of files and applications, gives what became of each. Only `empty` ends bytes, and it asks first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.apply_commands import left_to_index_words
from deeplens_kit.cli.confirming import typed
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import Column, Sheet, place
from deeplens_kit.errors import Interrupted, PlanError
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.views.index_progress import progress_listener

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import QuarantinedFile
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.quarantining import EmptyReport

__all__ = ["empty", "list_all", "restore"]

_DAY = "%Y-%m-%d"

_Application = Annotated[
    str | None, typer.Option("--application", metavar="ID", help="Only files that this application moved.")
]


def list_all(
    context: typer.Context,
    application: _Application = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were restored or removed.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the files in quarantine with the copy that stays of each, and when they expire."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit.pipeline.quarantining import list_quarantine

        found = list_quarantine(workspace, application, every=every)

    def sheet() -> Sheet:
        columns = (
            Column("item"),
            Column("application"),
            Column("file", fold=True),
            Column("size", "right"),
            Column("stays", fold=True),
            Column("state"),
            Column("expires (UTC)"),
        )
        lines = [
            (
                row["item_id"],
                row["application_id"],
                place(row["location"], row["path"]),
                format_bytes(row["size_bytes"]),
                "" if row["keeper_path"] is None else place(row["keeper_location"] or "", row["keeper_path"]),
                "expired" if row["expired"] and row["state"] == "held" else row["state"],
                "never" if row["expires_at"] is None else row["expires_at"].strftime(_DAY),
            )
            for row in found.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "Nothing is in quarantine.")

    held = found.filter(found["state"] == "held")
    expired = held.filter(held["expired"])
    size = int(held["size_bytes"].sum())
    summary = {"files": held.height, "bytes": size, "expired": expired.height}
    summary |= {"expired_bytes": int(expired["size_bytes"].sum())}
    closing = [f"{plural(held.height, 'file')} in quarantine, {format_bytes(size)}; {expired.height:,} expired."]
    give(Answer("quarantine list", found, sheet, summary, closing if found.height else ()), as_json=as_json, csv=csv)


def restore(
    context: typer.Context,
    items: Annotated[
        list[str], typer.Argument(metavar="ITEM…", help="Ids as `quarantine list` shows them.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Move files back to their places, with what belongs to them."""
    quiet = as_json or invocation(context).json_logs
    with opened(context) as workspace:
        from deeplens_kit.pipeline.quarantining import restore_quarantined

        with progress_listener(quiet=quiet) as listener:
            report = restore_quarantined(workspace, items, progress=listener)
        frame = _troubles(workspace, [(item.file, item.code, item.message) for item in report.troubles])
    lines = [f"{place(row['location'], row['path'])}: {row['message']}" for row in frame.iter_rows(named=True)]
    lines.append(f"Restored {plural(len(report.undone), 'file')}.")
    if report.left_to_index:
        lines.append(left_to_index_words(report.left_to_index))
    summary = {"restored": len(report.undone), "not_restored": len(report.troubles)}
    summary["left_to_index"] = report.left_to_index
    give(Answer("quarantine restore", frame, None, summary, lines), as_json=as_json, csv=None)
    if not report.complete:
        raise PlanError("Not every file could be restored; each is told above with the reason.")


def empty(
    context: typer.Context,
    items: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ITEM]…", help="These files alone, expired or not.", show_default=False),
    ] = None,
    application: _Application = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that have not expired yet.")] = False,
    yes_empty: Annotated[
        list[str] | None,
        typer.Option("--yes-empty", metavar="APPLICATION", help="Do not ask about this application's files."),
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Remove files from quarantine for good: those that expired. Each one's keeper is read first. Cannot be undone."""
    check_outputs(csv)
    quiet = as_json or invocation(context).json_logs
    with opened(context, csv) as workspace, stop_on_signals(steps=True) as stop:
        from deeplens_kit.pipeline.quarantining import chosen_items, empty_quarantine

        chosen = chosen_items(workspace, application_id=application, item_ids=items or (), expired_only=not every)
        _ask(chosen, yes_empty or [])
        with progress_listener(quiet=quiet) as listener:
            report = empty_quarantine(workspace, chosen, progress=listener, stop=stop)
        frame = _emptied(workspace, report)
    give(_answer(report, frame), as_json=as_json, csv=csv)
    if report.stopped:
        raise Interrupted("Stopped after a whole file; the others are still in quarantine.")


def _ask(chosen: list[QuarantinedFile], agreed: list[str]) -> None:
    by_application: dict[str, list[QuarantinedFile]] = {}
    for item in chosen:
        by_application.setdefault(item.application_id, []).append(item)
    for application_id, files in by_application.items():
        if application_id not in agreed:
            size = format_bytes(sum(item.size_bytes for item in files))
            typed(
                f"This removes {plural(len(files), 'file')} of application {application_id} ({size}) for good, and "
                f"cannot be undone. Type {application_id} to go on",
                application_id,
                "--yes-empty",
            )


def _answer(report: EmptyReport, frame: pl.DataFrame) -> Answer:
    kept = frame.filter(~frame["removed"])

    def sheet() -> Sheet:
        columns = (Column("file", fold=True), Column("stays in quarantine because", fold=True))
        lines = [
            (place(row["location"], row["path"]), f"{row['message']} [{row['code']}]")
            for row in kept.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "")

    if not report.items:
        lines = ["Nothing to remove: no file in quarantine has expired; --all takes the others too."]
    else:
        lines = [
            f"Removed {plural(report.removed, 'file')}: {format_bytes(report.freed_bytes)} are free, of "
            f"{format_bytes(report.promised_bytes)} promised."
        ]
        lines += sorted({note for item in report.items for note in item.notes})
        names = sorted({item.item.application_id for item in report.items if item.done})
        lines += [f"Next: `deeplens certificate {name}` shows it file by file." for name in names]
    summary = {"removed": report.removed, "kept": kept.height, "freed_bytes": report.freed_bytes}
    summary |= {"promised_bytes": report.promised_bytes}
    return Answer("quarantine empty", frame, sheet if kept.height else None, summary, lines)


def _emptied(workspace: Workspace, report: EmptyReport) -> pl.DataFrame:
    import polars as pl

    names = dict(workspace.location_names().iter_rows())
    schema = {
        "item_id": pl.String(), "application_id": pl.String(), "location": pl.String(), "path": pl.String(),
        "removed": pl.Boolean(), "code": pl.String(), "message": pl.String(), "promised_bytes": pl.Int64(),
        "freed_bytes": pl.Int64(), "notes": pl.String(),
    }  # fmt: skip
    rows = [
        (
            came.item.item_id,
            came.item.application_id,
            names.get(came.item.location_id, came.item.location_id),
            came.item.path,
            came.done,
            came.code,
            came.message,
            came.item.size_bytes,
            came.freed_bytes,
            " ".join(came.notes),
        )
        for came in report.items
    ]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _troubles(workspace: Workspace, found: list[tuple[object, str, str]]) -> pl.DataFrame:
    import polars as pl

    names = dict(workspace.location_names().iter_rows())
    rows = [(names.get(file.location_id), file.path, code, message) for file, code, message in found]  # type: ignore[attr-defined]
    return pl.DataFrame(rows, schema=dict.fromkeys(("location", "path", "code", "message"), pl.String()), orient="row")
