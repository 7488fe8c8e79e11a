"""Related pictures: copies in part, a collage and what is in it, which are told of and not proposed.

Takes the copies between pictures and who was taken, gives what is related and in words how; must not judge.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching.policy import Withhold
from deeplens_kit.matching.view_words import seen_from_keeper, view_sentences
from deeplens_kit.schemas import RELATED, Relation

__all__ = ["related_copies"]


def related_copies(ranked: pl.DataFrame, edges: pl.DataFrame, keeper: NDArray[np.int64]) -> pl.DataFrame:
    """Copies whose relation is not proposed, between pictures that nobody took; what holds more comes first.

    Args:
        ranked: digest and object_id of each picture, by number in keeper order.
        edges: Copies with the columns of PAIRS that `view_words` looks at, low and high (numbers), swapped (b is
            `low`) and code (`Withhold`).
        keeper: int64 (n,), the keeper of each picture or -1.

    Returns:
        RELATED, the strongest first.
    """
    low, high = edges["low"].to_numpy(), edges["high"].to_numpy()
    left_out = (edges["code"].to_numpy() == Withhold.RELATION) & (keeper[low] < 0) & (keeper[high] < 0)
    rows = edges.filter(pl.Series(left_out, dtype=pl.Boolean))
    # Of a part and its whole the whole holds more; else that of which less is seen in the other picture.
    a_holds = (
        pl.when(pl.col("relation") == Relation.COMPOSITE)
        .then((pl.col("covered_a") < pl.col("covered_b")).fill_null(pl.col("swapped")))
        .otherwise(pl.col("relation") == Relation.CONTAINS)
    )
    rows = rows.with_columns(a_holds=a_holds)
    low_holds = (rows["a_holds"] != rows["swapped"]).to_numpy()
    low, high = rows["low"].to_numpy(), rows["high"].to_numpy()
    first, other = ranked[np.where(low_holds, low, high)], ranked[np.where(low_holds, high, low)]
    views = rows.select(seen_from_keeper(pl.col("a_holds")))
    found = rows.select(
        "tier",
        "score",
        digest=first["digest"],
        other_digest=other["digest"],
        relation=views["relation"],
        reason=view_sentences(views, "the other").fill_null(""),
        object_id=first["object_id"],
        other_object_id=other["object_id"],
    )
    return RELATED.check(found.sort("score", "digest", "other_digest", descending=[True, False, False]))
