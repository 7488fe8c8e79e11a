"""Which stored pairs are copies: by a rule, by equal samples, or because a person said so.

Takes objects, pictures, pairs and a rule, gives the pairs that are copies; must not choose keepers. All that is known
of five million pairs is gigabytes, so that they are judged a part at a time.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.matching.rules import CONTEXT_COLUMNS, Rule, tiers_of, with_context
from deeplens_kit.schemas import Tier

__all__ = ["judged_copies"]

_ENDS = ["digest_a", "digest_b"]
_ROWS = 1 << 18


def judged_copies(
    objects: pl.DataFrame, pictures: pl.DataFrame, pairs: pl.DataFrame, rule: Rule, tiers: set[Tier]
) -> pl.DataFrame:
    """The pairs of the tiers wanted, of pictures that objects hold.

    Args:
        objects: Column digest.
        pictures: `digest` and what there is of `rules.CONTEXT_COLUMNS`.
        pairs: As `Decisions.on_pairs` gives them.
        rule: The bounds.
        tiers: `pixels` and `copy` count.

    Returns:
        The pairs with `tier` (`pixels` as stored, `copy` by the rule or because a person said so) and `ruled`: whether
        it is not by a person alone.
    """
    wanted = [str(tier) for tier in (Tier.PIXELS, Tier.COPY) if tier in tiers]
    related = pairs if wanted else pairs.clear()
    held = objects["digest"].drop_nulls().unique().implode()
    there = related.select(pl.col("digest_a").is_in(held) & pl.col("digest_b").is_in(held)).to_series()
    known = [name for name in CONTEXT_COLUMNS if name in pictures.columns]
    context = with_context(related.select(_ENDS), pictures.select("digest", *known), rule).drop(_ENDS)
    # A part at a time: all that is known of all pairs is much, and few of them are copies.
    judged = [
        _judged(related.slice(first, _ROWS).hstack(context.slice(first, _ROWS)).filter(there.slice(first, _ROWS)), rule)
        for first in range(0, max(related.height, 1), _ROWS)
    ]
    return pl.concat([part.filter(pl.col("tier").is_in(wanted)) for part in judged])


def _judged(pairs: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """Pairs in context with the tier that they have by the rule or by a person, and whether it is by the rule."""
    same, by_rule = pl.col("tier") == Tier.PIXELS, tiers_of(pairs, rule)
    approved = pl.col("approved_a") | pl.col("approved_b")
    return pairs.with_columns(
        tier=pl.when(same)
        .then(pl.lit(str(Tier.PIXELS)))
        .when(approved)
        .then(pl.lit(str(Tier.COPY)))
        .otherwise(by_rule),
        ruled=same | (by_rule == Tier.COPY),
    )
