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
    from deeplens_kit.pipeline.estimating import LocationEstimate, estimate
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
    from deeplens_kit.pipeline.folder_events import FolderEvents
    from deeplens_kit.pipeline.graph import MatchReport, is_current, match
    from deeplens_kit.pipeline.index_report import IndexReport
    from deeplens_kit.pipeline.indexing import index
    from deeplens_kit.pipeline.ingest_known import PlaceFound
    from deeplens_kit.pipeline.ingest_one import IngestOptions, IngestRow, IngestState
    from deeplens_kit.pipeline.ingesting import IngestReport, ingest
    from deeplens_kit.pipeline.locations import add_location, change_location, list_locations
    from deeplens_kit.pipeline.mapping import PictureMap, map_pictures
    from deeplens_kit.pipeline.new_duplicates import NewDuplicate, NewDuplicates
    from deeplens_kit.pipeline.notify import Delivery, Notifier
    from deeplens_kit.pipeline.noting import NotedFile, annotate_file, note_of_file
    from deeplens_kit.pipeline.picture_list import list_pictures
    from deeplens_kit.pipeline.preparing import prepare_search
    from deeplens_kit.pipeline.previews import thumbnail
    from deeplens_kit.pipeline.price_check import PriceCheck, check_prices
    from deeplens_kit.pipeline.price_file import PRICES_FILE, read_price_book, workspace_prices
    from deeplens_kit.pipeline.priced_savings import savings_of_groups
    from deeplens_kit.pipeline.progress import ProgressListener, ProgressSnapshot
    from deeplens_kit.pipeline.query_previews import query_preview
    from deeplens_kit.pipeline.saved_searches import (
        clear_search_history,
        list_saved_searches,
        record_search,
        remove_saved_search,
        save_search,
        saved_query,
        search_history,
    )
    from deeplens_kit.pipeline.searching import SearchAnswer, Searcher
    from deeplens_kit.pipeline.spending import Budget
    from deeplens_kit.pipeline.standing import caveats, last_runs, of_active_locations, run_caveats
    from deeplens_kit.pipeline.thresholds import ThresholdLab, ThresholdOutcome
    from deeplens_kit.pipeline.throttle import Throttle
    from deeplens_kit.pipeline.watching import WatchProblem, WatchRound, WatchStarted, watch
    from deeplens_kit.pipeline.workspace import UpgradeReport, Workspace, check_locations

__all__ = [
    "PRICES_FILE",
    "Budget",
    "Comparison",
    "Conversion",
    "Delivery",
    "Explanation",
    "FileMetadata",
    "FolderEvents",
    "GroupsView",
    "IndexReport",
    "IngestOptions",
    "IngestReport",
    "IngestRow",
    "IngestState",
    "LocationEstimate",
    "MatchReport",
    "NewDuplicate",
    "NewDuplicates",
    "NotedFile",
    "Notifier",
    "PictureMap",
    "PlaceFound",
    "PriceCheck",
    "ProgressListener",
    "ProgressSnapshot",
    "ScoreLine",
    "SearchAnswer",
    "Searcher",
    "ThresholdLab",
    "ThresholdOutcome",
    "Throttle",
    "UpgradeReport",
    "WatchProblem",
    "WatchRound",
    "WatchStarted",
    "Workspace",
    "add_location",
    "annotate_file",
    "caveats",
    "change_location",
    "check_locations",
    "check_prices",
    "clear_search_history",
    "compare_files",
    "convert_files",
    "coverage",
    "estimate",
    "explain",
    "file_metadata",
    "index",
    "ingest",
    "is_current",
    "last_runs",
    "list_failures",
    "list_groups",
    "list_locations",
    "list_objects",
    "list_pairs",
    "list_pictures",
    "list_saved_searches",
    "map_pictures",
    "match",
    "note_of_file",
    "of_active_locations",
    "prepare_search",
    "query_preview",
    "read_price_book",
    "record_search",
    "remove_saved_search",
    "run_caveats",
    "save_search",
    "saved_query",
    "savings_of_groups",
    "search_history",
    "summarise_savings",
    "thumbnail",
    "watch",
    "workspace_prices",
]

_HOMES = {
    "PRICES_FILE": "price_file",
    "Budget": "spending",
    "Comparison": "compare",
    "Conversion": "converting",
    "Delivery": "notify",
    "Explanation": "explaining",
    "FileMetadata": "describing",
    "FolderEvents": "folder_events",
    "GroupsView": "findings",
    "IndexReport": "index_report",
    "IngestOptions": "ingest_one",
    "IngestReport": "ingesting",
    "IngestRow": "ingest_one",
    "IngestState": "ingest_one",
    "LocationEstimate": "estimating",
    "MatchReport": "graph",
    "NewDuplicate": "new_duplicates",
    "NewDuplicates": "new_duplicates",
    "NotedFile": "noting",
    "Notifier": "notify",
    "PictureMap": "mapping",
    "PlaceFound": "ingest_known",
    "PriceCheck": "price_check",
    "ProgressListener": "progress",
    "ProgressSnapshot": "progress",
    "ScoreLine": "compare",
    "SearchAnswer": "searching",
    "Searcher": "searching",
    "prepare_search": "preparing",
    "ThresholdLab": "thresholds",
    "ThresholdOutcome": "thresholds",
    "Throttle": "throttle",
    "UpgradeReport": "workspace",
    "WatchProblem": "watching",
    "WatchRound": "watching",
    "WatchStarted": "watching",
    "Workspace": "workspace",
    "add_location": "locations",
    "annotate_file": "noting",
    "caveats": "standing",
    "change_location": "locations",
    "check_locations": "workspace",
    "check_prices": "price_check",
    "clear_search_history": "saved_searches",
    "compare_files": "compare",
    "convert_files": "converting",
    "coverage": "findings",
    "estimate": "estimating",
    "explain": "explaining",
    "file_metadata": "describing",
    "index": "indexing",
    "ingest": "ingesting",
    "is_current": "graph",
    "last_runs": "standing",
    "list_failures": "findings",
    "list_groups": "findings",
    "list_locations": "locations",
    "list_objects": "findings",
    "list_pairs": "findings",
    "list_pictures": "picture_list",
    "list_saved_searches": "saved_searches",
    "map_pictures": "mapping",
    "match": "graph",
    "note_of_file": "noting",
    "of_active_locations": "standing",
    "query_preview": "query_previews",
    "read_price_book": "price_file",
    "record_search": "saved_searches",
    "remove_saved_search": "saved_searches",
    "run_caveats": "standing",
    "save_search": "saved_searches",
    "saved_query": "saved_searches",
    "savings_of_groups": "priced_savings",
    "search_history": "saved_searches",
    "summarise_savings": "findings",
    "thumbnail": "previews",
    "watch": "watching",
    "workspace_prices": "price_file",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
