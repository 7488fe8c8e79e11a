"""What tells two plans apart: files acted on by one alone, and those for which something changed.

Takes the steps of both, gives a row for each difference; must not judge which is right. A step is known by its file,
not by its number.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.schemas import PLAN_STEPS, Column, TableSchema
from deeplens_kit.schemas.kinds import INT, TEXT

__all__ = ["PLAN_DIFF", "diff_steps"]

PLAN_DIFF = TableSchema(
    "plan_diff",
    (
        Column("change", TEXT, "added, gone or changed"),
        Column("victim_location_id", TEXT, "the location of the file that is acted on"),
        Column("victim_path", TEXT, "its path there, encoded"),
        Column("what", TEXT, "of a changed step what changed: action, keeper, tier, bytes ..., joined by ', '"),
        Column("step_before", INT, "number in the first plan", nullable=True),
        Column("step_after", INT, "number in the second plan", nullable=True),
        Column("action_before", TEXT, "an ActionKind", nullable=True),
        Column("action_after", TEXT, "an ActionKind", nullable=True),
        Column("tier_before", TEXT, "a Tier", nullable=True),
        Column("tier_after", TEXT, "a Tier", nullable=True),
        Column("keeper_location_id_before", TEXT, "location of the keeper", nullable=True),
        Column("keeper_path_before", TEXT, "path of the keeper, encoded", nullable=True),
        Column("keeper_location_id_after", TEXT, "location of the keeper", nullable=True),
        Column("keeper_path_after", TEXT, "path of the keeper, encoded", nullable=True),
        Column("frees_bytes_before", INT, "bytes", nullable=True),
        Column("frees_bytes_after", INT, "bytes", nullable=True),
    ),
    key=("victim_location_id", "victim_path"),
)

_FILE = ["victim_location_id", "victim_path"]
_COMPARED = ("action", "tier", "keeper_location_id", "keeper_path", "frees_bytes")
# What may change of a step, by what people call it.
_WHAT = {
    "action": ("action", "target_location_id", "target"),
    "keeper": ("keeper_location_id", "keeper_path"),
    "keeper's content": ("keeper_digest", "keeper_token"),
    "content": ("victim_digest", "victim_token"),
    "tier": ("tier",),
    "relation": ("relation",),
    "bytes": ("victim_size_bytes", "frees_bytes"),
    "together": ("together",),
}


def diff_steps(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Every difference between two plans.

    Args:
        before: PLAN_STEPS of the first.
        after: PLAN_STEPS of the second.

    Returns:
        PLAN_DIFF, by change and file; steps that are the same are not in it.
    """
    sides = [PLAN_STEPS.check(steps).with_columns(there=pl.lit(True)) for steps in (before, after)]
    joined = sides[0].join(sides[1], on=_FILE, how="full", suffix="_after", coalesce=True)
    joined = joined.rename({"step": "step_before", **{name: f"{name}_before" for name in _COMPARED}})
    both = pl.col("there").fill_null(False) & pl.col("there_after").fill_null(False)
    changed = [
        pl.when(pl.any_horizontal([_differs(joined, name) for name in names])).then(pl.lit(words))
        for words, names in _WHAT.items()
    ]
    what = pl.when(both).then(pl.concat_str(changed, separator=", ", ignore_nulls=True)).otherwise(pl.lit(""))
    change = (
        pl.when(both)
        .then(pl.lit("changed"))
        .when(pl.col("there").is_null())
        .then(pl.lit("added"))
        .otherwise(pl.lit("gone"))
    )
    rows = joined.with_columns(change=change, what=what).filter(~both | (pl.col("what") != ""))
    return PLAN_DIFF.check(rows.select(PLAN_DIFF.names).sort("change", *_FILE))


def _differs(joined: pl.DataFrame, name: str) -> pl.Expr:
    before = f"{name}_before" if f"{name}_before" in joined.columns else name
    return pl.col(before).ne_missing(pl.col(f"{name}_after"))
