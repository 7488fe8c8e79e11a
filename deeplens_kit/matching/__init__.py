"""Matching: features to candidate pairs, pairs to tiers by a rule, tiers to groups around keepers; opens no file.

Importing it loads neither numba nor FAISS; they load with the first search.
"""

from deeplens_kit.matching.background import normalised_cosines
from deeplens_kit.matching.borderline import BORDERLINE, HISTOGRAM, borderline_pairs, count_pairs
from deeplens_kit.matching.candidates import find_pairs, pairs_towards_keepers
from deeplens_kit.matching.equal_samples import PIXELS_SCORE, SAMPLE_FACTS, mark_pixels, worth_comparing
from deeplens_kit.matching.families import find_families
from deeplens_kit.matching.floors import GraphFloor, graph_floor
from deeplens_kit.matching.groups import Grouping, group
from deeplens_kit.matching.keep_order import KEEP_FACTS, keeper_order
from deeplens_kit.matching.keep_policy import (
    BUILT_IN_POLICIES,
    DEFAULT_POLICY,
    KeepCriterion,
    KeepPolicy,
    policy_from_json,
)
from deeplens_kit.matching.losses import TOLD_COLUMNS
from deeplens_kit.matching.policy_comparison import PolicyComparison, compare_groupings
from deeplens_kit.matching.regrouping import Regrouper, Regrouping
from deeplens_kit.matching.rule_json import rule_from_json, rule_to_json
from deeplens_kit.matching.rules import CONTEXT_COLUMNS, STRICT, Clause, Rule, ScoreCurve, tiers_of, with_context
from deeplens_kit.matching.sentences import explain
from deeplens_kit.matching.thresholds import Thresholds
from deeplens_kit.matching.traits import POLICY_COLUMNS

__all__ = [
    "BORDERLINE",
    "BUILT_IN_POLICIES",
    "CONTEXT_COLUMNS",
    "DEFAULT_POLICY",
    "HISTOGRAM",
    "KEEP_FACTS",
    "PIXELS_SCORE",
    "POLICY_COLUMNS",
    "SAMPLE_FACTS",
    "STRICT",
    "TOLD_COLUMNS",
    "Clause",
    "GraphFloor",
    "Grouping",
    "KeepCriterion",
    "KeepPolicy",
    "PolicyComparison",
    "Regrouper",
    "Regrouping",
    "Rule",
    "ScoreCurve",
    "Thresholds",
    "borderline_pairs",
    "compare_groupings",
    "count_pairs",
    "explain",
    "find_families",
    "find_pairs",
    "graph_floor",
    "group",
    "keeper_order",
    "mark_pixels",
    "normalised_cosines",
    "pairs_towards_keepers",
    "policy_from_json",
    "rule_from_json",
    "rule_to_json",
    "tiers_of",
    "with_context",
    "worth_comparing",
]
