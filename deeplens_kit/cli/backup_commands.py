"""Commands for backups: make one while others work, list and prove those that there are, make a workspace from one.

Takes a place, gives what was sent, restored or removed; must not write over anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.confirming import confirm
from deeplens_kit.cli.invocation import folder_of, logging_on, opened
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.reporting.words import format_bytes, plural

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.pipeline import BackupReport

__all__ = ["list_all", "make", "prune", "restore", "verify"]

_MINUTES = "%Y-%m-%d %H:%M"

_Url = Annotated[
    str,
    typer.Argument(
        metavar="URL", help="A folder, or a URL as `deeplens locations kinds` shows them.", show_default=False
    ),
]
_Option = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="An option of its kind of storage; credentials as references."),
]
_Name = Annotated[str, typer.Option("--name", metavar="BACKUP", help="Instead of the latest: as `backup list` has it.")]


def make(context: typer.Context, url: _Url, option: _Option = None, as_json: Json = False) -> None:
    """Back up all that cannot be made again, while others work: ledger, catalog, settings, prices, policies."""
    with opened(context, folder_of(url)) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.storage import given_options

        report = pipeline.back_up(workspace, url, given_options(url, option or ()))
    lines = [
        f"Backup {report.manifest.name}: {_size(report)}, {format_bytes(report.sent_bytes)} of it new, "
        f"at {shown(report.url)}",
        "Each file came back as it was sent; `deeplens backup verify URL` reads all of them again.",
    ]
    give(Answer("backup", _frame(report), None, _summary(report), lines), as_json=as_json, csv=None)


def list_all(context: typer.Context, url: _Url, option: _Option = None, as_json: Json = False, csv: Csv = None) -> None:
    """List the backups at a place, the latest first."""
    check_outputs(csv)
    with logging_on(context):
        from deeplens_kit import pipeline
        from deeplens_kit.storage import given_options

        found = pipeline.list_backups(url, given_options(url, option or ()))
    closing = [f"{plural(found.height, 'backup')}."] if found.height else []
    answer = Answer("backup list", found, lambda: _sheet(found), {"backups": found.height}, closing)
    give(answer, as_json=as_json, csv=csv)


def verify(context: typer.Context, url: _Url, name: _Name = "", option: _Option = None, as_json: Json = False) -> None:
    """Read every file of a backup and compare it with its digest."""
    with logging_on(context):
        from deeplens_kit import pipeline
        from deeplens_kit.storage import given_options

        report = pipeline.verify_backup(url, given_options(url, option or ()), name=name)
    lines = [f"Backup {report.manifest.name} is whole: {_size(report)}, each as its digest says."]
    give(Answer("backup verify", _frame(report), None, _summary(report), lines), as_json=as_json, csv=None)


def prune(
    context: typer.Context,
    url: _Url,
    keep: Annotated[int, typer.Option("--keep", min=1, metavar="N", help="So many stay, the latest that are whole.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    option: _Option = None,
    as_json: Json = False,
) -> None:
    """Remove older backups, once every file of the latest N was read and compared. Damaged newer ones stay too."""
    import polars as pl

    with opened(context) as workspace:
        from deeplens_kit.pipeline.pruning import backups_to_prune, prune_backups
        from deeplens_kit.storage import given_options

        options = given_options(url, option or ())
        chosen = backups_to_prune(url, options, keep=keep)
        if chosen.going and not yes:
            going = plural(len(chosen.going), "backup")
            confirm(f"Remove {going} at {shown(chosen.url)}, {chosen.going[0]} and older?")
        done = prune_backups(workspace, url, chosen, options) if chosen.going else chosen
    states = [(name, "kept") for name in done.kept] + [(name, "damaged") for name, _ in done.damaged]
    rows = pl.DataFrame(
        [*states, *((name, "removed") for name in done.going)],
        schema={"backup": pl.String, "outcome": pl.String},
        orient="row",
    )
    lines = [f"Backup {name} is not whole, and stays: {why}" for name, why in done.damaged]
    lines.append(
        f"Removed {plural(len(done.going), 'backup')}, {format_bytes(done.freed_bytes)}; the latest "
        f"{len(done.kept):,} stay, every file of them as its digest says."
        if done.going
        else f"Nothing to remove: {plural(len(done.kept), 'backup is', 'backups are')} there and whole."
    )
    summary = {"kept": len(done.kept), "damaged": len(done.damaged), "removed": len(done.going)}
    summary["freed_bytes"] = done.freed_bytes
    give(Answer("backup prune", rows, None, summary, lines), as_json=as_json, csv=None)


def restore(
    context: typer.Context,
    url: _Url,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="A folder that is missing or empty.", show_default=False)
    ],
    name: _Name = "",
    catalog_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Where the catalog goes; by default into the folder.")
    ] = None,
    ledger_url: Annotated[
        str | None, typer.Option(metavar="URL", help="SQLAlchemy URL of the ledger; by default SQLite in the folder.")
    ] = None,
    option: _Option = None,
    as_json: Json = False,
) -> None:
    """Make a workspace from a backup, on this machine or another; every file is proved first."""
    import polars as pl

    with logging_on(context):
        from deeplens_kit import pipeline
        from deeplens_kit.storage import given_options

        options = given_options(url, option or ())
        done = pipeline.restore_backup(url, to, options, name=name, catalog_url=catalog_url, ledger_url=ledger_url)
    row = {"workspace": str(done.directory), "backup": done.manifest.name, "objects": done.manifest.objects}
    row |= {"older": done.older, "audit_lines": done.audit_lines}
    lines = [
        f"Restored backup {done.manifest.name} of {done.manifest.made_at.strftime(_MINUTES)} UTC to "
        f"{shown(str(done.directory))}: {plural(done.manifest.objects, 'object')}.",
        "Its schema is older: run `deeplens upgrade` on it before anything else."
        if done.older
        else f"Its audit trail holds, all {plural(done.audit_lines, 'line')} of it.",
        "Its locations are those of the backup: `deeplens locations check` says which can be reached from here.",
    ]
    give(Answer("restore", pl.DataFrame([row]), None, row, lines), as_json=as_json, csv=None)


def _size(report: BackupReport) -> str:
    return f"{plural(len(report.manifest.files), 'file')}, {format_bytes(report.size_bytes)}"


def _summary(report: BackupReport) -> dict[str, object]:
    return {
        "backup": report.manifest.name,
        "url": report.url,
        "files": len(report.manifest.files),
        "bytes": report.size_bytes,
        "sent_bytes": report.sent_bytes,
        "objects": report.manifest.objects,
    }


def _frame(report: BackupReport) -> pl.DataFrame:
    import polars as pl

    rows = [(file.path, file.size_bytes, file.sha256) for file in report.manifest.files]
    return pl.DataFrame(rows, schema={"path": pl.String, "bytes": pl.Int64, "sha256": pl.String}, orient="row")


def _sheet(found: pl.DataFrame) -> Sheet:
    columns = (
        Column("backup"), Column("made (UTC)"), Column("by"), Column("objects", "right"), Column("size", "right"),
    )  # fmt: skip
    lines = [
        (
            row["backup"],
            row["made_at"].strftime(_MINUTES),
            shown(row["made_by"]),
            f"{row['objects']:,}",
            format_bytes(row["bytes"]),
        )
        for row in found.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "No backups there; `deeplens backup URL` makes one.")
