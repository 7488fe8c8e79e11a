"""The tables of what people decide: labels of pairs, the draws that asked for them, and decisions.

Must not compute anything.
"""

from __future__ import annotations

from enum import StrEnum

from deeplens_kit.schemas.base import Column, TableSchema
from deeplens_kit.schemas.kinds import INT, TEXT, TIME

__all__ = ["DECISIONS", "LABELS", "LABEL_ITEMS", "DecisionKind", "Verdict"]


class Verdict(StrEnum):
    """What a person says of a pair: the same picture, different ones, or that they cannot tell."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"


class DecisionKind(StrEnum):
    """What a person decides.

    `KEEP_BOTH` and `ALTERNATES` (both are wanted, as versions of one picture) hold for a pair in both orders,
    `APPROVED` for the ordered pair: the member may go for that keeper. `NEVER_PROPOSE` holds for one picture.
    """

    KEEP_BOTH = "keep_both"
    ALTERNATES = "alternates"
    APPROVED = "approved"
    NEVER_PROPOSE = "never_propose"


LABELS = TableSchema(
    "labels",
    (
        Column("digest_a", TEXT, "the smaller digest of the pair"),
        Column("digest_b", TEXT, "the greater one"),
        Column("verdict", TEXT, "a Verdict"),
        Column("who", TEXT, "as user@host"),
        Column("labelled_at", TIME, "when, UTC"),
        Column("sample_id", TEXT, "the draw that asked for it; null where a person chose the pair", nullable=True),
        Column("note", TEXT, "may be empty"),
    ),
    key=("digest_a", "digest_b", "who"),
)

LABEL_ITEMS = TableSchema(
    "label_items",
    (
        Column("position", INT, "0 for the pair that was drawn first"),
        Column("digest_a", TEXT, "the smaller digest of the pair"),
        Column("digest_b", TEXT, "the greater one"),
        Column("stratum", TEXT, "name of the stratum it was drawn from"),
    ),
    key=("position",),
)

DECISIONS = TableSchema(
    "decisions",
    (
        Column("decision_id", INT, "goes up with each decision"),
        Column("act_id", TEXT, "what was decided together, such as all of a group"),
        Column("kind", TEXT, "a DecisionKind"),
        Column("keeper_digest", TEXT, "the picture that would stay; null for never_propose", nullable=True),
        Column("member_digest", TEXT, "the picture that is decided on; the same one for its equal files"),
        Column("who", TEXT, "as user@host"),
        Column("at", TIME, "when, UTC"),
        Column("why", TEXT, "may be empty"),
        Column("withdrawn_at", TIME, "when it ceased to hold; null while it holds", nullable=True),
        Column("withdrawn_by", TEXT, "who withdrew it, or decided otherwise", nullable=True),
    ),
    key=("decision_id",),
)
