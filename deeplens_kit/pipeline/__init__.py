"""From locations to findings: the one stage that opens the stores and hands frames to the others.

Takes a workspace folder and settings, gives reports and frames; must not move, change or remove a user's file. The
names below load their modules when they are first used, so that `--help` need not wait for the stores' libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.pipeline.benchmark_check import TruthCheck, check_against
    from deeplens_kit.pipeline.clustering import PictureClusters, cluster_pictures
    from deeplens_kit.pipeline.compare import Comparison, ScoreLine, compare_files
    from deeplens_kit.pipeline.converting import Conversion, convert_files
    from deeplens_kit.pipeline.deciding import (
        Decided,
        decide,
        import_decisions,
        list_decisions,
        withdraw_decisions,
    )
    from deeplens_kit.pipeline.describing import FileMetadata, file_metadata
    from deeplens_kit.pipeline.estimating import LocationEstimate, estimate
    from deeplens_kit.pipeline.evaluating import Evaluation, RecommendedThreshold, evaluate, recommend
    from deeplens_kit.pipeline.explaining import Explanation, explain
    from deeplens_kit.pipeline.findings import (
        GroupsView,
        compare_policies,
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
    from deeplens_kit.pipeline.keep_policies import (
        check_policy,
        check_policy_file,
        chosen_policy,
        known_policies,
        read_policy,
        use_policy,
    )
    from deeplens_kit.pipeline.label_export import Manifest, label_rows, manifest_of
    from deeplens_kit.pipeline.label_import import LabelImport, import_benchmark, import_labels
    from deeplens_kit.pipeline.label_sampling import DrawnSample, SampleKind, draw_sample
    from deeplens_kit.pipeline.labelling import (
        Labelled,
        LabelProgress,
        PairToLabel,
        label_pair,
        label_progress,
        list_labels,
        next_pair,
        withdraw_label,
    )
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
    from deeplens_kit.pipeline.rule_in_use import chosen_rule, rule_named
    from deeplens_kit.pipeline.saved_rules import (
        RuleDifference,
        diff_rules,
        list_rules,
        retire_rule,
        save_rule,
        use_rule,
    )
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
    "Decided",
    "Delivery",
    "DrawnSample",
    "Evaluation",
    "Explanation",
    "FileMetadata",
    "FolderEvents",
    "GroupsView",
    "IndexReport",
    "IngestOptions",
    "IngestReport",
    "IngestRow",
    "IngestState",
    "LabelImport",
    "LabelProgress",
    "Labelled",
    "LocationEstimate",
    "Manifest",
    "MatchReport",
    "NewDuplicate",
    "NewDuplicates",
    "NotedFile",
    "Notifier",
    "PairToLabel",
    "PictureClusters",
    "PictureMap",
    "PlaceFound",
    "PriceCheck",
    "ProgressListener",
    "ProgressSnapshot",
    "RecommendedThreshold",
    "RuleDifference",
    "SampleKind",
    "ScoreLine",
    "SearchAnswer",
    "Searcher",
    "ThresholdLab",
    "ThresholdOutcome",
    "Throttle",
    "TruthCheck",
    "UpgradeReport",
    "WatchProblem",
    "WatchRound",
    "WatchStarted",
    "Workspace",
    "add_location",
    "annotate_file",
    "caveats",
    "change_location",
    "check_against",
    "check_locations",
    "check_policy",
    "check_policy_file",
    "check_prices",
    "chosen_policy",
    "chosen_rule",
    "clear_search_history",
    "cluster_pictures",
    "compare_files",
    "compare_policies",
    "convert_files",
    "coverage",
    "decide",
    "diff_rules",
    "draw_sample",
    "estimate",
    "evaluate",
    "explain",
    "file_metadata",
    "import_benchmark",
    "import_decisions",
    "import_labels",
    "index",
    "ingest",
    "is_current",
    "known_policies",
    "label_pair",
    "label_progress",
    "label_rows",
    "last_runs",
    "list_decisions",
    "list_failures",
    "list_groups",
    "list_labels",
    "list_locations",
    "list_objects",
    "list_pairs",
    "list_pictures",
    "list_rules",
    "list_saved_searches",
    "manifest_of",
    "map_pictures",
    "match",
    "next_pair",
    "note_of_file",
    "of_active_locations",
    "prepare_search",
    "query_preview",
    "read_policy",
    "read_price_book",
    "recommend",
    "record_search",
    "remove_saved_search",
    "retire_rule",
    "rule_named",
    "run_caveats",
    "save_rule",
    "save_search",
    "saved_query",
    "savings_of_groups",
    "search_history",
    "summarise_savings",
    "thumbnail",
    "use_policy",
    "use_rule",
    "watch",
    "withdraw_decisions",
    "withdraw_label",
    "workspace_prices",
]

_HOMES = {
    "next_pair": "labelling",
    "list_labels": "labelling",
    "label_progress": "labelling",
    "label_pair": "labelling",
    "PairToLabel": "labelling",
    "LabelProgress": "labelling",
    "Labelled": "labelling",
    "withdraw_label": "labelling",
    "draw_sample": "label_sampling",
    "SampleKind": "label_sampling",
    "DrawnSample": "label_sampling",
    "import_labels": "label_import",
    "import_benchmark": "label_import",
    "LabelImport": "label_import",
    "manifest_of": "label_export",
    "label_rows": "label_export",
    "Manifest": "label_export",
    "recommend": "evaluating",
    "evaluate": "evaluating",
    "RecommendedThreshold": "evaluating",
    "Evaluation": "evaluating",
    "check_against": "benchmark_check",
    "TruthCheck": "benchmark_check",
    "PRICES_FILE": "price_file",
    "Budget": "spending",
    "Comparison": "compare",
    "Conversion": "converting",
    "Decided": "deciding",
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
    "PictureClusters": "clustering",
    "PictureMap": "mapping",
    "PlaceFound": "ingest_known",
    "PriceCheck": "price_check",
    "ProgressListener": "progress",
    "ProgressSnapshot": "progress",
    "RuleDifference": "saved_rules",
    "ScoreLine": "compare",
    "SearchAnswer": "searching",
    "Searcher": "searching",
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
    "cluster_pictures": "clustering",
    "compare_files": "compare",
    "convert_files": "converting",
    "coverage": "findings",
    "compare_policies": "findings",
    "use_policy": "keep_policies",
    "read_policy": "keep_policies",
    "known_policies": "keep_policies",
    "chosen_policy": "keep_policies",
    "check_policy": "keep_policies",
    "check_policy_file": "keep_policies",
    "decide": "deciding",
    "diff_rules": "saved_rules",
    "estimate": "estimating",
    "explain": "explaining",
    "file_metadata": "describing",
    "import_decisions": "deciding",
    "index": "indexing",
    "ingest": "ingesting",
    "is_current": "graph",
    "last_runs": "standing",
    "list_decisions": "deciding",
    "list_failures": "findings",
    "list_groups": "findings",
    "list_locations": "locations",
    "list_objects": "findings",
    "list_pairs": "findings",
    "list_pictures": "picture_list",
    "list_rules": "saved_rules",
    "list_saved_searches": "saved_searches",
    "map_pictures": "mapping",
    "match": "graph",
    "note_of_file": "noting",
    "of_active_locations": "standing",
    "prepare_search": "preparing",
    "query_preview": "query_previews",
    "read_price_book": "price_file",
    "record_search": "saved_searches",
    "remove_saved_search": "saved_searches",
    "rule_named": "rule_in_use",
    "chosen_rule": "rule_in_use",
    "use_rule": "saved_rules",
    "retire_rule": "saved_rules",
    "run_caveats": "standing",
    "save_rule": "saved_rules",
    "save_search": "saved_searches",
    "saved_query": "saved_searches",
    "savings_of_groups": "priced_savings",
    "search_history": "saved_searches",
    "summarise_savings": "findings",
    "thumbnail": "previews",
    "watch": "watching",
    "withdraw_decisions": "deciding",
    "workspace_prices": "price_file",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
