"""From candidates to judged pairs: look closely, let the rule judge, try each copy against better keepers, again.

Takes pictures, vectors, candidates and a verifier, gives PAIRS with tiers and scores. Must not store anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deeplens_kit.matching import (
    CONTEXT_COLUMNS,
    Rule,
    normalised_cosines,
    pairs_towards_keepers,
    with_context,
)
from deeplens_kit.matching.rules import tiers_and_scores
from deeplens_kit.pipeline.verifying import PairVerifier
from deeplens_kit.schemas import PAIRS, Relation, Tier

__all__ = ["Confirming", "judged"]

# A copy of a copy of a copy meets its keeper in so many rounds; later ones find next to nothing.
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Confirming:
    """What pairs are confirmed with.

    Attributes:
        pictures: As for `matching.find_pairs`.
        vectors: As for `matching.find_pairs`.
        rule: Gives the tiers.
        sscd_min_cosine: The floor of the candidates, for `matching.normalised_cosines`.
        run_id: The run that writes the rows.
        order: As for `matching.find_pairs`.
    """

    pictures: pl.DataFrame
    vectors: Mapping[str, tuple[Sequence[str], NDArray[np.floating]]]
    rule: Rule
    sscd_min_cosine: float
    run_id: str
    order: pl.Series | None = None

    def confirmed(self, found: pl.DataFrame, verifier: PairVerifier) -> pl.DataFrame:
        """The candidates and what they lead to, each looked at, sorted by digests.

        Args:
            found: PAIRS from `matching.find_pairs`.
            verifier: Looks at them; what it leaves unverified is judged as it is.
        """
        pairs = self.judged(verifier.verify(found))
        unseen = pairs.clear()
        for _ in range(_ROUNDS):
            copies = pairs.filter(
                (pl.col("tier") == Tier.COPY)
                & pl.col("verification").is_not_null()
                & (pl.col("relation") != Relation.COMPOSITE)
            )
            tried = pl.concat([pairs, unseen])
            more = verifier.verify(
                pairs_towards_keepers(self.pictures, self.vectors, tried, copies, self.rule, self.run_id, self.order)
            )
            # Beside what was seen nothing speaks for these: one that was not looked at is no candidate, and is not
            # asked for again.
            seen = more.filter(pl.col("verification").is_not_null())
            unseen = pl.concat([unseen, more.filter(pl.col("verification").is_null())])
            if not seen.height:
                break
            pairs = pl.concat([pairs, self.judged(seen)])
        certain = (pairs["tier"] == Tier.COPY).rename("certain")
        normalised = pairs.with_columns(normalised_cosines(pairs, certain, self.sscd_min_cosine))
        return self.judged(normalised).sort(PAIRS.key)

    def judged(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """The pairs with the tiers and scores that the rule gives them now."""
        return judged(pairs, self.pictures, self.rule)


def judged(pairs: pl.DataFrame, pictures: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """PAIRS with tier and score by a rule.

    Args:
        pairs: PAIRS.
        pictures: Column `digest` and those of `matching.CONTEXT_COLUMNS` that exist.
        rule: The bounds.
    """
    context = pictures.select("digest", *(name for name in CONTEXT_COLUMNS if name in pictures.columns))
    known = with_context(pairs, context, rule)
    return PAIRS.check(pairs.with_columns(tiers_and_scores(known, rule)))
