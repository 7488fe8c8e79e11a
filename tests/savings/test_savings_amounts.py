"""Savings: sums that add up, and never more freed than is there."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from deeplens_kit.savings import SAVINGS, savings, total
from deeplens_kit.schemas import GROUPS

MEMBER = st.fixed_dictionaries(
    {
        "location_id": st.sampled_from(["disk", "share"]),
        "tier": st.sampled_from(["bytes", "copy"]),
        "is_keeper": st.booleans(),
        "size_bytes": st.integers(0, 2**40),
        "freed": st.booleans(),
    }
)


def groups_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    full = [
        {
            "group_id": "g", "object_id": str(at), "location_id": row["location_id"], "path": str(at), "digest": "d",
            "is_keeper": row["is_keeper"], "tier": row["tier"], "relation": "whole", "score": 1.0,
            "size_bytes": row["size_bytes"],
            "frees_bytes": row["size_bytes"] if row["freed"] and not row["is_keeper"] else 0, "reason": "",
        }
        for at, row in enumerate(rows)
    ]  # fmt: skip
    return pl.DataFrame(full, schema=GROUPS.polars)


@given(st.lists(MEMBER, max_size=20))
def test_locations_add_up_to_the_members(rows: list[dict[str, object]]) -> None:
    groups = groups_of(rows)
    amounts = SAVINGS.check(savings(groups))
    members = groups.filter(~pl.col("is_keeper"))
    assert total(amounts).row(0) == (members.height, members["size_bytes"].sum(), members["frees_bytes"].sum())
    assert (amounts["realisable_bytes"] <= amounts["gross_bytes"]).all()
    assert amounts.select("location_id", "tier").is_unique().all()


@given(st.lists(MEMBER, max_size=20), st.randoms())
def test_the_order_of_input_does_not_matter(rows: list[dict[str, object]], random: object) -> None:
    groups = groups_of(rows)
    assert savings(groups).equals(savings(groups.sample(fraction=1.0, shuffle=True, seed=1)))


def test_one_location_and_tier_in_figures() -> None:
    rows: list[dict[str, object]] = [
        {"location_id": "disk", "tier": "copy", "is_keeper": True, "size_bytes": 900, "freed": False},
        {"location_id": "disk", "tier": "copy", "is_keeper": False, "size_bytes": 100, "freed": True},
        {"location_id": "disk", "tier": "copy", "is_keeper": False, "size_bytes": 50, "freed": False},
        {"location_id": "share", "tier": "bytes", "is_keeper": False, "size_bytes": 7, "freed": True},
    ]
    assert savings(groups_of(rows)).rows() == [("disk", "copy", 2, 150, 100), ("share", "bytes", 1, 7, 7)]


def test_no_groups_waste_nothing() -> None:
    assert total(savings(GROUPS.empty())).row(0) == (0, 0, 0)
