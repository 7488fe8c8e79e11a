"""Maps made up for the tests of their views."""

from __future__ import annotations

import numpy as np
import polars as pl

from deeplens_kit.pipeline import PictureMap
from deeplens_kit.schemas import MAP_POINTS

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
            "format": ["JPEG"] * count,
            "tier": [TIERS[1 + number % 2] if number % 5 == 0 else "" for number in range(count)],
            "group_id": [f"group {number % 3}" if number % 5 == 0 else "" for number in range(count)],
            "is_keeper": [False] * count,
            "reclaimable_bytes": freed.astype(np.int64),
        },
        schema_overrides=MAP_POINTS.polars,
    )
    return PictureMap(MAP_POINTS.check(points), "sscd_small", count, 0, 0.1, cached=False)
