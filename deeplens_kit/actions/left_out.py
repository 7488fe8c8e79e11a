"""Why a file that a group proposes is no step of a plan: codes and the sentences that go with them.

Takes nothing, gives names and words; must not judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import polars as pl

from deeplens_kit.schemas import Column, TableSchema
from deeplens_kit.schemas.kinds import INT, TEXT

__all__ = ["LEFT_OUT", "LEFT_OUT_WORDS", "LeftOut"]


class LeftOut(StrEnum):
    """Why a proposed file is left out; where several hold, the first of them is told."""

    SCENE = "scene"
    RELATION = "relation"
    TIER = "tier"
    UNKNOWN = "unknown"
    KEEPER = "keeper"
    NO_KEEPER = "no_keeper"
    SAME_FILE = "same_file"
    DECIDED = "decided"
    HELD = "held"
    PROTECTED = "protected"
    READ_ONLY = "read_only"
    CLOSED = "closed"
    IMMUTABLE = "immutable"
    DROPPED = "dropped"
    CANNOT = "cannot"
    ELSEWHERE = "elsewhere"
    ALREADY = "already"
    LINKS = "links"
    TOGETHER = "together"
    LAST_COPY = "last_copy"
    METADATA = "metadata"
    LIMIT = "limit"


LEFT_OUT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        LeftOut.SCENE: "it is another picture of an alike thing, which is never acted on",
        LeftOut.RELATION: "it shows more than its keeper, or something else besides",
        LeftOut.TIER: "the workspace does not act on evidence of this strength ([actions] tiers)",
        LeftOut.UNKNOWN: "the catalog does not hold it any more; index again",
        LeftOut.KEEPER: "it is the keeper of another group",
        LeftOut.NO_KEEPER: "its keeper is not in the catalog any more; index again",
        LeftOut.SAME_FILE: "it is the keeper itself under another name: a hard link, or a place that is met twice",
        LeftOut.DECIDED: "a person decided against it",
        LeftOut.HELD: "a hold covers it",
        LeftOut.PROTECTED: "the keep policy protects it",
        LeftOut.READ_ONLY: "its kind of location can only be read, so nothing there can be changed",
        LeftOut.CLOSED: "its location is not opened for changes; `deeplens locations set NAME --option "
        "permissions=change` opens it",
        LeftOut.IMMUTABLE: "nothing at its location can be changed (option 'immutable')",
        LeftOut.DROPPED: "a person dropped it from the plan",
        LeftOut.CANNOT: "its kind of location cannot do this",
        LeftOut.ELSEWHERE: "its keeper lies where this cannot reach: on another file system or at another location",
        LeftOut.ALREADY: "it is there, or kept so, already",
        LeftOut.LINKS: "it frees nothing: other names of the same file (hard links) stay",
        LeftOut.TOGETHER: "another file that it belongs with is left out; they stay or go together",
        LeftOut.METADATA: "it tells what its keeper does not, and no sidecar that keeps it can be written there",
        LeftOut.LIMIT: "the plan is full; what frees most went first",
        LeftOut.LAST_COPY: "it is the last copy that would stay, which is never removed; a rule with `--action "
        "move` or `--action storage_class` acts on it too",
    }
)
"""Of each code what it says of the file."""

LEFT_OUT = TableSchema(
    "left_out",
    (
        Column("object_id", TEXT, "as in objects"),
        Column("location_id", TEXT, "its location"),
        Column("path", TEXT, "its path there, encoded"),
        Column("size_bytes", INT, "bytes"),
        Column("tier", TEXT, "a Tier", nullable=True),
        Column("code", TEXT, "a LeftOut"),
        Column("message", TEXT, "why, in a sentence"),
    ),
    key=("object_id",),
)


def with_messages(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows with `code`, with `message` beside it."""
    words = {str(code): sentence for code, sentence in LEFT_OUT_WORDS.items()}
    return frame.with_columns(message=pl.col("code").replace_strict(words, return_dtype=pl.String))
