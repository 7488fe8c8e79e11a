"""The frames of the duplicates of a workspace, read once for whoever shows them.

Takes an open workspace, gives `DuplicatesFrames` and the sentences that belong beside them; must not choose or order.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from deeplens_kit import pipeline
from deeplens_kit.pipeline.standing import STALE
from deeplens_kit.reporting.duplicates_view import DuplicatesFrames
from deeplens_kit.reporting.policy_words import policy_notes
from deeplens_kit.schemas import PAIRS

if TYPE_CHECKING:
    from deeplens_kit.matching import KeepPolicy, Rule
    from deeplens_kit.pipeline import Workspace

__all__ = ["notes_after_runs", "read_duplicates"]

_FACTS = ["digest", "format", "width_px", "height_px", "jpeg_quality"]


def read_duplicates(
    workspace: Workspace, *, rule: Rule | None = None, policy: KeepPolicy | str | Path | None = None
) -> tuple[DuplicatesFrames, list[str]]:
    """Groups, what is withheld and what is related, with all that is shown of them; and what limits the answer.

    Args:
        workspace: An open workspace.
        rule: When a pair is a copy; None for the rule in use.
        policy: Which copy stays, as for `list_groups`; None for the one in use.
    """
    keep = pipeline.chosen_policy(workspace, policy)
    view = pipeline.list_groups(workspace, rule=rule, policy=keep)
    ends = [view.withheld["digest"], view.withheld["keeper_digest"], view.related["digest"]]
    named = pl.concat([view.groups["digest"], *ends, view.related["other_digest"]]).unique()
    named_objects = pl.concat(
        [
            *(view.withheld[name] for name in ("object_id", "keeper_object_id")),
            *(view.related[name] for name in ("object_id", "other_object_id")),
        ]
    ).unique()
    places = (
        workspace.catalog.objects(columns=["object_id", "location_id", "path"])
        .filter(pl.col("object_id").is_in(named_objects.implode()))
        .join(workspace.location_names(), on="location_id", how="left")
    )
    frames = DuplicatesFrames(
        groups=view.groups,
        withheld=view.withheld,
        related=view.related,
        pairs=_pairs_among(workspace, named),
        pictures=workspace.catalog.pictures(digests=named.to_list(), columns=_FACTS),
        places=places.select("object_id", "location", "path"),
        coverage=pipeline.of_active_locations(workspace, pipeline.coverage(workspace)),
        failures=pipeline.of_active_locations(workspace, pipeline.list_failures(workspace)),
    )
    return frames, [*pipeline.caveats(workspace, current=view.current), *policy_notes(keep)]


def notes_after_runs(workspace: Workspace, notes: Collection[str]) -> list[str]:
    """The sentences beside an answer by the rule and policy in use, where only runs have begun or ended since.

    Args:
        workspace: An open workspace.
        notes: Those of then: the pairs are as current as they were.
    """
    keep = pipeline.chosen_policy(workspace, None)
    return [*pipeline.caveats(workspace, current=STALE not in notes), *policy_notes(keep)]


def _pairs_among(workspace: Workspace, digests: pl.Series) -> pl.DataFrame:
    """PAIRS of which both ends are shown, read in parts: among a million pictures most pairs are of strangers."""
    shown = digests.to_frame("digest")
    parts = [
        part.join(shown, left_on="digest_a", right_on="digest", how="semi").join(
            shown, left_on="digest_b", right_on="digest", how="semi"
        )
        for part in workspace.catalog.pair_parts()
    ]
    return pl.concat(parts) if parts else PAIRS.empty()
