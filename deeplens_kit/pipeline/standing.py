"""How far an answer can be trusted: the last run at each location, and whether the pairs are up to date.

Takes an open workspace, gives runs and sentences; must not count files or draw tables. A run whose process is gone
says "running" in the ledger until the next one; here it is what it was: interrupted.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from deeplens_kit.ledger import Run, RunState
from deeplens_kit.ledger.holder import is_alive
from deeplens_kit.pipeline.findings import list_failures
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage.paths import display_path

__all__ = ["STALE", "caveats", "last_runs", "of_active_locations", "run_caveats"]

STALE = "Files were indexed after the last matching; run `deeplens index` to bring this answer up to date."
"""Of an answer about pairs: they are not those of the files that are indexed now."""

_DEAD = "its process ended without a word"


def last_runs(workspace: Workspace) -> dict[str, Run]:
    """The last index run at each location that had one, by the location's id."""
    return {
        location_id: replace(run, state=RunState.INTERRUPTED, message=_DEAD)
        if run.state == RunState.RUNNING and is_alive(run.holder) is False
        else run
        for location_id, run in workspace.ledger.last_runs("index").items()
    }


def run_caveats(workspace: Workspace) -> list[str]:
    """What the last runs leave open: locations not indexed, not to the end, or with folders that cannot be listed."""
    last = last_runs(workspace)
    if not last:
        return []
    lines = []
    for location in workspace.ledger.locations():
        name, run = display_path(location.name), last.get(location.location_id)
        if run is None:
            lines.append(f"{name} has not been indexed yet; run `deeplens index`.")
        elif run.state == RunState.RUNNING:
            lines.append(f"{name} is being indexed now; figures are those of what is done.")
        elif run.state != RunState.FINISHED:
            why = f": {run.message.rstrip('.')}" if run.message else ""
            how = "failed" if run.state == RunState.FAILED else "was interrupted"
            lines.append(f"The last run at {name} {how}{why}. What it did not reach is as it was before.")
        elif left := run.figures.get("left", 0):
            lines.append(
                f"{left:,} file{'s' * (left != 1)} at {name} {'were' if left != 1 else 'was'} left by a budget."
            )
    failures = of_active_locations(workspace, list_failures(workspace))
    if folders := failures.filter(failures["stage"] == "list").height:
        lines.append(f"{folders:,} folder{'s' * (folders != 1)} could not be listed; what lies beneath is unknown.")
    return lines


def caveats(workspace: Workspace, *, current: bool) -> list[str]:
    """Sentences that belong beside an answer about pairs; none where it is whole and up to date.

    Args:
        workspace: An open workspace.
        current: Whether the pairs are those of the files that are indexed now.
    """
    # Where nothing was ever indexed there is nothing to be behind.
    indexed = bool(workspace.ledger.last_runs("index"))
    return [*([STALE] if indexed and not current else []), *run_caveats(workspace)]


def of_active_locations(workspace: Workspace, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the locations that groups are made of: a share of the analysed must not count what is left out.

    Args:
        workspace: An open workspace.
        rows: With the column location_id.
    """
    active = [location.location_id for location in workspace.ledger.locations()]
    return rows.filter(rows["location_id"].is_in(active))
