"""From locations to findings: the one stage that opens the stores and hands frames to the others.

Takes a workspace folder and settings, gives reports and frames; must not move, change or remove a user's file. The
names below load their modules when they are first used, so that `--help` need not wait for the stores' libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.pipeline.compare import Comparison, ScoreLine, compare_files
    from deeplens_kit.pipeline.converting import Conversion, convert_files
    from deeplens_kit.pipeline.describing import FileMetadata, file_metadata
    from deeplens_kit.pipeline.explaining import Explanation, explain
    from deeplens_kit.pipeline.findings import (
        GroupsView,
        coverage,
        list_failures,
        list_groups,
        list_objects,
        list_pairs,
        summarise_savings,
    )
    from deeplens_kit.pipeline.graph import MatchReport, is_current, match
    from deeplens_kit.pipeline.indexing import index
    from deeplens_kit.pipeline.location_run import IndexReport
    from deeplens_kit.pipeline.locations import add_location, list_locations
    from deeplens_kit.pipeline.mapping import PictureMap, map_pictures
    from deeplens_kit.pipeline.picture_list import list_pictures
    from deeplens_kit.pipeline.previews import thumbnail
    from deeplens_kit.pipeline.progress import ProgressListener, ProgressSnapshot
    from deeplens_kit.pipeline.searching import SearchAnswer, Searcher
    from deeplens_kit.pipeline.standing import caveats, last_runs, of_active_locations, run_caveats
    from deeplens_kit.pipeline.thresholds import ThresholdLab, ThresholdOutcome
    from deeplens_kit.pipeline.throttle import Throttle
    from deeplens_kit.pipeline.workspace import UpgradeReport, Workspace, check_locations

__all__ = [
    "Comparison",
    "Conversion",
    "Explanation",
    "FileMetadata",
    "GroupsView",
    "IndexReport",
    "MatchReport",
    "PictureMap",
    "ProgressListener",
    "ProgressSnapshot",
    "ScoreLine",
    "SearchAnswer",
    "Searcher",
    "ThresholdLab",
    "ThresholdOutcome",
    "Throttle",
    "UpgradeReport",
    "Workspace",
    "add_location",
    "caveats",
    "check_locations",
    "compare_files",
    "convert_files",
    "coverage",
    "explain",
    "file_metadata",
    "index",
    "is_current",
    "last_runs",
    "list_failures",
    "list_groups",
    "list_locations",
    "list_objects",
    "list_pairs",
    "list_pictures",
    "map_pictures",
    "match",
    "of_active_locations",
    "run_caveats",
    "summarise_savings",
    "thumbnail",
]

_HOMES = {
    "Comparison": "compare",
    "Conversion": "converting",
    "Explanation": "explaining",
    "FileMetadata": "describing",
    "GroupsView": "findings",
    "IndexReport": "location_run",
    "MatchReport": "graph",
    "PictureMap": "mapping",
    "ProgressListener": "progress",
    "ProgressSnapshot": "progress",
    "ScoreLine": "compare",
    "SearchAnswer": "searching",
    "Searcher": "searching",
    "ThresholdLab": "thresholds",
    "ThresholdOutcome": "thresholds",
    "Throttle": "throttle",
    "UpgradeReport": "workspace",
    "Workspace": "workspace",
    "add_location": "locations",
    "caveats": "standing",
    "check_locations": "workspace",
    "compare_files": "compare",
    "convert_files": "converting",
    "coverage": "findings",
    "explain": "explaining",
    "file_metadata": "describing",
    "index": "indexing",
    "is_current": "graph",
    "last_runs": "standing",
    "list_failures": "findings",
    "list_groups": "findings",
    "list_locations": "locations",
    "list_objects": "findings",
    "list_pairs": "findings",
    "list_pictures": "picture_list",
    "map_pictures": "mapping",
    "match": "graph",
    "of_active_locations": "standing",
    "run_caveats": "standing",
    "summarise_savings": "findings",
    "thumbnail": "previews",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
