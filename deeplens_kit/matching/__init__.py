"""Matching: features to candidate pairs, pairs to tiers by a rule, tiers to groups around keepers; opens no file.

Importing it loads neither numba nor FAISS; they load with the first search.
"""

from deeplens_kit.matching.candidates import find_pairs
from deeplens_kit.matching.groups import Grouping, group
from deeplens_kit.matching.policy import POLICY_COLUMNS, keeper_order
from deeplens_kit.matching.rules import CONTEXT_COLUMNS, STRICT, Clause, Rule, ScoreCurve, tiers_of, with_context
from deeplens_kit.matching.sentences import explain

__all__ = [
    "CONTEXT_COLUMNS",
    "POLICY_COLUMNS",
    "STRICT",
    "Clause",
    "Grouping",
    "Rule",
    "ScoreCurve",
    "explain",
    "find_pairs",
    "group",
    "keeper_order",
    "tiers_of",
    "with_context",
]
