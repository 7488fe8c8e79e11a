"""What has to be read to prove the digests of a plan's files, and what that costs.

Takes steps and what locations prove by their tokens, gives bytes of each step, and sums with money by location; must
not read anything. An unchanged strong token under which the bytes were read costs nothing; all else is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from deeplens_kit.actions.plan_places import PlanPlace, proven_by_token
from deeplens_kit.savings import PriceBook, cost_of_reading, exact_text

__all__ = ["proof_by_location", "with_proof_bytes"]


def with_proof_bytes(steps: pl.DataFrame, places: Mapping[str, PlanPlace], *, read_all: bool) -> pl.DataFrame:
    """Steps with `proof_bytes`.

    Args:
        steps: Columns of PLAN_STEPS.
        places: By id.
        read_all: Read also what a token proves.
    """
    both = [_read("victim", places, read_all), _read("keeper", places, read_all)]
    return steps.with_columns(proof_bytes=pl.sum_horizontal(both).cast(pl.Int64))


def proof_by_location(
    steps: pl.DataFrame, places: Mapping[str, PlanPlace], book: PriceBook | None, *, read_all: bool
) -> list[dict[str, Any]]:
    """What proving reads at each location: location, objects, bytes, and money with currency where there are prices.

    Args:
        steps: PLAN_STEPS.
        places: By id.
        book: The prices; None for none.
        read_all: As for `with_proof_bytes`.
    """
    reads = pl.concat(
        [
            steps.select(
                location_id=f"{end}_location_id",
                storage_class="victim_storage_class" if end == "victim" else pl.lit(None, pl.String),
                read_bytes=_read(end, places, read_all),
            )
            for end in ("victim", "keeper")
        ]
    ).filter(pl.col("read_bytes") > 0)
    sums = reads.group_by("location_id", "storage_class").agg(objects=pl.len(), read_bytes=pl.col("read_bytes").sum())
    rows = []
    for location_id, storage_class, objects, read_bytes in sums.sort("location_id", "storage_class").iter_rows():
        name = places[location_id].name if location_id in places else location_id
        prices = book.of(name) if book is not None else None
        cost = cost_of_reading(prices, objects=objects, read_bytes=read_bytes, storage_class=storage_class)
        money = None if cost.money is None else exact_text(cost.money)
        rows.append(
            {
                "location": name,
                "storage_class": storage_class,
                "objects": objects,
                "bytes": read_bytes,
                "money": money,
                "currency": cost.currency,
            }
        )
    return rows


def _read(end: str, places: Mapping[str, PlanPlace], read_all: bool) -> pl.Expr:
    size = pl.col(f"{end}_size_bytes").fill_null(0)
    return size if read_all else pl.when(proven_by_token(end, places)).then(0).otherwise(size)
