"""The commands put together, and the options that hold for all of them.

Takes the command modules, gives the typer application; must not import what a single command needs.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Annotated, Literal

import typer

from deeplens_kit import __version__
from deeplens_kit.cli import (
    access_app,
    act_app,
    care_app,
    choice_app,
    clusters_command,
    compare_command,
    convert_command,
    explain_command,
    finding_commands,
    index_commands,
    ingest_command,
    jobs_app,
    keep_app,
    label_app,
    location_commands,
    metadata_command,
    models_command,
    notes_commands,
    plan_app,
    prices_command,
    report_commands,
    schedule_app,
    search_command,
    searches_commands,
    serve_command,
    status_commands,
    watch_command,
    workflow_app,
    workspace_commands,
)
from deeplens_kit.cli.command_groups import add_command as _add
from deeplens_kit.cli.command_groups import examples as _examples
from deeplens_kit.cli.command_groups import new_group as _group
from deeplens_kit.cli.command_groups import show_help as _help
from deeplens_kit.cli.invocation import WORKSPACE_VARIABLE, Invocation
from deeplens_kit.cli.search_terms import OrderedCommand

__all__ = ["app"]

app = _group()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deeplens {__version__}")
        raise typer.Exit


@app.callback(
    epilog=_examples(
        "deeplens init my-workspace",
        "export DEEPLENS_WORKSPACE=my-workspace",
        "deeplens locations add pics ./pictures",
        "deeplens index",
        "deeplens duplicates --html duplicates.html",
    )
)
def _root(
    context: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option(envvar=WORKSPACE_VARIABLE, metavar="DIR", help="The workspace; by default the current folder."),
    ] = None,
    log_format: Annotated[Literal["text", "json"], typer.Option(help="Log lines as text or JSON.")] = "text",
    verbose: Annotated[bool, typer.Option("--verbose", help="Show more log lines, and tracebacks.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Find the pictures that are kept many times over, and prove what they cost. Nothing is changed without a plan."""
    if context.invoked_subcommand is None:
        _help(context)
    context.obj = Invocation(
        workspace=workspace if workspace is not None else Path(),
        named=workspace is not None,
        json_logs=log_format == "json",
        verbose=verbose,
        correlation_id=os.environ.get("DEEPLENS_CORRELATION_ID") or uuid.uuid4().hex,
    )


locations = _group("locations")


@locations.callback()
def _locations(context: typer.Context) -> None:
    """Say where the files are: add, check, rename and leave out locations."""
    if context.invoked_subcommand is None:
        _help(context)


catalog = _group("catalog")


@catalog.callback()
def _catalog(context: typer.Context) -> None:
    """Look at the catalog itself."""
    if context.invoked_subcommand is None:
        _help(context)


prices = _group("prices")


@prices.callback()
def _prices(context: typer.Context) -> None:
    """Say what storage costs: a price book to fill in, and what it says of your locations."""
    if context.invoked_subcommand is None:
        _help(context)


models = _group("models")


@models.callback()
def _models(context: typer.Context) -> None:
    """Say which models there are, get one, and see whether it is right here."""
    if context.invoked_subcommand is None:
        _help(context)


report = _group("report")


@report.callback()
def _report(context: typer.Context) -> None:
    """Make a report now, or what makes it recur."""
    if context.invoked_subcommand is None:
        _help(context)


searches = _group("searches")


@searches.callback()
def _searches(context: typer.Context) -> None:
    """Searches that were saved, and what was searched for."""
    if context.invoked_subcommand is None:
        _help(context)


_add(
    app, workspace_commands.init, "init",
    "deeplens init my-workspace",
    "deeplens init team --ledger-url 'postgresql+psycopg://anna:${LEDGER_PASSWORD}@db/deeplens'",
)  # fmt: skip
app.add_typer(locations)
_add(
    locations, location_commands.add, "add",
    "deeplens locations add pics ./pictures",
    "deeplens locations add share /mnt/share --option 'exclude=*.tmp' --option hidden=true",
    "deeplens locations add cloud s3://bucket/photos --option profile=pictures",
)  # fmt: skip
_add(locations, location_commands.list_kinds, "kinds", "deeplens locations kinds", "deeplens locations kinds s3")
_add(locations, location_commands.list_all, "list", "deeplens locations list", "deeplens locations list --json")
_add(locations, location_commands.check, "check", "deeplens locations check", "deeplens locations check pics")
_add(
    locations, location_commands.change, "set",
    "deeplens locations set pics --option permissions=create",
    "deeplens locations set pics --default exclude",
)  # fmt: skip
_add(locations, location_commands.rename, "rename", "deeplens locations rename pics pictures")
_add(locations, location_commands.deactivate, "deactivate", "deeplens locations deactivate pics")
_add(locations, location_commands.activate, "activate", "deeplens locations activate pics")
_add(
    app, index_commands.index, "index",
    "deeplens index",
    "deeplens index pics --workers 4",
    "deeplens index --estimate",
    "deeplens index cloud --budget 10GB",
    "deeplens index --nice 10 --memory-limit 2GB --io-limit 20MB",
    "deeplens --log-format json index --json",
)  # fmt: skip
_add(
    app, ingest_command.ingest, "ingest",
    "deeplens ingest holiday/*.jpg --to archive --collection holiday --tag sea",
    "deeplens ingest https://example.org/picture.jpg --to archive",
    "cat scan.png | deeplens ingest - --to archive --name scan.png --template '{name}.{ext}'",
)  # fmt: skip
_add(
    app, watch_command.watch, "watch",
    "deeplens watch",
    "deeplens watch share --every 1h --notify-after 10m",
    "deeplens watch --notify 'https://hooks.example.org/pictures?secret=${HOOK_SECRET}'",
)  # fmt: skip
_add(app, status_commands.status, "status", "deeplens status", "deeplens status --verbose")
failures = _group("failures")
failures.callback(epilog=_examples("deeplens failures", "deeplens failures --csv failures.csv"))(
    status_commands.failures
)
app.add_typer(failures)
_add(
    failures, index_commands.retry, "retry",
    "deeplens failures retry",
    "deeplens failures retry share --code timed_out --code crashed",
)  # fmt: skip
_add(
    app, finding_commands.pairs, "pairs",
    "deeplens pairs --tier copy --limit 20",
    "deeplens pairs --csv pairs.csv",
)  # fmt: skip
_add(
    app, finding_commands.duplicates, "duplicates",
    "deeplens duplicates",
    "deeplens duplicates --html duplicates.html",
    "deeplens duplicates --tier bytes --csv duplicates.csv",
)  # fmt: skip
_add(app, finding_commands.savings, "savings", "deeplens savings", "deeplens savings --json")
app.add_typer(prices)
_add(prices, prices_command.example, "example", "deeplens prices example")
_add(
    prices, prices_command.check, "check",
    "deeplens prices check",
    "deeplens prices check new-prices.yaml --json",
)  # fmt: skip
app.command(
    "search",
    cls=OrderedCommand,
    epilog=_examples(
        "deeplens search --image picture.jpg",
        "deeplens search --image https://example.org/picture.jpg --tier bytes --tier copy",
        "deeplens search --text 'a red lorry in snow' --where 'format=JPEG size>=500kB' --html lorries.html",
        "deeplens search --like share:photos/cover.png --weight 0.7 --text 'at night' --weight 0.3 --save night",
        "deeplens search --image collage.png --crop 0%,0%,50%,50% --by parts --json",
    ),
)(search_command.search)
app.add_typer(searches)
_add(searches, searches_commands.list_all, "list", "deeplens searches list", "deeplens searches list --json")
_add(searches, searches_commands.show, "show", "deeplens searches show night")
_add(
    searches,
    searches_commands.run,
    "run",
    "deeplens searches run night",
    "deeplens searches run night --html night.html",
)
_add(searches, searches_commands.remove, "remove", "deeplens searches remove night")
_add(searches, searches_commands.history, "history", "deeplens searches history --limit 50")
_add(searches, searches_commands.clear_history, "clear-history", "deeplens searches clear-history")
clusters = _group("clusters")
clusters.callback(
    epilog=_examples(
        "deeplens clusters",
        "deeplens clusters --feature clip_vit_b_32 --least 20",
        "deeplens clusters --csv clusters.csv",
    )
)(clusters_command.clusters)
app.add_typer(clusters)
_add(clusters, clusters_command.show, "show", "deeplens clusters show 1", "deeplens clusters show 3 --least 20 --json")
_add(app, compare_command.compare, "compare", "deeplens compare a.jpg b.jpg")
_add(
    app, explain_command.explain, "explain",
    "deeplens explain 4c1f",
    "deeplens explain share:photos/cover.png",
    "deeplens explain ./photos/cover.png --json",
)  # fmt: skip
choice_app.add_commands(app)
label_app.add_commands(app)
plan_app.add_commands(app)
act_app.add_commands(app)
workflow_app.add_commands(app)
schedule_app.add_commands(app)
jobs_app.add_commands(app)
_add(
    app, convert_command.convert, "convert",
    "deeplens convert scan.tif --to kept --format jxl --lossless",
    "deeplens convert share:photos/cover.png --to web --format webp --max-side 1600 --strip-metadata",
)  # fmt: skip
_add(
    app, metadata_command.metadata, "metadata",
    "deeplens metadata ./photos/cover.jpg",
    "deeplens metadata share:photos/cover.jpg --show-private",
)  # fmt: skip
_add(
    app, notes_commands.tag, "tag",
    "deeplens tag archive:2026/11/cover.jpg --tag cover --collection books",
    "deeplens tag archive:2026/11/cover.jpg",
)  # fmt: skip
collections = _group("collections")
collections.callback(epilog=_examples("deeplens collections", "deeplens collections --json"))(
    notes_commands.collections
)
app.add_typer(collections)
_add(collections, notes_commands.add_collection, "add", "deeplens collections add holiday --description 'By the sea'")
app.add_typer(models)
_add(models, models_command.list_all, "list", "deeplens models list", "deeplens models list --json")
_add(models, models_command.pull, "pull", "deeplens models pull sscd_torch")
_add(models, models_command.check, "check", "deeplens models check", "deeplens models check sscd_small")
_add(app, serve_command.serve, "serve", "deeplens serve", "deeplens serve --port 0 --no-open")
app.add_typer(report)
_add(
    report, report_commands.savings, "savings",
    "deeplens report savings --out savings.html",
    "deeplens report savings --out 'savings-{date}.html' --param max_groups=50 --pdf",
)  # fmt: skip
_add(report, report_commands.coverage, "coverage", "deeplens report coverage --out coverage.html")
_add(report, report_commands.drift, "drift", "deeplens report drift --out drift.html --mail")
_add(
    report, report_commands.evidence, "evidence", "deeplens report evidence --out evidence.html --param precision=0.995"
)
_add(
    report, report_commands.schedule, "schedule",
    "deeplens report schedule --cron '0 6 * * 1' --out savings.html",
    "deeplens report schedule --cron @weekly --form systemd",
)  # fmt: skip
access_app.add_commands(app)
care_app.add_commands(app)
keep_app.add_commands(app)
_add(app, workspace_commands.upgrade, "upgrade", "deeplens upgrade")
app.add_typer(catalog)
_add(catalog, workspace_commands.digest, "digest", "deeplens catalog digest")
