"""The command that indexes: what it is told, and what it says of each location.

Takes arguments, gives a report per location, also of those that went well where another did not; must not look into
the stores.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deeplens_kit.cli.answers import Answer, Csv, Json, check_outputs, give
from deeplens_kit.cli.estimate_answer import estimate_only
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.location_commands import no_active_location
from deeplens_kit.cli.sizes import given_budget
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import Column, Sheet
from deeplens_kit.cli.throttle_options import IoLimit, MemoryLimit, Nice, throttle_of
from deeplens_kit.errors import DeepLensError, Interrupted, SettingsError, UnknownNameError
from deeplens_kit.reporting.index_summary import HEADINGS, IndexSummary
from deeplens_kit.views.index_progress import progress_listener

if TYPE_CHECKING:
    from deeplens_kit.pipeline import MatchReport, Throttle

__all__ = ["index", "retry"]

_Names = Annotated[list[str] | None, typer.Argument(help="Locations; all of them by default.")]
_Workers = Annotated[
    int | None, typer.Option(min=0, help="Threads that decode; 0 for all cores. By default the setting.")
]

# Of ObjectError and what a listing meets: the errors' own codes.
FAILURE_CODES = (
    "changed_while_read",
    "corrupt",
    "crashed",
    "empty",
    "gone",
    "kept_out",
    "not_a_picture",
    "permission",
    "placeholder",
    "timed_out",
    "too_large",
    "unreadable",
    "unsupported",
)


def index(
    context: typer.Context,
    names: _Names = None,
    workers: _Workers = None,
    no_match: Annotated[bool, typer.Option("--no-match", help="Only index; find no pairs yet.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Read failed files again, though they did not change.")
    ] = False,
    accept_gone: Annotated[
        bool,
        typer.Option(
            "--accept-gone",
            help="Take at its word a location that lists empty, or holds none of its known files any more: what is "
            "known of them is removed. First make sure that it is mounted.",
        ),
    ] = False,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate",
            help="Read nothing: say what would be read, how long it would take and cost.",
        ),
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="Read no more over networks, for example 10GB or, by the price book, 5EUR; the next run goes on.",
        ),
    ] = None,
    nice: Nice = None,
    memory_limit: MemoryLimit = None,
    io_limit: IoLimit = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Read what is new or changed at the locations, and find what is alike. Ctrl-C stops cleanly."""
    check_outputs(csv)
    if estimate and budget is not None:
        raise SettingsError("--estimate reads nothing, so that --budget has nothing to hold; give one of them.")
    if estimate:
        estimate_only(context, names, retry_failed=retry_failed, as_json=as_json, csv=csv)
        return
    options: dict[str, Any] = {"workers": workers, "and_match": not no_match, "accept_gone": accept_gone}
    options |= {"retry_failed": retry_failed, "budget": given_budget("--budget", budget)}
    _run(context, names, options, throttle_of(nice, memory_limit, io_limit), as_json=as_json, csv=csv)


def retry(
    context: typer.Context,
    names: _Names = None,
    code: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Only what failed so, as `deeplens failures` has it; may come again."),
    ] = None,
    workers: _Workers = None,
    nice: Nice = None,
    memory_limit: MemoryLimit = None,
    io_limit: IoLimit = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Index, and try files again that could not be analysed, those included that crashed or held up a decoder."""
    check_outputs(csv)
    for name in code or ():
        if name not in FAILURE_CODES:
            raise UnknownNameError("failure code", name, FAILURE_CODES)
    options = {"workers": workers, "retry_failed": tuple(code) if code else True}
    _run(context, names, options, throttle_of(nice, memory_limit, io_limit), as_json=as_json, csv=csv)


def _run(
    context: typer.Context,
    names: list[str] | None,
    options: Mapping[str, Any],
    throttle: Throttle,
    *,
    as_json: bool,
    csv: Path | None,
) -> None:
    """Index, and say what came of it; what was done before an error is told first."""
    no_match = not options.get("and_match", True)
    failed: DeepLensError | None = None
    found: list[MatchReport] = []
    with opened(context, csv) as workspace, stop_on_signals() as stop:
        from deeplens_kit import pipeline

        with progress_listener(quiet=as_json or invocation(context).json_logs) as listener:
            try:
                reports = pipeline.index(
                    workspace,
                    names or None,
                    progress=listener,
                    stop=stop,
                    throttle=throttle,
                    matched=found.append,
                    **options,
                )
                if not no_match:
                    pipeline.prepare_search(workspace, stop, listener)
            except DeepLensError as error:
                # One bad location does not hide what was done at the others.
                reports = list(getattr(error, "reports", ()))
                if not (reports or error.others or as_json):
                    raise
                failed = error
        empty = no_active_location(workspace)
    matched = not no_match and (failed is None or bool(failed.others or reports))
    if isinstance(failed, Interrupted):
        matched = False
    told = IndexSummary(reports, failures_at="`deeplens failures`", when_empty=empty, match=found[0] if found else None)
    give(_index_answer(told, matched=matched, failed=failed), as_json=as_json, csv=csv)
    if failed is not None:
        raise failed


def _index_answer(told: IndexSummary, *, matched: bool, failed: DeepLensError | None) -> Answer:
    from deeplens_kit.telemetry.redaction import redact

    totals = told.totals
    summary: dict[str, object] = totals | {
        "skipped": dict(told.skipped),
        "missing_features": dict(told.missing),
        "matched": matched,
        "pairs": asdict(told.match) if told.match else None,
    }
    closing = told.lines
    if failed is not None:
        summary["error"] = {"code": failed.code, "message": redact(str(failed))}
        summary["errors"] = [{"code": item.code, "message": redact(str(item))} for item in (failed, *failed.others)]
        # The last is the line that ends the command.
        closing += [redact(str(item)) for item in failed.others]
    if told.reports and failed is None:
        closing.append(_next_line(totals, matched))
    return Answer("index", told.frame, lambda: _index_sheet(told), summary, closing)


def _next_line(totals: Mapping[str, int], matched: bool) -> str:
    if not matched:
        return "Next: deeplens index (without --no-match)"
    if not totals["found"]:
        return "No files were found; `deeplens locations list` shows where was looked."
    return "Next: deeplens duplicates"


def _index_sheet(told: IndexSummary) -> Sheet:
    first, *numbers = HEADINGS
    columns = [Column(first), *(Column(name, "right") for name in numbers)]
    return Sheet(columns, told.rows, told.when_empty)
