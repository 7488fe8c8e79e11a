"""Commands for the workspace itself: make it, bring it up to date, name its content.

Takes arguments, gives answers; must not touch a location.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import WORKSPACE_VARIABLE, invocation, logging_on, opened
from deeplens_kit.reporting.words import plural

__all__ = ["digest", "init", "upgrade"]


def init(
    context: typer.Context,
    directory: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A folder that is no workspace yet; made when missing.")
    ] = None,
    catalog_url: Annotated[str | None, typer.Option(metavar="URL", help="Where the catalog is kept.")] = None,
    ledger_url: Annotated[
        str | None, typer.Option(metavar="URL", help="SQLAlchemy URL of the ledger; a password as ${NAME}.")
    ] = None,
    cache_dir: Annotated[str | None, typer.Option(metavar="DIR", help="Where thumbnails are cached.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Make a workspace: a folder that knows the locations and what was found there."""
    import polars as pl

    from deeplens_kit.telemetry.redaction import redact

    check_outputs(csv)
    with logging_on(context):
        from deeplens_kit.pipeline import Workspace

        folder = directory if directory is not None else invocation(context).workspace
        with Workspace.create(folder, catalog_url=catalog_url, ledger_url=ledger_url, cache_dir=cache_dir) as workspace:
            stores, found = workspace.settings, len(workspace.ledger.locations(inactive=True))
            row = {
                "workspace": str(workspace.directory),
                "catalog_url": redact(stores.catalog_url),
                "ledger_url": redact(stores.ledger_url),
                "cache_dir": stores.cache_dir,
            }
    lines = [
        f"Made the workspace {row['workspace']}",
        *([f"Its stores were there already, with {plural(found, 'location')}; they were taken over."] if found else []),
        "Next:",
        f"  export {WORKSPACE_VARIABLE}={shlex.quote(row['workspace'])}",
        "  deeplens locations add NAME FOLDER",
        "  deeplens index",
    ]
    give(Answer("init", pl.DataFrame([row]), None, closing=lines), as_json=as_json, csv=csv)


def upgrade(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """Bring a workspace of an older DeepLens up to date; a backup is made first."""
    import polars as pl

    check_outputs(csv)
    with logging_on(context) as options:
        from deeplens_kit.pipeline import Workspace

        report = Workspace.upgrade(options.workspace)
    rows = pl.DataFrame({"step": list(report.steps)}, schema={"step": pl.String})
    done = [f"  {step}" for step in report.steps]
    lines = ["Upgraded:", *done] if done else ["The workspace is up to date; nothing had to change."]
    answer = Answer(
        "upgrade",
        rows,
        None,
        summary={"backup_dir": str(report.backup_dir), "steps": len(report.steps)},
        closing=[*lines, f"Backup: {report.backup_dir}"],
    )
    give(answer, as_json=as_json, csv=csv)


def digest(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """Print one value for the content of the catalog: equal content has an equal digest."""
    import polars as pl

    check_outputs(csv)
    with opened(context, csv) as workspace:
        value = workspace.content_digest()
    answer = Answer("catalog digest", pl.DataFrame({"digest": [value]}), None, closing=[value])
    give(answer, as_json=as_json, csv=csv)
