"""`deeplens plan make`, `list`, `show` and `diff`: what is to be done, and what changed of it.

Takes choices and ids, gives steps and what they come to; writes plans to the ledger and touches no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.choices import PROPOSED_TIERS, RuleName, chosen
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.policy_command import Policy
from deeplens_kit.cli.tables import Column, Sheet, place, shown
from deeplens_kit.reporting.words import format_bytes, format_count, format_score

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import PlanRecord
    from deeplens_kit.pipeline import Workspace

__all__ = ["PlanId", "diff", "diff_answer", "list_all", "make", "named_steps", "plan_answer", "record_summary", "show"]

_ACTIONS = ("remove", "hardlink", "symlink", "reflink", "redirect", "move", "storage_class")
_MAKING = ("create", "rewrite")
_SHOWN_STEPS = 50
_MINUTES = "%Y-%m-%d %H:%M"

PlanId = Annotated[str, typer.Argument(metavar="PLAN", help="The id of a plan, or how it begins.", show_default=False)]


def make(
    context: typer.Context,
    locations: Annotated[
        list[str] | None,
        typer.Argument(metavar="[LOCATION]...", help="Act on files there alone; else anywhere.", show_default=False),
    ] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option(
            "--tier",
            metavar="|".join(PROPOSED_TIERS),
            help="Act on evidence of this strength; may come again. By default bytes and pixels.",
        ),
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
    merge_metadata: Annotated[
        bool,
        typer.Option(
            "--merge-metadata", help="Keep what only files that go tell in an XMP sidecar beside their keeper."
        ),
    ] = False,
    policy: Policy = None,
    rule: RuleName = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Steps at most; those that free most go first.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Make a plan of what is done with copies, and save it as a draft. Nothing is done, and no file is read."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        record = pipeline.make_plan(
            workspace,
            tiers=chosen("tier", tier, PROPOSED_TIERS),
            action=(chosen("action", [action], _ACTIONS) or [action])[0],
            rule=pipeline.chosen_rule(workspace, rule),
            policy=policy,
            locations=locations or (),
            limit=limit,
            to=to,
            storage_class=storage_class,
            merge_metadata=merge_metadata,
        )
        answer = plan_answer(workspace, "plan make", record, _SHOWN_STEPS)
    give(answer, as_json=as_json, csv=csv)


def list_all(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also plans of which another took the place.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the plans, the latest first, with how they stand and who approved them."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.list_plans(workspace, superseded=every)

    def sheet() -> Sheet:
        columns = (
            Column("plan"),
            Column("kind"),
            Column("state"),
            Column("action"),
            Column("steps", "right"),
            Column("frees", "right"),
            Column("made by"),
            Column("at (UTC)"),
            Column("approved by", fold=True),
        )
        lines = [
            (
                row["plan_id"],
                row["kind"],
                row["state"],
                row["action"] or "",
                format_count(row["steps"]),
                "" if row["frees_bytes"] is None else format_bytes(row["frees_bytes"]),
                shown(row["author"]),
                row["created_at"].strftime(_MINUTES),
                shown(row["approved_by"] or ""),
            )
            for row in found.iter_rows(named=True)
        ]
        return Sheet(columns, lines, "No plans yet; `deeplens plan make` makes one.")

    give(Answer("plan list", found, sheet, {"plans": found.height}), as_json=as_json, csv=csv)


def show(
    context: typer.Context,
    plan: PlanId,
    limit: Annotated[int | None, typer.Option(min=1, help="Steps at most; the table shows 50 by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Show a plan: its steps, what it comes to, what is left out and why, and who said what of it."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        answer = plan_answer(workspace, "plan show", workspace.ledger.plan(plan), limit or _SHOWN_STEPS, only=limit)
    give(answer, as_json=as_json, csv=csv)


def diff(
    context: typer.Context,
    plan: PlanId,
    against: Annotated[
        str | None,
        typer.Option(
            "--with", metavar="PLAN", help="The plan to hold it against; by default the one before it of its kind."
        ),
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Say what changed between two plans: files that came, went, or have another keeper, tier or size."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.diff_plans(workspace, against, plan)
        answer = diff_answer(workspace, "plan diff", found)
    give(answer, as_json=as_json, csv=csv)


def diff_answer(workspace: Workspace, command: str, found: pl.DataFrame) -> Answer:
    """PLAN_DIFF as an answer, with the names of locations."""
    named = _with_names(workspace, found, "victim", "keeper_before", "keeper_after")
    counts = {change: found.filter(found["change"] == change).height for change in ("added", "gone", "changed")}

    def sheet() -> Sheet:
        columns = (Column("change"), Column("file", fold=True), Column("what"), Column("before"), Column("after"))
        lines = [
            (
                row["change"],
                place(row["victim_location"], row["victim_path"]),
                row["what"],
                _side(row, "before"),
                _side(row, "after"),
            )
            for row in named.head(_SHOWN_STEPS).iter_rows(named=True)
        ]
        return Sheet(columns, lines, "Nothing changed.")

    said = ", ".join(f"{count:,} {change}" for change, count in counts.items() if count)
    return Answer(command, named, sheet, counts, [f"{said[0].upper()}{said[1:]}."] if said else ())


def record_summary(record: PlanRecord) -> dict[str, object]:
    """What a plan is, for JSON."""
    return {
        "plan_id": record.plan_id,
        "kind": record.kind,
        "state": str(record.state),
        "author": record.author,
        "created_at": record.created_at,
        "steps": record.steps,
        "steps_digest": record.steps_digest,
        "replaces": record.replaces,
        "replaced_by": record.replaced_by,
        "document": dict(record.document),
        "approvals": [
            {"approved": said.approved, "who": said.who, "at": said.at.isoformat(), "note": said.note}
            for said in record.approvals
        ],
    }


def named_steps(workspace: Workspace, steps: pl.DataFrame) -> pl.DataFrame:
    """Steps with victim_location, keeper_location and target_location, the names."""
    return _with_names(workspace, steps, "victim", "keeper", "target")


def plan_answer(
    workspace: Workspace, command: str, record: PlanRecord, most: int, *, only: int | None = None
) -> Answer:
    """A plan with at most so many of its steps, what it comes to and what is left out."""
    from deeplens_kit import pipeline
    from deeplens_kit.reporting.plan_words import left_out_words, plan_lines

    steps = named_steps(workspace, pipeline.load_steps(workspace, record))
    rows = steps if only is None else steps.head(only)
    left: Sequence[Mapping[str, Any]] = record.document.get("left_out", [])
    lines = [f"Showing {most:,} of {steps.height:,} steps; all of them with --csv, or more with --limit."] * (
        steps.height > most
    )
    lines += plan_lines(record)
    if left:
        lines.append(left_out_words(left))
        lines += [f"  {line['objects']:,} at {shown(line['location'])}: {line['message']}" for line in left]
    lines += _change_lines(record)
    lines.append(f"Next: {_next(record)}")
    return Answer(command, rows, lambda: _steps_sheet(rows.head(most)), record_summary(record), lines)


def _change_lines(record: PlanRecord) -> list[str]:
    """Before and after of the lines that a plan of references changes."""
    changes: Sequence[Mapping[str, Any]] = record.document.get("changes", ())
    lines = []
    for row in changes[:_SHOWN_STEPS]:
        at = f"column {shown(row['column'])}" if row["column"] else f"line {row['line']:,}"
        lines += [
            f"{place(row['location'], row['path'])}, {at}:",
            f"- {shown(row['before'])}",
            f"+ {shown(row['after'])}",
        ]
    if len(changes) > _SHOWN_STEPS:
        lines.append(f"Showing {_SHOWN_STEPS} of {len(changes):,} or more lines that change.")
    return lines


def _next(record: PlanRecord) -> str:
    plan_id = record.plan_id
    if record.state == "draft":
        return (
            f"look at it with `deeplens plan preview {plan_id} plan.html`, then `deeplens plan approve {plan_id}` or "
            f"`deeplens plan refuse {plan_id}`."
        )
    if record.state == "approved":
        return f"`deeplens apply {plan_id}` says what it would do, without doing it."
    if record.replaced_by:
        return f"`deeplens plan show {record.replaced_by}` shows the plan that took its place."
    return "`deeplens plan list` lists the plans."


def _steps_sheet(rows: pl.DataFrame) -> Sheet:
    columns = (
        Column("step", "right"),
        Column("action"),
        Column("tier"),
        Column("file", fold=True),
        Column("frees", "right"),
        Column("keeper", fold=True),
        Column("score", "right"),
        Column("why", fold=True),
    )
    lines = [
        (
            str(row["step"]),
            row["action"] + (f" to {shown(row['target'])}" if row["target"] and row["action"] not in _MAKING else ""),
            row["tier"] or "",
            place(row["victim_location"] or row["victim_location_id"], row["victim_path"]),
            format_bytes(row["frees_bytes"]),
            "" if row["keeper_path"] is None else place(row["keeper_location"] or "", row["keeper_path"]),
            "" if row["score"] is None else format_score(row["score"]),
            row["reason"]
            + (f"; loses {row['loses']}" if row["loses"] else "")
            + ("; with the files that it belongs with" if row["together"] else ""),
        )
        for row in rows.iter_rows(named=True)
    ]
    return Sheet(columns, lines, "The plan has no steps.")


def _side(row: Mapping[str, Any], side: str) -> str:
    if row[f"action_{side}"] is None:
        return ""
    keeper = place(row[f"keeper_{side}_location"] or "", row[f"keeper_path_{side}"] or "")
    return f"{row[f'action_{side}']} for {keeper} ({row[f'tier_{side}']}, {format_bytes(row[f'frees_bytes_{side}'])})"


def _with_names(workspace: Workspace, rows: pl.DataFrame, *ends: str) -> pl.DataFrame:
    """Rows with the names of locations: `END_location` of `END_location_id`."""
    import polars as pl

    names = dict(workspace.location_names().iter_rows())
    columns = []
    for end in ends:
        first, _, side = end.partition("_")
        column = f"{first}_location_id" + (f"_{side}" if side else "")
        columns.append(
            pl.col(column).replace_strict(names, default=None, return_dtype=pl.String).alias(f"{end}_location")
        )
    return rows.with_columns(columns)
