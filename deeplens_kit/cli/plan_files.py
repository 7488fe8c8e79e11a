"""`deeplens plan export`, `preview` and `verify`: plans as files, and whether such a file is right.

Takes ids and names of files, writes files where they may be written; touches no file of a location.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deeplens_kit.cli.answers import Answer, Json, give
from deeplens_kit.cli.invocation import opened
from deeplens_kit.cli.plan_commands import PlanId
from deeplens_kit.cli.tables import shown
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.files import PAGE_ENDINGS, check_target, write_atomically
from deeplens_kit.reporting.words import plural

__all__ = ["export", "preview", "verify"]

_MOST_BYTES = 4 * 2**30


def export(
    context: typer.Context,
    plan: PlanId,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Ends in .csv, .parquet, or .json for a signed manifest.", show_default=False
        ),
    ],
) -> None:
    """Write a plan to a file: CSV or Parquet of its steps, or a JSON manifest that the workspace signs (Ed25519)."""
    with opened(context, file) as workspace:
        from deeplens_kit import pipeline

        check_target(file, pipeline.PLAN_ENDINGS)
        record = workspace.ledger.plan(plan)
        write_atomically(file, pipeline.export_plan(workspace, record.plan_id, file.suffix))
    typer.echo(f"Wrote {plural(record.steps, 'step')} of plan {record.plan_id} to {file}", err=True)


def preview(
    context: typer.Context,
    plan: PlanId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Ends in .html.", show_default=False)],
    limit: Annotated[int | None, typer.Option(min=1, help="Steps at most; 200 by default.")] = None,
) -> None:
    """Write a page that shows each file that goes beside the one that stays, those that free most first."""
    with opened(context, file) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.reporting.plan_page import render_plan_page
        from deeplens_kit.reporting.plan_reading import read_plan
        from deeplens_kit.reporting.plan_view import MAX_PLAN_STEPS

        check_target(file, PAGE_ENDINGS)
        record = workspace.ledger.plan(plan)
        view = read_plan(workspace, record, pipeline.load_steps(workspace, record), max_steps=limit or MAX_PLAN_STEPS)
        write_atomically(file, render_plan_page(view, lambda digest: pipeline.thumbnail(workspace, digest)))
    typer.echo(f"Wrote the page to {file}", err=True)


def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A manifest of `plan export`.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Check a manifest: its signature, the digest of its steps, whose it is, and whether the plan is still the same."""
    import polars as pl

    try:
        if file.stat().st_size > _MOST_BYTES:
            raise SettingsError(f"{str(file)!r} is no manifest: it is larger than 4 GiB.")
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"Cannot read {str(file)!r}: {error.strerror or error}.") from error
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        found = pipeline.verify_manifest(workspace, content)
    plan = found.manifest.plan
    whose = "this workspace" if found.ours else "another workspace"
    lines = [
        f"The signature and the digest of {plural(found.manifest.steps.height, 'step')} are right.",
        f"Plan {plan.get('plan_id')} by {shown(str(plan.get('author')))}, signed by {whose} with the key "
        f"{found.manifest.public_key[:16]}…",
        "The workspace has this plan with these steps." if found.known else "The workspace has no such plan.",
    ]
    row = {
        "plan_id": str(plan.get("plan_id")),
        "steps_digest": str(plan["steps_digest"]),
        "public_key": found.manifest.public_key,
        "ours": bool(found.ours),
        "known": found.known,
    }
    give(Answer("plan verify", pl.DataFrame([row]), None, row, lines), as_json=as_json, csv=None)
