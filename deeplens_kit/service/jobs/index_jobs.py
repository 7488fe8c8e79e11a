"""Jobs that index locations or add features to what is known.

Takes parameters and an open workspace, gives figures; must not read files itself. What was read before a kill is in the
catalog, and the next try goes on behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from deeplens_kit.pipeline import IndexReport, MatchReport, Workspace, index
from deeplens_kit.pipeline.dropping import let_in
from deeplens_kit.pipeline.extracting import extract_features
from deeplens_kit.service.jobs.parameters import Parameters
from deeplens_kit.service.jobs.running import JobRun

__all__ = ["ExtractParameters", "IndexParameters", "parse_extract", "parse_index", "run_extract", "run_index"]


@dataclass(frozen=True, slots=True)
class IndexParameters:
    """What a job of kind "index" is told.

    Attributes:
        locations: Names; empty for all that are active.
        retry_failed: Read files again that failed: all, or those that failed with one of these codes.
        accept_gone: Take a location at its word that lists nothing of what it held.
        and_match: Find pairs afterwards.
        workers: Threads; None for the setting.
        let_in: Take up again what was forgotten object by object.
    """

    locations: tuple[str, ...] = ()
    retry_failed: bool | tuple[str, ...] = False
    accept_gone: bool = False
    and_match: bool = True
    workers: int | None = None
    let_in: bool = False


def parse_index(parameters: Mapping[str, Any]) -> IndexParameters:
    """Check the parameters of a job of kind "index"."""
    known = ("locations", "retry_failed", "accept_gone", "and_match", "workers", "let_in")
    given = Parameters("index", parameters, known)
    codes = isinstance(parameters.get("retry_failed"), list)
    return IndexParameters(
        locations=given.texts("locations"),
        retry_failed=given.texts("retry_failed") if codes else given.flag("retry_failed"),
        accept_gone=given.flag("accept_gone"),
        and_match=given.flag("and_match", True),
        workers=given.number("workers"),
        let_in=given.flag("let_in"),
    )


def run_index(workspace: Workspace, value: IndexParameters, run: JobRun) -> dict[str, Any]:
    """Index; gives what came of each location, and of matching."""
    if value.let_in:
        let_in(workspace, value.locations)
    matched: list[MatchReport] = []
    reports = index(
        workspace,
        value.locations or None,
        workers=value.workers,
        progress=run.progress,
        stop=run.stop,
        and_match=value.and_match,
        accept_gone=value.accept_gone,
        retry_failed=value.retry_failed,
        matched=matched.append,
    )
    return {
        "locations": [_figures(report) for report in reports],
        "matched": asdict(matched[0]) if matched else None,
    }


@dataclass(frozen=True, slots=True)
class ExtractParameters:
    """What a job of kind "extract" is told.

    Attributes:
        locations: Names; empty for all that are active.
        workers: Threads; None for the setting.
        digests: These pictures alone; empty for all.
    """

    locations: tuple[str, ...] = ()
    workers: int | None = None
    digests: tuple[str, ...] = ()


def parse_extract(parameters: Mapping[str, Any]) -> ExtractParameters:
    """Check the parameters of a job of kind "extract"."""
    given = Parameters("extract", parameters, ("locations", "workers", "digests"))
    return ExtractParameters(given.texts("locations"), given.number("workers"), given.texts("digests"))


def run_extract(workspace: Workspace, value: ExtractParameters, run: JobRun) -> dict[str, Any]:
    """Compute the features that known pictures lack: an index run does, and leaves the pairs alone."""
    if value.digests:
        return extract_features(workspace, value.digests, value.locations, progress=run.progress, stop=run.stop)
    reports = index(
        workspace,
        value.locations or None,
        workers=value.workers,
        progress=run.progress,
        stop=run.stop,
        and_match=False,
    )
    return {"locations": [_figures(report) for report in reports]}


def _figures(report: IndexReport) -> dict[str, Any]:
    return {**asdict(report), "skipped": dict(report.skipped), "missing_features": dict(report.missing_features)}
