"""Decisions as people read them: with a file of each picture, and of each approval whether it waits and why.

Takes DECISIONS, files, and what grouping says of approvals, gives frames; must not group or decide.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.schemas import APPROVALS

__all__ = ["WAITING", "approvals_on", "with_files", "with_waits"]

_PAIR = ["keeper_digest", "member_digest"]
WAITING = ("stored", "waits")
"""What APPROVALS says of a pair."""


def with_files(decisions: pl.DataFrame, files: pl.DataFrame) -> pl.DataFrame:
    """The rows with `keeper` and `member`: a file of each picture as "location:path", null where none is left.

    Args:
        decisions: With keeper_digest (may be null) and member_digest. Of an equal pair the two are different files.
        files: As `active_files` gives them.
    """
    wanted = pl.concat([decisions[name] for name in _PAIR]).drop_nulls().unique()
    named = files.filter(pl.col("digest").is_in(wanted.implode())).select(
        "digest",
        file=pl.format("{}:{}", "location", "path"),
        number=pl.int_range(pl.len(), dtype=pl.Int64).over("digest"),
    )
    asked = decisions.with_columns(
        keeper_number=pl.lit(0, pl.Int64),
        member_number=(pl.col("keeper_digest") == pl.col("member_digest")).fill_null(False).cast(pl.Int64),
    )
    for end in ("keeper", "member"):
        names = {"digest": f"{end}_digest", "file": end, "number": f"{end}_number"}
        asked = asked.join(
            named.rename(names), on=[f"{end}_digest", f"{end}_number"], how="left", maintain_order="left"
        )
    return asked.drop("keeper_number", "member_number")


def with_waits(decisions: pl.DataFrame, approvals: pl.DataFrame) -> pl.DataFrame:
    """The rows with `stored` and `waits` of APPROVALS; null for what is no approval that holds.

    Args:
        decisions: With keeper_digest and member_digest, and of DECISIONS kind and withdrawn_at where there are such.
        approvals: APPROVALS of the same workspace.
    """
    holds = pl.lit(True)
    if "kind" in decisions.columns:
        holds &= pl.col("kind") == "approved"
    if "withdrawn_at" in decisions.columns:
        holds &= pl.col("withdrawn_at").is_null()
    joined = decisions.join(APPROVALS.check(approvals), on=_PAIR, how="left", maintain_order="left")
    return joined.with_columns(pl.when(holds).then(name).alias(name) for name in WAITING)


def approvals_on(
    decisions: pl.DataFrame, approvals: pl.DataFrame, files: pl.DataFrame, digests: pl.Series
) -> pl.DataFrame:
    """Approvals on some pictures that wait: keeper, member, who, at, why, waits, keeper_digest, member_digest.

    Args:
        decisions: DECISIONS.
        approvals: APPROVALS.
        files: As for `with_files`.
        digests: Of pairs in which one of these is.
    """
    wanted = list(digests.drop_nulls().unique())
    waiting = approvals.filter(
        pl.col("waits").is_not_null() & (pl.col("keeper_digest").is_in(wanted) | pl.col("member_digest").is_in(wanted))
    )
    said = decisions.filter((pl.col("kind") == "approved") & pl.col("withdrawn_at").is_null())
    found = said.join(waiting, on=_PAIR, maintain_order="left")
    return with_files(found, files).select("keeper", "member", "who", "at", "why", "waits", *_PAIR)
