"""What is known of one location, table by table.

Takes an open workspace and a location, gives frames with their schemas, in parts of bounded size; must not write. A
location is what is found there and all that was compared with it, said of it or done to it: pairs and groups that reach
to other locations are in it, with the digests of the pictures there and nothing else of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from deeplens_kit.ledger import Application, JournalEntry, Location, PlanRecord
from deeplens_kit.pipeline.findings import list_groups
from deeplens_kit.pipeline.planning import load_steps
from deeplens_kit.pipeline.portable_tables import (
    PAIR_ENDS,
    PORTABLE_APPLICATIONS,
    PORTABLE_AUDIT,
    PORTABLE_HOLDS,
    PORTABLE_JOURNAL,
    PORTABLE_NOTES,
    PORTABLE_PLAN_STEPS,
    PORTABLE_PLANS,
    PORTABLE_QUARANTINE,
    PORTABLE_RUNS,
    rows_of,
    vector_schema,
)
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.schemas import (
    DECISIONS,
    FAILURES,
    GROUPS,
    LABELS,
    METADATA,
    OBJECTS,
    PAIRS,
    PICTURES,
    TableSchema,
)

__all__ = ["PortablePart", "parts_of_location"]

_ROWS = 250_000
_VECTORS = 50_000


@dataclass(frozen=True, slots=True)
class PortablePart:
    """Rows of a table.

    Attributes:
        schema: Of the table.
        number: Of the part, from 0.
        frame: Its rows; of a table that has none there is one part without rows.
    """

    schema: TableSchema
    number: int
    frame: pl.DataFrame


def parts_of_location(workspace: Workspace, place: Location) -> Iterator[PortablePart]:
    """Every table, one after the other: the catalog first, what was said next, what was done last."""
    catalog, ledger = workspace.catalog, workspace.ledger
    objects = catalog.objects(place.location_id)
    digests = objects["digest"].drop_nulls().unique().sort()
    here = digests.implode()
    yield from _parts(OBJECTS, objects.sort("path"))
    yield from _parts(PICTURES, catalog.pictures(digests.to_list()).sort("digest"))
    yield from _parts(METADATA, catalog.metadata(digests.to_list()).sort("digest"))
    yield from _vectors(workspace, digests)
    ends = [pl.col(f"digest_{end}").is_in(here).alias(f"{end}_here") for end in "ab"]
    pairs = catalog.pairs().with_columns(ends).filter(pl.col("a_here") | pl.col("b_here"))
    yield from _parts(TableSchema("pairs", (*PAIRS.columns, *PAIR_ENDS)), pairs.sort(PAIRS.key))
    yield from _parts(FAILURES, catalog.failures(place.location_id).sort("path"))
    groups = list_groups(workspace).groups.select(GROUPS.names)
    mine = groups.filter(pl.col("location_id") == place.location_id)["group_id"].unique()
    yield from _parts(GROUPS, groups.filter(pl.col("group_id").is_in(mine.implode())))
    labels = ledger.labels()
    yield from _parts(LABELS, labels.filter(pl.any_horizontal(pl.col("digest_a", "digest_b").is_in(here))))
    decisions = ledger.decisions(withdrawn=True)
    on_mine = pl.any_horizontal(pl.col("keeper_digest", "member_digest").is_in(here).fill_null(False))
    yield from _parts(DECISIONS, decisions.filter(on_mine))
    known = set(digests)
    notes = [note for note in ledger.notes() if note.location_id == place.location_id or note.digest in known]
    yield from _parts(PORTABLE_NOTES, rows_of(PORTABLE_NOTES, notes))
    yield from _parts(PORTABLE_RUNS, rows_of(PORTABLE_RUNS, ledger.runs(place)))
    holds = [hold for hold in ledger.holds(released=True) if hold.location_id in (None, place.location_id)]
    yield from _parts(PORTABLE_HOLDS, rows_of(PORTABLE_HOLDS, holds))
    yield from _done(workspace, place, known)


def _done(workspace: Workspace, place: Location, digests: set[str]) -> Iterator[PortablePart]:
    """Plans with a step at the location, what was done by them there, and what the trail says of it."""
    ledger = workspace.ledger
    plans: list[PlanRecord] = []
    numbers: dict[str, set[int]] = {}
    steps = [PORTABLE_PLAN_STEPS.empty()]
    ends = [f"{end}_location_id" for end in ("victim", "keeper", "target")]
    for record in ledger.plans():
        frame = load_steps(workspace, record)
        mine = frame.filter(pl.any_horizontal(pl.col(ends) == place.location_id).fill_null(False))
        if mine.height:
            plans.append(record)
            numbers[record.plan_id] = set(mine["step"])
            steps.append(mine.with_columns(plan_id=pl.lit(record.plan_id)).select(PORTABLE_PLAN_STEPS.names))
    yield from _parts(PORTABLE_PLANS, rows_of(PORTABLE_PLANS, plans))
    yield from _parts(PORTABLE_PLAN_STEPS, pl.concat(steps))
    applications = [item for record in plans for item in ledger.applications(record.plan_id)]
    yield from _parts(PORTABLE_APPLICATIONS, rows_of(PORTABLE_APPLICATIONS, applications))
    yield from _journal(ledger.journal, applications, numbers)
    held = ledger.quarantined(location=place, states=None)
    yield from _parts(PORTABLE_QUARANTINE, rows_of(PORTABLE_QUARANTINE, held))
    names = {place.location_id, place.name, *numbers, *(item.application_id for item in applications)}
    lines = [line for line in ledger.audit_trail() if _speaks_of(line.details, names, digests)]
    yield from _parts(PORTABLE_AUDIT, rows_of(PORTABLE_AUDIT, lines))


def _journal(
    journal: Callable[[str], Iterator[JournalEntry]], applications: list[Application], numbers: dict[str, set[int]]
) -> Iterator[PortablePart]:
    frames = [PORTABLE_JOURNAL.empty()]
    told = TableSchema("journal", PORTABLE_JOURNAL.columns[1:])
    for item in applications:
        lines = [line for line in journal(item.application_id) if line.step in numbers[item.plan_id]]
        rows = rows_of(told, lines).with_columns(application_id=pl.lit(item.application_id))
        frames.append(rows.select(PORTABLE_JOURNAL.names))
    yield from _parts(PORTABLE_JOURNAL, pl.concat(frames))


def _vectors(workspace: Workspace, digests: pl.Series) -> Iterator[PortablePart]:
    for spec in workspace.catalog.vector_specs():
        schema = vector_schema(spec)
        _, blocks = workspace.catalog.vector_blocks(spec, digests.to_list(), rows_per_block=_VECTORS)
        number = -1
        for number, (names, matrix) in enumerate(blocks):
            values = pl.Series("vector", matrix.astype(np.float32), schema.polars["vector"])
            yield PortablePart(schema, number, schema.check(pl.DataFrame([names.alias("digest"), values])))
        if number < 0:
            yield PortablePart(schema, 0, schema.empty())


def _parts(schema: TableSchema, frame: pl.DataFrame) -> Iterator[PortablePart]:
    checked = schema.check(frame)
    for number, first in enumerate(range(0, max(checked.height, 1), _ROWS)):
        yield PortablePart(schema, number, checked.slice(first, _ROWS))


def _speaks_of(value: object, names: set[str], digests: set[str]) -> bool:
    """Whether a text anywhere in JSON is one of some."""
    if isinstance(value, dict):
        return any(_speaks_of(item, names, digests) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_speaks_of(item, names, digests) for item in value)
    return isinstance(value, str) and (value in names or value in digests)
