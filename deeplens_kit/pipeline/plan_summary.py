"""What a plan comes to, for its document: sums by location and tier, money, and what proving it reads.

Takes steps, what locations can do, their names and prices, gives JSON; must not change a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from deeplens_kit.actions import PlanPlace, PlanPrices, plan_totals, proof_by_location

__all__ = ["totals_of"]


def totals_of(
    steps: pl.DataFrame,
    places: Mapping[str, PlanPlace],
    names: Mapping[str, str],
    prices: PlanPrices | None,
    proof: str,
) -> dict[str, Any]:
    """Steps, bytes, frees_bytes, proof_bytes, groups, and lists by_location and proof.

    Args:
        steps: PLAN_STEPS.
        places: By id.
        names: Names of locations by id.
        prices: None for none.
        proof: "token" or "read", as in `settings.ActionSettings`.
    """
    book = prices.book if prices is not None else None
    return {
        "steps": steps.height,
        "bytes": int(steps["victim_size_bytes"].sum()),
        "frees_bytes": int(steps["frees_bytes"].sum()),
        "proof_bytes": int(steps["proof_bytes"].sum()),
        "groups": steps["group_id"].n_unique(),
        "by_location": plan_totals(steps, names, prices),
        "proof": proof_by_location(steps, places, book, read_all=proof == "read"),
    }
