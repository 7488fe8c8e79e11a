"""Measure on copies which of the two pictures resolves more, where a keeper may depend on it.

Takes an open workspace and judged pairs, gives the pairs with `resolution`; must not choose keepers. Measured once for
each pair and version of the measure: ratios are taken from the stored pairs, and which pairs could not be told is kept
in the cache folder.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from deeplens_kit.decode import THUMBNAIL_SIDE_PX
from deeplens_kit.matching.policy import SHARPER_FACTOR
from deeplens_kit.matching.verification import measure_resolution
from deeplens_kit.pipeline.look_names import RESOLUTIONS, VERDICTS
from deeplens_kit.pipeline.looks import PictureLooks
from deeplens_kit.pipeline.pair_parts import PairParts
from deeplens_kit.pipeline.pair_work import PairWork
from deeplens_kit.pipeline.progress import ProgressListener
from deeplens_kit.pipeline.working_order import working_order
from deeplens_kit.pipeline.workspace import Workspace, default_workers
from deeplens_kit.schemas import PAIRS, Relation, Tier

__all__ = ["Resolved", "measure_resolutions", "worth_measuring"]

_KEY = list(PAIRS.key)
_COLUMNS = [*_KEY, "resolution"]
# Sides within 5 % count as equal: neither of two such pictures can be an upscale worth the name.
_EQUAL_AREA = 0.95**2


@dataclass(frozen=True, slots=True)
class Resolved:
    """Pairs with what was measured.

    Attributes:
        pairs: PAIRS, in the order given.
        missing: Pairs that the next run may measure, because a picture could not be read. Of one whose comparison
            failed nothing is said either, but it would fail again.
        parts: What is kept for the next run; see `keep`.
        untold: Rows of pairs that were measured and say nothing.
    """

    pairs: pl.DataFrame
    missing: int
    parts: PairParts
    untold: pl.DataFrame

    def keep(self) -> None:
        """Keep what the stored pairs do not say, once they are stored."""
        self.parts.keep_only(self.untold)


def measure_resolutions(
    workspace: Workspace,
    pairs: pl.DataFrame,
    looks: PictureLooks,
    *,
    workers: int | None = None,
    progress: ProgressListener | None = None,
    stop: threading.Event | None = None,
) -> Resolved:
    """The pairs with `resolution` where it matters and can be told.

    Args:
        workspace: An open workspace; what its stored pairs say is not measured again.
        pairs: PAIRS with tiers and relations.
        looks: Where pixels come from.
        workers: Threads; None for the setting.
        progress: Told how it goes, as stage `resolution`.
        stop: Set it to end early; what was measured is kept.
    """
    parts = PairParts(Path(workspace.settings.cache_dir) / "resolutions" / RESOLUTIONS, _COLUMNS)
    wanted = worth_measuring(
        pairs, workspace.catalog.pictures(columns=["digest", "width_px", "height_px", "sharpness"])
    )
    known = pl.concat([_stored(workspace), parts.read()]).unique(_KEY, keep="first", maintain_order=True)
    unknown = wanted.join(known, on=_KEY, how="anti", maintain_order="left")

    def told(batch: pl.DataFrame) -> pl.DataFrame:
        rows = measure_resolution(batch, looks).select(_COLUMNS)
        finite = rows.with_columns(pl.when(pl.col("resolution").is_finite()).then("resolution"))
        return finite.filter(~pl.any_horizontal(pl.col(end).is_in(sorted(looks.unread)) for end in _KEY))

    work = PairWork(
        "resolution",
        told,
        parts,
        workers=default_workers(workspace.settings.index.workers if workers is None else workers),
        niceness=workspace.settings.index.niceness,
        progress=progress,
        stop=stop or threading.Event(),
    )
    found = work.run(unknown[working_order(unknown)]) if unknown.height else parts.empty()
    measured = wanted.select(_KEY).join(pl.concat([known, found]), on=_KEY)
    joined = pairs.drop("resolution").join(measured, on=_KEY, how="left", maintain_order="left")
    untold = measured.filter(pl.col("resolution").is_null())
    return Resolved(PAIRS.check(joined), wanted.height - measured.height - work.failed.height, parts, untold)


def worth_measuring(pairs: pl.DataFrame, pictures: pl.DataFrame) -> pl.DataFrame:
    """The verified copies of which one may resolve more than thumbnails can tell.

    Of two of one size one may have been reduced and enlarged back: where that left as many pixels as thumbnails have,
    these look the same. Up to the size of thumbnails the sharpness of these says it.

    Args:
        pairs: PAIRS.
        pictures: Columns digest, width_px, height_px, sharpness.
    """
    area = pictures.select(
        "digest",
        "sharpness",
        area=pl.col("width_px").cast(pl.Int64) * pl.col("height_px").cast(pl.Int64),
        side=pl.max_horizontal("width_px", "height_px"),
    )
    copies = pairs.filter((pl.col("tier") == Tier.COPY) & (pl.col("relation") != Relation.UNVERIFIED))
    sized = copies.join(area, left_on="digest_a", right_on="digest", maintain_order="left").join(
        area, left_on="digest_b", right_on="digest", maintain_order="left", suffix="_b"
    )
    unequal = pl.min_horizontal("area", "area_b") < _EQUAL_AREA * pl.max_horizontal("area", "area_b")
    sharp = pl.col("sharpness"), pl.col("sharpness_b")
    sharper = (pl.max_horizontal(sharp) > SHARPER_FACTOR * pl.min_horizontal(sharp)).fill_null(False)
    hidden = pl.max_horizontal("side", "side_b") > THUMBNAIL_SIDE_PX
    return sized.filter(hidden | unequal | sharper | (pl.col("relation") != Relation.WHOLE)).select(PAIRS.names)


def _stored(workspace: Workspace) -> pl.DataFrame:
    """What the stored pairs say, where it was measured as it would be now."""
    stored = workspace.catalog.pairs()
    if RESOLUTIONS not in (workspace.catalog.pairs_fingerprint() or "").split(":"):
        stored = stored.clear()
    return stored.filter((pl.col("verification") == VERDICTS) & pl.col("resolution").is_finite()).select(_COLUMNS)
