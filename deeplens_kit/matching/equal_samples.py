"""Pairs whose pictures hold the very same samples: which are worth the look, and which have them.

Takes pairs and facts of pictures, gives digests to look at, the pairs marked with tier `pixels`, or what lossless files
were made from. Must not decode anything: the digests of native samples come in. Equal samples are proof, so that no
bound of a rule is asked.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.schemas import Relation, Tier

__all__ = ["PIXELS_SCORE", "SAMPLE_FACTS", "mark_pixels", "mark_sources", "worth_comparing"]

PIXELS_SCORE = 0.9999
"""Between equal bytes (1) and the best of copies (below .999, see `rules.scores_of`)."""

NEAR_PDQ = 8
"""Bits, inclusive: equal samples have equal hashes but where an alpha channel or a decoder's rounding moved one."""

NEAR_PHASH = 2
"""Bits, inclusive, where there is no PDQ distance."""

FEW_TONES = 0.4
"""From this share of one tone (inclusive) a picture may be drawn in flat tones, which a lossy codec can keep whole."""

SAMPLE_FACTS = (
    "digest",
    "width_px",
    "height_px",
    "format",
    "frames",
    "lossless",
    "has_alpha",
    "has_icc",
    "jpeg_quality",
)
"""Columns of `pictures` that `worth_comparing` looks at."""


def worth_comparing(pairs: pl.DataFrame, pictures: pl.DataFrame) -> pl.Series:
    """Digests of the pictures that may have the samples of another one: sorted, each once.

    Args:
        pairs: PAIRS.
        pictures: SAMPLE_FACTS.
    """
    near = (
        pl.when(pl.col("pdq_distance").is_not_null())
        .then(pl.col("pdq_distance") <= NEAR_PDQ)
        .otherwise((pl.col("phash_distance") <= NEAR_PHASH).fill_null(False))
    )
    # The eight orientations of the hash make a mirror image as near as can be: its samples are others.
    upright = (pl.col("orientation") == 0).fill_null(True)
    facts = pictures.select(SAMPLE_FACTS)
    joined = (
        pairs.filter(near & upright)
        .select("digest_a", "digest_b")
        .join(facts, left_on="digest_a", right_on="digest")
        .join(facts, left_on="digest_b", right_on="digest", suffix="_b")
    )
    alike = pl.all_horizontal(
        pl.col(name) == pl.col(f"{name}_b") for name in ("width_px", "height_px", "frames", "has_icc")
    )
    # Of two lossy files of different codecs or quality, none was made from the other's samples without loss.
    codec = (pl.col("format") == pl.col("format_b")) & pl.col("jpeg_quality").eq_missing(pl.col("jpeg_quality_b"))
    chosen = joined.filter(alike & (codec | pl.col("lossless") | pl.col("lossless_b")))
    return pl.concat([chosen["digest_a"], chosen["digest_b"].alias("digest_a")]).unique().sort().alias("digest")


def mark_sources(pictures: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """By which lossy file the samples came to be that a picture shares with it.

    A lossless file with the samples of a lossy one was made from it: it is lossless by its format alone, as good as the
    lossy one and no better for what it weighs. Of lossy files with equal samples none is better. Codes and plans of a
    few tones are left out: those survive a lossy codec unchanged, so that either may have been made from the other.

    Args:
        pictures: Columns digest, and of lossless, format, jpeg_quality, size_bytes and dominant_tone those that there
            are.
        pairs: PAIRS; those of the tier `pixels` count.

    Returns:
        `pictures` with the columns source_format, source_quality and source_bytes of the smallest such file, which may
        be the picture itself; null where no lossy file has its samples, or nothing else does.
    """
    kinds = {
        "format": pl.String(),
        "jpeg_quality": pl.Int32(),
        "size_bytes": pl.Int64(),
        "lossless": pl.Boolean(),
        "dominant_tone": pl.Float32(),
    }
    known = pictures.select(
        "digest",
        *(
            pl.col(name).cast(dtype) if name in pictures.columns else pl.lit(None, dtype).alias(name)
            for name, dtype in kinds.items()
        ),
    )
    ends = pairs.filter(pl.col("tier") == Tier.PIXELS).select("digest_a", "digest_b")
    turned = ends.select(digest_a="digest_b", digest_b="digest_a")
    itself = pl.concat([ends["digest_a"], ends["digest_b"]]).unique()
    alike = pl.concat([ends, turned, pl.DataFrame({"digest_a": itself, "digest_b": itself})])
    many_tones = pl.col("dominant_tone").fill_null(0.0) < FEW_TONES
    lossy = known.filter(~pl.col("lossless").fill_null(False) & pl.col("format").is_not_null() & many_tones)
    sources = (
        alike.join(lossy, left_on="digest_b", right_on="digest")
        .sort("digest_a", "size_bytes", "digest_b", nulls_last=True)
        .unique("digest_a", keep="first")
        .select("digest_a", source_format="format", source_quality="jpeg_quality", source_bytes="size_bytes")
    )
    return pictures.join(sources, left_on="digest", right_on="digest_a", how="left", maintain_order="left")


def mark_pixels(pairs: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    """The pairs with tier `pixels`, relation `whole` and `PIXELS_SCORE` where both pictures have equal samples.

    Args:
        pairs: PAIRS.
        samples: Columns digest and samples, of the pictures that were looked at; empty and null say nothing.

    Returns:
        PAIRS in the same order, other rows as they were.
    """
    told = samples.filter(pl.col("samples").fill_null("") != "").select("digest", "samples")
    sides = pairs.select("digest_a", "digest_b").join(
        told, left_on="digest_a", right_on="digest", how="left", maintain_order="left"
    )
    both = sides.join(told, left_on="digest_b", right_on="digest", how="left", maintain_order="left", suffix="_b")
    equal = (both["samples"] == both["samples_b"]).fill_null(False).alias("_equal")
    return (
        pairs.with_columns(equal)
        .with_columns(
            pl.when("_equal").then(pl.lit(str(Tier.PIXELS))).otherwise("tier").alias("tier"),
            pl.when("_equal").then(pl.lit(str(Relation.WHOLE))).otherwise("relation").alias("relation"),
            pl.when("_equal").then(pl.lit(PIXELS_SCORE, pl.Float32)).otherwise("score").alias("score"),
        )
        .drop("_equal")
    )
