"""The answer to `deeplens index --estimate`; takes estimates, gives a table and sentences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from deeplens_kit.cli.answers import Answer, give
from deeplens_kit.cli.invocation import invocation, opened
from deeplens_kit.cli.location_commands import no_active_location
from deeplens_kit.cli.stopping import stop_on_signals
from deeplens_kit.cli.tables import Column, Sheet, shown
from deeplens_kit.errors import LocationUnavailableError
from deeplens_kit.reporting.estimates import estimates_frame
from deeplens_kit.reporting.words import format_bytes, format_count, format_money, format_seconds, plural
from deeplens_kit.views.index_progress import progress_listener

if TYPE_CHECKING:
    from deeplens_kit.pipeline import LocationEstimate

__all__ = ["estimate_only"]


def estimate_only(
    context: typer.Context, names: list[str] | None, *, retry_failed: bool, as_json: bool, csv: Path | None
) -> None:
    """Say what an index run over locations would read; nothing is read and nothing written."""
    with opened(context, csv) as workspace, stop_on_signals() as stop:
        from deeplens_kit import pipeline

        with progress_listener(quiet=as_json or invocation(context).json_logs) as listener:
            rows = pipeline.estimate(workspace, names or None, retry_failed=retry_failed, progress=listener, stop=stop)
        empty = no_active_location(workspace)
    summary = {
        "to_read": sum(row.to_read for row in rows),
        "read_bytes": sum(row.read_bytes for row in rows),
        "network_bytes": sum(row.read_bytes for row in rows if row.over_network),
    }
    give(
        Answer("index", estimates_frame(rows), lambda: _sheet(rows, empty), summary, _closing(rows)),
        as_json=as_json,
        csv=csv,
    )
    bad = [row.location for row in rows if row.problem]
    if bad:
        raise LocationUnavailableError(
            bad[0], f"{len(bad)} of {len(rows)} locations cannot be listed: {', '.join(bad)}."
        )


def _sheet(rows: list[LocationEstimate], empty: str) -> Sheet:
    headings = ("found", "known", "to read", "bytes", "time", "cost")
    lines = []
    for row in rows:
        if row.problem:
            lines.append((shown(row.location), "cannot be listed", *[""] * 5))
            continue
        lines.append(
            (
                shown(row.location),
                *(format_count(count) for count in (row.found, row.known, row.to_read)),
                format_bytes(row.read_bytes),
                "unknown" if row.seconds is None else format_seconds(row.seconds),
                "unknown"
                if row.money is None or row.currency is None
                else f"{format_money(row.money, cost=True)} {row.currency}",
            )
        )
    return Sheet([Column("location"), *(Column(name, "right") for name in headings)], lines, empty)


def _closing(rows: list[LocationEstimate]) -> list[str]:
    lines = [f"{shown(row.location)}: {row.problem}" for row in rows if row.problem]
    if any(row.seconds is None for row in rows):
        lines.append("Time is told once a run has read from a location.")
    for row in rows:
        if row.unstated:
            lines.append(f"{shown(row.location)}: the price book does not state {', '.join(row.unstated)}.")
    if any(row.over_network and row.money is None and not row.unstated and not row.problem for row in rows):
        lines.append("Costs need a price book: deeplens prices example")
    over = sum(row.read_bytes for row in rows if row.over_network)
    to_read = sum(row.to_read for row in rows)
    lines.append(
        f"{plural(to_read, 'file')} would be read, {format_bytes(over)} of them over networks; nothing was read. "
        "Pictures that are then compared closely are read once more."
    )
    return lines
