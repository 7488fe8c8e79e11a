"""Commands that say how things stand: status, failures.

Takes arguments, gives what became of every file found, and what could not be analysed; must not touch a location.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.location_commands import NO_LOCATIONS
from deeplens_kit.cli.tables import Column, Sheet, display_url, place, shown
from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.words import (
    format_bytes,
    format_count,
    format_percent,
    missing_lines,
    plural,
    problem_words,
    skipped_words,
)

if TYPE_CHECKING:
    import polars as pl

    from deeplens_kit.ledger import Location, Run
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.reporting.totals import CoverageTotals

__all__ = ["failures", "status"]

# Of Outcome: the schemas would load polars, which help and errors need not.
_OUTCOMES = (
    "indexed",
    "unsupported",
    "not_a_picture",
    "unreadable",
    "too_large",
    "empty",
    "placeholder",
    "changed_while_read",
    "permission",
    "kept_out",
    "gone",
)
_SHOWN_FAILURES = 100


def status(context: typer.Context, as_json: Json = False, csv: Csv = None) -> None:
    """Say how the locations stand: what was found, what was analysed, what was left out, and when."""
    check_outputs(csv)
    with opened(context, csv) as workspace:
        answer = _status_answer(workspace, verbose=invocation(context).verbose)
    give(answer, as_json=as_json, csv=csv)


def _status_answer(workspace: Workspace, *, verbose: bool) -> Answer:
    import polars as pl

    from deeplens_kit import pipeline
    from deeplens_kit.reporting.totals import add_up_coverage

    coverage, failures = pipeline.coverage(workspace), pipeline.list_failures(workspace)
    folders = failures.filter(pl.col("stage") == "list")
    last, locations = pipeline.last_runs(workspace), workspace.ledger.locations(inactive=True)
    rows = [
        _status_row(
            location,
            coverage.filter(pl.col("location_id") == location.location_id),
            folders.filter(pl.col("location_id") == location.location_id).height,
            last.get(location.location_id),
        )
        for location in locations
    ]
    whole, found = add_up_coverage(coverage), _Figures.of(locations, last)
    warning, open_ends = _runtime_warning(), pipeline.run_caveats(workspace)
    summary = {
        "workspace": str(workspace.directory),
        "objects": whole.objects,
        "bytes": whole.bytes,
        "analysed_objects": whole.analysed_objects,
        "analysed_bytes": whole.analysed_bytes,
        "outcomes": _outcomes(coverage),
        "unlisted_folders": folders.height,
        "left_out": dict(found.skipped),
        "left_out_folders": found.skipped_folders,
        "missing_features": found.missing,
        "warnings": [*([warning] if warning else []), *open_ends],
    }
    lines = [
        *_coverage_lines(whole, coverage, last, rows),
        *([f"Left out: {skipped_words(found.skipped)}."] if found.skipped else []),
        *(_skipped_folder_lines(found.skipped_folders) if verbose else ()),
        *_inactive_line(locations),
        *missing_lines(found.missing),
        *open_ends,
        *([f"Warning: {warning}"] if warning else []),
    ]
    return Answer(
        "status",
        pl.DataFrame(rows, schema=_status_schema()),
        lambda: _status_sheet(rows),
        summary,
        lines if rows else (),
    )


def _outcomes(coverage: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Objects and bytes of every outcome, of those too to which nothing came; together they are all that was found."""
    found = {name: {"objects": 0, "bytes": 0} for name in _OUTCOMES}
    for outcome, objects, size_bytes in coverage.select("outcome", "objects", "bytes").iter_rows():
        told = found.setdefault(outcome, {"objects": 0, "bytes": 0})
        told["objects"] += objects
        told["bytes"] += size_bytes
    return found


def _status_row(location: Location, coverage: pl.DataFrame, folders: int, run: Run | None) -> dict[str, Any]:
    from deeplens_kit.reporting.totals import add_up_coverage

    totals, outcomes = add_up_coverage(coverage), Counter[str]()
    for outcome, objects in coverage.select("outcome", "objects").iter_rows():
        outcomes[outcome] += objects
    return {
        "location": location.name,
        "url": location.url,
        "active": location.active,
        "objects": totals.objects,
        "bytes": totals.bytes,
        **{name: outcomes[name] for name in _OUTCOMES},
        "unlisted_folders": folders,
        "left_out": sum((run.figures.get("skipped") or {}).values()) if run is not None else 0,
        "last_run": str(run.state) if run is not None else None,
        "last_run_at": run.started_at if run is not None else None,
        "last_run_message": run.message if run is not None else None,
    }


def _status_schema() -> dict[str, pl.DataType]:
    import polars as pl

    whole = ("objects", "bytes", *_OUTCOMES, "unlisted_folders", "left_out")
    return {
        "location": pl.String(),
        "url": pl.String(),
        "active": pl.Boolean(),
        **dict.fromkeys(whole, pl.Int64()),
        "last_run": pl.String(),
        "last_run_at": pl.Datetime("us", "UTC"),
        "last_run_message": pl.String(),
    }


class _Figures:
    """What the last runs noted besides the rows of the catalog."""

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self.skipped_folders: list[dict[str, str]] = []
        self.missing: dict[str, str] = {}

    @classmethod
    def of(cls, locations: Sequence[Location], last: Mapping[str, Run]) -> _Figures:
        """Gathered over the locations that were indexed."""
        gathered = cls()
        for location in locations:
            figures = last[location.location_id].figures if location.location_id in last else {}
            gathered.skipped.update(figures.get("skipped") or {})
            gathered.missing |= {str(name): str(why) for name, why in (figures.get("missing_features") or {}).items()}
            gathered.skipped_folders += [
                {"location": location.name, "path": shown(path), "reason": reason}
                for path, reason in figures.get("skipped_folders") or ()
            ]
        return gathered


def _coverage_lines(
    whole: CoverageTotals, coverage: pl.DataFrame, last: Mapping[str, Run], rows: Sequence[object]
) -> list[str]:
    if whole.objects:
        return [
            f"{whole.share} of {plural(whole.objects, 'file')} analysed "
            f"({format_percent(whole.analysed_bytes, whole.bytes)} of {format_bytes(whole.bytes)}).",
            *_missed_lines(coverage),
        ]
    if rows:
        return ["No files were found." if last else "Nothing indexed yet; run `deeplens index`."]
    return []


def _missed_lines(coverage: pl.DataFrame) -> list[str]:
    found: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for code, objects, size_bytes in coverage.select("code", "objects", "bytes").iter_rows():
        if code:
            found[problem_words(code)] += objects
            sizes[problem_words(code)] += size_bytes
    return [f"  {count:,} ({format_bytes(sizes[reason])}): {reason}" for reason, count in found.most_common()]


def _skipped_folder_lines(folders: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"  {place(item['location'], '')}{item['path']} ({item['reason']})" for item in folders]


def _inactive_line(locations: Sequence[Location]) -> list[str]:
    names = [shown(location.name) for location in locations if not location.active]
    return [f"Deactivated, so in no group: {', '.join(names)}."] if names else []


def _runtime_warning() -> str:
    """What `deeplens index` would refuse to start with, empty when nothing."""
    from deeplens_kit.features import check_runtime

    try:
        check_runtime()
    except SettingsError as error:
        return str(error)
    return ""


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
    if context.invoked_subcommand is not None:
        return
    check_outputs(csv)
    with opened(context, csv) as workspace:
        from deeplens_kit import pipeline
        from deeplens_kit.decode import FORMATS

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
    if "unsupported" in counts:
        closing.append(f"Pictures that are read: {', '.join(FORMATS)}.")
    if first.height < in_all and not csv:
        closing.append(f"Showing {first.height:,} of {in_all:,}; all of them with --csv or --limit.")
    give(Answer("failures", rows, show, summary, closing), as_json=as_json, csv=csv)
