"""What the steps of a plan write, by the kind of the plan.

Takes an open workspace, a plan and opened locations, gives the function that tells; must not write anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from deeplens_kit.actions import REFERENCES, ActStep
from deeplens_kit.ledger import PlanRecord
from deeplens_kit.pipeline.metadata_merge import metadata_content
from deeplens_kit.pipeline.references import reference_content
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.storage import LocationKind

__all__ = ["content_of"]


def content_of(
    workspace: Workspace, record: PlanRecord, steps: pl.DataFrame, kinds: Mapping[str, LocationKind]
) -> Callable[[ActStep], bytes | None] | None:
    """What steps write; None for a plan of which none writes.

    Args:
        workspace: An open workspace.
        record: The plan.
        steps: PLAN_STEPS of it.
        kinds: The opened locations, by id.
    """
    if record.kind == REFERENCES:
        return reference_content(record, steps, kinds)
    if record.document.get("choice", {}).get("merge_metadata"):
        return metadata_content(workspace, steps, kinds)
    return None
