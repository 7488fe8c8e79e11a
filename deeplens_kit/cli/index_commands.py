"""Commands around indexing: index, status, failures.

Takes arguments, gives what a run did, how the locations stand, and what could not be analysed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.location_commands import NO_LOCATIONS
from deeplens_kit.cli.progress import progress_listener
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import Column, Sheet, display_url, place, shown
from deeplens_kit.reporting.words import (
    format_bytes,
    format_count,
    format_percent,
    format_seconds,
    plural,
    problem_words,
)

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import Run
    from deeplens_kit.pipeline import IndexReport, Workspace

__all__ = ["failures", "index", "status"]

_COUNTS = (
    "found",
    "new",
    "changed",
    "unchanged",
    "gone",
    "read_files",
    "read_bytes",
    "indexed",
    "pictures",
    "failures",
    "problems",
)
_SHOWN_FAILURES = 100


def index(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Locations; all of them by default.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Threads that decode; 0 for all cores. By default the setting.")
    ] = None,
    no_match: Annotated[bool, typer.Option("--no-match", help="Only index; find no pairs yet.")] = False,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Read what is new or changed at the locations, and find what is alike. Ctrl-C stops cleanly."""
    check_outputs(csv)
    with opened(context) as workspace, stop_on_signals() as stop:
        from deeplens_kit import pipeline

        with progress_listener(quiet=as_json or invocation(context).json_logs) as listener:
            reports = pipeline.index(
                workspace, names or None, workers=workers, progress=listener, stop=stop, and_match=not no_match
            )
    give(_index_answer(reports, matched=not no_match), as_json=as_json, csv=csv)


def _index_answer(reports: Sequence[IndexReport], *, matched: bool) -> Answer:
    import polars as pl

    rows = [
        {
            "location": report.location,
            "state": report.state,
            **{name: getattr(report, name) for name in _COUNTS},
            "skipped": sum(report.skipped.values()),
            "seconds": round(report.seconds, 3),
            "run_id": report.run_id,
        }
        for report in reports
    ]
    texts, whole = ("location", "state"), (*_COUNTS, "skipped")
    schema = (
        dict.fromkeys(texts, pl.String) | dict.fromkeys(whole, pl.Int64) | {"seconds": pl.Float64, "run_id": pl.String}
    )
    frame = pl.DataFrame(rows, schema=schema)
    totals = {name: int(frame[name].sum()) for name in whole}
    skipped: Counter[str] = Counter()
    missing: dict[str, str] = {}
    for report in reports:
        skipped.update(report.skipped)
        missing.update(report.missing_features)
    summary = totals | {"skipped": dict(skipped), "missing_features": missing, "matched": matched}
    closing = _index_lines(totals, skipped, missing, matched) if reports else []
    return Answer("index", frame, lambda: _index_sheet(reports), summary, closing)


def _index_sheet(reports: Sequence[IndexReport]) -> Sheet:
    columns = [Column("location")]
    columns += [
        Column(name, "right") for name in ("found", "new", "changed", "unchanged", "gone", "read", "failures", "time")
    ]
    lines = [
        [
            shown(report.location),
            *(format_count(getattr(report, name)) for name in ("found", "new", "changed", "unchanged", "gone")),
            format_count(report.read_files),
            format_count(report.failures + report.problems),
            format_seconds(report.seconds),
        ]
        for report in reports
    ]
    return Sheet(columns, lines, NO_LOCATIONS)


def _index_lines(
    totals: Mapping[str, int], skipped: Mapping[str, int], missing: Mapping[str, str], matched: bool
) -> list[str]:
    said = [
        f"{plural(totals['read_files'], 'file')} read ({format_bytes(totals['read_bytes'])})",
        plural(totals["pictures"], "new picture"),
    ]
    if totals["failures"]:
        said.append(f"{plural(totals['failures'], 'file')} that could not be analysed")
    lines = [f"{', '.join(said)}."]
    if totals["problems"]:
        lines.append(f"{plural(totals['problems'], 'folder')} could not be listed.")
    if skipped:
        lines.append(f"Left out: {', '.join(f'{count:,} {_reason(name)}' for name, count in sorted(skipped.items()))}.")
    lines += _missing_lines(missing)
    if totals["failures"] or totals["problems"]:
        lines.append("See `deeplens failures` for the reasons.")
    lines.append("Next: deeplens duplicates" if matched else "Next: deeplens index (without --no-match)")
    return lines


def _reason(name: str) -> str:
    return name.replace("_", " ")


def _missing_lines(missing: Mapping[str, str]) -> list[str]:
    return [f"Not computed: {name}: {reason.rstrip('.')}." for name, reason in sorted(missing.items())]


def status(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """Say how the locations stand: what was found, what was analysed, and when."""
    check_outputs(csv)
    with opened(context) as workspace:
        answer = _status_answer(workspace)
    give(answer, as_json=as_json, csv=csv)


def _status_answer(workspace: Workspace) -> Answer:
    import polars as pl

    from deeplens_kit import pipeline
    from deeplens_kit.reporting.totals import add_up_coverage

    coverage = pipeline.coverage(workspace)
    last: dict[str, Run] = {}
    for run in sorted(workspace.ledger.runs(), key=lambda item: item.started_at):
        if run.kind == "index" and run.location_id is not None:
            last[run.location_id] = run
    rows = []
    for location in workspace.ledger.locations(inactive=True):
        totals = add_up_coverage(coverage.filter(pl.col("location_id") == location.location_id))
        outcomes = _by_outcome(coverage.filter(pl.col("location_id") == location.location_id))
        rows.append(
            {
                "location": location.name,
                "url": location.url,
                "active": location.active,
                "objects": totals.objects,
                "bytes": totals.bytes,
                **outcomes,
                "last_run": str(last[location.location_id].state) if location.location_id in last else None,
                "last_run_at": last[location.location_id].started_at if location.location_id in last else None,
            }
        )
    schema: dict[str, pl.DataType] = {
        "location": pl.String(),
        "url": pl.String(),
        "active": pl.Boolean(),
        "objects": pl.Int64(),
        "bytes": pl.Int64(),
        **dict.fromkeys(_OUTCOMES, pl.Int64()),
        "last_run": pl.String(),
        "last_run_at": pl.Datetime("us", "UTC"),
    }
    whole = add_up_coverage(coverage)
    missing: dict[str, str] = {}
    for run in last.values():
        missing |= {str(name): str(reason) for name, reason in (run.figures.get("missing_features") or {}).items()}
    summary = {
        "workspace": str(workspace.directory),
        "objects": whole.objects,
        "bytes": whole.bytes,
        "analysed_objects": whole.analysed_objects,
        "analysed_bytes": whole.analysed_bytes,
        "missing_features": missing,
    }
    closing = []
    if whole.objects:
        closing = [
            f"{whole.share} of {plural(whole.objects, 'file')} analysed "
            f"({format_percent(whole.analysed_bytes, whole.bytes)} of {format_bytes(whole.bytes)}).",
            *_missed_lines(coverage),
        ]
    elif rows:
        closing = ["Nothing indexed yet; run `deeplens index`."]
    lines = [*closing, *_missing_lines(missing)]
    return Answer("status", pl.DataFrame(rows, schema=schema), lambda: _status_sheet(rows), summary, lines)


_OUTCOMES = ("indexed", "unsupported", "unreadable", "skipped")


def _by_outcome(coverage: pl.DataFrame) -> dict[str, int]:
    found: Counter[str] = Counter()
    for outcome, objects in coverage.select("outcome", "objects").iter_rows():
        found[outcome] += objects
    return {name: found[name] for name in _OUTCOMES}


def _missed_lines(coverage: pl.DataFrame) -> list[str]:
    found: Counter[str] = Counter()
    for code, objects in coverage.select("code", "objects").iter_rows():
        if code:
            found[problem_words(code)] += objects
    return [f"  {count:,}: {reason}" for reason, count in found.most_common()]


def _status_sheet(rows: Sequence[Mapping[str, Any]]) -> Sheet:
    columns = [Column("location"), Column("files", "right"), Column("size", "right"), Column("analysed", "right")]
    columns += [Column("not analysed", "right"), Column("last run"), Column("url", fold=True)]
    lines = []
    for row in rows:
        at = f"{row['last_run_at'].astimezone():%Y-%m-%d %H:%M}" if row["last_run_at"] else ""
        missed = row["objects"] - row["indexed"]
        figures = (format_count(row["objects"]), format_bytes(row["bytes"]), format_count(row["indexed"]))
        ended = f"{row['last_run']} {at}" if row["last_run"] else "never"
        lines.append([shown(row["location"]), *figures, format_count(missed), ended, display_url(row["url"])])
    return Sheet(columns, lines, NO_LOCATIONS)


def failures(
    context: typer.Context,
    limit: Annotated[int | None, typer.Option(min=1, help="Rows at most; the table shows 100 by default.")] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """List the files and folders that could not be analysed, and why."""
    check_outputs(csv)
    with opened(context) as workspace:
        from deeplens_kit import pipeline

        frame = pipeline.list_failures(workspace)
        any_objects = bool(workspace.ledger.locations(inactive=True))
    wanted = ["location", "path", "stage", "code", "message", "size_bytes", "digest", "failed_at", "object_id"]
    rows = frame.select(wanted)
    in_all = rows.height
    rows = rows if limit is None else rows.head(limit)
    first = rows.head(limit or _SHOWN_FAILURES)

    def show() -> Sheet:
        lines = [
            (row["code"], place(row["location"], row["path"]), row["message"]) for row in first.iter_rows(named=True)
        ]
        columns = (Column("code"), Column("file", fold=True), Column("why", fold=True))
        return Sheet(columns, lines, "Every file that was found was analysed." if any_objects else NO_LOCATIONS)

    counts = Counter(frame["code"])
    summary = {"failures": in_all, "by_code": dict(counts.most_common())}
    closing = [f"{count:,}: {problem_words(code)}" for code, count in counts.most_common()]
    if first.height < in_all and not csv:
        closing.append(f"Showing {first.height:,} of {in_all:,}; all of them with --csv or --limit.")
    give(Answer("failures", rows, show, summary, closing), as_json=as_json, csv=csv)
