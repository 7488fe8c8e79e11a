"""From groups to steps: which copies may be acted on, each with its keeper, and which are left out and why.

Takes groups, the objects of the catalog with what speaks against acting on them, and a request; gives PLAN_STEPS and
what was left out. Must not open a location or a store: the same frames give the same plan, in whatever order their rows
come. A keeper of any group is never acted on, so that no chain of steps can take what an earlier one relied on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from deeplens_kit.actions.left_out import LEFT_OUT, LeftOut, with_messages
from deeplens_kit.actions.plan_checks import check_plan, decided_against
from deeplens_kit.actions.plan_money import PlanPrices, with_money
from deeplens_kit.actions.plan_places import PlanPlace
from deeplens_kit.actions.plan_proof import with_proof_bytes
from deeplens_kit.actions.plan_refusals import refusal
from deeplens_kit.actions.plan_request import PlanRequest
from deeplens_kit.actions.plan_settling import limited, settled, with_freed_bytes
from deeplens_kit.schemas import GROUPS, PLAN_STEPS, ActionKind, tier_strength
from deeplens_kit.storage.paths import encode_path

__all__ = ["PlanDraft", "left_out_of", "ordered_steps", "plan_steps", "target_of"]

_VICTIM = {
    "victim_basis": "identity_basis",
    "victim_token": "change_token",
    "victim_modified_at": "modified_at",
    "victim_link_id": "link_id",
    "victim_link_count": "link_count",
    "victim_storage_class": "storage_class",
    "victim_held_digest": "digest",
}
_KEEPER = {
    "keeper_basis": "identity_basis",
    "keeper_token": "change_token",
    "keeper_link_id": "link_id",
    "keeper_held_digest": "digest",
}


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """A plan that is not saved.

    Attributes:
        steps: PLAN_STEPS, in the order of acting.
        left_out: LEFT_OUT: members of groups that are no step.
    """

    steps: pl.DataFrame
    left_out: pl.DataFrame


def plan_steps(
    groups: pl.DataFrame,
    objects: pl.DataFrame,
    request: PlanRequest,
    places: Mapping[str, PlanPlace],
    *,
    families: pl.DataFrame | None = None,
    decisions: pl.DataFrame | None = None,
    dropped: pl.Series | None = None,
    prices: PlanPrices | None = None,
) -> PlanDraft:
    """Make the steps of a plan.

    Args:
        groups: GROUPS.
        objects: OBJECTS of active locations; further columns `protected` and `held` (Boolean) say what a keep policy
            and a hold speak against.
        request: What is asked.
        places: What the locations can do, by id; one that is not among them is closed.
        families: FAMILIES of these objects; None for none.
        decisions: DECISIONS; groups follow them already, and here they are asked once more. None for none.
        dropped: Ids of objects that a person dropped from an earlier plan.
        prices: For `money_per_month`; None for no price.

    Raises:
        PlanError: The groups would make steps that contradict each other, see `check_plan`.
    """
    # 1. Every member with its keeper, and what speaks against acting on it.
    members = _members(groups, objects, request, places, families)
    gone = pl.Series([], dtype=pl.String) if dropped is None else dropped
    members = members.with_columns(
        decided=decided_against(members, decisions), dropped=pl.col("object_id").is_in(gone.implode())
    )
    keepers = groups.filter("is_keeper")["object_id"].unique()
    judged = members.with_columns(code=refusal(request, places, keepers))
    left = [judged.filter(pl.col("code").is_not_null())]
    # 2. Each once, by its strongest evidence; then what holds together.
    free = judged.filter(pl.col("code").is_null()).drop("code")
    order = [tier_strength(), pl.col("score"), pl.col("group_id")]
    free = free.sort(order, descending=[False, True, False]).unique("object_id", keep="first", maintain_order=True)
    sizes = _family_sizes(families)
    kept, out = settled(free, sizes)
    left.append(out)
    if request.limit is not None and kept.height > request.limit:
        kept, out = limited(ordered_steps(kept), request.limit)
        left.append(out)
        kept, out = settled(kept, sizes)
        left.append(out)
    # 3. In the order of acting, with what each frees, saves and asks to be read.
    steps = with_freed_bytes(ordered_steps(kept))
    steps = with_proof_bytes(with_money(steps, prices), places, read_all=request.proof == "read")
    steps = PLAN_STEPS.check(steps.select(PLAN_STEPS.names))
    check_plan(steps)
    return PlanDraft(steps, left_out_of(left, kept["object_id"]))


def ordered_steps(steps: pl.DataFrame) -> pl.DataFrame:
    """Steps in the order of acting, numbered: the strongest evidence first, families and groups side by side.

    Args:
        steps: Columns of PLAN_STEPS but `step`, or with numbers that are given anew; more are kept.
    """
    unit = pl.col("group_id").min().over(pl.coalesce("together", pl.col("group_id"))).fill_null("")
    order = [tier_strength(), unit, pl.col("together"), pl.col("victim_location_id"), pl.col("victim_path")]
    kept = steps.drop("step", strict=False).sort(order, nulls_last=False)
    return kept.with_columns(step=pl.int_range(pl.len(), dtype=pl.Int64))


def _members(
    groups: pl.DataFrame,
    objects: pl.DataFrame,
    request: PlanRequest,
    places: Mapping[str, PlanPlace],
    families: pl.DataFrame | None,
) -> pl.DataFrame:
    """Members of groups with the columns of PLAN_STEPS that do not depend on the others."""
    groups = groups.select(GROUPS.names)
    named = ["location_id", "path", "digest", "size_bytes"]
    keepers = groups.filter("is_keeper").select(
        "group_id", keeper_object_id="object_id", **{f"keeper_{name}": pl.col(name) for name in named}
    )
    against = [
        pl.col(name).fill_null(False) if name in objects.columns else pl.lit(False).alias(name)
        for name in ("protected", "held")
    ]
    victim_facts = objects.select("object_id", *against, **{name: pl.col(at) for name, at in _VICTIM.items()})
    keeper_facts = objects.select(keeper_object_id="object_id", **{name: pl.col(at) for name, at in _KEEPER.items()})
    members = (
        groups.filter(~pl.col("is_keeper"))
        .rename({name: f"victim_{name}" for name in named})
        .drop("is_keeper", "frees_bytes")
        .join(keepers, on="group_id", how="left")
        .join(victim_facts, on="object_id", how="left")
        .join(keeper_facts, on="keeper_object_id", how="left")
    )
    if families is None:
        members = members.with_columns(together=pl.lit(None, pl.String))
    else:
        members = members.join(families.select("object_id", together="family_id"), on="object_id", how="left")
    return members.with_columns(
        action=pl.lit(str(request.action)),
        rule=pl.lit(request.rule),
        target_location_id=pl.lit(request.target_location_id, pl.String),
        target=target_of(request, places),
    )


def target_of(request: PlanRequest, places: Mapping[str, PlanPlace]) -> pl.Expr:
    """Where a moved file goes: the path that it has, in a folder named as the location that it comes from."""
    if request.action != ActionKind.MOVE:
        return pl.lit(request.target or None, pl.String)
    folder = request.target.strip("/")
    parts = [pl.lit(folder)] if folder else []
    # A location may be called ".." by people; a folder may not.
    named = {place_id: encode_path(place.name) for place_id, place in places.items() if place.name.strip(".")}
    source = pl.col("victim_location_id").replace_strict(named, default=pl.col("victim_location_id"))
    return pl.concat_str(*parts, source, "victim_path", separator="/")


def _family_sizes(families: pl.DataFrame | None) -> dict[str, int]:
    if families is None:
        return {}
    return dict(families.group_by("family_id").len().iter_rows())


def left_out_of(parts: list[pl.DataFrame], kept: pl.Series) -> pl.DataFrame:
    """LEFT_OUT, each object once: of several groups by that in which it came nearest to being a step."""
    columns = {"location_id": "victim_location_id", "path": "victim_path", "size_bytes": "victim_size_bytes"}
    rows = pl.concat(
        [part.select("object_id", **{name: pl.col(at) for name, at in columns.items()}, tier="tier", code="code")
         for part in parts]
    )  # fmt: skip
    rows = rows.filter(~pl.col("object_id").is_in(kept.implode()))
    order = {str(code): -at for at, code in enumerate(LeftOut)}
    nearest = pl.col("code").replace_strict(order, return_dtype=pl.Int32)
    first = rows.sort(nearest, tier_strength(), "object_id").unique("object_id", keep="first", maintain_order=True)
    return LEFT_OUT.check(with_messages(first).select(LEFT_OUT.names).sort("location_id", "path"))
