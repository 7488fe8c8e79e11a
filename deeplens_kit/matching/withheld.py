"""What matches and is not proposed, as rows: copies that nobody took, crowds, and equal files that stay.

Takes pictures in keeper order with the edges between them and who was taken, gives WITHHELD with the reasons in words;
must not decide what is withheld.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.decisions import decided_reason
from deeplens_kit.matching.policy import Withhold
from deeplens_kit.schemas import WITHHELD, Tier

__all__ = ["equal_files_stay", "withheld_copies", "withheld_equal"]


def equal_files_stay(held: pl.DataFrame) -> pl.Series:
    """Objects that do not go for an equal one: what they belong with stays, or a policy or a person keeps them.

    Args:
        held: Columns pinned, stays, protected and alone, as `family_copies`, `held_objects` and
            `Decisions.on_pictures` give them.
    """
    return (held["pinned"] & held["stays"]) | held["protected"] | (held["alone"] > 0)


def withheld_copies(ranked: pl.DataFrame, edges: pl.DataFrame, keeper: NDArray[np.int64]) -> pl.DataFrame:
    """Copies that nobody took, and those that are set aside with a crowd, each with the best object of its picture.

    Args:
        ranked: digest, object_id and companion of each picture, by number in keeper order.
        edges: Copies: low and high (numbers), code (`Withhold`), decided_at, tier, score.
        keeper: int64 (n,), the keeper of each picture, set aside or not, or -1.

    Returns:
        WITHHELD.
    """
    low, high = edges["low"].to_numpy(), edges["high"].to_numpy()
    codes = edges["code"].to_numpy()
    left_out = (codes > 0) & (codes != Withhold.RELATION) & (keeper[low] < 0) & (keeper[high] < 0)
    left_out |= codes == Withhold.CROWD
    rows = edges.filter(pl.Series(left_out, dtype=pl.Boolean))
    keepers, members = ranked[rows["low"].to_numpy()], ranked[rows["high"].to_numpy()]
    by_family = rows["code"] == Withhold.FAMILY
    return rows.select(
        keeper_digest=keepers["digest"],
        digest=members["digest"],
        tier="tier",
        score="score",
        reason=decided_reason(pl.col("code"), pl.col("decided_at")),
        companion=pl.when(by_family).then(members["companion"]),
        object_id=members["object_id"],
        keeper_object_id=keepers["object_id"],
    )


def withheld_equal(held: pl.DataFrame) -> pl.DataFrame:
    """Equal files that stay, beside the one that would be kept.

    Args:
        held: Objects in keeper order with what `equal_files_stay` looks at, number, alone_at and companion.

    Returns:
        WITHHELD.
    """
    stays = equal_files_stay(held)
    keeper = pl.col("object_id").first().over("number")
    by_family = pl.col("pinned") & pl.col("stays") & (pl.col("alone") == 0)
    code = (
        pl.when(pl.col("alone") > 0)
        .then("alone")
        .when(by_family)
        .then(int(Withhold.FAMILY))
        .otherwise(int(Withhold.PROTECTED))
    )
    return (
        held.with_columns(keeper_object_id=keeper)
        .filter(stays & (pl.col("object_id") != pl.col("keeper_object_id")))
        .select(
            "digest",
            "object_id",
            "keeper_object_id",
            companion=pl.when(by_family).then("companion"),
            keeper_digest="digest",
            tier=pl.lit(str(Tier.BYTES)),
            score=pl.lit(1.0, pl.Float32),
            reason=decided_reason(code, pl.col("alone_at")),
        )
        .select(WITHHELD.names)
    )
