"""Locations as a page shows them: the list, and one with its coverage, failures, runs and prices.

Takes an open workspace, gives frozen lines with every text that is shown; must not write, or ask a storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from deeplens_kit import pipeline
from deeplens_kit.errors import DeepLensError, UnknownNameError
from deeplens_kit.pipeline.price_entry import book_currency, price_entry
from deeplens_kit.reporting.coverage_view import CoverageLine, describe_outcomes
from deeplens_kit.reporting.failure_view import FailureReason, describe_failures
from deeplens_kit.reporting.totals import CoverageTotals, add_up_coverage
from deeplens_kit.reporting.words import format_bytes, format_money, format_seconds, plural
from deeplens_kit.storage import KindDescription, describe_kinds, kind_of_url
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.ledger import Location, Run
    from deeplens_kit.pipeline import LocationEstimate, Workspace

__all__ = [
    "LocationDetail",
    "LocationLine",
    "LocationRun",
    "PricesLine",
    "describe_location",
    "describe_locations",
    "estimate_words",
]

_MOST_RUNS = 5


@dataclass(frozen=True, slots=True)
class LocationLine:
    """A location in a list.

    Attributes:
        name: Its name.
        shown: The name as it is shown.
        kind: What it is.
        url: Where it is.
        permissions: What it is opened for.
        active: Whether runs take it in.
        totals: Of the files that were found there.
        failures: Files and folders that could not be analysed.
        indexed_at: When it was indexed last, UTC; None for never.
    """

    name: str
    shown: str
    kind: str
    url: str
    permissions: str
    active: bool
    totals: CoverageTotals
    failures: int
    indexed_at: datetime | None


@dataclass(frozen=True, slots=True)
class LocationRun:
    """A run over a location."""

    started_at: datetime
    state: str
    says: str


@dataclass(frozen=True, slots=True)
class PricesLine:
    """What the price book says of a location.

    Attributes:
        currency: Of the book; empty where there is none.
        own: What its own entry states, by key.
        says: By which entry it is priced, in words.
    """

    currency: str
    own: Mapping[str, str]
    says: str


@dataclass(frozen=True, slots=True)
class LocationDetail:
    """A location with what is known of it.

    Attributes:
        line: As in the list.
        kind: What can be said of its kind.
        options: Those that are set, as texts; lists with a line each. Credentials are references.
        outcomes: What became of its files.
        reasons: Why files could not be analysed.
        runs: The latest first.
        prices: What it costs.
    """

    line: LocationLine
    kind: KindDescription | None
    options: Mapping[str, str]
    outcomes: tuple[CoverageLine, ...]
    reasons: tuple[FailureReason, ...]
    runs: tuple[LocationRun, ...]
    prices: PricesLine


def describe_locations(workspace: Workspace) -> tuple[LocationLine, ...]:
    """Every location by name, those that are left out too."""
    coverage, failures = pipeline.coverage(workspace), workspace.catalog.failures().select("location_id")
    failed = dict(failures.group_by("location_id").len().iter_rows())
    runs = _last_runs(workspace)
    return tuple(
        _line(
            location,
            add_up_coverage(coverage.filter(pl.col("location_id") == location.location_id)),
            int(failed.get(location.location_id, 0)),
            runs.get(location.location_id),
        )
        for location in sorted(workspace.ledger.locations(inactive=True), key=lambda item: item.name)
    )


def describe_location(workspace: Workspace, name: str) -> LocationDetail:
    """A location with what is known of it.

    Raises:
        UnknownNameError: There is none of the name.
    """
    location = workspace.ledger.location(name)
    coverage = pipeline.coverage(workspace).filter(pl.col("location_id") == location.location_id)
    failures = workspace.catalog.failures(location.location_id).with_columns(location=pl.lit(location.name))
    runs = [run for run in workspace.ledger.runs() if run.location_id == location.location_id]
    latest = sorted(runs, key=lambda run: run.started_at, reverse=True)
    ended = next((run.finished_at for run in latest if run.kind == "index" and run.finished_at), None)
    return LocationDetail(
        line=_line(location, add_up_coverage(coverage), failures.height, ended),
        kind=_kind(location.url),
        options={key: _text(value) for key, value in location.options.items()},
        outcomes=describe_outcomes(coverage),
        reasons=describe_failures(failures),
        runs=tuple(LocationRun(run.started_at, str(run.state), _run_words(run)) for run in latest[:_MOST_RUNS]),
        prices=_prices(workspace, name),
    )


def estimate_words(row: LocationEstimate) -> tuple[str, str]:
    """What an index run would read, as a heading, and how long it takes and what it costs, as a text."""
    heading = f"Index {display_path(row.location)}: read {plural(row.to_read, 'file')}, {format_bytes(row.read_bytes)}?"
    if not row.to_read:
        heading = f"Index {display_path(row.location)}? There is nothing to read now"
    parts = [f"{plural(row.found, 'file is', 'files are')} there; of {row.known:,} the content is known."]
    if row.seconds is not None and row.to_read:
        parts.append(f"By earlier runs it takes about {format_seconds(row.seconds)}.")
    elif row.to_read:
        parts.append("How long it takes is not known before the first run.")
    if row.money is not None:
        parts.append(f"Requests and egress cost {format_money(row.money, cost=True)} {row.currency} by the price book.")
    elif row.over_network and row.to_read:
        lacking = f" It lacks {', '.join(row.unstated)}." if row.unstated else ""
        parts.append(f"The price book does not say what that costs.{lacking}")
    return heading, " ".join(parts)


def _line(location: Location, totals: CoverageTotals, failures: int, indexed_at: datetime | None) -> LocationLine:
    kind = _kind(location.url)
    return LocationLine(
        name=location.name,
        shown=display_path(location.name),
        kind="" if kind is None else kind.title,
        url=display_path(location.url),
        permissions=str(location.options.get("permissions", "read")),
        active=location.active,
        totals=totals,
        failures=failures,
        indexed_at=indexed_at,
    )


def _kind(url: str) -> KindDescription | None:
    try:
        scheme = kind_of_url(url)
    except UnknownNameError:
        return None
    return next(kind for kind in describe_kinds() if kind.scheme == scheme)


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "\n".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _last_runs(workspace: Workspace) -> dict[str, datetime]:
    """When each location was indexed last."""
    found: dict[str, datetime] = {}
    for run in workspace.ledger.runs():
        if run.kind == "index" and run.location_id and run.finished_at:
            found[run.location_id] = max(run.finished_at, found.get(run.location_id, run.finished_at))
    return found


def _run_words(run: Run) -> str:
    figures = run.figures
    parts = []
    if "read_files" in figures:
        parts.append(f"{plural(int(figures['read_files']), 'file')} read")
    if figures.get("read_bytes"):
        parts.append(format_bytes(int(figures["read_bytes"])))
    if figures.get("seconds"):
        parts.append(format_seconds(float(figures["seconds"])))
    told = ", ".join(parts)
    return f"{run.kind}: {told}" + (f". {run.message}" if run.message else "") if told else f"{run.kind} {run.message}"


def _prices(workspace: Workspace, name: str) -> PricesLine:
    try:
        book = pipeline.workspace_prices(workspace)
        own, currency = price_entry(workspace, name), book_currency(workspace)
    except DeepLensError as error:
        return PricesLine("", {}, str(error))
    if book is None:
        return PricesLine("", {}, "There is no price book yet: with the first price here one is made.")
    entry = book.entry_of(name)
    if entry is None:
        return PricesLine(currency, own, "The price book says nothing of it, so its savings have no money.")
    says = (
        "It has an entry of its own." if entry == name else f"It is priced by the entry {entry!r}, which holds for all."
    )
    return PricesLine(currency, own, says)
