"""Compute the digests of native samples where a pair may owe its tier to them.

Takes an open workspace and pairs, reads the objects and writes `pictures.samples`; gives the digests. Must not judge
pairs: `matching.mark_pixels` does. A picture is decoded once for each version of the digest, whatever the pairs.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import polars as pl

from deeplens_kit.decode import SAMPLES_VERSION
from deeplens_kit.errors import ObjectError
from deeplens_kit.matching import SAMPLE_FACTS, worth_comparing
from deeplens_kit.pipeline.picture_bytes import each_picture
from deeplens_kit.pipeline.progress import ProgressListener
from deeplens_kit.pipeline.workspace import Workspace
from deeplens_kit.telemetry import get_logger

__all__ = ["MeasuredSamples", "measure_samples"]

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MeasuredSamples:
    """What is known of the samples of the pictures that were asked about.

    Attributes:
        samples: Columns digest and samples, as in PICTURES.
        missing: Pictures that could not be looked at now, because no object of theirs can be read.
    """

    samples: pl.DataFrame
    missing: int


def measure_samples(
    workspace: Workspace,
    pairs: pl.DataFrame,
    *,
    workers: int | None = None,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
) -> MeasuredSamples:
    """Digests of native samples of the pictures in pairs that may have equal ones.

    Args:
        workspace: An open workspace.
        pairs: PAIRS.
        workers: Threads; None for the setting.
        progress: Told how it goes.
        stop: Set it to end early; what was computed is kept.
    """
    pictures = workspace.catalog.pictures(columns=[*SAMPLE_FACTS, "samples"])
    wanted = worth_comparing(pairs, pictures)
    known = pictures.select("digest", "samples").filter(pl.col("digest").is_in(wanted.implode()))
    current = (pl.col("samples") == "") | pl.col("samples").str.starts_with(f"{SAMPLES_VERSION}-")
    told = known.filter(current.fill_null(False))
    missing = known.join(told, on="digest", how="anti")["digest"].sort().to_list()
    if not missing:
        return MeasuredSamples(told, 0)
    decoder = workspace.decoder

    def digest(data: bytes) -> str:
        try:
            return decoder.samples(data)
        except ObjectError as error:
            if error.passing:
                raise
            # The bytes are those of the picture: looked at again, they would fail again.
            _log.warning("native samples not told", code=error.code, reason=str(error))
            return ""

    found = each_picture(
        workspace,
        missing,
        digest,
        stage="samples",
        workers=workers,
        progress=progress,
        stop=stop or threading.Event(),
    )
    frame = pl.DataFrame(list(found), schema={"digest": pl.String, "samples": pl.String}, orient="row").sort("digest")
    if frame.height:
        workspace.catalog.set_samples(frame)
    return MeasuredSamples(pl.concat([told, frame]), len(missing) - frame.height)
