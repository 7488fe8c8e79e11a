"""What became of each approval: in effect, or waiting for something, with the reason in words.

Takes DECISIONS and the stars that grouping made, gives APPROVALS; must not decide what is proposed. An approval says
that one picture may go for another. Which of the two stays, the keep policy says: an approval the other way round waits
until another policy is in use.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.decisions import decided_reason
from deeplens_kit.matching.policy import Withhold
from deeplens_kit.schemas import APPROVALS, DecisionKind

__all__ = ["approvals_of"]

_NO_MEMBER = "no active location has a file of the one that may go"
_NO_KEEPER = "no active location has a file of the one that stays"
_EQUAL = "the two are byte for byte the same: such files are proposed without an approval"
_OTHER_KEEPER = "by the keep policy {} the one that may go is the better keeper of the two"
_GOES_FOR_IT = _OTHER_KEEPER + ", and the other one goes for it"
_ELSEWHERE = "it goes for another keeper already"
_KEEPER_GOES = "the one that stays is proposed for another picture itself"
_TIERS = "copies are not among the tiers that were asked for"
_ASK = "{}; --include asks for it"


def approvals_of(
    decisions: pl.DataFrame | None,
    ranked: pl.DataFrame,
    edges: pl.DataFrame,
    taken: tuple[NDArray[np.int64], NDArray[np.bool_]],
    stored: pl.DataFrame,
    policy: str,
) -> pl.DataFrame:
    """APPROVALS: one row for each ordered pair that is approved.

    Args:
        decisions: DECISIONS; None for none.
        ranked: number and digest of the pictures that active files hold, in keeper order.
        edges: Copies: low and high (numbers), code (`Withhold`), decided_at.
        taken: int64 (n,), the keeper of each picture or -1; bool (n,), what is set aside with a crowd all the same.
        stored: digest_a and digest_b of the stored pairs, whatever they say.
        policy: Name of the keep policy by which `ranked` is ordered.
    """
    if decisions is None or decisions.is_empty():
        return APPROVALS.empty()
    approved = decisions.filter(
        pl.col("withdrawn_at").is_null() & (pl.col("kind") == str(DecisionKind.APPROVED))
    ).select("keeper_digest", "member_digest")
    if approved.is_empty():
        return APPROVALS.empty()
    numbers = ranked.select("digest", pl.col("number").cast(pl.Int64))
    found = approved.unique(maintain_order=True)
    for end in ("keeper", "member"):
        number = numbers.rename({"digest": f"{end}_digest", "number": end})
        found = found.join(number, on=f"{end}_digest", how="left", maintain_order="left")
    low, high = pl.min_horizontal("keeper", "member"), pl.max_horizontal("keeper", "member")
    ends = [pl.min_horizontal("keeper_digest", "member_digest"), pl.max_horizontal("keeper_digest", "member_digest")]
    keeper, aside = taken
    stars = pl.DataFrame({"keeper_of": keeper, "aside": aside}).with_row_index("member").cast({"member": pl.Int64})
    of_keeper = stars.select(keeper="member", goes_for="keeper_of")
    found = (
        found.with_columns(low=low, high=high, digest_a=ends[0], digest_b=ends[1])
        .join(edges.select("low", "high", "code", "decided_at"), on=["low", "high"], how="left", maintain_order="left")
        .join(stars, on="member", how="left", maintain_order="left")
        .join(of_keeper, on="keeper", how="left", maintain_order="left")
        .join(
            stored.select("digest_a", "digest_b", stored=pl.lit(True)).unique(),
            on=["digest_a", "digest_b"],
            how="left",
            maintain_order="left",
        )
    )
    return APPROVALS.check(found.select("keeper_digest", "member_digest", _stored(), waits=_waits(policy)))


def _stored() -> pl.Expr:
    equal = pl.col("keeper_digest") == pl.col("member_digest")
    return (pl.col("stored").fill_null(False) | equal).alias("stored")


def _waits(policy: str) -> pl.Expr:
    """Why an approval has no effect now; null where it has."""
    reason = decided_reason(pl.col("code"), pl.col("decided_at"))
    policies = [pl.lit(words.format(repr(policy))) for words in (_GOES_FOR_IT, _OTHER_KEEPER)]
    other_way = pl.col("member") < pl.col("keeper")
    return (
        pl.when(pl.col("member").is_null())
        .then(pl.lit(_NO_MEMBER))
        .when(pl.col("keeper").is_null())
        .then(pl.lit(_NO_KEEPER))
        .when(pl.col("keeper") == pl.col("member"))
        .then(pl.lit(_EQUAL))
        .when(other_way & (pl.col("goes_for") == pl.col("member")))
        .then(policies[0])
        .when(other_way)
        .then(policies[1])
        .when((pl.col("keeper_of") == pl.col("keeper")) & ~pl.col("aside"))
        .then(pl.lit(None, pl.String))
        .when(pl.col("code").is_null())
        .then(pl.lit(_TIERS))
        .when(pl.col("code") == int(Withhold.RELATION))
        .then(pl.lit(_ASK.format("its view relates to the keeper's in a way that is not proposed")))
        .when(pl.col("code") != int(Withhold.NO))
        .then(reason)
        .when(pl.col("goes_for") >= 0)
        .then(pl.lit(_KEEPER_GOES))
        .otherwise(pl.lit(_ELSEWHERE))
    )
