"""The digest of a plan's steps, and the form in which they are kept.

Takes PLAN_STEPS, gives a SHA-256 of their values and Parquet in parts, and takes those back; must not store anything.
The digest is of the values in the order of the steps, column by column, whatever library wrote them or how.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable

import polars as pl
from polars.exceptions import PolarsError

from deeplens_kit.errors import PlanError
from deeplens_kit.schemas import PLAN_STEPS

__all__ = ["PART_STEPS", "steps_digest", "steps_from_parts", "steps_to_parts"]

PART_STEPS = 50_000
"""Steps of a part at most: a part is some megabytes, which a row of a database holds well."""

_FORM = b"deeplens plan steps 1"


def steps_digest(steps: pl.DataFrame) -> str:
    """SHA-256 of the values of all steps, hexadecimal; it does not depend on the order of the rows.

    Args:
        steps: PLAN_STEPS.
    """
    ordered = PLAN_STEPS.check(steps).sort("step").rechunk()
    digest = hashlib.sha256(_FORM)
    digest.update(ordered.height.to_bytes(8, "little"))
    for series in ordered:
        digest.update(f"\n{series.name} {series.dtype}\n".encode())
        digest.update(series.is_null().cast(pl.UInt8).to_numpy().tobytes())
        if series.dtype == pl.String():
            texts = series.fill_null("")
            # Lengths before the texts, so that no two columns of texts run into the same bytes.
            digest.update(texts.str.len_bytes().cast(pl.UInt64).to_numpy().astype("<u8").tobytes())
            digest.update(str(texts.str.join("").item()).encode() if len(texts) else b"")
        elif series.dtype == pl.Float32():
            digest.update(series.fill_null(0.0).to_numpy().astype("<f4").tobytes())
        else:
            digest.update(series.to_physical().cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def steps_to_parts(steps: pl.DataFrame) -> list[bytes]:
    """Parquet of the steps in their order, up to `PART_STEPS` a part; one part where there are none."""
    ordered = PLAN_STEPS.check(steps).sort("step")
    parts = []
    for part in ordered.iter_slices(PART_STEPS) if ordered.height else [ordered]:
        content = io.BytesIO()
        part.write_parquet(content, compression="zstd")
        parts.append(content.getvalue())
    return parts


def steps_from_parts(parts: Iterable[bytes]) -> pl.DataFrame:
    """The steps that parts hold: PLAN_STEPS.

    Raises:
        PlanError: They are not what `steps_to_parts` made.
    """
    try:
        frames = [pl.read_parquet(io.BytesIO(part)) for part in parts]
        return PLAN_STEPS.check(pl.concat([PLAN_STEPS.empty(), *frames]).sort("step"))
    except (PolarsError, TypeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise PlanError(f"The steps of the plan cannot be read: {reason}; make it anew.") from error
