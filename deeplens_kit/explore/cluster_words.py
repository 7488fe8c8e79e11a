"""The words that tell a cluster from everything else.

Takes numbers (means of vectors, or how many pictures a word is said of), gives words; must not read a text. Two
measures that never mix: nearness to what a cluster shows, and frequency in what is said of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["MOST_WORDS", "words_said", "words_shown"]

MOST_WORDS = 3
"""Of a cluster."""

# Of the different pictures of a cluster, inclusive: a word that is said of fewer tells nothing of the whole.
_LEAST_SHARE = 0.2
_LEAST_PICTURES = 2
# Names of formats and what cameras begin names with, and parts of words.
_UNTOLD = (
    r"^(jpe?g|png|gif|tiff?|webp|heic|heif|avif|jxl|bmp|raw|dng|nef|cr[23]|arw|img|dsc[fn]?|pict?|photo|image|copy)$"
)
_IN_WORDS = r"^\p{L}[\p{L}\p{M}]{2,}$"


def words_shown(
    sums: NDArray[np.floating],
    rest: NDArray[np.floating],
    words: Sequence[str],
    embedded: NDArray[np.floating],
    most: int = MOST_WORDS,
) -> list[list[str]]:
    """Words nearest to the pictures of each cluster, compared with how near they are to all other pictures.

    The measure is the cosine of a word with the mean of the cluster less its cosine with the mean of all pictures that
    are not in it: words that lie near everything are of no use.

    Args:
        sums: (c, d), for each cluster the sum of the vectors of its pictures; 0 where none has one.
        rest: (d,), the sum of the vectors of the pictures in no cluster.
        words: To choose from.
        embedded: (w, d), the words in the space of the pictures.
        most: Words of a cluster.

    Returns:
        For each cluster its words, the most telling first; none where none is nearer to it than to the others.
    """
    own = _unit(sums)
    elsewhere = _unit(sums.sum(axis=0) + rest - sums)
    told = _unit(embedded)
    nearer = np.where(own.any(axis=1, keepdims=True), (own - elsewhere) @ told.T, 0.0)
    chosen = np.argsort(-nearer, axis=1, kind="stable")[:, :most]
    return [[words[at] for at in row if nearer[number, at] > 0] for number, row in enumerate(chosen)]


def words_said(said: pl.DataFrame, sizes: NDArray[np.int64], rest_size: int, most: int = MOST_WORDS) -> list[list[str]]:
    """Words that are said of more pictures of a cluster than of others.

    The measure is class-based TF-IDF (Grootendorst, arXiv:2203.05794): the share of the pictures of a cluster that a
    word is said of, times log(1 + A / f), f the pictures that it is said of at all and A the mean number of words of a
    cluster. A picture says a word once, however often it is written.

    Args:
        said: Columns word, cluster (from 0, -1 for none) and pictures (that it is said of there).
        sizes: (c,), pictures of each cluster.
        rest_size: Pictures in none.
        most: Words of a cluster.

    Returns:
        For each cluster its words, the most telling first. A word has three letters at least, is said of two pictures
        and a fifth of the cluster, and of a greater share there than elsewhere.
    """
    pictures = int(sizes.sum()) + rest_size
    size_of = pl.DataFrame({"cluster": np.arange(len(sizes)), "size": sizes})
    telling = said.filter(pl.col("word").str.contains(_IN_WORDS) & ~pl.col("word").str.contains(_UNTOLD))
    mean_words = telling["pictures"].sum() / max(1, len(sizes) + (rest_size > 0))
    share, others = pl.col("pictures") / pl.col("size"), pictures - pl.col("size")
    elsewhere = (pl.col("everywhere") - pl.col("pictures")) / pl.when(others > 0).then(others).otherwise(1)
    ranked = (
        telling.with_columns(everywhere=pl.col("pictures").sum().over("word"))
        .join(size_of, on="cluster")
        .filter((share > elsewhere) & (share >= _LEAST_SHARE) & (pl.col("pictures") >= _LEAST_PICTURES))
        .with_columns(weight=share * (1 + mean_words / pl.col("everywhere")).log())
        .sort("cluster", "weight", "word", descending=[False, True, False])
        .group_by("cluster", maintain_order=True)
        .agg(pl.col("word").head(most))
    )
    found = dict(ranked.iter_rows())
    return [found.get(number, []) for number in range(len(sizes))]


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1.0), np.float64)
