"""The caches of a workspace, cleared of one picture.

Takes the folder of caches and a digest, gives what went of each; must not touch anything else. What is kept by picture
loses that picture. What is made of all of them at once (indices, clusters, maps, the library, full text, calibrations,
sizes of groups) goes as a whole and is made again when it is next asked for: a vector or a coordinate bears no name, so
that nothing else can prove that it is not of this picture.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl

__all__ = ["CacheLoss", "clear_caches"]

CacheLoss = tuple[str, int]
"""A cache by its folder, and how many files of it went."""

_BY_PICTURE = ("thumbnails", "looks", "asked")
_OF_PAIRS = ("verdicts", "resolutions")
_OF_ALL = ("search", "search-text", "clusters", "maps", "library", "calibration", "duplicates")


def clear_caches(cache_dir: Path, digest: str, *, really: bool) -> list[CacheLoss]:
    """Remove what may be of a picture.

    Args:
        cache_dir: Folder of the workspace's caches.
        digest: SHA-256 of its bytes.
        really: Remove it; else only say what would go.

    Raises:
        OSError: A file cannot be removed.
    """
    found = []
    for name in _BY_PICTURE:
        files = [path for path in cache_dir.glob(f"{name}/**/{digest[:2]}/{digest[2:4]}/*") if digest in path.name]
        found.append((name, _removed(files, really)))
    for name in _OF_PAIRS:
        files = [path for path in cache_dir.glob(f"{name}/**/*.parquet") if _may_hold(path, digest)]
        found.append((name, _removed(files, really)))
    for name in _OF_ALL:
        files = list(_files(cache_dir / name))
        if files and really:
            shutil.rmtree(cache_dir / name)
        found.append((name, len(files)))
    return [loss for loss in found if loss[1]]


def _removed(files: list[Path], really: bool) -> int:
    for path in files if really else ():
        path.unlink(missing_ok=True)
    return len(files)


def _may_hold(path: Path, digest: str) -> bool:
    """Whether a file of pairs names a picture, or cannot be read."""
    try:
        frame = pl.read_parquet(path, memory_map=False)
    except (OSError, pl.exceptions.PolarsError):
        return True
    return bool(frame.select(pl.any_horizontal((pl.col(pl.String) == digest).any().fill_null(False))).to_series().any())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
