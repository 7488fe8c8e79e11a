"""A plan with all that its page shows, read from a workspace; and what its rehearsal came to, in words.

Takes an open workspace and a plan, gives a described plan and sentences; must not write or act.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

from deeplens_kit.reporting.plan_view import MAX_PLAN_STEPS, PlanView, describe_plan, shown_steps
from deeplens_kit.reporting.words import format_bytes, plural
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import PlanRecord
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.pipeline.act_report import ApplyReport
    from deeplens_kit.pipeline.plan_proposal import PlanProposal

__all__ = ["proposal_words", "read_plan", "rehearsal_outcomes", "rehearsal_words"]

_REASONS = 20
_FACTS = ["digest", "format", "width_px", "height_px", "jpeg_quality"]


def read_plan(
    workspace: Workspace, record: PlanRecord, steps: pl.DataFrame, *, max_steps: int = MAX_PLAN_STEPS
) -> PlanView:
    """Describe a plan for its page.

    Args:
        workspace: An open workspace.
        record: The plan.
        steps: PLAN_STEPS of it.
        max_steps: Steps that the page shows, those that free most.
    """
    first = shown_steps(steps, max_steps)
    digests = {*first["victim_digest"].drop_nulls(), *first["keeper_digest"].drop_nulls()}
    return describe_plan(
        record,
        steps,
        workspace.catalog.pictures(digests=sorted(digests), columns=_FACTS),
        dict(workspace.location_names().iter_rows()),
        workspace=display_path(workspace.directory.name),
        made_at=datetime.now().astimezone(),
        # The package imports the stages above this one.
        version=str(sys.modules[__name__.partition(".")[0]].__version__),
        max_steps=max_steps,
    )


def proposal_words(proposal: PlanProposal) -> list[str]:
    """What a proposal is, and what to do next; sentences with names of commands between backticks."""
    record = proposal.record
    totals = record.document.get("totals", {})
    amount = f"{plural(record.steps, 'step')}, {format_bytes(totals.get('frees_bytes', 0))} freed in the end"
    if proposal.is_saved:
        return [
            f"Plan {record.plan_id} is saved as a draft: {amount}. No file was touched.",
            f"Look at it below, then `deeplens plan approve {record.plan_id}` says yes to it, and "
            f"`deeplens plan refuse {record.plan_id}` no.",
        ]
    left = record.document.get("left_out", ())
    if proposal.closed and record.steps:
        names = ", ".join(display_path(name) for name in proposal.closed)
        first = display_path(proposal.closed[0])
        return [
            f"No plan was saved: locations are read-only until somebody opens them, and none of these is opened for "
            f"changes: {names}.",
            f"This is what a plan would be if they were: {amount}.",
            f"To open one: `deeplens locations set {first} --option permissions=change`, then run this again. Even "
            "then files only go to quarantine, by a plan that somebody approved.",
        ]
    if not left:
        return ["There is nothing to plan: no group has a copy that could go."]
    most = max(left, key=lambda line: int(line["objects"]))
    total = sum(int(line["objects"]) for line in left)
    return [
        f"There is nothing to plan: {plural(total, 'copy is', 'copies are')} left out, most of them "
        f"({int(most['objects']):,}) because {most['message']}."
    ]


def rehearsal_words(report: ApplyReport) -> list[str]:
    """What a rehearsal came to."""
    figures = report.figures
    lines = [
        f"{plural(int(figures['possible']), 'step')} of {int(figures['steps']):,} would be done now, which frees "
        f"{format_bytes(int(figures['frees_bytes']))} in the end; {format_bytes(int(figures['read_bytes']))} were read "
        "for proof. Nothing was changed."
    ]
    skipped = int(figures["steps"]) - int(figures["possible"])
    if skipped:
        lines.append(f"{plural(skipped, 'step')} would be skipped; each has its reason in the table.")
    return lines


def rehearsal_outcomes(report: ApplyReport) -> pl.DataFrame:
    """How many steps came to what: outcome, code, message, steps, frees_bytes; the most steps first, and not all."""
    import polars as pl

    by = report.results.group_by("outcome", "code", "message")
    sums = by.agg(pl.len().alias("steps"), pl.col("frees_bytes").sum())
    return sums.sort("steps", "code", "message", descending=[True, False, False]).head(_REASONS)
