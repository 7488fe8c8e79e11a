"""What a plan saves a month, step by step, and what it comes to by location and tier.

Takes steps with the bytes that they free, and a price book; gives exact money as texts. Must not round, or take what
has no price for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from deeplens_kit.actions.plan_settling import vacated_bytes
from deeplens_kit.savings import PriceBook, exact, exact_text, monthly_cost, price_members, saving_of_removal
from deeplens_kit.schemas import ActionKind, tier_strength

__all__ = ["PlanPrices", "plan_totals", "with_money"]

_BY = ["victim_location_id", "victim_storage_class", "target_location_id", "target_class"]


@dataclass(frozen=True, slots=True)
class PlanPrices:
    """What storing costs.

    Attributes:
        book: The prices.
        names: Names of locations by id, as the book has them.
        now: From which the age of files counts, UTC.
    """

    book: PriceBook
    names: Mapping[str, str]
    now: datetime


def with_money(steps: pl.DataFrame, prices: PlanPrices | None) -> pl.DataFrame:
    """Steps with `money_per_month`, null where there is no price.

    What is moved costs where it goes; what changes its storage class saves the difference of the two, which may be
    less than nothing.

    Args:
        steps: Columns of PLAN_STEPS.
        prices: None for none.
    """
    if prices is None:
        return steps.with_columns(money_per_month=pl.lit(None, pl.String))
    classed = pl.col("action") == ActionKind.STORAGE_CLASS
    asked = steps.with_columns(
        target_class=pl.when(classed).then("target"),
        money_bytes=pl.when(classed).then("victim_size_bytes").otherwise(_vacated()),
    )
    # Prices hold for a byte, so that what a million files save is a million products.
    kinds = asked.select(_BY).unique().with_row_index("kind")
    per_byte = [_saved_per_byte(prices, *row[1:]) for row in kinds.iter_rows()]
    joined = asked.join(kinds, on=_BY, how="left", nulls_equal=True, maintain_order="left")
    sums = joined.select("kind", "money_bytes").unique()
    with exact():
        money = [
            None if (price := per_byte[kind]) is None else exact_text(price * size) for kind, size in sums.iter_rows()
        ]
    known = sums.with_columns(money_per_month=pl.Series(money, dtype=pl.String))
    told = joined.drop("money_per_month", strict=False).join(
        known, on=["kind", "money_bytes"], how="left", maintain_order="left"
    )
    return told.drop("target_class", "money_bytes", "kind")


def plan_totals(steps: pl.DataFrame, names: Mapping[str, str], prices: PlanPrices | None) -> list[dict[str, Any]]:
    """What the plan comes to, by location and tier: steps, bytes, frees_bytes, proof_bytes, and money with currency.

    Args:
        steps: PLAN_STEPS.
        names: Names of locations by id.
        prices: None for none.
    """
    sums = steps.group_by("victim_location_id", "tier").agg(
        steps=pl.len(),
        bytes=pl.col("victim_size_bytes").sum(),
        frees_bytes=pl.col("frees_bytes").sum(),
        proof_bytes=pl.col("proof_bytes").sum(),
        money=pl.col("money_per_month"),
    )
    once = _once(steps, prices)
    rows = []
    for row in sums.sort(tier_strength()).iter_rows(named=True):
        location_id, money = row.pop("victim_location_id"), [Decimal(text) for text in row.pop("money") if text]
        with exact():
            row["money_per_month"] = exact_text(sum(money, Decimal(0))) if money else None
        row["currency"] = prices.book.currency if prices is not None else None
        row["money_once"] = once.get((location_id, row["tier"]))
        rows.append({"location": names.get(location_id, location_id), **row})
    return sorted(rows, key=lambda row: str(row["location"]))


def _vacated() -> pl.Expr:
    """The bytes that are not paid for at the old place any more."""
    return pl.when(pl.col("action") == ActionKind.MOVE).then(vacated_bytes()).otherwise("frees_bytes")


def _saved_per_byte(
    prices: PlanPrices, location_id: str, storage_class: str | None, target_id: str | None, target_class: str | None
) -> Decimal | None:
    of_place = prices.book.of(prices.names.get(location_id, ""))
    with exact():
        if target_class is not None:
            now, then = (monthly_cost(of_place, name, 1) for name in (storage_class, target_class))
            return None if now is None or then is None else now - then
        saving = saving_of_removal(of_place, storage_class, 1, None)
        if saving is None or target_id is None:
            return None if saving is None else saving.per_month
        there = monthly_cost(prices.book.of(prices.names.get(target_id, "")), None, 1)
        return None if there is None else saving.per_month - there


def _once(steps: pl.DataFrame, prices: PlanPrices | None) -> dict[tuple[str, str | None], str | None]:
    """What minimum durations cost once, by location and tier: days that are paid for all the same."""
    if prices is None:
        return {}
    members = steps.filter(pl.col("action") != ActionKind.STORAGE_CLASS).select(
        "tier",
        frees_bytes=_vacated(),
        location_id="victim_location_id",
        storage_class="victim_storage_class",
        age_days=(pl.lit(prices.now) - pl.col("victim_modified_at")).dt.total_days(),
    )
    found = price_members(members.filter(pl.col("tier").is_not_null()), prices.names, prices.book)
    return {(row[0], row[1]): row[2] for row in found.select("location_id", "tier", "money_once").iter_rows()}
