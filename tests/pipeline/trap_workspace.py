"""What the product says of a folder of files: who would be removed for whom, and which pairs it reports."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from deeplens_kit.pipeline import Workspace, index, list_groups, list_pairs

_WRITTEN_FROM = 1_600_000_000.0
_STEP_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Removal:
    """What stays for a file that is proposed, and on which grounds."""

    keeper: str
    tier: str
    relation: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        removed: Each file that is proposed for removal.
        pairs: Tier and relation of each pair of files that is reported.
        workspace: Folder of the workspace.
    """

    removed: dict[str, Removal]
    pairs: dict[frozenset[str], tuple[str, str]]
    workspace: Path

    @property
    def keepers(self) -> dict[str, str]:
        """Each file that is proposed, with what stays for it."""
        return {path: removal.keeper for path, removal in self.removed.items()}

    def relation(self, first: str, second: str) -> str:
        """Relation of a pair that has to be reported."""
        return self.pairs[frozenset((first, second))][1]

    def widened(self, include: Collection[str]) -> dict[str, Removal]:
        """What would be removed where these relations are wanted too."""
        with Workspace.open(self.workspace) as workspace:
            return _removals(workspace, include)


def found_in(folder: Path, files: Mapping[str, bytes], *, share: Mapping[str, bytes] | None = None) -> Found:
    """Write files, index them and say what is found.

    Args:
        folder: An empty folder.
        files: Content by path, the oldest first: each is modified an hour after the one before.
        share: Files of a second location `share`, newer than all others; their names start with "share:".
    """
    at = _WRITTEN_FROM
    with Workspace.create(folder / "workspace") as workspace:
        for location, contents in (("pics", files), ("share", share or {})):
            for path, content in contents.items():
                file = folder / location / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                at += _STEP_SECONDS
                os.utime(file, (at, at))
            if contents:
                workspace.ledger.add_location(location, str(folder / location), {})
        reports = index(workspace)
        assert all(report.new == report.found for report in reports), "a new workspace"
        listed = list_pairs(workspace)
        pairs = {
            frozenset((_name(place_a, path_a), _name(place_b, path_b))): (tier, relation)
            for place_a, path_a, place_b, path_b, tier, relation in listed.select(
                "location_a", "path_a", "location_b", "path_b", "tier", "relation"
            ).iter_rows()
        }
        return Found(_removals(workspace, ()), pairs, folder / "workspace")


def _removals(workspace: Workspace, include: Collection[str]) -> dict[str, Removal]:
    groups = (list_groups(workspace, include=include) if include else list_groups(workspace)).groups
    keepers = {
        group: _name(place, path)
        for group, place, path in groups.filter("is_keeper").select("group_id", "location", "path").iter_rows()
    }
    members = groups.filter(~groups["is_keeper"]).select("group_id", "location", "path", "tier", "relation")
    return {
        _name(place, path): Removal(keepers[group], tier, relation)
        for group, place, path, tier, relation in members.iter_rows()
    }


def _name(location: str, path: str) -> str:
    return path if location == "pics" else f"{location}:{path}"
