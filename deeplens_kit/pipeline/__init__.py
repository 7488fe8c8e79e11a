"""From locations to findings: the one stage that opens the stores and hands frames to the others.

Takes a workspace folder and settings, gives reports and frames; must not move, change or remove a user's file. The
names below load their modules when they are first used, so that `--help` need not wait for the stores' libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deeplens_kit.pipeline.backing_up import BackupReport, back_up, list_backups, verify_backup
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
    from deeplens_kit.pipeline.lab_evidence import LabEstimate, LabEvidence
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
    from deeplens_kit.pipeline.pair_pictures import PairLooks, pair_looks
    from deeplens_kit.pipeline.picture_list import list_pictures
    from deeplens_kit.pipeline.plan_editing import (
        approve_plan,
        diff_plans,
        list_plans,
        plan_before,
        refuse_plan,
        trim_plan,
    )
    from deeplens_kit.pipeline.plan_exports import PLAN_ENDINGS, VerifiedManifest, export_plan, verify_manifest
    from deeplens_kit.pipeline.plan_freshness import require_fresh
    from deeplens_kit.pipeline.plan_refreshing import refresh_plan
    from deeplens_kit.pipeline.planning import draft_plan, load_steps, make_plan, plan_choice
    from deeplens_kit.pipeline.preparing import prepare_search
    from deeplens_kit.pipeline.previews import thumbnail
    from deeplens_kit.pipeline.price_check import PriceCheck, check_prices
    from deeplens_kit.pipeline.price_file import PRICES_FILE, read_price_book, workspace_prices
    from deeplens_kit.pipeline.priced_savings import savings_of_groups
    from deeplens_kit.pipeline.progress import ProgressListener, ProgressSnapshot
    from deeplens_kit.pipeline.proposal_record import keep_proposals
    from deeplens_kit.pipeline.query_previews import query_preview
    from deeplens_kit.pipeline.redirects import redirects_of
    from deeplens_kit.pipeline.references import REFERENCE_GLOBS, ReferencePlan, plan_references
    from deeplens_kit.pipeline.restoring import RestoreReport, restore_backup
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
    "PLAN_ENDINGS",
    "PRICES_FILE",
    "REFERENCE_GLOBS",
    "BackupReport",
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
    "LabEstimate",
    "LabEvidence",
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
    "PairLooks",
    "PairToLabel",
    "PictureClusters",
    "PictureMap",
    "PlaceFound",
    "PriceCheck",
    "ProgressListener",
    "ProgressSnapshot",
    "RecommendedThreshold",
    "ReferencePlan",
    "RestoreReport",
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
    "VerifiedManifest",
    "WatchProblem",
    "WatchRound",
    "WatchStarted",
    "Workspace",
    "add_location",
    "annotate_file",
    "approve_plan",
    "back_up",
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
    "diff_plans",
    "diff_rules",
    "draft_plan",
    "draw_sample",
    "estimate",
    "evaluate",
    "explain",
    "export_plan",
    "file_metadata",
    "import_benchmark",
    "import_decisions",
    "import_labels",
    "index",
    "ingest",
    "is_current",
    "keep_proposals",
    "known_policies",
    "label_pair",
    "label_progress",
    "label_rows",
    "last_runs",
    "list_backups",
    "list_decisions",
    "list_failures",
    "list_groups",
    "list_labels",
    "list_locations",
    "list_objects",
    "list_pairs",
    "list_pictures",
    "list_plans",
    "list_rules",
    "list_saved_searches",
    "load_steps",
    "make_plan",
    "manifest_of",
    "map_pictures",
    "match",
    "next_pair",
    "note_of_file",
    "of_active_locations",
    "pair_looks",
    "plan_before",
    "plan_choice",
    "plan_references",
    "prepare_search",
    "query_preview",
    "read_policy",
    "read_price_book",
    "recommend",
    "record_search",
    "redirects_of",
    "refresh_plan",
    "refuse_plan",
    "remove_saved_search",
    "require_fresh",
    "restore_backup",
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
    "trim_plan",
    "use_policy",
    "use_rule",
    "verify_backup",
    "verify_manifest",
    "watch",
    "withdraw_decisions",
    "withdraw_label",
    "workspace_prices",
]

_NAMES = {
    "backing_up": "BackupReport back_up list_backups verify_backup",
    "benchmark_check": "TruthCheck check_against",
    "clustering": "PictureClusters cluster_pictures",
    "compare": "Comparison ScoreLine compare_files",
    "converting": "Conversion convert_files",
    "deciding": "Decided decide import_decisions list_decisions withdraw_decisions",
    "describing": "FileMetadata file_metadata",
    "estimating": "LocationEstimate estimate",
    "evaluating": "Evaluation RecommendedThreshold evaluate recommend",
    "explaining": "Explanation explain",
    "findings": (
        "GroupsView compare_policies coverage list_failures list_groups list_objects list_pairs summarise_savings"
    ),
    "folder_events": "FolderEvents",
    "graph": "MatchReport is_current match",
    "index_report": "IndexReport",
    "indexing": "index",
    "ingest_known": "PlaceFound",
    "ingest_one": "IngestOptions IngestRow IngestState",
    "ingesting": "IngestReport ingest",
    "keep_policies": "check_policy check_policy_file chosen_policy known_policies read_policy use_policy",
    "lab_evidence": "LabEstimate LabEvidence",
    "label_export": "Manifest label_rows manifest_of",
    "label_import": "LabelImport import_benchmark import_labels",
    "label_sampling": "DrawnSample SampleKind draw_sample",
    "labelling": "LabelProgress Labelled PairToLabel label_pair label_progress list_labels next_pair withdraw_label",
    "locations": "add_location change_location list_locations",
    "mapping": "PictureMap map_pictures",
    "new_duplicates": "NewDuplicate NewDuplicates",
    "notify": "Delivery Notifier",
    "noting": "NotedFile annotate_file note_of_file",
    "pair_pictures": "PairLooks pair_looks",
    "picture_list": "list_pictures",
    "plan_editing": "approve_plan diff_plans list_plans plan_before refuse_plan trim_plan",
    "plan_exports": "PLAN_ENDINGS VerifiedManifest export_plan verify_manifest",
    "plan_freshness": "require_fresh",
    "plan_refreshing": "refresh_plan",
    "planning": "draft_plan load_steps make_plan plan_choice",
    "preparing": "prepare_search",
    "previews": "thumbnail",
    "price_check": "PriceCheck check_prices",
    "price_file": "PRICES_FILE read_price_book workspace_prices",
    "priced_savings": "savings_of_groups",
    "progress": "ProgressListener ProgressSnapshot",
    "proposal_record": "keep_proposals",
    "query_previews": "query_preview",
    "redirects": "redirects_of",
    "references": "REFERENCE_GLOBS ReferencePlan plan_references",
    "restoring": "RestoreReport restore_backup",
    "rule_in_use": "chosen_rule rule_named",
    "saved_rules": "RuleDifference diff_rules list_rules retire_rule save_rule use_rule",
    "saved_searches": (
        "clear_search_history list_saved_searches record_search remove_saved_search save_search saved_query "
        "search_history"
    ),
    "searching": "SearchAnswer Searcher",
    "spending": "Budget",
    "standing": "caveats last_runs of_active_locations run_caveats",
    "thresholds": "ThresholdLab ThresholdOutcome",
    "throttle": "Throttle",
    "watching": "WatchProblem WatchRound WatchStarted watch",
    "workspace": "UpgradeReport Workspace check_locations",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
