"""The tables that evidence takes and gives: candidates, proposals, verdicts, samples and curves.

Takes nothing, gives schemas. Must not compute anything.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.schemas import Column, TableSchema

__all__ = ["CANDIDATES", "CURVE", "PROPOSALS", "SAMPLE", "VERDICTS"]

_TEXT, _COUNT, _SHARE, _LEVEL, _PAIR = pl.String(), pl.Int64(), pl.Float64(), pl.Int32(), pl.UInt32()

CANDIDATES = TableSchema(
    "candidates",
    (
        Column("digest_a", _TEXT, "the smaller digest"),
        Column("digest_b", _TEXT, "the greater digest"),
        Column("tier", _TEXT, "the tier that the pair would have"),
        Column("score", pl.Float32(), "0..1, higher is more alike"),
    ),
    key=("digest_a", "digest_b"),
)

PROPOSALS = TableSchema(
    "proposals",
    (
        Column("pair", _PAIR, "row of the candidates: keeper and member, in either order"),
        Column("first_level", _LEVEL, "the strictest level at which the removal is proposed, from 0"),
        Column("last_level", _LEVEL, "the loosest level at which it is, inclusive"),
        Column("frees_bytes", _COUNT, "bytes that it would free"),
    ),
)

VERDICTS = TableSchema(
    "verdicts",
    (
        Column("digest_a", _TEXT, "the smaller digest"),
        Column("digest_b", _TEXT, "the greater digest"),
        Column("verdict", _TEXT, "same, different or unsure"),
    ),
    key=("digest_a", "digest_b"),
)

SAMPLE = TableSchema(
    "label sample",
    (
        Column("position", _COUNT, "the order to ask in, from 0"),
        Column("pair", _PAIR, "row of the candidates"),
        Column("digest_a", _TEXT, "the smaller digest"),
        Column("digest_b", _TEXT, "the greater digest"),
        Column("stratum", _TEXT, "what it was drawn from"),
        Column("stratum_size", _COUNT, "pairs in the stratum"),
        Column("inclusion", _SHARE, "chance of being drawn, 0..1; null where pairs were picked", nullable=True),
    ),
    key=("position",),
)

CURVE = TableSchema(
    "removal curve",
    (
        Column("level", _LEVEL, "from 0, the strictest"),
        Column("threshold", _SHARE, "of the level"),
        Column("pairs", _COUNT, "pairs of pictures of which a removal is proposed"),
        Column("frees_bytes", _COUNT, "bytes that the proposals would free"),
        Column("labelled", _COUNT, "of the pairs, those of the sample, passed-over ones among them"),
        Column("wrong", _COUNT, "of these, different pictures"),
        Column("unsure", _COUNT, "of these, without a clear verdict"),
        Column("precision", _SHARE, "estimate, unsure counted as wrong; null without a sample", nullable=True),
        Column("low", _SHARE, "lower end of the two-sided interval of this level alone"),
        Column("high", _SHARE, "upper end of it"),
        Column("lower", _SHARE, "one-sided lower bound of this level alone"),
        Column("simultaneous", _SHARE, "lower bound that holds for all levels at once"),
        Column("best_possible", _SHARE, "the one-sided bound, were all labels here `same`"),
        Column("recall", _SHARE, "estimate of the share of all same pairs that is proposed", nullable=True),
        Column("recall_low", _SHARE, "lower end of its two-sided interval", nullable=True),
        Column("recall_high", _SHARE, "upper end of it", nullable=True),
    ),
    key=("level",),
)
