"""The evidence of a pair and the facts of a picture as lines that a person reads.

Takes a row of `pairs` or `pictures`, gives short texts; must not judge: what each measurement is, on which scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deeplens_kit.matching.sentences import turned
from deeplens_kit.reporting.words import orientation_words

__all__ = ["evidence_lines", "picture_facts"]

_COSINES = (("sscd", "SSCD"), ("sscd_small", "SSCD small"))
_BITS = (("pdq_distance", "PDQ", 256), ("phash_distance", "pHash", 64))


def evidence_lines(pair: Mapping[str, Any], digest: str) -> tuple[str, ...]:
    """What was measured between two pictures.

    Args:
        pair: A row of PAIRS.
        digest: The picture of the two that the words about turning and mirroring are for.
    """
    lines = []
    if turned(pair):
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
