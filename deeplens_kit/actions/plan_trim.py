"""A plan with fewer steps, as a person wants it.

Takes the steps of a plan and which of them stay, gives the steps that can be done without the others; must not add a
step or change what one does. Files that belong together, and names of one file, are dropped with each other.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from deeplens_kit.actions.plan_checks import check_plan
from deeplens_kit.actions.plan_money import PlanPrices, with_money
from deeplens_kit.actions.plan_settling import settled, with_freed_bytes
from deeplens_kit.errors import PlanError
from deeplens_kit.schemas import PLAN_STEPS
from deeplens_kit.storage.paths import display_path

__all__ = ["chosen_steps", "steps_of_rows", "trimmed"]


def chosen_steps(
    steps: pl.DataFrame,
    *,
    drop: Collection[int] = (),
    drop_groups: Collection[str] = (),
    only_locations: Collection[str] = (),
    keep: Collection[int] | None = None,
) -> pl.DataFrame:
    """The steps that stay when others are dropped by hand.

    Args:
        steps: PLAN_STEPS.
        drop: Numbers of steps.
        drop_groups: Ids of groups, or how they begin.
        only_locations: Ids of locations; steps on files elsewhere are dropped. Empty: no matter where.
        keep: Numbers of the steps that alone may stay; None for all.

    Raises:
        PlanError: There is no such step or group.
    """
    known = set(steps["step"].to_list())
    if wrong := sorted({*drop, *(keep or ())} - known):
        raise PlanError(f"The plan has no step {wrong[0]}; its steps are numbered from 0 to {steps.height - 1:,}.")
    stays = ~pl.col("step").is_in(list(drop))
    for begins in drop_groups:
        of_group = pl.col("group_id").str.starts_with(begins).fill_null(False)
        if not begins or steps.filter(of_group).is_empty():
            raise PlanError(f"The plan has no group {begins!r}; `deeplens plan show` names them.")
        stays &= ~of_group
    if only_locations:
        stays &= pl.col("victim_location_id").is_in(list(only_locations))
    if keep is not None:
        stays &= pl.col("step").is_in(list(keep))
    return steps.filter(stays)


def steps_of_rows(steps: pl.DataFrame, rows: pl.DataFrame) -> list[int]:
    """Numbers of the steps that an edited export still names.

    Args:
        steps: PLAN_STEPS of the plan.
        rows: Of the export, the columns step, victim_location_id and victim_path at least.

    Raises:
        PlanError: A row names what is no step of the plan: trimming adds nothing.
    """
    known = ["step", "victim_location_id", "victim_path"]
    if missing := [name for name in known if name not in rows.columns]:
        raise PlanError(f"The file has no column {missing[0]!r}; edit what `deeplens plan export` wrote, rows alone.")
    named = rows.select(known).unique().with_columns(pl.col("step").cast(pl.Int64, strict=False))
    strange = named.join(steps, on=known, how="anti")
    if strange.height:
        step, _, path = strange.sort("step", "victim_path").row(0)
        raise PlanError(
            f"The file names step {step} on {display_path(path or '')!r}, which the plan does not have; rows can be "
            "taken out of an export, not changed or added."
        )
    return [int(step) for step in named["step"]]


def trimmed(steps: pl.DataFrame, chosen: pl.DataFrame, prices: PlanPrices | None) -> pl.DataFrame:
    """The chosen steps of a plan that can be done by themselves, in their order and numbered anew: PLAN_STEPS.

    Args:
        steps: PLAN_STEPS of the plan, of which families and names of files are whole.
        chosen: Some of them.
        prices: As the plan was made with; money is told anew where a file's bytes go to another step.
    """
    sizes = dict(steps.drop_nulls("together").group_by("together").len().iter_rows())
    kept, _ = settled(chosen.sort("step"), sizes)
    ordered = with_freed_bytes(kept.with_columns(step=pl.int_range(pl.len(), dtype=pl.Int64)))
    priced = with_money(ordered, prices) if prices is not None else ordered
    result = PLAN_STEPS.check(priced.select(PLAN_STEPS.names))
    check_plan(result)
    return result
