"""What a removed copy loses: facts that its file tells and the keeper's does not.

Takes what is known of pictures, gives a number that names the facts which each file tells, and sentences on those that
one has and another lacks; must not decide what may go. Resolution is not among them: a keeper never resolves less.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

__all__ = ["TOLD_BITS", "TOLD_COLUMNS", "loss_words", "told"]

_TOLD: tuple[tuple[str, str], ...] = (
    ("taken_at", "when it was taken"),
    ("dated_at", "its date"),
    ("taken_at_utc", "its time zone"),
    ("camera", "the camera"),
    ("gps_latitude", "where it was taken"),
    ("has_icc", "its colour profile"),
)

TOLD_BITS = len(_TOLD)
"""How many facts there are."""

TOLD_COLUMNS = tuple(name for name, _ in _TOLD)
"""Columns of `pictures` with these facts; any may be missing, which counts as not told."""


def told(columns: Collection[str]) -> pl.Expr:
    """The facts that a file tells, a bit each, Int32.

    Args:
        columns: Of the frame, as PICTURES has them.
    """
    bits = [pl.lit(0, pl.Int32)]
    for at, name in enumerate(TOLD_COLUMNS):
        if name in columns:
            known = pl.col(name).fill_null(False) if name == "has_icc" else pl.col(name).is_not_null()
            bits.append(known.cast(pl.Int32) * (1 << at))
    return pl.sum_horizontal(bits).cast(pl.Int32)


def loss_words(member: str, keeper: str) -> pl.Expr:
    """What the member tells and its keeper does not: "the camera, its colour profile"; null where there is nothing.

    Args:
        member: Column with what the member tells, from `told`.
        keeper: The same of its keeper.
    """
    lost = pl.col(member) & ~pl.col(keeper)
    words = [pl.when((lost & (1 << at)) != 0).then(pl.lit(said)).otherwise(None) for at, (_, said) in enumerate(_TOLD)]
    said = pl.concat_str(words, separator=", ", ignore_nulls=True)
    return pl.when(said != "").then(said)
