"""The evidence of a pair and the facts of a picture as lines that a person reads.

Takes a row of `pairs` or `pictures`, gives short texts; must not judge: what each measurement is, on which scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deeplens_kit.matching.sentences import turned
from deeplens_kit.reporting.words import orientation_words

if TYPE_CHECKING:
    import polars as pl

__all__ = ["evidence_lines", "picture_facts", "with_view_words"]

_COSINES = (("sscd", "SSCD"), ("sscd_small", "SSCD small"))
_BITS = (("pdq_distance", "PDQ", 256), ("phash_distance", "pHash", 64))


def with_view_words(pairs: pl.DataFrame, keeper: str = "the keeper") -> pl.DataFrame:
    """Pairs with what the closer look saw in words: `words_on_a` of a against b, `words_on_b` of b against a.

    Args:
        pairs: PAIRS, or what there is of it.
        keeper: What to call the picture that the other one is held against.
    """
    import polars as pl

    from deeplens_kit.matching.view_words import VIEW_COLUMNS, seen_from_keeper, view_sentences
    from deeplens_kit.schemas import PAIRS

    absent = [
        pl.lit(None, PAIRS.polars[name]).alias(name) for name in (*VIEW_COLUMNS, "tier") if name not in pairs.columns
    ]
    known = pairs.with_columns(absent)
    # Both ends at once: of a few pairs most of the time goes into beginning.
    ends = pl.concat([known.select(*seen_from_keeper(pl.lit(is_b)), "tier") for is_b in (True, False)])
    words = view_sentences(ends, keeper)
    return known.with_columns(
        words.head(known.height).alias("words_on_a"), words.tail(known.height).alias("words_on_b")
    )


def evidence_lines(pair: Mapping[str, Any], digest: str) -> tuple[str, ...]:
    """What was measured between two pictures.

    Args:
        pair: A row of PAIRS, with the columns of `with_view_words` where the closer look is to be told of.
        digest: The picture of the two that the words about the view, turning and mirroring are for.
    """
    seen = pair.get("words_on_b" if digest == pair["digest_b"] else "words_on_a")
    lines = [part for half in (seen or "").split("; ") for part in half.split(", ") if part]
    if turned(pair) and pair.get("mirrored") is None:
        lines.append(orientation_words(pair["orientation"], from_b=digest == pair["digest_b"]))
    lines += [f"{name} cosine {pair[column]:.3f}" for column, name in _COSINES if pair[column] is not None]
    lines += [
        f"{name}: {pair[column]} of {bits} bits differ" for column, name, bits in _BITS if pair[column] is not None
    ]
    return tuple(lines)


def picture_facts(picture: Mapping[str, Any]) -> str:
    """Size and format of a picture: "4,000 × 3,000 px, JPEG quality 85"."""
    quality = f" quality {picture['jpeg_quality']}" if picture["jpeg_quality"] is not None else ""
    return f"{picture['width_px']:,} × {picture['height_px']:,} px, {picture['format']}{quality}"
