"""Which steps hold together: all names of a file, and all files of a family, or none.

Takes steps of which each by itself may be done, gives those that remain, and the others with a code; must not add a
step. Leaving one out may leave a file with a name, or a family with a member: the rest of them is left out too.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from deeplens_kit.actions.left_out import LeftOut
from deeplens_kit.schemas import ActionKind

__all__ = ["limited", "settled", "vacated_bytes", "with_freed_bytes"]

_FILE = ["victim_link_id", "victim_digest"]
# What leaves a file where it is, and frees nothing there.
_STAYING = [
    str(action) for action in (ActionKind.STORAGE_CLASS, ActionKind.CREATE, ActionKind.REWRITE, ActionKind.RELINK)
]


def settled(steps: pl.DataFrame, family_sizes: Mapping[str, int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The steps that can be done as they are, and those that cannot.

    Args:
        steps: Columns of PLAN_STEPS; more are kept.
        family_sizes: How many files each family of `together` has, all of which have to be steps.

    Returns:
        The steps that remain, in the order given, and the others with `code`.
    """
    left: list[pl.DataFrame] = []
    sizes = pl.DataFrame(
        {"together": list(family_sizes), "family_files": list(family_sizes.values())},
        schema={"together": pl.String(), "family_files": pl.Int64()},
    )
    whole = steps.join(sizes, on="together", how="left", maintain_order="left")
    while True:
        code = (
            pl.when(_is_linked() & (_names() < _names_in_all()))
            .then(pl.lit(str(LeftOut.LINKS)))
            # More names than the file has: it is met twice, and which of them is which nobody knows.
            .when(_is_linked() & (_names() > _names_in_all()))
            .then(pl.lit(str(LeftOut.SAME_FILE)))
            .when(pl.col("together").is_not_null() & (pl.len().over("together") < pl.col("family_files").fill_null(0)))
            .then(pl.lit(str(LeftOut.TOGETHER)))
        )
        judged = whole.with_columns(code=code)
        out = judged.filter(pl.col("code").is_not_null())
        if out.is_empty():
            break
        left.append(out)
        whole = judged.filter(pl.col("code").is_null()).drop("code")
    empty = whole.clear().with_columns(code=pl.lit(None, pl.String))
    return whole.drop("family_files"), pl.concat([empty, *left]).drop("family_files")


def limited(steps: pl.DataFrame, most: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """So many steps at most: whole families and files, those that free most first.

    Args:
        steps: As `settled` gives them, with object_id.
        most: Steps, >= 1.

    Returns:
        The steps that remain, and the others with `code`.
    """
    file = pl.when(pl.col("victim_link_count") > 1).then(pl.concat_str(*_FILE, separator=" "))
    units = steps.with_columns(frees_bytes=vacated_bytes(), unit=pl.coalesce("together", file, "object_id"))
    ranked = (
        units.group_by("unit")
        .agg(files=pl.len(), frees=pl.col("frees_bytes").sum())
        .filter(pl.col("files") <= most)
        .sort("frees", "unit", descending=[True, False])
        .filter(pl.col("files").cum_sum() <= most)
    )
    inside = units["unit"].is_in(ranked["unit"].implode())
    return steps.filter(inside), steps.filter(~inside).with_columns(code=pl.lit(str(LeftOut.LIMIT)))


def with_freed_bytes(steps: pl.DataFrame) -> pl.DataFrame:
    """Steps with `frees_bytes`: of a file with several names the first step has all of it; what is moved frees nothing.

    Args:
        steps: In the order of acting, as `settled` gives them.
    """
    # Its bytes are as many where it goes.
    frees = pl.when(pl.col("action") == ActionKind.MOVE).then(0).otherwise(vacated_bytes())
    return steps.with_columns(frees_bytes=frees.cast(pl.Int64))


def vacated_bytes() -> pl.Expr:
    """What comes free at the old place of a file, whatever is taken elsewhere; of steps in the order of acting."""
    linked = pl.col("victim_link_id").is_not_null() & (pl.col("victim_link_count") > 1)
    first = pl.int_range(pl.len()).over(_FILE) == 0
    stays = pl.col("action").is_in(_STAYING)
    return pl.when(stays | (linked & ~first)).then(0).otherwise("victim_size_bytes")


def _is_linked() -> pl.Expr:
    several = (pl.col("victim_link_count") > 1) | (_names() > 1)
    return pl.col("victim_link_id").is_not_null() & several & ~pl.col("action").is_in(_STAYING)


def _names() -> pl.Expr:
    return pl.len().over(_FILE)


def _names_in_all() -> pl.Expr:
    return pl.col("victim_link_count").max().over(_FILE)
