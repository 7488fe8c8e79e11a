"""A workspace of any size without a file behind it, for what has to be measured where a million pictures are.

Takes a folder, a number of objects and a seed, gives a workspace whose catalog is written straight through its tables,
as if the files had been indexed: a share with folders by year, month and shoot; a laptop that mirrors a part of it and
holds smaller exports of another; a bucket with colder classes of storage. Copies have the evidence of copies, and each
picture has pairs with strangers besides. There are prices and owners, and labels where they are asked for. Equal
arguments give equal workspaces but for the ids of locations and runs, which are drawn.

    python -m benchmarks.synthetic_workspace FOLDER [--objects N] [--labels N]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from deeplens_kit.catalog.lance_table import LanceTable
from deeplens_kit.catalog.manifest import table_url
from deeplens_kit.catalog.tables import arrow_schema, arrow_table
from deeplens_kit.pipeline import Workspace
from deeplens_kit.schemas import OBJECTS, PAIRS, PICTURES, TableSchema

__all__ = ["PRICES", "main", "write_workspace"]

SEED = 20_261_130
LOCATIONS = ("share", "laptop", "bucket")
PRICES = """\
currency: EUR
locations:
  share:
    storage_classes: {"*": {storage_per_gb_month: 0.045, retrieval_per_gb: 0}}
    requests: {list_per_1000: 0, read_per_1000: 0, head_per_1000: 0}
    egress_per_gb: 0
  bucket:
    storage_classes:
      STANDARD: {storage_per_gb_month: 0.023, retrieval_per_gb: 0}
      GLACIER: {storage_per_gb_month: 0.0036, retrieval_per_gb: 0.01, minimum_days: 90}
    requests: {list_per_1000: 0.005, read_per_1000: 0.0004, head_per_1000: 0.0004}
    egress_per_gb: 0.09
"""
"""The price book of such a workspace; the laptop has no prices."""

_OWNERS = """\
owners:
  - {owner: archive team, location: bucket}
  - {owner: studio, location: share, paths: ["2024/**", "2025/**"]}
  - {owner: office, location: share}
"""
_DAY_SECONDS = 86_400
_NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
_YEARS = 8
# Of all objects: those of the share, the equal files on the laptop, its exports, and the rest in the bucket.
_SHARE, _MIRRORED, _EXPORTED = 0.55, 0.15, 0.10
_STRANGERS_PER_PICTURE = 4
# Of the objects of the bucket, those that are copies of files of the share.
_KEPT_TWICE = 0.5
_SAME_FOR_ALL: dict[str, object] = {
    "md5": "", "crc32c": "", "mode": "RGB", "frames": 1, "orientation": 1, "has_alpha": False, "has_icc": False,
    "lossless": False, "auxiliary": "", "decode_spec": "", "features": "pdq_1", "run_id": "r",
}  # fmt: skip
# (of strangers, of copies) of what a close look finds.
_EVIDENCE = {
    "inliers": (4, 300), "inlier_share": (0.05, 0.9), "difference": (0.4, 0.01), "covered_a": (0.3, 1.0),
    "covered_b": (0.3, 1.0), "agreement": (0.1, 0.97), "agreement_low": (-0.2, 0.9), "correlation": (0.05, 0.97),
    "cells": (3, 190), "wobble_px": (1.0, 0.1), "resolution": (1.0, 1.0), "foreign": (0.0, 0.0),
}  # fmt: skip


def write_workspace(folder: Path, objects: int, seed: int = SEED, *, labels: int = 0) -> Path:
    """Write a workspace.

    Args:
        folder: Its folder, which must not be one yet.
        objects: About how many.
        seed: Draws everything that is drawn.
        labels: Pairs that a sample draws and that are labelled as they are; 0 for none.

    Returns:
        The folder.
    """
    draw = np.random.default_rng(seed)
    pictures, files, copies = _content(objects, draw)
    pairs = _pairs(pictures["digest"], copies, draw)
    with Workspace.create(folder) as workspace:
        ids = {name: workspace.ledger.add_location(name, str(folder / name), {}).location_id for name in LOCATIONS}
        runs = {name: workspace.ledger.start_run("index", ids[name], {}).run_id for name in LOCATIONS}
        found = files.with_columns(
            location_id=pl.col("location").replace_strict(ids), run_id=pl.col("location").replace_strict(runs)
        ).with_columns(object_id=pl.concat_str("location_id", pl.lit("/"), "path"))
        _overwrite(workspace, OBJECTS, OBJECTS.filled(found.drop("location")))
        _overwrite(workspace, PICTURES, PICTURES.filled(pictures))
        workspace.catalog.replace_pairs(pairs, "synthetic")
        for run_id in runs.values():
            workspace.ledger.finish_run(run_id, "finished", {})
        (folder / "prices.yaml").write_text(PRICES, encoding="utf-8")
        (folder / "owners.yaml").write_text(_OWNERS, encoding="utf-8")
        if labels:
            _label(workspace, copies_of(pictures["digest"], copies), labels)
    return folder


def copies_of(digests: pl.Series, copies: pl.DataFrame) -> pl.DataFrame:
    """The pairs that are copies: digest_a, digest_b."""
    ends = copies.select(a=digests.gather(copies["original"]), b=digests.gather(copies["copy"]))
    return ends.select(digest_a=pl.min_horizontal("a", "b"), digest_b=pl.max_horizontal("a", "b"))


def _content(count: int, draw: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Pictures by number, files, and which picture is a copy of which."""
    share, mirrored, exported = (int(count * part) for part in (_SHARE, _MIRRORED, _EXPORTED))
    stored = count - share - mirrored - exported
    total = share + exported + stored
    # 1. The share, shoot by shoot, with a file in twenty lying there twice under another name.
    numbers = np.arange(share)
    held = np.where(draw.random(share) < 0.05, draw.integers(0, max(share, 1), share), numbers)
    days = (numbers * _YEARS * 365) // max(share, 1)
    on_share = _files("share", held, _shoot_paths(numbers, days), days)
    # 2. The laptop: the middle of the share file by file, and smaller versions of what comes after it.
    first = share // 3
    rows = on_share[first : first + mirrored]
    mirror = rows.with_columns(location=pl.lit("laptop"), path=pl.lit("backup/") + pl.col("path"))
    originals = draw.integers(0, max(share, 1), exported)
    exports = np.arange(share, share + exported)
    paths = pl.format("exports/web-{}/IMG_{}.jpg", pl.Series(exports % 40), pl.Series(exports))
    on_laptop = _files("laptop", exports, pl.select(paths).to_series(), draw.integers(0, _YEARS * 365, exported))
    # 3. The bucket: copies in another encoding, and pictures that nobody else has.
    archived = np.arange(share + exported, total)
    paths = pl.format("archive/{}/{}.jpg", pl.Series(archived % 97), pl.Series(archived))
    in_bucket = _files("bucket", archived, pl.select(paths).to_series(), draw.integers(0, _YEARS * 365, stored))
    kept_twice = draw.random(stored) < _KEPT_TWICE
    copies = pl.DataFrame(
        {
            "original": np.concatenate([originals, draw.integers(0, max(share, 1), stored)[kept_twice]]),
            "copy": np.concatenate([exports, archived[kept_twice]]),
        }
    )
    pictures = _pictures(total, share, exported, draw)
    files = pl.concat([on_share, mirror, on_laptop, in_bucket]).with_columns(
        digest=pictures["digest"].gather(pl.concat([on_share, mirror, on_laptop, in_bucket])["picture"]),
        size_bytes=pictures["size_bytes"].gather(pl.concat([on_share, mirror, on_laptop, in_bucket])["picture"]),
    )
    classes = pl.when(pl.col("picture") % 3 == 0).then(pl.lit("STANDARD")).otherwise(pl.lit("GLACIER"))
    files = files.with_columns(
        storage_class=pl.when(pl.col("location") == "bucket").then(classes),
        change_token=pl.lit(""), link_count=pl.lit(1, pl.Int32), identity_basis=pl.lit("read"),
        outcome=pl.lit("indexed"),
    )  # fmt: skip
    return pictures, files.drop("picture"), copies


def _shoot_paths(numbers: np.ndarray, days: np.ndarray) -> pl.Series:
    year, month = pl.Series(2018 + days // 365), pl.Series(1 + (days % 365) // 31)
    return pl.select(
        pl.format("{}/{}/shoot-{}/IMG_{}.jpg", year, month.cast(pl.String).str.zfill(2), pl.Series(numbers // 400),
                  pl.Series(numbers))
    ).to_series()  # fmt: skip


def _files(location: str, pictures: np.ndarray, paths: pl.Series, days: np.ndarray) -> pl.DataFrame:
    oldest = int(_NEWEST.timestamp()) - _YEARS * 365 * _DAY_SECONDS
    seconds = pl.Series(oldest + days.astype(np.int64) * _DAY_SECONDS)
    return pl.DataFrame({"picture": pl.Series(pictures, dtype=pl.Int64), "path": paths}).with_columns(
        location=pl.lit(location),
        modified_at=(seconds * 1_000_000).cast(pl.Datetime("us", "UTC")),
    )


def _pictures(total: int, share: int, exported: int, draw: np.random.Generator) -> pl.DataFrame:
    text = draw.bytes(32 * total).hex()
    width = draw.choice([4000, 6000], total)
    # Exports are smaller than what they were made from.
    width[share : share + exported] = 1600
    size = draw.integers(2_000_000, 9_000_000, total)
    size[share : share + exported] //= 8
    return pl.DataFrame(
        {
            "digest": pl.Series(text[at : at + 64] for at in range(0, 64 * total, 64)),
            "size_bytes": pl.Series(size, dtype=pl.Int64),
            "format": pl.Series(draw.choice(["JPEG", "PNG", "HEIF", "WEBP"], total, p=[0.8, 0.1, 0.06, 0.04])),
            "width_px": pl.Series(width, dtype=pl.Int32),
            "height_px": pl.Series(width * 3 // 4, dtype=pl.Int32),
            "jpeg_quality": pl.Series(draw.integers(60, 96, total), dtype=pl.Int32),
            "dominant_tone": pl.Series(draw.random(total) * 0.4, dtype=pl.Float32),
            "effective_pixels": pl.Series(width.astype(np.int64) * (width * 3 // 4)),
        }
    ).with_columns(pl.lit(value).cast(PICTURES.polars[name]).alias(name) for name, value in _SAME_FOR_ALL.items())


def _pairs(digests: pl.Series, copies: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    """The copies, and some strangers of every picture."""
    count = len(digests)
    left = np.repeat(np.arange(count), _STRANGERS_PER_PICTURE)
    right = (left + draw.integers(1, 50, len(left))) % max(count, 1)
    near = pl.DataFrame({"original": left, "copy": right, "is_copy": False}).filter(
        pl.col("original") != pl.col("copy")
    )
    known = copies.with_columns(pl.col("original", "copy").cast(pl.Int64), is_copy=pl.lit(True))
    both = pl.concat([known, near.with_columns(pl.col("original", "copy").cast(pl.Int64))])
    ends = both.select(
        low=pl.min_horizontal("original", "copy"), high=pl.max_horizontal("original", "copy"), is_copy="is_copy"
    ).unique(["low", "high"], keep="first", maintain_order=True)
    is_copy = ends["is_copy"].to_numpy()
    strength = np.clip(np.where(is_copy, 0.97, 0.05) + draw.normal(0, 0.03, len(is_copy)), 0, 1)
    evidence = [
        pl.Series(name, worst + (best - worst) * strength).cast(PAIRS.polars[name])
        for name, (worst, best) in _EVIDENCE.items()
    ]
    named = pl.DataFrame({"a": digests.gather(ends["low"]), "b": digests.gather(ends["high"])})
    pairs = named.select(
        digest_a=pl.min_horizontal("a", "b"), digest_b=pl.max_horizontal("a", "b"),
        pdq_distance=pl.Series(np.where(is_copy, 6, 60), dtype=pl.Int32), orientation=pl.lit(0, pl.Int32),
        sscd_small=pl.Series(np.where(is_copy, 0.93, 0.4), dtype=pl.Float32), found_by=pl.lit("pdq"),
        hub=pl.lit(False), verification=pl.lit("synthetic"), mirrored=pl.lit(False),
        tier=pl.Series(np.where(is_copy, "copy", "scene")), relation=pl.lit("whole"),
        score=pl.Series(strength, dtype=pl.Float32), run_id=pl.lit("r"),
    ).hstack(evidence)  # fmt: skip
    return PAIRS.check(PAIRS.filled(pairs).sort("digest_a", "digest_b"))


def _overwrite(workspace: Workspace, schema: TableSchema, rows: pl.DataFrame) -> None:
    url, arrow = table_url(workspace.catalog.url, schema.name), arrow_schema(schema)
    LanceTable(schema.name, url, arrow, schema.key[0], {}).overwrite(arrow_table(schema.check(rows), arrow), {})


def _label(workspace: Workspace, copies: pl.DataFrame, budget: int) -> None:
    """Draw a sample for estimates and label it as the pairs are."""
    from deeplens_kit.pipeline.label_sampling import draw_sample, drawn_pairs

    draw_sample(workspace, budget)
    said = (
        drawn_pairs(workspace)
        .select("digest_a", "digest_b")
        .join(copies.with_columns(known=pl.lit("same")), on=["digest_a", "digest_b"], how="left")
    )
    workspace.ledger.record_labels(said.select("digest_a", "digest_b", verdict=pl.col("known").fill_null("different")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a workspace from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the workspace; must not exist as one")
    parser.add_argument("--objects", type=int, default=1_000_000, help="about how many")
    parser.add_argument("--labels", type=int, default=0, help="pairs that are drawn and labelled")
    options = parser.parse_args(arguments)
    write_workspace(options.folder, options.objects, labels=options.labels)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
