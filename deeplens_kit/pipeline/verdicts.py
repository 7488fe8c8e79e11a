"""Verdicts: what several persons' labels of a pair come to.

Takes labels, gives one verdict for each pair; must not read or write. Persons who say the opposite of each other leave
it open: such a pair counts as unsure until they agree. Who is unsure says nothing against who is not.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.schemas import Verdict

__all__ = ["settled"]


def settled(labels: pl.DataFrame) -> pl.DataFrame:
    """One verdict for each pair.

    Args:
        labels: LABELS.

    Returns:
        digest_a, digest_b, verdict, disputed (persons say the opposite of each other), persons, labelled_at (the
        latest), sorted by pair.
    """
    same, different = ((pl.col("verdict") == verdict).any() for verdict in (Verdict.SAME, Verdict.DIFFERENT))
    return (
        labels.group_by("digest_a", "digest_b")
        .agg(
            same=same,
            different=different,
            persons=pl.col("who").n_unique().cast(pl.Int64),
            labelled_at=pl.col("labelled_at").max(),
        )
        .select(
            "digest_a",
            "digest_b",
            pl.when(pl.col("same") & ~pl.col("different"))
            .then(pl.lit(str(Verdict.SAME)))
            .when(pl.col("different") & ~pl.col("same"))
            .then(pl.lit(str(Verdict.DIFFERENT)))
            .otherwise(pl.lit(str(Verdict.UNSURE)))
            .alias("verdict"),
            disputed=pl.col("same") & pl.col("different"),
            persons="persons",
            labelled_at="labelled_at",
        )
        .sort("digest_a", "digest_b")
    )
