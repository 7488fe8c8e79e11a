"""The workspace in figures.

Takes nothing, gives counts and bytes; must not compute what the findings do not have.
"""

from __future__ import annotations

import polars as pl
from fastapi import APIRouter

from deeplens_kit.ledger import Scope
from deeplens_kit.schemas import Outcome
from deeplens_kit.service.access.dependencies import needs
from deeplens_kit.service.api.values.overview import (
    DuplicateFigures,
    FormatFigures,
    LocationFigures,
    OutcomeFigures,
    OverviewAnswer,
)
from deeplens_kit.service.context import Held, Service
from deeplens_kit.service.problems import PROBLEMS

__all__ = ["router"]

router = APIRouter(prefix="/api/v1/stats", tags=["workspace"])


@router.get(
    "/overview",
    summary="Show the workspace in figures",
    dependencies=[needs(Scope.SEARCH_READ)],
    responses=PROBLEMS(401, 403, 429, 503),
)
def overview(held: Held) -> OverviewAnswer:
    """Show how many images there are and where, what became of them, and what their copies come to."""
    findings = held.desk.findings()
    coverage, totals, analysed = findings.frames.coverage, findings.totals, findings.coverage
    outcomes = coverage.group_by("outcome").agg(pl.col("objects").sum(), pl.col("bytes").sum()).sort("outcome")
    jobs = held.workspace.ledger.job_counts()
    return OverviewAnswer(
        total_images=analysed.objects,
        indexed_images=analysed.analysed_objects,
        total_pictures=held.desk.searcher.count(),
        total_bytes=analysed.bytes,
        coverage=analysed.share,
        storage_locations=_locations(held, coverage),
        outcomes=[
            OutcomeFigures(status=status, images=images, total_bytes=size)
            for status, images, size in outcomes.iter_rows()
        ],
        formats=[
            FormatFigures(storage_location=location, format=kind, pictures=pictures)
            for location, kind, pictures in held.desk.searcher.facets().iter_rows()
        ],
        duplicates=DuplicateFigures(
            groups=totals.groups,
            removable_images=totals.objects,
            gross_bytes=totals.gross_bytes,
            reclaimable_bytes=totals.realisable_bytes,
        ),
        jobs={str(state): count for state, count in jobs.items()},
        notes=list(findings.notes),
    )


def _locations(held: Service, coverage: pl.DataFrame) -> list[LocationFigures]:
    ledger = held.workspace.ledger
    runs = ledger.last_runs("index")
    found = []
    for location in ledger.locations():
        rows = coverage.filter(pl.col("location_id") == location.location_id)
        latest = runs.get(location.location_id)
        found.append(
            LocationFigures(
                storage_location=location.name,
                images=int(rows["objects"].sum()),
                indexed=int(rows.filter(pl.col("outcome") == Outcome.INDEXED)["objects"].sum()),
                total_bytes=int(rows["bytes"].sum()),
                last_run_at=latest.started_at if latest is not None else None,
                last_run_status=str(latest.state) if latest is not None else None,
            )
        )
    return found
