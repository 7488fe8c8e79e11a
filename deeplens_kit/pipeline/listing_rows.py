"""What a listing alone changes in the catalog: hard links, storage classes, and folders that cannot be listed.

Takes the result of a scan, writes rows; must not read a file.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from deeplens_kit.catalog import CatalogBatch
from deeplens_kit.ledger import Location
from deeplens_kit.pipeline.scan import TOLD_COLUMNS, ScanResult
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import FAILURES, OBJECTS, PICTURES, Outcome

__all__ = ["record_problems", "relink"]


def relink(workspace: Workspace, location: Location, found: ScanResult, run_id: str) -> None:
    """Objects of which the listing tells something new get their rows anew; their content stays, so none is read."""
    if found.relinked.is_empty():
        return
    told = found.relinked.select("path", *TOLD_COLUMNS)
    rows = workspace.catalog.objects(location.location_id).drop(TOLD_COLUMNS).join(told, on="path")
    shown = pl.when(pl.col("outcome") != Outcome.KEPT_OUT).then(pl.col("checksum"))
    objects = OBJECTS.check(rows.with_columns(run_id=pl.lit(run_id), checksum=shown).select(OBJECTS.names))
    workspace.catalog.write_batch(CatalogBatch(objects, PICTURES.empty(), FAILURES.empty(), [], {}))


def record_problems(workspace: Workspace, location: Location, found: ScanResult, run_id: str) -> None:
    """Folders that cannot be listed are rows in `failures`, until they can."""
    now = datetime.now(UTC)
    rows = [
        {
            # With '/' at the end also where it is a file: its object may have a failure of its own.
            "object_id": f"{location.location_id}/{problem.path.rstrip('/')}/",
            "location_id": location.location_id,
            "path": problem.path,
            "size_bytes": None,
            "digest": None,
            "stage": "list",
            "decode_spec": None,
            "code": problem.code,
            "message": problem.message,
            "failed_at": now,
            "run_id": run_id,
        }
        for problem in found.problems
    ]
    before = workspace.catalog.failures(location.location_id).filter(pl.col("stage") == "list")["object_id"]
    cleared = sorted(set(before) - {str(row["object_id"]) for row in rows})
    if rows or cleared:
        failures = pl.DataFrame(rows, schema=FAILURES.polars)
        workspace.catalog.write_batch(CatalogBatch(OBJECTS.empty(), PICTURES.empty(), failures, cleared, {}))
