"""Schemas of every table that crosses a stage, and the descriptor of a feature.

Takes frames and gives them back checked, in the schema's column order; must not compute or store anything.
Times are UTC unless a column says otherwise; digests are lower-case hexadecimal.
"""

from deeplens_kit.schemas.acts import PLAN_STEPS, ActionKind
from deeplens_kit.schemas.answers import (
    APPROVALS,
    CLUSTER_MEMBERS,
    CLUSTERS,
    COVERAGE,
    EXPLAINED,
    FAMILIES,
    GROUPS,
    MAP_POINTS,
    RELATED,
    SCORE_TERMS,
    SEARCH_DUPLICATES,
    SEARCH_FACETS,
    SEARCH_NOTES,
    SEARCH_PARTS,
    SEARCH_PLACES,
    SEARCH_RESULTS,
    WITHHELD,
)
from deeplens_kit.schemas.base import Column, FeatureSpec, Outcome, Relation, TableSchema, Tier, tier_strength
from deeplens_kit.schemas.judgements import DECISIONS, LABEL_ITEMS, LABELS, DecisionKind, Verdict
from deeplens_kit.schemas.records import SAVED_SEARCHES, SEARCH_HISTORY
from deeplens_kit.schemas.stored import FAILURES, LISTING, METADATA, OBJECTS, PAIRS, PICTURES

__all__ = [
    "APPROVALS",
    "CLUSTERS",
    "CLUSTER_MEMBERS",
    "COVERAGE",
    "DECISIONS",
    "EXPLAINED",
    "FAILURES",
    "FAMILIES",
    "GROUPS",
    "LABELS",
    "LABEL_ITEMS",
    "LISTING",
    "MAP_POINTS",
    "METADATA",
    "OBJECTS",
    "PAIRS",
    "PICTURES",
    "PLAN_STEPS",
    "RELATED",
    "SAVED_SEARCHES",
    "SCORE_TERMS",
    "SEARCH_DUPLICATES",
    "SEARCH_FACETS",
    "SEARCH_HISTORY",
    "SEARCH_NOTES",
    "SEARCH_PARTS",
    "SEARCH_PLACES",
    "SEARCH_RESULTS",
    "WITHHELD",
    "ActionKind",
    "Column",
    "DecisionKind",
    "FeatureSpec",
    "Outcome",
    "Relation",
    "TableSchema",
    "Tier",
    "Verdict",
    "tier_strength",
]
