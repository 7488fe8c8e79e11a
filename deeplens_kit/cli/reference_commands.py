"""`deeplens references plan`: texts and tables that name files that went.

Takes what was applied, or a map, and locations, gives a plan; writes it to the ledger and touches no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.plan_commands import record_summary
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.reporting.words import format_count, plural

if TYPE_CHECKING:
    from deeplens_kit.pipeline import ReferencePlan

__all__ = ["plan"]

_SHOWN = 50


def plan(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="APPLICATION|MAP.csv",
            help="What was applied, or a map of old and new places.",
            show_default=False,
        ),
    ],
    locations: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="LOCATION", help="Look at files there; may come again.", show_default=False),
    ] = None,
    glob: Annotated[
        list[str] | None,
        typer.Option(
            "--glob", metavar="GLOB", help="Look at these files alone; may come again. By default texts and tables."
        ),
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Plan to rewrite references: texts and tables that name files that went name those that stay.

    Nothing is written before the plan is approved and applied.
    """
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.plan_references(workspace, source, locations or (), glob or ())
    summary: dict[str, object] = {"files_looked_at": found.files, "redirects": found.redirects}
    if found.record is not None:
        summary |= record_summary(found.record)
    summary["left"] = found.left.rows(named=True)
    give(
        Answer("references plan", found.changes, lambda: _sheet(found), summary, _closing(found)),
        as_json=as_json,
        csv=csv,
    )


def _sheet(found: ReferencePlan) -> Sheet:
    columns = (
        Column("file", fold=True),
        Column("line", "right"),
        Column("before", fold=True),
        Column("after", fold=True),
        Column("names", "right"),
    )
    lines = [
        (
            place(row["location"], row["path"]),
            row["column"] or format_count(row["line"]),
            shown(row["before"]),
            shown(row["after"]),
            format_count(row["references"]),
        )
        for row in found.changes.head(_SHOWN).iter_rows(named=True)
    ]
    return Sheet(columns, lines, "No reference to a file that went was found.")


def _closing(found: ReferencePlan) -> list[str]:
    lines = [f"{plural(found.files, 'file')} looked at for {plural(found.redirects, 'old place')}."]
    if found.changes.height > _SHOWN:
        lines.append(f"Showing {_SHOWN} of {found.changes.height:,} lines; all of them with --csv.")
    if found.left.height:
        lines.append(f"{plural(found.left.height, 'name')} left as it is, because:")
        lines += [
            f"  {place(row['location'], row['path'])}"
            + (f", line {row['line']:,}" if row["line"] else "")
            + (f": {shown(row['text'])}" if row["text"] else "")
            + f": {row['why']}"
            for row in found.left.head(_SHOWN).iter_rows(named=True)
        ]
    if found.record is not None:
        lines.append(
            f"Plan {found.record.plan_id} is a draft of {plural(found.record.steps, 'step')}; next: `deeplens plan "
            f"approve {found.record.plan_id}`, then `deeplens apply {found.record.plan_id}`."
        )
    return lines
