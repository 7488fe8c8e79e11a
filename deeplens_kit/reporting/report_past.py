"""Earlier runs of a report: what the history of a report is made of.

Takes a workspace and the id of a run, gives its parameters and the figures of the runs before it; keeps what a report
proposed for the one after it, and must not write anything else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from deeplens_kit.ledger import ReportRunState
from deeplens_kit.reporting.report_lines import HistoryPoint

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace
    from deeplens_kit.reporting.savings_report import SavingsReport

__all__ = ["asked_parameters", "keep_for_the_next", "own_version", "past_points"]

# A year of weeks twice over; more points than that say no more.
_MAX_POINTS = 104


def asked_parameters(workspace: Workspace, report: str, run: str) -> dict[str, str]:
    """The parameters that a run was asked for with.

    Args:
        workspace: An open workspace.
        report: Name of the report.
        run: Id of the run; empty for none.
    """
    found = workspace.ledger.report_run(run) if run else None
    return dict(found.parameters) if found is not None and found.report == report else {}


def past_points(workspace: Workspace, report: str, run: str) -> tuple[HistoryPoint, ...]:
    """Figures of the finished runs of a report with the same parameters, the oldest first.

    Args:
        workspace: An open workspace.
        report: Name of the report.
        run: Id of the run that is being made; empty for none, which had no parameters.
    """
    asked = asked_parameters(workspace, report, run)
    runs = workspace.ledger.report_runs(
        report, states=[ReportRunState.FINISHED], parameters=asked, limit=_MAX_POINTS + 1
    )
    same = [item for item in runs if item.figures and item.run_id != run]
    return tuple(
        HistoryPoint(item.finished_at or item.started_at, item.figures, item.run_id)
        for item in reversed(same[:_MAX_POINTS])
    )


def keep_for_the_next(workspace: Workspace, report: SavingsReport, run: str) -> None:
    """Keep what a report proposes, so that the next one tells what is new and what is gone.

    Args:
        workspace: An open workspace.
        report: The report.
        run: Its run in the ledger; empty for none, which no later report is held against.
    """
    from deeplens_kit.pipeline.proposal_record import keep_proposals

    found = workspace.ledger.report_run(run) if run else None
    if found is not None:
        keep_proposals(workspace, report.members, report.made_at, {"report": found.report, **found.parameters})


def own_version() -> str:
    """The version of DeepLens that makes the report."""
    # The package is loaded, or this would not run; to import it from here would import all that it names.
    return str(sys.modules[__name__.partition(".")[0]].__version__)
