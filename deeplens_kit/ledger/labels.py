"""Rows of labels, and of the draws that asked for them.

Takes a session and frames, gives frames and frozen values; must not commit (the ledger does) or draw. One verdict of
each person on a pair stands; what it was before, and what was withdrawn, is in the audit trail.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.asking import note_made
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.digests import check_digests, touching
from deeplens_kit.ledger.models import AuditRow, LabelItemRow, LabelRow, LabelSampleRow
from deeplens_kit.ledger.values import LabelCounts, LabelSample
from deeplens_kit.schemas import LABEL_ITEMS, LABELS, Verdict

__all__ = ["add_sample", "items", "listed", "record", "sample", "samples", "withdraw", "withdrawn"]

_LONGEST_NOTE = 10_000
_LONGEST_STRATUM = 200
# Of what a draw was made from, as JSON.
_LONGEST_DOCUMENT = 2**20
_PAIR = ("digest_a", "digest_b")
_WITHDRAWN = "label.withdrawn"
_ENDED = {"withdrawn_at": pl.Datetime("us", "UTC"), "withdrawn_by": pl.String()}


def record(session: Session, labels: pl.DataFrame, who: str, now: datetime) -> LabelCounts:
    """Put labels in the place of those that the same persons gave before; see `LabelRecords.record_labels`."""
    given = _given(labels, who, now)
    keys = [*_PAIR, "who"]
    before = listed(session, digests=frozenset(given["digest_a"]), persons=frozenset(given["who"]))
    ended = withdrawn(session).group_by(keys).agg(pl.col("withdrawn_at").max())
    joined = given.join(before, on=keys, how="left", suffix="_was", maintain_order="left")
    joined = joined.join(ended, on=keys, how="left", maintain_order="left")
    known = pl.col("verdict_was").is_not_null()
    # Which draw asks for it is nothing that a person says, and who says it again without a note takes none back.
    equal = (pl.col("verdict") == pl.col("verdict_was")) & (
        (pl.col("note") == "") | (pl.col("note") == pl.col("note_was"))
    )
    older = known & ~equal & (pl.col("labelled_at") < pl.col("labelled_at_was"))
    older |= ~known & (pl.col("labelled_at") < pl.col("withdrawn_at")).fill_null(False)
    new = joined.filter(~known & ~older).select(LABELS.names)
    changed = joined.filter(known & ~equal & ~older)
    if new.height:
        session.execute(insert(LabelRow), new.to_dicts())
    if changed.height:
        session.execute(update(LabelRow), changed.select(LABELS.names).to_dicts())
    for row in changed.filter(pl.col("verdict") != pl.col("verdict_was")).iter_rows(named=True):
        details = {name: row[name] for name in (*keys, "verdict")} | {"was": row["verdict_was"]}
        audit(session, who, "label.changed", details, now)
    if new.height:
        audit(session, who, "labels.recorded", {"labels": new.height}, now)
    outdone = joined.filter(older).height
    return LabelCounts(new.height, changed.height, joined.height - new.height - changed.height - outdone, outdone)


def listed(
    session: Session,
    *,
    digests: frozenset[str] | None = None,
    persons: frozenset[str] | None = None,
    verdict: Verdict | None = None,
    sample_id: str | None = None,
) -> pl.DataFrame:
    """LABELS by pair and person; `digests`: of pairs in which one of these is."""
    query = select(*(getattr(LabelRow, name) for name in LABELS.names))
    query = query.where(*touching(digests, LabelRow.digest_a, LabelRow.digest_b))
    if persons is not None:
        query = query.where(LabelRow.who.in_(sorted(persons)))
    if verdict is not None:
        query = query.where(LabelRow.verdict == str(verdict))
    if sample_id is not None:
        query = query.where(LabelRow.sample_id == sample_id)
    found = pl.DataFrame([tuple(row) for row in session.execute(query)], schema=LABELS.polars, orient="row")
    if digests is not None:
        wanted = list(digests)
        found = found.filter(pl.col("digest_a").is_in(wanted) | pl.col("digest_b").is_in(wanted))
    return found.sort(*_PAIR, "who")


def withdraw(session: Session, pair: tuple[str, str], who: str | None, by: str, now: datetime) -> pl.DataFrame:
    """Take a label back; see `LabelRecords.withdraw_label`."""
    first, second = min(pair), max(pair)
    there = listed(session, digests=frozenset(pair)).filter(digest_a=first, digest_b=second)
    taken = there.filter(who=by if who is None else who)
    if taken.is_empty():
        persons = there["who"].to_list()
        if not persons:
            raise SettingsError(f"The pair {first[:12]}… and {second[:12]}… has no label; nothing was withdrawn.")
        if who is not None:
            raise UnknownNameError("person with a label on this pair", who, persons)
        raise SettingsError(
            f"You ({by}) gave this pair no label; it has one of {', '.join(persons)}: name whose is to be withdrawn."
        )
    for row in taken.iter_rows(named=True):
        session.execute(
            delete(LabelRow).where(LabelRow.digest_a == first, LabelRow.digest_b == second, LabelRow.who == row["who"])
        )
        audit(session, by, _WITHDRAWN, row | {"labelled_at": row["labelled_at"].isoformat()}, now)
    return taken


def withdrawn(session: Session) -> pl.DataFrame:
    """LABELS that were withdrawn, with withdrawn_at and withdrawn_by, the earliest first."""
    query = select(AuditRow).where(AuditRow.action == _WITHDRAWN).order_by(AuditRow.audit_id)
    rows = [
        {**row.details, "labelled_at": datetime.fromisoformat(row.details["labelled_at"])}
        | {"withdrawn_at": row.at, "withdrawn_by": row.who}
        for row in session.scalars(query)
    ]
    return pl.DataFrame(rows, schema={**LABELS.polars, **_ENDED})


def add_sample(
    session: Session,
    kind: str,
    seed: int,
    document: Mapping[str, object],
    pairs: pl.DataFrame,
    who: str,
    now: datetime,
) -> LabelSample:
    """Keep a draw; see `LabelRecords.add_label_sample`."""
    size = len(json.dumps(document))
    if size > _LONGEST_DOCUMENT:
        raise SettingsError(
            f"What was drawn from takes {size:,} bytes as JSON; at most {_LONGEST_DOCUMENT:,} are kept."
        )
    ordered = _ordered(pairs).select(
        *_PAIR, pl.col("stratum").cast(pl.String), position=pl.int_range(pl.len(), dtype=pl.Int64)
    )
    longest = ordered["stratum"].str.len_chars().max()
    if ordered["stratum"].null_count() or (isinstance(longest, int) and longest > _LONGEST_STRATUM):
        raise SettingsError(f"A stratum has no name, or one of more than {_LONGEST_STRATUM} letters.")
    row = LabelSampleRow(
        sample_id=secrets.token_hex(8), created_at=now, who=who, kind=kind, seed=seed, document=dict(document)
    )
    session.add(row)
    session.flush()
    if ordered.height:
        rows: list[dict[str, Any]] = ordered.with_columns(sample_id=pl.lit(row.sample_id)).to_dicts()
        session.execute(insert(LabelItemRow), rows)
    audit(session, who, "labels.sampled", {"sample_id": row.sample_id, "kind": kind, "pairs": ordered.height}, now)
    note_made(session, "label_sample", row.sample_id)
    return _frozen(row, ordered.height)


def samples(session: Session, kind: str | None) -> list[LabelSample]:
    """Draws, the latest first."""
    counted = select(LabelItemRow.sample_id, func.count()).group_by(LabelItemRow.sample_id)
    counts: dict[str, int] = {row[0]: row[1] for row in session.execute(counted)}
    query = select(LabelSampleRow).order_by(LabelSampleRow.created_at.desc(), LabelSampleRow.sample_id)
    if kind is not None:
        query = query.where(LabelSampleRow.kind == kind)
    return [_frozen(row, counts.get(row.sample_id, 0)) for row in session.scalars(query)]


def sample(session: Session, sample_id: str) -> LabelSample:
    """The draw of an id.

    Raises:
        UnknownNameError: There is none.
    """
    row = session.get(LabelSampleRow, sample_id)
    if row is None:
        raise UnknownNameError("sample of pairs", sample_id, session.scalars(select(LabelSampleRow.sample_id)))
    number = session.scalar(select(func.count()).where(LabelItemRow.sample_id == sample_id))
    return _frozen(row, number or 0)


def items(session: Session, sample_id: str) -> pl.DataFrame:
    """LABEL_ITEMS of a draw, in its order; UnknownNameError where there is none of the id."""
    sample(session, sample_id)
    query = select(*(getattr(LabelItemRow, name) for name in LABEL_ITEMS.names))
    query = query.where(LabelItemRow.sample_id == sample_id).order_by(LabelItemRow.position)
    return pl.DataFrame([tuple(row) for row in session.execute(query)], schema=LABEL_ITEMS.polars, orient="row")


def _given(labels: pl.DataFrame, who: str, now: datetime) -> pl.DataFrame:
    """LABELS of what was given: checked, pairs in order, one for each pair and person, the last of several."""
    unknown = set(labels.columns) - set(LABELS.names)
    if unknown:
        raise UnknownNameError("column of labels", sorted(unknown)[0], LABELS.names)
    defaults = {"who": who, "labelled_at": now, "sample_id": None, "note": ""}
    columns = [
        pl.col(name).cast(LABELS.polars[name]).fill_null(pl.lit(value, LABELS.polars[name]))
        if name in labels.columns
        else pl.lit(value, LABELS.polars[name]).alias(name)
        for name, value in defaults.items()
    ]
    given = _ordered(labels.with_columns(columns))
    wrong = given.filter(~pl.col("verdict").is_in([str(item) for item in Verdict]).fill_null(False))
    if wrong.height:
        raise UnknownNameError("verdict", str(wrong["verdict"][0]), map(str, Verdict))
    longest = given["note"].str.len_chars().max()
    if isinstance(longest, int) and longest > _LONGEST_NOTE:
        raise SettingsError(f"A note has {longest:,} letters; at most {_LONGEST_NOTE:,} are kept.")
    last = given.sort("labelled_at", maintain_order=True).unique([*_PAIR, "who"], keep="last", maintain_order=True)
    return LABELS.check(last.select(LABELS.names))


def _ordered(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs with the smaller digest first.

    Raises:
        SettingsError: A digest is none, or a pair holds one picture twice.
    """
    check_digests(pairs, _PAIR)
    alone = pairs.filter(pl.col("digest_a") == pl.col("digest_b"))
    if alone.height:
        raise SettingsError(f"A pair has the picture {alone['digest_a'][0]} twice; a label is of two pictures.")
    return pairs.with_columns(
        digest_a=pl.min_horizontal("digest_a", "digest_b"), digest_b=pl.max_horizontal("digest_a", "digest_b")
    )


def _frozen(row: LabelSampleRow, number: int) -> LabelSample:
    return LabelSample(row.sample_id, row.created_at, row.who, row.kind, row.seed, dict(row.document), number)
