"""What changed since an earlier report: objects that are proposed now and were not then, and those that are no more.

Takes an open workspace, groups, and when the earlier report was made; gives frames, and sums of what applied plans did
since. Must not read an object. What is compared is what was proposed then, as it was kept, with what is proposed now:
a file that moved is gone at one place and new at another.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from deeplens_kit.ledger.saved_sums import SavedSums
from deeplens_kit.pipeline.owners import owners_of, workspace_owners
from deeplens_kit.pipeline.proposal_record import PROPOSED, kept_proposals
from deeplens_kit.pipeline.report_breakdowns import place_name
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.savings.folders import folder_of

__all__ = ["GONE_REASONS", "ProposalChange", "change_since"]

GONE_REASONS = ("moved", "missing", "keeper", "other")
"""Why an object is proposed no more: an applied plan took it, nothing lies at its place, it stays for others now, or a
decision, a rule or a match is another one. The first that fits counts."""


@dataclass(frozen=True, slots=True)
class ProposalChange:
    """What changed since an earlier report.

    Attributes:
        new: Columns object_id, location, path, frees_bytes, owner, folder ("location:path/" of the file's own folder);
            None where the earlier report left no list of what it proposed.
        gone: Columns object_id, location, path, frees_bytes (then), reason (of GONE_REASONS); None as for `new`.
        since: What applied plans did between the two reports.
        ever: What they did in all, up to this report.
    """

    new: pl.DataFrame | None
    gone: pl.DataFrame | None
    since: SavedSums
    ever: SavedSums


def change_since(workspace: Workspace, groups: pl.DataFrame, then: datetime, now: datetime) -> ProposalChange:
    """What changed.

    Args:
        workspace: An open workspace.
        groups: GROUPS with `location`, as they are now.
        then: When the numbers of the earlier report were read, with a zone.
        now: When these were.
    """
    sums = (workspace.ledger.saved_between(start, now) for start in (then, None))
    since, ever = sums
    before = kept_proposals(workspace, then)
    if before is None:
        return ProposalChange(None, None, since, ever)
    members = groups.filter(~pl.col("is_keeper")).unique("object_id", keep="first", maintain_order=True)
    new = members.select(PROPOSED.names()).join(before, on="object_id", how="anti")
    gone = before.join(members, on="object_id", how="anti")
    return ProposalChange(_placed(workspace, new), _reasoned(workspace, gone, groups, then), since, ever)


def _placed(workspace: Workspace, new: pl.DataFrame) -> pl.DataFrame:
    place = new.with_columns(folder_of().alias("in")).with_columns(folder=place_name("location", "in"))
    owned = place.with_columns(owners_of(place, workspace_owners(workspace)))
    return owned.select("object_id", "location", "path", "frees_bytes", "owner", "folder")


def _reasoned(workspace: Workspace, gone: pl.DataFrame, groups: pl.DataFrame, then: datetime) -> pl.DataFrame:
    taken = [f"{location_id}/{path}" for location_id, path in workspace.ledger.moved_away_since(then)]
    there = (
        workspace.catalog.objects(columns=["object_id"])["object_id"] if gone.height else pl.Series([], dtype=pl.String)
    )
    keepers = groups.filter("is_keeper")["object_id"]
    moved, missing, keeper, other = GONE_REASONS
    marks = {
        moved: pl.col("object_id").is_in(pl.Series(taken, dtype=pl.String).implode()),
        missing: ~pl.col("object_id").is_in(there.implode()),
        keeper: pl.col("object_id").is_in(keepers.implode()),
    }
    reason = pl.lit(other)
    for name in (keeper, missing, moved):
        reason = pl.when(marks[name]).then(pl.lit(name)).otherwise(reason)
    return gone.select("object_id", "location", "path", "frees_bytes", reason=reason)
