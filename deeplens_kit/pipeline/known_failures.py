"""Which failures stand: contents that would only fail again, and those that other decoders or limits may read.

Takes rows of `failures` and the limits that hold now, gives which of them are settled; must not read a file. What a
failure depends on is kept beside it, in `decode_spec`: the decode path, and where a limit was met the limits.
"""

from __future__ import annotations

import polars as pl

from deeplens_kit.decode import DECODE_SPEC
from deeplens_kit.pipeline.analysis import AnalysisFailure
from deeplens_kit.settings import DecodeSettings

__all__ = ["dependence", "known_failures", "settled"]

_LIMITED = "too_large"
# Failures that cost a process, or minutes: only who asks has them tried again.
_COSTLY = ("crashed", "timed_out")
_LIMITS = ("max_bytes", "max_pixels", "max_frames", "max_memory_bytes")


def dependence(stage: str, code: str, limits: DecodeSettings) -> str | None:
    """What a failure depends on, as `failures.decode_spec` keeps it; None where on nothing of ours."""
    if code == _LIMITED:
        return f"{DECODE_SPEC} {'/'.join(str(getattr(limits, name)) for name in _LIMITS)}"
    return DECODE_SPEC if stage == "decode" else None


def settled(failures: pl.DataFrame, limits: DecodeSettings) -> pl.Series:
    """Which failures would only be repeated, or are too costly to try unasked.

    Args:
        failures: FAILURES; of the stage decode, or of limits.
        limits: That hold now: a file that was too large is tried again where one of them was raised.

    Returns:
        Bool, row by row.
    """
    return pl.Series(
        [
            code in _COSTLY or (_repeated(spec, limits) if code == _LIMITED else spec == DECODE_SPEC)
            for code, spec in failures.select("code", "decode_spec").iter_rows()
        ],
        dtype=pl.Boolean,
    )


def known_failures(
    failures: pl.DataFrame, limits: DecodeSettings, *, asked: frozenset[str], indexed: pl.Series
) -> dict[str, AnalysisFailure]:
    """Contents that are not tried again, wherever they turn up, by digest.

    Args:
        failures: FAILURES of all locations.
        limits: That hold now.
        asked: Codes that somebody wants to be tried again.
        indexed: Digests of pictures: whatever failed on their bytes once, they were read since.
    """
    decoded = failures.filter(
        (pl.col("stage") == "decode")
        & pl.col("digest").is_not_null()
        & ~pl.col("code").is_in(list(asked))
        & ~pl.col("digest").is_in(indexed.implode())
    )
    rows = decoded.filter(settled(decoded, limits)).select("digest", "stage", "code", "message")
    return {row[0]: AnalysisFailure(*row) for row in rows.unique("digest", keep="any").iter_rows()}


def _repeated(spec: str | None, limits: DecodeSettings) -> bool:
    path, _, numbers = (spec or "").partition(" ")
    met = [int(number) for number in numbers.split("/") if number.isdecimal()]
    if path != DECODE_SPEC or len(met) != len(_LIMITS):
        return False
    return all(getattr(limits, name) <= number for name, number in zip(_LIMITS, met, strict=True))
