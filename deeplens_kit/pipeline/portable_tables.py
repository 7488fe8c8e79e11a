"""The tables of what people and jobs did, as an export of one location has them.

Takes frozen values of the ledger, gives frames with named schemas; must not ask the ledger. What the ledger keeps as
JSON is JSON as text here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import polars as pl

from deeplens_kit.schemas import PLAN_STEPS, Column, FeatureSpec, TableSchema
from deeplens_kit.schemas.kinds import FLAG, INT, TEXT, TIME

__all__ = [
    "PORTABLE_APPLICATIONS",
    "PORTABLE_AUDIT",
    "PORTABLE_HOLDS",
    "PORTABLE_JOURNAL",
    "PORTABLE_NOTES",
    "PORTABLE_PLANS",
    "PORTABLE_PLAN_STEPS",
    "PORTABLE_QUARANTINE",
    "PORTABLE_RUNS",
    "rows_of",
    "vector_schema",
]

_WHO = Column("who", TEXT, "as user@host")
_AT = Column("at", TIME, "UTC")
_STATE = Column("state", TEXT, "how it stands")
_SPAN = (Column("started_at", TIME, "UTC"), Column("finished_at", TIME, "UTC; null while it runs", nullable=True))
_ENDED = Column("message", TEXT, "why it ended early; may be empty")

PORTABLE_NOTES = TableSchema(
    "notes",
    (
        Column("location_id", TEXT, "where the object was when that was said"),
        Column("path", TEXT, "its path there, encoded"),
        Column("digest", TEXT, "SHA-256 of its content: the note holds for it wherever it lies"),
        Column("collection", TEXT, "name of its collection; empty for none"),
        Column("tags", TEXT, "JSON: a list, sorted"),
        Column("description", TEXT, "free text; may be empty"),
        Column("category", TEXT, "the same"),
        Column("source", TEXT, "the same"),
        Column("who", TEXT, "who said so last, as user@host"),
        Column("at", TIME, "when, UTC"),
    ),
)
PORTABLE_RUNS = TableSchema(
    "runs",
    (
        Column("run_id", TEXT, "random"),
        Column("kind", TEXT, "what was run"),
        Column("location_id", TEXT, "where", nullable=True),
        Column("state", TEXT, "how it ended"),
        Column("holder", TEXT, "the process that ran it"),
        *_SPAN,
        Column("settings", TEXT, "JSON"),
        Column("figures", TEXT, "JSON: counts and coverage"),
        _ENDED,
    ),
)
PORTABLE_PLANS = TableSchema(
    "plans",
    (
        Column("plan_id", TEXT, "random"),
        Column("kind", TEXT, "duplicates, retention ..."),
        _STATE,
        Column("author", TEXT, "as user@host"),
        Column("created_at", TIME, "UTC"),
        Column("document", TEXT, "JSON: what it was made from, and what it comes to"),
        Column("steps_digest", TEXT, "SHA-256 of all of its steps"),
        Column("steps", INT, "how many it has, also those that do not concern this location"),
        Column("replaces", TEXT, "the plan that it took the place of; may be empty"),
        Column("approvals", TEXT, "JSON: every yes and no"),
    ),
)
PORTABLE_PLAN_STEPS = TableSchema("plan_steps", (Column("plan_id", TEXT, "the plan"), *PLAN_STEPS.columns))
PORTABLE_APPLICATIONS = TableSchema(
    "applications",
    (
        Column("application_id", TEXT, "random"),
        Column("plan_id", TEXT, "the plan"),
        _STATE,
        _WHO,
        *_SPAN,
        Column("figures", TEXT, "JSON: counts and bytes"),
        _ENDED,
        Column("settings", TEXT, "JSON: how it was applied"),
    ),
)
PORTABLE_JOURNAL = TableSchema(
    "journal",
    (
        Column("application_id", TEXT, "the application"),
        Column("sequence", INT, "of the application, from 0"),
        Column("step", INT, "of the plan"),
        Column("operation", TEXT, "what was done"),
        Column("phase", TEXT, "before or after, and how it went"),
        Column("code", TEXT, "of a skip or failure; else empty"),
        Column("message", TEXT, "why, in a sentence; else empty"),
        Column("facts", TEXT, "JSON: paths, tokens, digests, times"),
        Column("at", TIME, "UTC", nullable=True),
    ),
)
PORTABLE_QUARANTINE = TableSchema(
    "quarantine",
    (
        Column("item_id", TEXT, "random"),
        Column("application_id", TEXT, "which moved it"),
        Column("step", INT, "of its plan"),
        Column("location_id", TEXT, "where it is, and was"),
        Column("path", TEXT, "where it was, encoded"),
        Column("quarantine_path", TEXT, "where it is, encoded"),
        Column("digest", TEXT, "SHA-256 of its bytes"),
        Column("size_bytes", INT, "bytes"),
        Column("token", TEXT, "its change token in quarantine"),
        Column("keeper_location_id", TEXT, "of the copy that stays; null where there was none", nullable=True),
        Column("keeper_path", TEXT, "of it", nullable=True),
        Column("keeper_digest", TEXT, "of it", nullable=True),
        Column("keeper_token", TEXT, "its change token when the file was moved", nullable=True),
        Column("kept", TEXT, "JSON: what the original had beside its bytes"),
        Column("state", TEXT, "what became of it"),
        Column("moved_at", TIME, "UTC"),
        Column("expires_at", TIME, "UTC; null: never by itself", nullable=True),
    ),
)
PORTABLE_HOLDS = TableSchema(
    "holds",
    (
        Column("hold_id", TEXT, "random"),
        Column("location_id", TEXT, "the location that it covers; null for all", nullable=True),
        Column("glob", TEXT, "of paths; empty for all"),
        Column("digest", TEXT, "one picture; empty for any"),
        Column("collection", TEXT, "a collection; empty for any"),
        Column("why", TEXT, "the reason"),
        _WHO,
        _AT,
        Column("released_at", TIME, "UTC; null while it holds", nullable=True),
        Column("released_by", TEXT, "who; null while it holds", nullable=True),
    ),
)
PORTABLE_AUDIT = TableSchema(
    "audit",
    (
        _AT,
        _WHO,
        Column("action", TEXT, "what was done"),
        Column("details", TEXT, "JSON"),
        Column("sequence", INT, "place in the whole trail, from 1"),
        Column("digest", TEXT, "over the line and the digest of the one before it in the whole trail"),
    ),
)
PAIR_ENDS = (
    Column("a_here", FLAG, "an object of this location holds the first picture"),
    Column("b_here", FLAG, "an object of this location holds the second picture"),
)
"""What an export of pairs says besides PAIRS."""


def vector_schema(spec: FeatureSpec) -> TableSchema:
    """The table of a feature's vectors: float32, which holds every stored float16 exactly."""
    return TableSchema(
        spec.table,
        (
            Column("digest", TEXT, "SHA-256 of the picture's bytes"),
            Column("vector", pl.Array(pl.Float32, spec.size), f"{spec.key}, {spec.metric} metric; {spec.source}"),
        ),
    )


def rows_of(schema: TableSchema, records: Iterable[Any]) -> pl.DataFrame:
    """Frozen values as rows of a schema, by the names of their attributes."""
    rows = [{column.name: _plain(getattr(record, column.name)) for column in schema.columns} for record in records]
    return schema.check(pl.DataFrame(rows, schema=schema.polars))


def _plain(value: object) -> object:
    if isinstance(value, Mapping | tuple | list):
        return json.dumps(value, default=_json, ensure_ascii=False, sort_keys=True)
    return str(value) if isinstance(value, Enum) else value


def _json(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"the ledger holds a {type(value).__name__}, which the export does not know")
