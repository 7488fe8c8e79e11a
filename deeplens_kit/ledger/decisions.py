"""Rows of decisions: what people decided on pairs of pictures, or on one.

Takes a session and frames, gives frames and frozen values; must not commit (the ledger does) or group. A decision is
withdrawn, never deleted or changed. A later one on the same pair that says otherwise withdraws the earlier one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from deeplens_kit.errors import SettingsError, UnknownNameError
from deeplens_kit.ledger.audit import audit
from deeplens_kit.ledger.digests import MOST_ASKED, check_digests, touching
from deeplens_kit.ledger.models import DecisionRow
from deeplens_kit.ledger.notes import check_change
from deeplens_kit.ledger.values import DecisionAct, NoteChange
from deeplens_kit.schemas import DECISIONS, DecisionKind

__all__ = ["listed", "record", "version", "withdraw"]

_GIVEN = ("kind", "keeper_digest", "member_digest", "who", "at", "why")
_ENDS = ("low", "high")
_SAME = ("same_kind", "low", "high", "from_keeper")
_PAIR_KINDS = [str(kind) for kind in DecisionKind if kind is not DecisionKind.NEVER_PROPOSE]


def record(session: Session, decisions: pl.DataFrame, who: str, now: datetime) -> DecisionAct:
    """Record decisions that are made together; see `DecisionRecords.record_decisions`."""
    given = _marked(_given(decisions, who, now)).with_row_index("number")
    every = frozenset(given["member_digest"]) | frozenset(given["keeper_digest"].drop_nulls())
    before = _marked(listed(session, withdrawn=True, digests=every))
    in_force = before.filter(pl.col("withdrawn_at").is_null())

    # 1. What stands already, and what was imported before, whether it was withdrawn since or not.
    standing = given.join(in_force, on=_SAME, how="semi", nulls_equal=True)
    known = given.join(before, on=[*_SAME, "who", "at"], how="semi", nulls_equal=True)
    fresh = given.filter(~pl.col("number").is_in(pl.concat([standing["number"], known["number"]]).implode()))

    # 2. What says otherwise of the same pairs, here or before: the later one holds.
    paired = pl.col("kind").is_in(_PAIR_KINDS)
    latest = pl.col("kind").sort_by("at", "number").last().over(*_ENDS, paired)
    overruled = fresh.filter(paired & (pl.col("kind") != latest))
    fresh = fresh.filter(~pl.col("number").is_in(overruled["number"].implode()))
    pairs = fresh.filter(pl.col("kind").is_in(_PAIR_KINDS))
    otherwise = in_force.filter(pl.col("kind").is_in(_PAIR_KINDS)).join(pairs, on=_ENDS, suffix="_new")
    otherwise = otherwise.filter(pl.col("kind") != pl.col("kind_new"))
    older = otherwise.filter(pl.col("at") > pl.col("at_new"))["number"].unique()
    fresh = fresh.filter(~pl.col("number").is_in(older.implode()))
    over = otherwise.filter(~pl.col("number").is_in(older.implode()))["decision_id"].unique().sort()

    # 3. Written together.
    act_id = secrets.token_hex(8) if fresh.height else ""
    rows: list[dict[str, Any]] = fresh.select(*_GIVEN, act_id=pl.lit(act_id)).to_dicts()
    if rows:
        session.execute(insert(DecisionRow), rows)
    _withdraw(session, over.to_list(), who, now)
    if rows:
        kinds = ", ".join(sorted(set(fresh["kind"])))
        details = {"act_id": act_id, "kind": kinds, "decisions": len(rows), "withdrawn": len(over)}
        audit(session, who, "decisions.recorded", details, now)
    outdated = len(older) + overruled.height
    stood = given.height - fresh.height - outdated
    return DecisionAct(act_id, len(rows), stood, len(over), outdated)


def listed(
    session: Session,
    *,
    withdrawn: bool,
    kind: DecisionKind | None = None,
    digests: frozenset[str] | None = None,
) -> pl.DataFrame:
    """DECISIONS, the earliest first: those that hold, or also withdrawn ones; `digests`: on one of these."""
    query = select(*(getattr(DecisionRow, name) for name in DECISIONS.names))
    query = query.where(*touching(digests, DecisionRow.member_digest, DecisionRow.keeper_digest))
    if not withdrawn:
        query = query.where(DecisionRow.withdrawn_at.is_(None))
    if kind is not None:
        query = query.where(DecisionRow.kind == str(kind))
    rows = [tuple(row) for row in session.execute(query.order_by(DecisionRow.decision_id))]
    found = pl.DataFrame(rows, schema=DECISIONS.polars, orient="row")
    if digests is None:
        return found
    wanted = list(digests)
    return found.filter(pl.col("member_digest").is_in(wanted) | pl.col("keeper_digest").is_in(wanted).fill_null(False))


def withdraw(
    session: Session, decision_ids: Iterable[int], act_ids: Iterable[str], who: str, now: datetime
) -> list[int]:
    """Withdraw decisions by their ids, and all of acts; the ids of those that held until now.

    Raises:
        UnknownNameError: There is no such decision or act; none is withdrawn.
    """
    asked, acts = sorted(set(decision_ids)), sorted(set(act_ids))
    held: list[int] = []
    found: set[int] = set()
    for start in range(0, len(asked), MOST_ASKED):
        query = select(DecisionRow.decision_id, DecisionRow.withdrawn_at)
        query = query.where(DecisionRow.decision_id.in_(asked[start : start + MOST_ASKED]))
        for decision_id, at in session.execute(query):
            found.add(decision_id)
            held += [decision_id] if at is None else []
    missing = [number for number in asked if number not in found]
    if missing:
        raise UnknownNameError(
            "decision", str(missing[0]), [], advice="`deeplens decide list` has the numbers of all that hold."
        )
    for act_id in acts:
        query = select(DecisionRow.decision_id, DecisionRow.withdrawn_at).where(DecisionRow.act_id == act_id)
        rows = session.execute(query).all()
        if not rows:
            raise UnknownNameError(
                "act of decisions", act_id, [], advice="`deeplens decide list` has the acts of all that hold."
            )
        held += [decision_id for decision_id, at in rows if at is None]
    ended = sorted(set(held))
    _withdraw(session, ended, who, now)
    if ended:
        audit(session, who, "decisions.withdrawn", {"decisions": len(ended), "first": ended[0]}, now)
    return ended


def version(session: Session) -> tuple[int, int]:
    """How many decisions there are and how many of them were withdrawn: both only ever grow."""
    query = select(func.count(), func.count(DecisionRow.withdrawn_at)).select_from(DecisionRow)
    every, ended = session.execute(query).one()
    return int(every), int(ended)


def _withdraw(session: Session, decision_ids: list[int], who: str, now: datetime) -> None:
    if decision_ids:
        rows = [{"decision_id": number, "withdrawn_at": now, "withdrawn_by": who} for number in decision_ids]
        session.execute(update(DecisionRow), rows)


def _marked(decisions: pl.DataFrame) -> pl.DataFrame:
    """Decisions with what tells whether two of them say the same (`_SAME`), and of which pair (`_ENDS`)."""
    keeper, member = pl.col("keeper_digest").fill_null(pl.col("member_digest")), pl.col("member_digest")
    # Only what is approved depends on which of the two stays.
    ordered = pl.col("kind") == str(DecisionKind.APPROVED)
    return decisions.with_columns(
        same_kind="kind",
        low=pl.min_horizontal(keeper, member),
        high=pl.max_horizontal(keeper, member),
        from_keeper=pl.when(ordered).then(pl.col("keeper_digest")),
    )


def _given(decisions: pl.DataFrame, who: str, now: datetime) -> pl.DataFrame:
    """What was given, checked, each decision once."""
    unknown = set(decisions.columns) - set(DECISIONS.names)
    if unknown:
        raise UnknownNameError("column of decisions", sorted(unknown)[0], DECISIONS.names)
    defaults = {"keeper_digest": None, "who": who, "at": now, "why": ""}
    columns = [
        pl.col(name).cast(DECISIONS.polars[name]).fill_null(pl.lit(value, DECISIONS.polars[name]))
        if name in decisions.columns
        else pl.lit(value, DECISIONS.polars[name]).alias(name)
        for name, value in defaults.items()
    ]
    given = decisions.with_columns(columns).select(_GIVEN)
    wrong = given.filter(~pl.col("kind").is_in([str(item) for item in DecisionKind]).fill_null(False))
    if wrong.height:
        raise UnknownNameError("kind of decision", str(wrong["kind"][0]), map(str, DecisionKind))
    single = pl.col("kind") == str(DecisionKind.NEVER_PROPOSE)
    check_digests(given, ["member_digest"])
    check_digests(given.filter(~single), ["keeper_digest"])
    if given.filter(single)["keeper_digest"].null_count() < given.filter(single).height:
        raise SettingsError("A decision never_propose is on one picture; leave keeper_digest empty.")
    for why in given["why"].unique():
        check_change(NoteChange(description=why))
    marked = _marked(given)
    return marked.sort("at", maintain_order=True).unique(_SAME, keep="last", maintain_order=True).select(_GIVEN)
