"""Forgetting one object: its entry is taken out of the index, and later runs leave it out until somebody asks for it.

Takes an open workspace and the place of an object, changes the catalog and what is kept out; must not touch the file,
nor what is known of other objects that hold the same picture. All traces of a picture are removed by `forgetting`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import polars as pl

from deeplens_kit.actions import covered_by_holds
from deeplens_kit.catalog import CatalogBatch
from deeplens_kit.decode import THUMBNAIL_SIDES_PX
from deeplens_kit.errors import ObjectKeptOutError, SettingsError, UnknownNameError
from deeplens_kit.ledger.holder import current_person
from deeplens_kit.pipeline.act_ground import leased
from deeplens_kit.pipeline.kept_out import KeptOutEntry, add_kept_out, kept_out_error, load_kept_out, remove_kept_out
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import FAILURES, METADATA, OBJECTS, PICTURES, Outcome

__all__ = ["drop_object", "let_in", "let_in_object"]


def drop_object(workspace: Workspace, location_id: str, path: str, why: str = "") -> KeptOutEntry:
    """Forget an object, and have later runs leave it out while it holds what it holds now.

    Args:
        workspace: An open workspace.
        location_id: Where it lies.
        path: Encoded.
        why: The reason, for the audit trail.

    Raises:
        UnknownNameError: There is no such object.
        SettingsError: It was never read, so nobody knows what to keep out; or a legal hold covers it.
        LeaseHeldError: A run works at its location.
    """
    object_id = f"{location_id}/{path}"
    with leased(workspace, "forget", [location_id]) as leases:
        row = workspace.catalog.object_at(location_id, path)
        if row is None or row["outcome"] == Outcome.KEPT_OUT:
            raise UnknownNameError("object", object_id, (), advice="it is not in the index.")
        digest = row["digest"]
        if digest is None:
            raise SettingsError(
                f"{path!r} was never read, so nobody knows what it holds; remove the file, and the next scan forgets "
                "it."
            )
        _require_free(workspace, location_id, path, digest)
        # First: ended in between, it does not come back before somebody goes on.
        entry = add_kept_out(workspace.directory, digest, current_person(), object_id=object_id)
        workspace.ledger.record_audit(
            "object.forgotten",
            {"location_id": location_id, "path": path, "entry_id": entry.entry_id, "why": why.strip()},
        )
        leases.check()
        workspace.catalog.write_batch(_kept_out_batch(workspace, row, leases.run_id))
        if workspace.catalog.objects_of([digest], ["object_id"]).is_empty():
            # Nothing leads to the picture any more; its rows go with the next run at any location.
            for side in THUMBNAIL_SIDES_PX:
                with contextlib.suppress(OSError):
                    workspace.thumbnails.path(digest, side).unlink(missing_ok=True)
    return entry


def let_in(workspace: Workspace, locations: Collection[str] = ()) -> int:
    """Let objects in again that were forgotten one by one; the next run at their locations takes them up.

    Args:
        workspace: An open workspace.
        locations: Names; empty for all.

    Returns:
        How many there were.
    """
    ids = {item.location_id for item in workspace.ledger.locations(inactive=True) if item.name in locations}
    found = [
        entry
        for entry in load_kept_out(workspace.directory).entries
        if entry.location_id and (not locations or entry.location_id in ids)
    ]
    if found:
        remove_kept_out(workspace.directory, *found)
        workspace.ledger.record_audit("object.let_in", {"entries": len(found), "locations": sorted(locations)})
    return len(found)


def let_in_object(workspace: Workspace, object_id: str, digest: str) -> None:
    """Let an object in again with a content: somebody has put it there anew."""
    kept = load_kept_out(workspace.directory)
    mark = kept.mark(digest, object_id) if kept.entries else ""
    found = [entry for entry in kept.entries if entry.mark == mark]
    if found:
        remove_kept_out(workspace.directory, *found)
        workspace.ledger.record_audit("object.let_in", {"entries": 1, "entry_id": found[0].entry_id})


def _require_free(workspace: Workspace, location_id: str, path: str, digest: str) -> None:
    """Refuse where a legal hold covers the object."""
    collections: dict[str, set[str]] = {}
    for note in workspace.ledger.notes([digest]):
        collections.setdefault(note.collection or "", set()).add(digest)
    place = pl.DataFrame({"location_id": [location_id], "path": [path], "digest": [digest]})
    for hold in workspace.ledger.holds():
        if covered_by_holds(place, [hold], collections).any():
            raise SettingsError(
                f"{path!r} is under hold {hold.hold_id}, so it was not forgotten; whoever may can release the hold."
            )


def _kept_out_batch(workspace: Workspace, row: dict[str, Any], run_id: str) -> CatalogBatch:
    """The object as a run would count it from now on: kept out, with no word of what it holds."""
    version = load_kept_out(workspace.directory).version
    kept = {
        **row,
        "digest": None,
        "identity_basis": None,
        # What a storage lists may be the very digest.
        "checksum": None,
        "outcome": Outcome.KEPT_OUT.value,
        "run_id": run_id,
    }
    failure = {
        **{name: kept[name] for name in ("object_id", "location_id", "path", "size_bytes", "digest", "run_id")},
        "stage": "read",
        "decode_spec": version,
        "code": ObjectKeptOutError.code,
        "message": str(kept_out_error()),
        "failed_at": datetime.now(UTC),
    }
    return CatalogBatch(
        objects=pl.DataFrame([kept], schema=OBJECTS.polars),
        pictures=PICTURES.empty(),
        metadata=METADATA.empty(),
        failures=pl.DataFrame([failure], schema=FAILURES.polars),
        cleared_failures=[],
        vectors={},
    )
