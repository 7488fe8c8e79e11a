"""The stages of images told in the ledger, whole although the catalog is another store.

Takes what a run is about to write to the catalog and tells of it once it is there. Before the write the ledger notes
what will be true; after it one transaction tells of that and strikes the note. A run that is killed in between leaves
its note, and the next run at the location asks the catalog how much of it became true. So each stage is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeAlias

import polars as pl

from deeplens_kit.ledger import ImageStage, Location
from deeplens_kit.pipeline.workspace import Workspace

__all__ = ["GONE", "Telling", "no_telling", "settle_told", "telling"]

Telling: TypeAlias = Callable[[Sequence[ImageStage]], AbstractContextManager[None]]
"""Around a write to the catalog: what it makes true of some images."""

GONE = "gone"


def no_telling(_stages: Sequence[ImageStage]) -> AbstractContextManager[None]:
    """Nobody is told."""
    return nullcontext()


def telling(workspace: Workspace, location: Location, run_id: str) -> Telling:
    """How a run at a location tells of what it writes; not at all where stages are not kept."""
    if not workspace.settings.jobs.events_kept_days:
        return no_telling
    ledger = workspace.ledger

    @contextmanager
    def tell(stages: Sequence[ImageStage]) -> Iterator[None]:
        if not stages:
            yield
            return
        ledger.intend_stages(run_id, location.location_id, stages)
        yield
        ledger.tell_intended(run_id)

    return tell


def settle_told(workspace: Workspace, location: Location) -> None:
    """Tell of what runs at a location wrote that ended before they could; forget what is older than is kept.

    To be called under the lease of the location.
    """
    ledger, catalog = workspace.ledger, workspace.catalog
    ledger.prune_job_events(workspace.settings.jobs.events_kept_days)
    notes = ledger.intended_stages(location.location_id)
    if not notes:
        return
    rows = catalog.objects(location.location_id, columns=["object_id", "run_id"])
    there = set(rows["object_id"])
    for note in notes:
        written = set(rows.filter(pl.col("run_id") == note.run_id)["object_id"])
        true = {
            item.image_id
            for item in note.stages
            if (item.image_id not in there if item.stage == GONE else item.image_id in written)
        }
        ledger.tell_intended(note.run_id, true)
