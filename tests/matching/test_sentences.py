"""One pair's evidence in words is what a column of pairs says."""

from __future__ import annotations

import numpy as np
import polars as pl

from deeplens_kit.matching.sentences import evidence_sentence, evidence_words


def test_the_words_of_one_pair_are_those_of_a_column() -> None:
    random = np.random.default_rng(8)
    count = 3_000
    # Cosines with a half behind the third place, which rounds away from zero, among others.
    cosines = np.concatenate([np.arange(-16, 17) / 16, random.uniform(-1, 1, count - 33)]).astype(np.float32)
    pairs = pl.DataFrame(
        {
            "pdq_distance": pl.Series(random.integers(0, 128, count), dtype=pl.Int32),
            "phash_distance": pl.Series(random.integers(0, 32, count), dtype=pl.Int32),
            "sscd_small": pl.Series(cosines),
            "sscd": pl.Series(random.permutation(cosines)),
        }
    ).with_columns(
        pl.when(pl.Series(random.random(count) < 0.7)).then(pl.col(name)).alias(name)
        for name in ("pdq_distance", "phash_distance", "sscd_small", "sscd")
    )

    said = pairs.select(evidence_sentence().alias("said"))["said"].to_list()

    assert ["; ".join(evidence_words(*row)) for row in pairs.iter_rows()] == said
    assert "" in said
