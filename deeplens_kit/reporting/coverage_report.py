"""What the coverage report says, as frozen values: how much was analysed, what was not, and why.

Takes an open workspace, gives a report with every number and text that it shows; must not make HTML or open a picture.
Every file that was found is in exactly one line of each table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit.errors import SettingsError
from deeplens_kit.reporting.coverage_view import CoverageLine, ReasonLine, describe_outcomes, describe_reasons
from deeplens_kit.reporting.report_lines import HistoryPoint
from deeplens_kit.reporting.report_past import own_version, past_points
from deeplens_kit.reporting.savings_report import RunLine
from deeplens_kit.reporting.totals import CoverageTotals, add_up_coverage
from deeplens_kit.reporting.words import problem_words
from deeplens_kit.storage.paths import display_path

if TYPE_CHECKING:
    from deeplens_kit.pipeline import Workspace

__all__ = ["CoverageReport", "LocationLine", "MissedLine", "coverage_figures", "report_coverage"]

# Inclusive; a table of more is a file, and one lies beside the page.
_MOST_FILES = 1000


@dataclass(frozen=True, slots=True)
class LocationLine:
    """How much of a location was analysed."""

    name: str
    totals: CoverageTotals

    @property
    def share(self) -> float:
        """Of its files, 0..1; 1 where there are none."""
        return self.totals.analysed_objects / self.totals.objects if self.totals.objects else 1.0


@dataclass(frozen=True, slots=True)
class MissedLine:
    """A file that was not analysed; `bytes` is None where its size is not known."""

    location: str
    path: str
    reason: str
    bytes: int | None


@dataclass(frozen=True, slots=True)
class CoverageReport:
    """Everything that the report says.

    Attributes:
        workspace: What to call it.
        made_at: When the numbers were read, with a zone.
        version: Of DeepLens.
        notes: Sentences on what the numbers leave open.
        coverage: How much of what was found was analysed.
        outcomes: What became of every file.
        by_location: The least analysed first.
        reasons: Why files were not analysed.
        largest: The largest files that were not analysed.
        missed_in_all: How many there are.
        runs: The last index run at each location, the oldest first.
        history: Figures of earlier reports, the oldest first.
        rows: Exact: location, outcome, code, objects, bytes.
        failures: Exact: location, path, size_bytes, stage, code, message of every file that was not analysed.
    """

    workspace: str
    made_at: datetime
    version: str
    notes: tuple[str, ...]
    coverage: CoverageTotals
    outcomes: tuple[CoverageLine, ...]
    by_location: tuple[LocationLine, ...]
    reasons: tuple[ReasonLine, ...]
    largest: tuple[MissedLine, ...]
    missed_in_all: int
    runs: tuple[RunLine, ...]
    history: tuple[HistoryPoint, ...] = ()
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    failures: pl.DataFrame = field(default_factory=pl.DataFrame)


def report_coverage(workspace: Workspace, *, max_files: int = 25, run: str = "") -> CoverageReport:
    """The coverage of a workspace as it is now, described.

    Args:
        workspace: An open workspace.
        max_files: Files that were not analysed and are shown by name, 0..1,000.
        run: The report's run in the ledger, which is no part of its history; empty for none.

    Raises:
        SettingsError: `max_files` is out of its range.
    """
    from deeplens_kit.pipeline import coverage, list_failures, of_active_locations
    from deeplens_kit.pipeline.standing import run_caveats

    if not 0 <= max_files <= _MOST_FILES:
        raise SettingsError(f"max_files is {max_files}; it must be from 0 to {_MOST_FILES:,}.")
    found = of_active_locations(workspace, coverage(workspace))
    failures = of_active_locations(workspace, list_failures(workspace))
    files = failures.filter(pl.col("stage") != "list").sort(
        "size_bytes", "location", "path", descending=[True, False, False], nulls_last=True
    )
    return CoverageReport(
        workspace=display_path(workspace.directory.name),
        made_at=datetime.now().astimezone(),
        version=own_version(),
        notes=tuple(run_caveats(workspace)),
        coverage=add_up_coverage(found),
        outcomes=describe_outcomes(found),
        by_location=_locations(found),
        reasons=describe_reasons(found, failures),
        largest=_missed(files.head(max_files)),
        missed_in_all=files.height,
        runs=_runs(workspace),
        history=past_points(workspace, "coverage", run),
        rows=found.select("location", "outcome", "code", "objects", "bytes").sort("location", "outcome", "code"),
        failures=failures.select("location", "path", "size_bytes", "stage", "code", "message").sort("location", "path"),
    )  # fmt: skip


def coverage_figures(report: CoverageReport) -> dict[str, object]:
    """The exact numbers that the history of reports keeps."""
    return {
        "found_objects": report.coverage.objects,
        "found_bytes": report.coverage.bytes,
        "analysed_objects": report.coverage.analysed_objects,
        "analysed_bytes": report.coverage.analysed_bytes,
        "by_outcome": {line.outcome: line.objects for line in report.outcomes},
        "made_at": report.made_at.isoformat(),
    }


def _missed(files: pl.DataFrame) -> tuple[MissedLine, ...]:
    return tuple(
        MissedLine(
            display_path(row["location"]), display_path(row["path"]), problem_words(row["code"]), row["size_bytes"]
        )
        for row in files.iter_rows(named=True)
    )


def _locations(found: pl.DataFrame) -> tuple[LocationLine, ...]:
    parts = found.partition_by("location", as_dict=True).items()
    lines = [LocationLine(display_path(str(key[0])), add_up_coverage(part)) for key, part in parts]
    return tuple(sorted(lines, key=lambda line: (line.share, line.name)))


def _runs(workspace: Workspace) -> tuple[RunLine, ...]:
    from deeplens_kit.pipeline import last_runs

    names = {item.location_id: item.name for item in workspace.ledger.locations()}
    last = {key: run for key, run in last_runs(workspace).items() if key in names}
    return tuple(
        RunLine(run.kind, display_path(names[key]), run.run_id, str(run.state), run.finished_at)
        for key, run in sorted(last.items(), key=lambda item: item[1].started_at)
    )
