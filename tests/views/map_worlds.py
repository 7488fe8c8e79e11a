"""Maps made up for the tests of their views."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from deeplens_kit.pipeline import PictureMap
from deeplens_kit.pipeline.clustering import PictureClusters
from deeplens_kit.schemas import CLUSTER_MEMBERS, CLUSTERS, MAP_POINTS

PLACES = ("share", "laptop", "bucket")
TIERS = ("", "copy", "bytes")


def made_map(count: int, *, seed: int = 0, names: str = "picture") -> PictureMap:
    """Points in clusters; every fifth can be freed; the names of the files may be hostile."""
    random = np.random.default_rng(seed)
    centres = random.normal(scale=8, size=(max(count // 20, 2), 2))
    places = centres[random.integers(0, len(centres), count)] + random.normal(scale=0.5, size=(count, 2))
    freed = np.where(np.arange(count) % 5 == 0, 1000 * (1 + np.arange(count)), 0)
    points = pl.DataFrame(
        {
            "digest": [f"{number:064x}" for number in range(count)],
            "x": places[:, 0].astype(np.float32),
            "y": places[:, 1].astype(np.float32),
            "location": [PLACES[min(number % 7, 2)] for number in range(count)],
            "path": [f"folder/{names} {number}.jpg" for number in range(count)],
            "objects": np.ones(count, np.int64),
            "size_bytes": 1000 * (1 + np.arange(count, dtype=np.int64)),
            "width_px": np.full(count, 640, np.int32),
            "height_px": np.full(count, 480, np.int32),
            "format": ["JPEG" if number % 3 else "PNG" for number in range(count)],
            "dated_at": [datetime(2010 + number % 12, 1, 1) if number % 4 else None for number in range(count)],
            "tier": [TIERS[1 + number % 2] if number % 5 == 0 else "" for number in range(count)],
            "group_id": [f"group {number % 3}" if number % 5 == 0 else "" for number in range(count)],
            "is_keeper": [False] * count,
            "reclaimable_bytes": freed.astype(np.int64),
        },
        schema_overrides=MAP_POINTS.polars,
    )
    return PictureMap(MAP_POINTS.check(points), "sscd_small", count, 0, 0.1, cached=False)


def made_clusters(found: PictureMap, count: int, *, words: tuple[str, ...] = ("sea", "sand")) -> PictureClusters:
    """So many clusters of the points of a map, the first the greatest; every third point is in none."""
    digests = found.points["digest"].gather_every(3).to_list() + found.points["digest"].gather_every(3, 1).to_list()
    number = [1 + at % count if at % 2 else 1 for at in range(len(digests))] if count else []
    rows = {"cluster": number, "digest": digests[: len(number)]}
    members = CLUSTER_MEMBERS.empty().match_to_schema(CLUSTER_MEMBERS.polars)
    members = pl.concat(
        [members, pl.DataFrame(rows, schema={"cluster": pl.Int32, "digest": pl.String})], how="diagonal"
    )
    counted = members.group_by("cluster").agg(pictures=pl.len().cast(pl.Int64)).sort("cluster")
    told = counted.with_columns(words=pl.lit(list(words), pl.List(pl.String)))
    clusters = pl.concat([CLUSTERS.empty(), told], how="diagonal")
    return PictureClusters(clusters, members, found.feature, 2, "texts", found.pictures, 0, 0, 0.1, cached=False)
