"""What acting means for the catalog: files that went are no longer there, files that came back are.

Takes an open workspace and steps or files, writes rows of `objects`; must not read a file. The ledger was written
before: whatever goes wrong here, the next `deeplens index` finds it so.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from deeplens_kit.actions import UndoReport
from deeplens_kit.catalog import CatalogBatch
from deeplens_kit.errors import WorkspaceError
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import OBJECTS, ActionKind, Outcome
from deeplens_kit.telemetry import get_logger

__all__ = ["forget_moved", "know_again"]

_log = get_logger(__name__)

_STAYING = (ActionKind.CREATE, ActionKind.STORAGE_CLASS)
_BATCH = 10_000


def forget_moved(workspace: Workspace, frame: pl.DataFrame, done: Collection[int]) -> None:
    """Forget the objects of steps that were done: what is at their paths now is for the next index run.

    Args:
        workspace: An open workspace.
        frame: PLAN_STEPS.
        done: The numbers of the steps.
    """
    gone = frame.filter(pl.col("step").is_in(list(done)) & ~pl.col("action").is_in(list(map(str, _STAYING))))
    ids = gone.select(pl.concat_str("victim_location_id", pl.lit("/"), "victim_path")).to_series().to_list()
    for start in range(0, len(ids), _BATCH):
        workspace.catalog.remove_objects(ids[start : start + _BATCH])


def know_again(workspace: Workspace, report: UndoReport, run_id: str) -> int:
    """Put objects back that are at their places again, and forget those that are gone again; returns how many came.

    Only what was read just before it was moved back, and is in the state in which it came: a row says that its digest
    was read under its token. The rest, and pictures that were swept meanwhile, are left to the next index run.

    Args:
        workspace: An open workspace.
        report: What was undone.
        run_id: The run that did it.
    """
    if report.removed:
        workspace.catalog.remove_objects([f"{file.location_id}/{file.path}" for file in report.removed])
    rows = [
        {
            "object_id": f"{file.location_id}/{file.path}",
            "location_id": file.location_id,
            "path": file.path,
            "size_bytes": state.size_bytes,
            "change_token": state.change_token,
            "modified_at": state.modified_at,
            "link_id": state.link_id,
            "link_count": state.link_count,
            "checksum": state.checksum,
            "storage_class": state.storage_class,
            "digest": digest,
            "identity_basis": "read",
            "outcome": str(Outcome.INDEXED),
            "run_id": run_id,
        }
        for file, digest, state in report.back
    ]
    schema = {column.name: column.dtype for column in OBJECTS.columns}
    objects, came = pl.DataFrame(rows, schema=schema, orient="row"), 0
    for at in range(0, objects.height, _BATCH):
        part = objects.slice(at, _BATCH)
        try:
            # One picture that was swept must not keep the others out.
            digests = part["digest"].unique().to_list()
            known = workspace.catalog.pictures(digests, ["digest"], unreferenced=True)["digest"]
            part = part.filter(pl.col("digest").is_in(known.implode()))
            workspace.catalog.write_batch(CatalogBatch(objects=part))
            came += part.height
        except WorkspaceError as error:
            _log.info("left to the next index run", files=part.height, reason=str(error))
    return came
